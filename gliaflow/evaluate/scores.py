"""Scores of one region of one case, and what they come to over many cases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """How well a region was found.

    Attributes
    ----------
    dice, hd95_mm
        As BraTS scores them: 1 and 0 where the region is neither there nor found, 0 and 373.13 where it is
        only one of the two.
    truth_ml, found_ml
        Volumes.
    sensitivity, precision
        Shares of the truth that was found, and of the found that is true; None where there is no such volume.
    """

    dice: float
    hd95_mm: float
    truth_ml: float
    found_ml: float
    sensitivity: float | None
    precision: float | None

    @property
    def state(self) -> str:
        """``present``, ``missed`` (nothing found of it), ``absent``, or ``false`` (absent, yet found)."""
        if self.truth_ml:
            return "present" if self.found_ml else "missed"
        return "false" if self.found_ml else "absent"


@dataclass(frozen=True)
class Spread:
    """Number, mean, standard deviation (n - 1), median and quartiles of values; NaN where there is none."""

    n: int
    mean: float
    sd: float
    median: float
    q1: float
    q3: float


@dataclass(frozen=True)
class Summary:
    """What the scores of a region come to.

    Attributes
    ----------
    dice
        Of the cases that have the region, missed ones included with 0.
    median_hd95_mm, median_sensitivity, median_precision
        Of the same cases; the precision of those where something was found.
    missed
        Cases that have the region, and nothing was found.
    absent, false
        Cases without the region, and those of them in which some was found.
    """

    dice: Spread
    median_hd95_mm: float
    median_sensitivity: float
    median_precision: float
    missed: int
    absent: int
    false: int


def spread(values: Sequence[float]) -> Spread:
    """Describe some values.

    >>> spread([1.0, 2.0, 3.0, 4.0]).q3
    3.25
    """
    if not values:
        return Spread(0, *[float("nan")] * 5)
    q1, median, q3 = (float(q) for q in np.percentile(values, (25, 50, 75)))
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Spread(len(values), float(np.mean(values)), sd, median, q1, q3)


def summarise(scores: Sequence[Score]) -> Summary:
    """Bring together the scores of one region: Dice and distances only of the cases that have it."""
    there = [score for score in scores if score.truth_ml]
    return Summary(
        dice=spread([score.dice for score in there]),
        median_hd95_mm=spread([score.hd95_mm for score in there]).median,
        median_sensitivity=_median([score.sensitivity for score in there]),
        median_precision=_median([score.precision for score in there]),
        missed=sum(score.state == "missed" for score in scores),
        absent=len(scores) - len(there),
        false=sum(score.state == "false" for score in scores),
    )


def _median(values: Sequence[float | None]) -> float:
    return spread([value for value in values if value is not None]).median
