"""Pictures of the cases that were segmented worst: truth and what was found, where they differ most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gliaflow.evaluate.held_out_figures import DPI, save_png
from gliaflow.images import Array
from gliaflow.report.canvas import shade
from gliaflow.report.planes import VIEWS, Cut, Lines, View, bounding_box, window

TRUTH, FOUND = "#56B4E9", "#E69F00"
"""Sky blue and orange, which the colour-blind tell apart (Okabe and Ito 2008)."""
MARGIN_MM = 8.0
PIXELS_PER_MM = 1.2
IN_A_ROW = 2
AXIAL, SAGITTAL = VIEWS[0], VIEWS[2]


@dataclass(frozen=True)
class Outlined:
    """A plane of a scan (grey values in [0, 1]) and the outlines of what is true and of what was found."""

    caption: str
    grey: Array
    truth: Lines
    found: Lines


@dataclass(frozen=True)
class BadCase:
    """A case: its title and its planes, side by side."""

    title: str
    planes: tuple[Outlined, ...]


def outlined(
    caption: str,
    image: Array,
    masks: tuple[Array, Array],
    spacing: tuple[float, float, float],
    view: View = AXIAL,
    *,
    errors: Array | None = None,
) -> Outlined:
    """Cut the plane with most errors.

    Parameters
    ----------
    caption
        What the scan is.
    image
        Shape (x, y, z), RAS voxel order.
    masks
        Truth and what was found, bool.
    spacing
        Voxel size in mm.
    view
        From where to look.
    errors
        Bool; decides about the plane. Where the masks differ, if None.
    """
    truth, found = masks
    wrong = truth ^ found if errors is None else errors
    counts = (wrong if wrong.any() else truth | found).sum(axis=tuple(a for a in range(3) if a != view.axis))
    inside = image > 0
    box = bounding_box(inside, spacing, MARGIN_MM)
    cut = Cut(view, int(np.argmax(counts)), box, spacing, PIXELS_PER_MM)
    grey = shade(cut.picture(image), *window(image, inside))
    return Outlined(caption, grey, cut.outline(truth), cut.outline(found))


def draw_worst(path: Path, cases: Sequence[BadCase], heading: str) -> None:
    """Draw cases, two in a row, and write a PNG.

    Parameters
    ----------
    path
        The PNG; the same input gives the same bytes.
    cases
        The worst first, all with the same number of planes; nothing is drawn where there is none.
    heading
        What stands above them.
    """
    if not cases:
        return
    columns = IN_A_ROW * len(cases[0].planes)
    rows = -(-len(cases) // IN_A_ROW)
    figure = Figure(figsize=(2.3 * columns, 2.75 * rows + 0.6), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{heading}\ntruth blue, found orange", fontsize="medium")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    planes = [(case, number) for case in cases for number in range(len(case.planes))]
    for axes in grid:
        axes.set_axis_off()
    for axes, (case, number) in zip(grid, planes, strict=False):
        _draw_plane(axes, case.planes[number], case.title if number == 0 else "")
    save_png(figure, path, (TRUTH, FOUND))


def titled(case: str, dice: Mapping[str, float | None]) -> str:
    """Return a title with the Dice of each region that a case has.

    >>> titled("sub-001", {"WT": 0.91234, "ET": None})
    'sub-001: WT 0.91, no ET'
    """
    parts = (f"no {region}" if value is None else f"{region} {value:.2f}" for region, value in dice.items())
    return f"{case}: {', '.join(parts)}"


def _draw_plane(axes: Axes, plane: Outlined, title: str) -> None:
    axes.imshow(plane.grey, "gray", vmin=0, vmax=1)
    axes.set_autoscale_on(False)
    for lines, colour, style in ((plane.truth, TRUTH, "-"), (plane.found, FOUND, "--")):
        for line in lines:
            axes.plot(line[:, 0], line[:, 1], style, color=colour, linewidth=1.1)
    axes.set_title(title or " ", fontsize=8, loc="left")
    axes.text(0.02, 0.02, plane.caption, color="white", fontsize=7, transform=axes.transAxes)
