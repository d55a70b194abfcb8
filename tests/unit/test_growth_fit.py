"""Fits of seed and parameters to a tumour, and the ensemble of what fits.

Golden values: block means against those of NumPy's own reshaping by hand; shares of voxels against those of
planes and balls; growths in long steps against those in short ones; seed and parameters against those that a
tumour was grown with, on a finer grid than the fit's and with a generated rater's errors; quantiles against
sorted lists.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth import fit_parameters as fitting
from gliaflow.growth.ensemble import choose_members, member_times, time_interval
from gliaflow.growth.fit_grid import coarsen, soft_dice
from gliaflow.growth.fit_parameters import (
    Fit,
    Growth,
    GrowthObjective,
    Run,
    fit_parameters,
    grow_to_volume,
)
from gliaflow.growth.fit_seed import SeedFit, SeedObjective, fit_seed, invaded_share
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.solver import simulate
from gliaflow.growth.start import Seed
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array
from gliaflow.labels import encode, region_mask
from gliaflow.simulate.raters import Raters

GUESS = Parameters(kappa_white=0.05, kappa_grey=0.01, rho=0.01)
RHO = 0.02
TRUE = Parameters(2.5**2 * RHO, 2.5**2 * RHO / 4, RHO)


def brain_tissue(size: int = 48) -> Tissue:
    """A ball of white and grey matter in folds, with a ventricle beside its middle, 1 mm."""
    x, y, z = np.indices((size,) * 3).astype(np.float32)
    middle = (size - 1) / 2
    folds = np.sin(x / 7 + 1) + np.sin(y / 9 + 2) + np.sin(z / 8) + 0.7 * np.sin((x + y) / 6)
    ventricle = ((x - middle - 9) / 4) ** 2 + ((y - middle) / 9) ** 2 + ((z - middle) / 7) ** 2 < 1
    brain = (x - middle) ** 2 + (y - middle) ** 2 + (z - middle) ** 2 < (middle - 0.5) ** 2
    white = np.where(brain & ~ventricle, np.clip(0.5 + 1.2 * folds, 0, 1), 0).astype(np.float32)
    grey = np.where(brain & ~ventricle, 1 - white, 0).astype(np.float32)
    return Tissue(white, grey, (brain & ventricle).astype(np.float32), brain, (1.0, 1.0, 1.0))


TISSUE = brain_tissue()
EVEN = Tissue(
    *(np.full((30, 30, 30), v, np.float32) for v in (1, 0, 0)), np.ones((30,) * 3, bool), (1.0,) * 3
)


@dataclass(frozen=True)
class Tumour:
    """A tumour that was grown in `TISSUE` with the parameters `TRUE`, as a rater draws it."""

    seed: Seed
    rho_days: float
    regions: dict[str, Array]


@pytest.fixture(scope="module", params=[(20.3, 26.6, 22.2), (22.4, 16.7, 30.1)], ids=["one", "two"])
def tumour(request) -> Tumour:
    grown = simulate(TISSUE, Seed(request.param), TRUE, volume_ml=3.0, threshold=0.6)
    masks = {"WT": grown.density > 0.25, "TC": grown.density > 0.6, "ET": grown.density > 0.6}
    (labels,) = Raters(number=1, seed=2).rate(encode(masks), TISSUE.spacing, "one")
    regions = {name: region_mask(labels, name) for name in ("WT", "TC")}
    return Tumour(Seed(request.param), grown.log.days * RHO, regions)


@pytest.fixture(scope="module")
def seed_fit(tumour) -> SeedFit:
    return fit_seed(TISSUE, tumour.regions, GUESS, seed=1, restarts=3)


def distance(first, second) -> float:
    return float(np.linalg.norm(np.subtract(first, second)))


def ball(centre, radius: float, shape=(30, 30, 30)) -> Array:
    offsets = [axis - c for axis, c in zip(np.indices(shape), centre, strict=True)]
    return sum(offset**2 for offset in offsets) <= radius**2


def test_the_seed_of_a_grown_tumour_is_found_nearly(tumour, seed_fit):
    """A front does not know that cells are thrown back at a border; the fit of the parameters does."""
    assert distance(seed_fit.position, tumour.seed.position) < 3
    assert min(seed_fit.dice.values()) > 0.8
    assert len(seed_fit.restarts) == 3
    assert 1 <= seed_fit.as_good <= 3
    assert seed_fit.seed.voxel(TISSUE.domain, TISSUE.spacing)
    assert json.loads(json.dumps(seed_fit.as_dict()))["position"] == list(seed_fit.position)


def test_a_ball_in_even_tissue_began_in_its_middle_at_any_place_in_a_voxel():
    """The front is a sphere; the sphere's own voxels have a Dice near 1."""
    for middle in ((14.0, 15.0, 13.0), (13.6, 15.3, 14.2)):
        found = fit_seed(EVEN, {"WT": ball(middle, 8.0)}, GUESS, seed=4, restarts=1)
        assert distance(found.position, middle) < 0.5
        assert found.dice["WT"] > 0.96


def test_the_same_seed_of_the_starts_gives_the_same_fit_and_leaves_numpy_s_alone():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    regions = {"WT": ball((14, 15, 13), 6.0)}
    one, two = (fit_seed(EVEN, regions, GUESS, seed=7, restarts=1) for _ in range(2))
    assert one == two
    fits = [fit_parameters(EVEN, regions, one.position, seed=3, edge_mm=3, evaluations=9) for _ in range(2)]
    assert fits[0] == fits[1]
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_seed_in_fluid_is_moved_to_tissue_and_loses_by_it():
    grid = coarsen(TISSUE, {"WT": TISSUE.domain}, 2.0, 4.0)
    middle = grid.here((32.5, 23.5, 23.5))
    place, moved = grid.inside(middle)
    assert moved > 2
    assert Seed(place).voxel(grid.domain, grid.tissue.spacing)
    objective = SeedObjective(grid, GUESS)
    assert objective(middle) == pytest.approx(objective(place) + 0.02 * moved)


def test_a_plane_front_crosses_the_voxels_that_it_has_time_for():
    """Voxels of 2 mm, 0.5 mm a day: centres at 2, 6, 10 and 14 days; a quarter of a voxel takes a day."""
    times, rate = np.array([2.0, 6.0, 10.0, 14.0]), np.full(4, 0.25)
    assert invaded_share(times, rate, 2.0).tolist() == [1, 0.5, 0, 0]
    assert invaded_share(times, 0.5 * rate, 3.0).tolist() == [1, 1, 0.5, 0]
    assert invaded_share(np.array([1.0, np.inf, 2.0]), rate[:3], 3.0).tolist() == [1, 0, 1]


def test_larger_voxels_hold_means_and_the_grid_lies_where_it_did():
    rng = np.random.default_rng(0)
    white = rng.uniform(0.5, 1, (12, 10, 9)).astype(np.float32)
    tissue = Tissue(white, 1 - white, 0 * white, white > 0, (1.0, 1.0, 2.0))
    mask = np.zeros(white.shape, dtype=bool)
    mask[5:8, 4:8, 3:6] = True
    grid = coarsen(tissue, {"WT": mask}, 2.0, 2.0)
    assert grid.tissue.spacing == (2.0, 2.0, 2.0)
    assert grid.origin == (3.5, 2.5, 4.0)
    assert grid.regions["WT"].sum() * 8 == mask.sum() * 2
    np.testing.assert_allclose(grid.tissue.white[0, 0, 0], white[3:5, 2:4, 2].mean(), rtol=1e-6)
    low, high = grid.bounds
    assert (grid.there(low), grid.there(high)) == ((4.5, 3.5, 5.0), (8.5, 7.5, 11.0))
    assert grid.there(grid.here((5.0, 6.0, 7.0))) == (5.0, 6.0, 7.0)


def test_a_part_at_the_border_is_filled_up_with_what_is_outside_the_brain():
    white = np.ones((7, 7, 7), dtype=np.float32)
    tissue = Tissue(white, 0 * white, 0 * white, white > 0, (1.0, 1.0, 1.0))
    grid = coarsen(tissue, {"WT": white > 0}, 2.0, 3.0)
    assert grid.tissue.brain.shape == (4, 4, 4)
    assert grid.tissue.white[-1, 0, 0] == 0.5
    assert grid.regions["WT"].sum() * 8 == 7**3


def test_a_tensor_keeps_its_trace():
    shape = (4, 4, 4)
    tensor = np.zeros((*shape, 6), dtype=np.float32)
    tensor[:2, :, :, 0] = tensor[2:, :, :, 3] = 1
    tensor[0] = 0
    ones = np.ones(shape, dtype=np.float32)
    tissue = Tissue(ones, 0 * ones, 0 * ones, ones > 0, (1.0,) * 3, 0.5 * ones, tensor)
    found = coarsen(tissue, {"WT": ones > 0}, 4.0, 1.0).tissue
    np.testing.assert_allclose(found.tensor[0, 0, 0], [1 / 3, 0, 0, 2 / 3, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(found.anisotropy, 0.5)


def test_soft_dice_of_masks_is_the_dice():
    rng = np.random.default_rng(1)
    one, two = rng.random((2, 500)) < 0.4
    assert soft_dice(one, two) == pytest.approx(2 * (one & two).sum() / (one.sum() + two.sum()))
    assert soft_dice(np.zeros(3), np.zeros(3)) == 0


def test_the_share_above_a_level_is_that_of_a_ball():
    """Of a density that falls evenly from a point, the shares above a level add up to a ball's volume."""
    r = np.linalg.norm(np.indices((25, 25, 25)) - 12.3, axis=0)
    density = np.clip(1 - 0.05 * r, 0, 1)
    slope = fitting.steepness(density, np.ones(3))
    shares = fitting.share_above(density, slope, 0.6)
    assert shares.sum() == pytest.approx(4 / 3 * math.pi * 8**3, rel=0.01)
    assert ((shares > 0.01) & (shares < 0.99)).sum() > 500


@pytest.mark.parametrize("parameters", [TRUE, Parameters(0.02, 0.01, 0.02)], ids=["wide", "narrow"])
def test_long_steps_grow_a_tumour_to_its_volume_in_the_time_of_short_ones(parameters):
    """A step of the fit lasts 1 to 3 days; those of 0.2 days are right to a thousandth."""
    seed, days = Seed((15.0, 14.0, 15.0)), 360.0
    fine = simulate(EVEN, seed, parameters, days=days, step_days=0.2).density
    wanted = (fine > 0.25).sum() * EVEN.voxel_ml
    density, found = grow_to_volume(EVEN, seed, parameters, wanted, 0.25)
    assert found == pytest.approx(days, rel=0.02)
    assert (density > 0.25).sum() == pytest.approx((fine > 0.25).sum(), rel=0.03)
    assert np.abs(density - fine).max() < 0.05


def test_a_growth_that_does_not_reach_its_volume_ends(monkeypatch):
    monkeypatch.setattr(fitting, "LONGEST", 2.0)
    density, days = grow_to_volume(EVEN, Seed((15.0, 14.0, 15.0)), TRUE, 20.0, 0.25)
    assert (density > 0.25).sum() * EVEN.voxel_ml < 20
    assert days * RHO == pytest.approx(2, rel=0.03)


@pytest.mark.slow
def test_age_and_seed_of_a_grown_tumour_are_found(tumour, seed_fit):
    found = fit_parameters(TISSUE, tumour.regions, seed_fit.position, seed=1, evaluations=100)
    assert found.best.rho_days == pytest.approx(tumour.rho_days, rel=0.2)
    assert distance(found.best.position, tumour.seed.position) < 2
    assert max(found.residual.values()) < 0.2
    assert found.best.loss == pytest.approx(np.mean(list(found.residual.values())))
    assert all(fit.loss <= found.best.loss + fitting.ACCEPTED for fit in found.acceptable)
    for name, (low, high) in found.ranges.items():
        assert low <= getattr(found.best, name) <= high
    assert not any(found.identifiable[name] for name in ("rho", "days", "kappa_white", "kappa_grey"))
    record = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert record["best"]["position"] == list(found.best.position)
    assert record["acceptable"] == len(found.acceptable)


def made_fit(**changes: object) -> Fit:
    fields: dict = {
        **{"kappa_white_per_rho_mm2": 4.0, "white_grey_ratio": 4.0, "rho_days": 8.0},
        **{"position": (20.0, 26.0, 22.0), "loss": 0.1, "rho": 0.02},
    }
    return Fit(**fields | changes)


def test_one_scan_does_not_tell_rho_from_time():
    """Twice rho and kappa in half the time is the same density; the fit's numbers do not change."""
    fit = made_fit(rho_days=5.0)
    other = replace(fit, rho=0.04)
    assert other.days == fit.days / 2
    assert other.parameters == Parameters(0.16, 0.04, 0.04)
    one, two = (simulate(EVEN, Seed((15.0,) * 3), f.parameters, days=f.days).density for f in (fit, other))
    np.testing.assert_allclose(one, two, atol=2e-3)


def test_numbers_between_0_and_1_stand_for_a_growth_between_the_bounds(tumour):
    """In the middle: the geometric means of the bounds, and the seed where it was put."""
    grid, own = (coarsen(TISSUE, tumour.regions, mm, 8.0) for mm in (3.0, 1.0))
    objective = GrowthObjective(grid, own, fitting.LEVELS, tumour.seed.position, RHO)
    middle = objective.grow((0.5, 0.5, 0.5, 0.5, 0.5, 0.5))
    assert middle.fit.kappa_white_per_rho_mm2 == pytest.approx(8.0)
    assert middle.fit.white_grey_ratio == pytest.approx(20**0.5)
    assert middle.fit.position == pytest.approx(tumour.seed.position)
    assert middle.fit.loss == objective((0.5, 0.5, 0.5)) == objective.tried[0].fit.loss
    assert middle.at_bounds == ()
    corner = objective.grow((0.0, 1.0, 0.0, 0.5, 0.5, 1.0))
    assert corner.fit.kappa_white_per_rho_mm2 == pytest.approx(1.0)
    assert corner.at_bounds == (*fitting.NUMBERS, "seed")
    assert corner.fit.rho_days > middle.fit.rho_days


def summary(fits: Sequence[Fit], stops: Sequence[str] = ("tolfun", "tolfun"), second: float = 0.105):
    grown = [Growth(fit, {"WT": fit.loss}, ()) for fit in fits]
    runs = (Run(0.1, 9, (stops[0],)), Run(second, 9, (stops[1],)))
    return fitting.summarise(grown, runs)


def test_a_number_is_identifiable_if_all_acceptable_fits_agree():
    """Ratios from 3 to 5 differ by more than a fifth, squared widths from 3.6 to 4.6 do not."""
    numbers = zip(np.linspace(3.6, 4.6, 12), np.linspace(3, 5, 12), [0.1, *[0.109] * 11], strict=True)
    fits = [
        made_fit(kappa_white_per_rho_mm2=float(k), white_grey_ratio=float(r), loss=loss)
        for k, r, loss in (*numbers, (20.0, 4.0, 0.111))
    ]
    fits[5], fits[0] = replace(fits[5], loss=0.1), replace(fits[0], loss=0.109)
    found = summary(fits)
    assert found.best == fits[5]
    assert found.acceptable == tuple(fits[:12])
    assert found.ranges["kappa_white_per_rho_mm2"] == (3.6, 4.6)
    assert found.identifiable["kappa_white_per_rho_mm2"]
    assert found.identifiable["rho_days"]
    assert not found.identifiable["white_grey_ratio"]
    assert not any(summary(fits[:6]).identifiable.values())


def test_a_number_at_its_bound_is_not_identifiable():
    grown = [Growth(made_fit(), {}, ("rho_days", "seed"))] * 12
    found = fitting.summarise(grown, (Run(0.1, 9, ()),))
    assert found.at_bounds == ("rho_days", "seed")
    assert found.identifiable["white_grey_ratio"]
    assert not found.identifiable["rho_days"]


def test_searches_that_disagree_or_were_cut_short_have_not_converged():
    assert summary([made_fit()]).converged
    assert not summary([made_fit()], second=0.2).converged
    assert not summary([made_fit()], stops=("maxfevals", "tolfun")).converged


def test_members_are_the_best_and_those_farthest_from_it():
    fits = [made_fit(rho_days=8.0 * math.exp(k / 10), loss=0.1 + 0.001 * abs(k - 2)) for k in range(6)]
    assert choose_members(fits, 3) == [fits[2], fits[5], fits[0]]
    assert choose_members([fits[0]] * 4, 3) == [fits[0]]
    assert len(choose_members(fits, 10)) == 6
    for wrong in (([], 3), (fits, 0)):
        with pytest.raises(ConfigError, match="members: choose one at least"):
            choose_members(*wrong)


def test_quantiles_are_times_of_members_and_never_counts_as_last():
    maps = [np.array([[[k, 10 - k, np.inf if k > 4 else k, 7.0]]], dtype=np.float32) for k in range(1, 11)]
    domain = np.array([[[True, True, True, False]]])
    found = time_interval(iter(maps), domain)
    np.testing.assert_array_equal(found.median, [[[6, 5, np.inf, np.inf]]])
    np.testing.assert_array_equal(found.low, [[[1, 0, 1, np.inf]]])
    np.testing.assert_array_equal(found.high, [[[9, 8, np.inf, np.inf]]])
    with pytest.raises(ConfigError, match="there is no time map"):
        time_interval([], domain)


def test_members_reach_the_scan_on_the_day_of_the_first():
    first = made_fit(position=(15.0, 15.0, 15.0), rho_days=6.0)
    times = list(member_times(EVEN, [first, replace(first, rho_days=5.0), first], 20.0))
    np.testing.assert_array_equal(times[0], times[2])
    alone = simulate(EVEN, first.seed, first.parameters, days=270).time_to_invasion
    both = np.isfinite(alone) & np.isfinite(times[1]) & (alone > 0)
    np.testing.assert_allclose(times[1][both], alone[both] + 50, atol=1.5)
    assert np.nanmax(times[0][np.isfinite(times[0])]) <= 320


@pytest.mark.parametrize(
    ("regions", "changes", "error", "message"),
    [
        ({}, {}, ConfigError, "regions: give one at least"),
        ({"WT": np.ones((2, 2, 2), bool)}, {}, ImageError, r"WT: has the shape \(2, 2, 2\)"),
        ({"WT": ~EVEN.brain}, {}, ImageError, "no voxel of it lies in white or grey matter"),
        ({"WT": EVEN.brain}, {"restarts": 0}, ConfigError, "restarts: 0: write a number from 1"),
        ({"WT": EVEN.brain}, {"coarse_mm": 0}, ConfigError, "write numbers above 0"),
        ({"WT": EVEN.brain}, {"parameters": Parameters(0.1, 0.0, 0.1)}, ConfigError, "a front has to move"),
    ],
)
def test_a_seed_that_cannot_be_fitted(regions, changes, error, message):
    settings = {"parameters": GUESS, "seed": 1, **changes}
    with pytest.raises(error, match=message):
        fit_seed(EVEN, regions, **settings)


@pytest.mark.parametrize(
    ("regions", "changes", "message"),
    [
        (("ET",), {}, "levels: write a density between 0 and 1 for ET"),
        (("WT", "TC"), {"levels": {"WT": 1.0}}, "levels: write a density between 0 and 1 for WT, TC"),
        (("WT",), {"rho": 0.0}, "rho: 0.0: is not possible"),
        (("WT",), {"evaluations": 0}, "evaluations: 0: write a number from 1"),
    ],
)
def test_parameters_that_cannot_be_fitted(regions, changes, message):
    masks = dict.fromkeys(regions, EVEN.brain)
    with pytest.raises(ConfigError, match=message):
        fit_parameters(EVEN, masks, (5.0, 5.0, 5.0), seed=1, **changes)
