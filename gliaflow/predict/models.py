"""The models, each with the settings that the inner cross-validation chooses from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis

from gliaflow.images import Array
from gliaflow.predict.survival_loss import DiscreteTimeSurvival

MOST_TIMES = 50
ALPHAS = [0.3, 0.1, 0.03, 0.015]
"""Penalties of Cox's model; the last of a path counts, those before it are where it starts."""


class SurvivalForest(RandomSurvivalForest):
    """A random survival forest on at most 50 different times, which makes it faster and smaller."""

    def fit(self, X: Array, y: Array, sample_weight: Array | None = None) -> Self:
        """Fit to features (n, p) and a structured array of event and time, rounded up to a quantile."""
        super().fit(X, on_few_times(y), sample_weight)
        return self


class Cox(CoxnetSurvivalAnalysis):
    """Cox's model on at most 50 different times: what it keeps of them is not each subject's own."""

    def fit(self, X: Array, y: Array) -> Self:
        """Fit to features (n, p) and a structured array of event and time, rounded up to a quantile."""
        super().fit(X, on_few_times(y))
        return self


def on_few_times(y: Array) -> Array:
    """Round times up to their own 50 quantiles.

    >>> y = np.array([(True, float(time)) for time in range(1000)], dtype=[("event", bool), ("time", float)])
    >>> len(set(on_few_times(y)["time"]))
    50
    """
    grid = np.unique(np.quantile(y["time"], np.linspace(0, 1, MOST_TIMES + 1)[1:], method="higher"))
    rounded = y.copy()
    rounded["time"] = grid[np.searchsorted(grid, y["time"])]
    return rounded


@dataclass(frozen=True)
class Model:
    """How a model is made from a seed, and the values that its settings may take."""

    make: Callable[[int], Any]
    grid: Mapping[str, Sequence[Any]]


def _logistic(seed: int) -> LogisticRegression:
    return LogisticRegression(solver="saga", max_iter=1000, tol=1e-3, random_state=seed)


def _boosting(seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.1, min_samples_leaf=10, early_stopping=False, random_state=seed
    )


def _cox(seed: int) -> Cox:
    return Cox(fit_baseline_model=True)


def _survival_forest(seed: int) -> SurvivalForest:
    return SurvivalForest(n_estimators=100, max_features="sqrt", random_state=seed)


def _discrete_time(seed: int) -> DiscreteTimeSurvival:
    return DiscreteTimeSurvival()


MODELS: Mapping[str, Model] = {
    "logistic": Model(_logistic, {"C": [0.01, 0.1, 1.0], "l1_ratio": [0.1, 0.9]}),
    "boosting": Model(_boosting, {"max_iter": [25, 75], "max_leaf_nodes": [3, 7]}),
    "cox": Model(_cox, {"alphas": [ALPHAS[:n] for n in (1, 2, 3, 4)], "l1_ratio": [0.1, 0.9]}),
    "survival_forest": Model(_survival_forest, {"min_samples_leaf": [5, 15]}),
    "discrete_time": Model(_discrete_time, {"penalty": [1.0, 0.1, 0.01]}),
}
"""By the names of `gliaflow.predict.names.MODEL_KINDS`."""
