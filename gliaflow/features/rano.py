"""Bidimensional diameters as the RANO criteria measure them, from a label map.

On the axial slice where a lesion is largest, the longest diameter and the longest one at a right angle to it
(BrainLes 2021, S2; Wen et al. 2010, doi:10.1200/JCO.2009.26.3541).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import find_contours

from gliaflow.features.lesions import find_lesions
from gliaflow.images import Array, ml_per_voxel
from gliaflow.labels import region_mask

ALIKE = 1e-9
"""Two lengths whose ratio differs less from 1 are the same."""
EIGHT = np.ones((3, 3), dtype=bool)
GROUPED_BY = {"ET": "TC"}
"""The parts of an enhancing rim are one lesion where one core joins them."""
RANO_MEANINGS = {
    "rano_longest_mm": "Longest diameter of the lesion of the {region} with the largest product, in mm",
    "rano_perpendicular_mm": "Its longest diameter at a right angle to that, in mm",
    "rano_product_mm2": "Product of these two diameters of the {region} in mm^2",
    "rano_measurable_lesions": "Lesions of the {region} whose diameters both reach features.measurable_mm",
    "rano_sum_mm2": "Sum of the products of the measurable lesions of the {region} in mm^2; 0 if none",
}


@dataclass(frozen=True)
class Diameters:
    """The two diameters of a shape in a plane: lengths in mm, and ends in voxels, each of shape (2, 2)."""

    longest_mm: float
    perpendicular_mm: float
    longest: Array
    perpendicular: Array

    @property
    def product_mm2(self) -> float:
        """The product of both."""
        return self.longest_mm * self.perpendicular_mm

    def measurable(self, least_mm: float) -> bool:
        """Whether both reach a length, but for rounding."""
        return min(self.longest_mm, self.perpendicular_mm) >= least_mm * (1 - ALIKE)


@dataclass(frozen=True)
class MeasuredLesion:
    """A lesion's diameters and the axial slice, an index of the third axis, that they lie on."""

    slice: int
    diameters: Diameters
    volume_ml: float


def bidimensional(mask: Array, spacing: Sequence[float]) -> Diameters:
    """Measure the longest diameter of a shape in a plane, and the longest one at a right angle to it.

    Both join points of the outline, which runs midway between the centres of voxels inside and outside; where
    a shape is curved they may leave it. Of several longest diameters, that with the longest perpendicular.

    Parameters
    ----------
    mask
        Bool, shape (x, y), not empty.
    spacing
        Voxel size along the two axes in mm.

    Examples
    --------
    >>> found = bidimensional(np.ones((20, 1), dtype=bool), (1.0, 5.0))
    >>> found.longest_mm, round(found.perpendicular_mm, 3)
    (20.0, 5.0)
    """
    size = np.asarray(spacing, dtype=float)
    lines = [(line - 1) * size for line in find_contours(np.pad(mask, 1).astype(float), 0.5)]
    points = np.concatenate(lines)
    hull = points[ConvexHull(points).vertices]
    distances = pdist(hull)
    first, second = np.triu_indices(len(hull), 1)
    as_long = np.flatnonzero(distances >= distances.max() * (1 - ALIKE))
    edges = np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in lines])
    found = [
        (hull[[a, b]], _longest_across(edges, hull[b] - hull[a]))
        for a, b in zip(first[as_long], second[as_long], strict=True)
    ]
    longest, across = max(found, key=lambda ends: _length(ends[1]))
    return Diameters(_length(longest), _length(across), longest / size, across / size)


def _longest_across(edges: Array, along: Array) -> Array:
    """Return the ends of the longest line across an outline, at a right angle to a direction, shape (2, 2).

    The width is linear between the places of two vertices, so that its maximum is at one of them.
    """
    direction = along / np.linalg.norm(along)
    normal = np.array([-direction[1], direction[0]])
    start, end = edges[:, 0], edges[:, 1]
    t0, t1, s0, s1 = start @ direction, end @ direction, start @ normal, end @ normal
    places = np.unique(t0)[:, np.newaxis]
    length = np.where(t0 == t1, 1.0, t1 - t0)
    share = np.clip((places - t0) / length, 0, 1)
    crossing = (places >= np.minimum(t0, t1)) & (places <= np.maximum(t0, t1))
    height = s0 + share * (s1 - s0)
    flat = crossing & (t0 == t1)
    high = np.where(flat, np.maximum(s0, s1), np.where(crossing, height, -np.inf)).max(axis=1)
    low = np.where(flat, np.minimum(s0, s1), np.where(crossing, height, np.inf)).min(axis=1)
    widest = int(np.argmax(high - low))
    ends = np.array([low[widest], high[widest]])
    return places[widest] * direction + ends[:, np.newaxis] * normal


def _length(ends: Array) -> float:
    return float(np.linalg.norm(ends[1] - ends[0]))


def measure_lesions(
    labels: Array,
    region: str,
    spacing: Sequence[float],
    regions: Sequence[str],
    *,
    neighbours: int = 26,
    smallest_ml: float = 0.0,
) -> list[MeasuredLesion]:
    """Measure each lesion of a region on its largest axial slice.

    A lesion is a separate part of the region; of the enhancing tumour, what lies in one separate part of the
    tumour core. On each slice its separate pieces (8 neighbours), holes filled, are compared, and the largest
    one is measured; of several as large, the one with the largest product.

    Parameters
    ----------
    labels
        Label map in RAS order, integers, shape (x, y, z).
    region
        ``ET``, ``TC`` or ``WT``.
    spacing
        Voxel size along the three axes in mm.
    regions
        Those that were determined.
    neighbours, smallest_ml
        See `gliaflow.features.lesions.find_lesions`; the volume is that of the region within the lesion.

    Returns
    -------
    list of MeasuredLesion
        The largest product first.
    """
    inside = region_mask(labels, region)
    group = GROUPED_BY.get(region, region)
    joined = region_mask(labels, group) if group in regions else inside
    voxel_ml = ml_per_voxel(spacing)
    parts, _ = find_lesions(joined, voxel_ml, neighbours=neighbours, smallest_ml=0.0)
    lesions = []
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        part = parts[box] == number
        volume_ml = int((part & inside[box]).sum()) * voxel_ml
        if volume_ml and volume_ml >= smallest_ml:
            offset = np.array([side.start for side in box])
            lesions.append(_measured(part, inside[box], offset, spacing, volume_ml))
    return sorted(lesions, key=lambda lesion: (-lesion.diameters.product_mm2, lesion.slice))


def _measured(
    part: Array, inside: Array, offset: Array, spacing: Sequence[float], volume_ml: float
) -> MeasuredLesion:
    pieces = list(_pieces(part, inside))
    largest = max(int(piece.sum()) for _, piece in pieces)
    measured = [(k, bidimensional(p, spacing[:2])) for k, p in pieces if int(p.sum()) == largest]
    index, found = max(measured, key=lambda pair: pair[1].product_mm2)
    moved = Diameters(
        found.longest_mm,
        found.perpendicular_mm,
        found.longest + offset[:2],
        found.perpendicular + offset[:2],
    )
    return MeasuredLesion(index + int(offset[2]), moved, volume_ml)


def _pieces(part: Array, inside: Array) -> Iterator[tuple[int, Array]]:
    """Give slice and mask, holes filled, of each piece of a lesion that holds something of its region."""
    for index in range(part.shape[2]):
        pieces, count = ndimage.label(part[..., index], structure=EIGHT)
        for number in range(1, count + 1):
            own = (pieces == number) & inside[..., index]
            if own.any():
                yield index, ndimage.binary_fill_holes(own)


def rano_features(lesions: Sequence[MeasuredLesion], measurable_mm: float) -> dict[str, float | int | None]:
    """Return the keys of `RANO_MEANINGS`; the diameters None where there is no lesion.

    Parameters
    ----------
    lesions
        From `measure_lesions`.
    measurable_mm
        What both diameters of a measurable lesion reach; 10 by RANO.
    """
    counted = [one.diameters.product_mm2 for one in lesions if one.diameters.measurable(measurable_mm)]
    first = lesions[0].diameters if lesions else None
    return {
        "rano_longest_mm": first.longest_mm if first else None,
        "rano_perpendicular_mm": first.perpendicular_mm if first else None,
        "rano_product_mm2": first.product_mm2 if first else None,
        "rano_measurable_lesions": len(counted),
        "rano_sum_mm2": float(sum(counted)),
    }
