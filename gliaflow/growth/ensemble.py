"""Time to invasion with its uncertainty: all growths that fit a tumour about as well as the best."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.growth.fit_parameters import Fit
from gliaflow.growth.solver import simulate
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array

MEMBERS = 8
LOW, HIGH = 0.1, 0.9


@dataclass(frozen=True)
class TimeInterval:
    """Median and interval of a time to invasion, days, float32, shape (x, y, z); inf never."""

    median: Array
    low: Array
    high: Array


def choose_members(acceptable: Sequence[Fit], count: int = MEMBERS) -> list[Fit]:
    """Choose fits that differ: the best, and each time the one that is farthest from those chosen.

    Parameters
    ----------
    acceptable
        Fits, one at least; `gliaflow.growth.fit_parameters.ParameterFit.acceptable`.
    count
        Most to choose.

    Returns
    -------
    list of Fit
        Best first; distances are Euclidean in the logarithms of the three numbers and the position in
        centimetres.
    """
    if not acceptable or count < 1:
        raise ConfigError("members: choose one at least, out of one at least")
    places = np.array([_place(fit) for fit in acceptable])
    chosen = [int(np.argmin([fit.loss for fit in acceptable]))]
    distance = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < count and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return [acceptable[k] for k in chosen]


def _place(fit: Fit) -> list[float]:
    numbers = (fit.kappa_white_per_rho_mm2, fit.white_grey_ratio, fit.rho_days)
    return [*(math.log(number) for number in numbers), *(value / 10 for value in fit.position)]


def member_times(
    tissue: Tissue, members: Sequence[Fit], ahead_days: float, *, threshold: float = 0.5, device: str = "cpu"
) -> Iterator[Array]:
    """Grow each member from its seed through the scan and beyond.

    Parameters
    ----------
    tissue
        The healthy brain, on the grid whose millimetres the fits have.
    members
        From `choose_members`, best first.
    ahead_days
        How far beyond the scan to grow.
    threshold
        A voxel is invaded when its density exceeds it.
    device
        As for `gliaflow.growth.solver.simulate`.

    Yields
    ------
    Array
        Time to invasion in days, float32, shape (x, y, z), inf for never, counted so that all members reach
        the scan when the first does: it began at 0, and one that is younger later.
    """
    for member in members:
        days = member.days + ahead_days
        grown = simulate(
            tissue, member.seed, member.parameters, days=days, threshold=threshold, device=device
        )
        shifted = grown.time_to_invasion + np.float32(members[0].days - member.days)
        yield np.maximum(shifted, 0)


def time_interval(maps: Iterable[Array], domain: Array) -> TimeInterval:
    """Return the median of time maps and the interval from 10 to 90 per cent, voxel by voxel.

    Parameters
    ----------
    maps
        Days, float32, shape (x, y, z), inf never; taken one by one, and only the domain's voxels kept.
    domain
        Where a tumour can be, bool, shape (x, y, z); elsewhere the results are inf.

    Returns
    -------
    TimeInterval
        Quantiles are the nearest ranks, that is times of a member, because there is no mean of a day and
        never; the median of an even number is the later of the middle two.
    """
    kept = [times[domain] for times in maps]
    if not kept:
        raise ConfigError("members: there is no time map")
    ranked = np.sort(np.stack(kept), axis=0)
    count = len(ranked)
    ranks = (count // 2, math.ceil(LOW * count) - 1, math.ceil(HIGH * count) - 1)
    images = []
    for rank in ranks:
        image = np.full(domain.shape, np.inf, dtype=np.float32)
        image[domain] = ranked[rank]
        images.append(image)
    return TimeInterval(*images)
