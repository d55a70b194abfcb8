"""The brain mask of a session: given, from stripped scans, or by a brain extraction method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.fetch import sha256_of
from gliaflow.images import data_of, new_image, read_image, same_grid, single_volume, to_ras
from gliaflow.preprocess.brain import extract_brain
from gliaflow.preprocess.hdbet import extract_with_hdbet
from gliaflow.preprocess.hdbet_weights import CHECKPOINT


@dataclass(frozen=True)
class BrainScans:
    """What a method may look at.

    Attributes
    ----------
    images
        Keyed by sequence, each on its native grid, all placed in the ``ref`` space by their affines.
    reference
        The image whose grid the mask has.
    given
        A mask that the sheet names, or None.
    weights
        Folder of the weights of the methods that need them, or None.
    threads
        How many the method may use.
    """

    images: Mapping[str, nib.Nifti1Image]
    reference: nib.Nifti1Image
    given: Path | None = None
    weights: Path | None = None
    threads: int = 1


def find_brain(method: str, scans: BrainScans) -> nib.Nifti1Image:
    """Find the brain of a session.

    Parameters
    ----------
    method
        A key of ``METHODS``.
    scans
        See `BrainScans`.

    Returns
    -------
    nibabel.Nifti1Image
        uint8, 0 and 1, on the grid of ``scans.reference``.

    Raises
    ------
    ImageError
        The given mask lies on another grid, or the scans are not stripped although the sheet says so.
    """
    return METHODS[method](scans)


def facts_of(method: str, scans: BrainScans) -> dict[str, Any]:
    """Return what the mask's sidecar says of a method: the software, and the checksum of its weights."""
    if method == "hd-bet" and scans.weights:
        return {
            "software": ["hd-bet", "nnunetv2", "torch"],
            "WeightsSha256": sha256_of(scans.weights / CHECKPOINT),
        }
    return {"software": ["SimpleITK", "nilearn"] if method == "embedded" else ["nibabel"]}


def _given(scans: BrainScans) -> nib.Nifti1Image:
    mask = single_volume(to_ras(read_image(scans.given or "")))
    if not same_grid(mask, scans.reference):
        raise ImageError(
            f"{scans.given}: the mask has shape {mask.shape}, the reference scan {scans.reference.shape}, "
            "or they lie elsewhere; give a mask on the grid of t1c (or of the first sequence)"
        )
    return new_image(data_of(mask) > 0, mask.affine, np.uint8)


def _stripped(scans: BrainScans) -> nib.Nifti1Image:
    inside = data_of(scans.reference) != 0
    if inside.mean() > 0.9:
        raise ImageError(
            "the sheet or config calls the scans stripped, but nearly every voxel of the reference has a "
            "value other than 0; write stripped = no, or set the background to 0"
        )
    return new_image(ndimage.binary_fill_holes(inside), scans.reference.affine, np.uint8)


def _embedded(scans: BrainScans) -> nib.Nifti1Image:
    return extract_brain(scans.images, scans.reference)


def _hdbet(scans: BrainScans) -> nib.Nifti1Image:
    return extract_with_hdbet(scans.reference, Path(scans.weights or ""), threads=scans.threads)


METHODS: dict[str, Callable[[BrainScans], nib.Nifti1Image]] = {
    "given": _given,
    "stripped": _stripped,
    "embedded": _embedded,
    "hd-bet": _hdbet,
}
