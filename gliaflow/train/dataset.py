"""The raw dataset that nnU-Net plans and trains on: images where they lie, and labels of tumour alone."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import data_of, read_image, same_grid, write_image
from gliaflow.labels import REGIONS, region_labels, region_mask
from gliaflow.sidecar import write_json

logger = logging.getLogger(__name__)
MISSING = "missing.nii.gz"
SESSION_COLUMNS = {
    "cohort": "Cohort of the sample sheet",
    "subject": "Subject of the sample sheet",
    "session": "Session of the sample sheet",
    "site": "Site of the table of patients' data, else the cohort",
    "fold": "Fold that the subject, with all its sessions, is left out of",
}


@dataclass(frozen=True)
class Case:
    """A session to train on: its name, an image for each sequence that it has, its label map and its fold."""

    name: str
    images: Mapping[str, Path]
    label: Path
    mask: Path
    fold: int


def case_of(values: Mapping[str, Any]) -> Case:
    """Make a case of plain values: ``name``, ``images``, ``label``, ``mask`` and ``fold``."""
    images = {sequence: Path(path) for sequence, path in values["images"].items()}
    files = {key: Path(values[key]) for key in ("label", "mask")}
    return Case(values["name"], images, **files, fold=int(values["fold"]))


def write_dataset(
    folder: Path, cases: Sequence[Case], *, sequences: Sequence[str], regions: Sequence[str]
) -> None:
    """Write ``dataset.json``, the label maps and the splits.

    Parameters
    ----------
    folder
        ``Dataset001_<name>``; made.
    cases
        Every session, all of them on the atlas grid.
    sequences
        The channels, in this order; for one that a session lacks, an image of zeros stands in.
    regions
        What the network is to find, in the order of its outputs.

    Raises
    ------
    ImageError
        A label map lies on another grid than its images, or none of them marks a tumour.
    """
    (folder / "labelsTr").mkdir(parents=True, exist_ok=True)
    marked = [_write_label(folder / "labelsTr" / f"{case.name}.nii.gz", case) for case in cases]
    if not any(marked):
        raise ImageError("no label marks a tumour; look at the column label, and at labels in the config")
    _write_missing(folder / MISSING, cases, sequences)
    write_json(folder / "dataset.json", _description(folder, cases, sequences, regions))
    write_json(folder / "splits.json", {"splits": make_splits(cases)})


def make_splits(cases: Sequence[Case]) -> list[dict[str, list[str]]]:
    """Return nnU-Net's splits: for each fold the cases to train on and those to validate on."""
    return [
        {
            "train": [case.name for case in cases if case.fold != fold],
            "val": [case.name for case in cases if case.fold == fold],
        }
        for fold in sorted({case.fold for case in cases})
    ]


def _write_label(path: Path, case: Case) -> bool:
    """Write a label for nnU-Net; return whether it marks a tumour (a brain without one is an example too)."""
    label = read_image(case.label)
    image = read_image(next(iter(case.images.values())))
    if not same_grid(label, image):
        raise ImageError(f"{case.label}: lies on another grid than the images of {case.name}")
    values = data_of(label, np.uint8)
    tumour = np.where(region_mask(values, "WT"), values, 0)
    write_image(path, tumour, label.affine, np.uint8)
    if not tumour.any():
        logger.warning("%s: the label marks no tumour; it is taken for a brain without one", case.name)
    return bool(tumour.any())


def _write_missing(path: Path, cases: Sequence[Case], sequences: Sequence[str]) -> None:
    if any(set(sequences) - set(case.images) for case in cases):
        grid = read_image(next(iter(cases[0].images.values())))
        write_image(path, np.zeros(grid.shape), grid.affine)


def _description(
    folder: Path, cases: Sequence[Case], sequences: Sequence[str], regions: Sequence[str]
) -> dict[str, Any]:
    def images_of(case: Case) -> list[str]:
        paths = [case.images.get(sequence, folder / MISSING) for sequence in sequences]
        return [os.path.relpath(path, folder) for path in paths]

    named = {region: list(region_labels(region)) for region in regions}
    return {
        "channel_names": {str(k): sequence for k, sequence in enumerate(sequences)},
        "labels": {"background": 0, **named},
        "regions_class_order": [_paint_value(region, regions) for region in regions],
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "dataset": {
            case.name: {"images": images_of(case), "label": f"labelsTr/{case.name}.nii.gz"} for case in cases
        },
    }


def _paint_value(region: str, regions: Sequence[str]) -> int:
    """Return the label that nnU-Net paints a region with: one that no smaller region among them has."""
    inner = [name for name in regions if REGIONS.index(name) > REGIONS.index(region)]
    within = {value for name in inner for value in region_labels(name)}
    return next(
        (v for v in (2, 1, 3) if v in region_labels(region) and v not in within), region_labels(region)[0]
    )
