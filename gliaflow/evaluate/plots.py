"""The pictures of an evaluation: Dice by region, by site and over the volume, and the curves of QU-BraTS."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from gliaflow.config.mistakes import listing
from gliaflow.errors import ConfigError
from gliaflow.evaluate.held_out_figures import COLOURS, MARKERS, lowest, running_median, save_png
from gliaflow.evaluate.qu_brats import UncertaintyCurves

DPI = 110
BOX, JITTER = 0.5, 0.16
LEAST_INCHES, INCHES_A_LETTER = 0.75, 0.1
"""How wide a site is drawn."""
UNKNOWN_SITE = "not known"
CURVES = {
    "dice": "Dice of what is left",
    "ftp": "true positives left out",
    "ftn": "true negatives left out",
}

Row = Mapping[str, Any]


def draw_dice(path: Path, rows: Sequence[Row], dpi: int = DPI) -> None:
    """Draw the Dice of each region: a dot for each session that has it, over a box with whiskers.

    Boxes go from quartile to quartile, whiskers to the last session within 1.5 times the length of the box.

    Parameters
    ----------
    path
        The PNG; the same input gives the same bytes.
    rows
        One for each session and region, with ``region``, ``state`` and ``dice``; see
        `gliaflow.evaluate.regions.REGION_COLUMNS`.
    dpi
        Dots per inch.

    Raises
    ------
    ConfigError
        There are no rows, or more regions than colours.
    """
    regions = _regions(rows)
    figure, (axes,) = _page(1, (1.6 + 1.2 * len(regions), 3.8), dpi)
    groups = {region: [row for row in rows if row["region"] == region] for region in regions}
    _draw_boxes(axes, list(groups.values()), [COLOURS[number] for number in range(len(regions))])
    _name_boxes(axes, groups)
    _scale(axes, "Dice", lowest(_dice([row for row in rows if _there(row)])))
    save_png(figure, path)


def draw_dice_by_site(path: Path, rows: Sequence[Row], dpi: int = DPI) -> None:
    """Draw the Dice of each site in a panel for each region, as `draw_dice` does; rows also have ``site``."""
    regions = _regions(rows)
    sites = sorted({_site(row) for row in rows}, key=lambda site: (site == UNKNOWN_SITE, site))
    wide = max(LEAST_INCHES, INCHES_A_LETTER * max(map(len, sites)))
    figure, panels = _page(len(regions), ((1.2 + wide * len(sites)) * len(regions), 3.8), dpi)
    for number, (region, axes) in enumerate(zip(regions, panels, strict=True)):
        chosen = [row for row in rows if row["region"] == region]
        groups = {site: [row for row in chosen if _site(row) == site] for site in sites}
        _draw_boxes(axes, list(groups.values()), [COLOURS[number]] * len(sites))
        _name_boxes(axes, groups)
        axes.set_title(region, fontsize="medium")
        _scale(axes, "Dice", lowest(_dice([row for row in rows if _there(row)])))
    save_png(figure, path)


def draw_dice_over_volume(path: Path, rows: Sequence[Row], dpi: int = DPI) -> None:
    """Draw Dice over the true volume of each region: a dot for each session, and a running median.

    Parameters
    ----------
    path, rows, dpi
        As for `draw_dice`; rows also have ``truth_ml``.

    Raises
    ------
    ConfigError
        As for `draw_dice`.
    """
    regions = _regions(rows)
    figure, panels = _page(len(regions), (3.4 * len(regions), 3.6), dpi)
    for number, (region, axes) in enumerate(zip(regions, panels, strict=True)):
        chosen = [row for row in rows if row["region"] == region and _there(row)]
        axes.set_title(f"{region}, {len(chosen)} sessions", fontsize="medium")
        _scale_volume(axes)
        if chosen:
            volumes, dice = np.array(sorted((row["truth_ml"], row["dice"]) for row in chosen)).T
            axes.plot(volumes, dice, MARKERS[number], color=COLOURS[number], markersize=3, alpha=0.6)
            axes.plot(volumes, running_median(dice), color="black", linewidth=1.5)
        _scale(axes, "Dice", lowest(_dice(chosen)))
    save_png(figure, path)


def draw_qu_brats(path: Path, curves: Mapping[str, Sequence[UncertaintyCurves]], dpi: int = DPI) -> None:
    """Draw the three curves of QU-BraTS of each region: the mean over the sessions, and a band of quartiles.

    Parameters
    ----------
    path, dpi
        As for `draw_dice`.
    curves
        By region, of each session, all with the same thresholds.

    Raises
    ------
    ConfigError
        There are no curves, more regions than colours, or the thresholds differ.
    """
    _check_number(list(curves))
    if len({tuple(curve.thresholds) for sessions in curves.values() for curve in sessions}) != 1:
        raise ConfigError(
            "curves of uncertainty: have no or different thresholds; draw those of one evaluation"
        )
    figure, panels = _page(len(CURVES), (3.4 * len(CURVES), 3.8), dpi)
    for (name, label), axes in zip(CURVES.items(), panels, strict=True):
        for number, (region, sessions) in enumerate(curves.items()):
            if sessions:
                _draw_band(axes, sessions, name, region, number)
        axes.set_xlabel("threshold of uncertainty")
        axes.set_ylim(-0.02, 1.02)
        axes.set_title(label, fontsize="medium")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize="small", title="area under the curve", title_fontsize="small")
    save_png(figure, path)


def draw_qubiq(
    path: Path, sessions: Sequence[Sequence[float]], thresholds: Sequence[float], dpi: int = DPI
) -> None:
    """Draw the Dice of QUBIQ over its thresholds: each session, their mean, and a band of quartiles.

    Parameters
    ----------
    path, dpi
        As for `draw_dice`.
    sessions
        Of each session the Dice at each threshold; see `gliaflow.evaluate.qubiq.dice_at_thresholds`.
    thresholds
        Where both, the share of the raters and the probability, were cut.

    Raises
    ------
    ConfigError
        There are no sessions, or one has another number of values.
    """
    if not sessions or {len(session) for session in sessions} != {len(thresholds)}:
        raise ConfigError(
            f"QUBIQ: {len(sessions)} sessions do not all have {len(thresholds)} values; give one a threshold"
        )
    values = np.array(sessions)
    low, high = np.quantile(values, (0.25, 0.75), axis=0)
    figure, (axes,) = _page(1, (5.0, 3.8), dpi)
    axes.plot(thresholds, values.T, color="grey", linewidth=0.5, alpha=0.4)
    axes.fill_between(thresholds, low, high, color=COLOURS[0], alpha=0.25, linewidth=0)
    axes.plot(thresholds, values.mean(axis=0), color=COLOURS[0], marker="o", markersize=4)
    axes.set_xlabel("threshold of both the raters' share and the probability")
    axes.set_title(f"{len(values)} sessions, mean and quartiles", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    _scale(axes, "Dice", lowest(values.ravel().tolist()))
    save_png(figure, path)


def _draw_boxes(axes: Axes, groups: Sequence[Sequence[Row]], colours: Sequence[str]) -> None:
    # the same dots in the same places each time
    random = np.random.default_rng(0)
    for place, (group, colour) in enumerate(zip(groups, colours, strict=True)):
        dice = _dice([row for row in group if _there(row)])
        if not dice:
            continue
        box = axes.boxplot(dice, positions=[place], widths=BOX, showfliers=False, patch_artist=True)
        for line in [*box["whiskers"], *box["caps"]]:
            line.set_color(colour)
        box["boxes"][0].set(facecolor=colour, edgecolor=colour, alpha=0.4)
        box["medians"][0].set(color="black", linewidth=1.5)
        places = place + random.uniform(-JITTER, JITTER, len(dice))
        axes.plot(places, dice, "o", color=colour, markersize=3, alpha=0.7)


def _name_boxes(axes: Axes, groups: Mapping[str, Sequence[Row]]) -> None:
    names = [f"{name}\n{sum(map(_there, group))} of {len(group)}" for name, group in groups.items()]
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xlabel("sessions that have the region, of all", fontsize="small")


def _draw_band(
    axes: Axes, sessions: Sequence[UncertaintyCurves], name: str, region: str, number: int
) -> None:
    values = np.array([getattr(curve, name) for curve in sessions])
    area = float(np.mean([curve.auc(name) for curve in sessions]))
    low, high = np.quantile(values, (0.25, 0.75), axis=0)
    x, colour = sessions[0].thresholds, COLOURS[number]
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    every = max(1, len(x) // 8)
    label, marker = f"{region} {area:.3f}", MARKERS[number]
    axes.plot(x, values.mean(axis=0), color=colour, marker=marker, markevery=every, markersize=4, label=label)


def _page(columns: int, size: tuple[float, float], dpi: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _scale_volume(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("true volume, ml")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _scale(axes: Axes, label: str, low: float) -> None:
    axes.set_ylabel(label)
    axes.set_ylim(low - 0.02 * (1 - low), 1 + 0.02 * (1 - low))
    axes.grid(axis="y", alpha=0.3)


def _regions(rows: Sequence[Row]) -> list[str]:
    regions = list(dict.fromkeys(row["region"] for row in rows))
    _check_number(regions)
    return regions


def _check_number(regions: Sequence[str]) -> None:
    if not regions:
        raise ConfigError("scores: there are none to draw; evaluate at least one session with a reference")
    if len(regions) > len(COLOURS):
        raise ConfigError(f"regions {listing(regions, 'and')}: draw at most {len(COLOURS)} at a time")


def _there(row: Row) -> bool:
    return row["state"] in ("present", "missed")


def _site(row: Row) -> str:
    return row.get("site") or UNKNOWN_SITE


def _dice(rows: Sequence[Row]) -> list[float]:
    return [float(row["dice"]) for row in rows]
