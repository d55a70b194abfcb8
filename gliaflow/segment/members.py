"""The files between segmentation and fusion: one probability map for each ensemble member, in one folder."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, read_image, same_grid, write_image
from gliaflow.segment.names import FAILED, MODEL_FACTS
from gliaflow.segment.segmenters import Member, dequantise, quantise
from gliaflow.sidecar import read_json, write_json, write_sidecar


def member_path(folder: Path, member: str) -> Path:
    """Return the path of a member's map.

    >>> member_path(Path("members"), "3").as_posix()
    'members/member-3_probseg.nii.gz'
    """
    return folder / f"member-{member}_probseg.nii.gz"


def keep_members(
    folder: Path,
    members: Iterable[Member],
    mask: nib.Nifti1Image,
    *,
    regions: Sequence[str],
    sources: Sequence[str],
    space: str,
    parameters: Mapping[str, Any],
) -> int:
    """Check and write members as they come; they are numbered from 1.

    Parameters
    ----------
    folder
        Made where it is missing.
    members
        Probabilities, float in [0, 1], shape (x, y, z, regions), with what their sidecars say.
    mask
        The brain; probabilities outside it are set to 0.
    regions
        What each channel stands for, such as ``["WT", "TC", "ET"]``.
    sources, space, parameters
        For the sidecars.

    Returns
    -------
    int
        How many there were.

    Raises
    ------
    ImageError
        A map has another shape, or a value that is no probability.
    """
    folder.mkdir(parents=True, exist_ok=True)
    brain = data_of(mask) > 0
    count = 0
    for count, member in enumerate(members, start=1):
        path = member_path(folder, str(count))
        check_probabilities(path, member.probabilities, (*mask.shape, len(regions)))
        write_image(path, quantise(member.probabilities * brain[..., np.newaxis]), mask.affine, np.uint8)
        facts = {
            "Member": str(count),
            **member.facts,
            "Regions": list(regions),
            "Scale": "uint8 0..255 for 0..1",
        }
        write_sidecar(path, sources=sources, space=space, parameters=parameters, **facts)
    return count


def check_probabilities(path: Path, probabilities: Array, shape: tuple[int, ...]) -> None:
    """Check a map before it is written.

    Raises
    ------
    ImageError
        It has another shape, or a value that is no probability.
    """
    if probabilities.shape != shape:
        raise ImageError(f"{path}: shape {probabilities.shape}, not {shape}")
    if not (np.isfinite(probabilities).all() and 0 <= probabilities.min() <= probabilities.max() <= 1):
        raise ImageError(f"{path}: holds values that are no probabilities in [0, 1]")


def keep_model_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what the outputs say of the model that made the members."""
    write_json(folder / MODEL_FACTS, facts)


def read_model_facts(folder: Path) -> dict[str, Any]:
    """Read what `keep_model_facts` wrote.

    Raises
    ------
    ImageError
        The session could not be segmented; with the reason that the job left, which several sessions share.
    """
    if (folder / FAILED).exists():
        raise ImageError((folder / FAILED).read_text(encoding="utf-8"))
    facts: dict[str, Any] = read_json(folder / MODEL_FACTS)
    return facts


def read_quantised(folders: Iterable[Path], grid: nib.Nifti1Image) -> Iterator[Array]:
    """Read the members of one or more folders, one at a time, as they are stored: uint8.

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
            yield data_of(image, np.uint8)


def read_members(folders: Iterable[Path], grid: nib.Nifti1Image) -> Iterator[Array]:
    """Read the members of one or more folders, one at a time, as float32 in [0, 1]; see `read_quantised`."""
    return (dequantise(values) for values in read_quantised(folders, grid))
