"""How far the surfaces of two segmentations lie apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from gliaflow.errors import ImageError
from gliaflow.images import Array

WORST_MM = 373.13
"""What BraTS gives a region that is there or was found, but not both: the diagonal of its grid."""
PERCENTILE = 95


@dataclass(frozen=True)
class SurfaceScore:
    """Two figures from the same distances between two surfaces.

    Attributes
    ----------
    hd95_mm
        95 % Hausdorff distance, see `hausdorff95`.
    assd_mm
        Average symmetric surface distance: the mean of all distances of both directions (Heimann 2009).
    """

    hd95_mm: float
    assd_mm: float


def hausdorff95(first: Array, second: Array, spacing: Sequence[float]) -> float:
    """Return the 95 % Hausdorff distance of two masks, in mm.

    The distances from every surface voxel of one mask to the nearest surface voxel of the other, their 95th
    percentile in each direction, and of these two the larger (the definition of BraTS; Menze 2015, eq. 4 with
    a percentile for the maximum). A surface voxel is one of the mask with a face towards the background.

    Parameters
    ----------
    first, second
        Bool, of one shape (x, y, z).
    spacing
        Voxel size along the three axes in mm.

    Returns
    -------
    float
        0 where both are empty, `WORST_MM` where one is, as BraTS scores them.

    Raises
    ------
    ImageError
        The shapes differ.

    Examples
    --------
    >>> first, second = np.zeros((2, 5, 5, 5), dtype=bool)
    >>> first[1, 2, 2] = second[3, 2, 2] = True
    >>> hausdorff95(first, second, (1.5, 1.0, 1.0))
    3.0
    """
    return surface_score(first, second, spacing).hd95_mm


def surface_score(
    first: Array, second: Array, spacing: Sequence[float], *, worst_mm: float = WORST_MM
) -> SurfaceScore:
    """Return the 95 % Hausdorff distance and the average symmetric surface distance of two masks.

    Parameters
    ----------
    first, second
        Bool, of one shape (x, y, z).
    spacing
        Voxel size along the three axes in mm.
    worst_mm
        What both distances are where only one of the masks is empty; 0 where both are.

    Raises
    ------
    ImageError
        The shapes differ.

    Examples
    --------
    >>> first, second = np.zeros((2, 9, 1, 1), dtype=bool)
    >>> first[1] = first[7] = second[1] = True
    >>> score = surface_score(first, second, (1.0, 1.0, 1.0))
    >>> round(score.hd95_mm, 6), score.assd_mm
    (5.7, 2.0)
    """
    check_shapes(first, second)
    if not (first.any() and second.any()):
        distance = worst_mm if first.any() or second.any() else 0.0
        return SurfaceScore(distance, distance)
    there, back = surface_distances(first, second, spacing)
    hd95 = max(float(np.percentile(way, PERCENTILE)) for way in (there, back))
    return SurfaceScore(hd95, float(np.concatenate([there, back]).mean()))


def check_shapes(first: Array, second: Array) -> None:
    """Raise an ``ImageError`` where two masks have different shapes."""
    if first.shape != second.shape:
        raise ImageError(f"masks of shapes {first.shape} and {second.shape}; bring both to one grid")


def surface_distances(first: Array, second: Array, spacing: Sequence[float]) -> tuple[Array, Array]:
    """Return the distance of each surface voxel of a mask to the other's nearest one, in both directions.

    The nearest voxels come from a search tree over each surface. It gives the distances of a Euclidean
    distance transform without the voxels between the surfaces.

    Parameters
    ----------
    first, second
        Bool, of one shape (x, y, z), neither empty.
    spacing
        Voxel size along the three axes in mm.

    Returns
    -------
    tuple of Array
        float64, in mm: one for each surface voxel of ``first``, one for each of ``second``.
    """
    (box,) = ndimage.find_objects((first | second).astype(np.uint8))
    start, goal = (np.argwhere(surface(mask[box])) for mask in (first, second))
    return _to_nearest(start, goal, spacing), _to_nearest(goal, start, spacing)


def surface(mask: Array) -> Array:
    """Return the voxels of a mask (bool) with a face towards the background or the edge of the array."""
    return mask & ~ndimage.binary_erosion(mask)


def _to_nearest(start: Array, goal: Array, spacing: Sequence[float]) -> Array:
    size = np.asarray(spacing, dtype=float)
    _, nearest = KDTree(goal * size).query(start * size)
    steps = (goal[nearest] - start) * size
    return np.sqrt((steps * steps).sum(axis=1))
