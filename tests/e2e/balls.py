"""Heads that are balls in balls, to train a brain extraction on."""

from pathlib import Path

import numpy as np

from gliaflow.images import write_image

SHAPE = (46, 54, 40)
AFFINE = np.diag([-4.0, 4.0, 4.5, 1.0])
COLUMNS = ("cohort", "subject", "session", "t1c", "t2f", "brain_mask", "stripped", "registered")
CONFIG = {
    "train": {
        **{"name": "head", "target": "brain", "folds": 2, "spacing_mm": 4, "data": "Balls in balls."},
        **{"patch_size": [32, 32, 32], "batch_size": 2, "base_features": 4, "max_features": 8},
        **{"epochs": 1, "iterations": 2, "validation_iterations": 1, "checkpoint_epochs": 1},
        **{"optimiser": "adamw", "learning_rate": 0.001, "augmentation": "spatial"},
    },
    "segment": {"tta": False},
}


def ball(radius: float, *, shift: float = 0.0) -> np.ndarray:
    """Where the field of view is inside a ball; radius and shift in voxels."""
    axes = np.meshgrid(*(np.arange(edge) - edge / 2 for edge in SHAPE), indexing="ij")
    return sum((axis - shift) ** 2 for axis in axes) < radius**2


def write_subject(folder: Path, subject: str, sequences: tuple[str, ...], registered: str) -> dict[str, str]:
    """Write a brain in a head, brighter or darker than it, and return the row of the sheet."""
    rng = np.random.default_rng(int(subject))
    inside = ball(14, shift=float(subject))
    names = {sequence: f"{subject}_{sequence}.nii.gz" for sequence in sequences}
    for factor, name in enumerate(names.values(), 1):
        values = 100.0 * ball(18) + factor * 150 * inside + rng.normal(0, 5, SHAPE)
        write_image(folder / name, values, AFFINE)
    write_image(folder / f"{subject}_mask.nii.gz", inside, AFFINE, np.uint8)
    cells = {"brain_mask": f"{subject}_mask.nii.gz", "stripped": "no", "registered": registered}
    return {"cohort": "balls", "subject": subject, "session": "1", **names, **cells}


def write_heads(folder: Path) -> Path:
    """Write two heads, one with two sequences and one with a single one; the sheet."""
    rows = [write_subject(folder, "1", ("t1c", "t2f"), "ref"), write_subject(folder, "2", ("t2f",), "none")]
    lines = ["\t".join(COLUMNS), *("\t".join(row.get(column, "") for column in COLUMNS) for row in rows)]
    sheet = folder / "samples.tsv"
    sheet.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sheet
