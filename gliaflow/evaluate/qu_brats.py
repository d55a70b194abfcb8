"""The scores of QU-BraTS: does leaving out the uncertain voxels leave out the errors (MELBA 2022:026)?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliaflow.errors import ConfigError, ImageError
from gliaflow.images import Array

HIGHEST = 100.0
THRESHOLDS = tuple(np.linspace(0, HIGHEST, 41).tolist())
"""40 steps of 2.5, as in the published code."""
UNCERTAINTY_COLUMNS = {
    "region": "Region",
    "auc_dice": "Area under the curve of the Dice coefficient of the voxels that are left",
    "auc_ftp": "Area under the curve of the share of true positives that are left out",
    "auc_ftn": "Area under the curve of the share of the brain's true negatives that are left out",
    "qu_brats_score": "(auc_dice + (1 - auc_ftp) + (1 - auc_ftn)) / 3",
}


@dataclass(frozen=True)
class UncertaintyCurves:
    """What is left when voxels above a threshold of uncertainty are left out.

    Attributes
    ----------
    thresholds
        Rising, shape (n,).
    dice
        Dice coefficient of the voxels that are left, shape (n,); 1 where they hold neither truth nor found.
    ftp, ftn
        Shares of the true positives and of the true negatives that are left out, shape (n,); 0 where there
        is none at all.
    """

    thresholds: Array
    dice: Array
    ftp: Array
    ftn: Array

    def auc(self, name: str) -> float:
        """Return the area under ``dice``, ``ftp`` or ``ftn``, as a share of the range of thresholds."""
        area = np.trapezoid(getattr(self, name), self.thresholds)
        return float(area / (self.thresholds[-1] - self.thresholds[0]))

    @property
    def score(self) -> float:
        """The score that the challenge ranks by, 0 to 1: (AUC Dice + 1 - AUC FTP + 1 - AUC FTN) / 3."""
        return (self.auc("dice") + (1 - self.auc("ftp")) + (1 - self.auc("ftn"))) / 3


def uncertainty_curves(
    truth: Array,
    found: Array,
    uncertainty: Array,
    brain: Array,
    thresholds: Sequence[float] = THRESHOLDS,
) -> UncertaintyCurves:
    """Return the curves of a region.

    A voxel is left out where its uncertainty is above the threshold. As in the published code, the Dice is of
    all voxels, also of those outside the brain, and the other two only of the brain.

    Parameters
    ----------
    truth, found, brain
        Bool, of one shape (x, y, z).
    uncertainty
        Of the same shape, 0 (certain) to 100.
    thresholds
        Two or more, rising, 0 to 100.

    Raises
    ------
    ConfigError
        The thresholds are not possible.
    ImageError
        The shapes differ, or the uncertainty is not between 0 and 100.

    Examples
    --------
    >>> truth, found = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 0]]], dtype=bool)
    >>> uncertainty = np.array([[0, 60, 0, 100]])
    >>> curves = uncertainty_curves(truth, found, uncertainty, np.ones_like(truth), (0, 50, 100))
    >>> curves.dice.round(2).tolist(), curves.ftp.tolist(), curves.ftn.tolist()
    ([1.0, 1.0, 0.67], [0.0, 0.0, 0.0], [0.5, 0.5, 0.0])
    """
    _check(truth, found, uncertainty, brain, thresholds)
    limits = np.asarray(thresholds, dtype=float)
    used = truth | found | brain
    # a voxel is left from the first threshold on that is not below its uncertainty
    first = np.searchsorted(limits, uncertainty[used])
    kind = truth[used] + 2 * found[used].astype(np.intp) + 4 * brain[used].astype(np.intp)
    counts = np.bincount(kind * (len(limits) + 1) + first, minlength=8 * (len(limits) + 1))
    left = counts.reshape(2, 2, 2, -1).cumsum(axis=-1)  # brain, found, truth, threshold
    both, either = left[:, 1, 1].sum(axis=0)[:-1], (left[:, 1, 0] + left[:, 0, 1]).sum(axis=0)[:-1]
    total = 2 * both + either
    dice = np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)
    return UncertaintyCurves(limits, dice, _left_out(left[1, 1, 1]), _left_out(left[1, 0, 0]))


def uncertainty_rows(curves: Mapping[str, UncertaintyCurves]) -> list[dict[str, Any]]:
    """Return a row with the columns `UNCERTAINTY_COLUMNS` for each region."""
    return [
        {
            "region": region,
            **{f"auc_{name}": curve.auc(name) for name in ("dice", "ftp", "ftn")},
            "qu_brats_score": curve.score,
        }
        for region, curve in curves.items()
    ]


def _left_out(left: Array) -> Array:
    """Return the share of voxels that are left out at each threshold; the last entry counts all voxels."""
    return (left[-1] - left[:-1]) / max(int(left[-1]), 1)


def _check(truth: Array, found: Array, uncertainty: Array, brain: Array, thresholds: Sequence[float]) -> None:
    shapes = {image.shape for image in (truth, found, uncertainty, brain)}
    if len(shapes) > 1:
        raise ImageError(
            f"truth {truth.shape}, found {found.shape}, uncertainty {uncertainty.shape} and brain mask "
            f"{brain.shape} do not match; bring all to one grid"
        )
    if not ((uncertainty >= 0) & (uncertainty <= HIGHEST)).all():
        raise ImageError(
            "uncertainty: holds values outside 0 to 100; write 0 where it is certain, at most 100"
        )
    rising = len(thresholds) > 1 and (np.diff(thresholds) > 0).all()
    if not (rising and thresholds[0] >= 0 and thresholds[-1] <= HIGHEST):
        raise ConfigError(f"thresholds {list(thresholds)}: write two or more rising numbers from 0 to 100")
