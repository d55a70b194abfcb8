"""STAPLE: the truth and every rater's performance, each estimated from the other."""

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from gliaflow.fuse.options import check_number, needs_two
from gliaflow.fuse.raters import Raters
from gliaflow.fuse.voting import Fused, Performance, decide_labels, decide_regions
from gliaflow.images import Array

if TYPE_CHECKING:
    import SimpleITK as sitk


@dataclass(frozen=True)
class Estimate:
    """What the raters' votes say of the truth, and the truth of the raters.

    Attributes
    ----------
    posterior
        Float, shape (patterns, classes): how probable each class is.
    confusion
        Float, shape (raters, classes, classes): how often a rater says the second index where the third is
        true; 0 or not a number where a class is nowhere true.
    rounds
        Rounds of the iteration.
    """

    posterior: Array
    confusion: Array
    rounds: int


def staple(raters: Raters, *, margin: int = 1, max_rounds: int = 200) -> Fused:
    """Estimate the truth by expectation maximisation (STAPLE; of models: BrainLes 2021, S41).

    Regions are binary problems (Warfield 2004, IEEE TMI 23(7):903); labels are one problem with a confusion
    matrix for each rater (Rohlfing 2004, IEEE TMI 23(8):983). ITK's filters make the estimates.

    Where a structure is tiny in its image, STAPLE fails: nearly all voxels are background that nobody
    disputes, so that every rater seems to make next to no false mark, and what one of them marks is believed.
    Only a box around all that is marked, with a margin, therefore counts as the image; the rest is
    background. Prior and rates are those of this box.

    Parameters
    ----------
    raters
        The votes, of two raters or more.
    margin
        Voxels of background on all sides of the box, 1 or more, counted also where the image ends.
    max_rounds
        The iteration stops after so many rounds, settled or not.

    Returns
    -------
    Fused
        Its probability is the posterior. Its performance holds ``sensitivity`` and ``specificity`` for each
        region, or for each label and the background (``0``) a row of the confusion matrix: ``says_1`` is the
        share of its voxels to which the rater gives label 1, and so on. What was nowhere found has none.

    Raises
    ------
    ConfigError
        There is one rater only, or an option is not possible.
    """
    needs_two("staple", raters)
    check_number("margin", margin, lowest=1, whole=True)
    check_number("max_rounds", max_rounds, lowest=1, whole=True)
    return (_by_region if raters.regions else _by_label)(raters, margin, max_rounds)


def estimate_binary(votes: Array, counts: Array, max_rounds: int) -> Estimate:
    """Estimate where a region is, by ITK's STAPLE filter.

    Parameters
    ----------
    votes
        0 or 1, shape (raters, patterns).
    counts
        Shape (patterns,): in how many voxels, each in one or more.
    max_rounds
        See `staple`.
    """
    import SimpleITK as sitk

    staple = sitk.STAPLEImageFilter()
    staple.SetForegroundValue(1)
    staple.SetMaximumIterations(max_rounds)
    voxels = sitk.GetArrayFromImage(staple.Execute(_voxels(votes, counts))).ravel()
    # where nothing at all is believed any more, the filter divides 0 by 0
    inside = np.nan_to_num(voxels[np.cumsum(counts) - 1])
    yes, no = np.array(staple.GetSensitivity()), np.array(staple.GetSpecificity())
    confusion = np.moveaxis(np.array([[no, 1 - yes], [1 - no, yes]]), -1, 0)
    return Estimate(np.stack([1 - inside, inside], axis=-1), confusion, staple.GetElapsedIterations())


def estimate_classes(votes: Array, counts: Array, classes: int, max_rounds: int) -> Estimate:
    """Estimate which class is where, by ITK's multi-label STAPLE filter.

    Parameters
    ----------
    votes
        Integers from 0 to ``classes`` - 1, shape (raters, patterns).
    counts, max_rounds
        As for `estimate_binary`.
    """
    import SimpleITK as sitk

    rounds: list[None] = []
    staple = sitk.MultiLabelSTAPLEImageFilter()
    staple.SetMaximumNumberOfIterations(max_rounds)
    staple.AddCommand(sitk.sitkIterationEvent, lambda: rounds.append(None))
    staple.Execute(_voxels(votes, counts))
    said = int(votes.max()) + 1
    confusion = np.zeros((len(votes), classes, classes))
    for k in range(len(votes)):
        confusion[k, :said, :said] = np.reshape(staple.GetConfusionMatrix(k), (said + 1, said))[:-1]
    return Estimate(_posterior(votes, counts, confusion), confusion, len(rounds))


def _voxels(votes: Array, counts: Array) -> "list[sitk.Image]":
    """Make an image of each rater's votes; as the filters do not ask where a voxel lies, it is one row."""
    import SimpleITK as sitk

    rows = np.repeat(votes, counts, axis=1).astype(np.uint8)
    return [sitk.GetImageFromArray(row[np.newaxis]) for row in rows]


def _posterior(votes: Array, counts: Array, confusion: Array) -> Array:
    """Return what follows from the confusion by Bayes' rule; the prior is the mean of all votes."""
    share = np.eye(confusion.shape[-1])[votes].mean(axis=0)
    prior = counts @ share / counts.sum()
    joint = prior * np.prod([matrix[row] for matrix, row in zip(confusion, votes, strict=True)], axis=0)
    total = joint.sum(axis=1, keepdims=True)
    return np.divide(joint, total, out=share, where=total > 0)


def _with_background(raters: Raters, votes: Array, margin: int) -> tuple[Array, Array, Array]:
    """Return what is marked (bool), these votes and last the background of their box, and the counts."""
    marked = np.asarray(votes.any(axis=0))
    box = prod(side + 2 * margin for side in raters.extent(marked))
    counts = raters.counts[marked]
    background = np.zeros((len(votes), 1), dtype=votes.dtype)
    return marked, np.hstack([votes[:, marked], background]), np.append(counts, box - counts.sum())


def _by_region(raters: Raters, margin: int, max_rounds: int) -> Fused:
    posterior = {region: np.zeros(len(raters.counts)) for region in raters.regions}
    performance: Performance = {name: {} for name in raters.names}
    rounds = 0
    for region in raters.regions:
        masks = raters.masks(region)
        if masks.any():
            marked, votes, counts = _with_background(raters, masks, margin)
            found = estimate_binary(votes.astype(np.uint8), counts, max_rounds)
            posterior[region][marked] = found.posterior[:-1, 1]
            rounds = max(rounds, found.rounds)
            for name, matrix in zip(raters.names, found.confusion, strict=True):
                performance[name][region] = _rates(matrix)
    return replace(decide_regions(posterior), performance=performance, rounds=rounds)


def _by_label(raters: Raters, margin: int, max_rounds: int) -> Fused:
    if not raters.marked.any():
        return decide_labels(raters.labels, np.zeros((len(raters.labels) + 1, 0)))
    values = (0, *raters.labels)
    place = np.zeros(256, dtype=np.uint8)
    place[list(values)] = range(len(values))
    _, votes, counts = _with_background(raters, place[raters.votes], margin)
    found = estimate_classes(votes, counts, len(values), max_rounds)
    performance = {
        name: {
            str(true): _row(column, values)
            for true, column in zip(values, matrix.T, strict=True)
            if _is_somewhere(column)
        }
        for name, matrix in zip(raters.names, found.confusion, strict=True)
    }
    shares = np.roll(found.posterior[:-1].T, -1, axis=0)
    return replace(decide_labels(raters.labels, shares), performance=performance, rounds=found.rounds)


def _rates(matrix: Array) -> dict[str, float]:
    rates = {"sensitivity": (1, 1), "specificity": (0, 0)}
    return {name: float(matrix[place]) for name, place in rates.items() if _is_somewhere(matrix[:, place[1]])}


def _is_somewhere(column: Array) -> bool:
    """Tell by a column of a confusion matrix whether its class is true anywhere."""
    return bool(column.any() and np.isfinite(column).all())


def _row(column: Array, values: tuple[int, ...]) -> dict[str, float]:
    return {f"says_{said}": float(rate) for said, rate in zip(values, column, strict=True)}
