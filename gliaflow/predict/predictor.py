"""A fitted predictor: preprocessing and model by an inner search, then calibrated, on training rows alone."""

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import Pipeline

from gliaflow.images import Array
from gliaflow.predict.folds import check_apart, grouped_folds
from gliaflow.predict.models import MODELS
from gliaflow.predict.names import CLASSIFICATION, SUBTYPE, SURVIVAL
from gliaflow.predict.preprocess import preprocessing
from gliaflow.predict.survival_loss import DiscreteTimeSurvival
from gliaflow.predict.table import Table
from gliaflow.predict.tasks import Settings

EDGE = 1e-6
DECIMALS = 9
ROUNDING = 1e-9
WEAK = 1e6


@dataclass(frozen=True)
class Predictor:
    """What is needed to predict new rows.

    Attributes
    ----------
    kind
        ``classification``, ``subtype`` or ``survival``.
    pipeline
        Preprocessing and model.
    slope, intercept
        Of the calibration: of the log odds that the model gives; of several classes the slope of their log
        probabilities, and an intercept for each.
    cut
        Above it a row is called positive (the share of positives in training), or of high risk (the median of
        the training rows); of several classes the share of each in training.
    chosen
        The settings that the inner search chose.
    """

    kind: str
    pipeline: Pipeline
    slope: float
    intercept: float | list[float]
    cut: float | list[float]
    chosen: dict[str, Any]

    def predict(self, features: pd.DataFrame) -> Array:
        """Return the calibrated probability of each row, or its risk: higher for an earlier event.

        Of several classes, the probability of each, shape (n, classes).
        """
        if self.kind == CLASSIFICATION:
            return expit(
                np.asarray(self.intercept) + self.slope * _log_odds(self.pipeline.predict_proba(features))
            )
        if self.kind == SUBTYPE:
            told = _log_probabilities(self.pipeline.predict_proba(features))
            return softmax(np.asarray(self.intercept) + self.slope * told, axis=1)
        risk: Array = self.pipeline.predict(features)
        return risk

    def called(self, values: Array) -> Array:
        """Return what rows with such predictions are called: 1 above the cut, else 0.

        Of several classes, the number of the one that is most above its share in training. Who knows nothing
        gives every row the share, but for rounding, and is called 0.
        """
        if self.kind == SUBTYPE:
            return np.round(values / np.asarray(self.cut), DECIMALS).argmax(axis=1)
        above: Array = (values > np.asarray(self.cut) + ROUNDING).astype(int)
        return above

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
    kind, recipe = table.kind, MODELS[model]
    splits = inner_splits(table, settings)
    steps = preprocessing(table.numeric, table.categorical, kind, settings.select)
    pipeline = Pipeline([*steps, ("model", recipe.make(settings.seed))])
    grid = {f"model__{key}": values for key, values in recipe.grid.items()}
    scoring = None if kind == SURVIVAL else "neg_log_loss"
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
    if kind == SURVIVAL:
        cut = float(np.median(best.predict(table.features)))
        return Predictor(kind, best, 1.0, 0.0, cut, chosen)
    inner = cross_val_predict(best, table.features, table.outcome, cv=splits, method="predict_proba")
    return calibrated(table, best, inner, table.outcome, chosen)


def calibrated(
    table: Table, pipeline: Any, inner: Array, outcome: Array, chosen: dict[str, Any]
) -> Predictor:
    """Return a predictor of classes whose probabilities fit predictions of rows that it has not seen.

    Parameters
    ----------
    table
        The training rows.
    pipeline, chosen
        See `Predictor`.
    inner, outcome
        Probabilities (n, classes) of rows that were left out, and their outcomes.
    """
    if table.kind == CLASSIFICATION:
        slope, intercept = calibrate(_log_odds(inner), outcome)
        return Predictor(table.kind, pipeline, slope, intercept, float(table.outcome.mean()), chosen)
    shares = np.bincount(table.outcome, minlength=len(table.classes)) / len(table.outcome)
    power, offsets = calibrate_classes(_log_probabilities(inner), outcome, shares)
    return Predictor(table.kind, pipeline, power, offsets, shares.tolist(), chosen)


def inner_splits(table: Table, settings: Settings) -> list[tuple[Array, Array]]:
    """Return the folds within training rows: `inner_folds`, or as many as there are of the rarer stratum."""
    by_subject = pd.Series(table.strata).groupby(table.groups).max().astype(int)
    number = max(2, len(table.classes))
    folds = max(2, min(settings.inner_folds, int(np.bincount(by_subject, minlength=number).min())))
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


def calibrate_classes(logs: Array, outcome: Array, shares: Array) -> tuple[float, list[float]]:
    """Return slope and intercepts that make log probabilities of several classes fit the outcomes.

    Parameters
    ----------
    logs
        Log probabilities, shape (n, classes).
    outcome
        The number of the class of each row.
    shares
        Of the classes in training: where the model knows nothing, its slope is 0, and these are given.

    Examples
    --------
    >>> told = np.log(np.full((6, 3), 0.05) + 0.85 * np.eye(3)[[0, 1, 2, 0, 1, 2]])
    >>> slope, _ = calibrate_classes(told, np.array([0, 1, 2, 0, 1, 0]), np.array([0.5, 0.3, 0.2]))
    >>> slope > 0
    True
    >>> calibrate_classes(told, np.array([1, 2, 0, 2, 0, 1]), np.array([0.5, 0.3, 0.2]))[0]
    0.0
    """
    rows = np.arange(len(outcome))

    def loss(values: Array) -> float:
        told = log_softmax(values[0] * logs + values[1:], axis=1)[rows, outcome]
        return float(-told.mean() + (values**2).sum() / WEAK)

    fitted = minimize(loss, np.array([1.0, *np.zeros(logs.shape[1])]), method="L-BFGS-B")
    slope, *offsets = fitted.x.tolist()
    return (slope, offsets) if slope > 0 else (0.0, np.log(np.maximum(shares, EDGE)).tolist())


def _log_probabilities(probabilities: Array) -> Array:
    return np.log(np.clip(probabilities, EDGE, 1))


def _log_odds(probabilities: Array) -> Array:
    return logit(np.clip(probabilities[:, 1], EDGE, 1 - EDGE))


def _at(x: Array, y: Array, times: Array) -> Array:
    """Return a falling step function at some times: 1 before its first step."""
    return np.concatenate([[1.0], y])[np.searchsorted(x, times, side="right")]
