"""How far the surfaces of two segmentations lie apart."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.images import Array

WORST_MM = 373.13
"""What BraTS gives a region that is there or was found, but not both: the diagonal of its grid."""


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
    if first.shape != second.shape:
        raise ImageError(f"masks of shapes {first.shape} and {second.shape}; bring both to one grid")
    if not (first.any() and second.any()):
        return WORST_MM if first.any() or second.any() else 0.0
    (box,) = ndimage.find_objects((first | second).astype(np.uint8))
    surfaces = [surface(mask[box]) for mask in (first, second)]
    there, back = (_percentile(a, b, spacing) for a, b in (surfaces, surfaces[::-1]))
    return max(there, back)


def surface(mask: Array) -> Array:
    """Return the voxels of a mask (bool) with a face towards the background or the edge of the array."""
    return mask & ~ndimage.binary_erosion(mask)


def _percentile(start: Array, goal: Array, spacing: Sequence[float]) -> float:
    return float(np.percentile(ndimage.distance_transform_edt(~goal, sampling=spacing)[start], 95))
