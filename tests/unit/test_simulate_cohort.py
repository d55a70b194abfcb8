"""The demo cohort as files."""

import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from gliaflow.checks import check_image
from gliaflow.errors import ConfigError
from gliaflow.images import data_of, new_image, read_image
from gliaflow.labels import SEQUENCES
from gliaflow.simulate import cohort
from gliaflow.simulate.acquisition import resample
from gliaflow.simulate.cohort import DEMO, demo_sheet, find_session, write_session
from gliaflow.simulate.contrasts import render
from gliaflow.simulate.fields import named_rng
from gliaflow.simulate.heads import make_head
from gliaflow.simulate.truth import read_truth

REPOSITORY = Path(__file__).parents[2]
SEED = 11
RESOLUTION_MM = 2.5


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """The first three subjects' sessions, of a coarse anatomy."""
    root = tmp_path_factory.mktemp("demo")
    for subject in ("demo01", "demo02", "demo03"):
        write_session(session_folder(root, subject), subject, "1", seed=SEED, resolution_mm=RESOLUTION_MM)
    return root


def session_folder(root: Path, subject: str, session: str = "1") -> Path:
    return root / f"sub-{subject}" / f"ses-{session}"


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_sheet_in_the_repository_is_the_demo_s():
    assert (REPOSITORY / "config" / "samples.tsv").read_text(encoding="utf-8") == demo_sheet()


def test_sheet_names_what_is_written(demo):
    header, *rows = (line.split("\t") for line in demo_sheet(str(demo)).splitlines())
    cells = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(c["subject"], c["session"], c["days"]) for c in cells] == [
        *(("demo01", "1", "0"), ("demo02", "1", "0"), ("demo03", "1", "0")),
        *(("demo04", "1", "0"), ("demo04", "2", "180")),
    ]
    named = [Path(c[column]) for c in cells[:3] for column in (*SEQUENCES, "dicom") if c[column]]
    assert len(named) == 8
    assert all(path.exists() for path in named)
    assert not cells[1]["t1n"]
    assert not (session_folder(demo, "demo02") / "t1n").exists()


def test_whole_study_holds_the_sequences_among_others(demo):
    folders = sorted((session_folder(demo, "demo01") / "dicom").iterdir())
    first = [pydicom.dcmread(next(folder.iterdir()), stop_before_pixels=True) for folder in folders]
    assert [str(header.SeriesDescription) for header in first] == [
        *("localizer", "localizer", "localizer", "t2_tse_tra", "ep2d_diff_b1000_TRACEW", "ep2d_diff_ADC"),
        *("t1_mprage_sag_iso", "t2_tirm_tra_dark-fluid", "t1_mprage_tra_km"),
    ]
    assert len({header.StudyInstanceUID for header in first}) == 1
    assert [len(list(folder.iterdir())) for folder in folders] == [3, 3, 3, 48, 24, 24, 124, 64, 96]


def test_zip_holds_one_series(demo):
    with zipfile.ZipFile(session_folder(demo, "demo02") / "t2w.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 48
        with archive.open(archive.namelist()[0]) as stream:
            assert pydicom.dcmread(stream).SeriesDescription == "AX T2 FSE"


@pytest.mark.parametrize("subject", ["demo01", "demo02"])
def test_identifying_values_are_planted_in_every_file(demo, subject):
    folder = session_folder(demo, subject)
    planted = read_truth(folder / "truth").planted
    for path in folder.rglob("*.dcm"):
        content = path.read_bytes()
        assert all(value.encode() in content for value in planted)


def test_nifti_come_in_orientations_of_their_own_with_a_name_in_the_header(demo):
    folder = session_folder(demo, "demo03")
    images = {sequence: nib.load(folder / f"{sequence}.nii.gz") for sequence in SEQUENCES}
    codes = {sequence: "".join(nib.aff2axcodes(image.affine)) for sequence, image in images.items()}
    assert codes == cohort.NIFTI_ORIENTATION
    assert {image.get_data_dtype() for image in images.values()} == {np.dtype(np.int16)}
    assert all(b"Planted^Leocadia" in bytes(image.header["descrip"]) for image in images.values())


def test_truth_explains_every_image(demo):
    """Taken back to the anatomy by the truth, a scan shows the anatomy; by its header alone it does not."""
    folder = session_folder(demo, "demo03")
    truth = read_truth(folder / "truth")
    head = make_head(named_rng(SEED, "demo03", "head"), RESOLUTION_MM)
    labels = read_image(folder / "truth" / "label.nii.gz")
    brain = data_of(read_image(folder / "truth" / "brain_mask.nii.gz"), bool)
    for sequence in SEQUENCES:
        image = read_image(folder / f"{sequence}.nii.gz")
        check_image(image, sequence)
        wanted = render(head, data_of(labels, np.uint8), sequence)[brain]
        likeness = [
            np.corrcoef(resample(image, head.affine, brain.shape, np.linalg.inv(matrix))[brain], wanted)[0, 1]
            for matrix in (truth.to_anatomy[sequence], np.eye(4))
        ]
        assert likeness[0] > 0.83
        assert likeness[0] > likeness[1] + 0.15


def test_every_field_of_view_covers_the_brain(demo):
    folder = session_folder(demo, "demo03")
    truth = read_truth(folder / "truth")
    mask = read_image(folder / "truth" / "brain_mask.nii.gz")
    points = nib.affines.apply_affine(mask.affine, np.argwhere(data_of(mask) > 0))
    for sequence, matrix in truth.to_anatomy.items():
        image = read_image(folder / f"{sequence}.nii.gz")
        voxels = nib.affines.apply_affine(np.linalg.inv(matrix @ image.affine), points)
        assert (voxels > -0.5).all()
        assert (voxels < np.array(image.shape) - 0.5).all()


def test_truth_counts_the_label_map(demo):
    for subject in ("demo01", "demo02", "demo03"):
        folder = session_folder(demo, subject) / "truth"
        labels = read_image(folder / "label.nii.gz")
        volume = (data_of(labels, np.uint8) > 0).sum() * RESOLUTION_MM**3 / 1000
        assert read_truth(folder).volumes_ml["WT"] == pytest.approx(volume)
        assert tuple(read_truth(folder).to_anatomy) == find_session(subject, "1").sequences


def test_same_seed_same_bytes_other_seed_other_bytes(demo, tmp_path):
    write_session(tmp_path / "again", "demo02", "1", seed=SEED, resolution_mm=RESOLUTION_MM)
    first, again = files_in(session_folder(demo, "demo02")), files_in(tmp_path / "again")
    assert list(first) == list(again)
    assert [name for name in first if first[name] != again[name]] == []
    write_session(tmp_path / "other", "demo02", "1", seed=SEED + 1, resolution_mm=RESOLUTION_MM)
    other = files_in(tmp_path / "other")
    assert all(other[name] != content for name, content in first.items())


def test_second_session_is_the_same_head_moved_with_a_grown_tumour(tmp_path, monkeypatch):
    one_file = [replace(d, scans={"t2f": "t2f.nii.gz"}) for d in DEMO if d.subject == "demo04"]
    monkeypatch.setattr(cohort, "DEMO", one_file)
    for session in ("1", "2"):
        write_session(tmp_path / session, "demo04", session, seed=SEED, resolution_mm=RESOLUTION_MM)
    first, second = (read_truth(tmp_path / session / "truth") for session in ("1", "2"))
    masks = [(tmp_path / session / "truth" / "brain_mask.nii.gz").read_bytes() for session in ("1", "2")]
    assert masks[0] == masks[1]
    assert (first.days, second.days) == (0, 180)
    assert second.volumes_ml["WT"] > 1.3 * first.volumes_ml["WT"]
    assert np.abs(first.to_anatomy["t2f"] - second.to_anatomy["t2f"]).max() > 1
    before, after = (
        data_of(read_image(tmp_path / session / "truth" / "label.nii.gz")) > 0 for session in ("1", "2")
    )
    assert np.mean(after[before]) > 0.95


def test_unknown_session_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no session demo09/1; it has demo01/1"):
        write_session(tmp_path, "demo09", "1", seed=1)
    assert not any(tmp_path.iterdir())


def test_scans_are_whole_numbers_of_a_scanner_s_range():
    head = make_head(named_rng(1), 4.0)
    series = cohort.PROTOCOLS["a"]["t2w"]
    image, _ = cohort.scan(DEMO[0], series, head, np.zeros(head.brain.shape, np.uint8), 1)
    data = data_of(image, image.get_data_dtype())
    assert data.dtype == np.int16
    assert 900 < np.percentile(data, 99.9) < 1800
    assert new_image(data, image.affine).shape == series.geometry.shape
