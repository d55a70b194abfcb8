"""The table that a predictor is fitted to: features of sessions joined with outcomes of subjects."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
from sksurv.util import Surv

from gliaflow.config.mistakes import Mistakes, did_you_mean, listing
from gliaflow.config.participants import patients_data
from gliaflow.errors import GliaflowError
from gliaflow.images import Array
from gliaflow.predict.leaks import check_names, never_features
from gliaflow.predict.names import CLASSIFICATION, SUBTYPE, SURVIVAL
from gliaflow.predict.tasks import Settings, Task, outcome_words, refuse_small

KEYS = ["cohort", "subject", "session"]
PERSON = ["cohort", "subject"]
FROM_PARTICIPANTS = ("age", "sex", "resection", "idh", "mgmt")
"""Columns of the patients' data that may be features, unless they are the outcome."""
MISSING_WORD = "missing"


@dataclass(frozen=True)
class Table:
    """Rows with a known outcome, one for each session.

    Attributes
    ----------
    features
        One column for each feature: float with NaN, or text with None.
    keys
        Columns ``cohort``, ``subject`` and ``session``.
    outcome
        0 or 1 for a classification, the number of the class of several, a structured array of event and time
        (days) for survival.
    sites
        Site of each row, its cohort where none is known.
    left_out
        How many rows were left out, by the reason.
    classes
        The classes where several are told apart.
    """

    features: pd.DataFrame
    keys: pd.DataFrame
    outcome: Array
    sites: Array
    left_out: Mapping[str, int]
    classes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What the outcome is: classification, subtype or survival."""
        if self.outcome.dtype.names:
            return SURVIVAL
        return SUBTYPE if self.classes else CLASSIFICATION

    @property
    def groups(self) -> Array:
        """The subject of each row, as one text."""
        return (self.keys["cohort"] + "/" + self.keys["subject"]).to_numpy(dtype=str)

    @property
    def strata(self) -> Array:
        """The class of each row, or whether it has the event."""
        found = self.outcome["event"] if self.outcome.dtype.names else self.outcome
        return np.asarray(found).astype(int)

    @property
    def numeric(self) -> list[str]:
        """The features that are numbers."""
        return [str(c) for c in self.features if pd.api.types.is_numeric_dtype(self.features[c])]

    @property
    def categorical(self) -> list[str]:
        """The features that are words."""
        return [str(c) for c in self.features if c not in self.numeric]

    def with_outcome(self, outcome: Array) -> "Table":
        """Return the same rows with other outcomes."""
        return replace(self, outcome=outcome)


def read_sessions(features: Iterable[Path], participants: Path | None) -> pd.DataFrame:
    """Read the features of cohorts and add what the patients' data say of each subject.

    Parameters
    ----------
    features
        ``results/<cohort>/features.tsv``: ``cohort subject session days`` and features; empty is missing.
    participants
        The table of patients' data; None where there is none.

    Returns
    -------
    DataFrame
        A row for each session. A feature named like a column of the patients' data goes before it.

    Raises
    ------
    GliaflowError
        A table lacks a column that it needs, or has a number that is not finite.
    """
    tables = [read_table(path, KEYS) for path in features]
    sessions = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=KEYS)
    return with_people(sessions, participants)


def with_people(sessions: pd.DataFrame, participants: Path | None) -> pd.DataFrame:
    """Add to each session what the patients' data say of its subject, but for columns that are there."""
    if participants is None:
        return sessions
    people = pd.DataFrame(patients_data(participants))
    added = [column for column in people if column in PERSON or column not in sessions]
    return sessions.merge(people[added], on=PERSON, how="left", validate="many_to_one")


def read_table(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """Read a TSV that the workflow wrote, whose empty cells are missing; identifiers stay text."""
    text = dict.fromkeys((*KEYS, "site"), str)
    table = pd.read_csv(path, sep="\t", dtype=text, keep_default_na=False, na_values=[""])
    if lacking := [column for column in needed if column not in table]:
        raise GliaflowError(f"{path}: lacks the column {listing(lacking, 'and')}")
    infinite = [str(c) for c in table.select_dtypes("number") if np.isinf(table[c]).any()]
    if infinite:
        raise GliaflowError(f"{path}: {listing(infinite, 'and')} is infinite in a row; leave the cell empty")
    return table


def choose_sessions(sessions: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the rows that a task looks at: of its cohorts, and of each subject the first session or all."""
    chosen = sessions[sessions["cohort"].isin(task.cohorts)] if task.cohorts else sessions
    if "days" not in chosen:
        chosen = chosen.assign(days=np.nan)
    chosen = chosen.assign(days=chosen["days"].astype(float))
    ordered = chosen.sort_values("days", kind="stable", na_position="first")
    kept = ordered if task.sessions == "all" else ordered.drop_duplicates(PERSON)
    return kept.sort_index().reset_index(drop=True)


def choose_features(task: Task, columns: Sequence[str]) -> list[str]:
    """Return the columns that a task's features name, in their order, each once.

    A pattern such as ``wt_*`` never stands for an identifier, an outcome or a column of the patients' data.

    Raises
    ------
    GliaflowError
        A name or pattern fits nothing, or names what would give the outcome away.

    Examples
    --------
    >>> task = Task("t", "classification", "logistic", ("wt_*", "age"), column="idh", positive="mutant")
    >>> choose_features(task, ["cohort", "age", "idh", "wt_volume_ml", "wt_sphericity"])
    ['wt_volume_ml', 'wt_sphericity', 'age']
    """
    mistakes = Mistakes()
    where = f"predict, task {task.name}, features"
    never = never_features(task)
    globbed = [column for column in columns if column not in (*never, *FROM_PARTICIPANTS)]
    chosen: list[str] = []
    for name in task.features:
        found = [name] if name in columns else [column for column in globbed if fnmatchcase(column, name)]
        if not found:
            fix = did_you_mean(
                name, globbed, f"the features are {listing(globbed, 'and') if globbed else 'none'}"
            )
            mistakes.add(f"{where}: {name!r}", "is not there", fix)
        chosen += found
    chosen = list(dict.fromkeys(chosen))
    check_names(task, chosen, mistakes)
    mistakes.stop_if_any()
    return chosen


def training_table(sessions: pd.DataFrame, task: Task) -> Table:
    """Return the rows of a task whose outcome is known; the others are counted.

    Parameters
    ----------
    sessions
        From `read_sessions`.

    Raises
    ------
    GliaflowError
        A column is not there.
    """
    absent = [column for column in task.outcomes if column not in sessions]
    if absent:
        raise GliaflowError(
            f"predict, task {task.name}: the patients' data have no column {listing(absent, 'and')}"
        )
    chosen = choose_sessions(sessions, task)
    features = feature_columns(chosen, choose_features(task, list(map(str, chosen.columns))))
    outcome, reasons = _outcomes(chosen, task)
    known = reasons == ""
    counts = pd.Series(reasons[~known], dtype=object).value_counts().to_dict()
    site = chosen["site"] if "site" in chosen else chosen["cohort"]
    return Table(
        features=_useful(features[known].reset_index(drop=True), task),
        keys=chosen.loc[known, KEYS].reset_index(drop=True),
        outcome=outcome[known],
        sites=site.fillna(chosen["cohort"])[known].to_numpy(dtype=str),
        left_out={str(reason): int(number) for reason, number in counts.items()},
        classes=task.classes if task.kind == SUBTYPE else (),
    )


def _useful(features: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Leave out what only a pattern named and what tells nothing, such as changes of first sessions."""
    named = set(task.features)
    left_out = {str(n): what for n in features if n not in named and (what := useless(features[n]))}
    for name, what in left_out.items():
        logging.info("%s: feature %s is left out: it %s", task.name, name, what)
    if len(left_out) == len(features.columns) and len(features):
        raise GliaflowError(
            f"predict, task {task.name}: every feature is missing or the same in all rows "
            f"({', '.join(left_out)}); name others"
        )
    return features.drop(columns=list(left_out))


def feature_columns(sessions: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return features as a model takes them: numbers as float, words as text with `MISSING_WORD`."""
    columns = {name: _feature(sessions[name]) for name in names}
    return pd.DataFrame(columns, index=sessions.index)


def _feature(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) or column.isna().all():
        return column.astype(float)
    return column.astype(str).where(column.notna(), MISSING_WORD).astype(object)


def _outcomes(chosen: pd.DataFrame, task: Task) -> tuple[Array, Array]:
    """Return the outcome of each row, and why it is not known: empty where it is."""
    if task.kind == CLASSIFICATION:
        column = chosen[str(task.column)]
        reasons = np.where(column.isna(), f"no {task.column}", "")
        return _as_text(column).eq(str(task.positive)).to_numpy().astype(int), reasons
    if task.kind == SUBTYPE:
        column = chosen[str(task.column)]
        codes = pd.Categorical(_as_text(column).where(column.notna()), list(task.classes)).codes
        other = np.where(codes < 0, f"another {task.column} than the classes", "")
        return codes.astype(int), np.where(column.isna(), f"no {task.column}", other)
    # the patients' data count from the first scan, which need not be the session that is looked at
    time = chosen[task.time].astype(float) - chosen["days"].fillna(0)
    event = chosen[task.event].astype(float)
    reasons = np.select(
        [time.isna(), event.isna(), time <= 0],
        [f"no {task.time}", f"no {task.event}", f"{task.time} not after the session"],
        default="",
    )
    return Surv.from_arrays(event.fillna(0).to_numpy() > 0, time.fillna(1).to_numpy()), reasons


def _as_text(column: pd.Series) -> pd.Series:
    """Write whole numbers without a decimal point, as the config does."""
    if pd.api.types.is_numeric_dtype(column):
        return column.map(lambda value: f"{value:g}" if pd.notna(value) else "")
    return column.astype(str)


def check_enough(table: Table, task: Task, settings: Settings) -> None:
    """Refuse a table on which no honest figure is possible, with the numbers.

    Raises
    ------
    GliaflowError
        Too few subjects, one class only, too few of a class or too few events, a horizon beyond the last
        follow-up, or a feature that is the same or missing in all rows.
    """
    mistakes = Mistakes()
    where = f"predict, task {task.name}"
    by_subject = pd.Series(table.strata).groupby(table.groups).max()
    words = outcome_words(task)
    counts = {word: int((by_subject == number).sum()) for number, word in enumerate(words)}
    refuse_small(task, counts, vars(settings), mistakes)
    for reason, number in table.left_out.items() if mistakes.lines else ():
        mistakes.add(where, f"{number} rows are left out: {reason}")
    _check_horizon(table, task, settings, where, mistakes)
    for name in table.features:
        if what := useless(table.features[name]):
            mistakes.add(f"{where}, feature {name}", what, "take it out of the task's features")
    mistakes.stop_if_any()


def _check_horizon(table: Table, task: Task, settings: Settings, where: str, mistakes: Mistakes) -> None:
    if task.kind != SURVIVAL or not len(table.outcome):
        return
    latest = table.outcome["time"].max()
    if settings.horizon_days >= latest:
        what = (
            f"predict.horizon_days ({settings.horizon_days:g}) is not before the last follow-up ({latest:g})"
        )
        mistakes.add(where, what, "lower it")


def useless(column: pd.Series) -> str | None:
    """Say why a feature tells nothing: it is missing or the same in every row; None where it does tell."""
    known = column[column.notna() & (column != MISSING_WORD)]
    if not len(known):
        return "is missing in every row"
    if known.nunique() == 1 and len(known) == len(column):
        return f"is the same in every row ({known.iloc[0]})"
    return None
