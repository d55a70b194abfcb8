"""The reviews: what a person decided on the segmentation of a session."""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gliaflow.config.cells import IMAGE, Cells
from gliaflow.config.disk import Disk
from gliaflow.config.mistakes import Mistakes, nearest, show
from gliaflow.config.session import Session
from gliaflow.config.sheet import KEYS, Row, read_sheet

ACCEPT, EDIT, REJECT = "accept", "edit", "reject"
REVIEW_COLUMNS = ("cohort", "subject", "session", "decision", "label", "reviewer", "date", "comment")
GUARDED = re.compile(r"'(?=[=+\-@])")
"""An apostrophe that keeps a spreadsheet from reading a text as a formula."""
MOST_SUGGESTIONS = 50
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Decision:
    """A row of a review; ``label`` is the absolute path of the edited label map, of an edit only."""

    decision: str
    label: Path | None
    reviewer: str
    date: str
    comment: str
    sheet: str
    row: int

    @property
    def told(self) -> str:
        """When it was decided, by whom, and the comment."""
        return ", ".join(filter(None, (self.date, self.reviewer, self.comment)))


@dataclass(frozen=True)
class Review:
    """What counts of all that was decided on a session.

    Attributes
    ----------
    latest
        The last decision.
    edit
        The last edit, whose label map is in use also where it was accepted later; None where there is none.
    """

    latest: Decision
    edit: Decision | None = None

    @property
    def rejected(self) -> bool:
        """Whether the session is left out of what is made of its cohort."""
        return self.latest.decision == REJECT

    @property
    def lines(self) -> list[str]:
        """What was decided in words: the edit that is in use, then the last decision."""
        decisions = [d for d in dict.fromkeys((self.edit, self.latest)) if d]
        return [f"{decision.decision}: {decision.told}" for decision in decisions]


def read_reviews(
    paths: Sequence[Path], sessions: Iterable[Session], *, check_paths: bool = True
) -> dict[Key, Review]:
    """Read and check reviews.

    Parameters
    ----------
    paths
        Tab-separated files; relative paths in them start from their folder.
    sessions
        Of the sample sheets: a decision on any other is a mistake.
    check_paths
        Whether edited label maps have to exist; a cluster job can leave that to the process that sent it.

    Returns
    -------
    dict
        By cohort, subject and session; sessions without a decision are absent.

    Raises
    ------
    ConfigError
        Every mistake of every file, one line each: file, row, column, value, what is wrong, what to write.
    """
    mistakes = Mistakes()
    known = {session.key for session in sessions}
    cells = Cells(Disk() if check_paths else None, lambda path: False, mistakes)
    rows = [row for path in paths for row in read_sheet(path, "reviews", mistakes)]
    pairs = [(row, _decision(row, cells)) for row in rows]
    for row, decision in pairs:
        _check_known(row, known, mistakes)
        _check_date(row, mistakes)
        _check_label(row, decision, mistakes)
    _check_labels_differ(pairs, mistakes)
    _check_agreement([pair for pair in pairs if {"decision", "date"} <= set(pair[0].values)], mistakes)
    mistakes.stop_if_any()
    return _in_force(pairs)


def _decision(row: Row, cells: Cells) -> Decision:
    text = {column: row.cells.get(column, "") for column in ("decision", "reviewer", "date", "comment")}
    text |= {column: GUARDED.sub("", text[column], count=1) for column in ("reviewer", "comment")}
    return Decision(**text, label=cells.path(row, "label", IMAGE), sheet=row.sheet, row=row.number)


def _key(row: Row) -> Key:
    cohort, subject, session = (row.cells.get(column, "") for column in KEYS)
    return cohort, subject, session


def _check_known(row: Row, known: set[Key], mistakes: Mistakes) -> None:
    if not all(column in row.values for column in KEYS) or _key(row) in known:
        return
    written = "/".join(_key(row))
    names = ["/".join(key) for key in known if key[0] == row.cells["cohort"]]
    guess = nearest(written, names) if len(mistakes.lines) < MOST_SUGGESTIONS else None
    fix = f"did you mean {guess}?" if guess else "correct it, or take the row out"
    mistakes.add(row.where(), "the session is in no sample sheet", fix)


def _check_date(row: Row, mistakes: Mistakes) -> None:
    try:
        datetime.date.fromisoformat(row.values.get("date", "2000-01-01"))
    except ValueError:
        mistakes.add(
            row.where("date"), "is no day of the calendar", "write year-month-day, such as 2026-03-31"
        )


def _check_label(row: Row, decision: Decision, mistakes: Mistakes) -> None:
    if decision.decision == EDIT and "label" not in row.cells:
        fix = "write the path of the edited label map, or another decision"
        mistakes.add(row.where("label"), "is empty, but the decision is edit", fix)
    if decision.decision in (ACCEPT, REJECT) and "label" in row.cells:
        fix = "write edit as the decision, or leave the cell empty"
        mistakes.add(row.where("label"), f"is not used, because the decision is {decision.decision}", fix)


def _check_labels_differ(pairs: Sequence[tuple[Row, Decision]], mistakes: Mistakes) -> None:
    first: dict[Path, Row] = {}
    for row, decision in pairs:
        if decision.label and _key(other := first.setdefault(decision.label, row)) != _key(row):
            what = f"is the label map of another session too ({other.sheet}, row {other.number})"
            mistakes.add(row.where("label"), what, "give every session its own")


def _check_agreement(pairs: Sequence[tuple[Row, Decision]], mistakes: Mistakes) -> None:
    first: dict[tuple[Key, str], tuple[Row, Decision]] = {}
    for row, decision in pairs:
        other, known = first.setdefault((_key(row), decision.date), (row, decision))
        place = f"{other.sheet}, row {other.number}"
        fix = "take one row out, or correct a date: the later one counts"
        if known.decision != decision.decision:
            what = f"{show(decision.decision)} contradicts {show(known.decision)} of the same day ({place})"
            mistakes.add(row.where(), what, fix)
        elif known.label != decision.label:
            mistakes.add(row.where("label"), f"is another file than on the same day in {place}", fix)


def _in_force(pairs: Sequence[tuple[Row, Decision]]) -> dict[Key, Review]:
    found: dict[Key, Review] = {}
    for row, decision in sorted(pairs, key=lambda pair: pair[1].date):
        before = found.get(_key(row))
        edit = before.edit if before else None
        found[_key(row)] = Review(decision, decision if decision.label else edit)
    return found


def review_facts(decision: Decision) -> Mapping[str, str]:
    """Return what sidecars say of a decision: who and when."""
    return {"Decision": decision.decision, "Reviewer": decision.reviewer, "Date": decision.date}
