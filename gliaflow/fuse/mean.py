"""The mean of the members' probabilities, streamed."""

from collections.abc import Iterable

import numpy as np
from scipy.special import expit, logit

from gliaflow.errors import ImageError
from gliaflow.images import Array


def mean_probability(members: Iterable[Array], method: str = "mean") -> Array:
    """Average probability maps that come one by one; memory does not grow with their number.

    Parameters
    ----------
    members
        Arrays of one shape, floating point in [0, 1].
    method
        ``mean`` of the probabilities, or ``logit_mean``: the mean before the sigmoid, as nnU-Net averages
        folds and mirrorings (probabilities strictly between 0 and 1).

    Returns
    -------
    Array
        float32, the same shape.

    Raises
    ------
    ImageError
        There is no member, or two have different shapes.
    """
    total: Array | None = None
    count = 0
    for member in members:
        if total is not None and member.shape != total.shape:
            raise ImageError(f"member {count + 1} has shape {member.shape}, the ones before it {total.shape}")
        values = logit(member.astype(np.float64)) if method == "logit_mean" else member.astype(np.float64)
        total = values if total is None else total + values
        count += 1
    if total is None:
        raise ImageError("there is no ensemble member to fuse; run the rule segment again")
    mean = total / count
    return (expit(mean) if method == "logit_mean" else mean).astype(np.float32)
