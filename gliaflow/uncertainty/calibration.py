"""Whether probabilities mean what they say: calibration figures, all of them from counts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gliaflow.errors import ConfigError, ImageError
from gliaflow.images import Array
from gliaflow.uncertainty.maps import LEVELS

BINS = 15
RELIABILITY_COLUMNS = {
    "region": "Region",
    "bin_low": "Lower end of the bin of probabilities",
    "bin_high": "Upper end of the bin",
    "voxels": "Number of voxels",
    "mean_probability": "Their mean probability of being inside the region; empty where there is no voxel",
    "observed_frequency": "Share of them that is inside the region; empty where there is no voxel",
}


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram in numbers.

    Attributes
    ----------
    edges
        Of bins of equal width, shape (bins + 1,), 0 to 1.
    voxels
        In each bin, shape (bins,).
    mean_probability, observed_frequency
        Of the voxels of each bin: their mean probability, and the share that is inside; NaN in an empty bin.
    """

    edges: Array
    voxels: Array
    mean_probability: Array
    observed_frequency: Array


@dataclass(frozen=True)
class Calibration:
    """How well probabilities fit the truth; None where no voxel was counted.

    Attributes
    ----------
    voxels
        Number of voxels.
    frequency
        Share of them inside the region.
    ece
        Expected calibration error: the bins' differences between mean probability and observed frequency,
        weighted by voxels.
    brier
        Brier score: mean squared difference between probability and truth.
    nll
        Negative log likelihood of the truth, natural logarithm, mean. Quantised probabilities lie between
        1/512 and 511/512, so that it needs no other limit.
    """

    voxels: int
    frequency: float | None
    ece: float | None
    brier: float | None
    nll: float | None


def reliability(counts: Array, bins: int = BINS) -> Reliability:
    """Return mean probability against observed frequency in bins of equal width.

    Parameters
    ----------
    counts
        Shape (256, 2), see `gliaflow.uncertainty.counts.level_counts`.
    bins
        At most 256; no level lies on an edge.

    Raises
    ------
    ConfigError
        The number of bins is not possible.
    ImageError
        The counts have another shape.
    """
    _check(counts, bins)
    which = np.floor(LEVELS * bins).astype(int)
    voxels = np.bincount(which, counts.sum(axis=1), bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(which, counts.sum(axis=1) * LEVELS, bins) / voxels
        frequency = np.bincount(which, counts[:, 1], bins) / voxels
    return Reliability(np.linspace(0, 1, bins + 1), voxels.astype(np.int64), mean, frequency)


def calibration(counts: Array, bins: int = BINS) -> Calibration:
    """Return the calibration figures of counts (256, 2).

    Raises
    ------
    ConfigError
        The number of bins is not possible.
    ImageError
        The counts have another shape.

    Examples
    --------
    >>> counts = np.zeros((256, 2), dtype=int)
    >>> counts[127] = 1, 1
    >>> figures = calibration(counts)
    >>> round(figures.ece, 4), round(figures.brier, 4), round(figures.nll, 4)
    (0.002, 0.25, 0.6932)
    """
    table = reliability(counts, bins)
    voxels = int(counts.sum())
    if not voxels:
        return Calibration(0, None, None, None, None)
    outside, inside = counts.T
    gaps = np.abs(table.mean_probability - table.observed_frequency)
    return Calibration(
        voxels=voxels,
        frequency=float(inside.sum() / voxels),
        ece=float(np.nansum(table.voxels * gaps) / voxels),
        brier=float((inside @ (1 - LEVELS) ** 2 + outside @ LEVELS**2) / voxels),
        nll=float(-(inside @ np.log(LEVELS) + outside @ np.log(1 - LEVELS)) / voxels),
    )


def reliability_rows(counts: Mapping[str, Array], bins: int = BINS) -> list[dict[str, str | float | int]]:
    """Return a row with `RELIABILITY_COLUMNS` for each region and bin."""
    rows: list[dict[str, str | float | int]] = []
    for region, of_region in counts.items():
        table = reliability(of_region, bins)
        rows += [
            {
                "region": region,
                "bin_low": round(float(table.edges[k]), 4),
                "bin_high": round(float(table.edges[k + 1]), 4),
                "voxels": int(table.voxels[k]),
                "mean_probability": round(float(table.mean_probability[k]), 4),
                "observed_frequency": round(float(table.observed_frequency[k]), 4),
            }
            for k in range(bins)
        ]
    return rows


def _check(counts: Array, bins: int) -> None:
    if not 1 <= bins <= len(LEVELS):
        raise ConfigError(f"bins: {bins}: is not possible; write a whole number from 1 to {len(LEVELS)}")
    if counts.shape != (len(LEVELS), 2):
        raise ImageError(f"counts of shape {counts.shape}, not {(len(LEVELS), 2)}; make them by level_counts")
