"""Everything that is done to features before a model: one pipeline, fitted to the training rows alone."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gliaflow.images import Array
from gliaflow.predict.names import SURVIVAL


class Varying(VarianceThreshold):
    """Leaves out what is the same in all rows; where that is everything, all is kept and tells nothing."""

    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Fit to columns, shape (n, p), of finite numbers."""
        try:
            super().fit(X, y)
        except ValueError:
            self.variances_ = np.ones(X.shape[1])
        return self


def preprocessing(
    numeric: Sequence[str], categorical: Sequence[str], kind: str, select: int | None
) -> list[tuple[str, Any]]:
    """Return the steps that come before a model, not fitted.

    Numbers are filled in by their median, with a column that says where, and scaled; words become a column
    for each word. What is the same in all training rows is left out, and of many columns those are kept that
    tell most of the outcome by themselves.

    Parameters
    ----------
    numeric, categorical
        Names of the features.
    kind
        ``classification`` or ``survival``.
    select
        How many columns are kept; None keeps all.
    """
    numbers = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    parts = [("numbers", numbers, list(numeric)), ("words", words, list(categorical))]
    steps = [
        ("columns", ColumnTransformer([part for part in parts if part[2]])),
        ("vary", Varying()),
    ]
    if select is not None and len(numeric) + len(categorical) > select:
        steps.append(("select", SelectKBest(cox_scores if kind == SURVIVAL else f_classif, k=select)))
    return steps


def cox_scores(X: Array, y: Array) -> Array:
    """Return for each column the score test of Cox's model that holds it alone (ties after Breslow).

    Parameters
    ----------
    X
        Shape (n, p).
    y
        Structured array of event and time.

    Returns
    -------
    ndarray
        Shape (p,): chi-squared with one degree of freedom; 0 for a column that is the same in all rows.
    """
    event, time = y["event"], y["time"]
    order = np.argsort(-time, kind="stable")
    X, event, time = X[order], event[order], time[order]
    # rows from the latest on: those up to the last of equal time are at risk
    last = np.searchsorted(-time, -time, side="right") - 1
    count = np.arange(1, len(time) + 1)[last][:, None]
    mean = X.cumsum(axis=0)[last] / count
    variance = (X * X).cumsum(axis=0)[last] / count - mean**2
    score, information = (X - mean)[event].sum(axis=0), variance[event].sum(axis=0)
    return np.divide(score**2, information, out=np.zeros_like(score), where=information > 1e-12)
