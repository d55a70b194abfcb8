"""How many lesions of which size were found, as counts that add up over a cohort (BrainLes 2021, S2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, pi
from typing import Any

import numpy as np
from scipy import ndimage

from gliaflow.errors import ConfigError
from gliaflow.evaluate.surface import check_shapes
from gliaflow.images import Array, ml_per_voxel

DETECTION_COLUMNS = {
    "low_ml": "The lesions and false components of this row have this volume in ml or more",
    "high_ml": "and less than this; empty where there is no limit",
    "scans": "Scans",
    "lesions": "Lesions of the truth",
    "detected": "Lesions of which at least one voxel was found",
    "detection_rate": "Share of the lesions that was detected; empty where there is no lesion",
    "lesion_dice": "Mean Dice coefficient of these lesions, 0 where one was not detected; empty likewise",
    "false": "Found components without a voxel of a lesion, by their own volume",
    "false_per_scan": "Their number for each scan",
}


def sphere_ml(diameter_mm: float) -> float:
    """Return the volume of a sphere.

    >>> round(sphere_ml(10), 3)
    0.524
    """
    return pi * diameter_mm**3 / 6000


EDGES_ML = (sphere_ml(3), sphere_ml(6))
"""The sizes of metastases in S2: diameters below 3 mm, up to 6 mm, and 6 mm or more."""


@dataclass(frozen=True)
class SizeCount:
    """Counts of one range of sizes.

    Attributes
    ----------
    lesions, detected
        Lesions of the truth, and those of which at least one voxel was found.
    dice
        Sum over the lesions of the Dice coefficient with all components that have a voxel of the lesion.
    false
        Components of this size without a voxel of any lesion.
    """

    lesions: int = 0
    detected: int = 0
    dice: float = 0.0
    false: int = 0

    def __add__(self, other: "SizeCount") -> "SizeCount":
        """Return the counts of both."""
        return SizeCount(
            self.lesions + other.lesions,
            self.detected + other.detected,
            self.dice + other.dice,
            self.false + other.false,
        )


@dataclass(frozen=True)
class Detection:
    """Counts of scans; those of a cohort are their sum, from ``Detection.none(edges_ml)`` on.

    Attributes
    ----------
    edges_ml
        Volumes at which a range ends and the next begins, rising; what lies on an edge is in the upper one.
    scans
        Number of scans.
    sizes
        One more than edges.
    """

    edges_ml: tuple[float, ...]
    scans: int
    sizes: tuple[SizeCount, ...]

    @classmethod
    def none(cls, edges_ml: Sequence[float] = EDGES_ML) -> "Detection":
        """Return the counts of no scans."""
        return cls(tuple(edges_ml), 0, (SizeCount(),) * (len(edges_ml) + 1))

    def __add__(self, other: "Detection") -> "Detection":
        """Return the counts of both.

        Raises
        ------
        ConfigError
            The edges differ.
        """
        if self.edges_ml != other.edges_ml:
            raise ConfigError(
                f"lesions counted by the volumes {self.edges_ml} and {other.edges_ml} ml cannot be added; "
                "count them all by the same"
            )
        sizes = tuple(mine + theirs for mine, theirs in zip(self.sizes, other.sizes, strict=True))
        return Detection(self.edges_ml, self.scans + other.scans, sizes)


@dataclass(frozen=True)
class _Components:
    """A mask's connected parts by number, and how many voxels each has, background first."""

    labels: Array
    voxels: Array


def detect_lesions(
    truth: Array, found: Array, spacing: Sequence[float], edges_ml: Sequence[float] = EDGES_ML
) -> Detection:
    """Count the lesions of a scan, those that were found, and what was found where there is none.

    A lesion is what is connected by faces, edges or corners of voxels, without any dilation.

    Parameters
    ----------
    truth, found
        Bool, of one shape (x, y, z).
    spacing
        Voxel size along the three axes in mm.
    edges_ml
        Rising volumes that part the ranges of sizes.

    Raises
    ------
    ConfigError
        The edges are not above 0 and rising.
    ImageError
        The shapes differ.

    Examples
    --------
    >>> truth, found = np.zeros((2, 9, 3, 3), dtype=bool)
    >>> truth[:2] = truth[8] = found[:1] = True
    >>> counts = detect_lesions(truth, found, (1.0, 1.0, 1.0), edges_ml=[0.01])
    >>> counts.sizes[0].detected, counts.sizes[1].detected
    (0, 1)
    """
    check_shapes(truth, found)
    edges = np.array([0.0, *edges_ml])
    if (np.diff(edges) <= 0).any():
        raise ConfigError(f"volumes {list(edges_ml)} ml: write rising numbers above 0, such as 0.014, 0.113")
    if not (truth.any() or found.any()):
        return replace(Detection.none(edges_ml), scans=1)
    (box,) = ndimage.find_objects((truth | found).astype(np.uint8))
    lesions, components = _components(truth[box]), _components(found[box])
    dice, touched = _match(lesions, components)
    lesion_size, component_size = (
        np.searchsorted(edges, parts.voxels[1:] * ml_per_voxel(spacing), side="right") - 1
        for parts in (lesions, components)
    )
    sizes = tuple(
        SizeCount(
            lesions=int((lesion_size == k).sum()),
            detected=int((dice[lesion_size == k] > 0).sum()),
            dice=float(dice[lesion_size == k].sum()),
            false=int((~touched & (component_size == k)).sum()),
        )
        for k in range(len(edges))
    )
    return Detection(tuple(edges_ml), 1, sizes)


def detection_rows(detection: Detection) -> list[dict[str, Any]]:
    """Return a row with the columns `DETECTION_COLUMNS` for each range of sizes."""
    bounds = [0.0, *detection.edges_ml, inf]
    return [
        {
            "low_ml": low,
            "high_ml": None if high == inf else high,
            "scans": detection.scans,
            "lesions": size.lesions,
            "detected": size.detected,
            "detection_rate": size.detected / size.lesions if size.lesions else None,
            "lesion_dice": size.dice / size.lesions if size.lesions else None,
            "false": size.false,
            "false_per_scan": size.false / detection.scans if detection.scans else None,
        }
        for low, high, size in zip(bounds, bounds[1:], detection.sizes, strict=False)
    ]


def _components(mask: Array) -> _Components:
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return _Components(labels, np.bincount(labels.ravel()))


def _match(lesions: _Components, components: _Components) -> tuple[Array, Array]:
    """Return the Dice of each lesion, and for each component whether it has a voxel of one."""
    common = (lesions.labels > 0) & (components.labels > 0)
    several, count = len(components.voxels), len(lesions.voxels)
    pairs = lesions.labels[common].astype(np.int64) * several + components.labels[common]
    pairs, overlap = np.unique(pairs, return_counts=True)
    lesion, component = np.divmod(pairs, several)
    both = np.bincount(lesion, overlap, count)[1:]
    found = np.bincount(lesion, components.voxels[component], count)[1:]
    return 2 * both / (lesions.voxels[1:] + found), np.isin(np.arange(1, several), component)
