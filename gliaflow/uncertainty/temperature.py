"""Temperature scaling: one number per region that makes probabilities mean what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from gliaflow.errors import ImageError
from gliaflow.images import Array
from gliaflow.segment.segmenters import quantise
from gliaflow.uncertainty.calibration import BINS, Calibration, calibration
from gliaflow.uncertainty.maps import LEVELS

COOLEST, HOTTEST = 0.1, 10.0
LOGITS = logit(LEVELS)
FIGURES = ("ece", "brier", "nll")
FIGURE_NAMES = {
    "ece": "Expected calibration error",
    "brier": "Brier score",
    "nll": "Mean negative log likelihood (natural logarithm)",
}
RECALIBRATION_COLUMNS = {
    "region": "Region",
    "temperature": "Temperature, fitted on all folds; above 1 the probabilities were too extreme",
    "voxels": "Number of voxels in the regions of interest",
    "cross_fitted": "1 where the figures afterwards are honest: each fold was scaled by the temperature "
    "of the others; 0 where there is one fold, and they flatter",
    **{
        f"{figure}_{when}": f"{name} {words}"
        for figure, name in FIGURE_NAMES.items()
        for when, words in (("before", "of the probabilities as they are"), ("after", "with the temperature"))
    },
}


@dataclass(frozen=True)
class Recalibration:
    """A fitted temperature and what it changes.

    Attributes
    ----------
    temperature
        Fitted on all folds; the one to use.
    by_fold
        For each fold the temperature that the others gave; none where there is one fold.
    before, after
        The figures; afterwards with each fold scaled by its own entry of ``by_fold``, and where there is one
        fold by the temperature that was fitted on it.
    counts
        After scaling, over all folds, shape (256, 2).
    """

    temperature: float
    by_fold: Mapping[Any, float]
    before: Calibration
    after: Calibration
    counts: Array


def fit_temperature(counts: Array) -> float:
    """Find the temperature T with which sigmoid(logit(p) / T) has the least negative log likelihood.

    Level 0 is left out, as `temperature_table` leaves it alone. The likelihood has one optimum.

    Parameters
    ----------
    counts
        Of predictions for sessions that the network was not trained on (out of fold), shape (256, 2), see
        `gliaflow.uncertainty.counts.level_counts`.

    Returns
    -------
    float
        0.1 to 10, the nearer end where the optimum lies beyond.

    Raises
    ------
    ImageError
        There are no voxels both inside and outside.
    """
    outside, inside = counts[1:].T
    if not (outside.any() and inside.any()):
        raise ImageError(
            "a temperature needs voxels both inside and outside a region; add sessions that have it"
        )

    def loss(log_temperature: float) -> float:
        scaled = LOGITS[1:] * np.exp(-log_temperature)
        return float(inside @ np.logaddexp(0, -scaled) + outside @ np.logaddexp(0, scaled)) / counts.sum()

    limits = (np.log(COOLEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-6}).x))


def temperature_table(temperature: float) -> Array:
    """Return what each level of a quantised map becomes, uint8, shape (256,).

    It never falls, and the levels of 0.5 and above stay there, so that masks at 0.5 do not change. Level 0
    stays 0: it stands for everything below 1/256, most of it clear background, and fills the space outside
    the brain.

    Examples
    --------
    >>> temperature_table(2.0)[[0, 64, 127, 128, 255]].tolist()
    [0, 94, 127, 128, 245]
    """
    table = quantise(expit(LOGITS / temperature))
    table[0] = 0
    return table


def apply_temperature(levels: Array, temperatures: Sequence[float]) -> Array:
    """Scale a quantised probability map.

    Parameters
    ----------
    levels
        uint8, shape (x, y, z, regions).
    temperatures
        One for each region.

    Returns
    -------
    Array
        uint8, of the same shape.

    Raises
    ------
    ImageError
        The map is not quantised, or has another number of regions.
    """
    if levels.dtype != np.uint8 or levels.shape[-1] != len(temperatures):
        raise ImageError(
            f"map of type {levels.dtype} and shape {levels.shape} for {len(temperatures)} temperatures; "
            "quantise it to uint8, with a channel for each"
        )
    scaled = np.empty_like(levels)
    for k, temperature in enumerate(temperatures):
        scaled[..., k] = temperature_table(temperature)[levels[..., k]]
    return scaled


def scale_counts(counts: Array, temperature: float) -> Array:
    """Return the counts (256, 2) that a map scaled by `apply_temperature` would have."""
    scaled = np.zeros_like(counts)
    np.add.at(scaled, temperature_table(temperature), counts)
    return scaled


def can_recalibrate(folds: Mapping[Any, Array]) -> bool:
    """Tell whether `recalibrate` has voxels both inside and outside, also without any one of the folds."""
    total = _sum(folds) if folds else np.zeros((len(LEVELS), 2))
    needed = [total, *(total - counts for counts in folds.values() if len(folds) > 1)]
    return all(bool(counts[1:].any(axis=0).all()) for counts in needed)


def recalibrate(folds: Mapping[Any, Array], bins: int = BINS) -> Recalibration:
    """Fit the temperature of a region, and tell what it changes.

    Parameters
    ----------
    folds
        Counts (256, 2) of the sessions of each fold; the fold says which sessions share a network.
    bins
        Of the expected calibration error.

    Raises
    ------
    ImageError
        There is no fold, or there are no voxels both inside and outside, of all or of all but one fold.
    """
    if not folds:
        raise ImageError("a temperature needs out-of-fold predictions; run the rule train_validate first")
    total = _sum(folds)
    temperature = fit_temperature(total)
    by_fold = {name: fit_temperature(total - counts) for name, counts in folds.items() if len(folds) > 1}
    scaled = _sum({n: scale_counts(counts, by_fold.get(n, temperature)) for n, counts in folds.items()})
    return Recalibration(temperature, by_fold, calibration(total, bins), calibration(scaled, bins), scaled)


def recalibration_rows(regions: Mapping[str, Recalibration]) -> list[dict[str, str | float | int | None]]:
    """Return a row with `RECALIBRATION_COLUMNS` for each region."""
    return [_row(region, result) for region, result in regions.items()]


def _row(region: str, result: Recalibration) -> dict[str, str | float | int | None]:
    row: dict[str, str | float | int | None] = {
        "region": region,
        "temperature": round(result.temperature, 4),
        "voxels": result.before.voxels,
        "cross_fitted": int(bool(result.by_fold)),
    }
    for figure in FIGURES:
        for when in ("before", "after"):
            row[f"{figure}_{when}"] = round(getattr(getattr(result, when), figure), 6)
    return row


def _sum(folds: Mapping[Any, Array]) -> Array:
    return np.sum(list(folds.values()), axis=0)
