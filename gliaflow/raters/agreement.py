"""How many of several raters mark each voxel (BrainLes 2021, S9)."""

from collections.abc import Sequence

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array

LEAST_RATERS = 2
MOST_RATERS = 100
"""Far below the 255 that uint8 holds: each number of raters is a class of the network."""
ROUNDING = 1e-9
"""Half a rater but for the last digits of a sum of weights, in whatever order, counts as half a rater."""


def agreement_map(masks: Array, weights: Sequence[float] | None = None) -> Array:
    """Count the raters who mark each voxel.

    Parameters
    ----------
    masks
        Bool, shape (raters, x, y, z). A rater who marks nothing counts like the others.
    weights
        How much each rater counts, 0 or more, in the order of the masks. The weighted share of the votes,
        times the number of raters, is rounded to a whole number, half a rater up. None counts all alike.

    Returns
    -------
    Array
        uint8, 0 to the number of raters, shape (x, y, z).

    Raises
    ------
    ImageError
        There are fewer than 2 raters or more than 100, or the weights are not one number of 0 or more for
        each, some above 0.

    Examples
    --------
    >>> masks = np.array([[True, True, False], [True, False, False]]).reshape(2, 3, 1, 1)
    >>> agreement_map(masks).ravel().tolist()
    [2, 1, 0]
    >>> agreement_map(masks, [0.9, 0.1]).ravel().tolist()
    [2, 2, 0]
    """
    raters = len(masks)
    if not LEAST_RATERS <= raters <= MOST_RATERS:
        raise ImageError(f"{raters} raters; give the label maps of {LEAST_RATERS} to {MOST_RATERS}")
    if weights is None:
        return np.count_nonzero(masks, axis=0).astype(np.uint8)
    votes = np.tensordot(_shares(weights, raters), masks.astype(np.float64), axes=1)
    return np.floor(raters * votes + 0.5 + ROUNDING).astype(np.uint8)


def agreement_share(levels: Array, raters: int) -> Array:
    """Return the share of the raters who mark each voxel, the mean of their masks; float32 in [0, 1].

    >>> agreement_share(np.array([0, 1, 2], dtype=np.uint8), 2).tolist()
    [0.0, 0.5, 1.0]
    """
    return levels.astype(np.float32) / np.float32(raters)


def _shares(weights: Sequence[float], raters: int) -> Array:
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (raters,) or not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise ImageError(
            f"weights of raters: {list(weights)}: are not {raters} numbers of 0 or more with one above 0; "
            "set train.rater_weights to none to count all raters alike"
        )
    return given / given.sum()
