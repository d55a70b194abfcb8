"""Diffusion tensors on the growth grid: carrying and turning them, and what a tissue needs of them.

A tensor has 6 parts, as in `gliaflow.growth.tissue.TENSOR_PARTS`, along the axes of the world (RAS).
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from dipy.reconst.dti import fractional_anisotropy, from_lower_triangular

from gliaflow.checks import check_affine
from gliaflow.errors import ImageError
from gliaflow.growth.space import carry_image
from gliaflow.growth.tissue import TENSOR_PARTS
from gliaflow.growth.warp import Warp
from gliaflow.images import Array, data_of, new_image, read_image

SYMMETRIC_MATRIX = 1005
"""NIfTI's intent code of an image of symmetric matrices; its parts are in the order of a triangle's rows."""
BY_ROWS = [0, 1, 3, 2, 4, 5]
"""Between the order of `TENSOR_PARTS` and that of the rows of a lower triangle, either way."""
ISOTROPIC = np.array([1, 0, 0, 1, 0, 1], dtype=np.float32) / 3
LEAST_TRACE = 1e-3
"""A smaller trace, as a part of the brain's median, is no diffusion: outside the field of view, or noise."""


@dataclass(frozen=True)
class Diffusion:
    """Diffusion on a growth grid, ready for `gliaflow.growth.tissue.Tissue`.

    Attributes
    ----------
    anisotropy
        Fractional anisotropy, float32, shape (x, y, z), 0 outside the brain and where nothing is known.
    tensor
        Of trace 1, float32, shape (x, y, z, 6), positive definite; that of a ball where nothing is known.
    direction
        Principal direction, unit vectors (RAS, either way round), float32, shape (x, y, z, 3); 0 where
        nothing is known.
    """

    anisotropy: Array
    tensor: Array
    direction: Array


def matrices(parts: Array) -> Array:
    """Return tensors as symmetric matrices: shape (..., 6) becomes (..., 3, 3)."""
    return np.asarray(from_lower_triangular(np.asarray(parts)[..., BY_ROWS]))


def parts_of(matrix: Array) -> Array:
    """Return the parts of symmetric matrices: shape (..., 3, 3) becomes (..., 6).

    >>> parts_of(matrices(np.arange(6.0))).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    places = [("xyz".index(part[0]), "xyz".index(part[1])) for part in TENSOR_PARTS]
    return np.stack([matrix[..., row, column] for row, column in places], axis=-1)


def normalised(tensor: Array, brain: Array) -> Diffusion:
    """Return the tensors of a brain with trace 1, with their anisotropy and direction.

    Parameters
    ----------
    tensor
        In any unit, shape (x, y, z, 6); an eigenvalue below 0, which noise makes, counts as next to 0.
    brain
        Bool, shape (x, y, z).

    Raises
    ------
    ImageError
        No voxel of the brain has any diffusion, or a part is not finite.
    """
    if not np.isfinite(tensor[brain]).all():
        raise ImageError("diffusion: tensors hold values that are not finite; give other files")
    trace = tensor[..., [0, 3, 5]].sum(axis=-1)
    positive = trace[brain & (trace > 0)]
    if not positive.size:
        raise ImageError("diffusion: there is none in the brain; does the diffusion scan show this brain?")
    known = brain & (trace > LEAST_TRACE * np.median(positive))
    values, vectors = np.linalg.eigh(matrices(tensor[known]))
    values = np.maximum(values, LEAST_TRACE * trace[known][:, np.newaxis])
    values /= values.sum(axis=-1, keepdims=True)
    whole = np.tile(ISOTROPIC, (*brain.shape, 1))
    whole[known] = parts_of((vectors * values[:, np.newaxis]) @ vectors.swapaxes(-1, -2))
    anisotropy, direction = np.zeros(brain.shape, np.float32), np.zeros((*brain.shape, 3), np.float32)
    anisotropy[known] = np.clip(fractional_anisotropy(values), 0, 1)
    direction[known] = vectors[..., -1]
    return Diffusion(anisotropy, whole, direction)


def carry_tensor(tensor: nib.Nifti1Image, grid: nib.Nifti1Image, warp: Warp, within: Array) -> Array:
    """Carry tensors to a grid: interpolate their parts, and turn them as the map turns tissue.

    Parameters
    ----------
    tensor
        Shape (x, y, z, 6), parts along the world's axes (RAS), in any unit.
    grid
        Image whose grid the result has; that of the warp's displacement where it has one.
    warp
        From the tensors' space to the grid's.
    within
        Bool on the grid: where the result is wanted.

    Returns
    -------
    Array
        float32, shape (x, y, z, 6), 0 elsewhere. A tensor is turned by the rotation next to the derivative of
        the map (finite strain, Alexander 2001), so that its shape stays.
    """
    parts = [new_image(data_of(tensor)[..., part], tensor.affine) for part in range(len(TENSOR_PARTS))]
    moved = np.stack([data_of(carry_image(part, grid, warp)) for part in parts], axis=-1)
    local = warp.local()
    turn = nearest_rotation(local[within] if local.ndim > 2 else local)
    carried = np.zeros_like(moved)
    carried[within] = parts_of(turn.swapaxes(-1, -2) @ matrices(moved[within]) @ turn)
    return carried


def nearest_rotation(matrix: Array) -> Array:
    """Return the orthogonal matrix nearest to each of some (..., 3, 3), by its singular values."""
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)


def read_tensor(path: str | Path) -> nib.Nifti1Image:
    """Read an image of tensors whose parts are along the world's axes (RAS).

    Parameters
    ----------
    path
        Shape (x, y, z, 6), the parts xx, xy, xz, yy, yz, zz; or NIfTI's own image of symmetric matrices,
        (x, y, z, 1, 6) with the intent code 1005, the parts xx, xy, yy, xz, yz, zz.

    Returns
    -------
    nibabel.Nifti1Image
        float32, shape (x, y, z, 6), the parts in the first order.

    Raises
    ------
    ImageError
        It is no such image, or has a value that is not finite.
    """
    image = read_image(path)
    values = data_of(image)
    rows = int(image.header["intent_code"]) == SYMMETRIC_MATRIX
    if values.ndim == 5 and values.shape[3] == 1:
        values = values[..., 0, :]
    if values.ndim != 4 or values.shape[3] != len(TENSOR_PARTS):
        raise ImageError(f"{path}: has shape {image.shape}; a tensor image has 6 parts in each voxel")
    if not np.isfinite(values).all():
        raise ImageError(f"{path}: holds values that are not finite (NaN or infinite)")
    check_affine(image.affine, path)
    return new_image(values[..., BY_ROWS] if rows else values, image.affine)


def atlas_diffusion(path: str | Path, brain: nib.Nifti1Image, warp: Warp) -> Diffusion:
    """Return the diffusion of an atlas in a patient's brain.

    Parameters
    ----------
    path
        See `read_tensor`; in the space of the atlas.
    brain
        Mask on the growth grid.
    warp
        Atlas to patient, as from `gliaflow.growth.tissue_atlas.atlas_tissue`.

    Raises
    ------
    ImageError
        The file holds no tensors, or none where the brain is.
    """
    inside = data_of(brain) > 0
    return normalised(carry_tensor(read_tensor(path), brain, warp, inside), inside)
