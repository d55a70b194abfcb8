"""Ready sessions are taken as the rules would have prepared them, and what is not ready is named."""

import nibabel as nib
import numpy as np
import pytest

from gliaflow.errors import ImageError
from gliaflow.images import data_of, new_image, read_image, write_image
from gliaflow.train.take import ready_session, take_sessions

SHAPE = (12, 14, 10)
AFFINE = np.array([[2.0, 0, 0, -12], [0, 2, 0, -14], [0, 0, 2, -10], [0, 0, 0, 1]])
BRAIN = (slice(2, 10), slice(3, 11), slice(2, 8))
HOLE = (6, 7, 5)


def brain_values(scale=1.0):
    values = np.zeros(SHAPE)
    values[BRAIN] = np.arange(1, 8 * 8 * 6 + 1).reshape(8, 8, 6) * scale
    values[HOLE] = 0
    return values


def labels():
    values = np.zeros(SHAPE, np.uint8)
    values[4:6, 5, 4], values[4, 6, 4] = 4, 2
    return values


@pytest.fixture
def atlas():
    return new_image(brain_values(), AFFINE)


def written(folder, *, affine=AFFINE, label_affine=AFFINE, t2f=None, label=None):
    """A session of two sequences with a label of BraTS until 2021."""
    for name, values in (("t1c", brain_values()), ("t2f", brain_values(2) if t2f is None else t2f)):
        write_image(folder / f"{name}.nii.gz", values, affine)
    given = labels() if label is None else label
    write_image(folder / "given.nii.gz", given, label_affine, given.dtype)
    images = {sequence: str(folder / f"{sequence}.nii.gz") for sequence in ("t2f", "t1c")}
    values = {"name": "one_01_1", "images": images, "label": str(folder / "given.nii.gz")}
    return ready_session({**values, "convention": "brats2021"})


def files_of(folder):
    return {path.name for path in (folder / "taken" / "one_01_1").iterdir()}


def test_a_ready_session_gets_its_label_and_its_brain_and_keeps_its_images(tmp_path, atlas):
    take_sessions([written(tmp_path)], tmp_path / "taken", atlas)
    assert files_of(tmp_path) == {"label.nii.gz", "mask.nii.gz"}
    mask, label = (read_image(tmp_path / f"taken/one_01_1/{name}.nii.gz") for name in ("mask", "label"))
    expected = np.zeros(SHAPE, np.uint8)
    expected[BRAIN] = 1
    np.testing.assert_array_equal(data_of(mask, np.uint8), expected)
    np.testing.assert_array_equal(data_of(label, np.uint8), np.where(labels() == 4, 3, labels()))
    assert mask.get_data_dtype() == label.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(label.affine, AFFINE)


def test_a_scan_in_another_orientation_is_written_again(tmp_path, atlas):
    session = written(tmp_path)
    flipped = new_image(brain_values(2), AFFINE).as_reoriented([[1, 1], [0, -1], [2, 1]])
    nib.save(flipped, tmp_path / "t2f.nii.gz")
    take_sessions([session], tmp_path / "taken", atlas)
    assert files_of(tmp_path) == {"label.nii.gz", "mask.nii.gz", "t2f.nii.gz"}
    again = read_image(tmp_path / "taken/one_01_1/t2f.nii.gz")
    np.testing.assert_array_equal(data_of(again), brain_values(2))
    np.testing.assert_array_equal(again.affine, AFFINE)


def test_what_lies_outside_the_brain_of_the_reference_is_taken_away(tmp_path, atlas):
    beyond = brain_values(2)
    beyond[0, 0, 0] = 7
    take_sessions([written(tmp_path, t2f=beyond)], tmp_path / "taken", atlas)
    again = read_image(tmp_path / "taken/one_01_1/t2f.nii.gz")
    np.testing.assert_array_equal(data_of(again), brain_values(2))


SHIFTED = AFFINE + np.array([[0, 0, 0, 5], [0] * 4, [0] * 4, [0] * 4])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"affine": SHIFTED}, r"t2f\.nii\.gz: .* another grid than the atlas .* write ref .* or none there"),
        ({"label_affine": SHIFTED}, r"given\.nii\.gz: .* another grid than the atlas"),
        ({"t2f": np.zeros(SHAPE)}, r"t2f\.nii\.gz: every voxel has the value 0"),
        ({"label": np.full(SHAPE, 3, np.uint8)}, r"given\.nii\.gz: label values \[3\].*correct labels"),
        ({"label": np.full(SHAPE, 0.5, np.float32)}, r"given\.nii\.gz: holds 0\.5, which is no label"),
    ],
)
def test_what_is_not_ready_is_named(tmp_path, atlas, change, reason):
    with pytest.raises(ImageError, match=reason):
        take_sessions([written(tmp_path, **change)], tmp_path / "taken", atlas)


def test_a_scan_that_is_not_stripped_is_named(tmp_path, atlas):
    session = written(tmp_path)
    write_image(tmp_path / "t1c.nii.gz", brain_values() + 1, AFFINE)
    with pytest.raises(ImageError, match=r"t1c\.nii\.gz: the sheet or config calls the scan stripped"):
        take_sessions([session], tmp_path / "taken", atlas)


def test_a_label_without_tumour_is_taken(tmp_path, atlas):
    take_sessions([written(tmp_path, label=np.zeros(SHAPE, np.uint8))], tmp_path / "taken", atlas)
    assert not data_of(read_image(tmp_path / "taken/one_01_1/label.nii.gz")).any()


def test_threads_change_nothing_and_progress_is_logged(tmp_path, atlas, caplog):
    caplog.set_level("INFO")
    session = written(tmp_path)
    values = {"images": session.images, "label": session.label, "convention": "brats2021"}
    sessions = [ready_session({"name": f"c{k}", **values}) for k in range(60)]
    take_sessions(sessions, tmp_path / "taken", atlas, threads=2)
    found = {(path / "label.nii.gz").read_bytes() for path in (tmp_path / "taken").iterdir()}
    assert len(list((tmp_path / "taken").iterdir())) == 60
    assert len(found) == 1
    assert [record.getMessage() for record in caplog.records] == ["50 of 60 taken", "60 of 60 taken"]
