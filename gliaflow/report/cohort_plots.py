"""How values spread over a cohort: strips of points as SVG that stands inside a page."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from gliaflow.report.page import short

WIDTH, HEIGHT, LEFT, RIGHT = 640, 96, 12, 628
MIDDLE, SPREAD, AXIS = 40, 22, 76
FENCE = 1.5
MOST_NAMED = 12
LEAST_FOR_OUTLIERS = 5


@dataclass(frozen=True)
class Point:
    """A value of a session: what it is called, the anchor of its row, and where it is drawn."""

    name: str
    place: str
    value: float
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Strip:
    """A strip of points over one axis, ready for drawing.

    Attributes
    ----------
    title, unit
        What is drawn.
    path
        The points that are no outliers, as a path of dots.
    outliers
        Points beyond 1.5 times the quartile range, largest distance from the median first.
    box
        x of the quartiles and of the median.
    ticks
        x and text of the marks of the axis.
    summary
        The same in words.
    """

    title: str
    unit: str
    path: str
    outliers: Sequence[Point]
    box: tuple[float, float, float]
    ticks: Sequence[tuple[float, str]]
    summary: str


def strip(title: str, unit: str, points: Sequence[Point]) -> Strip | None:
    """Lay out the values of a cohort; None where there is none.

    Outliers are found among roots of the values, because volumes are skewed; below five values none is.

    Parameters
    ----------
    title, unit
        What the values are.
    points
        One for each session that has the value, which is 0 or more.
    """
    points = [point for point in points if point.value >= 0]
    if not points:
        return None
    roots = sorted(math.sqrt(point.value) for point in points)
    low, median, high = quartiles(roots)
    most = max(roots[-1], 1e-9)
    placed = [
        Point(p.name, p.place, p.value, _x(math.sqrt(p.value), most), _y(number))
        for number, p in enumerate(sorted(points, key=lambda p: (p.value, p.name)))
    ]
    reach = FENCE * (high - low)
    far = [
        p
        for p in placed
        if len(points) >= LEAST_FOR_OUTLIERS and not low - reach <= math.sqrt(p.value) <= high + reach
    ]
    far.sort(key=lambda p: (-abs(math.sqrt(p.value) - median), p.name))
    inside = {p.place for p in far}
    path = "".join(f"M{p.x:.1f} {p.y:.1f}h0" for p in placed if p.place not in inside)
    first, middle, third = (root**2 for root in (low, median, high))
    middle_text = f"{short(middle)} {unit}".strip()
    ends = f"quartiles {short(first)} and {short(third)}"
    summary = f"{len(points)} sessions, median {middle_text}, {ends}"
    box = (_x(low, most), _x(median, most), _x(high, most))
    return Strip(title, unit, path, far, box, _ticks(most), summary)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return both quartiles and the median between them.

    >>> quartiles([1.0, 2.0, 3.0, 4.0, 5.0])
    (2.0, 3.0, 4.0)
    """
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def _x(root: float, most: float) -> float:
    return LEFT + (RIGHT - LEFT) * root / most


def _y(number: int) -> float:
    """Spread points evenly and the same way each time, by the golden ratio."""
    return MIDDLE + SPREAD * (2 * ((number * 0.6180339887) % 1) - 1)


def _ticks(most: float) -> list[tuple[float, str]]:
    """Return marks at round values, not nearer than their texts are wide."""
    top = most**2
    step = 10.0 ** math.floor(math.log10(top)) if top > 0 else 1.0
    values = sorted({0.0, *(step * part for part in (0.1, 0.2, 0.5, 1, 2, 5, 10))})
    ticks: list[tuple[float, str]] = []
    for value in values:
        x = _x(math.sqrt(value), most)
        if value <= top and (not ticks or x - ticks[-1][0] > 48):
            ticks.append((x, short(value)))
    return ticks
