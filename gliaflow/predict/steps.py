"""What the rules do: read the tables, call one step, write what it gives."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gliaflow.config.mistakes import listing
from gliaflow.images import write_bytes
from gliaflow.predict.apply import PREDICTION_COLUMNS, predictions
from gliaflow.predict.card import predictor_card
from gliaflow.predict.importance import IMPORTANCE_COLUMNS, importance_table
from gliaflow.predict.leaks import check_values
from gliaflow.predict.names import CLASSIFICATION, SUBTYPE
from gliaflow.predict.nested import cross_validate, out_of_fold_columns
from gliaflow.predict.package import manifest_of, open_predictor, write_predictor
from gliaflow.predict.plots import (
    draw_chance,
    draw_confusion,
    draw_kaplan_meier,
    draw_reliability,
    draw_roc,
)
from gliaflow.predict.predictor import fit_predictor
from gliaflow.predict.risk_groups import GROUP_COLUMNS, first_repeat, group_table
from gliaflow.predict.score import CHANCE_COLUMNS, SCORE_COLUMNS, permuted_scores, score_table
from gliaflow.predict.table import Table, check_enough, read_sessions, read_table, training_table
from gliaflow.predict.tasks import Settings, Task
from gliaflow.tables import read_rows, write_table

DIGITS = 6


@dataclass(frozen=True)
class Given:
    """The tables that a task is fitted to: features of each of its cohorts, and the patients' data."""

    features: Sequence[Path]
    participants: Path | None

    def table(self, task: Task, settings: Settings) -> Table:
        """Read the rows of a task; refuses a table that is too small, too plain or too good to be true."""
        table = training_table(read_sessions(self.features, self.participants), task)
        left = [f"{number} rows {reason}" for reason, number in table.left_out.items()]
        logging.info(
            "%s: %d rows; left out: %s", task.name, len(table.keys), listing(left or ["none"], "and")
        )
        check_enough(table, task, settings)
        check_values(table, task)
        return table


def write_cross_validation(
    given: Given, task: Task, settings: Settings, path: Path, importance: Path
) -> None:
    """Write the out-of-fold predictions of a task, and what each feature is worth."""
    table = given.table(task, settings)
    rows = cross_validate(table, task, settings)
    write_table(path, as_records(rows), out_of_fold_columns(task.kind, rows.columns))
    write_table(importance, rounded(importance_table(table, task, settings)), IMPORTANCE_COLUMNS)


def write_chance(given: Given, task: Task, settings: Settings, numbers: range, path: Path) -> None:
    """Write the scores of some permutations of a task's outcomes."""
    rows = permuted_scores(given.table(task, settings), task, settings, numbers)
    write_table(path, rounded(list(rows)), CHANCE_COLUMNS)


@dataclass(frozen=True)
class Judged:
    """Where the scores of a task go; ``groups`` is made for survival alone."""

    scores: Path
    chance: Path
    groups: Path | None
    pictures: Sequence[Path]


def write_scores(
    out_of_fold: Path, chance: Sequence[Path], task: Task, settings: Settings, made: Judged, *, dpi: int
) -> None:
    """Write the scores, risk groups and pictures of a task from its out-of-fold predictions."""
    rows = read_table(out_of_fold, ["cohort", "subject", "session"])
    null = pd.DataFrame(read_rows(chance), columns=list(CHANCE_COLUMNS))
    scores = score_table(rows, null, task, settings)
    write_table(made.scores, rounded(scores), SCORE_COLUMNS)
    write_table(made.chance, as_records(null), CHANCE_COLUMNS)
    first, second, third = made.pictures
    if task.kind == CLASSIFICATION:
        draw_roc(first, rows, scores, dpi)
    elif task.kind == SUBTYPE:
        draw_confusion(first, rows, dpi)
    else:
        draw_kaplan_meier(first, rows, null, dpi)
    if made.groups:
        write_table(made.groups, rounded(group_table(first_repeat(rows), null)), GROUP_COLUMNS)
    draw_reliability(second, rows, settings.horizon_days, dpi)
    draw_chance(third, null, scores, task.kind, dpi)


def write_trained(
    given: Given, task: Task, settings: Settings, *, scores: Path, package: Path, card: Path
) -> None:
    """Fit a task to all its rows and write the package, which states the scores, and its card."""
    table = given.table(task, settings)
    predictor = fit_predictor(table, task.model, settings)
    manifest = manifest_of(table, task, settings, predictor, read_rows([scores]))
    text = predictor_card(manifest)
    write_predictor(package, manifest, predictor, text)
    write_bytes(card, text.encode())


def write_predictions(
    given: Given,
    tasks: Sequence[Task],
    packages: Sequence[Path],
    out_of_fold: Sequence[Path | None],
    path: Path,
    *,
    further: Sequence[Path] = (),
) -> None:
    """Write the predictions of every task for the subjects of a cohort.

    Parameters
    ----------
    given
        The features of the cohort.
    tasks, packages, out_of_fold
        By task its package, and its out-of-fold predictions; None for a package from elsewhere.
    path
        The table.
    further
        Tables of predictions that are added: those of networks.
    """
    sessions = read_sessions(given.features, given.participants)
    rows: list[dict[str, Any]] = []
    for task, package, left_out in zip(tasks, packages, out_of_fold, strict=True):
        known = read_table(left_out, ["cohort", "subject", "session"]) if left_out else None
        rows += predictions(sessions, task, open_predictor(package), known)
    write_table(path, [*rounded(rows), *read_rows(further)], PREDICTION_COLUMNS)


def as_records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def rounded(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with their numbers as tables tell them."""
    return [{key: _short(value) for key, value in row.items()} for row in rows]


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
