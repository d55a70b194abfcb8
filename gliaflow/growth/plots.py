"""The pictures of growth predictions: fit against prediction, precision and recall, coverage of the plans."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from gliaflow.errors import ConfigError
from gliaflow.evaluate.bootstrap import Bootstrap
from gliaflow.evaluate.held_out_figures import COLOURS, MARKERS, save_png
from gliaflow.growth.coverage import STANDARD, coverage_pairs, coverage_table
from gliaflow.growth.experiment import experiment_table, patient_correlations, points_by_patient
from gliaflow.growth.ranking import NO_REFERENCE, PrecisionRecall, curve_indices

DPI = 110
PATIENT_COLOURS = (*COLOURS, "#56B4E9", "#D55E00")
SETTING_MARKERS = (*MARKERS, "v", "P", "X", "*", "<", ">")
CURVE_POINTS = 500
GAIN, LOSS, SAME = COLOURS[0], COLOURS[1], "0.6"

Row = Mapping[str, Any]


def draw_experiment(path: Path, rows: Sequence[Row]) -> None:
    """Draw predictive performance over goodness of fit: a line for each patient, a marker for each setting.

    A panel for each scheme, with the mean of the patients' rank correlations and its p-value (BrainLes 2021,
    S8, whose figure this is). A line joins a patient's settings in the order of their fit; its colour is the
    patient's in both panels, and comes again after six.

    Parameters
    ----------
    path
        The PNG; the same input gives the same bytes.
    rows
        As of `gliaflow.growth.experiment.patient_correlations`.

    Raises
    ------
    ConfigError
        There are no rows, more settings than markers, or a row is not as it should be.
    """
    markers = _markers(rows)
    schemes = points_by_patient(rows)
    titles = _titles(rows)
    patients = dict.fromkeys(row["subject"] for row in rows)
    colours = dict(zip(patients, cycle(PATIENT_COLOURS), strict=False))
    figure = Figure(figsize=(4.2 * len(schemes), 4.9), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(schemes), squeeze=False, sharex=True, sharey=True)[0]
    for (scheme, of_scheme), axes in zip(schemes.items(), panels, strict=True):
        for patient, points in of_scheme.items():
            _patient(axes, points, markers, colours[patient])
        axes.set_title(titles[scheme], fontsize="medium")
        axes.set_xlabel("average precision on the first segmentation (fit)")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("average precision on the last (prediction)")
    handles = [Line2D([], [], color="0.3", marker=m, linestyle="", label=name) for name, m in markers.items()]
    figure.legend(handles=handles, frameon=False, ncols=4, fontsize="small", loc="outside lower center")
    save_png(figure, path, PATIENT_COLOURS)


def draw_precision_recall(path: Path, curves: Mapping[str, PrecisionRecall]) -> None:
    """Draw precision over recall; the area below a curve is its average precision.

    A marker shows where as many voxels are invaded as the reference has, a dashed line what a map that says
    nothing would reach.

    Parameters
    ----------
    path
        The PNG; the same input gives the same bytes.
    curves
        By name: models, settings or schemes of one session, four at most. Without any, as of a session in
        which no tumour is left to foretell, the picture says so.

    Raises
    ------
    ConfigError
        There are more than four.
    """
    if len(curves) > len(COLOURS):
        raise ConfigError(f"growth plots: {len(curves)} curves: draw {len(COLOURS)} at most in one picture")
    figure = Figure(figsize=(5.0, 4.8), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for (name, curve), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=False):
        _precision_recall(axes, curve, colour, marker, f"{name}, AP {curve.average_precision:.3f}")
    if not curves:
        axes.text(0.5, 0.5, NO_REFERENCE, ha="center", fontsize="small")
    axes.plot([], [], color="grey", linestyle="--", linewidth=1, label="a map that says nothing")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("recall: share of the tumour that is predicted")
    axes.set_ylabel("precision: share of the prediction that is right")
    axes.grid(alpha=0.3)
    figure.legend(frameon=False, fontsize="small", loc="outside lower center")
    save_png(figure, path)


def draw_coverage(
    path: Path, rows: Sequence[Row], plan: str, standard: str = STANDARD, intervals: Bootstrap | None = None
) -> None:
    """Draw the coverage of recurrences by the standard plan and by a model's plan of the same volume, paired.

    A line for each session, in the colour of which plan covers more; means and their bootstrap intervals
    beside them. The mean difference and its interval are in the title of each panel.

    Parameters
    ----------
    path
        The PNG; the same input gives the same bytes.
    rows
        As of `gliaflow.growth.coverage.coverage_table`.
    plan, standard
        The two plans.
    intervals
        How the intervals are made; None takes the defaults of `Bootstrap`.

    Raises
    ------
    ConfigError
        A plan is in no row, or a row is not as it should be.
    """
    chosen = [row for row in rows if row.get("plan") in (standard, plan)]
    table = coverage_table(chosen, standard, intervals)
    kinds = dict.fromkeys(row["recurrence"] for row in table if row["plan"] == plan)
    if not kinds:
        raise ConfigError(f"growth plots: plan {plan!r}: has no coverage; write a plan that has been made")
    figure = Figure(figsize=(3.8 * len(kinds), 4.6), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
    for kind, axes in zip(kinds, panels, strict=True):
        for pair in coverage_pairs(chosen, kind, plan, standard):
            colour = GAIN if pair[1] > pair[0] else LOSS if pair[1] < pair[0] else SAME
            axes.plot([0, 1], pair, color=colour, alpha=0.5, linewidth=1, marker="o", markersize=3)
        of_kind = {row["plan"]: row for row in table if row["recurrence"] == kind}
        for row, x in ((of_kind.get(standard), -0.15), (of_kind[plan], 1.15)):
            _mean(axes, row, x)
        axes.set_title(_gain(of_kind[plan]), fontsize="medium")
        _finish_coverage(axes, (standard, plan), of_kind[plan])
    panels[0].set_ylabel("coverage of the recurrence")
    _name_lines(figure, plan, standard)
    save_png(figure, path)


def _markers(rows: Sequence[Row]) -> dict[str, str]:
    settings = dict.fromkeys(row.get("setting", "") for row in rows)
    if not 0 < len(settings) <= len(SETTING_MARKERS):
        most = len(SETTING_MARKERS)
        raise ConfigError(f"growth plots: {len(settings)} settings: draw 1 to {most} in one picture")
    return dict(zip(settings, SETTING_MARKERS, strict=False))


def _titles(rows: Sequence[Row]) -> dict[str, str]:
    return {row["scheme"]: _correlation(row) for row in experiment_table(patient_correlations(rows))}


def _correlation(row: Row) -> str:
    number = f"{row['n']} of {row['patients']} patients" if row["undefined"] else f"{row['n']} patients"
    if isnan(row["mean_spearman"]):
        return f"{row['scheme']}\nno correlation ({number})"
    return f"{row['scheme']}\nmean Spearman {_signed(row['mean_spearman'], 2)}{_chance(row['p'])}, {number}"


def _chance(p: float) -> str:
    if isnan(p):
        return ""
    return ", p < 0.001" if p < 0.001 else f", p = {p:.3f}" if p < 0.01 else f", p = {p:.2f}"


def _signed(value: float, digits: int) -> str:
    """Write a number with a true minus.

    >>> _signed(-0.031, 2), _signed(0.24, 2)
    ('−0.03', '0.24')
    """
    return f"{value:.{digits}f}".replace("-", "−")


def _patient(
    axes: Axes, points: Mapping[str, tuple[float, float]], markers: Mapping[str, str], colour: str
) -> None:
    known = {name: point for name, point in points.items() if not np.isnan(point).any()}
    if known:
        x, y = np.array(sorted(known.values())).T
        axes.plot(x, y, color=colour, linewidth=0.9, alpha=0.6)
    for name, (fit, prediction) in known.items():
        axes.plot(fit, prediction, markers[name], color=colour, markersize=5)


def _precision_recall(axes: Axes, curve: PrecisionRecall, colour: str, marker: str, label: str) -> None:
    at = curve_indices(curve, CURVE_POINTS)
    recall, precision = curve.recall[at], curve.precision[at]
    axes.step([0, *recall], [precision[0], *precision], where="pre", color=colour)
    axes.axhline(curve.prevalence, color=colour, linestyle="--", linewidth=1, alpha=0.6)
    dice = curve.equal_volume_dice
    axes.plot(dice, dice, marker, color=colour)
    axes.plot([], [], color=colour, marker=marker, label=f"{label}, equal-volume Dice {dice:.3f}")


def _mean(axes: Axes, row: Row | None, x: float) -> None:
    if row is None or isnan(row["mean"]):
        return
    if not isnan(row["mean_low"]):
        axes.plot([x, x], [row["mean_low"], row["mean_high"]], color="black", linewidth=2)
    axes.plot(x, row["mean"], MARKERS[3], color="black", markersize=6)


def _gain(row: Row) -> str:
    number = f"{row['recurrence']} recurrence, {row['pairs']} pairs"
    if isnan(row["difference"]):
        return f"{number}\nno difference"
    points, *ends = (
        _signed(100 * row[name], 1) for name in ("difference", "difference_low", "difference_high")
    )
    interval = "" if isnan(row["difference_low"]) else f" ({ends[0]} to {ends[1]})"
    return f"{number}\ndifference {points}{interval} points"


def _finish_coverage(axes: Axes, names: tuple[str, str], row: Row) -> None:
    same = row["pairs"] - row["better"] - row["worse"]
    left_out = f"; {row['without_recurrence']} without recurrence" if row["without_recurrence"] else ""
    counts = f"{row['better']} better, {row['worse']} worse, {same} the same{left_out}"
    axes.set_xlabel(counts, fontsize="small")
    axes.set_xticks([0, 1], names)
    axes.set_xlim(-0.4, 1.4)
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="y", alpha=0.3)


def _name_lines(figure: Figure, plan: str, standard: str) -> None:
    names = {f"{plan} covers more": GAIN, f"{standard} covers more": LOSS, "the same": SAME}
    lines = [Line2D([], [], color=colour, marker="o", markersize=3, label=k) for k, colour in names.items()]
    mean = Line2D([], [], color="black", marker=MARKERS[3], linewidth=2, label="mean and interval")
    figure.legend(
        handles=[*lines, mean], frameon=False, ncols=2, fontsize="small", loc="outside lower center"
    )
