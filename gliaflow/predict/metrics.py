"""Scores of out-of-fold predictions, for many weightings of the rows at once, so that a bootstrap is cheap.

Figures that compare rows with each other (the area under the ROC curve, concordance) compare those of one
fold only: rows of two folds were predicted by two predictors, whose scales need not agree. And they compare
two subjects: of two sessions of one the later has less time left, which no predictor needs to know.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sksurv.nonparametric import CensoringDistributionEstimator, kaplan_meier_estimator
from sksurv.util import Surv

from gliaflow.images import Array
from gliaflow.predict.names import CLASSIFICATION, SUBTYPE, SURVIVAL
from gliaflow.predict.nested import ALIVE, OF_CLASS

LEAST_UNCENSORED = 0.05
AUC_QUANTILES = (0.25, 0.5, 0.75)
MEANINGS = {
    "auc": "Area under the ROC curve: share of pairs of a positive and another in the right order; of "
    "several classes the mean over each against the others",
    "balanced_accuracy": "Mean of sensitivity and specificity, called above the share in training; of "
    "several classes their mean sensitivity",
    "f1": "F1 score of the positives, at the same threshold",
    "f1_micro": "F1 score over the calls of all classes, which is the share called rightly",
    "kappa": "Cohen's kappa, at the same threshold",
    "brier": "Mean squared error of the probability; of several classes half the sum over them; lower is "
    "better",
    "concordance": "Harrell's concordance: share of comparable pairs in the right order",
    "concordance_ipcw": "Concordance weighted for censoring (Uno 2011), to the 90 % quantile of events",
    "integrated_brier": "Brier score weighted for censoring, mean over times (Graf 1999); lower is better",
    "time_auc": "Area under the ROC curve of having had the event by the time, weighted for censoring",
    "time_auc_mean": "Mean of the three above",
}
LOWER_IS_BETTER = frozenset({"brier", "integrated_brier"})
HEADLINE = {CLASSIFICATION: "auc", SUBTYPE: "auc", SURVIVAL: "concordance_ipcw"}
"""The figure that stands beside a prediction."""
Scores = dict[tuple[str, float | None], Array]
"""By the name of a score and its time (days, None for most): one value for each weighting."""


@dataclass(frozen=True)
class Censoring:
    """How survival is judged: at which times, and how probable it was not to be censored by then.

    Attributes
    ----------
    times
        Ascending; the grid of the integrated Brier score.
    auc_times
        Of the time-dependent AUC.
    horizon
        Up to which IPCW concordance compares.
    free_at_row, free_at_time
        Probability of not being censored until each row's own time, and until each of ``times``.
    """

    times: Array
    auc_times: Array
    horizon: float
    free_at_row: Array
    free_at_time: Array


def score_rows(rows: pd.DataFrame, weights: Array) -> Scores:
    """Return every score of one repeat.

    Parameters
    ----------
    rows
        Out-of-fold predictions, each row of the table once.
    weights
        Shape (b, n): how often each row counts. Ones give the scores themselves, drawn counts a bootstrap.

    Returns
    -------
    dict
        Each of shape (b,); NaN where a weighting leaves no pair to compare.
    """
    scored = {CLASSIFICATION: _class_scores, SUBTYPE: _subtype_scores, SURVIVAL: _survival_scores}
    return scored[kind_of(rows)](rows, weights)


def chance_levels(rows: pd.DataFrame) -> dict[tuple[str, float | None], float]:
    """Return what a predictor that knows nothing would reach by each score.

    For F1 it calls as many rows positive, at random; for the Brier scores it gives every row the share of
    positives, or the Kaplan-Meier curve, of all rows.
    """
    if "probability" in rows:
        share, called = rows["outcome"].mean(), rows["called"].mean()
        f1 = 2 * share * called / (share + called)
        levels = {"auc": 0.5, "balanced_accuracy": 0.5, "f1": f1, "kappa": 0.0, "brier": share * (1 - share)}
        return {(name, None): float(value) for name, value in levels.items()}
    if kind_of(rows) == SUBTYPE:
        classes = class_names(rows)
        shares, calls = (
            rows[name].value_counts(normalize=True).reindex(classes, fill_value=0).to_numpy()
            for name in ("outcome", "called")
        )
        of_several = {"auc": 0.5, "balanced_accuracy": 1 / len(classes), "f1_micro": float(shares @ calls)}
        of_several |= {"kappa": 0.0, "brier": float((shares * (1 - shares)).sum() / 2)}
        return {(name, None): value for name, value in of_several.items()}
    plan = censoring_of(rows)
    outcome = _survival_outcome(rows)
    x, y = kaplan_meier_estimator(outcome["event"], outcome["time"])
    curve = np.concatenate([[1.0], y])[np.searchsorted(x, plan.times, side="right")]
    brier = _integrated_brier(rows, np.tile(curve, (len(rows), 1)), plan).mean()
    levels_at = {(name, None): 0.5 for name in ("concordance", "concordance_ipcw", "time_auc_mean")}
    return (
        levels_at
        | {("integrated_brier", None): float(brier)}
        | {("time_auc", float(time)): 0.5 for time in plan.auc_times}
    )


def censoring_of(rows: pd.DataFrame) -> Censoring:
    """Return how the survival of some rows is judged; depends on their outcomes, not on predictions."""
    outcome = _survival_outcome(rows)
    free = CensoringDistributionEstimator().fit(outcome)
    times = np.array([float(column.removeprefix(ALIVE)) for column in alive_columns(rows)])
    low, *quartiles, high = np.quantile(outcome["time"][outcome["event"]], (0.1, *AUC_QUANTILES, 0.9))
    inside = (times >= low) & (times <= high) & (free.predict_proba(times) > LEAST_UNCENSORED)
    if not inside.any():
        inside = np.arange(len(times)) == np.argmin(np.abs(times - quartiles[1]))
    return Censoring(
        times=times[inside],
        auc_times=np.unique(np.ceil(quartiles)),
        horizon=float(high),
        free_at_row=np.maximum(free.predict_proba(outcome["time"]), LEAST_UNCENSORED),
        free_at_time=free.predict_proba(times[inside]),
    )


def alive_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns with probabilities of survival, by their time."""
    return [str(column) for column in rows if str(column).startswith(ALIVE)]


def pair_score(prediction: Array, pairs: Array, weights: Array) -> Array:
    """Return the share of pairs in which the first has the higher prediction; equal ones count half.

    Parameters
    ----------
    prediction
        Shape (n,).
    pairs
        Shape (n, n): how much the pair of a row and a column counts.
    weights
        Shape (b, n).

    Returns
    -------
    ndarray
        Shape (b,).

    Examples
    --------
    >>> pairs = np.array([[0, 1, 1], [0, 0, 0], [0, 0, 0]])
    >>> pair_score(np.array([0.4, 0.1, 0.4]), pairs, np.ones((1, 3))).tolist()
    [0.75]
    """
    difference = prediction[:, None] - prediction[None, :]
    right = pairs * ((difference > 0) + 0.5 * (difference == 0))
    won = ((weights @ right) * weights).sum(axis=1)
    all_of_them = ((weights @ pairs) * weights).sum(axis=1)
    return np.divide(won, all_of_them, out=np.full(len(weights), np.nan), where=all_of_them > 0)


@dataclass(frozen=True)
class Agreement:
    """Share called rightly, mean sensitivity over the classes, and Cohen's kappa; each of shape (b,)."""

    right: Array
    balanced: Array
    kappa: Array


def confusion(truth: Array, called: Array, classes: int, weights: Array) -> Array:
    """Return how much rows of each class that are called each class count, shape (classes, classes, b)."""
    numbers = range(classes)
    return np.array([[weights @ ((truth == i) & (called == j)) for j in numbers] for i in numbers])


def agreement(counts: Array) -> Agreement:
    """Return how far calls agree with the truth, from `confusion`; NaN where a class has no row."""
    true, calls, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum(axis=(0, 1))
    right = np.einsum("iib->b", counts) / total
    by_chance = (true * calls).sum(axis=0) / total**2
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = np.einsum("iib->ib", counts) / true
        kappa = (right - by_chance) / (1 - by_chance)
    return Agreement(right, sensitivity.mean(axis=0), kappa)


def _class_scores(rows: pd.DataFrame, weights: Array) -> Scores:
    truth, called = (rows[name].to_numpy(dtype=float) for name in ("outcome", "called"))
    probability = rows["probability"].to_numpy()
    pairs = np.outer(truth, 1 - truth) * _compared(rows)
    counts = confusion(truth, called, 2, weights)
    agreed = agreement(counts)
    both, wrong = counts[1, 1], counts[0, 1] + counts[1, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * both / (2 * both + wrong)
    return {
        ("auc", None): pair_score(probability, pairs, weights),
        ("balanced_accuracy", None): agreed.balanced,
        ("f1", None): f1,
        ("kappa", None): agreed.kappa,
        ("brier", None): (weights @ (probability - truth) ** 2) / weights.sum(axis=1),
    }


def _subtype_scores(rows: pd.DataFrame, weights: Array) -> Scores:
    classes = class_names(rows)
    truth, called = (pd.Categorical(rows[name], classes).codes for name in ("outcome", "called"))
    probability = rows[[f"{OF_CLASS}{name}" for name in classes]].to_numpy()
    compared, numbers = _compared(rows), range(len(classes))
    agreed = agreement(confusion(truth, called, len(classes), weights))
    auc = [
        pair_score(probability[:, k], np.outer(truth == k, truth != k) * compared, weights) for k in numbers
    ]
    error = ((probability - np.eye(len(classes))[truth]) ** 2).sum(axis=1) / 2
    return {
        ("auc", None): np.mean(auc, axis=0),
        ("balanced_accuracy", None): agreed.balanced,
        ("f1_micro", None): agreed.right,
        ("kappa", None): agreed.kappa,
        ("brier", None): (weights @ error) / weights.sum(axis=1),
    }


def _survival_scores(rows: pd.DataFrame, weights: Array) -> Scores:
    outcome, plan = _survival_outcome(rows), censoring_of(rows)
    time, event, risk = outcome["time"], outcome["event"], rows["risk"].to_numpy()
    # of two, the one with the event is compared with who is followed for longer
    later = time[None, :] > time[:, None]
    tied_censored = (time[None, :] == time[:, None]) & ~event[None, :]
    comparable = event[:, None] * (later | tied_censored) * _compared(rows)
    uno = comparable * ((time < plan.horizon) / plan.free_at_row**2)[:, None]
    scores: Scores = {
        ("concordance", None): pair_score(risk, comparable, weights),
        ("concordance_ipcw", None): pair_score(risk, uno, weights),
    }
    for at in plan.auc_times:
        had = (event & (time <= at)) / plan.free_at_row
        pairs = np.outer(had, time > at) * _compared(rows)
        scores["time_auc", float(at)] = pair_score(risk, pairs, weights)
    scores["time_auc_mean", None] = np.mean(
        [v for (name, _), v in scores.items() if name == "time_auc"], axis=0
    )
    kept = [f"{ALIVE}{time:.0f}" for time in plan.times]
    alive = rows[kept].to_numpy()
    brier = _integrated_brier(rows, alive, plan)
    scores["integrated_brier", None] = (weights @ brier) / weights.sum(axis=1)
    return scores


def _integrated_brier(rows: pd.DataFrame, alive: Array, plan: Censoring) -> Array:
    """Return what each row adds to the integrated Brier score (trapezoids over the times)."""
    outcome = _survival_outcome(rows)
    time, event = outcome["time"][:, None], outcome["event"][:, None]
    had = event & (time <= plan.times)
    error = (
        had * alive**2 / plan.free_at_row[:, None]
        + (time > plan.times) * (1 - alive) ** 2 / plan.free_at_time
    )
    span = plan.times[-1] - plan.times[0]
    mean: Array = np.trapezoid(error, plan.times, axis=1) / span if span else error.mean(axis=1)
    return mean


def _survival_outcome(rows: pd.DataFrame) -> Array:
    outcome: Array = Surv.from_arrays(rows["event"].to_numpy() > 0, rows["time_days"].to_numpy())
    return outcome


def _compared(rows: pd.DataFrame) -> Array:
    """Return which pairs of rows are compared: of one fold and of two subjects; bool, shape (n, n)."""
    fold = rows["fold"].to_numpy(dtype=str)
    subject = pd.factorize(rows["cohort"].astype(str) + "/" + rows["subject"].astype(str))[0]
    compared: Array = (fold[:, None] == fold[None, :]) & (subject[:, None] != subject[None, :])
    return compared


def kind_of(rows: pd.DataFrame) -> str:
    """Return the kind of task that out-of-fold predictions are of."""
    if "probability" in rows:
        return CLASSIFICATION
    return SUBTYPE if class_names(rows) else SURVIVAL


def class_names(rows: pd.DataFrame) -> list[str]:
    """Return the classes that predictions are of, where there are several."""
    return [str(c).removeprefix(OF_CLASS) for c in rows if str(c).startswith(OF_CLASS)]


def better(name: str, value: Array, other: float) -> Array:
    """Say where values are at least as good as another."""
    return value <= other if name in LOWER_IS_BETTER else value >= other


def permuted(chance: pd.DataFrame, metric: str, at: float | None = None) -> Array:
    """Return the values of a score with permuted outcomes, from rows of `score.CHANCE_COLUMNS`."""
    if not len(chance):
        return np.array([])
    same_time = chance["time_days"].isna() if at is None else chance["time_days"] == at
    values: Array = chance.loc[(chance["metric"] == metric) & same_time, "value"].to_numpy(dtype=float)
    return values[~np.isnan(values)]


def p_value(metric: str, estimate: float, null: Array) -> float:
    """Return the share of permutations that do as well, counting the outcomes as they are as one.

    >>> p_value("auc", 0.8, np.array([0.5, 0.6, 0.9]))
    0.5
    """
    if not len(null) or np.isnan(estimate):
        return float("nan")
    return float((1 + better(metric, null, estimate).sum()) / (1 + len(null)))


def as_columns(scores: Mapping[tuple[str, float | None], Array]) -> list[dict[str, object]]:
    """Return the first value of each score as a row."""
    return [{"metric": name, "time_days": at, "value": float(v[0])} for (name, at), v in scores.items()]
