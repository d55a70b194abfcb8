"""The Dice of QUBIQ: does a soft segmentation spread as several raters do (arXiv 2405.18435)?"""

from collections.abc import Sequence

import numpy as np

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.overlap import dice
from gliaflow.images import Array

CHALLENGE_THRESHOLDS = tuple(k / 10 for k in range(1, 10))
"""0.1 to 0.9, as those who took part in the challenge wrote them."""
PAPER_THRESHOLDS = (0.0, *CHALLENGE_THRESHOLDS)
"""0.0 to 0.9 (BrainLes 2021, S9); at 0.0 all voxels are inside, so that any prediction has at least 0.1."""
TOLERANCE = 1e-6
"""A value less than this below a threshold is at it: 3 of 5 raters, written as float32, are at 0.6."""


def qubiq_dice(
    reference: Array, predicted: Array, thresholds: Sequence[float] = CHALLENGE_THRESHOLDS
) -> float:
    """Return the mean over the thresholds of `dice_at_thresholds`.

    >>> qubiq_dice(np.array([1.0, 0.5]), np.array([1.0, 0.0])).__round__(4)
    0.8148
    """
    return float(np.mean(dice_at_thresholds(reference, predicted, thresholds)))


def dice_at_thresholds(
    reference: Array, predicted: Array, thresholds: Sequence[float] = CHALLENGE_THRESHOLDS
) -> tuple[float, ...]:
    """Return the Dice of two soft masks that are both cut at each threshold.

    What is at a threshold or above is inside, as the 0.1 shows that S9 reports of an empty prediction over
    ten thresholds from 0.0; a participant's public code has its prediction above the threshold. Where both
    masks are empty at a threshold the Dice is 1.

    With few raters several thresholds give the same masks: with three, 0.1 to 0.3 are one or more, 0.4 to 0.6
    two or more, and 0.7 to 0.9 all three.

    Parameters
    ----------
    reference, predicted
        Of one shape, 0 to 1: the share of raters, and a probability.
    thresholds
        One or more, 0 to 1.

    Raises
    ------
    ConfigError
        The thresholds are not possible.
    ImageError
        The shapes differ, or values are not between 0 and 1.

    Examples
    --------
    >>> dice_at_thresholds(np.array([1.0, 0.5]), np.array([1.0, 0.0]), [0.5, 0.6])
    (0.6666666666666666, 1.0)
    """
    if not thresholds or not all(0 <= threshold <= 1 for threshold in thresholds):
        raise ConfigError(f"thresholds {list(thresholds)}: write one or more numbers from 0 to 1")
    for name, values in (("reference", reference), ("prediction", predicted)):
        if not ((values >= 0) & (values <= 1)).all():
            raise ImageError(f"soft {name}: holds values outside 0 to 1; write shares or probabilities")
    return tuple(
        dice(reference >= threshold - TOLERANCE, predicted >= threshold - TOLERANCE)
        for threshold in thresholds
    )
