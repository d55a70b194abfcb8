"""Images and masks are carried once, keep their volume, and are 0 where nothing is known."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.errors import ImageError
from gliaflow.images import data_of, new_image, same_grid, spacing_of, write_image
from gliaflow.preprocess.register import translation
from gliaflow.preprocess.resample import (
    INTERPOLATORS,
    apply_mask,
    check_on_grid,
    read_labels,
    resample,
    resample_labels,
    resample_mask,
)


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


def shells(spacing, radii=(36, 26, 16)):
    """Oedema around enhancing tumour around a necrotic core: label 2, then 3, then 1."""
    grid = grid_of(spacing)
    distance = np.linalg.norm(points_of(grid) - (4, -3, 2), axis=-1)
    labels = np.select([distance <= r for r in reversed(radii)], [1, 3, 2], 0)
    return new_image(labels, grid.affine, np.uint8)


def volumes_of(labels):
    return np.array([volume(new_image(data_of(labels) == v, labels.affine, np.uint8)) for v in (1, 2, 3)])


def test_labels_on_their_own_grid_stay_as_they_are():
    values = np.random.default_rng(0).integers(0, 5, (9, 10, 11)).astype(np.uint8)
    labels = new_image(values, np.diag([1.0, 2, 3, 1]), np.uint8)
    same = resample_labels(labels, labels, np.eye(4))
    assert same.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(data_of(same, np.uint8), values)


def test_labels_at_whole_voxels_of_a_moved_grid_move_with_it():
    labels = shells((4, 4, 4))
    moved = data_of(resample_labels(labels, labels, translation(np.array([8.0, 0, -4]))), np.uint8)
    values = data_of(labels, np.uint8)
    np.testing.assert_array_equal(moved[:-2, :, 1:], values[2:, :, :-1])
    assert not moved[-2:].any()
    assert not moved[:, :, 0].any()


@settings(max_examples=8, deadline=None)
@given(st.tuples(*[st.floats(-0.8, 0.8)] * 3), st.sampled_from([(2, 2, 2), (1.5, 2, 3)]))
def test_every_label_keeps_its_volume_and_no_other_appears(angles, spacing):
    """Interpolating the values themselves would put 2 between 1 and 3."""
    labels = shells((2, 2, 2.5))
    matrix = np.eye(4)
    matrix[:3, :3] = nib.eulerangles.euler2mat(*angles)
    moved = resample_labels(labels, grid_of(spacing, 110), matrix)
    np.testing.assert_allclose(volumes_of(moved), volumes_of(labels), rtol=0.04)
    centre = nib.affines.apply_affine(np.linalg.inv(matrix), (4, -3, 2))
    near = np.linalg.norm(points_of(moved) - centre, axis=-1) < 22
    assert set(np.unique(data_of(moved)[near])) == {1, 3}


def test_of_equal_shares_the_lower_value_stands():
    """Halfway between two voxels each of their labels has a share of one half."""
    edge = np.array([0, 3], dtype=np.uint8).reshape(2, 1, 1) * np.ones((1, 4, 4), dtype=np.uint8)
    between = new_image(np.zeros((1, 4, 4)), translation(np.array([0.5, 0, 0])))
    found = resample_labels(new_image(edge, np.eye(4), np.uint8), between, np.eye(4))
    np.testing.assert_array_equal(data_of(found, np.uint8), 0)


def test_a_map_without_labels_stays_empty():
    empty = new_image(np.zeros((6, 6, 6)), np.eye(4), np.uint8)
    assert not data_of(resample_labels(empty, grid_of((1, 1, 1), 8), np.eye(4))).any()


def test_another_order_of_the_axes_is_the_same_grid():
    grid = grid_of((2, 3, 4), 24)
    image = ramp(grid)
    turned = image.as_reoriented(nib.orientations.axcodes2ornt(("P", "S", "L")))
    assert turned.shape != image.shape
    found = check_on_grid(turned, grid, "sheet.tsv, row 2, label")
    np.testing.assert_array_equal(data_of(found), data_of(image))
    assert same_grid(found, grid)


@pytest.mark.parametrize("other", [(2, 2, 2), (1.99, 2, 4)])
def test_what_lies_on_another_grid_is_named_with_what_to_do(other):
    image, grid = ramp(grid_of(other, 24)), grid_of((2, 2, 4), 24)
    with pytest.raises(ImageError, match=r"^row 2, label: has shape .*another grid .*resample it to t1c"):
        check_on_grid(image, grid, "row 2, label")


def test_labels_of_another_convention_and_order_of_axes_are_read_into_the_table_s(tmp_path):
    """In the data of 2021, 4 is enhancing tumour; a value that it does not know is refused."""
    grid = grid_of((2, 3, 4), 24)
    values = np.zeros(grid.shape)
    values[0, 1, 2], values[2, 1, 0] = 4, 2
    path, name = tmp_path / "label.nii.gz", "sheet.tsv, one/01/1, column label"
    turned = new_image(values, grid.affine).as_reoriented(nib.orientations.axcodes2ornt(("P", "S", "L")))
    nib.save(turned, path)
    found = read_labels(path, grid, "brats2021", name)
    assert same_grid(found, grid)
    assert found.get_data_dtype() == np.uint8
    assert np.argwhere(data_of(found) == 3).tolist() == [[0, 1, 2]]
    assert np.argwhere(data_of(found) == 2).tolist() == [[2, 1, 0]]
    write_image(path, np.full(grid.shape, 3.0), grid.affine)
    with pytest.raises(ImageError, match=r"\[3\] are not of the convention 'brats2021'"):
        read_labels(path, grid, "brats2021", name)
    with pytest.raises(ImageError, match="column label: has shape"):
        read_labels(path, grid_of((2, 2, 2), 24), "gliaflow", name)
