"""Bringing a segmentation from the atlas back to a session's own grid, through its probabilities."""

from collections.abc import Mapping, Sequence

import nibabel as nib
import numpy as np

from gliaflow.fuse.decode import decode
from gliaflow.images import Array, data_of, new_image, spacing_of
from gliaflow.preprocess.resample import resample


def labels_on_grid(
    probability: nib.Nifti1Image,
    mask: nib.Nifti1Image,
    matrix: Array,
    *,
    regions: Sequence[str],
    threshold: Mapping[str, float],
    min_component_voxels: int,
) -> nib.Nifti1Image:
    """Resample region probabilities, each once and linearly, and decode them there.

    Parameters
    ----------
    probability
        uint8, shape (x, y, z, regions), 0 to 255 for 0 to 1, on the atlas grid.
    mask
        Brain on the target grid; nothing is labelled outside it.
    matrix
        (4, 4), atlas to the target's space.
    regions, threshold
        See `gliaflow.fuse.decode.decode`.
    min_component_voxels
        As counted on the atlas grid; the same volume is asked for on the target grid.

    Returns
    -------
    nibabel.Nifti1Image
        uint8 label map on the grid of ``mask``.
    """
    values = data_of(probability, np.uint8)
    moved = np.stack(
        [
            data_of(resample(new_image(values[..., k], probability.affine), mask, matrix))
            for k in range(len(regions))
        ],
        axis=-1,
    )
    inside = data_of(mask) > 0
    share = float(np.prod(spacing_of(probability)) / np.prod(spacing_of(mask)))
    probabilities = np.where(inside[..., np.newaxis], (moved + 0.5) / 256, 0)
    labels = decode(probabilities, regions, threshold, round(min_component_voxels * share))
    return new_image(labels, mask.affine, np.uint8)
