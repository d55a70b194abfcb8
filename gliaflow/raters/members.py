"""The members of a model that counts raters, put together again."""

from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, read_image, same_grid
from gliaflow.segment.members import read_model_facts
from gliaflow.segment.segmenters import dequantise
from gliaflow.sidecar import read_json, sidecar_path


def read_levels(folder: Path, grid: nib.Nifti1Image) -> Array:
    """Average what the networks say of each number of raters.

    Parameters
    ----------
    folder
        Members as `gliaflow.segment.nnunet.member_maps` gives them; each is the probability that at least
        ``AtLeast`` of ``Raters`` mark a voxel.
    grid
        An image on the grid of the members.

    Returns
    -------
    Array
        P(at least c raters), c = 1 and on: float32 in [0, 1], shape (raters, x, y, z); the mean over folds,
        mirrorings and passes.

    Raises
    ------
    ImageError
        The session could not be segmented, there is no member, one lies on another grid, or the model does
        not count raters.
    """
    read_model_facts(folder)
    sums: dict[int, Array] = {}
    counts: dict[int, int] = {}
    raters = 0
    for path in sorted(folder.glob("*_probseg.nii.gz")):
        facts = read_json(sidecar_path(path))
        if "AtLeast" not in facts:
            raise ImageError(f"{path}: the model does not count raters; train one with train.target: raters")
        level, raters = facts["AtLeast"], facts["Raters"]
        values = _member(path, grid)
        sums[level] = sums[level] + values if level in sums else values
        counts[level] = counts.get(level, 0) + 1
    if not raters or sorted(sums) != list(range(1, raters + 1)):
        raise ImageError(f"{folder}: members are missing; run the rule segment again")
    return np.stack([sums[level] / np.float32(counts[level]) for level in sorted(sums)])


def _member(path: Path, grid: nib.Nifti1Image) -> Array:
    image = read_image(path)
    if not same_grid(image, grid):
        raise ImageError(f"{path}: lies on another grid than the brain mask")
    return dequantise(data_of(image, np.uint8)[..., 0])
