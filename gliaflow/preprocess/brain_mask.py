"""The brain mask of a session: given, from stripped scans, or by a brain extraction method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.fetch import sha256_of
from gliaflow.images import data_of, new_image, read_image, same_grid, single_volume, to_ras
from gliaflow.masks import stripped_brain
from gliaflow.preprocess.brain import extract_brain
from gliaflow.preprocess.brain_network import BrainNetwork
from gliaflow.preprocess.hdbet import extract_with_hdbet
from gliaflow.preprocess.hdbet_weights import CHECKPOINT


@dataclass(frozen=True)
class BrainModel:
    """What a network's entry in the model table says of it; keys of config/models.yaml."""

    name: str
    sha256: str | None = None
    gpu: bool = False


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
        What the networks need: the folder of HD-BET's weights, or the package of `model`; or None.
    model
        The entry of the model table for `network`.
    threads
        How many the method may use.
    """

    images: Mapping[str, nib.Nifti1Image]
    reference: nib.Nifti1Image
    given: Path | None = None
    weights: Path | None = None
    model: BrainModel | None = None
    threads: int = 1


@dataclass(frozen=True)
class FoundBrain:
    """A brain mask, and what its sidecar says of how it was found.

    Attributes
    ----------
    mask
        uint8, 0 and 1, on the grid of the reference.
    facts
        ``software`` (distributions), and where a network found it the checksum of its weights.
    """

    mask: nib.Nifti1Image
    facts: Mapping[str, Any]


def find_brain(method: str, scans: BrainScans) -> FoundBrain:
    """Find the brain of a session.

    Parameters
    ----------
    method
        A key of ``METHODS``.
    scans
        See `BrainScans`.

    Returns
    -------
    FoundBrain
        The mask, on the grid of ``scans.reference``.

    Raises
    ------
    ImageError
        The given mask lies on another grid, the scans are not stripped although the sheet says so, or no
        brain is found.
    ConfigError
        The weights are missing or are not those that the method needs.
    """
    return METHODS[method](scans)


def _given(scans: BrainScans) -> FoundBrain:
    mask = single_volume(to_ras(read_image(scans.given or "")))
    if not same_grid(mask, scans.reference):
        raise ImageError(
            f"{scans.given}: the mask has shape {mask.shape}, the reference scan {scans.reference.shape}, "
            "or they lie elsewhere; give a mask on the grid of t1c (or of the first sequence)"
        )
    return FoundBrain(new_image(data_of(mask) > 0, mask.affine, np.uint8), {"software": ["nibabel"]})


def _stripped(scans: BrainScans) -> FoundBrain:
    inside = stripped_brain(data_of(scans.reference), "reference scan")
    mask = new_image(inside, scans.reference.affine, np.uint8)
    return FoundBrain(mask, {"software": ["nibabel"]})


def _embedded(scans: BrainScans) -> FoundBrain:
    mask = extract_brain(scans.images, scans.reference)
    return FoundBrain(mask, {"software": ["SimpleITK", "nilearn"]})


def _network(scans: BrainScans) -> FoundBrain:
    package = scans.weights or Path()
    model = scans.model or BrainModel(package.name)
    network = BrainNetwork(package, sha256=model.sha256, threads=scans.threads, gpu=model.gpu)
    found = network.find(scans.images, scans.reference)
    facts = {
        "software": ["nnunetv2", "torch", "SimpleITK"],
        "Model": model.name,
        "ModelSha256": model.sha256,
        **network.facts,
        "SequenceAgreement": found.agreement,
    }
    return FoundBrain(found.mask, facts)


def _hdbet(scans: BrainScans) -> FoundBrain:
    folder = scans.weights or Path()
    mask = extract_with_hdbet(scans.reference, folder, threads=scans.threads)
    checksum = sha256_of(folder / CHECKPOINT)
    return FoundBrain(mask, {"software": ["hd-bet", "nnunetv2", "torch"], "WeightsSha256": checksum})


METHODS: dict[str, Callable[[BrainScans], FoundBrain]] = {
    "given": _given,
    "stripped": _stripped,
    "network": _network,
    "embedded": _embedded,
    "hd-bet": _hdbet,
}
