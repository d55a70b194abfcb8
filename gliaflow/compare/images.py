"""What differs between two images, and between two transforms."""

from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.evaluate.overlap import dice
from gliaflow.images import Array, read_image
from gliaflow.preprocess.transforms import read_transform

LABEL_MAPS = ("_dseg.nii.gz", "_mask.nii.gz", "_dseg.nii", "_mask.nii")


def compare_images(first: Path, second: Path, tolerance: float = 0.0) -> list[str]:
    """Return a line for each way in which two images differ.

    Parameters
    ----------
    first, second
        NIfTI files.
    tolerance
        The largest difference of a voxel's value that does not count.

    Returns
    -------
    list of str
        Empty where grid, type and all voxels are the same, however the files were packed.

    Raises
    ------
    ImageError
        A file cannot be read.
    """
    images = read_image(first), read_image(second)
    lines = compare_grids(*images)
    if images[0].shape != images[1].shape:
        return lines
    old, new = (np.asanyarray(image.dataobj) for image in images)
    differing = voxels_that_differ(old, new, tolerance)
    if differing.any():
        lines.append(describe_voxels(old, new, differing))
        if first.name.endswith(LABEL_MAPS):
            lines += compare_labels(old, new)
    return lines


def compare_grids(first: nib.Nifti1Image, second: nib.Nifti1Image) -> list[str]:
    """Return a line for each difference of shape, affine and type on disk."""
    lines = []
    if first.shape != second.shape:
        lines.append(f"shape: {first.shape} in A, {second.shape} in B")
    if not np.array_equal(first.affine, second.affine):
        largest = float(np.abs(first.affine - second.affine).max())
        lines.append(f"affine: largest difference {largest:.6g}")
    kinds = [image.get_data_dtype().name for image in (first, second)]
    if kinds[0] != kinds[1]:
        lines.append(f"type: {kinds[0]} in A, {kinds[1]} in B")
    return lines


def voxels_that_differ(first: Array, second: Array, tolerance: float = 0.0) -> Array:
    """Return where two arrays of one shape differ; NaN equals NaN, infinity itself.

    >>> voxels_that_differ(np.array([1, np.nan, np.inf, 2]), np.array([1, np.nan, np.inf, 2.5]))
    array([False, False, False,  True])
    """
    return ~np.isclose(first, second, rtol=0, atol=tolerance, equal_nan=True)


def describe_voxels(first: Array, second: Array, differing: Array) -> str:
    """Say how many voxels differ, and by how much at most."""
    gaps = np.abs(first[differing].astype(np.float64) - second[differing].astype(np.float64))
    odd = int(np.count_nonzero(~np.isfinite(gaps)))
    finite = gaps[np.isfinite(gaps)]
    count = int(np.count_nonzero(differing))
    text = f"voxels: {count} of {differing.size} differ ({100 * count / differing.size:.3g} %)"
    if finite.size:
        text += f", largest difference {finite.max():.6g}"
    return text + (f", {odd} where one value is not finite" if odd else "")


def compare_labels(first: Array, second: Array) -> list[str]:
    """Return the Dice coefficient of each label that either map holds."""
    values = sorted((set(np.unique(first)) | set(np.unique(second))) - {0})
    found = [f"{value:g}: {dice(first == value, second == value):.4f}" for value in values]
    return [f"Dice of label {', '.join(found)}"] if found else []


def compare_transforms(first: Path, second: Path, tolerance: float = 0.0) -> list[str]:
    """Return a line where two affine transforms differ, with the largest difference of their matrices.

    Raises
    ------
    ImageError
        A file cannot be read.
    """
    largest = float(np.abs(read_transform(first) - read_transform(second)).max())
    return [f"matrix: largest difference {largest:.6g}"] if largest > tolerance else []
