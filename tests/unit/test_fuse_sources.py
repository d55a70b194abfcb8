"""What is fused into a session: members of one model, or the means of several models and label maps."""

from collections.abc import Iterator

import numpy as np
import pytest

from gliaflow.errors import ImageError
from gliaflow.fuse.mean import mean_probability
from gliaflow.fuse.sources import FuseSettings, Source, combine, same_voters, sources_record, temperatures
from gliaflow.images import Array, new_image
from gliaflow.labels import REGIONS
from gliaflow.segment.segmenters import dequantise, quantise

SHAPE = (4, 5, 6)
MASK = new_image(np.ones(SHAPE), np.eye(4), np.uint8)


def source(name: str, *members: Array, regions: tuple[str, ...] = REGIONS, **facts: object) -> Source:
    def quantised() -> Iterator[Array]:
        return iter([quantise(member) for member in members])

    return Source(name, regions, quantised, facts)


def flat(*values: float) -> Array:
    """A map with one probability for each region everywhere."""
    return np.broadcast_to(np.array(values, dtype=np.float32), (*SHAPE, len(values)))


def seen(values: float) -> float:
    """A probability as it is after it was stored."""
    return float(dequantise(quantise(np.array([values])))[0])


def test_the_members_of_a_single_source_are_fused_as_they_are():
    rng = np.random.default_rng(0)
    members = [rng.random((*SHAPE, 3)).astype(np.float32) for _ in range(3)]
    stored = [dequantise(quantise(member)) for member in members]
    for method in ("mean", "logit_mean"):
        found = combine([source("a", *members)], REGIONS, FuseSettings(method), MASK)
        np.testing.assert_array_equal(found.probability, mean_probability(stored, method))
        assert found.record == {}


def test_each_of_several_sources_counts_once_whatever_its_members():
    many, one = source("many", *[flat(0.9, 0.9, 0.9)] * 7), source("one", flat(0.1, 0.1, 0.1))
    found = combine([many, one], REGIONS, FuseSettings(), MASK).probability
    np.testing.assert_allclose(found, (seen(0.9) + seen(0.1)) / 2, rtol=1e-6)


def test_a_region_is_fused_by_those_that_determine_it():
    whole, all_three = source("whole", flat(0.2), regions=("WT",)), source("all", flat(0.8, 0.6, 0.4))
    assert same_voters([whole, all_three], REGIONS) == [("WT",), ("TC", "ET")]
    found = combine([whole, all_three], REGIONS, FuseSettings(), MASK).probability[0, 0, 0]
    np.testing.assert_allclose(found, [(seen(0.2) + seen(0.8)) / 2, seen(0.6), seen(0.4)], rtol=1e-6)
    with pytest.raises(ImageError, match="nothing determines the region TC"):
        combine([whole], REGIONS, FuseSettings(), MASK)


def test_weights_by_source_and_region():
    pair = [source("a", flat(1.0, 1.0, 1.0)), source("b", flat(0.0, 0.0, 0.0))]
    settings = FuseSettings("weighted_mean", weights={"a": 3, "b": {"WT": 1, "TC": 3}})
    found = combine(pair, REGIONS, settings, MASK).probability[0, 0, 0]
    np.testing.assert_allclose(found, [0.75, 0.5, 1.0], atol=0.003)
    with pytest.raises(ImageError, match=r"fuse.weights: nothing of a or b, which determine ET, counts"):
        combine(
            pair, REGIONS, FuseSettings("weighted_mean", weights={"a": {"WT": 1, "TC": 1}, "b": {}}), MASK
        )


def test_each_region_from_the_source_that_is_named():
    pair = [source("a", flat(0.9, 0.8, 0.7)), source("b", flat(0.1, 0.2, 0.3))]
    settings = FuseSettings("source", source={"WT": "a", "TC": "b", "ET": "b"})
    found = combine(pair, REGIONS, settings, MASK).probability[0, 0, 0]
    np.testing.assert_allclose(found, [seen(0.9), seen(0.2), seen(0.3)], rtol=1e-6)


@pytest.mark.parametrize("method", ["majority", "staple", "simple"])
def test_a_vote_among_label_maps(method):
    """Two agree on a cube, the third marks another one elsewhere."""
    cube, other = np.zeros((2, *SHAPE, 3), dtype=np.float32)
    cube[:2, :2, :2], other[3, 3:, 3:] = 1, 1
    raters = [source("a", cube), source("b", cube), source("c", other)]
    found = combine(raters, REGIONS, FuseSettings(method), MASK)
    np.testing.assert_array_equal(found.probability >= 0.5, cube > 0)
    performance = found.record["Votes"]["WT/TC/ET"]["Performance"]
    assert performance["a"]["WT"]["dice"] == 1
    assert performance["c"]["WT"]["dice"] == 0


def test_members_vote_where_there_is_one_source():
    votes = [flat(0.9, 0.9, 0.9), flat(0.8, 0.2, 0.2), flat(0.7, 0.6, 0.1)]
    found = combine([source("a", *votes)], REGIONS, FuseSettings("majority"), MASK).probability
    assert (found[0, 0, 0] >= 0.5).tolist() == [True, True, False]


@pytest.mark.parametrize("method", ["majority", "staple", "simple"])
def test_a_single_voter_is_the_result(method):
    """One member of one source; and a region that one of two sources determines."""
    alone = combine([source("a", flat(0.9, 0.8, 0.2))], REGIONS, FuseSettings(method), MASK)
    assert alone.probability[0, 0, 0].tolist() == [1, 1, 0]
    assert alone.record == {"Votes": {"WT/TC/ET": {"Single": "member 1"}}}
    pair = [source("whole", flat(0.8), regions=("WT",)), source("all", flat(0.7, 0.6, 0.4))]
    assert combine(pair, REGIONS, FuseSettings(method), MASK).probability[0, 0, 0].tolist() == [1, 1, 0]


def test_methods_that_tell_sources_apart_average_the_members_of_one():
    members = [flat(0.9, 0.9, 0.9), flat(0.5, 0.5, 0.5)]
    plain = combine([source("a", *members)], REGIONS, FuseSettings(), MASK)
    named = combine([source("a", *members)], REGIONS, FuseSettings("source", source={"WT": "a"}), MASK)
    np.testing.assert_array_equal(plain.probability, named.probability)


def test_a_voter_may_have_found_nothing():
    something = np.zeros((*SHAPE, 3), dtype=np.float32)
    something[:2] = 1
    raters = [source(name, something) for name in "ab"] + [source("c", 0 * something)]
    found = combine(raters, REGIONS, FuseSettings("majority"), MASK).probability
    np.testing.assert_array_equal(found >= 0.5, something > 0)


def test_what_a_sidecar_says_of_sources():
    one, two = source("a", flat(1, 1, 1), Members=8), source("b", flat(1, 1, 1), Members=1)
    assert sources_record([one]) == {"Members": 8}
    assert sources_record([one, two]) == {"Fused": {"a": {"Members": 8}, "b": {"Members": 1}}}


def test_only_a_single_source_is_scaled_by_what_it_was_fitted_with():
    one, two = source("a", flat(1, 1, 1), Temperature={"WT": 1.5}), source("b", flat(1, 1, 1))
    assert temperatures([one], ["WT", "TC"]) == {"WT": 1.5, "TC": 1.0}
    assert temperatures([one, two], ["WT", "TC"]) == {"WT": 1.0, "TC": 1.0}
