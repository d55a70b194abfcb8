"""A fitted predictor: preprocessing and model by an inner search, then calibrated, on training rows alone."""

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import Pipeline

from gliaflow.images import Array
from gliaflow.predict.folds import check_apart, grouped_folds
from gliaflow.predict.models import MODELS
from gliaflow.predict.names import CLASSIFICATION, MODEL_KINDS
from gliaflow.predict.preprocess import preprocessing
from gliaflow.predict.survival_loss import DiscreteTimeSurvival
from gliaflow.predict.table import Table
from gliaflow.predict.tasks import Settings

EDGE = 1e-6
WEAK = 1e6


@dataclass(frozen=True)
class Predictor:
    """What is needed to predict new rows.

    Attributes
    ----------
    kind
        ``classification`` or ``survival``.
    pipeline
        Preprocessing and model.
    slope, intercept
        Of the calibration: of the log odds that the model gives.
    cut
        Above it a row is called positive (the share of positives in training), or of high risk (the median of
        the training rows).
    chosen
        The settings that the inner search chose.
    """

    kind: str
    pipeline: Pipeline
    slope: float
    intercept: float
    cut: float
    chosen: dict[str, Any]

    def predict(self, features: pd.DataFrame) -> Array:
        """Return the calibrated probability of each row, or its risk: higher for an earlier event."""
        if self.kind == CLASSIFICATION:
            return expit(self.intercept + self.slope * _log_odds(self.pipeline.predict_proba(features)))
        risk: Array = self.pipeline.predict(features)
        return risk

    def survival(self, features: pd.DataFrame, times: Array) -> Array:
        """Return the probability of surviving each of the times (days), shape (n, times)."""
        model, columns = self.pipeline[-1], self.pipeline[:-1].transform(features)
        if isinstance(model, DiscreteTimeSurvival):
            return model.survival(columns, times)
        curves = model.predict_survival_function(columns)
        return np.array([_at(curve.x, curve.y, times) for curve in curves])


def fit_predictor(table: Table, model: str, settings: Settings) -> Predictor:
    """Fit a model to all rows of a table.

    Settings are searched for by cross-validation within these rows, by subject; the calibration is fitted to
    the predictions for the rows left out there.

    Parameters
    ----------
    table
        The training rows, and nothing else.
    model
        Of `gliaflow.predict.models.MODELS`.
    settings
        See `Settings`.
    """
    kind, recipe = MODEL_KINDS[model], MODELS[model]
    splits = inner_splits(table, settings)
    steps = preprocessing(table.numeric, table.categorical, kind, settings.select)
    pipeline = Pipeline([*steps, ("model", recipe.make(settings.seed))])
    grid = {f"model__{key}": values for key, values in recipe.grid.items()}
    scoring = "neg_log_loss" if kind == CLASSIFICATION else None
    search = GridSearchCV(pipeline, grid, scoring=scoring, cv=splits)
    with warnings.catch_warnings():
        # such a model says that no feature helps, which is an answer
        warnings.filterwarnings("ignore", "all coefficients are zero")
        search.fit(table.features, table.outcome)
    if not np.isfinite(search.best_score_):
        logging.warning(
            "%s: no setting could be judged on %d rows; the first is taken", model, len(table.outcome)
        )
    best = search.best_estimator_
    chosen = {key.removeprefix("model__"): value for key, value in search.best_params_.items()}
    if kind == CLASSIFICATION:
        inner = cross_val_predict(best, table.features, table.outcome, cv=splits, method="predict_proba")
        slope, intercept = calibrate(_log_odds(inner), table.outcome)
        return Predictor(kind, best, slope, intercept, float(table.outcome.mean()), chosen)
    cut = float(np.median(best.predict(table.features)))
    return Predictor(kind, best, 1.0, 0.0, cut, chosen)


def inner_splits(table: Table, settings: Settings) -> list[tuple[Array, Array]]:
    """Return the folds within training rows: `inner_folds`, or as many as there are of the rarer stratum."""
    by_subject = pd.Series(table.strata).groupby(table.groups).max().astype(int)
    folds = max(2, min(settings.inner_folds, int(np.bincount(by_subject, minlength=2).min())))
    splits = grouped_folds(table.strata, table.groups, folds, settings.seed)
    check_apart(table.groups, splits)
    return splits


def calibrate(log_odds: Array, outcome: Array) -> tuple[float, float]:
    """Return slope and intercept that make log odds fit the outcomes (Platt 1999).

    Where higher log odds go with fewer positives, the model knows nothing: the slope is then 0, and the
    probability the share of positives.

    >>> slope, intercept = calibrate(np.array([-4.0, -4, -4, 4, 4, 4]), np.array([0, 0, 1, 1, 1, 0]))
    >>> round(4 * slope, 2), round(abs(intercept), 2)
    (0.69, 0.0)
    """
    fitted = LogisticRegression(C=WEAK, tol=1e-8).fit(log_odds[:, None], outcome)
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return (slope, intercept) if slope > 0 else (0.0, float(logit(outcome.mean())))


def _log_odds(probabilities: Array) -> Array:
    return logit(np.clip(probabilities[:, 1], EDGE, 1 - EDGE))


def _at(x: Array, y: Array, times: Array) -> Array:
    """Return a falling step function at some times: 1 before its first step."""
    return np.concatenate([[1.0], y])[np.searchsorted(x, times, side="right")]
