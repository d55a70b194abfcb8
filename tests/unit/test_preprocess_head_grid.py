"""Heads on coarse cubic voxels: the same place in the world, nothing lost at the edges, no ringing."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.images import data_of, new_image, same_grid, spacing_of
from gliaflow.preprocess.head_grid import mask_to_head_grid, to_head_grid


def image(data, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return new_image(data, affine)


def edges(scan):
    """The corners of the field of view, mm: the outer faces of the outermost voxels."""
    index = np.array(list(itertools.product(*((-0.5, n - 0.5) for n in scan.shape))))
    points = nib.affines.apply_affine(scan.affine, index)
    return points.min(axis=0), points.max(axis=0)


def ramp(shape, spacing, origin=(0.0, 0.0, 0.0)):
    """A head whose values are the place along x, y and z, mm."""
    scan = image(np.zeros(shape), spacing, origin)
    points = nib.affines.apply_affine(scan.affine, np.indices(shape).transpose(1, 2, 3, 0))
    return new_image(points.sum(axis=-1), scan.affine)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.integers(5, 30)] * 3),
    st.tuples(*[st.floats(0.5, 6)] * 3),
    st.sampled_from([1.5, 2.0, 3.0]),
)
def test_the_grid_spans_the_field_of_view_and_no_more_than_it_has_to(shape, spacing, target):
    scan = image(np.random.default_rng(0).random(shape), spacing, (-80.0, 20.0, 5.0))
    head = to_head_grid(scan, target)
    assert spacing_of(head) == pytest.approx((target,) * 3)
    (low, high), (head_low, head_high) = edges(scan), edges(head)
    assert (head_low <= low + 0.01 * target).all()
    assert (head_high >= high - 0.01 * target).all()
    assert (head_high - head_low < high - low + target + 1e-3).all()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 0.5, 6.0), (4.0, 1.0, 2.0)])
def test_what_grows_evenly_still_does(spacing):
    """Smoothing and linear interpolation leave a ramp as it is, but for the clipped ends and the edges."""
    scan = ramp((60, 60, 24), spacing, (-20.0, 3.0, 40.0))
    head = to_head_grid(scan, 2.0)
    expected = data_of(ramp_like(head))
    found = data_of(head)
    low, high = np.percentile(data_of(scan), [5, 95])
    inner = np.zeros(head.shape, bool)
    inner[4:-4, 4:-4, 4:-4] = True
    inner &= (expected > low) & (expected < high)
    assert inner.any()
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.1)


def ramp_like(head):
    points = nib.affines.apply_affine(head.affine, np.indices(head.shape).transpose(1, 2, 3, 0))
    return new_image(points.sum(axis=-1), head.affine)


def test_the_axes_come_to_point_right_anterior_superior():
    scan = ramp((20, 24, 28), (1.5, 1.5, 1.5))
    turned = scan.as_reoriented(nib.orientations.axcodes2ornt("LPI"))
    turned = turned.as_reoriented(np.array([[1, 1], [0, 1], [2, 1]]))
    first, second = to_head_grid(scan, 2.0), to_head_grid(turned, 2.0)
    assert nib.aff2axcodes(second.affine) == ("R", "A", "S")
    assert same_grid(first, second)
    np.testing.assert_allclose(data_of(first), data_of(second), atol=1e-3)


def test_detail_finer_than_the_voxels_is_averaged_and_not_picked_up():
    stripes = np.zeros((64, 20, 20))
    stripes[::2] = 100
    inner = data_of(to_head_grid(image(stripes, (0.5, 1, 1)), 2.0))[2:-2]
    assert abs(inner - 50).max() < 5


def test_the_brightest_and_darkest_voxels_are_cut():
    data = np.random.default_rng(0).normal(100, 10, (40, 40, 40))
    data[20, 20, 20] = 1e6
    head = to_head_grid(image(data, (2, 2, 2)), 2.0)
    assert head.get_data_dtype() == np.float32
    assert data_of(head).max() < 150
    assert (data_of(head) == data_of(head).max()).mean() == pytest.approx(0.002, abs=0.001)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.6, 0.6, 5.0)])
def test_a_mask_keeps_its_volume_and_its_place(spacing):
    shape = tuple(int(120 / size) for size in spacing)
    scan = image(np.ones(shape), spacing)
    points = nib.affines.apply_affine(scan.affine, np.indices(shape).transpose(1, 2, 3, 0))
    ball = new_image(np.linalg.norm(points - 58, axis=-1) < 35, scan.affine, np.uint8)
    head = to_head_grid(new_image(points[..., 0], scan.affine), 2.0)
    mask = mask_to_head_grid(ball, head)
    assert same_grid(mask, head)
    assert mask.get_data_dtype() == np.uint8
    assert set(np.unique(data_of(mask))) == {0, 1}
    volume = 4 / 3 * np.pi * 35**3
    assert data_of(mask).sum() * 8 == pytest.approx(volume, rel=0.02)
    centre = nib.affines.apply_affine(head.affine, np.argwhere(data_of(mask)).mean(axis=0))
    np.testing.assert_allclose(centre, [58, 58, 58], atol=0.3)


def test_a_mask_of_a_smaller_field_of_view_is_0_beyond_it():
    head = to_head_grid(ramp((40, 40, 40), (2, 2, 2)), 2.0)
    mask = data_of(mask_to_head_grid(image(np.ones((40, 40, 10)), (2, 2, 2)), head))
    assert mask[:, :, :10].all()
    assert not mask[:, :, 10:].any()
