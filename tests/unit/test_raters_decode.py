"""Encoding and decoding undo each other, and are what the paper's formulas say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliaflow.errors import ConfigError
from gliaflow.labels import REGIONS
from gliaflow.nnunet.regions import agreement_labels, region_map, to_levels, to_regions
from gliaflow.raters.agreement import agreement_map, agreement_share
from gliaflow.raters.decode import agreement_level, at_least, exactly, expected_agreement

SHAPE = (2, 3, 2)
LEVELS = st.integers(1, 6).flatmap(
    lambda raters: st.tuples(st.just(raters), arrays(np.uint8, SHAPE, elements=st.integers(0, raters)))
)
LOGITS = arrays(np.float32, (4, *SHAPE), elements=st.floats(-20, 20, width=32))


def one_hot(levels, raters):
    return np.stack([levels == level for level in range(raters + 1)]).astype(np.float32)


def softmax(logits):
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    return exponentials / exponentials.sum(axis=0)


@settings(max_examples=40, deadline=None)
@given(LEVELS)
def test_a_certain_agreement_comes_back_by_both_decoders(case):
    raters, levels = case
    found = at_least(one_hot(levels, raters))
    np.testing.assert_array_equal(agreement_level(found), levels)
    np.testing.assert_allclose(expected_agreement(found), agreement_share(levels, raters), atol=1e-6)
    np.testing.assert_array_equal(exactly(found), one_hot(levels, raters))
    for level in range(1, raters + 1):
        np.testing.assert_array_equal(found[level - 1], levels >= level)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 5).flatmap(lambda n: arrays(bool, (n, *SHAPE), elements=st.booleans())))
def test_from_masks_to_classes_and_back(masks):
    levels = agreement_map(masks)
    found = at_least(one_hot(levels, len(masks)))
    np.testing.assert_array_equal(agreement_level(found), masks.sum(axis=0))
    np.testing.assert_allclose(expected_agreement(found), masks.mean(axis=0), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(LOGITS)
def test_the_decoders_are_the_papers_formulas(logits):
    probabilities = softmax(logits)
    levels = to_levels(logits)
    expected = sum(k * share for k, share in enumerate(probabilities)) / 3
    np.testing.assert_allclose(expected_agreement(levels), expected, atol=1e-6)
    np.testing.assert_allclose(exactly(levels), probabilities, atol=1e-6)
    assert (np.diff(levels, axis=0) <= 0).all()
    assert levels.min() >= 0
    assert levels.max() <= 1
    first, second = np.sort(probabilities, axis=0)[::-1][:2]
    clear = first - second > 1e-4
    np.testing.assert_array_equal(agreement_level(levels)[clear], logits.argmax(axis=0)[clear])


def test_golden():
    """Of three raters with p = 0.4, 0, 0.35, 0.25: nobody is the most probable, but 1.45 are expected."""
    levels = at_least(np.array([0.4, 0, 0.35, 0.25]))
    assert levels.tolist() == pytest.approx([0.6, 0.6, 0.25])
    assert agreement_level(levels) == 0
    assert expected_agreement(levels) == pytest.approx(1.45 / 3)


def test_of_equally_probable_numbers_the_smallest_is_taken():
    assert agreement_level(at_least(np.array([0.25, 0.25, 0.25, 0.25]))) == 0
    assert agreement_level(at_least(np.array([0.0, 0.5, 0.5]))) == 1


def test_levels_that_rounding_put_out_of_order_have_no_negative_shares():
    shares = exactly(np.array([0.5, 0.502, 0.25], np.float32))
    assert shares.tolist() == pytest.approx([0.5, 0, 0.252, 0.25])


def dataset(raters=3, region="WT"):
    return agreement_labels(region, raters)


@pytest.mark.parametrize("region", REGIONS)
def test_a_network_that_counts_raters_gives_the_expected_share_as_the_regions_probability(region):
    heads = region_map(dataset(region=region), [region], "gliaflow")
    assert (heads.activation, heads.heads) == ("agreement", ((1, 2, 3),))
    logits = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float16)
    found = to_regions(logits, heads)
    assert (found.shape, found.dtype) == ((1, *SHAPE), np.float32)
    shares = np.tensordot([0, 1 / 3, 2 / 3, 1], softmax(logits), axes=1)
    np.testing.assert_allclose(found[0], shares, atol=1e-5)


def test_what_the_labels_count_is_no_label_of_a_tumour():
    """Numbers of raters look like necrotic core, oedema and enhancing tumour."""
    plain = {"labels": dataset()["labels"]}
    assert region_map(plain, ["ET"], "gliaflow").heads == ((3,),)
    with pytest.raises(
        ConfigError, match=r"wrong regions: ET .* counts the raters who mark WT; write regions: \[WT\]"
    ):
        region_map(dataset(), ["ET"], "gliaflow")
    with pytest.raises(ConfigError, match="wrong regions: WT, ET is asked"):
        region_map(dataset(), ["WT", "ET"], "gliaflow")


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": {"background": 0, "1": 1, "2": 2}},
        {"labels": {"background": 0, "1": 1, "2": 2, "3": 4}},
        {"labels": None},
        {"agreement": {"region": "WT"}},
        {"agreement": {"region": "WT", "raters": 0}, "labels": {"background": 0}},
        {"agreement": {"region": "WT", "raters": "3"}},
        {"agreement": "WT"},
    ],
)
def test_labels_that_do_not_count_the_raters_are_refused(wrong):
    with pytest.raises(
        ConfigError, match=r"does not count the raters of agreement: .*; export the model again"
    ):
        region_map({**dataset(), **wrong}, ["WT"], "gliaflow")
