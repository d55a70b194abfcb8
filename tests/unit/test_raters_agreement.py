"""Agreement maps: counted by hand, whatever the raters' order, and weighed by their common estimate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliaflow.errors import ImageError
from gliaflow.raters.agreement import agreement_map, agreement_share
from gliaflow.raters.weights import rater_weights

SHAPE = (2, 3, 2)
MASKS = st.integers(2, 6).flatmap(lambda raters: arrays(bool, (raters, *SHAPE), elements=st.booleans()))
WEIGHT = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 1.0])


def row(*masks):
    """Masks of raters along one axis of voxels."""
    return np.array(masks, dtype=bool)[:, :, np.newaxis, np.newaxis]


def block(low, high, size=12):
    mask = np.zeros((size,) * 3, dtype=bool)
    mask[low:high, low:high, low:high] = True
    return mask


def test_the_raters_of_a_voxel_are_counted():
    levels = agreement_map(row([1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0]))
    assert levels.dtype == np.uint8
    assert levels.ravel().tolist() == [1, 2, 3, 0]
    np.testing.assert_allclose(agreement_share(levels, 3).ravel(), [1 / 3, 2 / 3, 1, 0], rtol=1e-6)


def test_a_rater_who_marks_nothing_counts_like_the_others():
    assert agreement_map(row([1, 0], [1, 0], [0, 0])).ravel().tolist() == [2, 0]


@settings(max_examples=25, deadline=None)
@given(MASKS)
def test_the_share_of_the_raters_is_the_mean_of_their_masks(masks):
    levels = agreement_map(masks)
    np.testing.assert_allclose(agreement_share(levels, len(masks)), masks.mean(axis=0), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(MASKS, st.data())
def test_neither_the_order_of_the_raters_nor_the_unit_of_the_weights_matters(masks, data):
    raters = len(masks)
    order = data.draw(st.permutations(range(raters)))
    weights = data.draw(st.lists(WEIGHT, min_size=raters, max_size=raters).filter(any))
    np.testing.assert_array_equal(agreement_map(masks[order]), agreement_map(masks))
    weighed = agreement_map(masks, weights)
    np.testing.assert_array_equal(agreement_map(masks[order], [weights[k] for k in order]), weighed)
    np.testing.assert_array_equal(agreement_map(masks, [3 * weight for weight in weights]), weighed)
    np.testing.assert_array_equal(agreement_map(masks, [0.3] * raters), agreement_map(masks))
    assert (weighed[masks.all(axis=0)] == raters).all()
    assert (weighed[~masks.any(axis=0)] == 0).all()


def test_weighted_votes_are_rounded_to_whole_raters():
    """Of three raters: 3 x 0.5 = 1.5 is 2, 3 x 0.3 = 0.9 is 1, 3 x 0.2 = 0.6 is 1; 0.7 and 0.8 make 2."""
    masks = row([1, 0, 0, 0, 1], [0, 1, 0, 1, 1], [0, 0, 1, 1, 0])
    assert agreement_map(masks, [0.5, 0.3, 0.2]).ravel().tolist() == [2, 1, 1, 2, 2]


def test_a_rater_without_weight_is_not_heard():
    assert agreement_map(row([1, 0], [1, 0], [0, 1]), [1, 1, 0]).ravel().tolist() == [3, 0]


@pytest.mark.parametrize("weights", [[1, 1], [1, 1, -1], [0, 0, 0], [1, 1, np.nan], [1, 1, np.inf]])
def test_impossible_weights_are_told(weights):
    with pytest.raises(ImageError, match=r"are not 3 numbers of 0 or more .* train\.rater_weights to none"):
        agreement_map(row([1], [1], [0]), weights)


@pytest.mark.parametrize("raters", [0, 1, 101])
def test_too_few_or_too_many_raters_are_told(raters):
    with pytest.raises(ImageError, match=f"^{raters} raters; give the label maps of 2 to 100"):
        agreement_map(np.zeros((raters, *SHAPE), dtype=bool))


def overlap(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def test_by_simple_a_rater_weighs_as_much_as_it_overlaps_with_the_majority():
    """The majority is the middle block; of three raters none is left out."""
    masks = np.stack([block(3, 9), block(3, 9), block(4, 10)])
    expected = [1, 1, overlap(block(4, 10), block(3, 9))]
    assert rater_weights(masks, "simple") == pytest.approx(expected, abs=1e-5)


def test_simple_leaves_out_who_is_far_from_the_others():
    masks = np.stack([block(3, 9), block(3, 9), block(3, 9), block(4, 9), block(0, 3)])
    weights = rater_weights(masks, "simple")
    assert weights[4] == 0
    assert agreement_map(masks, weights)[1, 1, 1] == 0
    assert agreement_map(masks)[1, 1, 1] == 1


@pytest.mark.parametrize("method", ["staple", "simple"])
def test_a_rater_who_differs_weighs_less_and_alike_raters_weigh_the_same(method):
    masks = np.stack([block(3, 9), block(5, 9), block(3, 9), block(3, 9)])
    first, differing, *others = rater_weights(masks, method)
    assert 0 <= differing < first <= 1
    assert others == [first, first]


@pytest.mark.parametrize("method", ["staple", "simple"])
def test_an_empty_rater_weighs_nothing(method):
    weights = rater_weights(np.stack([block(3, 9), block(3, 9), block(0, 0), block(3, 9)]), method)
    assert weights == (1, 1, 0, 1)


@pytest.mark.parametrize("masks", [row([0, 0], [0, 0]), row([1, 0, 0], [0, 1, 0], [0, 0, 1])])
@pytest.mark.parametrize("method", ["none", "staple", "simple"])
def test_raters_without_a_common_estimate_count_alike(masks, method):
    np.testing.assert_array_equal(agreement_map(masks, rater_weights(masks, method)), agreement_map(masks))
