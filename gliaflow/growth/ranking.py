"""How good a prediction of growth is, judged by the order in which it invades voxels (BrainLes 2021, S8).

When a tumour grows is left out on purpose; where it grows first and where later is what counts.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array

POINTS = 200
"""Rows of a curve's table: steps of half a per cent of recall."""
NO_REFERENCE = "no voxel of the reference is in the region of interest"


@dataclass(frozen=True)
class PrecisionRecall:
    """What a prediction has invaded at each of its times, and how much of that is right.

    Attributes
    ----------
    time
        The distinct times of the region of interest, ascending; the last is infinite where some voxels are
        never invaded, so that the last recall is always 1.
    invaded
        Voxels of the region that are invaded by then, int64.
    found
        Those of them that are in the reference, int64.
    reference_outside
        Voxels of the reference outside the region of interest, which are left out.
    """

    time: Array
    invaded: Array
    found: Array
    reference_outside: int

    @property
    def reference(self) -> int:
        """Voxels of the reference in the region of interest."""
        return int(self.found[-1])

    @property
    def precision(self) -> Array:
        """The share of what is invaded that is in the reference, at each time."""
        return self.found / self.invaded

    @property
    def recall(self) -> Array:
        """The share of the reference that is invaded, at each time."""
        return self.found / self.reference

    @property
    def prevalence(self) -> float:
        """The share of the region that is in the reference: the average precision of a constant map."""
        return self.reference / int(self.invaded[-1])

    @property
    def average_precision(self) -> float:
        """Sum of P(t) (R(t) - R(t-1)) over the times (S8)."""
        return float(np.sum(self.precision * np.diff(self.recall, prepend=0.0)))

    @property
    def equal_volume_dice(self) -> float:
        """Dice when as many voxels are invaded as the reference has; precision and recall are equal there.

        Where that number lies among voxels of the same time, the mean over all choices of these, so that it
        does not depend on their order.
        """
        k = int(np.searchsorted(self.invaded, self.reference))
        volume, found = (int(counts[k - 1]) if k else 0 for counts in (self.invaded, self.found))
        density = (int(self.found[k]) - found) / (int(self.invaded[k]) - volume)
        return (found + (self.reference - volume) * density) / self.reference


@dataclass(frozen=True)
class RankingScore:
    """The scores of a prediction; each field is explained in `RANKING_COLUMNS`, NaN is written as empty."""

    average_precision: float
    prevalence: float
    equal_volume_dice: float
    region_voxels: int
    reference_voxels: int
    reference_outside_voxels: int
    reference_never_invaded_voxels: int
    reason: str | None = None


RANKING_COLUMNS: Mapping[str, str] = {
    "average_precision": "Average precision of the time to invasion against the reference, 0 to 1; empty "
    "where no voxel of the reference is in the region of interest",
    "prevalence": "Share of the region of interest that is in the reference: the average precision of a map "
    "that says nothing",
    "equal_volume_dice": "Dice when as many voxels are invaded as the reference has",
    "region_voxels": "Voxels of the region of interest",
    "reference_voxels": "Voxels of the reference in it",
    "reference_outside_voxels": "Voxels of the reference outside it, which are left out",
    "reference_never_invaded_voxels": "Voxels of the reference in the region that the model never invades",
    "reason": "Why there is no average precision",
}
CURVE_COLUMNS: Mapping[str, str] = {
    "time_days": "Time of the prediction; inf where only voxels that are never invaded bring this recall; "
    "of a density map, minus the density",
    "precision": "Share of the voxels invaded by then that are in the reference",
    "recall": "Share of the reference that is invaded by then",
}


def average_precision(time_to_invasion: Array, reference: Array, roi: Array) -> float:
    """Return the average precision of a prediction against a later segmentation (BrainLes 2021, S8).

    Parameters
    ----------
    time_to_invasion
        Any time or rank, shape (x, y, z): later is larger, ``inf`` is never. Equal times are one threshold,
        and voxels that are never invaded come last. Only the order counts.
    reference
        Bool, of the same shape: the tumour that was found.
    roi
        Bool, of the same shape: voxels that count; see `region_of_interest`.

    Returns
    -------
    float
        0 to 1; 1 where all of the reference is invaded before anything else.

    Raises
    ------
    ImageError
        Shapes differ, a time in the region is NaN, or no voxel of the reference is in the region.

    Examples
    --------
    >>> roi = np.ones(4, dtype=bool)
    >>> average_precision(np.array([1.0, 2.0, 3.0, np.inf]), np.array([True, False, True, False]), roi)
    0.8333333333333333
    """
    return precision_recall(time_to_invasion, reference, roi).average_precision


def precision_recall(time_to_invasion: Array, reference: Array, roi: Array) -> PrecisionRecall:
    """Return precision and recall at each time of a prediction; see `average_precision` for what it takes.

    Raises
    ------
    ImageError
        As `average_precision`.
    """
    times, inside = _in_region(time_to_invasion, reference, roi)
    if not inside.any():
        raise ImageError(f"{NO_REFERENCE}; check that both are of this patient and on one grid")
    time, counts = np.unique(times, return_counts=True)
    found = np.searchsorted(np.sort(times[inside]), time, side="right")
    outside = int(np.count_nonzero(reference)) - int(inside.sum())
    return PrecisionRecall(time, np.cumsum(counts), found, outside)


def score_ranking(time_to_invasion: Array, reference: Array, roi: Array) -> RankingScore:
    """Return the scores of a prediction as a cohort's table takes them: NaN and a reason without a reference.

    Parameters
    ----------
    time_to_invasion, reference, roi
        As of `average_precision`.

    Raises
    ------
    ImageError
        Shapes differ, or a time in the region is NaN.
    """
    times, inside = _in_region(time_to_invasion, reference, roi)
    count = int(inside.sum())
    curve = precision_recall(time_to_invasion, reference, roi) if count else None
    return RankingScore(
        average_precision=curve.average_precision if curve else float("nan"),
        prevalence=count / times.size if times.size else float("nan"),
        equal_volume_dice=curve.equal_volume_dice if curve else float("nan"),
        region_voxels=times.size,
        reference_voxels=count,
        reference_outside_voxels=int(np.count_nonzero(reference)) - count,
        reference_never_invaded_voxels=int(np.count_nonzero(np.isposinf(times[inside]))),
        reason=None if curve else NO_REFERENCE,
    )


def ranking_row(score: RankingScore) -> dict[str, float | int | str | None]:
    """Return scores as a row with `RANKING_COLUMNS`."""
    return {
        name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(score).items()
    }


def curve_rows(curve: PrecisionRecall, points: int = POINTS) -> list[dict[str, float]]:
    """Return a curve as rows with `CURVE_COLUMNS`: the first time of each step of recall, the last at 1."""
    at = curve_indices(curve, points)
    columns = (curve.time[at], curve.precision[at], curve.recall[at])
    return [dict(zip(CURVE_COLUMNS, map(float, row), strict=True)) for row in zip(*columns, strict=True)]


def curve_indices(curve: PrecisionRecall, points: int = POINTS) -> Array:
    """Return which times of a curve first reach each of some equal steps of recall, without repeats."""
    wanted = np.ceil(np.arange(1, points + 1) * curve.reference / points)
    return np.unique(np.searchsorted(curve.found, wanted))


def local_agreement(time_to_invasion: Array, reference: Array, roi: Array) -> Array:
    """Return where a prediction and a later segmentation agree (BrainLes 2021, S8).

    Parameters
    ----------
    time_to_invasion, reference, roi
        As of `average_precision`.

    Returns
    -------
    Array
        float32, shape (x, y, z): in the reference the precision when the voxel is invaded, elsewhere the
        recall then; low values are disagreement. 0 outside the region, as all images of the project are
        finite; 0 in the region is a voxel that is invaded before any of the reference.

    Raises
    ------
    ImageError
        As `average_precision`.
    """
    curve = precision_recall(time_to_invasion, reference, roi)
    times, inside = _in_region(time_to_invasion, reference, roi)
    at = np.searchsorted(curve.time, times)
    agreement = np.zeros(roi.shape, dtype=np.float32)
    agreement[roi.astype(bool)] = np.where(inside, curve.precision[at], curve.recall[at])
    return agreement


def earliest(times: Array, count: int) -> Array:
    """Return which voxels are invaded when as many are, or more where some come at the same time.

    Parameters
    ----------
    times
        Any shape, ``inf`` is never.
    count
        How many. Below 1 there are none; where fewer are ever invaded, it is all of those.

    Returns
    -------
    Array
        Bool.

    Examples
    --------
    >>> earliest(np.array([3.0, 1.0, np.inf, 2.0]), 2).tolist()
    [False, True, False, True]
    """
    place = min(count, times.size) - 1
    if place < 0:
        return np.zeros(times.shape, dtype=bool)
    return np.asarray(np.isfinite(times) & (times <= np.partition(times, place, axis=None)[place]))


def as_ranking(density: Array) -> Array:
    """Return a density map as a map to rank by: minus the density, and ``inf`` where there are no cells.

    Parameters
    ----------
    density
        Any shape; the densest voxels are taken as invaded first.

    Raises
    ------
    ImageError
        A density is NaN.

    Examples
    --------
    >>> as_ranking(np.array([0.9, 0.1, 0.0])).tolist()
    [-0.9, -0.1, inf]
    """
    if np.isnan(density).any():
        raise ImageError("density: holds NaN; write 0 where the model says nothing")
    return np.where(density > 0, -density, np.inf)


def region_of_interest(brain: Array, cavity: Array | None = None, start: Array | None = None) -> Array:
    """Return the voxels that a prediction is judged in (BrainLes 2021, S8).

    Parameters
    ----------
    brain
        Bool, shape (x, y, z).
    cavity
        Bool: the resection cavity, where nothing can be found; None without one.
    start
        Bool: the tumour that growth started from in the forward scheme, so that only new growth counts; None
        in the bidirectional scheme.

    Raises
    ------
    ImageError
        Shapes differ, or no voxel is left.
    """
    region = np.array(brain, dtype=bool)
    for name, mask in (("cavity", cavity), ("start", start)):
        if mask is None:
            continue
        if mask.shape != region.shape:
            raise ImageError(f"{name}: has the shape {mask.shape}, the brain {region.shape}; use one grid")
        region &= ~mask.astype(bool)
    if not region.any():
        raise ImageError("region of interest: no voxel of the brain is left; check brain mask and cavity")
    return region


def _in_region(time_to_invasion: Array, reference: Array, roi: Array) -> tuple[Array, Array]:
    """Return the times of the region's voxels, and whether each is in the reference."""
    for name, mask in (("reference", reference), ("region of interest", roi)):
        if mask.shape != time_to_invasion.shape:
            shape = time_to_invasion.shape
            raise ImageError(
                f"{name}: has the shape {mask.shape}, the time to invasion {shape}; use one grid"
            )
    times = time_to_invasion[roi.astype(bool)]
    if np.isnan(times).any():
        raise ImageError("time to invasion: holds NaN in the region of interest; write inf where never")
    return times, reference[roi.astype(bool)].astype(bool)
