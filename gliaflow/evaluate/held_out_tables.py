"""The tables of a held-out evaluation: a row per case and region, a row per point of a curve, a summary."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isnan
from pathlib import Path
from typing import Any

from gliaflow.evaluate.scores import Score, Spread, Summary, spread, summarise
from gliaflow.tables import write_table

SIZES_ML = (0.0, 1.0, 5.0, 20.0, 60.0)
SCORE_COLUMNS = {
    "case": "Subject, and where one scan was used alone its sequence",
    "kind": "Kind of the case or of the scan",
    "method": "What found the region",
    "region": "Region",
    "state": "present; missed: nothing found of it; absent; false: absent, yet found",
    "dice": "Dice coefficient; 1 where the region is absent and not found, 0 where it is missed or false",
    "hd95_mm": "95 % Hausdorff distance in mm; 0 and 373.13 in these cases",
    "truth_ml": "Volume of the truth in ml",
    "found_ml": "Volume of what was found in ml",
    "sensitivity": "Share of the truth that was found; empty where the region is absent",
    "precision": "Share of what was found that is true; empty where nothing was found",
}
LIMIT_COLUMNS = {
    "curve": "What was made worse",
    "value": "By how much, or which",
    "line": "Region, or which of several ways",
    "case": "Subject",
    "dice": "Dice coefficient",
}


@dataclass(frozen=True)
class CaseScore:
    """A row of scores.tsv: which case, of which kind, found by which method; its region and score."""

    case: str
    kind: str
    method: str
    region: str
    score: Score


@dataclass(frozen=True)
class Curve:
    """What was made worse: name of the files, words for the axis, and its values in their order."""

    name: str
    label: str
    values: tuple[float | str, ...]


@dataclass(frozen=True)
class LimitPoint:
    """A row of limits.tsv: the Dice of one case at one value of a curve."""

    curve: str
    value: float | str
    line: str
    case: str
    dice: float


def write_scores(path: Path, scores: Iterable[CaseScore]) -> None:
    """Write scores.tsv and its data dictionary."""
    write_table(path, [_score_row(row) for row in scores], SCORE_COLUMNS)


def write_limits(path: Path, points: Iterable[LimitPoint]) -> None:
    """Write limits.tsv and its data dictionary."""
    write_table(path, [{**vars(point), "dice": round(point.dice, 4)} for point in points], LIMIT_COLUMNS)


def by_method(scores: Sequence[CaseScore]) -> str:
    """Return a Markdown table with one line for each method and region."""
    return summary_table(("found by", "region"), grouped(scores, lambda row: (row.method, row.region)))


def by_kind(scores: Sequence[CaseScore], method: str) -> str:
    """Return a Markdown table with one line for each kind of case and region, of one method."""
    chosen = [row for row in scores if row.method == method]
    return summary_table(("kind", "region"), grouped(chosen, lambda row: (row.kind, row.region)))


def by_size(scores: Sequence[CaseScore], method: str) -> str:
    """Return a Markdown table with one line for each region and range of its true volume, of one method."""
    chosen = [row for row in scores if row.method == method and row.score.truth_ml]
    regions = list(dict.fromkeys(row.region for row in chosen))
    chosen.sort(key=lambda row: (regions.index(row.region), size_class(row.score.truth_ml)))
    groups = grouped(chosen, lambda row: (row.region, size_class(row.score.truth_ml)[1]))
    return summary_table(("region", "volume"), groups)


def compared(scores: Sequence[CaseScore], baseline: str) -> str:
    """Return the table of `by_method` for only the cases and regions that a baseline was run on."""
    known = {(row.case, row.region) for row in scores if row.method == baseline}
    return by_method([row for row in scores if (row.case, row.region) in known])


def size_class(volume_ml: float) -> tuple[int, str]:
    """Return the number and the name of the range that a volume lies in.

    >>> size_class(0.4), size_class(60.0)
    ((1, 'below 1 ml'), (5, '60 ml and more'))
    """
    number = sum(volume_ml >= low for low in SIZES_ML)
    if number == len(SIZES_ML):
        return number, f"{SIZES_ML[-1]:g} ml and more"
    low, high = SIZES_ML[number - 1], SIZES_ML[number]
    return number, f"{low:g} to {high:g} ml" if low else f"below {high:g} ml"


def grouped(
    scores: Sequence[CaseScore], key: Callable[[CaseScore], tuple[str, ...]]
) -> dict[tuple[str, ...], Summary]:
    """Summarise groups of rows, in the order in which their keys occur first."""
    groups: dict[tuple[str, ...], list[Score]] = {}
    for row in scores:
        groups.setdefault(key(row), []).append(row.score)
    return {name: summarise(members) for name, members in groups.items()}


def summary_table(heads: Sequence[str], groups: Mapping[tuple[str, ...], Summary]) -> str:
    """Return a Markdown table of summaries, with the parts of each group's name in front."""
    figures = ("n", "mean", "SD", "median", "Q1", "Q3", "HD95 mm", "sensitivity", "precision")
    counts = ("missed", "absent", "of these false")
    return markdown((*heads, *figures, *counts), [(*name, *_cells(s)) for name, s in groups.items()])


def limits_table(points: Sequence[LimitPoint], curve: Curve) -> str:
    """Return a Markdown table: median Dice and quartiles for each value of a curve and each of its lines."""
    chosen = [point for point in points if point.curve == curve.name]
    lines = list(dict.fromkeys(point.line for point in chosen))
    rows = []
    for value in curve.values:
        at_value = [point for point in chosen if point.value == value]
        cells = [_median_cell(spread([p.dice for p in at_value if p.line == line])) for line in lines]
        rows.append((f"{value:g}" if isinstance(value, float) else value, *cells))
    return markdown((curve.label, *lines), rows)


def mean_by_case(scores: Iterable[CaseScore], method: str) -> dict[str, float]:
    """Return each case's mean Dice over the regions that it has, the worst first; of cases that have one."""
    there = [row for row in scores if row.method == method and row.score.truth_ml]
    ordered = sorted(there, key=lambda row: row.case)
    means = {
        case: spread([row.score.dice for row in rows]).mean
        for case, rows in groupby(ordered, key=lambda row: row.case)
    }
    return dict(sorted(means.items(), key=lambda item: (item[1], item[0])))


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    >>> print(markdown(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(line)} |" if line[0] != "---" else f"|{'|'.join(line)}|" for line in lines
    )


def _score_row(row: CaseScore) -> dict[str, Any]:
    figures = {key: value if value is None else round(value, 4) for key, value in vars(row.score).items()}
    names = {"case": row.case, "kind": row.kind, "method": row.method, "region": row.region}
    known = {**names, "state": row.score.state, **figures}
    return {column: known[column] for column in SCORE_COLUMNS}


def _cells(summary: Summary) -> list[str]:
    dice = summary.dice
    shares = (dice.mean, dice.sd, dice.median, dice.q1, dice.q3)
    more = (summary.median_sensitivity, summary.median_precision)
    return [
        str(dice.n),
        *map(_number, shares),
        _number(summary.median_hd95_mm, 1),
        *map(_number, more),
        *map(str, (summary.missed, summary.absent, summary.false)),
    ]


def _median_cell(values: Spread) -> str:
    return f"{_number(values.median)} ({_number(values.q1)} to {_number(values.q3)})" if values.n else ""


def _number(value: float, digits: int = 3) -> str:
    return "" if isnan(value) else f"{value:.{digits}f}"
