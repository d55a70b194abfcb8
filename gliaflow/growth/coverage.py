"""How much of a recurrence a radiotherapy plan covers, and what a model's plan gains over the standard."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from gliaflow.config.mistakes import listing
from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.bootstrap import Bootstrap, bootstrap_interval
from gliaflow.images import Array, ml_per_voxel
from gliaflow.labels import region_mask
from gliaflow.tables import NAME_COLUMNS

RECURRENCES: Mapping[str, str] = {"enhancing": "ET", "any": "WT"}
"""The region of each kind of recurrence; the resection cavity is in neither."""
IN_FIELD, MARGINAL, DISTANT = "in-field", "marginal", "distant"
PATTERNS = (IN_FIELD, MARGINAL, DISTANT)
IN_FIELD_ABOVE, DISTANT_BELOW = 0.8, 0.2
STANDARD = "standard"

Row = Mapping[str, Any]
Shares = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Coverage:
    """How much of a recurrence is in a plan.

    Attributes
    ----------
    share
        0 to 1; NaN where there is no recurrence.
    recurrence_voxels, missed_voxels
        Voxels of the recurrence, and those of them outside the plan.
    """

    share: float
    recurrence_voxels: int
    missed_voxels: int

    @property
    def pattern(self) -> str | None:
        """The pattern of failure (Gebhardt 2014), of the plan in place of an isodose; None if no recurrence.

        In-field above 80 %, distant below 20 %, else marginal.
        """
        if isnan(self.share):
            return None
        if self.share > IN_FIELD_ABOVE:
            return IN_FIELD
        return DISTANT if self.share < DISTANT_BELOW else MARGINAL


COVERAGE_COLUMNS: Mapping[str, str] = {
    "plan": "Which plan",
    "recurrence": "enhancing: enhancing tumour; any: necrosis, oedema and enhancing tumour; the resection "
    "cavity is in neither",
    "coverage": "Share of the recurrence inside the plan, 0 to 1; empty where there is no recurrence",
    "pattern": "in-field: more than 80 % of the recurrence is inside the plan; distant: less than 20 %; "
    "marginal: between; empty where there is no recurrence",
    "recurrence_ml": "Volume of the recurrence",
    "missed_voxels": "Voxels of the recurrence outside the plan",
    "missed_ml": "Their volume",
    "plan_ml": "Volume of the plan",
}
COVERAGE_TABLE_COLUMNS: Mapping[str, str] = {
    "recurrence": "enhancing or any",
    "plan": "Which plan",
    "sessions": "Sessions that have this plan",
    "without_recurrence": "Of these, sessions without such a recurrence: no coverage, left out",
    "n": "Sessions with a coverage",
    "mean": "Mean coverage over them, 0 to 1",
    "mean_low": "Lower end of its bootstrap interval",
    "mean_high": "Upper end of it",
    "pairs": "Sessions with a coverage of this and of the standard plan",
    "difference": "Mean over the pairs of the coverage of this plan minus that of the standard plan",
    "difference_low": "Lower end of its bootstrap interval; sessions are drawn",
    "difference_high": "Upper end of it",
    "better": "Pairs in which this plan covers more",
    "worse": "Pairs in which it covers less",
    "in_field": "Sessions whose recurrence is in-field",
    "marginal": "Sessions whose recurrence is marginal",
    "distant": "Sessions whose recurrence is distant",
}


def coverage(plan: Array, recurrence: Array) -> Coverage:
    """Return how much of a recurrence is in a plan.

    Parameters
    ----------
    plan, recurrence
        Bool, of one shape.

    Raises
    ------
    ImageError
        The shapes differ.

    Examples
    --------
    >>> coverage(np.array([True, True, False, False]), np.array([False, True, True, True])).missed_voxels
    2
    """
    if plan.shape != recurrence.shape:
        raise ImageError(
            f"plan: has the shape {plan.shape}, the recurrence {recurrence.shape}; bring both to one grid"
        )
    total = int(np.count_nonzero(recurrence))
    missed = int(np.count_nonzero(recurrence & ~plan))
    return Coverage((total - missed) / total if total else float("nan"), total, missed)


def coverage_rows(
    plans: Mapping[str, Array], labels: Array, spacing: tuple[float, float, float]
) -> list[dict[str, float | int | str | None]]:
    """Return how much of the recurrence each plan covers, as rows with `COVERAGE_COLUMNS`.

    Parameters
    ----------
    plans
        By name, bool, shape (x, y, z).
    labels
        The recurrence's label map, of the same shape.
    spacing
        Voxel size in mm.

    Raises
    ------
    ImageError
        Shapes differ.
    """
    voxel_ml = ml_per_voxel(spacing)
    rows: list[dict[str, float | int | str | None]] = []
    for name, plan in plans.items():
        for kind, region in RECURRENCES.items():
            found = coverage(plan, region_mask(labels, region))
            rows.append(
                {
                    "plan": name,
                    "recurrence": kind,
                    "coverage": found.share,
                    "pattern": found.pattern,
                    "recurrence_ml": round(found.recurrence_voxels * voxel_ml, 4),
                    "missed_voxels": found.missed_voxels,
                    "missed_ml": round(found.missed_voxels * voxel_ml, 4),
                    "plan_ml": round(int(np.count_nonzero(plan)) * voxel_ml, 4),
                }
            )
    return rows


def coverage_table(
    rows: Sequence[Row], standard: str = STANDARD, intervals: Bootstrap | None = None
) -> list[dict[str, Any]]:
    """Summarise the coverage of plans over a cohort, each paired with the standard plan.

    Parameters
    ----------
    rows
        With `COVERAGE_COLUMNS` and ``cohort``, ``subject`` and ``session``; an empty coverage is None or NaN.
    standard
        The plan that the others are compared with.
    intervals
        How the intervals are made; None takes the defaults of `Bootstrap`.

    Returns
    -------
    list of dict
        With the columns `COVERAGE_TABLE_COLUMNS`; the standard plan first.

    Raises
    ------
    ConfigError
        There is no row of the standard plan, a row lacks a column, or a session has a plan twice.
    """
    shares = _by_plan(rows)
    if not any(plan == standard for plan, _ in shares):
        raise ConfigError(f"coverage: there is no plan {standard!r}; make it before comparing others with it")
    plans = dict.fromkeys([standard, *(plan for plan, _ in shares)])
    kinds = dict.fromkeys(kind for _, kind in shares)
    settings = intervals or Bootstrap()
    return [
        {
            "recurrence": kind,
            "plan": plan,
            **_summary(shares[plan, kind], settings),
            **_gain(
                {} if plan == standard else shares[plan, kind], shares.get((standard, kind), {}), settings
            ),
            **_patterns(shares[plan, kind].values()),
        }
        for kind in kinds
        for plan in plans
        if (plan, kind) in shares
    ]


def coverage_pairs(
    rows: Sequence[Row], recurrence: str, plan: str, standard: str = STANDARD
) -> list[tuple[float, float]]:
    """Return the coverage by the standard and by another plan, of each session that has both.

    Raises
    ------
    ConfigError
        A row lacks a column, or a session has a plan twice.
    """
    shares = _by_plan(rows)
    return _pairs(shares.get((plan, recurrence), {}), shares.get((standard, recurrence), {}))


def _by_plan(rows: Sequence[Row]) -> dict[tuple[str, str], dict[tuple[str, ...], float]]:
    """Return the coverage of each session, NaN where there is none, by plan and kind of recurrence."""
    shares: dict[tuple[str, str], dict[tuple[str, ...], float]] = {}
    for number, row in enumerate(rows, start=1):
        missing = [name for name in (*NAME_COLUMNS, "plan", "recurrence", "coverage") if name not in row]
        if missing:
            raise ConfigError(f"coverage, row {number}: lacks {listing(missing, 'and')}; add what is missing")
        session = tuple(str(row[name]) for name in NAME_COLUMNS)
        of_plan = shares.setdefault((row["plan"], row["recurrence"]), {})
        if session in of_plan:
            named = f"{' '.join(session)}, plan {row['plan']}"
            raise ConfigError(f"coverage, row {number}: {named}: is there twice; keep one of the two")
        of_plan[session] = float("nan") if row["coverage"] is None else float(row["coverage"])
    return shares


def _summary(shares: Shares, settings: Bootstrap) -> dict[str, Any]:
    known = [share for share in shares.values() if not isnan(share)]
    mean = bootstrap_interval(known, "mean", settings)
    return {
        "sessions": len(shares),
        "without_recurrence": len(shares) - len(known),
        "n": len(known),
        "mean": mean.estimate,
        "mean_low": mean.low,
        "mean_high": mean.high,
    }


def _gain(shares: Shares, standard: Shares, settings: Bootstrap) -> dict[str, Any]:
    gains = [second - first for first, second in _pairs(shares, standard)]
    mean = bootstrap_interval(gains, "mean", settings)
    return {
        "pairs": len(gains),
        "difference": mean.estimate,
        "difference_low": mean.low,
        "difference_high": mean.high,
        "better": sum(gain > 0 for gain in gains),
        "worse": sum(gain < 0 for gain in gains),
    }


def _pairs(shares: Shares, standard: Shares) -> list[tuple[float, float]]:
    both = [(standard[session], share) for session, share in shares.items() if session in standard]
    return [pair for pair in both if not any(map(isnan, pair))]


def _patterns(shares: Iterable[float]) -> dict[str, int]:
    found = [Coverage(share, 0, 0).pattern for share in shares]
    return {pattern.replace("-", "_"): found.count(pattern) for pattern in PATTERNS}
