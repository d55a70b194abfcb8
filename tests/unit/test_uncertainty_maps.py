"""The streamed maps against float64 over all members at once, and what holds for any members."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy as scipy_entropy

from gliaflow.errors import ConfigError, ImageError
from gliaflow.segment.segmenters import dequantise, quantise
from gliaflow.uncertainty.maps import (
    SOURCES,
    aggregate,
    binary_entropy,
    in_brain,
    on_grid,
    uncertainty_map,
)

SHAPE = (4, 3, 5)
BRAIN = np.random.default_rng(5).random(SHAPE) < 0.7
WHOLE = np.ones(SHAPE, dtype=bool)
MEMBERS = st.lists(arrays(np.uint8, (*SHAPE, 2)), min_size=1, max_size=5)
NAMES = ("mean", "variance", "share_inside", "entropy", "expected_entropy", "mutual_information", "agreement")


def some_members(count=6, regions=3, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (count, *SHAPE, regions), dtype=np.uint8))


def bits(probability):
    """Entropy of yes or no by scipy, from both probabilities."""
    return scipy_entropy(np.stack([probability, 1 - probability]), base=2, axis=0)


def naive(members):
    """All maps at once in float64, on the grid."""
    p = np.stack(members).astype(np.float64)
    p = (p + 0.5) / 256 if members[0].dtype == np.uint8 else p
    share = (p >= 0.5).mean(axis=0)
    return {
        "mean": p.mean(axis=0),
        "variance": p.var(axis=0),
        "share_inside": share,
        "entropy": bits(p.mean(axis=0)),
        "expected_entropy": bits(p).mean(axis=0),
        "mutual_information": bits(p.mean(axis=0)) - bits(p).mean(axis=0),
        "agreement": np.where(share > 0.5, share, 1 - share),
    }


def maps_of(ensemble):
    return {name: on_grid(getattr(ensemble, name), ensemble.brain) for name in NAMES}


@pytest.mark.parametrize("kind", ["quantised", "float32", "memory as in a file"])
def test_the_maps_are_those_of_all_members_at_once(kind):
    members = some_members()
    if kind == "float32":
        members = [np.random.default_rng(k).random((*SHAPE, 3)).astype(np.float32) for k in range(6)]
        members[0][0, 0, 0] = 0, 1, 0.5
    if kind == "memory as in a file":
        members = [np.asfortranarray(member) for member in members]
    found, expected = maps_of(aggregate(iter(members), BRAIN)), naive(members)
    for name in NAMES:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(
            found[name], expected[name] * BRAIN[..., np.newaxis], atol=1e-6, err_msg=name
        )


def test_members_that_are_sure_but_contradict_each_other_differ_in_information_only():
    """Half at 0, half at 1: even odds in the mean, a bit of mutual information, none expected."""
    members = [np.full((*SHAPE, 1), value) for value in (0.0, 1.0, 1.0, 0.0)]
    found = aggregate(members, WHOLE)
    assert (found.mean == 0.5).all()
    assert (found.variance == 0.25).all()
    assert (found.entropy == 1).all()
    assert (found.mutual_information == 1).all()
    assert (found.expected_entropy == 0).all()
    assert (found.agreement == 0.5).all()
    for source in SOURCES:
        assert (uncertainty_map(found, source) == 100).all(), f"{source} has no more to give"


@settings(max_examples=30, deadline=None)
@given(MEMBERS)
def test_the_entropies_keep_their_order_and_stay_in_range(members):
    found = aggregate(members, WHOLE)
    assert (found.mutual_information >= 0).all()
    assert (found.entropy >= found.expected_entropy - 1e-7).all()
    for name, low, high in (("entropy", 0, 1), ("variance", 0, 0.25), ("agreement", 0.5, 1), ("mean", 0, 1)):
        values = getattr(found, name)
        assert values.min() >= low, name
        assert values.max() <= high, name


@settings(max_examples=15, deadline=None)
@given(arrays(np.uint8, (*SHAPE, 2)), st.integers(1, 7))
def test_identical_members_do_not_differ_at_all(member, count):
    found = aggregate([member] * count, WHOLE)
    assert (found.mutual_information == 0).all()
    assert (found.variance == 0).all()
    assert (found.agreement == 1).all()
    np.testing.assert_array_equal(on_grid(found.mean, WHOLE), dequantise(member))


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_the_order_of_the_members_does_not_change_a_bit(data):
    members = some_members(count=7, seed=data.draw(st.integers(0, 99)))
    order = data.draw(st.permutations(range(7)))
    first, second = (maps_of(aggregate(m, BRAIN)) for m in (members, [members[k] for k in order]))
    for name in NAMES:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipped_members_give_flipped_maps(axis):
    members = some_members()
    straight = maps_of(aggregate(members, BRAIN))
    flipped = maps_of(aggregate([np.flip(m, axis) for m in members], np.flip(BRAIN, axis)))
    for name in NAMES:
        np.testing.assert_array_equal(np.flip(flipped[name], axis), straight[name])


def test_the_masks_are_the_members_at_even_odds_and_above():
    members = some_members()
    found = aggregate(members, BRAIN)
    assert found.count == 6
    assert len(found) == 3
    for k in range(3):
        for member, packed in zip(members, found.masks[k], strict=True):
            mask = np.unpackbits(packed, count=int(BRAIN.sum())).astype(bool)
            np.testing.assert_array_equal(on_grid(mask, BRAIN), (dequantise(member[..., k]) >= 0.5) & BRAIN)


def test_what_members_say_outside_the_brain_is_nothing():
    members = [np.where(BRAIN[..., np.newaxis], m, 200).astype(np.uint8) for m in some_members()]
    found, expected = (
        aggregate(members, BRAIN),
        aggregate([m * BRAIN[..., np.newaxis] for m in members], BRAIN),
    )
    for name in NAMES:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for source in SOURCES:
        assert not uncertainty_map(found, source)[~BRAIN].any()
        assert uncertainty_map(found, source)[BRAIN].any()


def test_the_map_from_0_to_100_is_that_of_its_source():
    found = aggregate(some_members(), BRAIN)
    expected = naive(some_members())
    least = bits(np.array(1 / 512))
    by_hand = {
        "entropy": 100 * (expected["entropy"] - least) / (1 - least),
        "variance": 400 * expected["variance"],
        "mutual_information": 100 * expected["mutual_information"],
        "disagreement": 200 * (1 - expected["agreement"]),
    }
    assert set(by_hand) == set(SOURCES)
    for source, values in by_hand.items():
        scaled = uncertainty_map(found, source)
        assert scaled.dtype == np.uint8
        assert scaled.shape == (*SHAPE, 3)
        np.testing.assert_allclose(scaled[BRAIN], values[BRAIN], atol=0.5001, err_msg=source)


@pytest.mark.parametrize("level", [0, 255])
def test_a_quantised_map_at_its_ends_is_certain(level):
    found = aggregate([np.full((*SHAPE, 1), level, dtype=np.uint8)] * 2, WHOLE)
    assert not uncertainty_map(found).any()


def test_one_member_has_an_entropy_and_nothing_else():
    member = quantise(np.full((*SHAPE, 1), 0.5))
    found = aggregate([member], WHOLE)
    assert (uncertainty_map(found) == 100).all()
    for source in set(SOURCES) - {"entropy"}:
        with pytest.raises(ConfigError, match="needs two members or more, but there is one; write entropy"):
            uncertainty_map(found, source)


def test_an_unknown_source_is_refused_with_those_that_there_are():
    with pytest.raises(
        ConfigError, match=r"'spread'.*write entropy, variance, mutual_information or disagreement"
    ):
        uncertainty_map(aggregate(some_members(), BRAIN), "spread")


def test_values_go_to_the_grid_and_back():
    image = np.arange(np.prod(SHAPE)).reshape(SHAPE) + 1
    back = on_grid(in_brain(image, BRAIN), BRAIN)
    np.testing.assert_array_equal(back, image * BRAIN)
    for image_in_other_order in (np.asfortranarray(image), image[::-1][::-1]):
        np.testing.assert_array_equal(in_brain(image_in_other_order, BRAIN), in_brain(image, BRAIN))


def test_the_entropy_is_that_of_scipy():
    values = np.array([0, 1e-9, 0.1, 0.5, 0.9, 1])
    np.testing.assert_allclose(binary_entropy(values), bits(values), atol=1e-12)


@pytest.mark.parametrize(
    ("members", "brain", "message"),
    [
        ([], BRAIN, "no ensemble member"),
        (some_members(), np.zeros(SHAPE, bool), "brain mask is empty"),
        (
            [some_members()[0], some_members(regions=2)[0]],
            BRAIN,
            r"member 2 has shape \(4, 3, 5, 2\), not \(4, 3, 5, 3\)",
        ),
        ([np.zeros((4, 3, 6, 3), np.uint8)], BRAIN, r"member 1 has shape \(4, 3, 6, 3\), not"),
        ([np.zeros(SHAPE, np.uint8)], BRAIN, r"member 1 has shape \(4, 3, 5\), not"),
        ([np.full((*SHAPE, 1), 1.01)], BRAIN, "member 1 holds values that are no probabilities"),
        ([np.full((*SHAPE, 1), np.nan)], BRAIN, "member 1 holds values that are no probabilities"),
        ([np.zeros((*SHAPE, 1), np.int64)], BRAIN, "member 1 holds values that are no probabilities"),
    ],
    ids=["none", "no brain", "other regions", "other grid", "no regions", "above 1", "NaN", "integers"],
)
def test_what_cannot_be_brought_together_is_refused(members, brain, message):
    with pytest.raises(ImageError, match=message):
        aggregate(members, brain)
