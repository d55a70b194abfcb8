"""DICOM files with headers and pixels changed, and zips of them: a checked volume, or a sentence."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from damage import cases, damaged, refusal, written
from dicom_files import compress, deflate, enhanced, head, series, zipped
from hypothesis import given, reject
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from gliaflow.config.settings import complete_config
from gliaflow.convert.source import convert_source, sort_study
from gliaflow.convert.table import write_series_table

SETTINGS = complete_config({})["convert"]
CHANGED = (
    *(
        "SOPInstanceUID",
        "SOPClassUID",
        "SeriesInstanceUID",
        "SeriesNumber",
        "SeriesDescription",
        "ProtocolName",
    ),
    *("Modality", "ImageType", "InstanceNumber", "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle"),
    *(
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "NumberOfFrames",
        "ImagesInAcquisition",
        "PhotometricInterpretation",
    ),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SliceLocation"),
    *("SpacingBetweenSlices", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    *("RescaleSlope", "RescaleIntercept", "Manufacturer", "ContrastBolusAgent", "SpecificCharacterSet"),
    *("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "ScanOptions", "MagneticFieldStrength"),
)
RAW = st.one_of(
    st.sampled_from(
        [
            b"",
            b"0",
            b"-1",
            b"1e30",
            b"nan",
            b"inf",
            b"1\\2",
            b"0\\0\\0\\0\\0\\0",
            b"nan\\nan\\nan",
            b"1\\0\\0\\1\\0\\0",
            b"Schmidt^Wilhelmine",
            b"<script>x</script>",
            b"$(touch x)`y`",
            b"a\tb\nc\x1b[2J",
            b"\xff\xfe\xfd",
            b"MR\tSCHMIDT",
            b"\x01\x00",
            b"\xff\xff",
            b"\x00\x00",
            b"9" * 40,
            b"x" * 70_000,
            b"T1 Schmidt 19570312",
            b"\\" * 30,
        ]
    ),
    st.binary(max_size=16),
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small series, each of ten slices, as scanners and archives write them."""
    folder = tmp_path_factory.mktemp("dicom")
    small, larger = head(shape=(8, 6, 10)), head(shape=(33, 34, 10))
    made = {name: folder / name for name in ("plain", "deflated", "rle", "jpeg2000", "enhanced")}
    paths = {n: series(path, image=larger if n == "jpeg2000" else small) for n, path in made.items()}
    deflate(paths["deflated"], DeflatedExplicitVRLittleEndian)
    compress(paths["rle"], RLELossless)
    compress(paths["jpeg2000"], JPEG2000Lossless)
    enhanced(paths["enhanced"], made["enhanced"])
    return made


def convert(source: Path, work: Path) -> str:
    """What is said against a series; what is written of one that is right is free of personal values."""
    left: list[str] = []

    def as_scan() -> None:
        result = convert_source(source, key=None, settings=SETTINGS, work=work)
        assert np.isfinite(result.image.get_fdata()).all()
        left.append(repr(dict(result.sidecar)))

    said = refusal(as_scan, source.name)
    return said + "".join(left)


def sort(source: Path, work: Path) -> str:
    """What is said against a study, or its table."""
    table = work / "series.tsv"
    table.unlink(missing_ok=True)

    def as_study() -> None:
        found = sort_study(source, expect=["t1n"], settings=SETTINGS, work=work)
        write_series_table(table, found.rows)

    said = refusal(as_study, source.name)
    text = table.read_text() if table.exists() else ""
    assert all(line.count("\t") == text.split("\n")[0].count("\t") for line in text.splitlines())
    return said + text


def copied(source: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    return folder


def set_raw(path: Path, keyword: str, value: bytes | None) -> None:
    """Set an element to bytes that no library checks, or take it out."""
    header = pydicom.dcmread(path)
    tag = Tag(keyword)
    vr = header[tag].VR if tag in header else pydicom.datadict.dictionary_VR(tag).split(" ")[0]
    if value is None:
        header.pop(tag, None)
    else:
        whole = value + b" " * (len(value) % 2)
        header._dict[tag] = RawDataElement(tag, vr, len(whole), whole, 0, False, True)
    try:
        header.save_as(path, enforce_file_format=False)
    except (ValueError, TypeError, AttributeError):
        reject()


@cases(40)
@given(
    kind=st.sampled_from(["plain", "plain", "plain", "enhanced", "rle"]),
    changes=st.lists(st.tuples(st.sampled_from(CHANGED), st.one_of(st.none(), RAW)), min_size=1, max_size=3),
    every=st.booleans(),
)
def test_any_element_of_a_header(
    sources: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    changes: list[tuple[str, bytes | None]],
    every: bool,
) -> None:
    work = tmp_path_factory.getbasetemp()
    folder = copied(sources[kind], work / "changed-header")
    paths = sorted(folder.iterdir())
    for path in paths if every else paths[:1]:
        for keyword, value in changes:
            set_raw(path, keyword, value)
    convert(folder, work)
    sort(folder, work)


@cases(30)
@given(data=st.data(), kind=st.sampled_from(["plain", "deflated", "rle", "jpeg2000", "enhanced"]))
def test_any_bytes_of_a_file(
    sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    work = tmp_path_factory.getbasetemp()
    folder = copied(sources[kind], work / "changed-bytes")
    path = min(folder.iterdir())
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    convert(folder, work)


@cases(30)
@given(data=st.data())
def test_any_damage_to_a_zip(
    sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    work = tmp_path_factory.getbasetemp()
    whole = work / "whole.zip"
    if not whole.exists():
        zipped(sources["plain"], whole)
    convert(written(work / "changed.zip", data.draw(damaged(whole.read_bytes()))), work)


ODD = st.one_of(
    st.text(min_size=1, max_size=20),
    st.sampled_from(
        [
            "$(touch x)",
            "`x`;",
            "a b",
            "é\u202e",
            "-o",
            "x" * 300,
            "/" * 60,
            "a/" * 200 + "b",
            "CON",
            "\n",
            "...",
        ]
    ),
)


@cases(20)
@given(names=st.lists(ODD, min_size=1, max_size=6))
def test_a_zip_with_odd_names(
    sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    work = tmp_path_factory.getbasetemp()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, path in zip(names, sorted(sources["plain"].iterdir()), strict=False):
            try:
                archive.writestr(name, path.read_bytes())
            except (ValueError, IndexError):
                return
    convert(written(work / "odd.zip", stream.getvalue()), work)
    assert not list(work.glob("unzip-*"))


def test_the_series_that_are_changed_are_right(sources: dict[str, Path], tmp_path: Path) -> None:
    for source in sources.values():
        assert "EchoTime" in convert(source, tmp_path)
