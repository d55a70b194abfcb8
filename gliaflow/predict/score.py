"""The table of scores: each with its interval, the chance level, and how often chance does as well."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from gliaflow.images import Array
from gliaflow.predict.folds import CROSS_VALIDATION
from gliaflow.predict.metrics import (
    MEANINGS,
    Scores,
    as_columns,
    chance_levels,
    p_value,
    permuted,
    score_rows,
)
from gliaflow.predict.names import SURVIVAL
from gliaflow.predict.nested import cross_validate_once
from gliaflow.predict.risk_groups import LOG_RANK, first_repeat, log_rank
from gliaflow.predict.table import Table
from gliaflow.predict.tasks import Settings, Task

CONFIDENCE = 0.95
ENDS = {"kappa": (-1.0, 1.0), "integrated_brier": (0.0, np.inf)}
"""What a score cannot leave; all others lie between 0 and 1."""
SCORE_COLUMNS = {
    "task": "Task of the config",
    "model": "Model",
    "scheme": "cross_validation: subjects left out, mean over repeats; leave_one_site_out: sites left out",
    "metric": "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items()),
    "time_days": "Where the score belongs to a time: days",
    "estimate": "The score of predictions by predictors that have not seen the subject",
    "low": "Lower end of its 95 % interval, by a bootstrap of subjects and the spread over repeats",
    "high": "Upper end of it",
    "chance": "What a predictor that knows nothing would reach",
    "p": "Share of permuted outcomes with which it does as well: (k + 1) / (n + 1). Of features, the whole "
    "nested cross-validation is done anew for each; of images, outcomes are permuted within folds, and the "
    "predictions stay",
    "permutations": "How many permutations that is",
    "subjects": "Subjects that were predicted",
    "rows": "Sessions that were predicted",
}
CHANCE_COLUMNS = {
    "permutation": "Number of the permutation of outcomes between subjects",
    "metric": f"{SCORE_COLUMNS['metric']}; {LOG_RANK}: log-rank statistic of the risk groups",
    "time_days": SCORE_COLUMNS["time_days"],
    "value": "Score of one repeat of the nested cross-validation with these outcomes",
}


def score_table(
    out_of_fold: pd.DataFrame, chance: pd.DataFrame, task: Task, settings: Settings
) -> list[dict[str, Any]]:
    """Return the scores of a task.

    Parameters
    ----------
    out_of_fold
        From `gliaflow.predict.nested.cross_validate`.
    chance
        Rows of `CHANCE_COLUMNS`; none leaves ``p`` empty.
    task, settings
        Of the predictions.

    Returns
    -------
    list of dict
        With the columns of `SCORE_COLUMNS`.
    """
    parts = out_of_fold.groupby("scheme", sort=True)
    return [row for scheme, rows in parts for row in _scheme_rows(str(scheme), rows, chance, task, settings)]


def _scheme_rows(
    scheme: str, predicted: pd.DataFrame, chance: pd.DataFrame, task: Task, settings: Settings
) -> Iterator[dict[str, Any]]:
    repeats = [part.reset_index(drop=True) for _, part in predicted.groupby("repeat")]
    found = score_repeats(repeats, np.ones((1, len(repeats[0]))))
    drawn = score_repeats(repeats, bootstrap_weights(repeats[0], settings))
    levels = chance_levels(repeats[0])
    for (metric, at), values in found.items():
        null = permuted(chance, metric, at) if scheme == CROSS_VALIDATION else np.array([])
        low, high = np.clip(interval(values[:, 0], drawn[metric, at].mean(axis=0)), *ENDS.get(metric, (0, 1)))
        yield {
            "task": task.name,
            "model": task.model,
            "scheme": scheme,
            "metric": metric,
            "time_days": at,
            "estimate": float(values[:, 0].mean()),
            "low": float(low),
            "high": float(high),
            "chance": levels[metric, at],
            "p": p_value(metric, float(values[0, 0]), null),
            "permutations": len(null),
            "subjects": predicted.groupby(["cohort", "subject"]).ngroups,
            "rows": len(repeats[0]),
        }


def interval(repeats: Array, drawn: Array) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a score.

    The bootstrap tells how the score varies with the subjects that are predicted, not with those that are
    fitted to, so that it is too narrow for cross-validation (Bates and others 2024, JASA 119:1434). What
    another dealing of the subjects changes is added to it.

    Parameters
    ----------
    repeats
        The score in each repeat of the cross-validation; a single one adds nothing.
    drawn
        The mean over repeats in each bootstrap draw; NaN where it does not exist.

    Examples
    --------
    >>> low, high = interval(np.array([0.7, 0.7]), np.linspace(0.6, 0.8, 1001))
    >>> round(low, 3), round(high, 3)
    (0.605, 0.795)
    >>> interval(np.array([0.65, 0.75]), np.linspace(0.6, 0.8, 1001))[0] < 0.6
    True
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return float("nan"), float("nan")
    middle, tail = float(repeats.mean()), (1 - CONFIDENCE) / 2
    spread = norm.ppf(1 - tail) * float(repeats.std(ddof=1)) if len(repeats) > 1 else 0.0
    low, high = (float(end) for end in np.quantile(known, (tail, 1 - tail)))
    return middle - float(np.hypot(middle - low, spread)), middle + float(np.hypot(high - middle, spread))


def bootstrap_weights(rows: pd.DataFrame, settings: Settings) -> Array:
    """Return how often each row counts in each bootstrap draw; all rows of a subject are drawn together."""
    subject = pd.factorize(rows["cohort"] + "/" + rows["subject"])[0]
    number = subject.max() + 1
    drawn = np.random.default_rng(settings.seed).multinomial(
        number, np.full(number, 1 / number), size=settings.resamples
    )
    weights: Array = drawn[:, subject].astype(float)
    return weights


def score_repeats(repeats: list[pd.DataFrame], weights: Array) -> Scores:
    """Return each score of each repeat, shape (repeats, b); rows in any order, the weights go with them."""
    keys = ["cohort", "subject", "session"]
    order = pd.MultiIndex.from_frame(repeats[0][keys])
    scores = []
    for rows in repeats:
        aligned = order.get_indexer(pd.MultiIndex.from_frame(rows[keys]))
        scores.append(score_rows(rows, weights[:, aligned]))
    return {key: np.array([one[key] for one in scores]) for key in scores[0]}


def permuted_scores(table: Table, task: Task, settings: Settings, numbers: range) -> Iterator[dict[str, Any]]:
    """Give the scores of the whole nested cross-validation with outcomes dealt to other subjects.

    Selection, search and calibration are done anew each time, so chance has every freedom that the model had.

    Parameters
    ----------
    table, task, settings
        As for `gliaflow.predict.nested.cross_validate`.
    numbers
        Of the permutations; a number gives the same permutation in any job.

    Yields
    ------
    dict
        Rows of `CHANCE_COLUMNS`.
    """
    for number in numbers:
        permuted = permute(table, np.random.default_rng([settings.seed, number]))
        rows = cross_validate_once(permuted, task, settings)
        for row in as_columns(score_rows(rows, np.ones((1, len(rows))))):
            yield {"permutation": number, **row}
        if task.kind == SURVIVAL:
            value = log_rank(first_repeat(rows))
            yield {"permutation": number, "metric": LOG_RANK, "time_days": None, "value": value}


def permute(table: Table, random: np.random.Generator) -> Table:
    """Deal the outcomes of subjects to other subjects; sessions of one stay together.

    Subjects change places with those that have as many sessions, so that each outcome counts as often.
    """
    groups, outcome = table.groups, table.outcome.copy()
    rows = pd.Series(range(len(groups))).groupby(groups).apply(list)
    for _, alike in rows.groupby(rows.map(len)):
        for own, other in zip(alike, alike.iloc[random.permutation(len(alike))], strict=True):
            outcome[own] = table.outcome[other]
    return table.with_outcome(outcome)
