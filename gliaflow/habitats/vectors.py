"""What is known of each voxel of a tumour: the values of several maps there, or their means over a patch."""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, read_image, same_grid, to_ras
from gliaflow.labels import region_mask


def tumour_vectors(maps: Mapping[str, Array], mask: Array, patch_voxels: int = 1) -> Array:
    """Return a vector of map values for each voxel of a tumour.

    Parameters
    ----------
    maps
        By name: intensities or perfusion maps, shape (x, y, z).
    mask
        The tumour, bool, of the same shape.
    patch_voxels
        Side of the cube over which a value is averaged, odd; 1 takes the voxel alone. Only voxels of the
        tumour count, so that nothing outside it blurs in.

    Returns
    -------
    Array
        Shape (voxels, maps), float32, in the order of ``mask``'s voxels.

    Raises
    ------
    ImageError
        A map has another shape than the mask, or a value in the tumour that is not finite.

    Examples
    --------
    >>> mask = np.array([[[True, True, False]]])
    >>> tumour_vectors({"t1c": np.array([[[1.0, 3.0, 9.0]]])}, mask, patch_voxels=3).ravel().tolist()
    [2.0, 2.0]
    """
    for name, values in maps.items():
        if values.shape != mask.shape:
            raise ImageError(
                f"habitats, map {name}: has shape {values.shape}, but the tumour {mask.shape}; "
                "give a map on the grid of the atlas"
            )
        if wrong := int((~np.isfinite(values[mask])).sum()):
            raise ImageError(
                f"habitats, map {name}: {wrong} of {int(mask.sum())} voxels of the tumour are not finite"
            )
    columns = [_patch_mean(values, mask, patch_voxels)[mask] for values in maps.values()]
    return np.stack(columns, axis=1).astype(np.float32)


def _patch_mean(values: Array, mask: Array, patch_voxels: int) -> Array:
    if patch_voxels == 1:
        return values
    total, share = (
        ndimage.uniform_filter(part.astype(np.float64), patch_voxels, mode="constant")
        for part in (np.where(mask, values, 0), mask)
    )
    return np.asarray(total / np.where(mask, share, 1))


def read_tumour(
    maps: Mapping[str, Path], labels: Path, region: str, patch_voxels: int
) -> tuple[Array, Array, nib.Nifti1Image]:
    """Read a session's maps and label map in the atlas.

    Returns
    -------
    tuple
        Vectors as from `tumour_vectors`, the mask of the region (bool), and the label map whose grid it has.

    Raises
    ------
    ImageError
        A map does not lie on the grid of the label map.
    """
    grid = to_ras(read_image(labels))
    mask = region_mask(data_of(grid, np.uint8), region)
    images = {name: to_ras(read_image(path)) for name, path in maps.items()}
    for name, image in images.items():
        if not same_grid(image, grid):
            raise ImageError(
                f"habitats, map {name}: lies on another grid (shape {image.shape}) than the label map in the "
                f"atlas (shape {grid.shape}); resample it to the atlas"
            )
    return tumour_vectors({n: data_of(i) for n, i in images.items()}, mask, patch_voxels), mask, grid


def draw_voxels(vectors: Array, number: int, seed: int) -> Array:
    """Return at most so many of the vectors, drawn without replacement, in their order."""
    if len(vectors) <= number:
        return vectors
    chosen = np.random.default_rng(seed).choice(len(vectors), number, replace=False)
    return vectors[np.sort(chosen)]
