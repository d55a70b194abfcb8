"""The growth grid, and images, masks and label maps on it.

Golden values: volumes and distances of balls against the formulas of a ball, means against a line;
labels against nearest-neighbour interpolation by SimpleITK, which has the steps that are to be avoided.
"""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.space import carry_image, carry_labels, carry_mask, growth_grid
from gliaflow.growth.warp import Warp
from gliaflow.images import data_of, new_image, spacing_of, to_sitk

CENTRE = np.array([5.0, -8.0, 12.0])
RADII = {2: 26.0, 3: 18.0, 1: 11.0}


def thick_slices(shape=(72, 72, 14), spacing=(1.0, 1.0, 5.5)):
    """Make the affine of a scan of thick slices, oblique, that shows a ball round `CENTRE`."""
    affine = np.eye(4)
    affine[:3, :3] = nib.eulerangles.euler2mat(0.08, -0.06, 0.1) @ np.diag(spacing)
    affine[:3, 3] = CENTRE - affine[:3, :3] @ (np.array(shape) - 1) / 2
    return affine, shape


def world(affine, shape):
    return nib.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))


def from_centre(image):
    return np.linalg.norm(world(image.affine, image.shape) - CENTRE, axis=-1)


@pytest.fixture(scope="module")
def scan():
    """A ball of oedema with an enhancing rim round necrosis."""
    affine, shape = thick_slices()
    distance = np.linalg.norm(world(affine, shape) - CENTRE, axis=-1)
    labels = np.zeros(shape, dtype=np.uint8)
    for value, radius in RADII.items():
        labels[distance < radius] = value
    return new_image(labels, affine, np.uint8)


@pytest.fixture(scope="module")
def grid(scan):
    return growth_grid(new_image(data_of(scan) > 0, scan.affine), 1.0)


def ball_ml(radius):
    return 4 / 3 * np.pi * radius**3 / 1000


@pytest.mark.parametrize("resolution", [1.0, 2.0])
def test_the_grid_has_cubes_along_the_world_and_holds_the_brain_with_a_margin(scan, resolution):
    brain = new_image(data_of(scan) > 0, scan.affine)
    grid = growth_grid(brain, resolution, margin_mm=5.0)
    assert spacing_of(grid) == (resolution,) * 3
    assert nib.aff2axcodes(grid.affine) == ("R", "A", "S")
    points = nib.affines.apply_affine(scan.affine, np.argwhere(data_of(brain) > 0))
    voxels = nib.affines.apply_affine(np.linalg.inv(grid.affine), points)
    assert (voxels.min(axis=0) > 5 / resolution - 0.5).all()
    assert (voxels.max(axis=0) < np.array(grid.shape) - 0.5 - 5 / resolution + 1).all()
    assert (np.array(grid.shape) * resolution < 2 * RADII[2] + 2 * 5.0 + 16).all()


def test_the_brain_keeps_its_volume_and_has_no_steps_between_thick_slices(grid):
    inside = data_of(grid) > 0
    assert inside.sum() / 1000 == pytest.approx(ball_ml(RADII[2]), rel=0.04)
    distance = from_centre(grid)
    assert distance[inside].max() < RADII[2] + 2
    assert distance[~inside].min() > RADII[2] - 3


def test_a_mask_of_the_same_axes_and_resolution_is_only_cropped():
    mask = np.random.default_rng(1).random((20, 22, 18)) > 0.5
    affine = nib.affines.from_matvec(np.eye(3), (0.3, -7.7, 12.1))
    grid = growth_grid(new_image(mask, affine), 1.0, margin_mm=0.0)
    shift = np.rint(grid.affine[:3, 3] - affine[:3, 3]).astype(int)
    np.testing.assert_allclose(grid.affine[:3, 3], affine[:3, 3] + shift, atol=1e-6)
    back = np.zeros(mask.shape, dtype=bool)
    back[tuple(slice(s, s + n) for s, n in zip(shift, grid.shape, strict=True))] = data_of(grid) > 0
    np.testing.assert_array_equal(back, mask)


def test_a_straight_line_stays_one_and_fine_voxels_are_averaged():
    shape = (40, 40, 40)
    ramp = np.indices(shape)[0] * 3.0
    noise = np.random.default_rng(2).standard_normal(shape)
    grid = new_image(np.zeros((10, 10, 10)), nib.affines.from_matvec(2 * np.eye(3), (10, 10, 10)))
    carried = data_of(carry_image(new_image(ramp, np.eye(4)), grid))
    np.testing.assert_allclose(carried[:, 3, 4], 30 + 6 * np.arange(10), atol=1e-4)
    assert data_of(carry_image(new_image(noise, np.eye(4)), grid)).std() < 0.5
    same = new_image(np.zeros((10, 10, 10)), nib.affines.from_matvec(np.eye(3), (10, 10, 10)))
    np.testing.assert_allclose(
        data_of(carry_image(new_image(noise, np.eye(4)), same)), noise[10:20, 10:20, 10:20], atol=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint8, (6, 5, 7), elements=st.sampled_from([0, 1, 2, 3, 4])))
def test_on_the_same_voxels_labels_and_masks_stay(values):
    image = new_image(values, np.diag([1.0, 2, 3, 1]), np.uint8)
    np.testing.assert_array_equal(np.asarray(carry_labels(image, image).dataobj), values)
    np.testing.assert_array_equal(np.asarray(carry_mask(image, image).dataobj), values > 0)


def test_labels_keep_their_volumes_between_thick_slices_without_steps(scan, grid):
    labels = np.asarray(carry_labels(scan, grid).dataobj)
    for value, inner in ((2, RADII[3]), (3, RADII[1]), (1, 0.0)):
        expected = ball_ml(RADII[value]) - ball_ml(inner)
        assert (labels == value).sum() / 1000 == pytest.approx(expected, rel=0.1)
    distance = from_centre(grid)
    nearest = sitk.Resample(to_sitk(scan, np.uint8), to_sitk(grid, np.uint8), sitk.Transform(), 1)
    blocky = sitk.GetArrayFromImage(nearest).T

    def off(found):
        """Mean distance to the border of the ball, of the voxels on the wrong side of it."""
        wrong = (found > 0) != (distance < RADII[2])
        return np.abs(distance[wrong] - RADII[2]).sum()

    assert off(labels) < off(blocky) / 2


def test_a_thin_rim_is_not_torn_between_two_slices():
    affine, shape = thick_slices()
    distance = np.linalg.norm(world(affine, shape) - CENTRE, axis=-1)
    labels = np.where(distance < 20, 3, 0) - np.where(distance < 18, 2, 0)
    scan = new_image(labels, affine, np.uint8)
    grid = growth_grid(new_image(labels > 0, affine), 1.0)
    carried = np.asarray(carry_labels(scan, grid).dataobj)
    core = carried == 1
    touching = sum(
        (np.roll(core, step, axis) & (carried == 0)).sum() for axis in range(3) for step in (-1, 1)
    )
    assert touching < 0.01 * core.sum()


def test_labels_lie_in_the_brain_only(scan, grid):
    brain = world(grid.affine, grid.shape)[..., 0] < CENTRE[0]
    free, held = (np.asarray(carry_labels(scan, grid, within=w).dataobj) for w in (None, brain))
    np.testing.assert_array_equal(held, np.where(brain, free, 0))
    assert free[~brain].any()


def test_a_warp_moves_labels_and_images_alike(scan):
    shift = np.eye(4)
    shift[:3, 3] = 4, -2, 6
    grid = growth_grid(new_image(data_of(scan) > 0, scan.affine), 2.0, margin_mm=14.0)
    still, moved = (carry_labels(scan, grid, warp) for warp in (Warp(), Warp(shift)))
    as_image = carry_image(new_image(data_of(scan) > 0, scan.affine), grid, Warp(shift))
    # the matrix maps points of the grid to those of the scan, so that the ball moves the other way
    middle = [
        world(grid.affine, grid.shape)[data_of(image) > level].mean(axis=0)
        for image, level in ((still, 0), (moved, 0), (as_image, 0.5))
    ]
    np.testing.assert_allclose(middle[1] - middle[0], (-4, 2, -6), atol=0.2)
    np.testing.assert_allclose(middle[2], middle[1], atol=0.5)


def test_a_flipped_scan_gives_the_same_grid_and_labels(scan, grid):
    flipped = nib.Nifti1Image(
        np.asarray(scan.dataobj)[::-1, :, ::-1],
        scan.affine
        @ nib.affines.from_matvec(np.diag([-1, 1, -1]), (scan.shape[0] - 1, 0, scan.shape[2] - 1)),
    )
    other = growth_grid(new_image(data_of(flipped) > 0, flipped.affine), 1.0)
    np.testing.assert_allclose(other.affine, grid.affine, atol=1e-5)
    np.testing.assert_array_equal(data_of(carry_labels(flipped, grid)), data_of(carry_labels(scan, grid)))


def test_an_absent_tumour_is_absent(grid):
    none = new_image(np.zeros((8, 8, 8)), np.eye(4), np.uint8)
    assert not data_of(carry_labels(none, grid)).any()


def test_what_cannot_be_is_refused(scan):
    with pytest.raises(ImageError, match=r"^the brain mask is empty"):
        growth_grid(new_image(np.zeros((8, 8, 8)), np.eye(4)))
    for wrong in ({"resolution_mm": 0.1}, {"resolution_mm": float("nan")}, {"margin_mm": -1.0}):
        with pytest.raises(ConfigError, match=rf"^{next(iter(wrong))}: .*: is not possible; write "):
            growth_grid(scan, **wrong)
    with pytest.raises(ImageError, match=r"^label values \[5\] are not in the label table"):
        carry_labels(new_image(np.full((4, 4, 4), 5), np.eye(4), np.uint8), scan)
