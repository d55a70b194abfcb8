"""The Dice of QUBIQ against counts of raters, which need no thresholds, and by hand at the thresholds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import dice as dissimilarity

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.qubiq import (
    CHALLENGE_THRESHOLDS,
    PAPER_THRESHOLDS,
    dice_at_thresholds,
    qubiq_dice,
)

SHAPE = (3, 4, 2)
FEW = settings(max_examples=60, deadline=None)
SOFT = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32))
RATERS = st.integers(1, 10).flatmap(
    lambda n: st.tuples(st.just(n), *[arrays(np.int64, SHAPE, elements=st.integers(0, n))] * 2)
)


def overlap(first, second):
    return 1 - dissimilarity(first.ravel(), second.ravel()) if (first | second).any() else 1.0


@FEW
@given(RATERS)
def test_a_threshold_of_k_tenths_asks_for_so_many_raters(drawn):
    """c of n raters are at least k / 10 where 10 c >= k n, in whole numbers."""
    raters, reference, predicted = drawn
    soft = [(counts / raters).astype(np.float32) for counts in (reference, predicted)]
    expected = [overlap(10 * reference >= k * raters, 10 * predicted >= k * raters) for k in range(1, 10)]
    assert dice_at_thresholds(*soft, CHALLENGE_THRESHOLDS) == pytest.approx(expected)
    assert qubiq_dice(*soft) == pytest.approx(np.mean(expected))
    assert qubiq_dice(*soft, PAPER_THRESHOLDS) == pytest.approx(np.mean([1.0, *expected]))


def test_three_raters_by_hand():
    """At least one rater at 0.1 to 0.3, two at 0.4 to 0.6, three at 0.7 to 0.9."""
    reference, predicted = np.array([3, 2, 1, 0]) / 3, np.array([3, 1, 0, 0]) / 3
    levels = dice_at_thresholds(reference, predicted)
    assert levels == pytest.approx([0.8] * 3 + [2 / 3] * 3 + [1.0] * 3)
    assert qubiq_dice(reference, predicted) == pytest.approx((0.8 + 2 / 3 + 1) / 3)


def test_an_empty_prediction_has_a_tenth_with_the_thresholds_of_the_paper():
    reference = np.ones(SHAPE)
    assert qubiq_dice(reference, np.zeros(SHAPE), PAPER_THRESHOLDS) == pytest.approx(0.1)
    assert qubiq_dice(reference, np.zeros(SHAPE), CHALLENGE_THRESHOLDS) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", CHALLENGE_THRESHOLDS)
def test_a_value_at_the_threshold_is_inside_in_any_precision(threshold, dtype):
    at, below = (np.full(SHAPE, value, dtype=dtype) for value in (threshold, threshold - 0.001))
    full = np.ones(SHAPE)
    assert dice_at_thresholds(full, at, [threshold]) == (1,)
    assert dice_at_thresholds(full, at.astype(np.float32).astype(float), [threshold]) == (1,)
    assert dice_at_thresholds(full, below, [threshold]) == (0,)


@FEW
@given(SOFT, SOFT)
def test_it_is_symmetric_within_0_and_1_and_1_for_the_same(first, second):
    assert qubiq_dice(first, second) == qubiq_dice(second, first)
    assert 0 <= qubiq_dice(first, second) <= 1
    assert qubiq_dice(first, first) == 1


@pytest.mark.parametrize("value", [-0.1, 1.1, 100, np.nan])
def test_values_outside_0_to_1_are_refused(value):
    good, bad = np.ones(SHAPE), np.full(SHAPE, value)
    with pytest.raises(ImageError, match="soft prediction: holds values outside 0 to 1"):
        qubiq_dice(good, bad)
    with pytest.raises(ImageError, match="soft reference: holds values outside 0 to 1"):
        qubiq_dice(bad, good)


@pytest.mark.parametrize("thresholds", [(), (0.5, 1.5), (-0.1,)])
def test_thresholds_that_are_not_possible_are_refused(thresholds):
    with pytest.raises(ConfigError, match="one or more numbers from 0 to 1"):
        qubiq_dice(np.ones(SHAPE), np.ones(SHAPE), thresholds)


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ImageError, match="one grid"):
        qubiq_dice(np.ones((2, 2)), np.ones((2, 3)))
