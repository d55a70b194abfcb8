"""SIMPLE against values counted by hand, another implementation, and raters of known quality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliaflow.evaluate.overlap import dice
from gliaflow.fuse.fusion import fuse
from gliaflow.images import new_image

LABELS = (1, 2, 3)


def images(maps):
    return {name: new_image(votes, np.eye(4), np.uint8) for name, votes in maps.items()}


def ball(radius, shift=0.0, shape=(24, 24, 24)):
    distances = np.moveaxis(np.indices(shape), 0, -1) - 11.5 - np.array([shift, 0, 0])
    return np.linalg.norm(distances, axis=-1) < radius


def line(*voxels, label=2):
    mask = np.zeros((16, 1, 1), dtype=np.uint8)
    mask[list(voxels)] = label
    return mask


def half(votes, total):
    return votes >= total / 2 - 1e-6 * total if total else np.zeros(votes.shape, dtype=bool)


def voxel_by_voxel(masks, alpha, gap, keep, max_rounds):
    """SIMPLE for one region, from its description: the fused mask and the raters' weights."""
    left = dict(enumerate(masks))
    estimate = half(masks.sum(axis=0), len(masks))
    for _ in range(max_rounds):
        weights = {k: dice(mask, estimate) for k, mask in left.items()}
        far = max(alpha * np.std(list(weights.values())), gap)
        near = {k for k, weight in weights.items() if weight >= np.mean(list(weights.values())) - far - 1e-6}
        all_near = len(near) == len(left) or len(near) < keep
        left = left if all_near else {k: left[k] for k in near}
        weights = {k: weights[k] for k in left}
        before, estimate = (
            estimate,
            half(sum(w * masks[k] for k, w in weights.items()), sum(weights.values())),
        )
        if all_near and np.array_equal(before, estimate):
            break
    return estimate, [weights.get(k, 0) for k in range(len(masks))]


def test_one_who_differs_is_left_out_golden():
    """Dice 1, 1, 1, 1 and 2 x 2 / 16: the mean is 0.85, the standard deviation 0.3."""
    good, poor = line(*range(8)), line(0, 1, *range(8, 14))
    result = fuse(images({**dict.fromkeys("abcd", good), "e": poor}), "simple", LABELS, by="region")
    np.testing.assert_array_equal(result.labels, good)
    assert result.dropped == {"e": {"WT": "Dice of 0.250 with the estimate in round 1, below 0.550"}}
    assert result.performance["a"]["WT"] == {"dice": 1, "weight": 1}
    assert result.performance["e"]["WT"] == {"dice": 0.25, "weight": 0}
    assert result.rounds == 2


def test_votes_of_those_who_are_left_count_by_their_agreement_golden():
    """Voxels 0 to 3: two of three, then all; 4: one. Dice 8/8, 8/8 and 2 x 2 / 7."""
    maps = {"a": line(0, 1, 2, 3), "b": line(0, 1, 2, 3), "c": line(0, 1, 4)}
    result = fuse(images(maps), "simple", LABELS, by="region")
    np.testing.assert_array_equal(result.labels, line(0, 1, 2, 3))
    weight = 4 / 7
    assert result.performance["c"]["WT"]["weight"] == round(weight, 6)
    expected = [1, 1, 2 / (2 + weight), 2 / (2 + weight), weight / (2 + weight)]
    np.testing.assert_allclose(result.probability[:5, 0, 0, 0], expected, rtol=1e-6)
    assert result.dropped == {}, "of three raters all are kept"


def test_of_three_the_heavier_two_are_kept_only_if_two_are_enough():
    maps = images({"a": line(0, 1, 2, 3), "b": line(0, 1, 2), "c": line(3, 4, 5, 6, 7, 8)})
    assert fuse(maps, "simple", LABELS, by="region").dropped == {}
    assert set(fuse(maps, "simple", LABELS, by="region", keep=2).dropped) == {"c"}


def test_raters_who_hardly_differ_are_all_kept():
    """Each moves the border by a voxel or two of forty: one is the worst, but none is poor."""
    maps = {name: ball(9, shift) for name, shift in zip("abcde", (-0.4, -0.2, 0, 0.2, 0.8), strict=True)}
    tumours = images({name: 2 * mask for name, mask in maps.items()})
    assert fuse(tumours, "simple", LABELS, by="region").dropped == {}
    assert "e" in fuse(tumours, "simple", LABELS, by="region", gap=0).dropped


def test_alpha_says_how_far_is_too_far():
    """Two of six are poor alike: they lie 1.41 standard deviations below the mean."""
    good, poor = line(*range(8)), line(0, 1, *range(8, 14))
    maps = images({**dict.fromkeys("abcd", good), **dict.fromkeys("ef", poor)})
    assert set(fuse(maps, "simple", LABELS, by="region", alpha=1.3).dropped) == {"e", "f"}
    assert fuse(maps, "simple", LABELS, by="region", alpha=1.5).dropped == {}


def test_a_label_is_judged_apart_from_the_others():
    """One rater is right about oedema and calls another part enhancing."""
    good = line(*range(8)) + line(8, 9, 10, 11, label=3)
    poor = line(*range(8)) + line(12, 13, 14, 15, label=3)
    result = fuse(images({**dict.fromkeys("abcd", good), "e": poor}), "simple", LABELS)
    np.testing.assert_array_equal(result.labels, good)
    assert set(result.dropped["e"]) == {"3"}
    assert {part: found["weight"] for part, found in result.performance["e"].items()} == {
        "1": 1,
        "2": 1,
        "3": 0,
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_region_is_found_better_than_by_majority(seed):
    """Two of five are wrong in the same way, so that one more error decides a majority."""
    random = np.random.default_rng(seed)
    truth = ball(8)
    seen = {name: np.where(random.random(truth.shape) < 0.15, ~truth, truth) & ball(10) for name in "abc"}
    moved = {
        name: np.where(random.random(truth.shape) < 0.05, ~truth, ball(8, 5)) & ball(10, 5) for name in "de"
    }
    maps = images({name: 2 * mask for name, mask in {**seen, **moved}.items()})
    simple, majority = (fuse(maps, method, LABELS, by="region") for method in ("simple", "majority"))
    assert set(simple.dropped) == {"d", "e"}
    assert dice(simple.labels == 2, truth) > dice(majority.labels == 2, truth) + 0.05


@settings(max_examples=15, deadline=None)
@given(
    st.integers(2, 7).flatmap(lambda raters: arrays(bool, (raters, 10, 1, 1))),
    st.sampled_from([0.5, 1.0, 1.2]),
    st.sampled_from([0.0, 0.05, 0.2]),
    st.integers(1, 4),
    st.integers(1, 10),
)
def test_it_does_on_patterns_what_its_description_does_on_voxels(masks, alpha, gap, keep, max_rounds):
    limits = {"alpha": alpha, "gap": gap, "keep": keep, "max_rounds": max_rounds}
    named = {f"r{k}": 2 * mask for k, mask in enumerate(masks)}
    result = fuse(images(named), "simple", LABELS, by="region", allow_empty=True, **limits)
    estimate, weights = voxel_by_voxel(masks, **limits)
    np.testing.assert_array_equal(result.labels == 2, estimate)
    found = [parts["WT"]["weight"] for parts in result.performance.values()]
    np.testing.assert_allclose(found, weights, atol=1e-6)
    assert result.rounds <= max_rounds


def test_where_nobody_agrees_with_anybody_nothing_is_found():
    maps = {f"r{k}": line(3 * k, 3 * k + 1) for k in range(5)}
    result = fuse(images(maps), "simple", LABELS, by="region")
    assert not result.labels.any()
    assert {parts["WT"]["weight"] for parts in result.performance.values()} == {0}
