"""The eikonal approximation against distances over speed, told by hand, and against shortest paths.

Golden values: the speed is 4 sqrt(rho Tr D) (BrainLes 2021, S8), which for D = 0.1 I and rho = 0.025 is
0.3464 mm/day, 2 sqrt(3) times Fisher's. The independent reference in mixed tissue is scikit-image's shortest
path between voxels, which turns by 45 degrees only and so is up to 13 % longer than a straight way, but slips
between voxels outside the domain that touch by an edge.
"""

import numpy as np
import pytest
from growth_grids import along, block, mixed
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.graph import MCP_Geometric

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.eikonal import Eikonal, eikonal_time, front_speed
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.solver import Seed

PARAMETERS = Parameters(0.1, 0.1, rho=0.025)
SPEED = 0.34641


def distances(shape, spacing, place):
    return np.sqrt(
        sum((i * size - p) ** 2 for i, size, p in zip(np.indices(shape), spacing, place, strict=True))
    )


def test_the_speed_is_that_of_the_paper():
    assert front_speed(block((2, 2, 2)), PARAMETERS) == pytest.approx(SPEED, rel=1e-4)
    assert pytest.approx(2 * np.sqrt(3) * 2 * np.sqrt(0.025 * 0.1), rel=1e-4) == SPEED


def test_the_trace_counts_the_tensor_too():
    """Tr D = 3 kappa + tau FA = 0.3 + 0.5 of a tensor with an anisotropy of 1."""
    tissue = block((2, 2, 2), tensor=along((1, 1, 0)))
    speed = front_speed(tissue, Parameters(0.1, 0.1, rho=0.025, tau=0.5))
    assert speed == pytest.approx(4 * np.sqrt(0.025 * 0.8), rel=1e-5)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 2.0, 1.5)])
@pytest.mark.parametrize("place", [(12.0, 12.0, 12.0), (11.3, 12.8, 12.4)])
def test_times_are_distances_over_the_speed(spacing, place):
    shape = tuple(int(24 / size) + 1 for size in spacing)
    found = eikonal_time(block(shape, spacing), Seed(place), PARAMETERS)
    expected = distances(shape, spacing, place) / SPEED
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 0.7 * max(spacing) / SPEED
    assert np.abs(found - expected).mean() < 0.25 * max(spacing) / SPEED
    far = expected > 10 / SPEED
    assert found[far].mean() == pytest.approx(expected[far].mean(), rel=0.03)


def test_a_segmentation_is_invaded_at_once_and_grows_from_its_border():
    start = distances((25, 25, 25), (1, 1, 1), (12, 12, 12)) <= 5
    found = eikonal_time(block(start.shape), start, PARAMETERS)
    assert (found[start] == 0).all()
    beyond = np.maximum(distances(start.shape, (1, 1, 1), (12, 12, 12)) - 5, 0)
    assert np.abs(found * SPEED - beyond)[~start].max() < 1


def test_a_density_starts_where_it_exceeds_the_threshold():
    start = np.exp(-(distances((15, 15, 15), (1, 1, 1), (7, 7, 7)) ** 2) / 8)
    found = eikonal_time(block(start.shape), start, PARAMETERS, threshold=0.3)
    assert ((found == 0) == (start > 0.3)).all()


def test_a_front_goes_round_a_wall_and_not_through_it():
    """From (5, 5) to (15, 5) round the end of the wall at (10, 16): twice 12.1 mm."""
    closed = np.zeros((21, 21, 1), dtype=bool)
    closed[10, :16] = True
    found = eikonal_time(block(closed.shape, closed=closed), Seed((5.0, 5.0, 0.0)), PARAMETERS)
    assert found[15, 5, 0] == pytest.approx(2 * np.hypot(5, 11) / SPEED, rel=0.06)
    assert np.isinf(found[closed]).all()
    closed[10] = True
    found = eikonal_time(block(closed.shape, closed=closed), Seed((5.0, 5.0, 0.0)), PARAMETERS)
    assert np.isinf(found[10:]).all()
    assert np.isfinite(found[:10]).all()


def test_mixed_tissue_is_crossed_as_by_the_shortest_path():
    tissue, parameters = mixed((16, 15, 14), (1.0, 1.0, 1.0)), Parameters(0.13, 0.06, 0.025)
    place = tuple(np.argwhere(tissue.domain)[1200])
    speed = front_speed(tissue, parameters)
    costs = np.where(speed > 0, 1 / np.maximum(speed, 1e-6), -1)
    shortest, _ = MCP_Geometric(costs, fully_connected=True).find_costs([place])
    found = eikonal_time(tissue, Seed.at_voxel(place, tissue.spacing), parameters)
    far = np.isfinite(found) & (shortest > 30)
    assert far.sum() > 500
    ratio = found[far] / shortest[far]
    assert np.median(ratio) == pytest.approx(1, abs=0.08)
    assert np.corrcoef(found[far], shortest[far])[0, 1] > 0.98


def test_a_bound_changes_no_time_before_it():
    tissue = mixed((16, 15, 14))
    ready = Eikonal(tissue, PARAMETERS)
    seed = Seed(tuple(float(i) for i in np.argwhere(tissue.domain)[1200]))
    whole, part = ready.time(seed), ready.time(seed, narrow=15.0)
    early = whole <= 15
    assert part[early] == pytest.approx(whole[early], rel=1e-6)
    assert np.isinf(part[~early]).all()
    assert 0 < early.sum() < np.isfinite(whole).sum()
    assert (eikonal_time(tissue, seed, PARAMETERS) == whole).all()


def test_images_in_any_order_of_memory_are_the_same():
    tissue = mixed((16, 15, 14), tensor=False)
    images = (np.asfortranarray(image) for image in (tissue.white, tissue.grey, tissue.csf, tissue.brain))
    other = type(tissue)(*images, tissue.spacing)
    seed = Seed(tuple(float(i) for i in np.argwhere(tissue.domain)[1200]))
    assert (eikonal_time(other, seed, PARAMETERS) == eikonal_time(tissue, seed, PARAMETERS)).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), rho=st.floats(0.001, 1), factor=st.floats(1, 10))
def test_times_fall_with_the_root_of_rho(seed, rho, factor):
    tissue = mixed((7, 6, 8), seed=seed, tensor=False)
    start = Seed(tuple(float(i) for i in np.argwhere(tissue.domain)[-40]))
    slow, fast = (eikonal_time(tissue, start, Parameters(0.13, 0.02, r)) for r in (rho, factor * rho))
    there = np.isfinite(slow)
    assert (np.isfinite(fast) == there).all()
    assert fast[there] * np.sqrt(factor) == pytest.approx(slow[there], rel=1e-4)


TISSUE, MIDDLE = block((6, 6, 6)), Seed((3.0, 3.0, 3.0))


@pytest.mark.parametrize(
    ("parameters", "options", "said"),
    [
        (Parameters(0.1, 0.1, 0.0), {}, "nothing spreads"),
        (Parameters(0.0, 0.1, 0.1), {}, "nothing spreads"),
        (Parameters(0.1, 0.1, 0.1, tau=1.0), {}, "tau"),
        (PARAMETERS, {"narrow": 0.0}, "narrow: 0.0"),
    ],
)
def test_impossible_settings_are_refused(parameters, options, said):
    with pytest.raises(ConfigError, match=said):
        eikonal_time(TISSUE, MIDDLE, parameters, **options)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (Seed((30.0, 3.0, 3.0)), "lies outside white and grey matter"),
        (np.zeros((6, 6, 6), dtype=bool), "nothing of it lies in"),
        (np.full((6, 6, 6), 0.1), "no density exceeds the threshold 0.5"),
        (np.ones((6, 6, 5), dtype=bool), "has the shape"),
    ],
)
def test_starts_that_do_not_fit_are_refused(start, said):
    with pytest.raises(ImageError, match=said):
        eikonal_time(TISSUE, start, PARAMETERS)


def test_a_seed_where_nothing_spreads_is_refused():
    tissue = block((6, 6, 6))
    tissue.white[:3], tissue.grey[:3] = 0, 1
    with pytest.raises(ImageError, match="nothing spreads"):
        eikonal_time(tissue, Seed((1.0, 3.0, 3.0)), Parameters(0.1, 0.0, 0.1))
