"""Pictures of calibration."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gliaflow.evaluate.held_out_figures import COLOURS, DPI, MARKERS, save_png
from gliaflow.images import Array
from gliaflow.uncertainty.calibration import BINS, Reliability, calibration, reliability
from gliaflow.uncertainty.maps import LEVELS

SIDE = 3.4
INSIDE, OUTSIDE = COLOURS[1], COLOURS[0]


def draw_reliability(
    path: Path, before: Mapping[str, Array], after: Mapping[str, Array] | None = None, bins: int = BINS
) -> None:
    """Draw observed frequency over probability for each region, and below how many voxels each bin has.

    Parameters
    ----------
    path
        The PNG; the same input gives the same bytes.
    before
        By region, counts of shape (256, 2).
    after
        Of the same regions with temperature scaling; None draws one curve.
    bins
        Number of bins.
    """
    figure = Figure(figsize=(SIDE * len(before), SIDE + 1.2), dpi=DPI, layout="constrained")
    panels = figure.subplots(2, len(before), squeeze=False, sharex=True, sharey="row", height_ratios=(5, 2))
    for (region, counts), (axes, below) in zip(before.items(), panels.T, strict=True):
        curves = {"before": counts, "after": after[region]} if after else {"": counts}
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
        for number, (name, of_curve) in enumerate(curves.items()):
            _curve((axes, below), reliability(of_curve, bins), _label(name, of_curve, bins), number)
        axes.set_title(region, fontsize="medium")
        axes.legend(frameon=False, fontsize="small", loc="upper left")
        _finish(below, max(c.sum() for c in before.values()))
        axes.grid(alpha=0.3)
    panels[0, 0].set_ylabel("observed frequency")
    panels[1, 0].set_ylabel("voxels")
    save_png(figure, path)


def draw_counts(path: Path, counts: Mapping[str, Array]) -> None:
    """Draw how many voxels have each of the 256 probabilities, for each region those inside and outside."""
    figure = Figure(figsize=(SIDE * len(counts), SIDE), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(counts), squeeze=False, sharey=True)[0]
    for (region, of_region), axes in zip(counts.items(), panels, strict=True):
        for values, name, colour in zip(of_region.T, ("outside", "inside"), (OUTSIDE, INSIDE), strict=True):
            edges, label = np.linspace(0, 1, len(LEVELS) + 1), f"truly {name}"
            axes.stairs(values, edges, baseline=None, color=colour, label=label)
        axes.set_title(region, fontsize="medium")
        _finish(axes, max(c.max() for c in counts.values()))
    panels[0].set_ylabel("voxels")
    panels[0].legend(frameon=False, fontsize="small", loc="upper center")
    save_png(figure, path)


def _finish(axes: Axes, most: int) -> None:
    """Number a panel of voxels by powers of ten, with 0 below 1."""
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, 1.5 * max(most, 1))
    axes.set_xlabel("probability")
    axes.grid(alpha=0.3)


def _curve(panels: tuple[Axes, Axes], table: Reliability, label: str, number: int) -> None:
    axes, below = panels
    colour, marker = COLOURS[number], MARKERS[number]
    x, y = table.mean_probability, table.observed_frequency
    axes.plot(x, y, color=colour, marker=marker, markersize=4, label=label)
    below.stairs(table.voxels, table.edges, baseline=None, color=colour)


def _label(name: str, counts: Array, bins: int) -> str:
    ece = calibration(counts, bins).ece
    return f"{name} {'no voxels' if ece is None else f'ECE {ece:.3f}'}".strip()
