"""Every check finds the wrong image it is there for, and lets the right one pass."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.checks import check_affine, check_image, check_inside, check_mask, check_similarity
from gliaflow.errors import ImageError
from gliaflow.images import new_image, read_image
from gliaflow.preprocess.register import mutual_information, translation

SHAPE = (6, 7, 8)
STEPS = np.diag([2.0, 2.0, 3.0, 1.0])


def noise(shape=SHAPE, affine=STEPS):
    return new_image(np.random.default_rng(1).random(shape), affine)


def with_voxel(value):
    data = np.random.default_rng(1).random(SHAPE)
    data[2, 3, 4] = value
    return new_image(data, STEPS)


def sheared(share):
    affine = STEPS.copy()
    affine[0, 1] = share * 2
    return affine


def test_a_right_image_passes():
    check_image(noise(), "a.nii.gz", like=noise())
    check_image(new_image(np.zeros(SHAPE), STEPS), "lesion.nii.gz", constant_ok=True)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (with_voxel(np.nan), "1 voxels are not finite"),
        (with_voxel(np.inf), "1 voxels are not finite"),
        (with_voxel(-np.inf), "1 voxels are not finite"),
        (new_image(np.full(SHAPE, 7), STEPS), "every voxel has the value 7"),
        (noise((6, 7, 8, 2)), "one 3-D volume is needed"),
        (noise((6, 7)), "one 3-D volume is needed"),
        (noise((6, 7, 1)), "a picture, not a volume"),
        (nib.Nifti1Image(np.ones(SHAPE), sheared(0.05)), "not at right angles"),
    ],
)
def test_a_wrong_image_is_named_with_its_reason(image, reason):
    with pytest.raises(ImageError, match=rf"^a\.nii\.gz: .*{reason}"):
        check_image(image, "a.nii.gz")


@pytest.mark.parametrize(
    "affine",
    [translation(np.array([0.1, 0, 0])) @ STEPS, np.diag([-2.0, 2, 3, 1]), np.diag([2.0, 2, 3.1, 1])],
)
def test_another_grid_is_found(affine):
    with pytest.raises(ImageError, match="lies on another grid"):
        check_image(noise(affine=affine), "a.nii.gz", like=noise())
    with pytest.raises(ImageError, match="lies on another grid"):
        check_image(noise((6, 7, 9)), "a.nii.gz", like=noise())


def test_scaled_integers_are_judged_by_their_real_values(tmp_path):
    image = nib.Nifti1Image(np.random.default_rng(0).random(SHAPE) / 2, STEPS)
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "scaled.nii.gz")
    check_image(read_image(tmp_path / "scaled.nii.gz"), "scaled.nii.gz")


@pytest.mark.parametrize(
    ("affine", "reason"),
    [
        (np.diag([0.05, 1, 1, 1]), "0.1 to 20 mm is plausible"),
        (np.diag([1.0, 1, 25, 1]), "0.1 to 20 mm is plausible"),
        (np.diag([1000.0, 1000, 1000, 1]), "0.1 to 20 mm is plausible"),
        (np.diag([1.0, 0, 1, 1]), "0.1 to 20 mm is plausible"),
        (np.diag([1.0, np.nan, 1, 1]), "not finite"),
        (sheared(0.02), "not at right angles"),
        (np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "not at right angles"),
    ],
)
def test_an_affine_no_scanner_makes_is_refused(affine, reason):
    with pytest.raises(ImageError, match=rf"^a: .*{reason}"):
        check_affine(affine, "a")


@given(
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(*[st.floats(0.11, 19)] * 3),
    st.sampled_from([1, -1]),
)
def test_any_straight_affine_passes(angles, spacing, handedness):
    affine = np.eye(4)
    affine[:3, :3] = nib.eulerangles.euler2mat(*angles) @ np.diag(spacing) @ np.diag([handedness, 1, 1])
    check_affine(affine, "a")


def mask_of(share, value=1):
    """Make a mask of 20^3 voxels of 1 ml each, filled from one side."""
    data = np.zeros((20, 20, 20))
    data[: round(20 * share)] = value
    return new_image(data, np.diag([10.0, 10, 10, 1]), np.uint8)


def test_a_right_mask_passes_with_its_volume():
    assert check_mask(mask_of(0.2), "m", like=mask_of(0.2)) == pytest.approx(1600)
    assert check_mask(mask_of(0.05), "m", like=mask_of(0.2), volume_ml=(300, 500)) == pytest.approx(400)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (mask_of(0), "the image is empty"),
        (mask_of(0.05), "400 ml, outside 500 to 2300 ml"),
        (mask_of(0.5), "4000 ml, outside"),
        (mask_of(0.2, 2), "a mask holds 0 and 1 only"),
        (mask_of(0.2, 255), "a mask holds 0 and 1 only"),
    ],
)
def test_a_wrong_mask_is_named_with_its_reason(mask, reason):
    with pytest.raises(ImageError, match=f"^m.nii.gz: .*{reason}"):
        check_mask(mask, "m.nii.gz", like=mask)


def test_a_mask_on_another_grid_is_found():
    mask = mask_of(0.2)
    with pytest.raises(ImageError, match="another grid"):
        check_mask(mask, "m", like=new_image(np.zeros((20, 20, 20)), np.diag([9.9, 10, 10, 1])))


def test_a_brain_that_leaves_the_grid_is_found():
    mask, grid = mask_of(0.2), mask_of(0.2)
    check_inside(mask, grid, np.eye(4), "m")
    # the mask is 4 of 20 voxels deep: a shift by one voxel along it loses a quarter, by -16 nothing
    out, along = translation(np.array([10.0, 0, 0])), translation(np.array([-160.0, 0, 0]))
    check_inside(mask, grid, along, "m")
    with pytest.raises(ImageError, match=r"^m: only 75% of the brain lies inside"):
        check_inside(mask, grid, out, "m")
    check_inside(mask, grid, out, "m", least=0.7)


def test_the_matrix_is_taken_from_grid_points_to_mask_points():
    """A finer and smaller grid holds the mask only where the matrix says that it lies."""
    mask = mask_of(0.2)
    affine = np.diag([1.0, 5, 5, 1])
    affine[:3, 3] = (1000, -5, -5)
    grid = new_image(np.zeros((50, 42, 42)), affine)
    check_inside(mask, grid, translation(np.array([-1005.0, 0, 0])), "m")
    with pytest.raises(ImageError, match="only 0% of the brain"):
        check_inside(mask, grid, translation(np.array([1005.0, 0, 0])), "m")


def blobs(shape=(32, 32, 32)):
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(np.random.default_rng(3).random(shape), 3)
    return new_image(100 * (smooth - smooth.min()) / np.ptp(smooth), np.diag([4.0, 4, 4, 1]))


def test_a_registration_that_moved_away_is_less_alike():
    fixed = blobs()
    aligned = mutual_information(fixed, fixed, np.eye(4))
    away = mutual_information(fixed, fixed, translation(np.array([12.0, 8, 4])))
    check_similarity(away, aligned, "t2f")
    with pytest.raises(ImageError, match=r"^t2f: registration made the images less alike"):
        check_similarity(aligned, away, "t2f")


def test_noise_has_nothing_in_common_with_a_scan():
    fixed = blobs()
    snow = new_image(np.random.default_rng(4).random(fixed.shape) * 100, fixed.affine)
    likeness = mutual_information(fixed, snow, np.eye(4))
    with pytest.raises(ImageError, match=r"^t2f: .*next to nothing in common"):
        check_similarity(likeness * 0.9, likeness, "t2f")


@pytest.mark.parametrize(
    ("before", "after", "passes"),
    [
        (0.5, 0.5, True),
        (0.5, 0.495, True),
        (0.5, 0.485, False),
        (0.0, 0.5, True),
        (0.0, 0.05, False),
        (np.nan, 0.5, False),
        (0.5, np.nan, False),
        (0.5, np.inf, False),
    ],
)
def test_an_aligned_pair_may_lose_two_per_cent(before, after, passes):
    if passes:
        check_similarity(before, after, "a")
    else:
        with pytest.raises(ImageError, match=r"^a: "):
            check_similarity(before, after, "a")
