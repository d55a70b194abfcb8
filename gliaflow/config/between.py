"""Mistakes that show only between rows: doubled sessions, names that collide, days, files used twice."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from gliaflow.config.mistakes import Mistakes
from gliaflow.config.session import Session
from gliaflow.config.sheet import KEYS, Row

Pairs = Sequence[tuple[Row, Session]]


def check_between(pairs: Pairs, mistakes: Mistakes) -> None:
    """Check the rows of all sheets against each other.

    Parameters
    ----------
    pairs
        Each row with the session made of it.
    mistakes
        What is wrong is added here.
    """
    whole = [(row, session) for row, session in pairs if all(key in row.values for key in KEYS)]
    _check_keys(whole, mistakes)
    _check_days(whole, mistakes)
    _check_sources(pairs, mistakes)


def _check_keys(pairs: Pairs, mistakes: Mistakes) -> None:
    first: dict[tuple[str, ...], tuple[Row, tuple[str, ...]]] = {}
    told: set[tuple[str, ...]] = set()
    for row, session in pairs:
        for depth, column in enumerate(KEYS, start=1):
            spelled = session.key[:depth]
            other, known = first.setdefault(tuple(part.casefold() for part in spelled), (row, spelled))
            if known[-1] != spelled[-1] and spelled not in told:
                told.add(spelled)
                what = f"differs only by case from {known[-1]!r} in {other.sheet}, row {other.number}"
                mistakes.add(row.where(column), what, "write both alike, or rename one")
        if known == spelled and other is not row:
            what = f"the session is in {other.sheet}, row {other.number} already"
            mistakes.add(row.where(), what, "take one row out, or write another session")


def _check_days(pairs: Pairs, mistakes: Mistakes) -> None:
    subjects: dict[tuple[str, str], dict[str, tuple[Row, int | None]]] = defaultdict(dict)
    for row, session in pairs:
        subjects[session.key[:2]].setdefault(session.session, (row, session.days))
    for sessions in subjects.values():
        first: dict[int, Row] = {}
        for row, days in sessions.values() if len(sessions) > 1 else ():
            if days is None and "days" not in row.cells:
                what = "is empty, but the subject has several sessions, whose order is needed"
                mistakes.add(row.where("days"), what, "write the days since the subject's first scan")
            elif days is not None and (other := first.setdefault(days, row)) is not row:
                what = f"is also the day of another session ({other.sheet}, row {other.number})"
                mistakes.add(row.where("days"), what, "correct one; days give the order of the sessions")


def _check_sources(pairs: Pairs, mistakes: Mistakes) -> None:
    first: dict[object, tuple[Row, str]] = {}
    for row, session in pairs:
        for column, source in _sources(session):
            other, place = first.setdefault(source, (row, column))
            if other is not row:
                what = f"is in {other.sheet}, row {other.number}, column {place} too"
                mistakes.add(row.where(column), what, "give every session its own scans")
            elif place != column:
                what = f"is in the column {place} too"
                mistakes.add(row.where(column), what, "give every column its own scan, or the study in dicom")


def _sources(session: Session) -> Iterator[tuple[str, object]]:
    for column, source in [*session.sources.items(), ("dwi", session.dwi)]:
        if isinstance(source, Path):
            yield column, source
        elif source is not None and session.study:
            yield column, (session.study, source)
    for column, path in (("dicom", session.study), ("label", session.label)):
        if path:
            yield column, path
