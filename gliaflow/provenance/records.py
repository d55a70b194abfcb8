"""What Snakemake keeps of the jobs that it ran: one record for each file that a job made."""

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliaflow.errors import ConfigError


@dataclass(frozen=True)
class Record:
    """What is kept of a file: the job that made it.

    Attributes
    ----------
    rule, log, inputs, parameters
        Of the job; parameters as Python literals, without names.
    started, ended
        Seconds since 1970; ``ended`` is when the file was last changed as the job ended.
    checksums
        Sha256 of its small inputs when the job ended.
    run
        A number that the files of one job share.
    """

    rule: str
    log: tuple[str, ...]
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    started: float | None
    ended: float | None
    checksums: Mapping[str, str]
    run: int | None


@dataclass(frozen=True)
class Job:
    """A job that ran: a name of its own, the record, and every file that it made."""

    name: str
    record: Record
    outputs: tuple[str, ...]

    @property
    def ended(self) -> float | None:
        """When its last file was changed."""
        return self.record.ended


def read_records(folder: Path) -> dict[str, Record]:
    """Read the records of finished jobs, by the path of the file that each is of.

    Parameters
    ----------
    folder
        ``.snakemake/metadata`` of the folder that the workflow ran in.

    Raises
    ------
    ConfigError
        There is no such folder, or a record in it cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: not there, so nothing is known of what ran; run the workflow in this folder, and "
            "without --drop-metadata"
        )
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name, content = _read(path, folder)
        if content.get("rule") and not content.get("incomplete"):
            found[name] = _record(content)
    return found


def jobs_of(records: Mapping[str, Record]) -> dict[str, Job]:
    """Return the job of each file; files that one job made share it."""
    groups: dict[tuple[str, tuple[str, ...], int | None], list[str]] = {}
    for path, record in sorted(records.items()):
        unique = record.log or (path,)
        groups.setdefault((record.rule, unique, record.run), []).append(path)
    jobs: dict[str, Job] = {}
    names = _names(groups)
    for key, paths in groups.items():
        records_of = [records[path] for path in paths]
        whole = _span(records_of)
        jobs |= dict.fromkeys(paths, Job(names[key], whole, tuple(paths)))
    return jobs


def job_name(rule: str, log: Iterable[str]) -> str:
    """Return a job's name: its log's path without ``logs/`` and ending, which begins with the rule.

    >>> job_name("n4", ["logs/n4/demo/sub-1_ses-1_t1c.log"])
    'n4/demo/sub-1_ses-1_t1c'
    """
    first = next(iter(log), "")
    return first.removeprefix("logs/").removesuffix(".log") if first.startswith(f"logs/{rule}/") else rule


def _names(groups: Iterable[tuple[str, tuple[str, ...], int | None]]) -> dict[Any, str]:
    """Give each group a name of its own: where a job ran anew and old files are left, a number is added."""
    taken: dict[str, int] = {}
    names = {}
    for key in groups:
        name = job_name(key[0], key[1])
        taken[name] = taken.get(name, 0) + 1
        names[key] = name if taken[name] == 1 else f"{name}-{taken[name]}"
    return names


def _span(records: list[Record]) -> Record:
    """Return the first record, from the earliest start to the latest end of all."""
    started = [record.started for record in records if record.started is not None]
    ended = [record.ended for record in records if record.ended is not None]
    given = vars(records[0])
    return Record(**given | {"started": min(started, default=None), "ended": max(ended, default=None)})


def _read(path: Path, folder: Path) -> tuple[str, Mapping[str, Any]]:
    """Return the file that a record is of, whose path is the record's own in base64, and the record."""
    encoded = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
    try:
        return urlsafe_b64decode(encoded).decode(), json.loads(path.read_text(encoding="utf-8"))
    except (binascii.Error, ValueError) as error:
        raise ConfigError(
            f"{path}: no record of Snakemake ({error}); delete it, and what it is of has no job"
        ) from error


def _record(content: Mapping[str, Any]) -> Record:
    checksums = content.get("input_checksums") or {}
    return Record(
        content["rule"],
        tuple(content.get("log") or ()),
        tuple(content.get("input") or ()),
        tuple(map(str, content.get("params") or ())),
        content.get("starttime"),
        content.get("endtime"),
        {path: value.removeprefix("sha256:") for path, value in checksums.items() if value},
        content.get("job_hash"),
    )
