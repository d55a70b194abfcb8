"""Guards against features that know the outcome, and against one person under two names."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from gliaflow.config.mistakes import Mistakes
from gliaflow.predict.names import CLASSIFICATION, SUBTYPE
from gliaflow.predict.tasks import Task

if TYPE_CHECKING:
    from gliaflow.predict.table import Table

IDENTIFIERS = ("cohort", "subject", "session", "days", "site")
FUTURE = ("survival_days", "event")
DEFINING = ("idh",)
"""What the diagnosis is made by (WHO 2021), and so tells it."""
FUTURE_WORDS = frozenset({"survival", "event", "death", "died", "dead", "os", "pfs", "censored", "outcome"})
TOO_GOOD = 0.995
LEAST_ROWS = 20
LEAST_SHARED = 3


def never_features(task: Task) -> tuple[str, ...]:
    """Return the columns that no feature may be: identifiers, what lies in the future, and the outcome."""
    defining = DEFINING if "diagnosis" in task.outcomes else ()
    return tuple(dict.fromkeys([*IDENTIFIERS, *FUTURE, *task.outcomes, *defining]))


def check_names(task: Task, features: Iterable[str], mistakes: Mistakes) -> None:
    """Refuse features whose name says that they are the outcome, or known only after it.

    >>> mistakes = Mistakes()
    >>> task = Task("t", "classification", "logistic", (), column="mgmt", positive="methylated")
    >>> check_names(task, ["wt_volume_ml", "mgmt_probability", "os_months"], mistakes)
    >>> len(mistakes.lines)
    2
    """
    told = FUTURE_WORDS | {word for column in task.outcomes for word in _words(column)} - {"days"}
    for name in features:
        where = f"predict, task {task.name}, features: {name!r}"
        if name in never_features(task):
            mistakes.add(where, "is an identifier, the outcome or lies in the future", "take it out")
        elif found := sorted(told & set(_words(name))):
            what = f"bears a name of the outcome ({', '.join(found)})"
            mistakes.add(where, what, "take it out, or rename it if it is known without the outcome")


def check_values(table: "Table", task: Task) -> None:
    """Refuse features that all but determine the outcome, and subjects who are the same person.

    A marker that by itself orders the outcome without fault does not exist; a column that does was made from
    the outcome. Two subjects whose measurements agree to the last digit are one.

    Raises
    ------
    GliaflowError
        Each feature, and each pair of subjects, with what to do.
    """
    mistakes = Mistakes()
    for name in table.features:
        strength = _strength(table.features[name], table.outcome, task.kind)
        if strength >= TOO_GOOD:
            where = f"predict, task {task.name}, feature {name}"
            what = f"gives the outcome away (by itself it orders it to {100 * strength:.1f} %)"
            mistakes.add(where, what, "find out how it was made; a feature may not be computed from outcomes")
    for first, second in _same_people(table):
        where = f"predict, task {task.name}: {first} and {second}"
        what = "have the same measurements to the last digit, and would be in two folds"
        mistakes.add(where, what, "take one out of the sheets")
    mistakes.stop_if_any()


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z]+", name.casefold()) if word]


def _strength(column: pd.Series, outcome: np.ndarray, kind: str) -> float:
    """Return how far a feature alone orders the outcome, 0.5 or 0 (nothing) to 1."""
    numeric = pd.api.types.is_numeric_dtype(column)
    if kind == SUBTYPE:
        classes = range(outcome.max() + 1) if len(outcome) else range(0)
        return max(
            (_strength(column, (outcome == k).astype(int), CLASSIFICATION) for k in classes), default=0.0
        )
    if kind == CLASSIFICATION:
        # a word is worth what the outcome is where it stands, an empty cell the mean of all
        values = column if numeric else pd.Series(outcome).groupby(column.to_numpy()).transform("mean")
        words = 0 if numeric else column.nunique()
        if len(values) < LEAST_ROWS or words > len(values) / 10:
            return 0.0
        known = values.notna().to_numpy()
        if known.sum() < LEAST_ROWS or len(set(outcome[known])) < 2:
            return 0.0
        auc = float(roc_auc_score(outcome[known], values[known]))
        return max(auc, 1 - auc)
    known = outcome["event"] & column.notna().to_numpy() if numeric else np.zeros(len(column), bool)
    if known.sum() < LEAST_ROWS or column[known].nunique() < 2:
        return 0.0
    return abs(float(spearmanr(column[known], outcome["time"][known]).statistic))


def _same_people(table: "Table") -> list[tuple[str, str]]:
    """Return the subjects that agree in all features with decimals, where three at least are no whole number.

    Zeros do not count: all who lack a region have the same ones.
    """
    numbers = table.features[table.numeric]
    fine = [name for name in numbers if (numbers[name].dropna() % 1 != 0).mean() > 0.5]
    if len(fine) < LEAST_SHARED:
        return []
    telling = (numbers[fine] % 1 != 0).sum(axis=1) >= LEAST_SHARED
    rows = numbers[fine].assign(group=table.groups)[telling].dropna()
    found = rows.groupby(fine)["group"].unique()
    return [(people[0], people[1]) for people in found if len(people) > 1]
