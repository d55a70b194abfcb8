"""The joint objective of clustering: how stable the habitats are, and how far they tell risks apart."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sksurv.compare import compare_survival

from gliaflow.images import Array

SMALLEST_P = 1e-12


def stability_loss(first: Array, second: Array) -> float:
    """Return the share of voxels that two clusterings put differently, under the best renaming.

    L_s = min over permutations of the share of voxels with pi(C) != C' (BrainLes 2021, S10); 0 is stable.

    Parameters
    ----------
    first, second
        Cluster of each voxel by one and by the other clustering, integers from 0, shape (voxels,).

    Examples
    --------
    >>> stability_loss(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 1]))
    0.25
    """
    number = 1 + int(max(first.max(), second.max()))
    counts = np.bincount(first * number + second, minlength=number**2).reshape(number, number)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return 1 - float(counts[rows, columns].sum()) / len(first)


def significance_loss(p: float, tau: float) -> float:
    """Return L_p = log(p / tau) of a log-rank p-value: the smaller p, the smaller the loss.

    S10 prints log(tau / p), which grows as p falls, and yet minimises it while it speaks of a reward for
    small p. The sign is put right here.

    >>> significance_loss(0.05, 0.05), significance_loss(0.005, 0.05) < 0
    (0.0, True)
    """
    return float(np.log(max(p, SMALLEST_P) / tau))


def joint_loss(stability: float, significance: float, alpha: float) -> float:
    """Return L = alpha L_s + (1 - alpha) L_p, to be minimised (BrainLes 2021, S10).

    >>> joint_loss(0.2, -1.0, 0.5)
    -0.4
    """
    return alpha * stability + (1 - alpha) * significance


def two_medoids(rows: Array) -> tuple[int, int]:
    """Return the two rows to which all rows are nearest in sum: k-medoids with two groups, exactly.

    >>> two_medoids(np.array([[0.0], [1.0], [2.0], [9.0], [10.0], [11.0]]))
    (1, 4)
    """
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    sums = np.array([np.minimum(distance[i], distance).sum(axis=1) for i in range(len(rows))])
    np.fill_diagonal(sums, np.inf)
    first, second = np.unravel_index(np.argmin(sums), sums.shape)
    return int(min(first, second)), int(max(first, second))


def groups_by_medoids(rows: Array, medoids: Array) -> Array:
    """Return for each row the nearer of two medoids, 0 or 1."""
    return np.linalg.norm(rows[:, None] - medoids[None], axis=2).argmin(axis=1)


def log_rank_p(outcome: Array, groups: Array) -> float:
    """Return the p-value of the log-rank test; 1 where there is one group only or nobody has the event.

    Parameters
    ----------
    outcome
        Structured array of event and time (days).
    groups
        0 or 1.
    """
    if len(set(groups)) < 2 or not outcome["event"].any():
        return 1.0
    p = float(compare_survival(outcome, groups)[1])
    return p if np.isfinite(p) else 1.0
