"""The separate lesions of a region: their number and sizes."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from gliaflow.images import Array

NEIGHBOURS = {6: 1, 18: 2, 26: 3}
"""Number of neighbours of a voxel, and how many of its indices differ at most."""
LESION_MEANINGS = {
    "lesions": "Separate lesions of the {region} (features.neighbours, features.smallest_lesion_ml)",
    "largest_lesion_ml": "Volume of the largest lesion of the {region} in ml",
    "mean_lesion_ml": "Mean volume of the lesions of the {region} in ml",
    "smallest_lesion_ml": "Volume of the smallest counted lesion of the {region} in ml",
}


def find_lesions(
    mask: Array, voxel_ml: float, *, neighbours: int, smallest_ml: float
) -> tuple[Array, list[float]]:
    """Number the separate lesions of a mask.

    Parameters
    ----------
    mask
        Bool, shape (x, y, z).
    voxel_ml
        Volume of a voxel in ml.
    neighbours
        6 (faces), 18 (and edges) or 26 (and corners).
    smallest_ml
        Smaller parts are left out.

    Returns
    -------
    tuple
        The lesions' numbers from 1 on, 0 elsewhere, int32, shape (x, y, z); and their volumes in ml.

    Examples
    --------
    >>> find_lesions(np.array([[[1, 1, 0, 1]]]) > 0, 0.1, neighbours=26, smallest_ml=0.15)
    (array([[[1, 1, 0, 0]]], dtype=int32), [0.2])
    """
    structure = ndimage.generate_binary_structure(3, NEIGHBOURS[neighbours])
    parts, count = ndimage.label(mask, structure=structure)
    volumes = np.bincount(parts.ravel(), minlength=count + 1)[1:] * voxel_ml
    kept = volumes >= smallest_ml
    numbers = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)]).astype(np.int32)
    return numbers[parts], [float(volume) for volume in volumes[kept]]


def lesion_features(volumes_ml: Sequence[float]) -> dict[str, float | int | None]:
    """Return the keys of `LESION_MEANINGS`; the sizes None where there is no lesion.

    >>> lesion_features([2.0, 1.0])["mean_lesion_ml"]
    1.5
    """
    sizes = (
        (max(volumes_ml), float(np.mean(volumes_ml)), min(volumes_ml)) if volumes_ml else (None, None, None)
    )
    return dict(zip(LESION_MEANINGS, (len(volumes_ml), *sizes), strict=True))
