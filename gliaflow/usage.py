"""What jobs asked for and what they used, rule by rule, and what they should ask for."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import yaml

from gliaflow.errors import GliaflowError
from gliaflow.files import files_below

SPARE_MEMORY, SPARE_TIME = 1.3, 3.0
"""How much more than the most that was used is suggested; machines differ in speed more than in memory."""
STEP_MB, LEAST_MB, LEAST_MINUTES = 100, 300, 5
GENEROUS = 2.0
"""More than so many times the suggestion is called generous: the job waits for memory that it never uses."""
TOO_LITTLE, FITS, TOO_MUCH = "too little", "fits", "generous"
USAGE_COLUMNS: Mapping[str, str] = {
    "rule": "Rule",
    "jobs": "Jobs that were measured",
    "asked_mb": "Memory that a job asks for in its first attempt, MB",
    "median_mb": "Median over the jobs of the most memory that each used, MB",
    "most_mb": "The most memory that any of them used, MB",
    "suggested_mb": "The most used and a third, rounded up, MB",
    "memory": "too little: less is asked for than was used; fits; generous: more than twice the suggestion",
    "asked_minutes": "Time that a job asks for, minutes",
    "median_minutes": "Median time of a job, minutes",
    "longest_minutes": "The longest time of a job, minutes",
    "suggested_minutes": "Three times the longest, rounded up, minutes",
    "cpu_hours": "Time of CPUs that all jobs used, hours",
}


@dataclass(frozen=True)
class Asked:
    """What a job of a rule asks for in its first attempt; None where it says nothing."""

    mb: int | None
    minutes: int | None


def measured_jobs(folder: Path) -> pd.DataFrame:
    """Read what Snakemake measured of every job.

    Parameters
    ----------
    folder
        ``benchmarks``, with a folder for each rule.

    Returns
    -------
    pandas.DataFrame
        A row for each job: ``rule``, ``seconds``, ``cpu_seconds`` and ``mb``, which is missing where the job
        was too short to be measured.

    Raises
    ------
    GliaflowError
        There is no measurement.
    """
    rows = []
    for name in files_below(folder, folder):
        rule = Path(name).parts[0]
        if name.endswith(".tsv") and rule != name:
            table = pd.read_csv(folder / name, sep="\t", na_values=["-", "NA"])
            rows += [
                {"rule": rule, "seconds": row.s, "cpu_seconds": row.cpu_time, "mb": row.max_rss}
                for row in table.itertuples()
            ]
    if not rows:
        raise GliaflowError(f"{folder}: no job has been measured yet; run the workflow first")
    return pd.DataFrame(rows)


def usage_rows(jobs: pd.DataFrame, asked: Mapping[str, Asked]) -> list[dict[str, Any]]:
    """Compare what was asked for with what was used.

    Parameters
    ----------
    jobs
        As from `measured_jobs`.
    asked
        By rule what it asks for; rules that are no longer there are left out.

    Returns
    -------
    list of dict
        With the columns `USAGE_COLUMNS`, by rule.
    """
    groups = [(str(rule), own) for rule, own in jobs.groupby("rule") if rule in asked]
    return [_row(rule, own, asked[rule]) for rule, own in groups]


def _row(rule: str, jobs: pd.DataFrame, asked: Asked) -> dict[str, Any]:
    used = [float(mb) for mb in jobs["mb"].dropna()]
    minutes = [float(seconds) / 60 for seconds in jobs["seconds"]]
    most = max(used, default=None)
    suggested = None if most is None else suggested_mb(most)
    return {
        "rule": rule,
        "jobs": len(jobs),
        "asked_mb": asked.mb,
        "median_mb": round(median(used)) if used else None,
        "most_mb": None if most is None else round(most),
        "suggested_mb": suggested,
        "memory": None if most is None or asked.mb is None else verdict(asked.mb, most),
        "asked_minutes": asked.minutes,
        "median_minutes": round(median(minutes), 2),
        "longest_minutes": round(max(minutes), 2),
        "suggested_minutes": max(LEAST_MINUTES, math.ceil(SPARE_TIME * max(minutes))),
        "cpu_hours": round(float(jobs["cpu_seconds"].sum()) / 3600, 3),
    }


def suggested_mb(most: float) -> int:
    """Return what to ask for where jobs used at most so many MB.

    >>> suggested_mb(1001.0), suggested_mb(3.0)
    (1400, 300)
    """
    return max(LEAST_MB, STEP_MB * math.ceil(SPARE_MEMORY * most / STEP_MB))


def verdict(asked: int, most: float) -> str:
    """Return how what is asked for compares with the most that was used, both in MB.

    >>> [verdict(asked, 1000.0) for asked in (900, 1000, 2600, 2700)]
    ['too little', 'fits', 'fits', 'generous']
    """
    if asked < most:
        return TOO_LITTLE
    return FITS if asked <= GENEROUS * suggested_mb(most) else TOO_MUCH


def profile_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return ``set-resources`` for a profile: the suggestions for rules whose memory does not fit.

    Every attempt asks for twice as much as the one before, as the rules' own figures do.
    """
    wrong = [row for row in rows if row["memory"] in (TOO_LITTLE, TOO_MUCH)]
    settings = {row["rule"]: {"mem_mb": f"{row['suggested_mb']} * 2 ** (attempt - 1)"} for row in wrong}
    return yaml.safe_dump({"set-resources": settings}, sort_keys=True)


def usage_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as text, for a screen."""
    columns = [
        "rule",
        "jobs",
        "asked_mb",
        "most_mb",
        "suggested_mb",
        "memory",
        "asked_minutes",
        "longest_minutes",
    ]
    return pd.DataFrame(rows, columns=columns).to_string(index=False, na_rep="-")
