"""The table of a cohort and of its sites: what each score comes to over the sessions, region by region."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

from gliaflow.config.mistakes import listing
from gliaflow.errors import ConfigError
from gliaflow.evaluate.bootstrap import Bootstrap, bootstrap_interval
from gliaflow.evaluate.regions import REGION_COLUMNS, STATES
from gliaflow.evaluate.scores import spread

METRICS = tuple(name for name in REGION_COLUMNS if name not in ("region", "state"))
ALL_CASES, WITH_REGION = "all", "with_region"
COHORT, SITE = "cohort", "site"
COHORT_COLUMNS = {
    "scope": "cohort: all sessions; site: those of one site",
    "site": "The site; empty for the whole cohort, and for the sessions whose site is not known",
    "region": "Region",
    "cases": "all: every session, as BraTS ranks; one without the region then has Dice 1 and 0 mm, or "
    "Dice 0 and the largest distance if some was found; with_region: only sessions whose truth has the "
    "region, missed ones among them",
    "metric": "Which score",
    "n": "Sessions that have this score; an empty one, such as the precision where nothing was found, does "
    "not count",
    "mean": "Mean",
    "mean_low": "Lower end of the bootstrap interval of the mean",
    "mean_high": "Upper end of it",
    "sd": "Standard deviation, with n - 1",
    "median": "Median",
    "q1": "First quartile",
    "q3": "Third quartile",
    "sessions": "Sessions of this scope and region, whether or not they have the region",
    "missed": "Of these, sessions that have the region and in which nothing was found",
    "absent": "Of these, sessions without the region",
    "false": "Of the absent, sessions in which some was found",
}

Row = Mapping[str, Any]


def cohort_table(
    rows: Sequence[Row], metrics: Sequence[str] = METRICS, intervals: Bootstrap | None = None
) -> list[dict[str, Any]]:
    """Summarise scores over a cohort and over each of its sites.

    Parameters
    ----------
    rows
        One for each session and region, with ``region``, ``state`` (of `gliaflow.evaluate.regions`), the
        metrics, and ``site``, which may be absent or empty. A metric is empty as None or NaN.
    metrics
        Columns to summarise; their units are in their names.
    intervals
        How the intervals of the means are made; None takes the defaults of `Bootstrap`.

    Returns
    -------
    list of dict
        With the columns `COHORT_COLUMNS`: the cohort, then its sites by name, those of an unknown site last;
        no sites where all sessions are of one. In each the regions and metrics as they are given, over all
        sessions and over those that have the region.

    Raises
    ------
    ConfigError
        A row lacks a column, or its state is none.

    Examples
    --------
    >>> rows = [
    ...     {"region": "ET", "state": "present", "dice": 0.5},
    ...     {"region": "ET", "state": "absent", "dice": 1.0},
    ... ]
    >>> [(row["cases"], row["n"], row["mean"], row["absent"]) for row in cohort_table(rows, ["dice"])]
    [('all', 2, 0.75, 1), ('with_region', 1, 0.5, 1)]
    """
    _check(rows, metrics)
    settings = intervals or Bootstrap()
    table = []
    for scope, site, chosen in _scopes(rows):
        for region in dict.fromkeys(row["region"] for row in chosen):
            of_region = [row for row in chosen if row["region"] == region]
            names = {"scope": scope, "site": site, "region": region}
            table += [{**names, **summary} for summary in _summaries(of_region, metrics, settings)]
    return table


def _scopes(rows: Sequence[Row]) -> list[tuple[str, str | None, Sequence[Row]]]:
    sites = {row.get("site") or None for row in rows}
    ordered = sorted(sites, key=lambda site: (site is None, site or ""))
    by_site = [(SITE, site, [row for row in rows if (row.get("site") or None) == site]) for site in ordered]
    return [(COHORT, None, rows), *(by_site if len(sites) > 1 else [])]


def _summaries(rows: Sequence[Row], metrics: Sequence[str], settings: Bootstrap) -> Iterable[dict[str, Any]]:
    count = {state: sum(row["state"] == state for row in rows) for state in STATES}
    counts = {
        "sessions": len(rows),
        "missed": count["missed"],
        "absent": count["absent"] + count["false"],
        "false": count["false"],
    }
    there = [row for row in rows if row["state"] in ("present", "missed")]
    for cases, chosen in ((ALL_CASES, rows), (WITH_REGION, there)):
        for metric in metrics:
            values = [float(row[metric]) for row in chosen if not _empty(row[metric])]
            yield {"cases": cases, "metric": metric, **_figures(values, settings), **counts}


def _figures(values: Sequence[float], settings: Bootstrap) -> dict[str, Any]:
    described, interval = spread(values), bootstrap_interval(values, "mean", settings)
    ends = {"mean_low": interval.low, "mean_high": interval.high}
    return {**vars(described), **ends}


def _empty(value: float | None) -> bool:
    return value is None or isnan(value)


def _check(rows: Sequence[Row], metrics: Sequence[str]) -> None:
    for number, row in enumerate(rows, start=1):
        missing = [name for name in ("region", "state", *metrics) if name not in row]
        if missing:
            raise ConfigError(f"scores, row {number}: lacks {listing(missing, 'and')}; add what is missing")
        if row["state"] not in STATES:
            raise ConfigError(f"scores, row {number}: state: {row['state']!r}: write {listing(STATES)}")
