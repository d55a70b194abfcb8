"""Fused label maps: votes that can be counted by hand, and what holds for every method."""

import itertools
import json
from collections import Counter

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.overlap import dice
from gliaflow.fuse.fusion import METHODS, fuse
from gliaflow.images import new_image
from gliaflow.labels import REGIONS, encode, region_mask

LABELS = (1, 2, 3)
EVERY = [
    (method, by) for method in METHODS for by in ("label", "region") if (method, by) != ("source", "label")
]
every_method = pytest.mark.parametrize(("method", "by"), EVERY)
SHAPE = (3, 4, 2)
FEW = settings(max_examples=8, deadline=None)
RATINGS = st.integers(2, 6).flatmap(
    lambda raters: arrays(np.uint8, (raters, *SHAPE), elements=st.sampled_from([0, 0, 1, 2, 3]))
)


def images(maps):
    """Label maps as images; lists are voxels in a row."""
    named = maps if isinstance(maps, dict) else dict(zip("abcdef", maps, strict=False))
    volumes = {name: np.asarray(votes, dtype=np.uint8) for name, votes in named.items()}
    return {
        name: new_image(votes if votes.ndim == 3 else votes.reshape(-1, 1, 1), np.eye(4), np.uint8)
        for name, votes in volumes.items()
    }


def needs(method, names):
    """What a method needs, other for each rater."""
    names = sorted(names)
    by_rater = {name: 0.9 - 0.1 * k for k, name in enumerate(names)}
    return {
        "weighted": {"weights": by_rater},
        "score_weighted": {"scores": by_rater},
        "source": {"source": {region: names[k % len(names)] for k, region in enumerate(REGIONS)}},
    }.get(method, {})


def run(method, by, maps):
    segmentations = images(maps)
    return fuse(segmentations, method, LABELS, by=by, allow_empty=True, **needs(method, segmentations))


def row(maps, method="majority", labels=LABELS, **options):
    return fuse(images(maps), method, labels, **options).labels.ravel().tolist()


@pytest.mark.parametrize(
    ("votes", "label", "region"),
    [
        ((2, 2, 0), 2, 2),
        ((0, 0, 2), 0, 0),
        ((3, 3, 0), 3, 3),
        ((1, 2, 3), 1, 1),  # a tie of three; all are inside WT, two inside TC, one inside ET
        ((2, 3, 3), 3, 3),
        ((0, 1, 2), 1, 2),  # a tie of three; two inside WT, one inside TC
        ((0, 0, 1), 0, 0),
        ((2, 2, 0, 0), 2, 2),
        ((1, 2, 0, 0), 0, 2),  # the background is most frequent, yet half are inside WT
        ((3, 3, 2, 2), 2, 3),
        ((1, 1, 3, 0), 1, 1),
    ],
)
def test_majority_golden(votes, label, region):
    maps = [[vote, 2] for vote in votes]
    assert row(maps) == [label, 2]
    assert row(maps, by="region") == [region, 2]


def test_of_equal_labels_the_first_of_the_list_wins_and_the_background_never():
    maps = [[1, 0, 3, 2, 2], [2, 3, 3, 0, 2], [3, 2, 0, 2, 2], [0, 0, 0, 0, 2]]
    for order in itertools.permutations(LABELS):
        assert row(maps, labels=order) == [order[0], 0, 3, 2, 2]
    assert fuse(images(maps), "majority", LABELS).ties == 3


def test_half_of_the_votes_for_a_region_are_inside():
    result = fuse(images([[2, 2, 1, 3, 0], [2, 0, 0, 0, 0]]), "majority", LABELS, by="region")
    assert result.labels.ravel().tolist() == [2, 2, 1, 3, 0]
    assert result.ties == 3
    assert result.regions == REGIONS
    assert result.probability.dtype == np.float32
    expected = [[1, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0.5], [0, 0, 0]]
    np.testing.assert_array_equal(result.probability[:, 0, 0], expected)


@FEW
@given(RATINGS)
def test_majority_is_the_count_of_the_votes(maps):
    by_label, by_region = (run("majority", by, maps) for by in ("label", "region"))
    agree = np.stack([region_mask(maps, region).sum(axis=0) for region in REGIONS], axis=-1)
    np.testing.assert_allclose(by_region.probability * len(maps), agree, rtol=1e-6)
    halves = {region: 2 * agree[..., k] >= len(maps) for k, region in enumerate(REGIONS)}
    np.testing.assert_array_equal(by_region.labels, encode(halves))
    assert by_region.ties == (2 * agree == len(maps)).any(axis=-1).sum()
    ties = 0
    for place in np.ndindex(SHAPE):
        counts = Counter(maps[(slice(None), *place)].tolist())
        best = [label for label in (1, 2, 3, 0) if counts[label] == max(counts.values())]
        assert by_label.labels[place] == best[0]
        ties += len(best) > 1
    assert by_label.ties == ties
    assert by_label.probability is None


@FEW
@given(RATINGS, st.data())
def test_a_rater_of_weight_2_counts_as_two_raters(maps, data):
    weights = data.draw(st.lists(st.integers(1, 3), min_size=len(maps), max_size=len(maps)))
    names = [f"r{k}" for k in range(len(maps))]
    copies = {f"r{k}x{n}": maps[k] for k, weight in enumerate(weights) for n in range(weight)}
    for by in ("label", "region"):
        segmentations = images(dict(zip(names, maps, strict=True)))
        result = fuse(
            segmentations,
            "weighted",
            LABELS,
            by=by,
            allow_empty=True,
            weights=dict(zip(names, weights, strict=True)),
        )
        plain = run("majority", by, copies)
        np.testing.assert_array_equal(result.labels, plain.labels)
        assert result.ties == plain.ties


@pytest.mark.parametrize(("method", "option"), [("weighted", "weights"), ("score_weighted", "scores")])
def test_weights_by_region_golden(method, option):
    """For WT a rater outweighs the two others, for TC two of three do, for ET another one alone has a say."""
    maps = [[2, 3, 0, 3], [0, 1, 2, 1], [0, 2, 2, 3]]
    weights = {
        "a": {"WT": 0.9, "TC": 0.2},
        "b": {"WT": 0.4, "TC": 0.3},
        "c": {"WT": 0.4, "TC": 0.2, "ET": 0.1},
    }
    result = fuse(images(maps), method, LABELS, by="region", **{option: weights})
    assert result.labels.ravel().tolist() == [2, 1, 0, 3]
    expected = [[0.9 / 1.7, 0, 0], [1, 5 / 7, 0], [0.8 / 1.7, 0, 0], [1, 1, 1]]
    np.testing.assert_allclose(result.probability[:, 0, 0], expected, rtol=1e-6)
    assert result.performance["a"]["WT"]["weight"] == 0.9
    assert result.performance["b"]["ET"]["weight"] == 0


@pytest.mark.parametrize("key", [int, str])
def test_weights_by_label_compare_raters_and_not_labels(key):
    """Shares: 1 has 0.9 of 1.1 against 2 of 3; then the background 0.7 of 1.3 against 0.2 of 1.1."""
    weights = {"a": {1: 0.9, 2: 0.5}, "b": {1: 0.1, 2: 0.5}, "c": {1: 0.1, 2: 0.5}}
    chosen = {rater: {key(label): weight for label, weight in by.items()} for rater, by in weights.items()}
    maps = [[1, 0, 2, 2], [2, 1, 1, 2], [2, 1, 0, 0]]
    assert row(maps, "weighted", (1, 2), weights=chosen) == [1, 0, 2, 2]


def test_the_background_counts_by_the_mean_of_a_raters_weights():
    """Label 1 has 1 of 2, the background 1 of 1.6."""
    weights = {"a": {1: 1, 2: 0.2}, "b": 0.5, "c": 0.5}
    assert row([[1, 1], [0, 1], [0, 2]], "weighted", (1, 2), weights=weights) == [0, 1]


def test_weights_that_add_up_to_the_same_are_a_tie_whatever_is_rounded():
    """0.1 + 0.2 is not 0.3 in floating point."""
    for inside in ([2, 2, 0], [0, 0, 2]):
        result = fuse(
            images([[vote, 2] for vote in inside]),
            "weighted",
            LABELS,
            by="region",
            weights={"a": 0.1, "b": 0.2, "c": 0.3},
        )
        assert result.labels.ravel().tolist() == [2, 2]
        assert result.ties == 1
        assert result.probability[0, 0, 0, 0] == 0.5


def test_only_the_ratio_of_the_scores_counts():
    maps = [[2, 0, 3, 1], [2, 2, 3, 3], [0, 2, 1, 0]]
    results = [
        fuse(
            images(maps),
            "score_weighted",
            LABELS,
            by="region",
            scores={"a": 0.9 * k, "b": 0.3 * k, "c": 0.6 * k},
        )
        for k in (1, 0.1)
    ]
    np.testing.assert_allclose(results[0].probability, results[1].probability, rtol=1e-6)
    np.testing.assert_array_equal(results[0].labels, results[1].labels)
    np.testing.assert_allclose(results[0].probability[:, 0, 0, 0], [12 / 18, 0.5, 1, 12 / 18], rtol=1e-6)


def test_names_without_a_label_map_are_of_no_effect_on_weights():
    assert row([[2, 0], [0, 3]], "weighted", by="region", weights={"a": 2, "b": 1, "z": 9}) == [2, 0]


def test_each_region_comes_from_its_source():
    maps = [[2, 2, 2, 0, 0], [1, 0, 3, 1, 2], [3, 3, 0, 3, 3]]
    result = fuse(images(maps), "source", LABELS, by="region", source={"WT": "a", "TC": "b", "ET": "c"})
    assert result.labels.ravel().tolist() == [3, 3, 1, 0, 0]
    expected = [[1, 1, 1], [1, 0, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    np.testing.assert_array_equal(result.probability[:, 0, 0], expected)
    assert result.ties == 0


@pytest.mark.parametrize(
    ("labels", "regions", "maps", "expected"),
    [
        ((2,), ("WT",), [[2, 2, 0], [2, 0, 0], [0, 2, 0]], [2, 2, 0]),
        ((1, 2), ("WT", "TC"), [[2, 1, 0], [2, 1, 2], [0, 2, 0]], [2, 1, 0]),
        ((3, 2), ("WT", "ET"), [[2, 3, 0], [2, 3, 2], [0, 2, 0]], [2, 3, 0]),
        ((3, 1), ("WT", "TC", "ET"), [[1, 3, 0], [1, 3, 1], [0, 1, 0]], [1, 3, 0]),
    ],
)
def test_a_region_whose_label_is_not_among_the_labels_is_not_determined(labels, regions, maps, expected):
    result = fuse(images(maps), "majority", labels, by="region")
    assert result.regions == regions == tuple(result.performance["a"])
    assert result.probability.shape == (3, 1, 1, len(regions))
    assert result.labels.ravel().tolist() == expected


def test_a_resection_cavity_is_fused_as_a_label():
    assert row([[4, 4, 0], [4, 2, 4], [0, 2, 4]], labels=(1, 2, 3, 4)) == [4, 2, 4]


@every_method
@FEW
@given(arrays(np.uint8, SHAPE, elements=st.integers(0, 3)), st.integers(2, 6))
def test_raters_who_agree_are_believed(method, by, labels, count):
    result = run(method, by, [labels] * count)
    np.testing.assert_array_equal(result.labels, labels)
    assert (result.ties, result.dropped) == (0, {})
    assert {
        found["dice"] for parts in result.performance.values() for found in parts.values() if "dice" in found
    } == {1}


@pytest.mark.parametrize("by", ["label", "region"])
@pytest.mark.parametrize("method", ["majority", "weighted", "score_weighted", "source"])
def test_a_single_rater_is_returned(method, by):
    if (method, by) in EVERY:
        result = run(method, by, [[0, 1, 2, 3]])
        assert result.labels.ravel().tolist() == [0, 1, 2, 3]


@every_method
@FEW
@given(RATINGS, st.randoms(use_true_random=False))
def test_the_order_of_the_raters_is_of_no_effect(method, by, maps, shuffler):
    named = dict(zip("abcdef", maps, strict=False))
    shuffled = list(named)
    shuffler.shuffle(shuffled)
    first, second = (run(method, by, {name: named[name] for name in order}) for order in (named, shuffled))
    np.testing.assert_array_equal(first.labels, second.labels)
    for fact in ("performance", "dropped", "ties", "rounds"):
        assert getattr(first, fact) == getattr(second, fact)
    assert list(second.performance) == sorted(named)


@pytest.mark.parametrize("by", ["label", "region"])
@pytest.mark.parametrize("method", ["majority", "staple", "simple"])
@FEW
@given(maps=RATINGS, shuffler=st.randoms(use_true_random=False))
def test_the_names_of_the_raters_are_of_no_effect(method, by, maps, shuffler):
    names = list("uvwxyz"[: len(maps)])
    shuffler.shuffle(names)
    first, second = run(method, by, maps), run(method, by, dict(zip(names, maps, strict=True)))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.ties == second.ties
    for old, new in zip("abcdef", names, strict=False):
        assert first.dropped.get(old) == second.dropped.get(new)


@every_method
@FEW
@given(RATINGS, st.sampled_from([(0,), (1,), (0, 2), (0, 1, 2)]))
def test_flipped_maps_give_the_flipped_result_in_any_surroundings(method, by, maps, axes):
    result = run(method, by, maps)
    around = np.pad(maps, [(0, 0), (3, 0), (0, 5), (2, 2)])
    flipped = run(method, by, [np.flip(votes, axes) for votes in around])
    inside = np.flip(flipped.labels, axes)
    np.testing.assert_array_equal(inside[3:, :4, 2:4], result.labels)
    assert np.count_nonzero(inside) == np.count_nonzero(result.labels)
    assert (flipped.performance, flipped.ties) == (result.performance, result.ties)
    if by == "region":
        np.testing.assert_array_equal(np.flip(flipped.probability, axes)[3:, :4, 2:4], result.probability)


@every_method
@FEW
@given(RATINGS)
def test_any_result_keeps_to_what_was_marked_and_can_be_recorded(method, by, maps):
    result = run(method, by, maps)
    assert result.labels.dtype == np.uint8
    assert not result.labels[~maps.any(axis=0)].any()
    recorded = [result.performance, result.dropped, result.ties, result.rounds]
    assert json.loads(json.dumps(recorded)) == recorded
    for name, votes in zip("abcdef", maps, strict=False):
        for part in result.regions or ("1", "2", "3"):
            found = (votes, result.labels)
            masks = [region_mask(m, part) if part in REGIONS else m == int(part) for m in found]
            assert result.performance[name][part]["dice"] == round(dice(*masks), 6)
    if by == "region":
        halves = {region: result.probability[..., k] >= 0.5 for k, region in enumerate(REGIONS)}
        np.testing.assert_array_equal(result.labels, encode(halves))
        assert 0 <= result.probability.min() <= result.probability.max() <= 1


@every_method
def test_nothing_found_by_anybody_is_nothing(method, by):
    result = run(method, by, np.zeros((3, *SHAPE), dtype=np.uint8))
    assert not result.labels.any()
    assert {found["dice"] for parts in result.performance.values() for found in parts.values()} == {1}


@every_method
def test_a_map_may_be_stored_in_other_ways(method, by):
    maps = np.random.default_rng(0).integers(0, 4, (4, *SHAPE))
    segmentations = images(maps)
    needed = needs(method, segmentations)
    expected = fuse(segmentations, method, LABELS, by=by, **needed)
    stored = [maps[0].astype(np.float32) * np.float32(0.996), maps[1].astype(np.int16), maps[2].astype(float)]
    stored[2] = stored[2][..., np.newaxis]
    others = {name: nib.Nifti1Image(votes, np.eye(4)) for name, votes in zip("abc", stored, strict=True)}
    result = fuse({**segmentations, **others}, method, LABELS, by=by, **needed)
    np.testing.assert_array_equal(result.labels, expected.labels)


THREE = [[1, 2, 0, 3], [1, 2, 2, 3], [0, 2, 2, 3]]


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("majorty", {}, "method: 'majorty': is not possible; write majority"),
        (
            "best",
            {},
            "method: 'best': is not possible; write majority, weighted, staple, simple, score_weighted",
        ),
        ("majority", {"by": "voxel"}, "by: 'voxel': is not possible; write label or region"),
        ("majority", {"weights": {}}, "weights: is no option of majority; leave it out"),
        ("staple", {"margins": 2}, "margins: is no option of staple; write margin"),
        ("simple", {"x": 2}, "x: is no option of simple; write alpha, gap, keep or max_rounds"),
        ("weighted", {}, "weights: is needed by weighted; give weights"),
        (
            "source",
            {"sauce": 1},
            "2 mistakes:\nsauce: is no option of source; write source\nsource: is needed",
        ),
        ("staple", {"margin": 0}, "margin: 0: is not possible; write a whole number of 1 or more"),
        ("staple", {"margin": 1.5}, "margin: 1.5: is not possible; write a whole number"),
        ("staple", {"max_rounds": 0}, "max_rounds: 0: is not possible; write a whole number of 1 or more"),
        ("simple", {"alpha": "1"}, "alpha: '1': is not possible; write a number of 0 or more"),
        ("simple", {"alpha": float("nan")}, "alpha: NaN: is not possible"),
        ("simple", {"gap": 2}, "gap: 2: is not possible; write a number from 0 to 1"),
        ("simple", {"keep": True}, "keep: true: is not possible; write a whole number of 1 or more"),
        ("weighted", {"weights": 3}, "weights: 3: is not possible; write a mapping with a, b and c"),
        (
            "weighted",
            {"weights": {"a": 1, "b": 1}},
            "weights: 'c': is missing; write a number of 0 or more, or one for each of 1, 2 and 3",
        ),
        (
            "weighted",
            {"weights": {"a": -1, "b": {"WT": 1}, "c": {1: "x"}}},
            "3 mistakes:\nweights: 'a': -1: is not possible; write a number of 0 or more, or one for each of",
        ),
        (
            "weighted",
            {"weights": {name: {1: 1, 3: 1} for name in "abc"}},
            "weights: all are 0 for 2; raise one",
        ),
        (
            "score_weighted",
            {"scores": {"a": 1.5, "b": 1, "c": 0}, "by": "region"},
            "scores: 'a': 1.5: is not possible; write a number from 0 to 1, or one for each of WT, TC and ET",
        ),
        ("source", {"source": {"WT": "a"}}, "method: 'source': takes regions from raters; write by: region"),
        (
            "source",
            {"source": {"WT": "a"}, "by": "region"},
            'source: {"WT": "a"}: is not possible; write for each of WT, TC and ET one of a, b or c',
        ),
        (
            "source",
            {"source": {"WT": "a", "TC": "b", "ET": "d"}, "by": "region"},
            'source: {"WT": "a", "TC": "b", "ET": "d"}: is not possible; write for each of',
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(method, options, message):
    with pytest.raises(ConfigError) as caught:
        fuse(images(THREE), method, LABELS, **options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("labels", "by", "message"),
    [
        ((), "label", "labels: []: is not possible by label; write some of 1, 2, 3 and 4, each once"),
        ((0, 1), "label", "labels: [0, 1]: is not possible by label"),
        ((1, 2, 7), "label", "labels: [1, 2, 7]: is not possible by label"),
        ((1, 2, 2), "label", "labels: [1, 2, 2]: is not possible by label"),
        ((1, 4), "region", "labels: [1, 4]: is not possible by region; write some of 1, 2 and 3, each once"),
    ],
)
def test_wrong_labels_are_named(labels, by, message):
    with pytest.raises(ConfigError) as caught:
        fuse(images(THREE), "majority", labels, by=by)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("method", ["staple", "simple"])
def test_methods_that_compare_raters_need_two(method):
    with pytest.raises(
        ConfigError, match=rf"method: '{method}': needs two raters or more, but .* only 'a'; add"
    ):
        fuse(images(THREE[:1]), method, LABELS)


@every_method
def test_a_rater_who_found_nothing_is_named_unless_that_is_allowed(method, by):
    maps = [[0, 0, 0, 0], *THREE, [0, 0, 0, 0]]
    segmentations = images(maps)
    needed = needs(method, segmentations)
    with pytest.raises(
        ImageError, match="nothing is labelled by 'a' and 'e'; leave out whoever failed, or set all"
    ):
        fuse(segmentations, method, LABELS, by=by, **needed)
    assert fuse(segmentations, method, LABELS, by=by, allow_empty=True, **needed).labels.shape == (4, 1, 1)


def test_a_rater_who_found_nothing_votes_for_the_background():
    maps = [[0, 0, 0, 0], [0, 0, 0, 0], *THREE]
    assert row(maps, allow_empty=True) == [0, 2, 0, 3]
    assert row(maps, allow_empty=True, by="region") == [0, 2, 0, 3]


def test_label_maps_that_cannot_be_fused_are_named():
    good = images(THREE)
    moved = np.eye(4)
    moved[0, 3] = 0.5
    other = {"d": new_image(np.ones((4, 1, 2)), np.eye(4)), "e": new_image(np.ones((4, 1, 1)), moved)}
    cases = [
        ({}, "there is no label map to fuse; give those of two raters or more"),
        ({**good, **other}, "the label maps of 'd' and 'e' are not on the grid of 'a'; resample them to it"),
        (
            {**good, "d": new_image(np.ones((4, 1, 1, 2)), np.eye(4))},
            "'d': not one volume; give one label map",
        ),
        (
            images([*THREE, [4, 9, 1, 1]]),
            "'d': holds 4 and 9, but the labels to fuse are 1, 2 and 3; convert it",
        ),
        ({**good, "d": new_image(np.full((4, 1, 1), 1.5), np.eye(4))}, "'d': holds 1.5, which is no label"),
        (
            {**good, "d": new_image(np.full((4, 1, 1), np.nan), np.eye(4))},
            "'d': holds values that are no numb",
        ),
        (
            {**good, "d": new_image(np.full((4, 1, 1), 259), np.eye(4), np.int16)},
            "'d': holds 259, but the labels",
        ),
    ]
    for segmentations, message in cases:
        with pytest.raises(ImageError) as caught:
            fuse(segmentations, "majority", LABELS)
        assert str(caught.value).startswith(message)
