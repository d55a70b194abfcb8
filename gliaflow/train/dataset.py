"""The raw dataset that nnU-Net plans and trains on: images where they lie, and labels of the target alone."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, read_image, same_grid, write_image
from gliaflow.labels import REGIONS, region_labels
from gliaflow.nnunet.regions import agreement_labels
from gliaflow.nnunet.targets import BRAIN, inside_region, region_values, target_of
from gliaflow.sidecar import write_json
from gliaflow.tables import NAME_COLUMNS

logger = logging.getLogger(__name__)
MISSING = "missing.nii.gz"
SESSION_COLUMNS = {
    **NAME_COLUMNS,
    "site": "Site of the table of patients' data, else the cohort",
    "fold": "Fold that the subject, with all its sessions, is left out of",
}


@dataclass(frozen=True)
class Case:
    """What is trained on as one: a session, or for brain extraction one of its sequences.

    Attributes
    ----------
    name
        Of the case.
    images
        For each sequence that it has; for brain extraction one, ``any``.
    label, mask
        The label map, and the brain that predictions are kept to; no mask for brain extraction.
    fold
        That it is left out of.
    raters
        How many raters the label map counts; 0 where it holds values of resources/labels.tsv.
    """

    name: str
    images: Mapping[str, Path]
    label: Path
    mask: Path | None
    fold: int
    raters: int = 0


def case_of(values: Mapping[str, Any]) -> Case:
    """Make a case of plain values: ``name``, ``images``, ``label``, ``mask``, ``fold``, perhaps ``raters``.

    Where ``taken`` names the case's folder of `gliaflow.train.take`, an image that was written there again
    stands for the one that the sheet names.
    """
    images = {sequence: Path(path) for sequence, path in values["images"].items()}
    if taken := values.get("taken"):
        again = {sequence: Path(taken, f"{sequence}.nii.gz") for sequence in images}
        images |= {sequence: path for sequence, path in again.items() if path.exists()}
    mask = Path(values["mask"]) if values["mask"] else None
    raters = int(values.get("raters", 0))
    return Case(values["name"], images, Path(values["label"]), mask, int(values["fold"]), raters)


def write_dataset(
    folder: Path, cases: Sequence[Case], *, sequences: Sequence[str], regions: Sequence[str]
) -> None:
    """Write ``dataset.json``, the label maps and the splits.

    Parameters
    ----------
    folder
        ``Dataset001_<name>``; made.
    cases
        Every one of them; where a sequence is missing, all of them on one grid. All have the same number of
        raters.
    sequences
        The channels, in this order; for one that a session lacks, an image of zeros stands in.
    regions
        What the network is to find, in the order of its outputs; the one that raters mark.

    Raises
    ------
    ImageError
        A label map lies on another grid than its images, or none of them marks what is to be found.
    """
    (folder / "labelsTr").mkdir(parents=True, exist_ok=True)
    target = target_of(regions)
    marked = [_write_label(folder / "labelsTr" / f"{case.name}.nii.gz", case, target) for case in cases]
    if not any(marked):
        column = "raters" if cases[0].raters else "label"
        where = "brain_mask" if target == BRAIN else f"{column}, and at labels in the config"
        raise ImageError(f"no label marks a {target}; look at the column {where}")
    _write_missing(folder / MISSING, cases, sequences)
    write_json(folder / "dataset.json", _description(folder, cases, sequences, regions))
    write_json(folder / "splits.json", {"splits": make_splits(cases)})


def session_rows(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of ``SESSION_COLUMNS`` of the sessions that cases, as plain values, are made of."""
    rows = {tuple(case[column] for column in SESSION_COLUMNS): None for case in cases}
    return [dict(zip(SESSION_COLUMNS, row, strict=True)) for row in rows]


def make_splits(cases: Sequence[Case]) -> list[dict[str, list[str]]]:
    """Return nnU-Net's splits: for each fold the cases to train on and those to validate on."""
    return [
        {
            "train": [case.name for case in cases if case.fold != fold],
            "val": [case.name for case in cases if case.fold == fold],
        }
        for fold in sorted({case.fold for case in cases})
    ]


def _write_label(path: Path, case: Case, target: str) -> bool:
    """Write a label for nnU-Net; return whether it marks the target (a brain without any is one too)."""
    label = read_image(case.label)
    image = read_image(next(iter(case.images.values())))
    if not same_grid(label, image):
        raise ImageError(f"{case.label}: lies on another grid than the images of {case.name}")
    values = data_of(label, np.uint8)
    wanted = values > 0 if case.raters else inside_region(values, BRAIN if target == BRAIN else "WT")
    marked: Array = np.where(wanted, values, 0)
    write_image(path, marked, label.affine, np.uint8)
    if not marked.any():
        logger.warning("%s: the label marks no %s; it is taken for an image without one", case.name, target)
    return bool(marked.any())


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

    return {
        "channel_names": {str(k): sequence for k, sequence in enumerate(sequences)},
        **(agreement_labels(regions[0], cases[0].raters) if cases[0].raters else _region_classes(regions)),
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "dataset": {
            case.name: {"images": images_of(case), "label": f"labelsTr/{case.name}.nii.gz"} for case in cases
        },
    }


def _region_classes(regions: Sequence[str]) -> dict[str, Any]:
    named = {region: list(region_values(region)) for region in regions}
    return {
        "labels": {"background": 0, **named},
        "regions_class_order": [_paint_value(region, regions) for region in regions],
    }


def _paint_value(region: str, regions: Sequence[str]) -> int:
    """Return the label that nnU-Net paints a region with: one that no smaller region among them has."""
    if region == BRAIN:
        return region_values(region)[0]
    inner = [name for name in regions if REGIONS.index(name) > REGIONS.index(region)]
    within = {value for name in inner for value in region_labels(name)}
    return next(
        (v for v in (2, 1, 3) if v in region_labels(region) and v not in within), region_labels(region)[0]
    )
