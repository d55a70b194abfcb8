"""Checks after every image step: a step that made a wrong image fails, it does not pass it on."""

from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import data_of, ml_per_voxel, same_grid, single_volume, spacing_of, to_ras

BRAIN_VOLUME_ML = (500.0, 2300.0)
LEAST_MUTUAL_INFORMATION = 0.1
SPATIAL_DIMENSIONS = 3


def check_image(
    image: nib.Nifti1Image,
    name: str | Path,
    *,
    like: nib.Nifti1Image | None = None,
    constant_ok: bool = False,
) -> None:
    """Check that an image is one that the next step can trust.

    Parameters
    ----------
    image
        Shape (x, y, z).
    name
        What to call it in an error: its path.
    like
        Where given, the grid that the image has to have.
    constant_ok
        Whether an image with one value everywhere is right (an empty lesion mask).

    Raises
    ------
    ImageError
        Not 3-D, an axis of one voxel, an affine that is singular, sheared or not finite, a voxel that is
        not finite, a constant image, or another grid than ``like``.
    """
    if len(image.shape) != SPATIAL_DIMENSIONS:
        raise ImageError(f"{name}: has shape {image.shape}, but one 3-D volume is needed")
    if min(image.shape) < 2:
        raise ImageError(f"{name}: has shape {image.shape}; an axis of one voxel is a picture, not a volume")
    check_affine(image.affine, name)
    data = np.asanyarray(image.dataobj)
    if not np.isfinite(data).all():
        count = int((~np.isfinite(data)).sum())
        raise ImageError(f"{name}: {count} voxels are not finite (NaN or infinite)")
    if not constant_ok and data.min() == data.max():
        raise ImageError(f"{name}: every voxel has the value {data.min():g}; the image is empty")
    if like is not None and not same_grid(image, like):
        raise ImageError(
            f"{name}: lies on another grid: shape {image.shape} against {like.shape[:3]}, first voxel at "
            f"{np.round(image.affine[:3, 3], 2)} mm against {np.round(like.affine[:3, 3], 2)} mm"
        )


def checked_volume(file: nib.Nifti1Image, name: str | Path, *, constant_ok: bool = False) -> nib.Nifti1Image:
    """Return an image in RAS+ (the same object where it is so) that `check_image` accepts."""
    image = to_ras(single_volume(file))
    check_image(image, name, constant_ok=constant_ok)
    return image


def check_affine(affine: np.ndarray, name: str | Path) -> None:
    """Check that an affine is finite, invertible, not sheared and of a voxel size between 0.1 and 20 mm."""
    if not np.isfinite(affine).all():
        raise ImageError(f"{name}: its affine has values that are not finite")
    size = np.linalg.norm(affine[:3, :3], axis=0)
    if (size < 0.1).any() or (size > 20).any():
        raise ImageError(f"{name}: its voxels measure {np.round(size, 3)} mm; 0.1 to 20 mm is plausible")
    cosines = affine[:3, :3] / size
    if np.abs(cosines.T @ cosines - np.eye(3)).max() > 1e-2:
        raise ImageError(f"{name}: its axes are not at right angles; resample it on a straight grid")


def check_mask(
    mask: nib.Nifti1Image,
    name: str | Path,
    *,
    like: nib.Nifti1Image,
    volume_ml: tuple[float, float] = BRAIN_VOLUME_ML,
) -> float:
    """Check a brain mask: grid, values 0 and 1, and a plausible volume.

    Returns
    -------
    float
        The volume in ml.

    Raises
    ------
    ImageError
        The mask is empty, has other values, or its volume is outside ``volume_ml``.
    """
    check_image(mask, name, like=like)
    data = data_of(mask)
    if not np.isin(data, (0, 1)).all():
        raise ImageError(f"{name}: a mask holds 0 and 1 only, this one also {np.unique(data)[:5]}")
    volume = float(data.sum() * ml_per_voxel(spacing_of(mask)))
    if not volume_ml[0] <= volume <= volume_ml[1]:
        raise ImageError(
            f"{name}: the mask measures {volume:.0f} ml, outside {volume_ml[0]:g} to {volume_ml[1]:g} ml; "
            "look at the picture of the scan, and give a mask in the column brain_mask if the scan is right"
        )
    return volume


def check_inside(
    mask: nib.Nifti1Image, grid: nib.Nifti1Image, matrix: np.ndarray, name: str | Path, *, least: float = 0.95
) -> None:
    """Check that a mask comes to lie inside a grid.

    Parameters
    ----------
    mask
        The brain in its own space.
    grid
        Image whose field of view has to hold it.
    matrix
        (4, 4), the mask's space to the grid's.
    name
        What is carried there.
    least
        The share of the mask's voxels whose centres have to arrive.

    Raises
    ------
    ImageError
        More of the mask lies outside: the registration is wrong, or the grid too small.
    """
    to_voxel = np.linalg.inv(matrix @ grid.affine) @ mask.affine
    voxels = nib.affines.apply_affine(to_voxel, np.argwhere(data_of(mask) > 0))
    inside = ((voxels >= -0.5) & (voxels <= np.array(grid.shape[:3]) - 0.5)).all(axis=1)
    if inside.mean() < least:
        raise ImageError(
            f"{name}: only {inside.mean():.0%} of the brain lies inside the grid; the registration is wrong, "
            "or the atlas is too small: look at the picture of the brain mask"
        )


def check_similarity(
    before: float, after: float, name: str | Path, *, shared: float | None = None, tolerance: float = 0.02
) -> None:
    """Check that a registration made two images more alike than they were.

    Parameters
    ----------
    before, after
        Mutual information (nats, larger is more alike) at the unregistered start and at the result.
    name
        What was registered.
    shared
        Mutual information where both images have voxels; ``after`` where it is not known.
    tolerance
        The share of ``before`` that may be lost: an already aligned pair moves by less than a voxel.

    Raises
    ------
    ImageError
        The result is less alike than the start, not finite, or below 0.1 nats: noise has about 0.01 with any
        scan, two scans of one head 0.4 and more.
    """
    common = after if shared is None else shared
    if common < LEAST_MUTUAL_INFORMATION:
        raise ImageError(
            f"{name}: the registered images have next to nothing in common (mutual "
            f"information {common:.4f}); look at both scans, one may be noise or another body"
        )
    if not np.isfinite([before, after]).all() or after < before * (1 - tolerance):
        raise ImageError(
            f"{name}: registration made the images less alike (mutual information {before:.4f} before, "
            f"{after:.4f} after); look at both scans, they may show different bodies or parts"
        )
