"""Laying panels out on a dark page, and writing it as PNG."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Curve
from matplotlib.patheffects import withStroke
from PIL import Image

from gliaflow.images import Array, write_bytes
from gliaflow.report.planes import Cut, Lines
from gliaflow.report.thumbnail import thumbnail_info

BASE_DPI = 100
BACKGROUND, PANEL, TEXT, FAINT = "#101010", "#000000", "#FFFFFF", "#BDBDBD"
GAP, LINE, EDGE, SIDE, INSET = 6, 23, 14, 32, 4
FONT, SMALL, LARGE = 11, 10, 13
NARROWEST = 700
SCALE_BAR_MM = 50
GREYS = 64
BLENDS = (0.25, 0.5, 0.75)
CONVENTION = "Radiological view: the patient's right (R) is on the left of axial and coronal panels."

Key = list[tuple[str | None, str]]


@dataclass(frozen=True)
class Shape:
    """Lines to draw on a panel (x, y in its pixels), in one colour; ``fill`` is the opacity within them."""

    lines: Lines
    colour: str
    width: float = 1.0
    fill: float = 0.0


@dataclass(frozen=True)
class Panel:
    """One picture of a plane: grey values in [0, 1] at picture resolution, and what lies on it."""

    grey: Array
    cut: Cut
    note: str
    shapes: Sequence[Shape] = ()


@dataclass(frozen=True)
class Page:
    """What stands around the panels: headings, names of rows and columns, and a key of colours and texts."""

    title: str
    description: str
    rows: Sequence[str]
    columns: Sequence[str]
    key: Key


@dataclass(frozen=True)
class Cell:
    """A place on the page, in pixels at 100 dpi from its top left."""

    x: float
    y: float
    width: float
    height: float


def draw_page(
    page: Page,
    panels: Sequence[Sequence[Panel]],
    path: str | Path,
    dpi: int,
    *,
    key_panel: tuple[int, int] | None = None,
) -> None:
    """Draw panels in rows and columns, all on one scale, and write a PNG.

    Parameters
    ----------
    page
        Texts; as many row and column names as ``panels`` has.
    panels
        Rows of panels, made for ``dpi``.
    path
        The PNG; the same input gives the same bytes.
    dpi
        Pixels per inch; sizes of texts and panels keep their proportion.
    key_panel
        Row and column of the panel that stands for the session in `gliaflow.report.thumbnail`.
    """
    unit = dpi / BASE_DPI
    widths = [max(p.grey.shape[1] for p in column) / unit for column in zip(*panels, strict=True)]
    heights = [max(p.grey.shape[0] for p in row) / unit for row in panels]
    width = max(round(SIDE + sum(widths) + GAP * (len(widths) - 1) + EDGE), NARROWEST)
    titles = textwrap.wrap(page.title, width // 11)
    key: Key = [
        (c, line) for c, text in page.key for line in ([text] if c else textwrap.wrap(text, width // 8))
    ]
    top = EDGE + LINE * (len(titles) + 2)
    bottom = top + sum(heights) + GAP * len(heights)
    canvas, axes = _blank(width, round(bottom + LINE * (len(key) + 1) + EDGE), dpi)
    _draw_headings(axes, titles, page.description)
    xs, ys = _starts(SIDE, widths), _starts(top, heights)
    for name, x, wide in zip(page.columns, xs, widths, strict=True):
        _write(axes, x + wide / 2, top - LINE / 2, name, ha="center")
    for name, row, y, tall in zip(page.rows, panels, ys, heights, strict=True):
        _write(axes, SIDE / 2, y + tall / 2, name, rotation=90, ha="center")
        for panel, x, wide in zip(row, xs, widths, strict=True):
            _draw_panel(axes, panel, Cell(x, y, wide, tall), unit)
    _draw_scale_bar(axes, Cell(xs[0], ys[0], widths[0], heights[0]), panels[0][0].cut.pixels_per_mm / unit)
    _draw_key(axes, key, bottom)
    drawn = {shape.colour for row in panels for panel in row for shape in panel.shapes if shape.lines}
    key_cell = None
    if key_panel:
        down, across = key_panel
        key_cell = Cell(xs[across] * unit, ys[down] * unit, widths[across] * unit, heights[down] * unit)
    _save(canvas, sorted(drawn | {colour for colour, _ in key if colour}), path, key_cell)


def _starts(first: float, sizes: Sequence[float]) -> list[float]:
    """Return where cells of the given sizes start, a gap between them."""
    return [first + sum(sizes[:number]) + GAP * number for number in range(len(sizes))]


def _blank(width: int, height: int, dpi: int) -> tuple[FigureCanvasAgg, Axes]:
    """Return an empty page whose coordinates are pixels at 100 dpi from its top left."""
    figure = Figure(figsize=(width / BASE_DPI, height / BASE_DPI), dpi=dpi, facecolor=BACKGROUND)
    axes = figure.add_axes((0, 0, 1, 1), autoscale_on=False)
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return FigureCanvasAgg(figure), axes


def _draw_headings(axes: Axes, titles: Sequence[str], description: str) -> None:
    for number, line in enumerate(titles):
        _write(axes, EDGE, EDGE + LINE * (number + 0.5), line, size=LARGE, weight="bold")
    _write(axes, EDGE, EDGE + LINE * (len(titles) + 0.5), description, color=FAINT)


def _draw_key(axes: Axes, key: Key, y: float) -> None:
    for number, (colour, text) in enumerate([*key, (None, CONVENTION)]):
        middle = y + LINE * (number + 0.5)
        if colour:
            axes.add_artist(Rectangle((SIDE, middle - 7), 22, 14, facecolor=colour))
        _write(axes, SIDE + (32 if colour else 0), middle, text, color=TEXT if colour else FAINT)


def _write(axes: Axes, x: float, y: float, text: str, **style: object) -> None:
    settings = {"color": TEXT, "size": FONT, "va": "center", "family": "DejaVu Sans", **style}
    axes.text(x, y, text, **settings)  # type: ignore[arg-type]


def _label(axes: Axes, x: float, y: float, text: str, **style: object) -> None:
    """Write on a panel, with a dark rim so that it can be read on bright tissue."""
    rim = [withStroke(linewidth=2.5, foreground="black")]
    _write(axes, x, y, text, **{"size": SMALL, "ha": "center", "path_effects": rim, **style})


def _draw_panel(axes: Axes, panel: Panel, cell: Cell, unit: float) -> None:
    """Draw a panel in the middle of its cell, on whole pixels so that nothing is resampled again."""
    rows, columns = panel.grey.shape
    x = cell.x + np.floor((cell.width * unit - columns) / 2) / unit
    y = cell.y + np.floor((cell.height * unit - rows) / 2) / unit
    axes.add_artist(Rectangle((cell.x, cell.y), cell.width, cell.height, facecolor=PANEL, zorder=-1))
    extent = (x, x + columns / unit, y + rows / unit, y)
    drawn = axes.imshow(panel.grey, "gray", vmin=0, vmax=1, aspect="auto", origin="upper", extent=extent)
    drawn.set_interpolation("nearest")
    for shape in panel.shapes:
        _draw_shape(axes, shape, np.array([x, y]), unit)
    _draw_letters(axes, panel, cell)


def _draw_shape(axes: Axes, shape: Shape, corner: Array, unit: float) -> None:
    """Draw lines as one curve: holes wind the other way, so that they stay empty."""
    if not shape.lines:
        return
    curve = Curve.make_compound_path(*(Curve(corner + (line + 0.5) / unit) for line in shape.lines))
    if shape.fill:
        axes.add_artist(PathPatch(curve, facecolor=shape.colour, alpha=shape.fill, linewidth=0))
    axes.add_artist(PathPatch(curve, fill=False, edgecolor=shape.colour, linewidth=shape.width))


def _draw_letters(axes: Axes, panel: Panel, cell: Cell) -> None:
    view, middle, centre = panel.cut.view, cell.y + cell.height / 2, cell.x + cell.width / 2
    bottom, right = cell.y + cell.height - INSET, cell.x + cell.width - INSET
    _label(axes, cell.x + INSET, middle, view.left, ha="left")
    _label(axes, right, middle, view.right, ha="right")
    _label(axes, centre, cell.y + INSET, view.top, va="top")
    _label(axes, centre, bottom, view.bottom, va="bottom")
    _label(axes, right, bottom, panel.note, ha="right", va="bottom")


def _draw_scale_bar(axes: Axes, cell: Cell, pixels_per_mm: float) -> None:
    x, y = cell.x + 2 * INSET, cell.y + cell.height - 2 * INSET
    bar = Rectangle((x, y), SCALE_BAR_MM * pixels_per_mm, 3, facecolor=TEXT, edgecolor="black", linewidth=0.5)
    axes.add_artist(bar)
    _label(axes, x, y - 2, f"{SCALE_BAR_MM // 10} cm", ha="left", va="bottom")


def _palette(colours: Sequence[str]) -> Image.Image:
    """Return a palette of greys, and of each colour pure and blended with greys as fills and soft edges do.

    A palette chosen by how often a colour occurs would drop the smallest lesion's.
    """
    greys = np.linspace(0, 255, GREYS)[:, None].repeat(3, axis=1)
    entries = [greys, *(255 * np.array([to_rgb(c)]) for c in colours)]
    steps = max(2, (256 - GREYS - len(colours)) // max(1, len(colours) * len(BLENDS)))
    under = np.linspace(0, 255, steps)[:, None]
    entries += [255 * share * np.array(to_rgb(c)) + (1 - share) * under for c in colours for share in BLENDS]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.rint(np.vstack(entries)).astype(np.uint8)[:256].tobytes())
    return palette


def _save(
    canvas: FigureCanvasAgg, colours: Sequence[str], path: str | Path, key_cell: Cell | None = None
) -> None:
    """Write the page as PNG with a palette, which more than halves its size and looks the same."""
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    small = drawn.quantize(palette=_palette(colours), dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    info = None
    if key_cell:
        right, bottom = key_cell.x + key_cell.width, key_cell.y + key_cell.height
        info = thumbnail_info(drawn, (round(key_cell.x), round(key_cell.y), round(right), round(bottom)))
    small.save(buffer, format="PNG", optimize=True, pnginfo=info)
    write_bytes(path, buffer.getvalue())


def shade(plane: Array, low: float, high: float) -> Array:
    """Return a plane's intensities as grey values in [0, 1], float32, by a window."""
    return np.clip((plane - low) / (high - low), 0, 1).astype(np.float32)
