"""How well an agreement map is predicted: the Dice of QUBIQ (BrainLes 2021, S9)."""

from collections.abc import Mapping
from typing import Any

from gliaflow.evaluate.qubiq import CHALLENGE_THRESHOLDS, PAPER_THRESHOLDS, qubiq_dice
from gliaflow.images import Array

QUBIQ_COLUMNS = {
    "prediction": "What is compared with the share of the raters who mark a voxel: level (the most probable "
    "number of raters, as a share of them) or expected (the expected share)",
    "raters": "Raters of the reference",
    "qubiq_dice": "Mean of the Dice at thresholds of 0.1, 0.2 ... 0.9 for both; 1 where both are empty",
    "qubiq_dice_from_0": "The same with a threshold of 0.0 besides, at which both are the whole image, as in "
    "BrainLes 2021, S9",
}


def qubiq_rows(reference: Array, predictions: Mapping[str, Array], raters: int) -> list[dict[str, Any]]:
    """Return the rows of ``QUBIQ_COLUMNS``.

    Parameters
    ----------
    reference
        The share of the raters who mark a voxel: floating point in [0, 1], shape (x, y, z).
    predictions
        What is predicted of it, by name: the same shape.
    raters
        Of the reference.

    Raises
    ------
    ImageError
        The shapes differ, or a value is not between 0 and 1.
    """
    return [
        {
            "prediction": name,
            "raters": raters,
            "qubiq_dice": round(qubiq_dice(reference, predicted, CHALLENGE_THRESHOLDS), 4),
            "qubiq_dice_from_0": round(qubiq_dice(reference, predicted, PAPER_THRESHOLDS), 4),
        }
        for name, predicted in predictions.items()
    ]
