"""The uncertainty of a session as files hold it: the same as from the members, but for rounding."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from gliaflow.fuse.sources import Source
from gliaflow.images import Array, data_of, new_image
from gliaflow.labels import REGIONS
from gliaflow.segment.segmenters import quantise
from gliaflow.uncertainty.maps import SOURCES, aggregate, on_grid, uncertainty_map
from gliaflow.uncertainty.names import LARGEST
from gliaflow.uncertainty.numbers import labelled_numbers, region_numbers
from gliaflow.uncertainty.session import (
    combined_map,
    entropy_bits,
    measure_uncertainty,
    numbers_record,
    on_other_grid,
    read_numbers,
)

SHAPE = (7, 6, 8)
SPACING = (1.0, 2.0, 1.5)
BRAIN = np.zeros(SHAPE, dtype=bool)
BRAIN[1:, 1:5, 1:7] = True
MASK = new_image(BRAIN, np.diag([*SPACING, 1.0]), np.uint8)


def members(count: int, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [quantise(rng.random((*SHAPE, 3)) ** 2) for _ in range(count)]


def source(name: str, maps: list[Array], regions: tuple[str, ...] = REGIONS) -> Source:
    def quantised() -> Iterator[Array]:
        return iter(maps)

    return Source(name, regions, quantised)


def test_the_maps_hold_what_the_members_say():
    maps = members(5)
    found, ensemble = measure_uncertainty([source("a", maps)], REGIONS, MASK), aggregate(maps, BRAIN)
    assert found.members == 5
    assert list(found.maps) == list(LARGEST)
    for name, largest in LARGEST.items():
        exact = on_grid(getattr(ensemble, name), BRAIN)
        np.testing.assert_allclose(found.maps[name] / 255 * largest, exact, atol=largest / 509)
        assert not found.maps[name][~BRAIN].any()


@pytest.mark.parametrize("name", SOURCES)
def test_the_combined_map_is_that_of_the_members_to_a_step(name):
    maps = members(6)
    found = measure_uncertainty([source("a", maps)], REGIONS, MASK)
    exact = uncertainty_map(aggregate(maps, BRAIN), name).astype(int)
    stored = combined_map(found.maps, name, found.members)
    assert stored.dtype == np.uint8
    assert np.abs(stored - exact).max() <= 1
    assert not stored[~BRAIN].any()


def test_one_member_has_the_entropy_of_its_probability():
    (one,) = members(1)
    found = measure_uncertainty([source("a", [one])], REGIONS, MASK)
    exact = uncertainty_map(aggregate([one], BRAIN)).astype(int)
    assert np.abs(combined_map(found.maps, "disagreement", 1) - exact).max() <= 1


def test_the_numbers_survive_the_file_that_holds_them():
    maps, labels = members(6), np.random.default_rng(1).integers(0, 4, SHAPE) * BRAIN
    found = measure_uncertainty([source("a", maps)], REGIONS, MASK)
    count, numbers = read_numbers(json.loads(json.dumps(numbers_record(found))))
    assert (count, numbers) == (6, dict(found.numbers))
    stored = labelled_numbers(numbers, entropy_bits(found.maps["entropy"]), labels, BRAIN, SPACING)
    exact = region_numbers(aggregate(maps, BRAIN), labels, REGIONS, SPACING)
    for region in REGIONS:
        assert vars(stored[region]) == pytest.approx(vars(exact[region]), abs=0.002)


def test_of_several_sources_each_mean_is_one_member():
    """Two sources that are sure of opposite things, whatever their number of members."""
    yes, no = np.full((*SHAPE, 3), 255, np.uint8), np.zeros((*SHAPE, 3), np.uint8)
    found = measure_uncertainty([source("a", [yes] * 4), source("b", [no])], REGIONS, MASK)
    assert found.members == 2
    assert (found.maps["variance"][BRAIN] >= 253).all()
    assert found.numbers["WT"].pairwise_dice == 0


def test_a_region_is_measured_by_those_that_determine_it():
    maps = members(3)
    whole = source("whole", [maps[0][..., :1]], regions=("WT",))
    found = measure_uncertainty([whole, source("all", maps[1:])], REGIONS, MASK)
    assert found.members == 2
    assert list(found.numbers) == list(REGIONS)
    assert found.numbers["WT"].pairwise_dice is not None
    assert found.numbers["TC"].pairwise_dice is None
    assert not found.maps["variance"][..., 1:].any()


def test_a_map_on_another_grid_stays_within_the_brain_there():
    values = np.full((*SHAPE, 2), 80, dtype=np.uint8)
    moved = on_other_grid(values, MASK.affine, MASK, np.eye(4))
    np.testing.assert_array_equal(moved, values * (data_of(MASK)[..., np.newaxis] > 0))
