"""Masks that several steps make alike."""

import numpy as np
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.images import Array

MOSTLY = 0.9
"""A stripped scan has a background of more than a tenth."""


def largest_part(mask: Array) -> Array:
    """Return the largest part of a mask, connected by faces, as bool; an empty mask as it is.

    >>> largest_part(np.array([True, False, True, True])).tolist()
    [False, False, True, True]
    """
    if not mask.any():
        return mask
    parts, _ = ndimage.label(mask)
    return np.asarray(parts == np.bincount(parts[mask]).argmax())


def boxes_round(mask: Array, margin: int = 4) -> list[tuple[slice, ...]]:
    """Return the box that a mask fills, wider by some voxels on each side; none for an empty mask.

    >>> boxes_round(np.arange(20) == 6)
    [(slice(2, 11, None),)]
    """
    boxes = ndimage.find_objects(mask.astype(np.uint8))
    return [tuple(slice(max(s.start - margin, 0), s.stop + margin) for s in box) for box in boxes]


def stripped_brain(values: Array, what: str) -> Array:
    """Return where a stripped scan is not 0, and the holes there, as bool.

    Parameters
    ----------
    values
        Shape (x, y, z).
    what
        Begins the error: a path, or a word for the scan.

    Raises
    ------
    ImageError
        Nearly every voxel has a value.
    """
    inside = values != 0
    if inside.mean() > MOSTLY:
        raise ImageError(
            f"{what}: the sheet or config calls the scan stripped, but nearly every voxel has a value other "
            "than 0; write stripped = no, or set the background to 0"
        )
    return np.asarray(ndimage.binary_fill_holes(inside))
