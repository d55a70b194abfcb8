"""Out-of-fold predictions: what a fold's network says of the sessions that it has not seen."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.evaluate.overlap import dice
from gliaflow.evaluate.qubiq import qubiq_dice
from gliaflow.fuse.mean import mean_probability
from gliaflow.images import Array, data_of, ml_per_voxel, read_image, spacing_of, write_image
from gliaflow.nnunet.environment import prepare_nnunet
from gliaflow.nnunet.regions import region_map, to_regions
from gliaflow.nnunet.targets import inside_region
from gliaflow.raters.agreement import agreement_share
from gliaflow.segment.segmenters import dequantise, present, quantise
from gliaflow.train.dataset import Case
from gliaflow.train.fold import CONFIGURATION, read_plans

SCORE_COLUMNS = {
    "case": "Session: cohort, subject and session; for brain extraction also the sequence",
    "fold": "Fold that the session was left out of",
    "loss": "Loss that the network was trained with",
    "missing": "Sequence that was taken away for this score; empty for none",
    "region": "Region: WT, TC or ET, or brain",
    "dice": "Dice with the reference at a threshold of 0.5; for several raters the mean over thresholds of "
    "0.1 to 0.9 (QUBIQ); 1 where both are empty",
    "predicted_ml": "Volume of the prediction in ml",
    "reference_ml": "Volume of the reference in ml",
}
logger = logging.getLogger(__name__)


class TrainedFold:
    """The files of one freshly trained fold, in the form that `gliaflow.nnunet.predict.Ensemble` takes."""

    configuration = CONFIGURATION
    manifest = None

    def __init__(self, checkpoint: Path, preprocessed: Path, fold: int) -> None:
        """Take a fold's checkpoint and the plans that it was trained by."""
        self.path = checkpoint
        self.plans, self.dataset = read_plans(preprocessed)
        self.folds = (str(fold),)

    def checkpoint(self, fold: str) -> dict[str, Any]:
        """Return the checkpoint."""
        from gliaflow.nnunet.weights import read_checkpoint

        return read_checkpoint(self.path, str(self.path))


def validate_fold(
    checkpoint: Path,
    preprocessed: Path,
    cases: Sequence[Case],
    output: Path,
    *,
    fold: int,
    loss: str,
    sequences: Sequence[str],
    regions: Sequence[str],
    leave_out: Sequence[str],
    settings: Mapping[str, Any],
    threads: int = 1,
) -> list[dict[str, Any]]:
    """Predict every session of a fold, keep the probabilities and score them.

    Parameters
    ----------
    checkpoint, preprocessed, fold, loss
        What was trained, and how.
    cases
        All sessions of the dataset; those of other folds are passed over.
    output
        Where ``<case>_probseg.nii.gz`` go: uint8, shape (x, y, z, regions).
    sequences, regions
        Inputs and outputs of the network.
    leave_out
        Sequences without each of which every session is scored once more.
    settings
        ``tta``, ``step`` and ``cpu_precision`` of segmentation, and the ``method`` of fusion.
    threads
        CPU cores that the network may use.

    Returns
    -------
    list of dict
        Rows of ``SCORE_COLUMNS``.
    """
    prepare_nnunet(threads=threads)
    from gliaflow.nnunet.predict import Ensemble, inference_from

    inference = inference_from(settings, threads)
    ensemble = Ensemble(TrainedFold(checkpoint, preprocessed, fold), inference)
    network = FoldNetwork(ensemble, sequences, regions, settings["method"])
    output.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for case in (case for case in cases if case.fold == fold):
        logger.info("fold %d, %s: %s", fold, loss, case.name)
        for missing, probability in network.predictions(case, leave_out):
            rows += [
                {"case": case.name, "fold": fold, "loss": loss, "missing": missing, **row}
                for row in scores(probability, case, regions)
            ]
            if not missing:
                write_image(
                    output / f"{case.name}_probseg.nii.gz",
                    probability,
                    read_image(case.label).affine,
                    np.uint8,
                )
    return rows


@dataclass(frozen=True)
class FoldNetwork:
    """A fold's network in memory, its inputs and outputs, and how members become one (``fuse.method``)."""

    ensemble: Any
    sequences: Sequence[str]
    regions: Sequence[str]
    method: str

    def probability(self, images: Mapping[str, nib.Nifti1Image], brain: Array | bool) -> Array:
        """Return the fused probability of a case inside its brain, uint8, shape (x, y, z, regions)."""
        from gliaflow.nnunet.predict import voxels_of

        heads = region_map(self.ensemble.files.dataset, self.regions, "gliaflow")
        voxels, spacing = voxels_of(present(images, self.sequences))
        members = (
            dequantise(quantise(self.ensemble.placed(to_regions(logits, heads), record).T * brain))
            for _, logits, record in self.ensemble.logits(voxels, spacing)
        )
        return quantise(mean_probability(members, self.method))

    def predictions(self, case: Case, leave_out: Sequence[str]) -> Iterator[tuple[str, Array]]:
        """Yield the probability of a case with all that it has, then without each sequence to leave out."""
        there = {name: read_image(path) for name, path in case.images.items()}
        brain = True if case.mask is None else data_of(read_image(case.mask))[..., np.newaxis] > 0
        yield "", self.probability(there, brain)
        for name in leave_out:
            if name in there and len(there) > 1:
                rest = {other: image for other, image in there.items() if other != name}
                yield name, self.probability(rest, brain)


def scores(probability: Array, case: Case, regions: Sequence[str]) -> list[dict[str, Any]]:
    """Return Dice and volumes of each region of a prediction, at a threshold of 0.5.

    Where the label map counts raters the Dice is that of QUBIQ, and 0.5 stands for half of the raters.
    """
    label = read_image(case.label)
    reference, voxel_ml = data_of(label, np.uint8), ml_per_voxel(spacing_of(label))
    rows = []
    for k, region in enumerate(regions):
        predicted = dequantise(probability[..., k])
        if case.raters:
            share = agreement_share(reference, case.raters)
            found, true, overlap = predicted >= 0.5, share >= 0.5, qubiq_dice(share, predicted)
        else:
            found, true = predicted >= 0.5, inside_region(reference, region)
            overlap = dice(found, true)
        rows.append(
            {
                "region": region,
                "dice": round(overlap, 4),
                "predicted_ml": round(float(found.sum()) * voxel_ml, 3),
                "reference_ml": round(float(true.sum()) * voxel_ml, 3),
            }
        )
    return rows
