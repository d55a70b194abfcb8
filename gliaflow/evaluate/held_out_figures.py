"""The curves of a held-out evaluation."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from gliaflow.evaluate.held_out_tables import CaseScore, Curve, LimitPoint
from gliaflow.evaluate.scores import spread
from gliaflow.images import Array, write_bytes

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
"""Told apart by the colour-blind too (Okabe and Ito 2008)."""
MARKERS = ("o", "s", "^", "D")
DPI = 80
GREYS = 64
BLENDS = (1.0, 0.67, 0.4, 0.15)
"""Opacities at which the palette of a file holds a colour over greys."""
LEAST_IN_WINDOW = 5
HIGH = 0.5


def draw_curve(path: Path, points: Sequence[LimitPoint], curve: Curve) -> None:
    """Draw Dice over the numbers of a curve: each case, medians, and a band between the quartiles.

    Parameters
    ----------
    path
        The PNG; the same input gives the same bytes.
    points
        Of any curves; those of other ones are left out.
    curve
        With numbers for values.
    """
    figure, (axes,) = _page(1, (6.0, 3.8))
    for number, (line, groups) in enumerate(_by_line(points, curve).items()):
        colour, marker = COLOURS[number], MARKERS[number]
        x = np.array([float(value) for value in groups])
        low, middle, high = np.array([_quartiles(values) for values in groups.values()]).T
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, middle, color=colour, marker=marker, label=line)
        for value, dice in groups.items():
            axes.plot([float(value)] * len(dice), dice, marker, color=colour, alpha=0.35, markersize=2.5)
    _finish(axes, curve.label, lowest(p.dice for p in points if p.curve == curve.name))
    axes.legend(frameon=False)
    save_png(figure, path)


def draw_categories(path: Path, points: Sequence[LimitPoint], curve: Curve) -> None:
    """Draw Dice for each word of a curve as a row: each case, medians, and a bar between the quartiles."""
    lines = _by_line(points, curve)
    figure, (axes,) = _page(1, (7.0, 1.2 + 0.34 * len(curve.values)))
    for number, (line, groups) in enumerate(lines.items()):
        offset = (number - (len(lines) - 1) / 2) * 0.24
        rows = [len(curve.values) - 1 - curve.values.index(value) - offset for value in groups]
        colour, marker = COLOURS[number], MARKERS[number]
        for row, dice in zip(rows, groups.values(), strict=True):
            low, _, high = _quartiles(dice)
            axes.plot([low, high], [row, row], color=colour, linewidth=3, alpha=0.4, solid_capstyle="butt")
            axes.plot(dice, [row] * len(dice), ".", color=colour, markersize=2.5, alpha=0.5)
        medians = [_quartiles(dice)[1] for dice in groups.values()]
        axes.plot(medians, rows, marker, color=colour, markersize=5, label=line)
    axes.set_yticks(range(len(curve.values)), [str(value) for value in reversed(curve.values)])
    for label in axes.get_yticklabels():
        label.set_fontfamily("monospace")
    low = lowest(p.dice for p in points if p.curve == curve.name)
    axes.set_xlim(low - 0.02 * (1 - low), 1 + 0.02 * (1 - low))
    axes.set_xlabel("Dice")
    axes.set_ylim(-0.5, len(curve.values) - 0.5)
    axes.set_title(curve.label, fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    if len(lines) > 1:
        figure.legend(frameon=False, ncols=len(lines), loc="outside lower center")
    save_png(figure, path)


def draw_sizes(path: Path, scores: Sequence[CaseScore], method: str) -> None:
    """Draw Dice over the volume of each region of one method: a dot for a case, and a running median."""
    regions = list(dict.fromkeys(row.region for row in scores if row.method == method))
    figure, panels = _page(len(regions), (3.4 * len(regions), 3.6))
    for number, (region, axes) in enumerate(zip(regions, panels, strict=True)):
        chosen = [
            (row.score.truth_ml, row.score.dice)
            for row in scores
            if (row.method, row.region) == (method, region) and row.score.truth_ml
        ]
        axes.set_title(f"{region}, {len(chosen)} cases", fontsize="medium")
        axes.set_xscale("log")
        if chosen:
            volumes, dice = np.array(sorted(chosen)).T
            axes.plot(volumes, dice, MARKERS[number], color=COLOURS[number], markersize=3, alpha=0.6)
            axes.plot(volumes, running_median(dice), color="black", linewidth=1.5)
        _finish(axes, "true volume, ml", lowest(dice for _, dice in chosen))
    save_png(figure, path)


def running_median(values: Array) -> Array:
    """Return the median of each value and its neighbours, a sixth of all, at least five; fewer at the ends.

    >>> running_median(np.array([0.0, 1.0, 5.0, 3.0, 4.0])).tolist()
    [1.0, 2.0, 3.0, 3.5, 4.0]
    """
    half = max(LEAST_IN_WINDOW, len(values) // 6) // 2
    return np.array([np.median(values[max(0, k - half) : k + half + 1]) for k in range(len(values))])


def save_png(figure: Figure, path: Path, colours: Sequence[str] = COLOURS) -> None:
    """Write a figure in greys and some colours as a PNG; the same figure gives the same bytes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    small = drawn.quantize(palette=_palette(colours), dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, format="PNG", optimize=True)
    write_bytes(path, buffer.getvalue())


def _palette(colours: Sequence[str]) -> Image.Image:
    """Return greys, and each colour at some opacities over greys; rare colours are not lost."""
    greys = np.linspace(0, 1, GREYS)[:, None].repeat(3, axis=1)
    under = np.linspace(0, 1, (256 - GREYS) // (len(colours) * len(BLENDS)))[:, None]
    mixed = [share * np.array(to_rgb(c)) + (1 - share) * under for c in colours for share in BLENDS]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.rint(255 * np.vstack([greys, *mixed])).astype(np.uint8).tobytes())
    return palette


def lowest(values: Iterable[float]) -> float:
    """Return where an axis of Dice starts: at 0, or where all are high, at the tenth below the lowest.

    >>> lowest([0.3, 0.9]), lowest([0.93, 0.97])
    (0.0, 0.9)
    """
    least = min(values, default=0.0)
    return int(10 * least) / 10 if least >= HIGH else 0.0


def _page(columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _finish(axes: Axes, label: str, low: float) -> None:
    axes.set_xlabel(label)
    axes.set_ylabel("Dice")
    axes.set_ylim(low - 0.02 * (1 - low), 1 + 0.02 * (1 - low))
    axes.grid(alpha=0.3)


def _by_line(
    points: Sequence[LimitPoint], curve: Curve
) -> Mapping[str, Mapping[float | str, Sequence[float]]]:
    """Return the Dice of a curve's points by line and value, values in the curve's order."""
    chosen = [point for point in points if point.curve == curve.name]
    lines: dict[str, dict[float | str, list[float]]] = {}
    for point in sorted(chosen, key=lambda p: curve.values.index(p.value)):
        lines.setdefault(point.line, {}).setdefault(point.value, []).append(point.dice)
    return lines


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    described = spread(values)
    return described.q1, described.median, described.q3
