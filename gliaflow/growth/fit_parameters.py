"""Parameters and seed of a tumour's growth, fitted to its core and its whole extent by CMA-ES.

From one time point time itself has no unit: kappa, rho and 1/days times the same number give the same
density. So rho is given (S8: 0.01 a day) and three numbers without a unit of time are fitted: kappa_white /
rho, the square of the front's width; kappa_white / kappa_grey; and rho times the days since the tumour began.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cma
import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.growth.fit_grid import FitGrid, Point, as_point, coarsen, soft_dice
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.solver import Seed, simulate
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array

RHO = 0.01
LEVELS: Mapping[str, float] = {"TC": 0.6, "WT": 0.25}
"""Density above which a voxel belongs to a region."""
WIDTH_MM, RATIO, VOLUME = (1.0, 8.0), (1.0, 20.0), (0.75, 1.35)
"""Bounds of sqrt(kappa_white / rho), of the ratio, and of the volume as a part of the largest region's."""
STARTS = ((2.0, 4.0, 1.0), (4.0, 4.0, 1.0))
"""Width, ratio and volume where the searches begin."""
SEED_MM = 8.0
LONGEST = 60.0
"""Rho times the days after which a growth ends that does not reach its volume."""
EDGE_MM, MARGIN_MM = 2.0, 14.0
STEP = 0.06
"""Most growth in a time step of the fit, rho times days."""
SIGMA, SEED_SIGMA, EVALUATIONS = 0.2, 0.12, 250
"""Standard deviations of the first draws, of numbers and seed, as a part of what lies between the bounds."""
TOLERANCE = 1e-3
ACCEPTED = 0.01
"""A fit is acceptable if its mean Dice is less than the best by no more than this."""
AGREE = 1.2
"""A number is identifiable if no acceptable fit has one that differs by more than this factor."""
ENOUGH = 10
"""With fewer acceptable fits nothing is said to be identifiable."""
AT_BOUND = 0.02
"""Share of the way between two bounds, of the logarithm, within which a number lies at a bound."""
NUMBERS = ("kappa_white_per_rho_mm2", "white_grey_ratio", "rho_days")
SCALES = ("rho", "kappa_white", "kappa_grey", "days")
"""What one time point does not tell by itself, only in the combinations of `NUMBERS`."""


@dataclass(frozen=True)
class Fit:
    """One growth: its parameters, seed (mm on the tissue's grid), age and loss (1 - mean soft Dice)."""

    kappa_white_per_rho_mm2: float
    white_grey_ratio: float
    rho_days: float
    position: Point
    loss: float
    rho: float

    @property
    def parameters(self) -> Parameters:
        """The parameters, with the given rho."""
        kappa = self.kappa_white_per_rho_mm2 * self.rho
        return Parameters(kappa, kappa / self.white_grey_ratio, self.rho)

    @property
    def days(self) -> float:
        """Days from the seed to the scan, with the given rho."""
        return self.rho_days / self.rho

    @property
    def seed(self) -> Seed:
        """Where it started."""
        return Seed(self.position)


@dataclass(frozen=True)
class Run:
    """One search: the loss it reached, how often it simulated, and why it stopped (cma's words)."""

    loss: float
    evaluations: int
    stopped_by: tuple[str, ...]


@dataclass(frozen=True)
class ParameterFit:
    """The growth that fits best, and what else fits.

    Attributes
    ----------
    best
        Point estimate.
    residual
        By region, 1 - soft Dice of the point estimate.
    at_bounds
        Numbers of `NUMBERS` that lie at a bound, and ``seed`` where it moved as far as it may.
    runs
        The searches.
    converged
        Whether every search stopped by itself and they agree within `ACCEPTED`.
    acceptable
        All growths tried whose mean Dice is within `ACCEPTED` of the best.
    ranges
        By number, the least and the largest among them.
    identifiable
        By number whether no acceptable growth differs from the best by more than the factor `AGREE` and it
        lies at no bound, of `ENOUGH` or more; False for rho, kappa and days by themselves.
    """

    best: Fit
    residual: Mapping[str, float]
    at_bounds: tuple[str, ...]
    runs: tuple[Run, ...]
    converged: bool
    acceptable: tuple[Fit, ...]
    ranges: Mapping[str, tuple[float, float]]
    identifiable: Mapping[str, bool]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it, the acceptable growths as their number."""
        return {
            **asdict(self),
            "acceptable": len(self.acceptable),
            "parameters": asdict(self.best.parameters),
            "days": self.best.days,
        }


@dataclass(frozen=True)
class Growth:
    """What was tried: a growth, 1 - soft Dice by region, and which of its numbers lie at a bound."""

    fit: Fit
    residual: Mapping[str, float]
    at_bounds: tuple[str, ...]


class GrowthObjective:
    """What is lost against a Dice of 1, as a function of numbers in 0 to 1: three, or six with the seed's."""

    def __init__(
        self, grid: FitGrid, own: FitGrid, levels: Mapping[str, float], position: Point, rho: float
    ) -> None:
        """Prepare; `own` has the voxels of the tissue itself, on whose grid the position lies."""
        self.grid, self.own, self.levels, self.rho, self.position = grid, own, levels, rho, position
        volumes = {name: float(share[grid.domain].sum()) for name, share in grid.regions.items()}
        self.largest = max(volumes, key=lambda name: volumes[name])
        self.volume_ml = volumes[self.largest] * grid.tissue.voxel_ml
        self.tried: list[Growth] = []

    def __call__(self, numbers: Sequence[float]) -> float:
        """Simulate and compare."""
        tried = self.grow(numbers)
        self.tried.append(tried)
        return tried.fit.loss

    def grow(self, numbers: Sequence[float]) -> "Growth":
        """Grow what numbers in 0 to 1 stand for: width, ratio, volume, and where the seed lies."""
        width, ratio, volume = (
            float(low * (high / low) ** x)
            for x, (low, high) in zip(numbers, (WIDTH_MM, RATIO, VOLUME), strict=False)
        )
        moves = (2 * np.array(numbers[3:]) - 1) * SEED_MM if len(numbers) > 3 else np.zeros(3)
        position = self.own.near(as_point(np.add(self.position, moves)))
        # what is tissue in a small voxel may be fluid in the large one round it
        place, _ = self.grid.inside(self.grid.here(position))
        kappa = width**2 * self.rho
        parameters, level = Parameters(kappa, kappa / ratio, self.rho), self.levels[self.largest]
        density, days = grow_to_volume(
            self.grid.tissue, Seed(place), parameters, volume * self.volume_ml, level
        )
        residual = self.compare(density)
        loss = float(np.mean(list(residual.values())))
        fit = Fit(width**2, ratio, days * self.rho, position, loss, self.rho)
        return Growth(fit, residual, bounded(numbers))

    def compare(self, density: Array) -> dict[str, float]:
        """Return by region 1 - soft Dice of a density on the coarse grid."""
        domain = self.grid.domain
        slope = steepness(density, self.grid.edges)[domain]
        return {
            name: 1 - soft_dice(share_above(density[domain], slope, self.levels[name]), share[domain])
            for name, share in self.grid.regions.items()
        }


def grow_to_volume(
    tissue: Tissue, seed: Seed, parameters: Parameters, volume_ml: float, level: float
) -> tuple[Array, float]:
    """Grow a tumour to a volume, by steps as long as stability allows, or `STEP`.

    The steps overshoot, so that the result is carried back by a part of a step: to when, by its own time to
    invasion, it had the volume. And an Euler step of length h grows by 1 + rho h where exp(rho h) is right:
    it lags by half of rho h, and so much less time has gone.

    Parameters
    ----------
    tissue, seed, parameters
        As `simulate` takes them; isotropic.
    volume_ml
        Volume above the level.
    level
        Density.

    Returns
    -------
    density
        Float32, shape (x, y, z).
    days
        When it had the volume; `LONGEST` over rho where it never has.
    """
    kappa, edge = max(parameters.kappa_white, parameters.kappa_grey), min(tissue.spacing)
    step = min(0.8 / (6 * kappa / edge**2 + parameters.rho), STEP / parameters.rho)
    longest = step * math.floor(LONGEST / (parameters.rho * step))
    grown = simulate(
        tissue, seed, parameters, step_days=step, days=longest, volume_ml=volume_ml, threshold=level
    )
    density, end = grown.density, grown.log.days
    count = round(volume_ml / tissue.voxel_ml)
    when = float(np.partition(grown.time_to_invasion, count - 1, axis=None)[count - 1])
    if when < end:
        later = simulate(tissue, density, parameters, step_days=step, days=step).density
        density = np.clip(density - (end - when) / step * (later - density), 0, 1)
    return density, min(when, end) / (1 + parameters.rho * step / 2)


def steepness(density: Array, edges: Array) -> Array:
    """Return by how much a density changes across a voxel along its gradient, shape (x, y, z)."""
    slopes = np.gradient(density, *edges)
    return np.asarray(float(edges.mean()) * np.sqrt(sum(slope**2 for slope in slopes)))


def share_above(density: Array, slope: Array, level: float) -> Array:
    """Return which part of each voxel has a density above a level, where it changes evenly, float32.

    >>> share_above(np.array([0.5, 0.625, 0.9]), np.array([0.5, 0.5, 0.5]), 0.5).tolist()
    [0.5, 0.75, 1.0]
    """
    share = np.clip(0.5 + (density.astype(np.float64) - level) / np.maximum(slope, 1e-6), 0, 1)
    return np.asarray(share, dtype=np.float32)


def fit_parameters(
    tissue: Tissue,
    regions: Mapping[str, Array],
    position: Point,
    *,
    seed: int,
    rho: float = RHO,
    levels: Mapping[str, float] = LEVELS,
    move_seed: bool = True,
    edge_mm: float = EDGE_MM,
    evaluations: int = EVALUATIONS,
) -> ParameterFit:
    """Fit a growth to a segmentation of core and whole tumour.

    Parameters
    ----------
    tissue
        The healthy brain; without diffusion tensor or with one that is not used.
    regions
        Regions of the tumour by name, bool, shape (x, y, z); two at least tell the front's width.
    position
        Where the tumour started, mm on the tissue's grid: `gliaflow.growth.fit_seed.SeedFit.position`.
    seed
        Of the searches' random numbers.
    rho
        Proliferation in 1/day, taken as known; a factor of it is one of all times, and changes no density.
    levels
        By region the density above which a voxel belongs to it.
    move_seed
        Fit the seed as well, up to `SEED_MM` along each axis from where the eikonal approximation has it,
        which knows no curvature of the front.
    edge_mm
        Voxel size of the fit; not less than the tissue's own.
    evaluations
        Most simulations of each search; one begins at each of `STARTS`.

    Returns
    -------
    ParameterFit
        The same for the same input.

    Raises
    ------
    ConfigError
        A region has no level, or a number does not fit.
    ImageError
        A region has another shape or does not reach white or grey matter.
    """
    _check(regions, levels, rho, evaluations)
    grid = coarsen(tissue, regions, edge_mm, MARGIN_MM)
    own = coarsen(tissue, regions, min(tissue.spacing), MARGIN_MM)
    objective = GrowthObjective(grid, own, levels, position, rho)
    runs = [
        search(objective, start, 6 if move_seed else 3, evaluations, seed + k)
        for k, start in enumerate(STARTS)
    ]
    return summarise(objective.tried, tuple(runs))


def _check(regions: Mapping[str, Array], levels: Mapping[str, float], rho: float, evaluations: int) -> None:
    unknown = [name for name in regions if not 0 < levels.get(name, 0) < 1]
    if unknown:
        raise ConfigError(f"levels: write a density between 0 and 1 for {', '.join(unknown)}")
    if not (math.isfinite(rho) and rho > 0):
        raise ConfigError(f"rho: {rho}: is not possible; write a number above 0")
    if evaluations < 1:
        raise ConfigError(f"evaluations: {evaluations}: write a number from 1")


def search(objective: GrowthObjective, start: Sequence[float], size: int, evaluations: int, seed: int) -> Run:
    """Search from a width, ratio and volume, by CMA-ES within bounds (the cma library)."""
    begun = [
        math.log(value / low) / math.log(high / low)
        for value, (low, high) in zip(start, (WIDTH_MM, RATIO, VOLUME), strict=True)
    ]
    rng = np.random.default_rng(seed)
    options = {
        "bounds": [0, 1],
        "maxfevals": evaluations,
        "tolfun": TOLERANCE,
        "tolx": 1e-3,
        "CMA_stds": ([1.0] * 3 + [SEED_SIGMA / SIGMA] * 3)[:size],
        "verbose": -9,
        "verb_log": 0,
        # its own numbers, so that the state of numpy's is left alone
        "seed": math.nan,
        "randn": lambda *shape: rng.standard_normal(shape),
    }
    strategy = cma.CMAEvolutionStrategy([*begun, 0.5, 0.5, 0.5][:size], SIGMA, options)
    while not strategy.stop():
        points = strategy.ask()
        strategy.tell(points, [objective(point) for point in points])
    found = strategy.result
    return Run(float(found.fbest), int(found.evaluations), tuple(strategy.stop()))


def summarise(tried: Sequence[Growth], runs: tuple[Run, ...]) -> ParameterFit:
    """Return what the searches found."""
    best = min(tried, key=lambda growth: growth.fit.loss)
    acceptable = tuple(growth.fit for growth in tried if growth.fit.loss <= best.fit.loss + ACCEPTED)
    ranges = {name: spread(acceptable, name) for name in NUMBERS}
    known = {
        name: name not in best.at_bounds
        and len(acceptable) >= ENOUGH
        and agree(getattr(best.fit, name), ends)
        for name, ends in ranges.items()
    }
    stopped = all("maxfevals" not in run.stopped_by for run in runs)
    return ParameterFit(
        best=best.fit,
        residual=best.residual,
        at_bounds=best.at_bounds,
        runs=runs,
        converged=stopped and max(run.loss for run in runs) <= best.fit.loss + ACCEPTED,
        acceptable=acceptable,
        ranges=ranges,
        identifiable={**known, **dict.fromkeys(SCALES, False)},
    )


def spread(fits: Sequence[Fit], name: str) -> tuple[float, float]:
    """Return the least and the largest of a number among fits."""
    values = [getattr(fit, name) for fit in fits]
    return min(values), max(values)


def agree(value: float, ends: tuple[float, float]) -> bool:
    """Tell whether all of a range lies within the factor `AGREE` of a value."""
    low, high = ends
    return high <= AGREE * value and value <= AGREE * low


def bounded(numbers: Sequence[float]) -> tuple[str, ...]:
    """Return which of the numbers, 0 to 1, lie at a bound, by name; the place of the seed has one name.

    >>> bounded([0.5, 0.99, 0.5, 0.5, 0.01, 0.5])
    ('white_grey_ratio', 'seed')
    """
    names = dict.fromkeys(
        name
        for name, x in zip((*NUMBERS, *["seed"] * 3), numbers, strict=False)
        if not AT_BOUND <= x <= 1 - AT_BOUND
    )
    return tuple(names)
