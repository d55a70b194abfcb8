"""From fused probabilities to the label maps: in the atlas, and on a session's own grid."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.fuse.postprocess import PostResult, PostSettings, postprocess, settings_record
from gliaflow.images import Array, data_of, ml_per_voxel, new_image, spacing_of
from gliaflow.labels import meaning
from gliaflow.preprocess.resample import resample
from gliaflow.results import keep_image
from gliaflow.segment.segmenters import dequantise

OF_THE_PROBABILITY = (
    *("Sources", "Space", "Parameters", "Software", "Scale", "Postprocess"),
    *("Temperature", "Votes"),
)
"""What the sidecar of the probabilities says of them alone."""


def labels_in_both(
    probability: nib.Nifti1Image,
    mask: nib.Nifti1Image,
    matrix: Array,
    *,
    regions: Sequence[str],
    settings: PostSettings,
) -> tuple[PostResult, PostResult]:
    """Make the labels in the atlas and on a session's grid; the enhancing-tumour rule is decided on once.

    Parameters
    ----------
    probability
        uint8, shape (x, y, z, regions), 0 to 255 for 0 to 1, on the atlas grid.
    mask
        Brain on the session's grid; nothing is labelled outside it.
    matrix
        (4, 4), atlas to the session's space.
    regions
        What each channel stands for.
    settings
        Post-processing; voxels are those of the atlas.

    Returns
    -------
    tuple of PostResult
        In the atlas, and on the grid of ``mask``.
    """
    voxel_ml = ml_per_voxel(spacing_of(probability))
    in_atlas = postprocess(dequantise(data_of(probability, np.uint8)), regions, settings, voxel_ml)
    removed = in_atlas.enhancing_removed
    return in_atlas, labels_on_grid(
        probability, mask, matrix, regions=regions, settings=settings, enhancing_removed=removed
    )


def labels_on_grid(
    probability: nib.Nifti1Image,
    mask: nib.Nifti1Image,
    matrix: Array,
    *,
    regions: Sequence[str],
    settings: PostSettings,
    enhancing_removed: bool,
) -> PostResult:
    """Resample region probabilities, each once and linearly, and make the labels there.

    Parameters
    ----------
    probability, mask, matrix, regions
        As for `labels_in_both`.
    settings
        As on the atlas grid; voxels are counted there, and the same volume is asked for on the target grid.
    enhancing_removed
        What was decided about the enhancing tumour on the atlas grid.

    Returns
    -------
    PostResult
        Labels on the grid of ``mask``.
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
    voxel_ml = ml_per_voxel(spacing_of(mask))
    share = ml_per_voxel(spacing_of(probability)) / voxel_ml
    here = replace(settings, min_component_voxels=round(settings.min_component_voxels * share))
    probabilities = np.where(inside[..., np.newaxis], dequantise(moved), 0)
    return postprocess(probabilities, regions, here, voxel_ml, enhancing_removed=enhancing_removed)


def keep_labels(
    path: str | Path,
    result: PostResult,
    mask: nib.Nifti1Image,
    settings: PostSettings,
    fused: Mapping[str, Any],
    *,
    sources: Sequence[str],
    space: str,
) -> None:
    """Check and write a label map, with all that is known of it in its sidecar.

    Parameters
    ----------
    path
        ``.nii.gz``.
    result, mask
        The labels, and the brain on the same grid.
    settings
        What they were made with.
    fused
        The sidecar of the probabilities, whose facts of the model go on.
    sources, space
        See `gliaflow.sidecar.write_sidecar`.
    """
    facts = {key: value for key, value in fused.items() if key not in OF_THE_PROBABILITY}
    keep_image(
        path,
        new_image(result.labels, mask.affine, np.uint8),
        like=mask,
        dtype=np.uint8,
        constant_ok=True,
        sources=sources,
        space=space,
        parameters={"postprocess": settings_record(settings), "fuse": fused["Parameters"]},
        software=["SimpleITK", "scipy"],
        **facts,
        VoxelsChanged=dict(result.steps),
        EnhancingRemoved=result.enhancing_removed,
        Labels=meaning(fused["Regions"]),
    )
