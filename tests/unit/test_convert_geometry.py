"""Slices that make one volume, and those that do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.convert.geometry import check_stack, stack_of
from gliaflow.errors import ConversionError

AXIAL = (1, 0, 0, 0, 1, 0)


def stack(heights, orientation=AXIAL):
    positions = np.array([(5.0, -3.0, height) for height in heights])
    return stack_of(positions, np.tile(np.array(orientation, dtype=float), (len(positions), 1)))


@given(
    st.integers(3, 40),
    st.floats(0.5, 8),
    st.sampled_from([1, -1]),
    st.randoms(use_true_random=False),
)
def test_evenly_spaced_slices_pass_in_any_order(n, step, direction, random):
    heights = [direction * step * index for index in range(n)]
    random.shuffle(heights)
    result = stack(heights)
    assert result.n_slices == n
    np.testing.assert_allclose(result.steps_mm, step, rtol=1e-6)
    check_stack(result, "series", 0.1)


@given(st.integers(6, 30), st.floats(0.5, 6), st.data())
def test_any_missing_inner_slice_is_found(n, step, data):
    gone = data.draw(st.integers(1, n - 2))
    heights = [step * index for index in range(n) if index != gone]
    with pytest.raises(ConversionError, match="about 1 of its slices are missing"):
        check_stack(stack(heights), "series", 0.1)


def test_oblique_slices_are_measured_along_their_normal():
    tilt = np.deg2rad(20)
    orientation = (1, 0, 0, 0, np.cos(tilt), np.sin(tilt))
    normal = np.array([0, -np.sin(tilt), np.cos(tilt)])
    positions = np.outer(np.arange(10) * 2.5, normal)
    result = stack_of(positions, np.tile(orientation, (10, 1)))
    np.testing.assert_allclose(result.steps_mm, 2.5)


@pytest.mark.parametrize(("shift", "passes"), [(0.0, True), (0.05, True), (0.5, False)])
def test_slices_that_are_stacked_aslant_are_no_volume(shift, passes):
    positions = np.array([(5.0, shift * index, 3.0 * index) for index in range(12)])
    result = stack_of(positions, np.tile(np.array(AXIAL, dtype=float), (12, 1)))
    assert result.aside_mm == pytest.approx(11 * shift)
    if passes:
        check_stack(result, "series", 0.1)
    else:
        with pytest.raises(ConversionError, match=r"stacked aslant, the farthest 5\.5 mm aside"):
            check_stack(result, "series", 0.1)


@pytest.mark.parametrize(
    ("heights", "reason"),
    [
        ([0, 1, 2, 3, 4, 8, 9, 10], "about 3 of its slices are missing"),
        ([0, 1, 2, 3, 3.7, 5, 6], "lie 0.70 to 1.30 mm apart"),
        ([0, 1, 2, 3] * 4, "4 images at each of its 4 slice positions"),
        ([0, 1, 2, 2, 3, 4], "1 of its 5 slice positions hold several"),
        ([0, 0, 0], "1 slice positions"),
        ([], "0 slice positions"),
    ],
)
def test_what_is_no_volume(heights, reason):
    with pytest.raises(ConversionError, match=reason):
        check_stack(stack(heights), "series", 0.1)


def test_tolerance_is_that_of_the_setting():
    uneven = stack([0, 1, 2, 3.2, 4, 5])
    check_stack(uneven, "series", 0.25)
    with pytest.raises(ConversionError, match="max_slice_gap"):
        check_stack(uneven, "series", 0.1)


def test_three_planes_are_a_localiser():
    orientations = np.array([AXIAL, (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1)], dtype=float)
    positions = np.array([(0, 0, 0), (0, 0, 10), (0, 0, 20)], dtype=float)
    with pytest.raises(ConversionError, match="several orientations"):
        check_stack(stack_of(positions, orientations), "series", 0.1)
