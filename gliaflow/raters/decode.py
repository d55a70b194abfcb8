"""From the probabilities of the numbers of raters to an agreement map (BrainLes 2021, S9)."""

import numpy as np

from gliaflow.images import Array


def at_least(classes: Array) -> Array:
    """Return P(at least c raters mark a voxel) for c = 1 and on: the paper's nested masks, as probabilities.

    Parameters
    ----------
    classes
        P(exactly k raters), k = 0 and on: floating point in [0, 1], shape (raters + 1, ...).

    Returns
    -------
    Array
        float32 in [0, 1], shape (raters, ...), falling along the first axis.

    Examples
    --------
    >>> at_least(np.array([0.25, 0.25, 0.5])).tolist()
    [0.75, 0.5]
    """
    summed = np.cumsum(classes[:0:-1], axis=0, dtype=np.float64)[::-1]
    # a sum of rounded shares may pass 1 by the last digit
    return np.clip(summed, 0, 1).astype(np.float32)


def exactly(levels: Array) -> Array:
    """Return P(exactly k raters), k = 0 and on, from P(at least c raters), c = 1 and on; undoes `at_least`.

    Where rounding made a higher level more probable than a lower one, the number between them gets 0.

    >>> exactly(np.array([0.75, 0.5])).tolist()
    [0.25, 0.25, 0.5]
    """
    ends = np.ones_like(levels[:1]), np.zeros_like(levels[:1])
    bounded = np.concatenate([ends[0], levels, ends[1]])
    return np.maximum(bounded[:-1] - bounded[1:], 0)


def agreement_level(levels: Array) -> Array:
    """Return the most probable number of raters; of equally probable ones the smallest.

    Parameters
    ----------
    levels
        P(at least c raters), shape (raters, ...).

    Returns
    -------
    Array
        uint8, 0 to the number of raters, shape (...).

    Examples
    --------
    >>> agreement_level(np.array([[0.9, 0.3], [0.8, 0.2]])).tolist()
    [2, 0]
    """
    return exactly(levels).argmax(axis=0).astype(np.uint8)


def expected_agreement(levels: Array) -> Array:
    """Return the expected share of the raters who mark a voxel, sum_k k p_k / raters.

    The authors suggest it because the most probable number changes by leaps where two are about equally
    probable. It is the mean of P(at least c raters) over c.

    Parameters
    ----------
    levels
        P(at least c raters), shape (raters, ...).

    Returns
    -------
    Array
        float32 in [0, 1], shape (...).

    Examples
    --------
    >>> expected_agreement(np.array([[0.75], [0.25]])).tolist()
    [0.5]
    """
    return levels.mean(axis=0, dtype=np.float64).astype(np.float32)
