"""What is done, what failed and what waits, for every subject and stage of a cohort.

A stage of a session is done when all of its files are there: each is written whole or not at all. What failed
is told by the logs, whose last line says how a job ended (`gliaflow.job`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gliaflow.files import files_below
from gliaflow.job import BEGUN, DONE, FAILED
from gliaflow.tables import NAME_COLUMNS, write_table

COMPLETE, BROKEN, RUNNING, WAITING = "done", "failed", "running", "waiting"
STATES = (COMPLETE, BROKEN, RUNNING, WAITING)
REJECTED = "rejected"
"""The state of a session that a reviewer rejected, in a row of its own: nothing is made of it any more."""
REVIEW = "review"
STATUS_COLUMNS: Mapping[str, str] = {
    **NAME_COLUMNS,
    "stage": "Part of the workflow, named like its file in rules/",
    "state": "done: all files are there; failed: a job ended without them; running; waiting for another job; "
    "rejected: by a reviewer",
    "rule": "What failed or runs",
    "message": "The last line of its log",
    "advice": "What to do",
    "log": "The log",
}
STATUS_FILES = ("status.tsv", "status.json", "index.html", "failed.html")
"""How a run stands, as table and as pages: written at its end, and no part of what was made."""
PARTLY_FAILED = 3
"""Exit status of a run in which some sessions were finished and others were not."""
TAIL_BYTES = 8192
TRACEBACK = "Traceback (most recent call last)"
DATA = "do what the message says, and start again; only what is missing is run"
PROGRAM = "an error of the program or its software: read the log, and report it with the log"
KILLED = (
    "it ended without a word: out of memory, out of time, or stopped; start again, each attempt asks for "
    "twice the memory, or give the rule more time (--set-resources RULE:runtime=MINUTES)"
)
MOST_TOLD = 10
Key = tuple[str, str, str]
"""Cohort, subject and session; the last two are empty for what belongs to a cohort."""
OF_ALL: Key = ("", "", "")
ADVICE_OF_REJECTED = "it is left out of the tables; accept it in a later review to take it in again"
NOTHING = dict.fromkeys(("state", "rule", "message", "advice", "log"), "")


@dataclass(frozen=True)
class LogEnd:
    """How a job ended: its rule, the log with its last line, whether a traceback stands before, and when."""

    rule: str
    path: str
    line: str
    traceback: bool
    changed: float

    @property
    def failed(self) -> bool:
        """Whether the job told of an error."""
        return self.line.startswith(FAILED)

    @property
    def well(self) -> bool:
        """Whether the job came to its end without an error."""
        return self.line.startswith(DONE)


def cohort_status(
    wanted: Mapping[Key, Mapping[str, Sequence[str]]],
    stages: Mapping[str, str],
    *,
    root: Path,
    since: float | None = None,
    rejected: Mapping[Key, str] = MappingProxyType({}),
) -> list[dict[str, str]]:
    """Return the state of every session and stage of some cohorts.

    Parameters
    ----------
    wanted
        By session, by stage, the paths of the files that a finished session has, relative to ``root``.
    stages
        The stage of each rule, in the order of the workflow.
    root
        The folder that the workflow runs in.
    since
        When the run that is in progress began (seconds since the epoch): a younger log without an end belongs
        to a job that runs. None where nothing runs.
    rejected
        By session that a reviewer rejected, what is said of it.

    Returns
    -------
    list of dict
        With the columns of `STATUS_COLUMNS`.
    """
    cohorts = sorted({key[0] for key in wanted})
    present = {path for cohort in cohorts for path in files_below(root / "results" / cohort, root)}
    logs = logs_of(root, cohorts)
    order = list(dict.fromkeys(stages.values()))
    rows: list[dict[str, str]] = []
    for key, by_stage in wanted.items():
        if key in rejected:
            names = dict(zip(NAME_COLUMNS, key, strict=True))
            told = {"state": REJECTED, "message": rejected[key], "advice": ADVICE_OF_REJECTED}
            rows.append({**names, "stage": REVIEW, **NOTHING, **told})
            continue
        missing = {stage for stage, paths in by_stage.items() if not present.issuperset(paths)}
        paths = [*logs.get(key, []), *logs.get(OF_ALL, [])] if missing else []
        troubles = _troubles([log_end(path, root) for path in paths], stages)
        rows += _rows_of(key, list(by_stage), missing, troubles, order=order, since=since)
    return rows


def write_status(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write the status of a cohort, and its data dictionary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, rows, STATUS_COLUMNS)


def summary(rows: Iterable[Mapping[str, str]], order: Sequence[str] = ()) -> str:
    """Return how many sessions of each cohort are in which state, stage by stage, and what failed first.

    Parameters
    ----------
    rows
        From `cohort_status`.
    order
        The stages in the order in which they are told; others follow.

    Examples
    --------
    >>> row = dict(cohort="one", subject="A", session="1", stage="segment", state="done")
    >>> print(summary([row, row | {"subject": "B", "state": "waiting"}]))
    one         done  failed  running  waiting
      segment      1       0        0        1
    """
    rows = list(rows)
    lines = []
    for cohort in dict.fromkeys(row["cohort"] for row in rows):
        everything = [row for row in rows if row["cohort"] == cohort]
        own = [row for row in everything if row["state"] != REJECTED]
        width = max([len(cohort), *(2 + len(row["stage"]) for row in own)]) + 2
        lines.append(f"{cohort:{width}}" + "  ".join(STATES).rjust(31))
        there = dict.fromkeys(row["stage"] for row in own)
        for stage in dict.fromkeys([*(stage for stage in order if stage in there), *there]):
            counts = Counter(row["state"] for row in own if row["stage"] == stage)
            told = "  ".join(f"{counts[state]:{len(state)}}" for state in STATES)
            lines.append(f"  {stage:{width - 2}}" + told.rjust(31))
        lines += [
            f"  {_named(row)}: {row['rule']}: {row['message']}"
            for row in [row for row in own if row["state"] == BROKEN][:MOST_TOLD]
        ]
        if left := len(everything) - len(own):
            lines.append(f"  rejected by reviewers: {left}")
    return "\n".join(lines)


def by_session(rows: Iterable[Mapping[str, str]]) -> dict[Key, list[Mapping[str, str]]]:
    """Return the rows of each session, by cohort, subject and session; those of a cohort are left out."""
    found: dict[Key, list[Mapping[str, str]]] = {}
    for row in rows:
        if row["subject"]:
            found.setdefault((row["cohort"], row["subject"], row["session"]), []).append(row)
    return found


def exit_status(rows: Iterable[Mapping[str, str]]) -> int:
    """Return `PARTLY_FAILED` where at least one session is finished, else 1.

    >>> row = dict(cohort="one", subject="A", session="1", stage="segment", state="failed")
    >>> exit_status([row]), exit_status([row, row | {"subject": "B", "state": "done"}])
    (1, 3)
    """
    states: dict[Key, set[str]] = {}
    for row in rows:
        if row["subject"]:
            states.setdefault((row["cohort"], row["subject"], row["session"]), set()).add(row["state"])
    return PARTLY_FAILED if {COMPLETE} in states.values() else 1


def logs_of(root: Path, cohorts: Sequence[str]) -> dict[Key, list[Path]]:
    """Return the logs of each session, of each cohort, and (`OF_ALL`) of what belongs to none."""
    found: dict[Key, list[Path]] = {}
    for folder in sorted(entry for entry in (root / "logs").glob("*") if entry.is_dir()):
        for path in sorted(folder.glob("*.log")):
            key = (path.stem, "", "") if path.stem in cohorts else OF_ALL
            found.setdefault(key, []).append(path)
        for cohort in cohorts:
            for path in sorted((folder / cohort).glob("*.log")):
                key = (cohort, *_subject_and_session(path.stem))
                found.setdefault(key, []).append(path)
    return found


def log_end(path: Path, root: Path) -> LogEnd:
    """Read how a job ended from the end of its log, which lies in a folder named like its rule."""
    inside = path.relative_to(root)
    known = path.stat()
    with path.open("rb") as stream:
        stream.seek(max(0, known.st_size - TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    # an error may have several lines, of which the first says that it is one
    line = next((line for line in reversed(lines) if line.startswith((FAILED, DONE))), "")
    line = line or (lines[-1] if lines else "")
    return LogEnd(inside.parts[1], inside.as_posix(), line, TRACEBACK in text, known.st_mtime)


def _subject_and_session(stem: str) -> tuple[str, str]:
    """Return both from the name of a log such as ``sub-01_ses-2_t1c``."""
    subject, session, *_ = [*stem.split("_"), ""]
    return subject.removeprefix("sub-"), session.removeprefix("ses-")


def _troubles(ends: Iterable[LogEnd], stages: Mapping[str, str]) -> dict[str, LogEnd]:
    """Return by stage the log that tells why it is not done: one with an error before one without an end."""
    known = [end for end in ends if end.rule in stages and not end.well]
    # an empty log is of a job that never began: Snakemake makes one for each other job of a failed group
    known = [end for end in known if end.line] or known
    found: dict[str, LogEnd] = {}
    for end in sorted(known, key=lambda end: not end.failed):
        found.setdefault(stages[end.rule], end)
    return found


def _rows_of(
    key: Key,
    wanted: Sequence[str],
    missing: set[str],
    troubles: Mapping[str, LogEnd],
    *,
    order: Sequence[str],
    since: float | None,
) -> Iterator[dict[str, str]]:
    """Give the rows of a session: its stages, and others before them that keep it from going on."""
    last = max((order.index(stage) for stage in missing), default=0)
    others = {stage for stage in troubles if stage not in wanted and order.index(stage) < last}
    stages = sorted({*wanted, *others}, key=order.index)
    done = set(wanted) - missing
    blocked = [stage for stage in stages if stage in troubles and stage not in done]
    for stage in stages:
        row = {**dict(zip(NAME_COLUMNS, key, strict=True)), "stage": stage, **NOTHING}
        if stage in done:
            yield row | {"state": COMPLETE}
        elif stage in troubles:
            yield row | _trouble(troubles[stage], since)
        else:
            # what was there already is gone where a later step of its group failed
            causes = (at for at in blocked if troubles[at].failed or order.index(at) < order.index(stage))
            waits = next((f"waits for {troubles[at].rule} of {at}" for at in causes), "")
            yield row | {"state": WAITING, "advice": waits}


def _trouble(end: LogEnd, since: float | None) -> dict[str, str]:
    """Say of a stage whose files are not there how its job ended, or that it runs."""
    runs = bool(end.line) and not end.failed and since is not None and end.changed >= since
    message = "" if end.line.startswith(BEGUN) else end.line.removeprefix(FAILED)
    told = {"state": RUNNING if runs else BROKEN, "rule": end.rule, "message": message, "log": end.path}
    return told | {"advice": "" if runs else _advice(end)}


def _advice(end: LogEnd) -> str:
    if not end.failed:
        return KILLED
    return PROGRAM if end.traceback else DATA


def _named(row: Mapping[str, str]) -> str:
    return f"sub-{row['subject']}/ses-{row['session']}" if row["subject"] else "cohort"
