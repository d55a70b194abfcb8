"""Keeping a registration: check that it helped, write its transform and its figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.checks import check_similarity
from gliaflow.errors import ImageError
from gliaflow.images import same_grid
from gliaflow.preprocess.register import Registration, judged, mutual_information, register
from gliaflow.preprocess.transforms import write_transform
from gliaflow.sidecar import software_versions, write_json

IDENTITY = "none"


def register_or_keep(
    fixed: nib.Nifti1Image, moving: nib.Nifti1Image, *, kind: str, seed: int, same_space: str
) -> Registration:
    """Register two images, or take them as aligned already.

    Parameters
    ----------
    fixed, moving
        3-D images.
    kind
        ``rigid``, ``affine``, or ``none`` where both lie in one space already.
    seed
        Of the random sampling.
    same_space
        What claims so, for the error.

    Raises
    ------
    ImageError
        ``kind`` is ``none``, but the grids differ.
    """
    if kind != IDENTITY:
        return register(fixed, moving, kind=kind, seed=seed)
    if not same_grid(fixed, moving):
        raise ImageError(
            f"{same_space}, but their grids differ: shape {fixed.shape} against {moving.shape}; "
            "write registered = none, or give scans on one grid"
        )
    likeness = mutual_information(fixed, moving, np.eye(4))
    return judged(fixed, moving, np.eye(4), likeness)


def keep_registration(
    transform: str | Path, report: str | Path, result: Registration, parameters: Mapping[str, Any], name: str
) -> None:
    """Write a registration's transform, and its figures as JSON beside it.

    Raises
    ------
    ImageError
        The registration made the images less alike; nothing is written.
    """
    check_similarity(result.before, result.after, name, shared=result.shared)
    write_transform(transform, result.matrix)
    write_json(
        report,
        {
            "Parameters": dict(parameters),
            "MutualInformationBefore": round(result.before, 6),
            "MutualInformationAfter": round(result.after, 6),
            "MutualInformationInOverlap": round(result.shared, 6),
            "Software": software_versions("antspyx", "SimpleITK"),
        },
    )
