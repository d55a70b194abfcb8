"""SIMPLE: raters weighted by their agreement with the current estimate, the poor ones left out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gliaflow.fuse.options import check_number, needs_two
from gliaflow.fuse.raters import Raters
from gliaflow.fuse.voting import EQUAL, Fused, inside, share, vote
from gliaflow.images import Array


@dataclass(frozen=True)
class Limits:
    """When a rater is left out; see `simple`."""

    alpha: float
    gap: float
    keep: int
    max_rounds: int


@dataclass(frozen=True)
class Selection:
    """The raters that are left for a part.

    Attributes
    ----------
    weights
        Float, shape (raters,): the Dice coefficient with the estimate; 0 where the rater was left out.
    dropped
        Why, by the index of the rater.
    rounds
        Rounds of the iteration.
    """

    weights: Array
    dropped: Mapping[int, str]
    rounds: int


def simple(
    raters: Raters, *, alpha: float = 1.0, gap: float = 0.05, keep: int = 3, max_rounds: int = 25
) -> Fused:
    """Estimate performance selectively and iteratively (SIMPLE; Langerak 2010, IEEE TMI 29(12):2000).

    For each region or label apart, the first estimate is the majority vote. In each round a rater's
    performance is its Dice coefficient with the estimate; raters far below the mean of those that remain are
    left out for good, and the vote of the others, weighted by their performance, is the next estimate, until
    neither changes. Labels are then decided by one vote with the weights that each rater has for each label.

    The method was made for many atlases; for a few raters two limits are added. Of raters who hardly differ
    one is always the lowest, so that it takes a ``gap`` to be left out; and as of two raters the heavier
    alone decides, ``keep`` of them remain. In BraTS Toolkit's version the weights are (1 + Dice)², and its
    threshold is so low that no rater falls below it.

    Parameters
    ----------
    raters
        The votes, of two raters or more.
    alpha
        How many standard deviations (of the remaining raters) below the mean is far.
    gap
        What is less than this below the mean is not far, whatever the standard deviation.
    keep
        A round that would leave fewer raters drops none.
    max_rounds
        The iteration stops after so many rounds.

    Returns
    -------
    Fused
        Its probability is the share of the weighted vote. Its performance holds ``weight``.

    Raises
    ------
    ConfigError
        There is one rater only, or an option is not possible.
    """
    needs_two("simple", raters)
    check_number("alpha", alpha, lowest=0)
    check_number("gap", gap, lowest=0, highest=1)
    check_number("keep", keep, lowest=1, whole=True)
    check_number("max_rounds", max_rounds, lowest=1, whole=True)
    limits = Limits(alpha, gap, keep, max_rounds)
    selected = {part: select(raters.masks(part), raters.counts, limits) for part in raters.parts}
    fused = vote(raters, {part: selection.weights for part, selection in selected.items()})
    return replace(
        fused,
        performance={
            name: {part: {"weight": float(selection.weights[k])} for part, selection in selected.items()}
            for k, name in enumerate(raters.names)
        },
        dropped=_by_name(raters, selected),
        rounds=max(selection.rounds for selection in selected.values()),
    )


def select(masks: Array, counts: Array, limits: Limits) -> Selection:
    """Weigh the raters of one region or label and leave out the poor ones.

    Parameters
    ----------
    masks
        Bool, shape (raters, patterns).
    counts
        Shape (patterns,): in how many voxels.
    limits
        When a rater is left out.
    """
    kept = np.ones(len(masks), dtype=bool)
    estimate = inside(share(masks, kept.astype(float)))
    dropped: dict[int, str] = {}
    for rounds in range(1, limits.max_rounds + 1):
        performance = agreement(masks, estimate, counts)
        mean, spread = performance[kept].mean(), performance[kept].std()
        limit = mean - max(limits.alpha * spread, limits.gap)
        poor = kept & (performance < limit - EQUAL)
        poor &= (kept & ~poor).sum() >= limits.keep
        dropped |= {k: _reason(performance[k], rounds, limit) for k in np.flatnonzero(poor).tolist()}
        kept &= ~poor
        weights = np.where(kept, performance, 0)
        before, estimate = estimate, inside(share(masks, weights))
        if not poor.any() and np.array_equal(before, estimate):
            break
    return Selection(weights, dropped, rounds)


def agreement(masks: Array, estimate: Array, counts: Array) -> Array:
    """Return each rater's Dice coefficient with an estimate.

    The masks have the shape (raters, patterns), the estimate and the counts (patterns,). Two that are empty
    agree: 1, as in `gliaflow.evaluate.overlap.dice`.

    >>> agreement(np.array([[True, True], [False, False]]), np.array([True, False]), np.array([2, 1]))
    array([0.8, 0. ])
    """
    both = (masks & estimate) @ counts
    total = masks @ counts + estimate @ counts
    return np.divide(2.0 * both, total, out=np.ones(len(masks)), where=total > 0)


def _reason(performance: float, rounds: int, limit: float) -> str:
    return f"Dice of {performance:.3f} with the estimate in round {rounds}, below {limit:.3f}"


def _by_name(raters: Raters, selected: Mapping[str, Selection]) -> dict[str, dict[str, str]]:
    reasons = {
        name: {part: found.dropped[k] for part, found in selected.items() if k in found.dropped}
        for k, name in enumerate(raters.names)
    }
    return {name: parts for name, parts in reasons.items() if parts}
