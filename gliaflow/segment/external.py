"""A label map that was made elsewhere, as a member of the fusion."""

from collections.abc import Sequence

import nibabel as nib
import numpy as np

from gliaflow.images import Array, data_of, new_image
from gliaflow.labels import given_labels, region_mask
from gliaflow.preprocess.resample import resample
from gliaflow.segment.segmenters import Member


def external_member(
    labels: nib.Nifti1Image,
    grid: nib.Nifti1Image,
    matrix: Array,
    *,
    regions: Sequence[str],
    values: str,
    name: str,
) -> Member:
    """Bring a label map to the atlas: each region by itself, linearly, so that its border becomes soft.

    Parameters
    ----------
    labels
        Shape (x, y, z).
    grid
        An image on the atlas grid.
    matrix
        (4, 4), from the space of the labels to the atlas.
    regions
        What the label map determines.
    values
        What its values mean, a key of ``gliaflow.labels.CONVENTIONS``.
    name
        What an error calls it.

    Raises
    ------
    ImageError
        A value is no label, or none of the convention.
    """
    table = given_labels(data_of(labels, np.float64), values, name)
    masks = [new_image(region_mask(table, region), labels.affine) for region in regions]
    moved: list[Array] = [data_of(resample(mask, grid, matrix)) for mask in masks]
    return Member(np.clip(np.stack(moved, axis=-1), 0, 1), {"Values": values})
