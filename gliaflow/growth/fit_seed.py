"""Where a tumour started: the seed whose eikonal front fills the segmentation best (BrainLes 2021, S8)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, minimize

from gliaflow.errors import ConfigError
from gliaflow.growth.eikonal import Eikonal, front_speed
from gliaflow.growth.fit_grid import FitGrid, Point, as_point, coarsen, soft_dice
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.ranking import earliest
from gliaflow.growth.start import Seed
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array

COARSE_MM, FINE_MM = 3.0, 2.0
MARGIN_MM = 12.0
RESTARTS = 10
NEAR_MM = 4.0
"""Half the box in which the fine search goes on round the best of the coarse one."""
TOLERANCE_MM, LEAST_GAIN = {"coarse": 0.5, "fine": 0.1}, 1e-4
OUTSIDE = 0.02
"""What is lost for each millimetre that a seed lies outside white and grey matter."""
AS_GOOD = 0.01
"""A restart ended as well as the best if its Dice is less by no more than this."""


@dataclass(frozen=True)
class Restart:
    """One search: where it began and ended (mm on the tissue's grid), its mean soft Dice, evaluations."""

    start: Point
    end: Point
    dice: float
    evaluations: int


@dataclass(frozen=True)
class SeedFit:
    """A fitted seed.

    Attributes
    ----------
    position
        Millimetres from the centre of voxel (0, 0, 0) along the axes of the tissue's grid.
    dice
        By region, of its eikonal front at the region's own volume, on the tissue's grid.
    soft_dice
        What was maximised: mean over the regions on the fine grid, with voxels that a border crosses in
        parts.
    restarts
        The searches on the coarse grid.
    spread_mm
        Largest distance between the ends of those searches that ended within `AS_GOOD` of the best.
    as_good
        How many did.
    """

    position: Point
    dice: Mapping[str, float]
    soft_dice: float
    restarts: tuple[Restart, ...]
    spread_mm: float
    as_good: int

    @property
    def seed(self) -> Seed:
        """The seed, with the standard width."""
        return Seed(self.position)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


class SeedObjective:
    """The mean soft Dice of an eikonal front, at each region's own volume, as a function of the seed."""

    def __init__(self, grid: FitGrid, parameters: Parameters) -> None:
        """Prepare the front speed on the grid."""
        self.grid = grid
        self._eikonal = Eikonal(grid.tissue, parameters)
        # how much of a voxel's edge the front crosses in a day
        self._rate = (front_speed(grid.tissue, parameters) / grid.edges.mean())[grid.domain]
        self._regions = [share[grid.domain] for share in grid.regions.values()]
        self.evaluations = 0

    def __call__(self, point: Sequence[float]) -> float:
        """Return what is lost against a Dice of 1."""
        self.evaluations += 1
        place, moved = self.grid.inside(as_point(np.asarray(point)))
        times = self._eikonal.time(Seed(place))[self.grid.domain]
        found = [
            soft_dice(invaded_share(times, self._rate, float(region.sum())), region)
            for region in self._regions
        ]
        return 1 - float(np.mean(found)) + OUTSIDE * moved


def invaded_share(times: Array, rate: Array, volume: float) -> Array:
    """Return how much of each voxel a front has crossed when it has invaded a volume, float32.

    Parameters
    ----------
    times
        When it reaches the voxels' centres, days, shape (n,).
    rate
        How many voxels it crosses in a day, shape (n,).
    volume
        In voxels.
    """
    count = int(np.clip(np.ceil(volume), 1, times.size))
    last = float(np.partition(times, count - 1)[count - 1])
    if not np.isfinite(last):
        return np.isfinite(times).astype(np.float32)
    with np.errstate(invalid="ignore"):
        return np.clip(0.5 + (last - times) * rate, 0, 1).astype(np.float32)


def fit_seed(
    tissue: Tissue,
    regions: Mapping[str, Array],
    parameters: Parameters,
    *,
    seed: int,
    restarts: int = RESTARTS,
    coarse_mm: float = COARSE_MM,
    fine_mm: float = FINE_MM,
) -> SeedFit:
    """Find the point from which a front fills a tumour best: S8's fit, made smooth.

    S8 maximises the Dice at equal volume by Powell's method from ten starts. A Dice of voxels is constant
    between jumps, where Powell stands still, so that the one here counts a voxel that the front crosses in
    part with that part. The searches run on a coarse grid; the best goes on, on a finer one, near by.

    Parameters
    ----------
    tissue
        The healthy brain.
    regions
        Regions of the tumour by name, bool, shape (x, y, z), such as WT alone (S8) or WT and TC; the mean of
        their Dice is maximised. What of them lies outside white and grey matter is left out.
    parameters
        Only the ratio of the front speeds matters.
    seed
        Of the starts, which lie deep in the smallest region.
    restarts
        Number of starts.
    coarse_mm, fine_mm
        Voxel sizes of the two grids; not less than the tissue's own.

    Returns
    -------
    SeedFit
        The same for the same input.

    Raises
    ------
    ConfigError
        A number does not fit, or the front does not move.
    ImageError
        A region has another shape or does not reach white or grey matter.
    """
    if restarts < 1:
        raise ConfigError(f"restarts: {restarts}: write a number from 1")
    if not (parameters.kappa_white > 0 and parameters.kappa_grey > 0 and parameters.rho > 0):
        raise ConfigError(
            "kappa_white, kappa_grey, rho: write numbers above 0; a front has to move to be fitted"
        )
    coarse = SeedObjective(coarsen(tissue, regions, coarse_mm, MARGIN_MM), parameters)
    low, high = coarse.grid.bounds
    begun = coarse.grid.starts(restarts, np.random.default_rng(seed))
    found = [search(coarse, start, low, high, TOLERANCE_MM["coarse"]) for start in begun]
    best = max(found, key=lambda restart: restart.dice)
    fine = SeedObjective(coarsen(tissue, regions, fine_mm, MARGIN_MM), parameters)
    centre = np.array(fine.grid.here(best.end))
    last = search(fine, as_point(centre), centre - NEAR_MM, centre + NEAR_MM, TOLERANCE_MM["fine"])
    good = [restart.end for restart in found if restart.dice >= best.dice - AS_GOOD]
    own = coarsen(tissue, regions, min(tissue.spacing), MARGIN_MM)
    position = own.near(last.end)
    return SeedFit(
        position=position,
        dice=equal_volume_dice(own, parameters, own.here(position)),
        soft_dice=last.dice,
        restarts=tuple(found),
        spread_mm=max(float(np.linalg.norm(np.subtract(a, b))) for a in good for b in good),
        as_good=len(good),
    )


def search(objective: SeedObjective, start: Point, low: Array, high: Array, tolerance_mm: float) -> Restart:
    """Search from a point on the objective's grid, by Powell's method within bounds (SciPy)."""
    before = objective.evaluations
    options = {"xtol": tolerance_mm, "ftol": LEAST_GAIN}
    begun = np.clip(start, low, high)
    found = minimize(objective, begun, method="Powell", bounds=Bounds(low, high), options=options)
    grid = objective.grid
    end, _ = grid.inside(as_point(found.x))
    return Restart(grid.there(start), grid.there(end), 1 - float(found.fun), objective.evaluations - before)


def equal_volume_dice(grid: FitGrid, parameters: Parameters, point: Point) -> dict[str, float]:
    """Return by region the Dice of the front from a point, mm on a grid, when it fills as many voxels."""
    times = Eikonal(grid.tissue, parameters).time(Seed(point))[grid.domain]
    masks = {name: share[grid.domain] > 0.5 for name, share in grid.regions.items()}
    return {name: soft_dice(earliest(times, int(mask.sum())), mask) for name, mask in masks.items()}
