"""The table of series that the headers of a folder give."""

import hashlib
import shutil

import pydicom
import pytest
from dicom_files import LOCALISER, SECRETS, edit, enhanced, head, numbered, series, zipped
from pydicom.uid import BasicTextSRStorage

from gliaflow.convert.scan import scan_study
from gliaflow.convert.table import COLUMNS, series_row, text_table, write_series_table
from gliaflow.errors import ConversionError


def test_series_are_told_apart_and_ordered(tmp_path):
    series(tmp_path / "in" / "deep" / "er", numbered(7, "AX T2 FSE", echo_time_ms=100.5))
    paths = series(tmp_path / "in", numbered(3, "AX T1 +C", contrast_agent="Gd", inversion_time_ms=900))
    study = scan_study(tmp_path / "in", tmp_path)
    first, second = study.series
    assert (first.number, second.number) == (3, 7)
    assert (first.description, first.contrast, first.inversion_time_ms) == ("AX T1 +C", True, 900)
    assert (second.contrast, second.inversion_time_ms, second.echo_time_ms) == (False, None, 100.5)
    assert (first.rows, first.columns, first.n_files, first.stack.n_slices) == (24, 20, 12, 12)
    uid = pydicom.dcmread(paths[0]).SeriesInstanceUID
    assert first.key == hashlib.sha256(uid.encode()).hexdigest()[:12]


def test_a_zip_gives_the_same_as_its_folder(tmp_path):
    series(tmp_path / "in", LOCALISER)
    series(tmp_path / "in" / "b", numbered(3, "AX T1"))
    packed = scan_study(zipped(tmp_path / "in", tmp_path / "study.zip"), tmp_path)
    assert repr(packed) == repr(scan_study(tmp_path / "in", tmp_path))


def test_other_and_damaged_files_are_counted(tmp_path):
    paths = series(tmp_path / "in")
    (tmp_path / "in" / "readme.txt").write_text("Wilhelmine")
    (tmp_path / "in" / "empty.dcm").write_bytes(b"")
    (tmp_path / "in" / "DICOMDIR").write_bytes(b"x")
    report = pydicom.dcmread(paths[0])
    report.file_meta.MediaStorageSOPClassUID = report.SOPClassUID = BasicTextSRStorage
    del report.Rows
    del report.PixelData
    report.save_as(tmp_path / "in" / "report.dcm")
    content = paths[0].read_bytes()
    for length in (132, 140, 400, 900):
        (tmp_path / "in" / f"cut{length}.dcm").write_bytes(content[:length])
    study = scan_study(tmp_path / "in", tmp_path)
    assert (study.n_other_files, study.n_damaged_files) == (3, 4)
    assert study.series[0].n_files == 12


def test_a_repeated_file_is_left_out(tmp_path):
    paths = series(tmp_path / "in")
    shutil.copy(paths[4], tmp_path / "in" / "copy.dcm")
    (only,) = scan_study(tmp_path / "in", tmp_path).series
    assert (only.n_files, only.n_copies) == (12, 1)
    assert set(only.stack.images_at_place) == {1}


def test_one_uid_for_all_slices_is_no_copy(tmp_path):
    edit(series(tmp_path / "in"), SOPInstanceUID="1.2.3")
    (only,) = scan_study(tmp_path / "in", tmp_path).series
    assert (only.n_files, only.n_copies) == (12, 0)


def test_multi_frame_is_read_from_its_functional_groups(tmp_path):
    plain = series(tmp_path / "plain", image=head(angles=(0.2, 0.1, 0.3)))
    folder = enhanced(plain, tmp_path / "enhanced")
    (one,) = scan_study(folder, tmp_path).series
    (many,) = scan_study(tmp_path / "plain", tmp_path).series
    assert (one.multi_frame, one.n_files, one.n_images) == (True, 1, 12)
    assert (many.multi_frame, many.n_files, many.n_images) == (False, 12, 12)
    assert one.stack == many.stack
    assert (one.echo_time_ms, one.repetition_time_ms) == (many.echo_time_ms, many.repetition_time_ms)


@pytest.mark.parametrize("content", [{}, {"notes.txt": b"no scan"}])
def test_nothing_to_find(tmp_path, content):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_bytes(text)
    with pytest.raises(ConversionError, match="holds no DICOM image" if content else "the folder is empty"):
        scan_study(folder, tmp_path)


def test_a_class_that_is_several_is_damage(tmp_path):
    (path, *_) = series(tmp_path / "in")
    header = pydicom.dcmread(path)
    header.file_meta.MediaStorageSOPClassUID = ["1.2", "3.4"]
    del header.Rows
    header.save_as(path, enforce_file_format=False)
    assert scan_study(tmp_path / "in", tmp_path).n_damaged_files == 1


def test_nothing_that_is_written_identifies_a_person(tmp_path):
    paths = series(tmp_path / "in", numbered(3, "AX T1 SCHMIDT 12.03.1957"))
    edit(paths, ProtocolName="PAT-77812 Wilhelmine for Dr Quacksalber")
    study = scan_study(tmp_path / "in", tmp_path)
    rows = [series_row(study.series[0], "t1n", "t1n")]
    write_series_table(tmp_path / "series.tsv", rows)
    shown = repr(study) + text_table(study.series, {study.series[0].key: "t1n"})
    written = (tmp_path / "series.tsv").read_text()
    assert not any(secret in (shown + written).lower() for secret in SECRETS)
    assert "1957" not in shown + written
    assert study.series[0].texts[0] == "ax t1 schmidt 12 03 1957"


def test_table_has_a_column_for_every_value(tmp_path):
    series(tmp_path / "in")
    (only,) = scan_study(tmp_path / "in", tmp_path).series
    write_series_table(tmp_path / "series.tsv", [series_row(only, "t1n", "t1n")])
    names, values = (line.split("\t") for line in (tmp_path / "series.tsv").read_text().splitlines())
    assert names == list(COLUMNS)
    assert dict(zip(names, values, strict=True)) == {
        "key": only.key,
        "number": "3",
        "description": "AX T1",
        "files": "12",
        "slices": "12",
        "rows": "24",
        "columns": "20",
        "te_ms": "9",
        "tr_ms": "500",
        "ti_ms": "",
        "contrast": "no",
        "modality": "MR",
        "fits": "t1n",
        "sequence": "t1n",
    }
