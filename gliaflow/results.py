"""Keeping an image of a step: check it, write it, write its sidecar."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from gliaflow.checks import check_image, check_mask
from gliaflow.images import data_of, write_image
from gliaflow.sidecar import write_sidecar


def keep_image(
    path: str | Path,
    image: nib.Nifti1Image,
    *,
    like: nib.Nifti1Image | None = None,
    dtype: npt.DTypeLike = np.float32,
    constant_ok: bool = False,
    sources: Sequence[str],
    space: str,
    parameters: Mapping[str, Any],
    software: Sequence[str] = (),
    **facts: Any,
) -> None:
    """Check a 3-D image, then write it and its sidecar; a wrong image is not written.

    Parameters
    ----------
    path
        ``.nii.gz``.
    image
        Shape (x, y, z).
    like, constant_ok
        See `gliaflow.checks.check_image`.
    dtype
        float32 for intensities, uint8 for masks and labels.
    sources, space, parameters, software, facts
        See `gliaflow.sidecar.write_sidecar`.

    Raises
    ------
    ImageError
        The image is not one that the next step can trust.
    """
    check_image(image, path, like=like, constant_ok=constant_ok)
    write_image(path, data_of(image, dtype), image.affine, dtype)
    write_sidecar(path, sources=sources, space=space, parameters=parameters, software=software, **facts)


def keep_mask(path: str | Path, mask: nib.Nifti1Image, *, like: nib.Nifti1Image, **facts: Any) -> None:
    """Check a brain mask and its volume, then write it (uint8) and its sidecar, which states the volume.

    Parameters
    ----------
    path, mask, like, facts
        As for `keep_image`.

    Raises
    ------
    ImageError
        It is no plausible brain mask (see `gliaflow.checks.check_mask`).
    """
    volume = check_mask(mask, path, like=like)
    keep_image(path, mask, like=like, dtype=np.uint8, **facts, Type="Brain", VolumeMl=round(volume, 1))
