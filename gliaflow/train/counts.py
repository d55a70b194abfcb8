"""Cases reduced to counts: Dice and volumes at any threshold without the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array
from gliaflow.labels import region_mask

VALUES = 256
EQUAL = 1 + 1e-6


@dataclass(frozen=True)
class CaseCounts:
    """How often each quantised probability occurs in a case, inside and outside the reference.

    Attributes
    ----------
    name
        Of the case.
    fold
        The fold that it was held out in.
    voxel_ml
        Volume of a voxel in ml.
    inside, outside
        Per region, int64, shape (256,): voxels of the quantised probability v that belong to the region in
        the reference, and that do not.
    """

    name: str
    fold: int
    voxel_ml: float
    inside: Mapping[str, Array]
    outside: Mapping[str, Array]


@dataclass(frozen=True)
class Values:
    """What is tuned: a threshold per region, and the limits in ml of the enhancing-tumour rule (0: none)."""

    threshold: Mapping[str, float]
    limit_ml: float = 0.0
    core_ml: float = 0.0


@dataclass(frozen=True)
class Tables:
    """What a set of cases scores with each threshold.

    Attributes
    ----------
    regions
        In the order of the scores.
    dice, volume_ml
        Per region, float64, shape (cases, 257): Dice and predicted volume when quantised values of at least
        the column's number are inside.
    absent
        Per region, bool, shape (cases,): the reference has none of it.
    voxel_ml
        Volume of the smallest voxel in ml.
    """

    regions: tuple[str, ...]
    dice: Mapping[str, Array]
    volume_ml: Mapping[str, Array]
    absent: Mapping[str, Array]
    voxel_ml: float


def default_values(regions: Sequence[str]) -> Values:
    """Return a threshold of 0.5 for each region, and no rule."""
    return Values(dict.fromkeys(regions, 0.5))


def count_case(
    name: str, fold: int, probability: Array, labels: Array, regions: Sequence[str], *, voxel_ml: float
) -> CaseCounts:
    """Reduce a prediction and its reference to counts.

    Parameters
    ----------
    name, fold
        Of the case.
    probability
        uint8, shape (x, y, z, regions), as ``gliaflow.segment.segmenters.quantise`` makes it.
    labels
        The reference, integers of resources/labels.tsv, shape (x, y, z).
    regions
        What each channel stands for.
    voxel_ml
        Volume of a voxel in ml.

    Raises
    ------
    ImageError
        The two do not belong together, or the probabilities are not quantised.
    """
    if probability.shape != (*labels.shape, len(regions)):
        raise ImageError(
            f"{name}: the probabilities have shape {probability.shape}, the reference and its regions "
            f"{(*labels.shape, len(regions))}; bring both to one grid"
        )
    if probability.dtype != np.uint8:
        raise ImageError(f"{name}: the probabilities are {probability.dtype}, not uint8; quantise them first")
    inside, outside = {}, {}
    for channel, region in enumerate(regions):
        reference = region_mask(labels, region)
        inside[region] = _histogram(probability[..., channel][reference])
        outside[region] = _histogram(probability[..., channel][~reference])
    return CaseCounts(name, fold, voxel_ml, inside, outside)


def step_of(threshold: float) -> int:
    """Return the least quantised value that a threshold lets in, 256 where it lets none in.

    >>> [step_of(threshold) for threshold in (0.0, 0.5, 0.501953125, 0.502, 1.0)]
    [0, 128, 128, 129, 256]
    """
    return int(np.clip(np.ceil(VALUES * threshold - 0.5), 0, VALUES))


def region_dice(case: CaseCounts, region: str, threshold: float) -> float:
    """Return the Dice of one region by itself when probabilities at or above a threshold are inside.

    A quantised value v stands for (v + 0.5) / 256. That a label map nests its regions is not looked at.
    """
    return float(_dice_by_step(case.inside[region], case.outside[region])[step_of(threshold)])


def tabulate(cases: Sequence[CaseCounts], regions: Sequence[str]) -> Tables:
    """Compute Dice and predicted volume of each region of each case for all thresholds."""
    voxel_ml = np.array([case.voxel_ml for case in cases])
    dice, volume_ml, absent = {}, {}, {}
    for region in regions:
        inside = np.stack([case.inside[region] for case in cases])
        outside = np.stack([case.outside[region] for case in cases])
        dice[region] = _dice_by_step(inside, outside)
        volume_ml[region] = _at_least(inside + outside) * voxel_ml[:, np.newaxis]
        absent[region] = inside.sum(axis=1) == 0
    return Tables(tuple(regions), dice, volume_ml, absent, float(voxel_ml.min()))


def tabulate_folds(cases: Sequence[CaseCounts], regions: Sequence[str]) -> dict[int, Tables]:
    """Return the tables of each fold's cases, in the folds' order."""
    folds = sorted({case.fold for case in cases})
    return {fold: tabulate([case for case in cases if case.fold == fold], regions) for fold in folds}


def volume_of(tables: Tables, region: str, values: Values) -> Array:
    """Return the predicted volume of a region in ml, shape (cases,)."""
    volumes: Array = tables.volume_ml[region][:, step_of(values.threshold[region])]
    return volumes


def core_volume(tables: Tables, values: Values) -> Array:
    """Return the predicted volume of the necrotic core in ml, shape (cases,); 0 where TC or ET is no region.

    It is the tumour core's volume less the enhancing tumour's: that of label 1 where ET lies inside TC, an
    approximation where it does not.
    """
    if not {"TC", "ET"} <= set(tables.regions):
        return np.zeros(len(tables.dice[tables.regions[0]]))
    difference = volume_of(tables, "TC", values) - volume_of(tables, "ET", values)
    return np.maximum(difference, 0)


def case_dice(tables: Tables, values: Values) -> Array:
    """Return what each case scores.

    Parameters
    ----------
    tables
        Of the cases.
    values
        Thresholds and limits. Where ``limit_ml`` is above 0, an enhancing tumour of that volume at most is
        emptied; where ``core_ml`` is above 0 too, only beside a necrotic core that is larger than it
        (BrainLes 2021, S32), volumes compared as by ``gliaflow.fuse.enhancing.rule_applies``. Its Dice is
        then 1 where the reference has none, else 0; the other regions count as they were.

    Returns
    -------
    Array
        float64, shape (cases, regions).
    """
    scores = {region: tables.dice[region][:, step_of(values.threshold[region])] for region in tables.regions}
    if "ET" in tables.regions and values.limit_ml > 0:
        # One that is empty already scores the same.
        emptied = volume_of(tables, "ET", values) <= values.limit_ml * EQUAL
        if values.core_ml > 0:
            emptied &= core_volume(tables, values) > values.core_ml * EQUAL
        scores["ET"] = np.where(emptied, tables.absent["ET"], scores["ET"])
    return np.stack([scores[region] for region in tables.regions], axis=1)


def score(tables: Tables, values: Values) -> float:
    """Return the mean Dice over cases and regions, to 12 decimals so that equal scores compare equal."""
    return round(float(case_dice(tables, values).mean()), 12)


def _histogram(values: Array) -> Array:
    return np.bincount(values, minlength=VALUES).astype(np.int64)


def _at_least(counts: Array) -> Array:
    """Return how many voxels have at least each value, shape (..., 257)."""
    summed = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    return np.concatenate([summed, np.zeros_like(summed[..., :1])], axis=-1)


def _dice_by_step(inside: Array, outside: Array) -> Array:
    total = inside.sum(axis=-1, keepdims=True) + _at_least(inside + outside)
    return np.where(total == 0, 1.0, 2 * _at_least(inside) / np.maximum(total, 1))
