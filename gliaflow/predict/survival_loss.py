"""Survival in discrete time: a loss that is a sum over subjects, and the linear model that minimises it.

The loss of Cox's model compares each subject with all others. With time cut into intervals, survival becomes
a row of yes-or-no questions, "does the subject die in this interval, having reached it?", and the loss a sum
over subjects: it suits mini-batches and data that stay at their sites (BrainLes 2021, S1, a survey that names
the method; the loss is that of Gensheimer and Narasimhan 2019, PeerJ 7:e6257, equations 1 to 3).
"""

from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator
from sksurv.metrics import concordance_index_censored

from gliaflow.images import Array


def interval_edges(time: Array, event: Array, intervals: int) -> Array:
    """Return where intervals begin and end so that about as many events fall in each.

    Parameters
    ----------
    time, event
        Shape (n,): days above 0, and whether they end with the event.
    intervals
        How many at most; fewer where events share their time.

    Returns
    -------
    ndarray
        Ascending, from 0 to the last event.
    """
    inner = np.quantile(time[event], np.linspace(0, 1, intervals + 1)[1:])
    return np.unique(np.concatenate([[0.0], inner]))


def interval_targets(time: Array, event: Array, edges: Array) -> tuple[Array, Array]:
    """Return which intervals a subject is at risk in, and in which it has the event.

    A subject without the event counts as having survived an interval from its middle on.

    Parameters
    ----------
    time, event
        Shape (n,).
    edges
        Shape (k + 1,), from `interval_edges`.

    Returns
    -------
    tuple of ndarray
        Two of shape (n, k), 0 or 1.

    Examples
    --------
    >>> at_risk, died = interval_targets(np.array([15, 17]), np.array([True, False]), np.array([0, 10, 20]))
    >>> at_risk.tolist(), died.tolist()
    ([[1.0, 1.0], [1.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]])
    """
    begin, end = edges[:-1], edges[1:]
    died = (event[:, None] & (time[:, None] > begin) & (time[:, None] <= end)).astype(float)
    survived = (time[:, None] >= (begin + end) / 2) & ~(event[:, None] & (time[:, None] <= end))
    return np.maximum(survived.astype(float), died), died


def survival_loss(logits: Array, at_risk: Array, died: Array) -> tuple[float, Array]:
    """Return the mean negative log likelihood of subjects, and its gradient by the logits.

    Parameters
    ----------
    logits
        Shape (n, k): log odds of the event in each interval, for who reaches it.
    at_risk, died
        From `interval_targets`.

    Returns
    -------
    tuple
        The loss, and an array of shape (n, k).

    Examples
    --------
    A subject that survives one interval and dies in the second, each with even odds, has a loss of 2 ln 2.

    >>> loss, _ = survival_loss(np.zeros((1, 2)), np.ones((1, 2)), np.array([[0.0, 1.0]]))
    >>> round(float(loss / np.log(2)), 6)
    2.0
    """
    terms = at_risk * (np.logaddexp(0, logits) - died * logits)
    gradient = at_risk * (expit(logits) - died)
    return float(terms.sum() / len(logits)), gradient / len(logits)


class DiscreteTimeSurvival(BaseEstimator):
    """Log odds of the event in an interval, linear in the features, with a ridge penalty.

    Parameters
    ----------
    intervals
        Into which time is cut, by the quantiles of the events.
    penalty
        Half of it times the sum of the squared coefficients is added to the loss.

    Attributes
    ----------
    edges_, base_, coef_
        Edges of the intervals, log odds in each for a subject whose features are all 0, and coefficients.
    """

    def __init__(self, intervals: int = 10, penalty: float = 0.1) -> None:
        self.intervals = intervals
        self.penalty = penalty

    def fit(self, X: Array, y: Array) -> Self:
        """Fit to features (n, p) and a structured array of event and time."""
        event, time = y["event"], y["time"]
        self.edges_ = interval_edges(time, event, self.intervals)
        at_risk, died = interval_targets(time, event, self.edges_)
        count = at_risk.shape[1]

        def objective(values: Array) -> tuple[float, Array]:
            base, coef = values[:count], values[count:]
            loss, gradient = survival_loss(base + (X @ coef)[:, None], at_risk, died)
            by_coef = X.T @ gradient.sum(axis=1) + self.penalty * coef
            return loss + self.penalty * float(coef @ coef) / 2, np.concatenate(
                [gradient.sum(axis=0), by_coef]
            )

        start = np.concatenate([np.full(count, -2.0), np.zeros(X.shape[1])])
        found: Any = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(-20, 20)] * len(start))
        self.base_, self.coef_ = found.x[:count], found.x[count:]
        return self

    def predict(self, X: Array) -> Array:
        """Return the risk of each row, higher for an earlier event."""
        risk: Array = X @ self.coef_
        return risk

    def survival(self, X: Array, times: Array) -> Array:
        """Return the probability of surviving each of the times, shape (n, times).

        Within an interval the hazard is constant, after the last one nothing is added.
        """
        log_alive = -np.logaddexp(0, self.base_ + self.predict(X)[:, None]).cumsum(axis=1)
        whole = np.hstack([np.zeros((len(X), 1)), log_alive])
        return np.exp(np.array([np.interp(times, self.edges_, row) for row in whole]))

    def score(self, X: Array, y: Array) -> float:
        """Return Harrell's concordance."""
        event, time = y["event"], y["time"]
        return float(concordance_index_censored(event, time, self.predict(X))[0])
