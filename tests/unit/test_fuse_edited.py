"""Label maps that reviewers edited: which grids and values are taken, and what is refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from gliaflow.errors import ImageError
from gliaflow.fuse.edited import edit_record, edited_labels, keep_edited
from gliaflow.images import data_of, new_image, write_image
from gliaflow.sidecar import read_json

REGIONS = ("WT", "TC", "ET")
AFFINE = np.array([[1.2, 0.1, 0, -20.3], [-0.1, 1.2, 0, -11.7], [0, 0, 2.5, 4.4], [0, 0, 0, 1.0]])
NAME = "review.tsv, one/01/1, column label"


def labels() -> np.ndarray:
    values = np.zeros((20, 18, 12), np.uint8)
    values[5:12, 6:13, 3:9] = 2
    values[7:10, 8:11, 4:7] = 3
    values[8, 9, 5] = 1
    return values


@pytest.fixture
def automatic() -> nib.Nifti1Image:
    values = labels()
    values[5:7] = 0
    return new_image(values, AFFINE, np.uint8)


def save(folder: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path = folder / "edited.nii.gz"
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def read(
    path: Path, automatic: nib.Nifti1Image, regions: tuple[str, ...] = REGIONS
) -> tuple[np.ndarray, bool]:
    found, moved = edited_labels(path, automatic, regions, NAME)
    assert np.array_equal(found.affine, automatic.affine)
    return data_of(found, np.uint8), moved


@pytest.mark.parametrize("kind", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("flips", [(), (0,), (0, 1), (2,)])
def test_on_the_same_grid_every_voxel_is_kept_however_it_is_stored(
    tmp_path: Path, automatic: nib.Nifti1Image, kind: str, flips: tuple[int, ...]
) -> None:
    values, affine = labels(), AFFINE.copy()
    for axis in flips:
        affine[:3, 3] += affine[:3, axis] * (values.shape[axis] - 1)
        affine[:3, axis] *= -1
        values = np.flip(values, axis)
    found, moved = read(save(tmp_path, values.astype(kind), affine), automatic)
    assert np.array_equal(found, labels())
    assert not moved


def test_a_header_that_was_rounded_is_the_same_grid(tmp_path: Path, automatic: nib.Nifti1Image) -> None:
    found, moved = read(save(tmp_path, labels(), np.round(AFFINE + 0.002, 3)), automatic)
    assert np.array_equal(found, labels())
    assert not moved


def test_the_part_that_an_editor_cut_out_is_put_back_in_its_place(
    tmp_path: Path, automatic: nib.Nifti1Image
) -> None:
    affine = AFFINE.copy()
    affine[:3, 3] = nib.affines.apply_affine(AFFINE, (4, 5, 2))
    found, moved = read(save(tmp_path, labels()[4:14, 5:15, 2:10], affine), automatic)
    assert np.array_equal(found, labels())
    assert moved


def test_other_voxels_of_the_same_field_of_view_go_by_nearest_neighbour(
    tmp_path: Path, automatic: nib.Nifti1Image
) -> None:
    finer = labels().repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    affine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] = nib.affines.apply_affine(AFFINE, (-0.25, -0.25, -0.25))
    found, moved = read(save(tmp_path, finer, affine), automatic)
    assert np.array_equal(found, labels())
    assert moved


def test_an_empty_label_map_says_that_there_is_no_tumour(tmp_path: Path, automatic: nib.Nifti1Image) -> None:
    assert not read(save(tmp_path, np.zeros_like(labels())), automatic)[0].any()


def test_a_cavity_may_be_drawn(tmp_path: Path, automatic: nib.Nifti1Image) -> None:
    values = labels()
    values[0, 0, 0] = 4
    assert read(save(tmp_path, values), automatic)[0][0, 0, 0] == 4


def moved_by(millimetres: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 3] += millimetres
    return affine


WRONG = {
    "another field of view": (labels(), moved_by(5.5), "lies on another grid than the session's label map"),
    "a part that lies between voxels": (labels()[:10], moved_by(0.6), "lies on another grid"),
    "nothing in common": (np.full((4, 4, 3), 2, np.uint8), AFFINE, "lies on another grid"),
    "a fraction": (labels() * 0.5, AFFINE, "which is no label"),
    "an unknown value": (labels() * 3, AFFINE, "holds [6, 9], which are no labels"),
    "not finite": (np.where(labels() > 0, np.nan, 0.0), AFFINE, "holds values that are no numbers"),
    "four axes": (np.stack([labels()] * 2, axis=-1), AFFINE, "a label map has three axes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_the_session_s_is_refused_by_its_cell(
    tmp_path: Path, automatic: nib.Nifti1Image, name: str
) -> None:
    values, affine, message = WRONG[name]
    with pytest.raises(ImageError) as error:
        edited_labels(save(tmp_path, values, affine), automatic, REGIONS, NAME)
    assert str(error.value).startswith(NAME)
    assert message in str(error.value)


def test_values_that_the_segmentation_does_not_tell_apart_are_refused(
    tmp_path: Path, automatic: nib.Nifti1Image
) -> None:
    with pytest.raises(ImageError, match=r"holds \[1, 3\].*write 2 whole tumour"):
        edited_labels(save(tmp_path, labels()), automatic, ["WT"], NAME)


def test_the_sidecar_says_who_changed_how_much_and_keeps_the_model(
    tmp_path: Path, automatic: nib.Nifti1Image
) -> None:
    path = save(tmp_path, labels())
    edited, _ = edited_labels(path, automatic, REGIONS, NAME)
    record = edit_record(path, edited, automatic)
    assert record["VoxelsChanged"] == 2 * 7 * 6
    assert record["ChangedMl"] == pytest.approx(84 * abs(np.linalg.det(AFFINE)) / 1000, abs=1e-3)
    write_image(tmp_path / "mask.nii.gz", np.ones(automatic.shape), AFFINE, np.uint8)
    told = {"Model": "m", "Regions": list(REGIONS), "Sources": ["p"], "VoxelsChanged": {"x": 1}}
    told["Parameters"] = {"fuse": {"method": "mean"}}
    keep_edited(
        tmp_path / "dseg.nii.gz",
        edited,
        automatic,
        told,
        sources=[NAME],
        space="ref",
        resampling="none",
        review={"Decision": "edit", **record},
    )
    written = read_json(tmp_path / "dseg.json")
    assert (written["Model"], written["Sources"], written["Review"]["Decision"]) == ("m", [NAME], "edit")
    assert written["Parameters"] == {"fuse": {"method": "mean"}, "resampling": "none"}
    assert "VoxelsChanged" not in written
