"""Images and masks are carried once, keep their volume, and are 0 where nothing is known."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.images import data_of, new_image, same_grid, spacing_of
from gliaflow.preprocess.register import translation
from gliaflow.preprocess.resample import INTERPOLATORS, apply_mask, resample, resample_mask


def grid_of(spacing, extent=100.0, angles=(0, 0, 0)):
    shape = [max(round(extent / s), 2) for s in spacing]
    affine = np.eye(4)
    affine[:3, :3] = nib.eulerangles.euler2mat(*angles) @ np.diag(spacing)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return new_image(np.zeros(shape), affine)


def points_of(image):
    return nib.affines.apply_affine(image.affine, np.moveaxis(np.indices(image.shape), 0, -1))


def ball(spacing, radius=35.0, centre=(0, 0, 0)):
    grid = grid_of(spacing)
    return new_image(np.linalg.norm(points_of(grid) - centre, axis=-1) <= radius, grid.affine, np.uint8)


def ramp(grid, offset=200.0):
    """Make an image whose value is a linear function of the place: linear interpolation is exact."""
    return new_image(points_of(grid) @ [1.0, -0.5, 0.25] + offset, grid.affine)


def volume(mask):
    return data_of(mask).sum() * np.prod(spacing_of(mask))


def dice(first, second):
    return 2 * (first * second).sum() / (first.sum() + second.sum())


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.floats(-0.5, 0.5)] * 3), st.tuples(*[st.floats(-5, 5)] * 3))
def test_a_linear_ramp_has_its_value_at_every_place(angles, shift):
    source, target = grid_of((2, 2.5, 4)), grid_of((5, 4, 6), extent=40, angles=angles)
    moved = resample(ramp(source), target, translation(np.array(shift)))
    expected = ramp(target, 200 + np.array(shift) @ [1.0, -0.5, 0.25])
    assert same_grid(moved, target)
    assert moved.get_data_dtype() == np.float32
    np.testing.assert_allclose(data_of(moved), data_of(expected), atol=1e-3)


@pytest.mark.parametrize("interpolation", INTERPOLATORS)
def test_on_its_own_grid_nothing_changes(interpolation):
    image = new_image(np.random.default_rng(0).random((12, 13, 14)), grid_of((3, 3, 3)).affine)
    np.testing.assert_allclose(
        data_of(resample(image, image, np.eye(4), interpolation=interpolation)), data_of(image), atol=1e-5
    )


@pytest.mark.parametrize("interpolation", INTERPOLATORS)
def test_outside_the_field_of_view_is_0(interpolation):
    source, target = grid_of((4, 4, 4), extent=40), grid_of((4, 4, 4), extent=80)
    moved = data_of(resample(ramp(source, 500), target, np.eye(4), interpolation=interpolation))
    beyond = (np.abs(points_of(target)) > 20).any(axis=-1)
    assert beyond.any()
    assert (moved[beyond] == 0).all()
    assert (moved[~beyond] > 400).all()


@pytest.mark.parametrize("interpolation", INTERPOLATORS)
def test_no_value_falls_below_the_darkest(interpolation):
    image = new_image(np.where(data_of(ball((5, 5, 5), 20)), 1000, 3), grid_of((5, 5, 5)).affine)
    moved = data_of(resample(image, grid_of((3, 3, 3)), np.eye(4), interpolation=interpolation))
    assert moved.min() >= 0


def test_values_below_0_are_kept():
    image = new_image(data_of(ramp(grid_of((4, 4, 4)), 0)), grid_of((4, 4, 4)).affine)
    moved = resample(image, grid_of((4, 4, 4)), np.eye(4), interpolation="bspline")
    np.testing.assert_allclose(data_of(moved), data_of(image), atol=1e-3)


def test_interpolating_once_by_the_composed_map_is_sharper_than_twice():
    fine, far = grid_of((1.5, 1.5, 1.5), 60), grid_of((1.5, 1.5, 1.5), 66)
    image = new_image(np.sin(points_of(fine) @ [0.9, 0.5, 0.3]), fine.affine)
    there, back = translation(np.array([0.75, 0.75, 0.75])), translation(np.array([-0.75, -0.75, -0.75]))
    twice = data_of(resample(resample(image, far, there), fine, back))
    once = data_of(resample(image, fine, there @ back))
    inner = (slice(4, -4),) * 3
    np.testing.assert_allclose(once[inner], data_of(image)[inner], atol=1e-5)
    assert twice[inner].std() < 0.9 * once[inner].std()


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((1, 1, 5), (1, 1, 1)),
        ((0.9, 0.9, 6), (1, 1, 1)),
        ((6, 0.9, 0.9), (1, 1, 1)),
        ((2, 2, 2), (1, 1, 1)),
        ((1, 1, 1), (1, 1, 5)),
        ((1, 1, 1), (2, 2, 2)),
    ],
)
def test_a_mask_keeps_its_volume_and_place_through_thick_slices(source, target):
    moved = resample_mask(ball(source), grid_of(target), np.eye(4))
    assert moved.get_data_dtype() == np.uint8
    assert volume(moved) == pytest.approx(volume(ball(source)), rel=0.02)
    assert dice(data_of(moved), data_of(ball(target))) > 0.97


@settings(max_examples=10, deadline=None)
@given(st.tuples(*[st.floats(-1, 1)] * 3), st.tuples(*[st.floats(-8, 8)] * 3))
def test_a_mask_keeps_its_volume_under_any_motion(angles, shift):
    matrix = translation(np.array(shift))
    matrix[:3, :3] = nib.eulerangles.euler2mat(*angles)
    mask = ball((2, 2, 3), 25)
    assert volume(resample_mask(mask, grid_of((2, 2, 2)), matrix)) == pytest.approx(volume(mask), rel=0.02)


def test_a_mask_on_its_own_grid_is_the_same():
    rough = new_image(np.random.default_rng(0).random((15, 16, 17)) > 0.6, np.diag([1.0, 2, 3, 1]), np.uint8)
    np.testing.assert_array_equal(data_of(resample_mask(rough, rough, np.eye(4))), data_of(rough))


def test_empty_and_full_masks_stay_so():
    grid = grid_of((5, 5, 5), 60)
    empty, full = (new_image(np.full(grid.shape, value), grid.affine, np.uint8) for value in (0, 1))
    finer = grid_of((3, 3, 3), 54)
    assert not data_of(resample_mask(empty, finer, np.eye(4))).any()
    assert data_of(resample_mask(full, finer, np.eye(4))).all()
    larger = resample_mask(full, grid_of((5, 5, 5), 100), np.eye(4))
    assert volume(larger) == pytest.approx(volume(full))


def test_a_mask_sets_all_else_to_0():
    image, mask = ramp(grid_of((5, 5, 5))), ball((5, 5, 5), 20)
    masked = data_of(apply_mask(image, mask))
    inside = data_of(mask) > 0
    np.testing.assert_array_equal(masked[inside], data_of(image)[inside])
    assert (masked[~inside] == 0).all()
