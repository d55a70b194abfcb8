"""Boxes that are cut out of images and resampled."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform, gaussian_filter

from gliaflow.images import Array


def crop(
    image: Array,
    spacing: npt.ArrayLike,
    centre: npt.ArrayLike,
    shape: tuple[int, int, int],
    to_spacing: npt.ArrayLike,
) -> Array:
    """Cut a box out of an image and resample it, trilinear; smoothed first where it becomes coarser.

    Parameters
    ----------
    image
        Shape (x, y, z).
    spacing, to_spacing
        Voxel sizes in mm, before and after.
    centre
        Voxel of the image, fractions allowed, that the middle of the box lies at.
    shape
        Of the box, in voxels after.

    Returns
    -------
    ndarray
        float32 of that shape, 0 beyond the image.

    Examples
    --------
    >>> image = np.zeros((9, 9, 9)); image[4, 4, 4] = 1
    >>> crop(image, (1, 1, 1), (4, 4, 4), (3, 3, 3), (1, 1, 1))[1].tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    ratio = np.asarray(to_spacing, dtype=float) / np.asarray(spacing, dtype=float)
    smooth = gaussian_filter(np.asarray(image, dtype=np.float32), np.maximum(0, (ratio - 1) / 2))
    offset = np.asarray(centre, dtype=float) - ratio * (np.array(shape) - 1) / 2
    box: Array = affine_transform(
        smooth, np.diag(ratio), offset, output_shape=shape, order=1, output=np.float32
    )
    return box
