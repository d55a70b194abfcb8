"""What each feature is worth: how much worse the left-out subjects are predicted without it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gliaflow.predict.folds import Split, repeated_splits
from gliaflow.predict.metrics import HEADLINE, score_rows
from gliaflow.predict.nested import evaluation_times, predicted_rows, rows_of
from gliaflow.predict.predictor import Predictor, fit_predictor
from gliaflow.predict.table import MISSING_WORD, Table
from gliaflow.predict.tasks import Settings, Task

SHUFFLES = 5
IMPORTANCE_COLUMNS = {
    "feature": "Feature",
    "drop": "By how much AUC or IPCW concordance falls on left-out subjects when the feature is shuffled "
    "among them; mean over five shuffles, first repeat of the cross-validation",
    "drop_sd": "Standard deviation over the shuffles",
    "missing": "Share of the rows in which the feature is missing",
}
Fitted = Sequence[tuple[Split, Predictor]]


def importance_table(table: Table, task: Task, settings: Settings) -> list[dict[str, Any]]:
    """Return a row for each feature, the most important one first.

    Of features that say the same, each may look worthless, because the others remain.

    Parameters
    ----------
    table, task, settings
        As for `gliaflow.predict.nested.cross_validate`.
    """
    splits = repeated_splits(table.strata, table.groups, settings.folds, 1, settings.seed)
    fitted = [(split, fit_predictor(rows_of(table, split.train), task.model, settings)) for split in splits]
    whole = _score(table, task, settings, fitted)
    rows = []
    for name in map(str, table.features):
        shuffled = [_shuffled(table, name, number, settings.seed, fitted) for number in range(SHUFFLES)]
        drops = whole - np.array([_score(one, task, settings, fitted) for one in shuffled])
        column = table.features[name]
        missing = float((column.isna() | (column == MISSING_WORD)).mean())
        rows.append({"feature": name, "drop": drops.mean(), "drop_sd": drops.std(ddof=1), "missing": missing})
    return sorted(rows, key=lambda row: -row["drop"])


def _score(table: Table, task: Task, settings: Settings, fitted: Fitted) -> float:
    times = evaluation_times(table, task, settings)
    parts = [predicted_rows(rows_of(table, split.test), split, one, times) for split, one in fitted]
    rows = pd.concat(parts, ignore_index=True)
    return float(score_rows(rows, np.ones((1, len(rows))))[HEADLINE[task.kind], None][0])


def _shuffled(table: Table, name: str, number: int, seed: int, fitted: Fitted) -> Table:
    """Return the table with a feature shuffled among the rows that are left out together."""
    random = np.random.default_rng([seed, number])
    values = table.features[name].to_numpy(copy=True)
    for split, _ in fitted:
        values[split.test] = values[random.permutation(split.test)]
    return replace(table, features=table.features.assign(**{name: values}))
