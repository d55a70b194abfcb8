"""Carrying images and masks to another grid, each interpolated once."""

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from gliaflow.errors import ImageError
from gliaflow.images import (
    Array,
    data_of,
    from_sitk,
    new_image,
    read_image,
    same_grid,
    single_volume,
    to_ras,
    to_sitk,
)
from gliaflow.labels import given_labels
from gliaflow.preprocess.transforms import matrix_to_sitk

INTERPOLATORS = {
    "linear": sitk.sitkLinear,
    "bspline": sitk.sitkBSpline,
    "lanczos": sitk.sitkLanczosWindowedSinc,
}


def resample(
    image: nib.Nifti1Image, grid: nib.Nifti1Image, matrix: Array, *, interpolation: str = "linear"
) -> nib.Nifti1Image:
    """Carry an image to a grid.

    Parameters
    ----------
    image
        Shape (x, y, z).
    grid
        Image whose grid the result has.
    matrix
        (4, 4) from the image's space to the grid's (composed, so that values are interpolated once).
    interpolation
        ``linear``, ``bspline`` or ``lanczos``; what the last two undershoot is cut at the image's minimum.

    Returns
    -------
    nibabel.Nifti1Image
        float32, 0 outside the image's field of view.
    """
    source = to_sitk(image)
    moved = sitk.Resample(source, to_sitk(grid), matrix_to_sitk(matrix), INTERPOLATORS[interpolation], 0.0)
    low = min(float(data_of(image).min()), 0.0)
    return from_sitk(sitk.Maximum(moved, low))


def resample_mask(mask: nib.Nifti1Image, grid: nib.Nifti1Image, matrix: Array) -> nib.Nifti1Image:
    """Carry a mask to a grid through its signed distance, which stays smooth between thick slices; uint8."""
    if not data_of(mask).any():
        return new_image(np.zeros(grid.shape[:3]), grid.affine, np.uint8)
    distance = _signed_distance(to_sitk(mask, np.uint8))
    moved = sitk.Resample(distance, to_sitk(grid), matrix_to_sitk(matrix), sitk.sitkLinear, 1e3)
    return new_image(sitk.GetArrayFromImage(moved).T <= 0, grid.affine, np.uint8)


def resample_labels(labels: nib.Nifti1Image, grid: nib.Nifti1Image, matrix: Array) -> nib.Nifti1Image:
    """Carry a label map to a grid: each label's share is interpolated, and the largest one wins; uint8."""
    values = data_of(labels, np.uint8)
    present = [0, *(int(value) for value in np.unique(values) if value)]
    shares = [data_of(resample(new_image(values == value, labels.affine), grid, matrix)) for value in present]
    shares[0] = 1 - sum(shares[1:], start=np.zeros_like(shares[0]))
    return new_image(np.array(present)[np.argmax(shares, axis=0)], grid.affine, np.uint8)


def resample_nearest(labels: nib.Nifti1Image, grid: nib.Nifti1Image, matrix: Array) -> nib.Nifti1Image:
    """Give every voxel of a grid the label that the map has at its centre, 0 outside the map; uint8."""
    moved = sitk.Resample(
        to_sitk(labels, np.uint8), to_sitk(grid), matrix_to_sitk(matrix), sitk.sitkNearestNeighbor, 0
    )
    return from_sitk(moved)


def check_on_grid(image: nib.Nifti1Image, grid: nib.Nifti1Image, name: str) -> nib.Nifti1Image:
    """Return an image in RAS+ after checking that it lies on a grid.

    Raises
    ------
    ImageError
        It does not; names it, and says what to do.
    """
    turned = to_ras(image)
    if not same_grid(turned, grid):
        raise ImageError(
            f"{name}: has shape {turned.shape} and lies on another grid than the session's reference "
            f"({grid.shape}); resample it to t1c (or the first sequence)"
        )
    return turned


def read_labels(path: str | Path, grid: nib.Nifti1Image, convention: str, name: str) -> nib.Nifti1Image:
    """Read a label map that lies on a grid, and bring it into the values of the label table.

    Parameters
    ----------
    path
        Of the NIfTI, shape (x, y, z), any orientation.
    grid
        Image whose grid it has to lie on.
    convention
        What its values mean; of `gliaflow.labels.CONVENTIONS`.
    name
        What errors call it.

    Returns
    -------
    nibabel.Nifti1Image
        uint8, RAS+.

    Raises
    ------
    ImageError
        It lies on another grid, or holds a value that is not of the convention.
    """
    given = check_on_grid(single_volume(read_image(path)), grid, name)
    values = given_labels(data_of(given, np.float64), convention, name)
    return new_image(values, given.affine, np.uint8)


def _signed_distance(mask: sitk.Image) -> sitk.Image:
    """Return the distance to the faces of the mask's border voxels, negative inside.

    ITK's own is 0 at the centres of the voxels just inside, which would make every mask half a voxel thinner.
    """
    inside, outside = (
        sitk.SignedMaurerDistanceMap(m, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
        for m in (mask, 1 - mask)
    )
    return (inside - outside) / 2


def apply_mask(image: nib.Nifti1Image, mask: nib.Nifti1Image) -> nib.Nifti1Image:
    """Set everything outside a mask on the same grid to 0; float32."""
    return new_image(np.where(data_of(mask) > 0, data_of(image), 0), image.affine)
