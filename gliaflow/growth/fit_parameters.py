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
WIDTH_MM, RATIO, REACH = (1.0, 8.0), (1.0, 20.0), (0.3, 3.0)
"""Bounds of sqrt(kappa_white / rho), of the ratio, and of the front's way as a multiple of the radius."""
STARTS = ((2.0, 4.0, 1.0), (4.5, 4.0, 1.0))
"""Width, ratio and reach where the searches begin."""
SEED_MM = 4.0
EDGE_MM, MARGIN_MM = 2.0, 14.0
STEP = 0.06
"""Most growth in a time step of the fit, rho times days."""
SIGMA, EVALUATIONS = 0.2, 250
TOLERANCE = 1e-4
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


class GrowthObjective:
    """What is lost against a Dice of 1, as a function of numbers in 0 to 1: three, or six with the seed's."""

    def __init__(
        self, grid: FitGrid, own: FitGrid, levels: Mapping[str, float], position: Point, rho: float
    ) -> None:
        """Prepare; `own` has the voxels of the tissue itself, on whose grid the position lies."""
        self.grid, self.own, self.levels, self.rho, self.position = grid, own, levels, rho, position
        whole = max(float(share[grid.domain].sum()) for share in grid.regions.values())
        self.radius_mm = (3 * whole * float(np.prod(grid.edges)) / (4 * math.pi)) ** (1 / 3)
        self.tried: list[Fit] = []

    def __call__(self, numbers: Sequence[float]) -> float:
        """Simulate and compare."""
        fit = self.decode(numbers)
        loss = float(np.mean(list(self.residual(fit).values())))
        self.tried.append(Fit(**{**vars(fit), "loss": loss}))
        return loss

    def decode(self, numbers: Sequence[float]) -> Fit:
        """Return the growth that numbers in 0 to 1 stand for, without its loss."""
        width, ratio, reach = (
            float(low * (high / low) ** x)
            for x, (low, high) in zip(numbers, (WIDTH_MM, RATIO, REACH), strict=False)
        )
        moves = (2 * np.array(numbers[3:]) - 1) * SEED_MM if len(numbers) > 3 else np.zeros(3)
        return Fit(
            kappa_white_per_rho_mm2=width**2,
            white_grey_ratio=ratio,
            rho_days=delay(width) + reach * self.radius_mm / (2 * width),
            position=self.own.near(as_point(np.add(self.position, moves))),
            loss=math.nan,
            rho=self.rho,
        )

    def residual(self, fit: Fit) -> dict[str, float]:
        """Return by region 1 - soft Dice of a growth."""
        domain = self.grid.domain
        # what is tissue in a small voxel may be fluid in the large one round it
        place, _ = self.grid.inside(self.grid.here(fit.position))
        density = grow_coarsely(self.grid.tissue, Seed(place), fit.parameters, fit.days)
        slope = steepness(density, self.grid.edges)[domain]
        return {
            name: 1 - soft_dice(share_above(density[domain], slope, self.levels[name]), share[domain])
            for name, share in self.grid.regions.items()
        }


def delay(width_mm: float) -> float:
    """Return rho times the days until a seed's density (sd 1 mm) is as large as at first.

    Diffusion spreads it while it grows: rho t = 3/2 ln(1 + 2 (kappa / rho) rho t), by iteration.

    >>> round(delay(1.0), 2), round(delay(3.0), 2)
    (2.86, 7.34)
    """
    found = 1.0
    for _ in range(60):
        found = 1.5 * math.log(1 + 2 * width_mm**2 * found)
    return found


def grow_coarsely(tissue: Tissue, seed: Seed, parameters: Parameters, days: float) -> Array:
    """Return the density after some days, by steps as long as stability allows, or `STEP`.

    An Euler step of length h grows by 1 + rho h where exp(rho h) is right: it lags by half of rho h, and the
    time is made longer by that.
    """
    kappa, edge = max(parameters.kappa_white, parameters.kappa_grey), min(tissue.spacing)
    step = min(0.8 / (6 * kappa / edge**2 + parameters.rho), STEP / parameters.rho)
    longer = days * (1 + parameters.rho * step / 2)
    return simulate(tissue, seed, parameters, days=longer, step_days=step).density


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
    return summarise(objective, tuple(runs))


def _check(regions: Mapping[str, Array], levels: Mapping[str, float], rho: float, evaluations: int) -> None:
    unknown = [name for name in regions if not 0 < levels.get(name, 0) < 1]
    if unknown:
        raise ConfigError(f"levels: write a density between 0 and 1 for {', '.join(unknown)}")
    if not (math.isfinite(rho) and rho > 0):
        raise ConfigError(f"rho: {rho}: is not possible; write a number above 0")
    if evaluations < 1:
        raise ConfigError(f"evaluations: {evaluations}: write a number from 1")


def search(objective: GrowthObjective, start: Sequence[float], size: int, evaluations: int, seed: int) -> Run:
    """Search from a width, ratio and reach, by CMA-ES within bounds (the cma library)."""
    begun = [
        math.log(value / low) / math.log(high / low)
        for value, (low, high) in zip(start, (WIDTH_MM, RATIO, REACH), strict=True)
    ]
    rng = np.random.default_rng(seed)
    options = {
        "bounds": [0, 1],
        "maxfevals": evaluations,
        "tolfun": TOLERANCE,
        "tolx": 1e-3,
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


def summarise(objective: GrowthObjective, runs: tuple[Run, ...]) -> ParameterFit:
    """Return what the searches found."""
    best = min(objective.tried, key=lambda fit: fit.loss)
    acceptable = tuple(fit for fit in objective.tried if fit.loss <= best.loss + ACCEPTED)
    ranges = {name: spread(acceptable, name) for name in NUMBERS}
    bounded = at_bounds(best, objective)
    agreed = {
        name: name not in bounded and len(acceptable) >= ENOUGH and agree(getattr(best, name), ends)
        for name, ends in ranges.items()
    }
    stopped = all("maxfevals" not in run.stopped_by for run in runs)
    return ParameterFit(
        best=best,
        residual=objective.residual(best),
        at_bounds=bounded,
        runs=runs,
        converged=stopped and max(run.loss for run in runs) <= best.loss + ACCEPTED,
        acceptable=acceptable,
        ranges=ranges,
        identifiable={**agreed, **dict.fromkeys(SCALES, False)},
    )


def spread(fits: Sequence[Fit], name: str) -> tuple[float, float]:
    """Return the least and the largest of a number among fits."""
    values = [getattr(fit, name) for fit in fits]
    return min(values), max(values)


def agree(value: float, ends: tuple[float, float]) -> bool:
    """Tell whether all of a range lies within the factor `AGREE` of a value."""
    low, high = ends
    return high <= AGREE * value and value <= AGREE * low


def at_bounds(fit: Fit, objective: GrowthObjective) -> tuple[str, ...]:
    """Return which numbers of a fit lie at a bound."""
    width = math.sqrt(fit.kappa_white_per_rho_mm2)
    reach = (fit.rho_days - delay(width)) * 2 * width / objective.radius_mm
    values = zip(NUMBERS, (width, fit.white_grey_ratio, reach), (WIDTH_MM, RATIO, REACH), strict=True)
    found = [name for name, value, bounds in values if _at_bound(value, *bounds)]
    moved = np.abs(np.subtract(fit.position, objective.position)).max()
    return tuple(found + ["seed"] * bool(moved >= (1 - 2 * AT_BOUND) * SEED_MM))


def _at_bound(value: float, low: float, high: float) -> bool:
    place = math.log(value / low) / math.log(high / low)
    return not AT_BOUND <= place <= 1 - AT_BOUND
