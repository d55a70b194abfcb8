"""Whole heads as the brain extraction network sees them: coarse cubic voxels over the field of view."""

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from gliaflow.images import Array, data_of, from_sitk, new_image, spacing_of, to_ras, to_sitk

CLIPPED_PERCENTILES = (0.5, 99.8)
FWHM_PER_SIGMA = 2.355


def to_head_grid(image: nib.Nifti1Image, spacing_mm: float) -> nib.Nifti1Image:
    """Resample a scan to cubic voxels that cover its field of view.

    Parameters
    ----------
    image
        Shape (x, y, z), any spacing and orientation.
    spacing_mm
        Length of a voxel's edge in the result.

    Returns
    -------
    nibabel.Nifti1Image
        float32, the image's axes in their order nearest to RAS+; smoothed along the axes that get coarser,
        linear between slices that get closer; clipped to its 0.5 and 99.8 percentiles.
    """
    head = to_ras(image)
    grid = _cubic_grid(head, spacing_mm)
    values = data_of(_on_grid(head, grid))
    low, high = np.percentile(values, CLIPPED_PERCENTILES)
    return new_image(np.clip(values, low, high), grid.affine)


def mask_to_head_grid(mask: nib.Nifti1Image, like: nib.Nifti1Image) -> nib.Nifti1Image:
    """Resample a mask to the grid of a head: 1 where it fills at least half of the voxel.

    Parameters
    ----------
    mask
        0 and other values, shape (x, y, z), any spacing and orientation.
    like
        From :func:`to_head_grid`, or any image with cubic voxels.

    Returns
    -------
    nibabel.Nifti1Image
        uint8 on the grid of ``like``; 0 where the mask's grid does not reach.
    """
    share = _on_grid(to_ras(new_image(data_of(mask) > 0, mask.affine)), like)
    return new_image(data_of(share) >= 0.5, like.affine, np.uint8)


def _cubic_grid(head: nib.Nifti1Image, spacing_mm: float) -> nib.Nifti1Image:
    """Make an empty grid round the same centre whose voxels have their centres in the field of view."""
    spacing = np.array(spacing_of(head))
    shape = np.maximum(np.ceil(np.array(head.shape) * spacing / spacing_mm - 1e-3), 1).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = head.affine[:3, :3] / spacing * spacing_mm
    centre = head.affine[:3, :3] @ ((np.array(head.shape) - 1) / 2) + head.affine[:3, 3]
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    return new_image(np.zeros(shape), affine)


def _on_grid(image: nib.Nifti1Image, grid: nib.Nifti1Image) -> nib.Nifti1Image:
    """Smooth to the voxels of a grid of near axes, and interpolate linearly; 0 beyond the field of view."""
    smooth = new_image(_smoothed(image, spacing_of(grid)), image.affine)
    moved: sitk.Image = sitk.Resample(to_sitk(smooth), to_sitk(grid), sitk.Transform(), sitk.sitkLinear, 0.0)
    return from_sitk(moved)


def _smoothed(image: nib.Nifti1Image, target: tuple[float, float, float]) -> Array:
    """Smooth along the axes finer than the target, by what widens the voxel's profile to the target's."""
    values = data_of(image)
    for axis, (fine, coarse) in enumerate(zip(spacing_of(image), target, strict=True)):
        if fine < coarse * 0.99:
            sigma = np.sqrt(coarse**2 - fine**2) / FWHM_PER_SIGMA / fine
            values = ndimage.gaussian_filter1d(values, sigma, axis=axis, mode="nearest", truncate=3.0)
    return values
