"""Whole heads to learn brain extraction from: each sequence with its brain mask is a case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gliaflow.checks import checked_volume
from gliaflow.errors import ImageError
from gliaflow.images import data_of, read_image, same_grid, write_image
from gliaflow.preprocess.head_grid import mask_to_head_grid, to_head_grid
from gliaflow.train.take import in_turn


@dataclass(frozen=True)
class LabelledHead:
    """A scan of a whole head: the name of its case, its file, and the brain mask on its grid."""

    name: str
    image: Path
    mask: Path


def labelled_head(values: Mapping[str, Any]) -> LabelledHead:
    """Make a head of plain values: ``name``, ``image`` and ``mask``."""
    return LabelledHead(values["name"], Path(values["image"]), Path(values["mask"]))


def take_heads(heads: Sequence[LabelledHead], folder: Path, spacing_mm: float, *, threads: int = 1) -> None:
    """Bring heads and their brain masks to coarse cubic voxels.

    Parameters
    ----------
    heads
        Whole heads.
    folder
        Gets for each head a folder of its case's name with ``any.nii.gz`` (float32) and ``label.nii.gz``
        (uint8, 1 in the brain).
    spacing_mm
        Edge of the voxels.
    threads
        Heads that are worked on side by side.

    Raises
    ------
    ImageError
        A mask lies on another grid than its scan or is empty, or a file is no whole 3-D image.
    """
    in_turn(lambda head: take_head(head, folder / head.name, spacing_mm), heads, threads)


def take_head(head: LabelledHead, folder: Path, spacing_mm: float) -> None:
    """Write the files of one head; see `take_heads`."""
    image, mask = (checked_volume(read_image(path), path) for path in (head.image, head.mask))
    if not same_grid(image, mask):
        raise ImageError(
            f"{head.mask}: the mask has shape {mask.shape}, the scan {head.image} {image.shape}, or they lie "
            "elsewhere; write registered = none, or give a mask on the grid of t1c (or of the first sequence)"
        )
    grid = to_head_grid(image, spacing_mm)
    label = mask_to_head_grid(mask, grid)
    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / "any.nii.gz", data_of(grid), grid.affine)
    write_image(folder / "label.nii.gz", data_of(label, np.uint8), grid.affine, np.uint8)
