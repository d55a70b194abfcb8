"""Votes of raters on what each voxel is: plain, weighted, or by one rater for each region."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gliaflow.config.mistakes import listing, show
from gliaflow.errors import ConfigError
from gliaflow.fuse.options import Weights, weights_by_part
from gliaflow.fuse.raters import Raters
from gliaflow.images import Array
from gliaflow.labels import encode

EQUAL = 1e-6
"""Shares that differ by less are equal, so that no rounding decides."""
Performance = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Fused:
    """What a method makes of the patterns that raters' votes form.

    Attributes
    ----------
    labels
        uint8, shape (patterns,).
    ties
        Bool, shape (patterns,): where what was best had an equal.
    probability
        float32, shape (patterns, regions); None where labels are fused.
    performance
        By rater and part, what the method found of it.
    dropped
        By rater and part, why it was left out.
    rounds
        Rounds until nothing changed; 0 where a method needs none.
    """

    labels: Array
    ties: Array
    probability: Array | None
    performance: Performance = field(default_factory=dict)
    dropped: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rounds: int = 0


def majority(raters: Raters) -> Fused:
    """Let every rater's vote count alike (of the networks of three planes: BrainLes 2021, S23).

    Parameters
    ----------
    raters
        The votes; a single rater's map is what comes out.

    Returns
    -------
    Fused
        Its probability is the share of the raters; times their number it is how many agree (S9).
    """
    return vote(raters, {part: np.ones(len(raters.names)) for part in raters.parts})


def weighted(raters: Raters, *, weights: Weights) -> Fused:
    """Let the votes count by weights.

    Parameters
    ----------
    raters
        The votes.
    weights
        For each rater a number, 0 or more, or such a number for each region or label. A part that is left out
        counts 0: the rater has no say in it. Further names are of no effect.

    Returns
    -------
    Fused
        Its performance holds ``weight``.

    Raises
    ------
    ConfigError
        A rater has no weight, one is not possible, or all are 0 in a part that somebody marked.
    """
    by_part = weights_by_part("weights", weights, raters, highest=float("inf"))
    return replace(vote(raters, by_part), performance=_performance(raters, by_part))


def score_weighted(raters: Raters, *, scores: Weights) -> Fused:
    """Let the votes count by validation scores (BrainLes 2021, S19).

    The published mean of masks times scores is divided by the number of masks; here it is by the sum of the
    scores, so that one half remains one half and only the scores' ratios matter.

    Parameters
    ----------
    raters
        The votes.
    scores
        As the weights of `weighted`, from 0 to 1, such as the mean Dice in a validation.

    Returns
    -------
    Fused
        Its performance holds ``weight``.

    Raises
    ------
    ConfigError
        As for `weighted`.
    """
    by_part = weights_by_part("scores", scores, raters, highest=1.0)
    return replace(vote(raters, by_part), performance=_performance(raters, by_part))


def source(raters: Raters, *, source: Mapping[str, str]) -> Fused:
    """Take each region from the rater that is named for it.

    Parameters
    ----------
    raters
        The votes, by region.
    source
        For each region the name of a rater.

    Returns
    -------
    Fused
        The probability is 0 or 1.

    Raises
    ------
    ConfigError
        Labels are fused instead of regions, or ``source`` does not name a rater for each region.
    """
    if not raters.regions:
        raise ConfigError("method: 'source': takes regions from raters; write by: region")
    named = source if isinstance(source, Mapping) else {}
    if set(named) != set(raters.regions) or not set(named.values()) <= set(raters.names):
        raise ConfigError(
            f"source: {show(source)}: is not possible; write for each of {listing(raters.regions, 'and')} "
            f"one of {listing(raters.names)}"
        )
    masks = {region: raters.masks(region)[raters.names.index(named[region])] for region in raters.regions}
    return decide_regions({region: mask.astype(float) for region, mask in masks.items()})


def vote(raters: Raters, weights: Mapping[str, Array]) -> Fused:
    """Vote on every part with weights.

    Of labels, each label's share is that of the weights that count for this label, and the background's that
    of the raters' mean weights. Weights thus compare raters, not labels: the same for all is a plain vote.

    Parameters
    ----------
    raters
        The votes.
    weights
        For each part float, shape (raters,).

    Returns
    -------
    Fused
        See `decide_regions` and `decide_labels`.
    """
    shares = {part: share(raters.masks(part), weights[part]) for part in raters.parts}
    if raters.regions:
        return decide_regions(shares)
    mean = np.mean([weights[part] for part in raters.parts], axis=0)
    return decide_labels(raters.labels, np.stack([*shares.values(), share(raters.votes == 0, mean)]))


def share(masks: Array, weights: Array) -> Array:
    """Return the share of weights (raters,) that masks (raters, patterns) hold; 0 where all weights are 0."""
    total = weights.sum()
    return weights @ masks / total if total > 0 else np.zeros(masks.shape[1])


def inside(shares: Array) -> Array:
    """Return where a share is one half or more, as bool: a threshold of 0.5 is reached by an equal value."""
    return shares >= 0.5 - EQUAL


def decide_regions(shares: Mapping[str, Array]) -> Fused:
    """Make labels of what each region has in its favour.

    Parameters
    ----------
    shares
        For each region float in [0, 1], shape (patterns,).

    Returns
    -------
    Fused
        Regions with one half or more, put together by `gliaflow.labels.encode`. One half is a tie.
    """
    half = {region: np.abs(values - 0.5) <= EQUAL for region, values in shares.items()}
    exact = [np.where(half[region], 0.5, values) for region, values in shares.items()]
    return Fused(
        labels=encode({region: inside(values) for region, values in shares.items()}),
        ties=np.any(list(half.values()), axis=0),
        probability=np.stack(exact, axis=-1).astype(np.float32),
    )


def decide_labels(labels: Sequence[int], shares: Array) -> Fused:
    """Give each pattern the label with the largest share.

    Parameters
    ----------
    labels
        Label values.
    shares
        Float in [0, 1], shape (labels + 1, patterns), those of the background last.

    Returns
    -------
    Fused
        Two or more that are largest are a tie; of them the first wins. Background where all shares are 0.
    """
    best = shares.max(axis=0)
    equal = (shares >= best - EQUAL) & (best > EQUAL)
    values = np.array([*labels, 0], dtype=np.uint8)
    found = np.where(equal.any(axis=0), values[equal.argmax(axis=0)], 0)
    return Fused(found.astype(np.uint8), equal.sum(axis=0) > 1, None)


def _performance(raters: Raters, weights: Mapping[str, Array]) -> dict[str, Any]:
    return {
        name: {part: {"weight": float(weights[part][k])} for part in raters.parts}
        for k, name in enumerate(raters.names)
    }
