"""What is known of a generated session, and how far an estimated registration is from it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.images import Array, data_of
from gliaflow.sidecar import write_json

FILE_NAME = "truth.json"


@dataclass(frozen=True)
class SessionTruth:
    """The truth of one session.

    ``to_anatomy`` holds for each sequence the matrix, shape (4, 4), that maps a point of the world of the
    sequence's file to the world of the anatomy (both RAS+, mm), in which ``label.nii.gz``,
    ``brain_mask.nii.gz`` and ``tissue.nii.gz`` beside the JSON lie. ``volumes_ml`` is keyed by region.
    ``planted`` lists the invented identifying values of the scans' headers: none may leave.
    """

    subject: str
    session: str
    days: int
    seed: int
    resolution_mm: float
    to_anatomy: Mapping[str, Array]
    volumes_ml: Mapping[str, float]
    planted: tuple[str, ...]

    def between(self, sequence: str, reference: str) -> Array:
        """Return the matrix that maps a point of one sequence's world to another's, shape (4, 4)."""
        return np.linalg.solve(self.to_anatomy[reference], self.to_anatomy[sequence])


def write_truth(folder: Path, truth: SessionTruth) -> None:
    """Write ``truth.json`` into a folder that exists."""
    matrices = {sequence: matrix.tolist() for sequence, matrix in truth.to_anatomy.items()}
    write_json(folder / FILE_NAME, {**asdict(truth), "to_anatomy": matrices})


def read_truth(folder: Path) -> SessionTruth:
    """Read ``truth.json`` from a session's ``truth`` folder."""
    content = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    content["to_anatomy"] = {name: np.array(rows) for name, rows in content["to_anatomy"].items()}
    content["planted"] = tuple(content["planted"])
    return SessionTruth(**content)


def registration_error_mm(estimated: Array, truth: Array, brain_mask: nib.Nifti1Image) -> tuple[float, float]:
    """Measure how far an estimated transform puts the points of the brain from where they belong.

    Parameters
    ----------
    estimated, truth
        Shape (4, 4): from a sequence's world to the world of the mask (RAS+, mm). For an estimate that
        leads to a reference sequence instead, pass ``truth.to_anatomy[reference] @ estimate``.
    brain_mask
        Non-zero in the brain.

    Returns
    -------
    tuple of float
        Mean and largest distance over the mask's voxels, mm.
    """
    voxels = np.argwhere(data_of(brain_mask) > 0)
    points = nib.affines.apply_affine(brain_mask.affine, voxels)
    moved = nib.affines.apply_affine(estimated @ np.linalg.inv(truth), points)
    distance = np.linalg.norm(moved - points, axis=1)
    return float(distance.mean()), float(distance.max())
