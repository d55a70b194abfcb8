"""The files of an agreement: the number of raters as a label map, and the expected share of them."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, new_image, read_image, same_grid
from gliaflow.raters.agreement import agreement_share
from gliaflow.raters.decode import agreement_level, expected_agreement
from gliaflow.raters.score import qubiq_rows
from gliaflow.results import keep_image
from gliaflow.segment.segmenters import dequantise, quantise
from gliaflow.sidecar import read_json, sidecar_path


def keep_agreement(
    levels: Array, mask: nib.Nifti1Image, *, level: str | Path, expected: str | Path, **facts: Any
) -> None:
    """Decode what a model says of the raters, and write both maps and their sidecars.

    Parameters
    ----------
    levels
        P(at least c raters), shape (raters, x, y, z); see `gliaflow.raters.members.read_levels`.
    mask
        The brain; no rater marks a voxel outside it.
    level
        Where the most probable number of raters goes: uint8, 0 to ``Raters``.
    expected
        Where the expected share of the raters goes: uint8, 0 to 255 for 0 to 1.
    facts
        For both sidecars, see `gliaflow.sidecar.write_sidecar`.

    Raises
    ------
    ImageError
        A map is none that the next step can trust.
    """
    inside = levels * (data_of(mask) > 0)
    maps = {level: agreement_level(inside), expected: quantise(expected_agreement(inside))}
    notes = {
        level: {"Decoder": "argmax"},
        expected: {"Decoder": "expected", "Scale": "uint8 0..255 for 0..1"},
    }
    for path, values in maps.items():
        image = new_image(values, mask.affine, np.uint8)
        known = {"dtype": np.uint8, "constant_ok": True, "Raters": len(levels), **notes[path], **facts}
        keep_image(path, image, like=mask, **known)


def score_agreement(reference: str | Path, level: str | Path, expected: str | Path) -> list[dict[str, Any]]:
    """Compare the predicted agreement with that of the raters themselves.

    Parameters
    ----------
    reference
        Map of the number of raters, with ``Raters`` in its sidecar.
    level, expected
        What `keep_agreement` wrote.

    Returns
    -------
    list of dict
        Rows of `gliaflow.raters.score.QUBIQ_COLUMNS`.

    Raises
    ------
    ImageError
        The maps lie on different grids.
    """
    images = {path: read_image(path) for path in (reference, level, expected)}
    for path in (level, expected):
        if not same_grid(images[path], images[reference]):
            raise ImageError(
                f"{path}: lies on another grid than {reference}; run the rule raters_decode again"
            )
    shares = {
        path: agreement_share(data_of(images[path], np.uint8), raters_of(path)) for path in (reference, level)
    }
    predictions = {"level": shares[level], "expected": dequantise(data_of(images[expected], np.uint8))}
    return qubiq_rows(shares[reference], predictions, raters_of(reference))


def raters_of(path: str | Path) -> int:
    """Return how many raters an agreement map counts, as its sidecar says."""
    return int(read_json(sidecar_path(path))["Raters"])
