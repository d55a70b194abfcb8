"""What a cohort's page says of each session: from its rows of the status and the small tables that it has."""

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gliaflow.config.reviews import Review
from gliaflow.labels import REGIONS
from gliaflow.report.session_files import SessionFiles
from gliaflow.report.thumbnail import read_thumbnail
from gliaflow.status import BROKEN, COMPLETE, REJECTED, RUNNING, WAITING, by_session

FLAGGED = "flagged"
ORDER = (BROKEN, FLAGGED, RUNNING, WAITING, COMPLETE, REJECTED)
"""Which sessions come first: what failed, then what a person should look at."""
WORDS = {COMPLETE: "finished", FLAGGED: "finished, flagged"}
TABLES = ("volumes", "uncertainty", "features")
REPORT, OF_FAILED = "report.html", "failed.html"
"""The page of a session in its ``qc``: of one that is finished, and of one that failed, until it goes on."""

Row = Mapping[str, str]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Cell:
    """A cell of the page's table: what is read, what is sorted by, and a second line."""

    text: str
    value: float | str | None = None
    note: str = ""


@dataclass(frozen=True)
class CohortSession:
    """A session on the page of its cohort.

    Attributes
    ----------
    cohort, subject, session
        Its names.
    state
        Of `ORDER`.
    told
        What failed, runs or is waited for, or why it was rejected.
    reasons
        Why a person should look at it.
    numbers
        By column of its tables, and as ``wt_dice`` by region and score of its evaluation.
    review
        What reviewers decided, None where they decided nothing.
    page
        Path of its own page, relative to the cohort's; empty where there is none.
    thumbnail
        Its key slice as a data URL; empty where there is none.
    """

    cohort: str
    subject: str
    session: str
    state: str
    told: str = ""
    reasons: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    review: Review | None = None
    page: str = ""
    thumbnail: str = ""

    @property
    def name(self) -> str:
        """Subject and session as in paths."""
        return f"sub-{self.subject}/ses-{self.session}"

    @property
    def place(self) -> str:
        """The anchor of its row."""
        return f"sub-{self.subject}_ses-{self.session}"

    @property
    def word(self) -> str:
        """Its state in words."""
        return WORDS.get(self.state, self.state)

    @property
    def decision(self) -> str:
        """The decision that counts; an edit that was accepted is both."""
        if not self.review:
            return ""
        edited = self.review.edit and self.review.latest is not self.review.edit and not self.review.rejected
        return f"{self.review.latest.decision} of the edit" if edited else self.review.latest.decision

    def number(self, name: str, digits: int = 1, interval: tuple[str, str] | None = None) -> Cell:
        """Return a cell with a number, empty where there is none, and with its interval as second line."""
        value = self.numbers.get(name)
        if value is None:
            return Cell("")
        ends = [self.numbers[end] for end in interval or () if end in self.numbers]
        note = "–".join(f"{end:.{digits}f}" for end in ends) if len(ends) == 2 else ""
        return Cell(f"{value:.{digits}f}", value, note)


def cohort_sessions(
    cohort: str, status: Iterable[Row], reviews: Mapping[Key, Review], *, root: Path
) -> list[CohortSession]:
    """Return the sessions of a cohort, those that need attention first.

    Parameters
    ----------
    cohort
        Its name.
    status
        Rows of `gliaflow.status.STATUS_COLUMNS`; those of other cohorts are passed over.
    reviews
        By cohort, subject and session.
    root
        The folder that the workflow runs in.
    """
    own = by_session(row for row in status if row["cohort"] == cohort)
    found = [_session(key, rows, reviews.get(key), root) for key, rows in own.items()]
    return sorted(found, key=lambda session: (ORDER.index(session.state), session.subject, session.session))


def _session(key: Key, rows: Sequence[Row], review: Review | None, root: Path) -> CohortSession:
    files = SessionFiles(*key, root)
    texts: dict[str, str] = {}
    for name in TABLES:
        texts |= next(iter(table_rows(files.path("seg", f"{name}.tsv"))), {})
    for row in table_rows(files.path("seg", "evaluation.tsv")):
        region = row.get("region", "").lower()
        texts |= {f"{region}_{score}": row.get(score, "") for score in ("dice", "hd95_mm")}
    state, told = state_of_session(rows)
    flagged = texts.get("review") == "1"
    return CohortSession(
        *key,
        state=FLAGGED if state == COMPLETE and flagged else state,
        told=told,
        reasons=texts.get("review_reasons", "") if flagged else "",
        numbers={column: number for column, text in texts.items() if (number := _number(text)) is not None},
        review=review,
        page=_page_of(files.folder),
        thumbnail=read_thumbnail(files.path("qc", "segmentation.png")) or "",
    )


def state_of_session(rows: Sequence[Row]) -> tuple[str, str]:
    """Return the state of a session of which the rows tell stage by stage, and what is said of it.

    >>> done = dict(state="done", stage="fuse", rule="", message="", advice="")
    >>> state_of_session([done, done | dict(state="failed", rule="review", message="too dark")])
    ('failed', 'review: too dark')
    """
    for state in (REJECTED, BROKEN, RUNNING, WAITING):
        own = [row for row in rows if row["state"] == state]
        if own:
            told = ": ".join(filter(None, (own[0]["rule"], own[0]["message"])))
            return state, told or own[0]["advice"] or f"{own[0]['stage']} is next"
    return COMPLETE, ""


def _page_of(folder: Path) -> str:
    """Return where a session's page lies, from the folder of its cohort."""
    there = next((name for name in (OF_FAILED, REPORT) if os.path.exists(folder / "qc" / name)), "")  # noqa: PTH110
    return f"{folder.parent.name}/{folder.name}/qc/{there}" if there else ""


def table_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table as texts; none where it is not there or not whole."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", restval="", restkey=""))
    except (OSError, csv.Error):
        return []
    return [{key: text for key, text in row.items() if isinstance(text, str)} for row in rows]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def session_cells(sessions: Sequence[CohortSession]) -> tuple[list[tuple[str, str]], list[list[Cell]]]:
    """Return the numbers that the table of sessions shows.

    Parameters
    ----------
    sessions
        From `cohort_sessions`.

    Returns
    -------
    tuple
        Heading and meaning of each column that any session has, and for each session its cells.
    """
    columns: dict[str, tuple[str, int, tuple[str, str] | None, str]] = {
        "days": ("Day", 0, None, "days since the subject's first scan"),
    }
    for region in REGIONS:
        low = region.lower()
        ends = (f"{low}_volume_low_ml", f"{low}_volume_high_ml")
        columns[f"{low}_volume_ml"] = (f"{region} ml", 1, ends, "volume and its interval over the members")
    columns |= {
        "wt_volume_change_percent": ("WT change %", 0, None, "of the volume since the session before"),
        "et_rano_sum_mm2": ("RANO mm²", 0, None, "sum of products of diameters of the enhancing tumour"),
        "wt_volume_cv": ("WT variation", 3, None, "coefficient of variation of the volume over the members"),
        "review_score": ("Review score", 2, None, "how unsure the segmentation is as a whole"),
    }
    for region in REGIONS:
        columns[f"{region.lower()}_dice"] = (f"Dice {region}", 3, None, "overlap with the reference")
    used = {name: column for name, column in columns.items() if any(name in s.numbers for s in sessions)}
    cells = [[s.number(name, digits, ends) for name, (_, digits, ends, _) in used.items()] for s in sessions]
    return [(heading, meaning) for heading, _, _, meaning in used.values()], cells


def counts_of(sessions: Iterable[CohortSession]) -> dict[str, Any]:
    """Return how many sessions are in which state, in words."""
    sessions = list(sessions)
    found = {state: sum(session.state == state for session in sessions) for state in ORDER}
    finished = found[COMPLETE] + found[FLAGGED]
    return {
        "sessions": len(sessions),
        "finished": finished,
        "failed": found[BROKEN],
        "running": found[RUNNING],
        "waiting": found[WAITING],
        "rejected": found[REJECTED],
        "flagged": found[FLAGGED],
        "reviewed": sum(session.review is not None for session in sessions),
    }
