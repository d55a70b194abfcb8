"""The table of patients' data."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliaflow.config.mistakes import Mistakes, nearest
from gliaflow.config.session import Session
from gliaflow.config.sheet import Row, read_sheet

MOST_SUGGESTIONS = 50
"""What was probably meant is looked for so often only; in long tables it takes long."""


@dataclass(frozen=True)
class Participant:
    """A subject's data; what is not known is None. The fields are the columns of the table."""

    cohort: str
    subject: str
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    resection: str | None = None
    idh: str | None = None
    mgmt: str | None = None
    diagnosis: str | None = None
    survival_days: float | None = None
    event: int | None = None


def read_participants(path: Path, sessions: Iterable[Session]) -> tuple[Participant, ...]:
    """Read and check the table of patients' data.

    Parameters
    ----------
    path
        Tab-separated file.
    sessions
        Of the sample sheets: a subject that has none is a mistake.

    Returns
    -------
    tuple of Participant
        In the order of the table; a subject of the sample sheets may be absent.

    Raises
    ------
    ConfigError
        Every mistake, one line each: table, row, column, value, what is wrong, what to write.
    """
    mistakes = Mistakes()
    known: dict[str, set[str]] = {}
    for session in sessions:
        known.setdefault(session.cohort, set()).add(session.subject)
    rows = read_sheet(path, "participants", mistakes)
    _check_doubles(rows, mistakes)
    for row in rows:
        _check_known(row, known, mistakes)
        _check_survival(row, mistakes)
    mistakes.stop_if_any()
    return tuple(_participant(row.values) for row in rows)


def patients_data(path: Path) -> list[dict[str, Any]]:
    """Return what is known of each subject of a table that `read_participants` has checked, by column.

    Raises
    ------
    ConfigError
        It has changed since, and a cell no longer fits.
    """
    mistakes = Mistakes()
    rows = read_sheet(path, "participants", mistakes)
    mistakes.stop_if_any()
    return [dict(row.values) for row in rows]


def _participant(values: Any) -> Participant:
    numbers = {key: float(values[key]) for key in ("age", "survival_days") if key in values}
    return Participant(**{**values, **numbers})


def _check_doubles(rows: list[Row], mistakes: Mistakes) -> None:
    first: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(row.cells.get(column, "").casefold() for column in ("cohort", "subject"))
        if (other := first.setdefault(key, row)) is not row:
            mistakes.add(row.where(), f"the subject is in row {other.number} already", "take one row out")


def _check_known(row: Row, known: dict[str, set[str]], mistakes: Mistakes) -> None:
    cohort, subject = (row.values.get(column) for column in ("cohort", "subject"))
    if cohort is None or subject is None or subject in known.get(cohort, ()):
        return
    column, names = ("subject", known[cohort]) if cohort in known else ("cohort", set(known))
    guess = nearest(row.cells[column], sorted(names)) if len(mistakes.lines) < MOST_SUGGESTIONS else None
    fix = f"did you mean {guess}?" if guess else "take the row out, or add the subject to a sample sheet"
    mistakes.add(row.where(column), "is in no sample sheet", fix)


def _check_survival(row: Row, mistakes: Mistakes) -> None:
    for column, other in (("event", "survival_days"), ("survival_days", "event")):
        if column in row.cells and other not in row.cells:
            mistakes.add(row.where(other), f"is empty, but {column} is given", "fill both or neither")
