"""Nested cross-validation: every prediction comes from a predictor that has not seen the subject."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import numpy as np
import pandas as pd

from gliaflow.images import Array
from gliaflow.predict.folds import Split, repeated_splits, site_splits
from gliaflow.predict.names import SUBTYPE, SURVIVAL
from gliaflow.predict.predictor import Predictor, fit_predictor
from gliaflow.predict.table import KEYS, Table
from gliaflow.predict.tasks import Settings, Task

GRID = 15
INNER_QUANTILES = (0.1, 0.9)
ALIVE = "survival_d"
OF_CLASS = "probability_"
OUT_OF_FOLD_COLUMNS = {
    "cohort": "Cohort of the sample sheet",
    "subject": "Subject of the sample sheet",
    "session": "Session of the sample sheet",
    "site": "Site of the subject, its cohort where none is known",
    "scheme": "cross_validation (folds of subjects) or leave_one_site_out",
    "repeat": "Repeat of the cross-validation, from 0",
    "fold": "Fold that the subject was left out in: a number, or the site",
}
CLASS_COLUMNS = {
    "outcome": "1 where the subject is of the class that is predicted",
    "probability": "Its probability, by a predictor that was fitted without the subject",
    "called": "1 where that is above the share of the class among those fitted to",
}
SUBTYPE_COLUMNS = {
    "outcome": "The class of the subject",
    "called": "The class whose probability is most above its share among those fitted to",
}
SURVIVAL_COLUMNS = {
    "time_days": "Days from the session to the event or the last contact",
    "event": "1 where they end with the event",
    "risk": "Risk by a predictor that was fitted without the subject; higher for an earlier event",
    "high_risk": "1 where that is above the median of those fitted to",
}


def cross_validate(table: Table, task: Task, settings: Settings) -> pd.DataFrame:
    """Predict every row by predictors that were fitted without its subject, and without its site.

    Parameters
    ----------
    table
        From `gliaflow.predict.table.training_table`.
    task, settings
        What is predicted, and how.

    Returns
    -------
    DataFrame
        For each row, and each repeat of each scheme that it was left out in, one row with the columns of
        `out_of_fold_columns`.
    """
    by_subject = repeated_splits(table.strata, table.groups, settings.folds, settings.repeats, settings.seed)
    by_site = site_splits(table.strata, table.groups, table.sites, settings.least_per_class)
    return predict_splits(table, task, settings, chain(by_subject, by_site))


def cross_validate_once(table: Table, task: Task, settings: Settings) -> pd.DataFrame:
    """Do the first repeat of `cross_validate` alone, which is what permuted outcomes are judged by."""
    splits = repeated_splits(table.strata, table.groups, settings.folds, 1, settings.seed)
    return predict_splits(table, task, settings, splits)


def predict_splits(table: Table, task: Task, settings: Settings, splits: Iterable[Split]) -> pd.DataFrame:
    """Fit to the training rows of each split, and predict the others."""
    times = evaluation_times(table, task, settings)
    parts = []
    for split in splits:
        seed = (settings.seed + 1000 * split.repeat) % 2**32
        predictor = fit_predictor(rows_of(table, split.train), task.model, replace(settings, seed=seed))
        parts.append(predicted_rows(rows_of(table, split.test), split, predictor, times))
    return pd.concat(parts, ignore_index=True)


def rows_of(table: Table, rows: Array) -> Table:
    """Return some rows of a table."""
    return replace(
        table,
        features=table.features.iloc[rows].reset_index(drop=True),
        keys=table.keys.iloc[rows].reset_index(drop=True),
        outcome=table.outcome[rows],
        sites=table.sites[rows],
    )


def evaluation_times(table: Table, task: Task, settings: Settings) -> Array:
    """Return the whole days at which survival is judged: most of the time of events, and the horizon."""
    if task.kind != SURVIVAL:
        return np.array([])
    low, high = np.quantile(table.outcome["time"][table.outcome["event"]], INNER_QUANTILES)
    return np.unique(np.ceil([*np.linspace(low, high, GRID), settings.horizon_days]))


def out_of_fold_columns(kind: str, columns: Iterable[str]) -> dict[str, str]:
    """Return the data dictionary of the out-of-fold predictions."""
    if kind == SUBTYPE:
        told = {c: f"Probability of {c.removeprefix(OF_CLASS)}" for c in columns if c.startswith(OF_CLASS)}
        return OUT_OF_FOLD_COLUMNS | SUBTYPE_COLUMNS | told
    own = SURVIVAL_COLUMNS if kind == SURVIVAL else CLASS_COLUMNS
    times = [column for column in columns if column.startswith(ALIVE)]
    alive = {c: f"Probability of surviving {c.removeprefix(ALIVE)} days" for c in times}
    return OUT_OF_FOLD_COLUMNS | own | alive


def predicted_rows(left_out: Table, split: Split, predictor: Predictor, times: Array) -> pd.DataFrame:
    """Return the predictions for the rows that a split leaves out, with the columns of `out_of_fold_columns`.

    Parameters
    ----------
    left_out
        Those rows.
    split, predictor
        The split, and what was fitted to its other rows.
    times
        Days at which the probability of survival is told; none for a classification.
    """
    values = predictor.predict(left_out.features)
    rows = left_out.keys[KEYS].assign(
        site=left_out.sites, scheme=split.scheme, repeat=split.repeat, fold=split.fold
    )
    above = predictor.called(values)
    if predictor.kind == SUBTYPE:
        words = np.array(left_out.classes)
        told = {f"{OF_CLASS}{word}": column for word, column in zip(words, values.T, strict=True)}
        return rows.assign(outcome=words[left_out.outcome], called=words[above], **told)
    if predictor.kind != SURVIVAL:
        return rows.assign(outcome=left_out.outcome, probability=values, called=above)
    outcome = left_out.outcome
    alive = predictor.survival(left_out.features, times)
    rows = rows.assign(
        time_days=outcome["time"], event=outcome["event"].astype(int), risk=values, high_risk=above
    )
    return rows.assign(**{f"{ALIVE}{time:.0f}": column for time, column in zip(times, alive.T, strict=True)})
