"""Volumes over the sessions of a subject, and where they lie on a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gliaflow.labels import REGIONS
from gliaflow.uncertainty.numbers import REGION_NAMES

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 16, 44
STYLES: Mapping[str, tuple[str, str, str]] = {
    "WT": ("#0072B2", "none", "circle"),
    "TC": ("#D55E00", "8 4", "square"),
    "ET": ("#009E73", "2 3", "triangle"),
}
"""Colour, dashes and mark of each region: any one of the three tells them apart."""
TICKS = 5
LABEL_GAP = 16
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """The volumes of a region as a line of a plot, in its pixels.

    Attributes
    ----------
    name, colour, dashes, mark
        Of the region.
    points
        x, y, and the lower and upper end of the interval (y), of each session.
    end
        Where its name is written (y).
    """

    name: str
    colour: str
    dashes: str
    mark: str
    points: tuple[tuple[float, float, float, float], ...]
    end: float

    @property
    def path(self) -> str:
        """What SVG's ``polyline`` takes."""
        return " ".join(f"{x:g},{y:g}" for x, y, _, _ in self.points)


@dataclass(frozen=True)
class Plot:
    """A plot of volumes over time: its lines, and the ticks of both axes with their texts."""

    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_title: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def plot_course(rows: Sequence[Row]) -> Plot | None:
    """Lay out the volumes of a subject's sessions.

    Parameters
    ----------
    rows
        Tables of features, in the order of the sessions.

    Returns
    -------
    Plot or None
        None for fewer than two sessions with volumes. Days are the x axis where every session has them.
    """
    regions = [r for r in REGIONS if any(row.get(_volume(r)) is not None for row in rows)]
    if len(rows) < 2 or not regions:
        return None
    by_days = all(row.get("days") is not None for row in rows)
    places = [float(row["days"]) if by_days else float(n) for n, row in enumerate(rows, start=1)]
    tops = [_top(row, region) for row in rows for region in regions]
    ticks = nice_ticks(max(tops))
    span = (places[-1] - places[0]) or 1.0
    xs = [round(LEFT + (WIDTH - LEFT - RIGHT) * (place - places[0]) / span, 1) for place in places]
    lines = _apart([_line(rows, region, xs, ticks[-1]) for region in regions])
    names = [
        f"{row['session']}" + (f" (day {place:g})" if by_days else "")
        for row, place in zip(rows, places, strict=True)
    ]
    return Plot(
        tuple(lines),
        tuple(zip(xs, names, strict=True)),
        tuple((_y(tick, ticks[-1]), f"{tick:g}") for tick in ticks),
        "session and day" if by_days else "session",
    )


def nice_ticks(top: float) -> list[float]:
    """Return ticks from 0 to a round number that is not below ``top``.

    >>> nice_ticks(106.7)
    [0.0, 25.0, 50.0, 75.0, 100.0, 125.0]
    """
    step = next(
        size * 10.0**power
        for power in range(-4, 8)
        for size in (1, 2, 2.5, 5)
        if size * 10.0**power * TICKS >= top
    )
    count = next(n for n in range(1, TICKS + 1) if n * step >= top)
    return [round(step * n, 6) for n in range(count + 1)]


def _volume(region: str, end: str = "") -> str:
    return f"{region.lower()}_volume_{end}ml"


def _top(row: Row, region: str) -> float:
    known = [row.get(_volume(region, end)) for end in ("", "high_")]
    return max((float(value) for value in known if value is not None), default=0.0)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)


def _line(rows: Sequence[Row], region: str, xs: Sequence[float], top: float) -> Line:
    points = []
    for row, x in zip(rows, xs, strict=True):
        value = row.get(_volume(region))
        if value is not None:
            ends = (row.get(_volume(region, end)) for end in ("low_", "high_"))
            low, high = (value if end is None else end for end in ends)
            points.append((x, _y(value, top), _y(low, top), _y(high, top)))
    return Line(REGION_NAMES[region], *STYLES[region], tuple(points), points[-1][1])


def _apart(lines: list[Line]) -> list[Line]:
    """Move the names of lines that end close to each other apart."""
    placed: list[Line] = []
    for line in sorted(lines, key=lambda line: line.end):
        least = placed[-1].end + LABEL_GAP if placed else TOP
        placed.append(Line(line.name, line.colour, line.dashes, line.mark, line.points, max(line.end, least)))
    return placed
