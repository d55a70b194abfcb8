"""Probabilities against the truth, reduced to counts that add up over sessions."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.images import Array
from gliaflow.labels import region_mask
from gliaflow.masks import boxes_round
from gliaflow.tables import write_table

LEVELS = 256
WHOLE = "WT"
COUNT_COLUMNS = {
    "region": "Region",
    "level": "Value of the quantised probability map, 0 to 255; it stands for (level + 0.5) / 256",
    "outside": "Voxels of the region of interest with this value that are outside the region",
    "inside": "Voxels of the region of interest with this value that are inside the region",
}


def region_of_interest(
    truth: Array, found: Array, brain: Array, spacing: Sequence[float], margin_mm: float = 10.0
) -> Array:
    """Return where calibration is measured: the tumour, true or found, and a margin, inside the brain.

    Over a whole image the clear background would hide every error.

    Parameters
    ----------
    truth, found
        Whole tumour, bool, shape (x, y, z).
    brain
        Bool, of the same shape.
    spacing
        Voxel size along the three axes in mm.
    margin_mm
        Voxels whose centre is at most this far from one of the tumour belong to it.

    Returns
    -------
    Array
        Bool, shape (x, y, z); empty where there is no tumour.

    Raises
    ------
    ImageError
        The shapes differ.
    """
    _check_shapes(truth.shape, found.shape, brain.shape)
    tumour, near = truth | found, np.zeros(brain.shape, dtype=bool)
    for box in boxes_round(tumour, math.ceil(margin_mm / min(spacing))):
        near[box] = ndimage.distance_transform_edt(~tumour[box], sampling=spacing) <= margin_mm
    return near & brain


def level_counts(levels: Array, truth: Array, interest: Array) -> Array:
    """Count voxels by their quantised probability and the truth.

    Parameters
    ----------
    levels
        One region of a probability map, uint8, any shape.
    truth
        Whether a voxel is inside the region, bool, of the same shape.
    interest
        The voxels that count, bool, of the same shape.

    Returns
    -------
    Array
        int64, shape (256, 2): for each level the voxels outside and inside. Counts of sessions may be added.

    Raises
    ------
    ImageError
        The shapes differ, or the map is not quantised.

    Examples
    --------
    >>> counts = level_counts(np.array([0, 200, 200], np.uint8), np.array([0, 0, 1]) > 0, np.ones(3, bool))
    >>> counts[0].tolist(), counts[200].tolist()
    ([1, 0], [1, 1])
    """
    _check_shapes(levels.shape, truth.shape, interest.shape)
    if levels.dtype != np.uint8:
        raise ImageError(f"probabilities of type {levels.dtype}; quantise them to uint8 first")
    cells = 2 * levels[interest].astype(np.int64) + truth[interest].astype(bool)
    return np.bincount(cells, minlength=2 * LEVELS).reshape(LEVELS, 2)


def counts_around_tumour(
    levels: Array,
    regions: Sequence[str],
    labels: Array,
    *,
    found: Array,
    brain: Array,
    spacing: Sequence[float],
    margin_mm: float = 10.0,
) -> dict[str, Array]:
    """Count the voxels in and around a session's tumour by probability and truth, region by region.

    Parameters
    ----------
    levels
        Quantised probabilities, uint8, shape (x, y, z, regions).
    regions
        The channels.
    labels
        The truth, values of resources/labels.tsv, integers, shape (x, y, z).
    found, brain, spacing, margin_mm
        See `region_of_interest`.

    Returns
    -------
    dict
        By region, see `level_counts`.
    """
    interest = region_of_interest(region_mask(labels, WHOLE), found, brain, spacing, margin_mm)
    return {
        region: level_counts(levels[..., k], region_mask(labels, region), interest)
        for k, region in enumerate(regions)
    }


def write_counts(path: Path, counts: Mapping[str, Array]) -> None:
    """Write counts by region as a table with `COUNT_COLUMNS`, which `read_counts` reads."""
    rows = [
        {"region": region, "level": level, "outside": int(outside), "inside": int(inside)}
        for region, of_region in counts.items()
        for level, (outside, inside) in enumerate(of_region)
    ]
    write_table(path, rows, COUNT_COLUMNS)


def read_counts(path: Path) -> dict[str, Array]:
    """Read counts by region.

    Raises
    ------
    ImageError
        The table lacks a level.
    """
    table = pd.read_csv(path, sep="\t")
    counts = {}
    for region, rows in table.groupby("region", sort=False):
        if rows["level"].tolist() != list(range(LEVELS)):
            raise ImageError(f"{path}: does not hold each level of {region} once; delete it and run again")
        counts[str(region)] = rows[["outside", "inside"]].to_numpy(dtype=np.int64)
    return counts


def _check_shapes(*shapes: tuple[int, ...]) -> None:
    if len(set(shapes)) > 1:
        raise ImageError(f"arrays of shapes {', '.join(map(str, shapes))}; bring all to one grid")
