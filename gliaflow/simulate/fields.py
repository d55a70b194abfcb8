"""Seeded random fields and points on a grid: what the generator is made from."""

from zlib import crc32

import numpy as np
import SimpleITK as sitk
from scipy.interpolate import BSpline

from gliaflow.images import Array, new_image, to_sitk


def named_rng(seed: int, *names: str) -> np.random.Generator:
    """Return a generator of its own for a named part: adding a part changes no other part's numbers.

    >>> named_rng(1, "demo01", "head").random() == named_rng(1, "demo01", "head").random()
    True
    """
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


def smooth_noise(
    shape: tuple[int, ...], spacing: tuple[float, ...], scale_mm: float, rng: np.random.Generator
) -> Array:
    """Draw a smooth random field: cubic B-splines on a coarse grid, with normal coefficients.

    Parameters
    ----------
    shape
        Of the field, in voxels.
    spacing
        Voxel size in mm, one per axis.
    scale_mm
        Distance of the coarse grid's points: about half the size of a blob.
    rng
        Where the numbers come from.

    Returns
    -------
    Array
        float32, mean 0, standard deviation 1.
    """
    counts = [int(np.ceil((n - 1) * s / scale_mm)) + 4 for n, s in zip(shape, spacing, strict=True)]
    field = rng.standard_normal(counts)
    offsets = rng.random(len(shape))
    for axis, (count, offset) in enumerate(zip(counts, offsets, strict=True)):
        knots = np.arange(count + 4) - 3.0
        field = BSpline(knots, field, 3, axis=axis)(
            offset + np.arange(shape[axis]) * spacing[axis] / scale_mm
        )
    return ((field - field.mean()) / field.std()).astype(np.float32)


def world_points(affine: Array, shape: tuple[int, ...]) -> Array:
    """Return the world coordinates of every voxel, float32, shape (3, x, y, z), mm."""
    axes = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
    linear = affine[:3, :3].astype(np.float32)
    return np.stack(
        [sum((linear[row, k] * axes[k] for k in range(3)), np.float32(affine[row, 3])) for row in range(3)]
    )


def signed_distance(mask: Array, affine: Array) -> Array:
    """Return the distance to a mask's surface in mm, float32, shape (x, y, z), negative inside."""
    image = to_sitk(new_image(mask, affine, np.uint8), np.uint8)
    distance = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return np.ascontiguousarray(sitk.GetArrayViewFromImage(distance).T)


def blob(points: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """Return about how far points lie outside an ellipsoid along the RAS axes, in mm, negative inside.

    Parameters
    ----------
    points
        Shape (3, ...), mm.
    centre, radii
        Of the ellipsoid, mm; an infinite radius makes a cylinder.

    Returns
    -------
    Array
        Shape (...); exact on the surface.
    """
    squares = sum(((points[k] - centre[k]) / radii[k]) ** 2 for k in range(3) if np.isfinite(radii[k]))
    return (np.sqrt(squares) - 1) * min(radii)
