"""The files between segmentation and fusion: one probability map for each ensemble member, in one folder."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, read_image, same_grid, write_image
from gliaflow.segment.segmenters import dequantise, quantise
from gliaflow.sidecar import write_sidecar


def member_path(folder: Path, member: str) -> Path:
    """Return the path of a member's map.

    >>> member_path(Path("members"), "3").as_posix()
    'members/member-3_probseg.nii.gz'
    """
    return folder / f"member-{member}_probseg.nii.gz"


def keep_members(
    folder: Path,
    members: Iterable[tuple[str, Array]],
    mask: nib.Nifti1Image,
    *,
    regions: Sequence[str],
    sources: Sequence[str],
    space: str,
    parameters: Mapping[str, Any],
) -> None:
    """Check and write members as they come.

    Parameters
    ----------
    folder
        Made where it is missing.
    members
        Names and probabilities, float in [0, 1], shape (x, y, z, regions).
    mask
        The brain; probabilities outside it are set to 0.
    regions
        What each channel stands for, such as ``["WT", "TC", "ET"]``.
    sources, space, parameters
        For the sidecars.

    Raises
    ------
    ImageError
        A map has another shape, or a value that is no probability.
    """
    folder.mkdir(parents=True, exist_ok=True)
    brain = data_of(mask) > 0
    for name, probabilities in members:
        path = member_path(folder, name)
        if probabilities.shape != (*mask.shape, len(regions)):
            raise ImageError(f"{path}: shape {probabilities.shape}, not {(*mask.shape, len(regions))}")
        if not (np.isfinite(probabilities).all() and 0 <= probabilities.min() <= probabilities.max() <= 1):
            raise ImageError(f"{path}: holds values that are no probabilities in [0, 1]")
        write_image(path, quantise(probabilities * brain[..., np.newaxis]), mask.affine, np.uint8)
        facts = {"Member": name, "Regions": list(regions), "Scale": "uint8 0..255 for 0..1"}
        write_sidecar(path, sources=sources, space=space, parameters=parameters, **facts)


def read_members(folders: Iterable[Path], grid: nib.Nifti1Image) -> Iterator[Array]:
    """Read the members of one or more folders, one at a time, as float32 in [0, 1].

    Raises
    ------
    ImageError
        A member lies on another grid.
    """
    for folder in folders:
        for path in sorted(folder.glob("*_probseg.nii.gz")):
            image = read_image(path)
            if not same_grid(image, grid):
                raise ImageError(f"{path}: lies on another grid than the brain mask")
            yield dequantise(data_of(image, np.uint8))
