"""The agreement of a session's raters in the atlas."""

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.checks import checked_volume
from gliaflow.errors import ImageError
from gliaflow.images import Array, new_image, read_image, same_grid
from gliaflow.labels import convert_labels, region_mask, whole_values
from gliaflow.preprocess.resample import resample_labels
from gliaflow.raters.agreement import agreement_map
from gliaflow.raters.weights import rater_weights


def rater_masks(
    paths: Sequence[Path],
    grid: nib.Nifti1Image,
    atlas: nib.Nifti1Image,
    to_atlas: Array | None,
    *,
    convention: str,
    region: str,
) -> Array:
    """Read the label maps of several raters and bring them to the atlas.

    Parameters
    ----------
    paths
        One label map for each rater.
    grid
        What they lie on: the session's reference, or the atlas.
    atlas
        An image on the atlas grid, shape (x, y, z).
    to_atlas
        (4, 4) from the grid's space to the atlas; None where the grid is that of the atlas.
    convention
        What the values mean, a key of ``gliaflow.labels.CONVENTIONS``.
    region
        ``WT``, ``TC`` or ``ET``.

    Returns
    -------
    Array
        Bool, shape (raters, x, y, z); a rater may have marked nothing.

    Raises
    ------
    ImageError
        A label map lies on another grid, is no whole 3-D image or holds unknown values; names it.
    """
    maps = [_labels_on(path, grid, convention) for path in paths]
    if to_atlas is not None:
        maps = [resample_labels(labels, atlas, to_atlas) for labels in maps]
    return np.stack([region_mask(np.asarray(labels.dataobj), region) for labels in maps])


def weighed_agreement(masks: Array, method: str) -> tuple[Array, tuple[float, ...] | None]:
    """Return the agreement map of raters, and their weights where they are weighed.

    Parameters
    ----------
    masks, method
        See `gliaflow.raters.weights.rater_weights`.
    """
    weights = rater_weights(masks, method)
    return agreement_map(masks, weights), weights


def _labels_on(path: Path, grid: nib.Nifti1Image, convention: str) -> nib.Nifti1Image:
    image = checked_volume(read_image(path), path, constant_ok=True)
    if not same_grid(image, grid):
        raise ImageError(
            f"{path}: this rater's label map has shape {image.shape} and lies on another grid than the "
            f"session ({grid.shape[:3]}); resample it to t1c (or the first sequence)"
        )
    values = whole_values(np.asarray(image.dataobj, dtype=np.float64), str(path))
    try:
        return new_image(convert_labels(values, convention), image.affine, np.uint8)
    except ImageError as error:
        raise ImageError(f"{path}: {error}; correct labels in the config") from error
