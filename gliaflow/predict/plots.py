"""The pictures of a task: ROC curve, reliability, survival of risk groups, and the scores of chance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest
from sklearn.metrics import roc_curve

from gliaflow.evaluate.held_out_figures import COLOURS, save_png
from gliaflow.images import Array
from gliaflow.predict.folds import CROSS_VALIDATION, LEAVE_ONE_SITE_OUT
from gliaflow.predict.metrics import HEADLINE, alive_columns, class_names, kind_of, p_value, permuted
from gliaflow.predict.names import SUBTYPE, SURVIVAL
from gliaflow.predict.nested import ALIVE, OF_CLASS
from gliaflow.predict.risk_groups import LOG_RANK, first_repeat, log_rank, risk_curves, survival_curve

SCHEMES = {CROSS_VALIDATION: "subjects left out", LEAVE_ONE_SITE_OUT: "sites left out"}
NAMES = {"auc": "AUC", "concordance_ipcw": "concordance (IPCW)"}
BINS = 5
CLASS_COLOURS = (*COLOURS, "#56B4E9", "#D55E00")
Row = Mapping[str, Any]


def draw_roc(path: Path, out_of_fold: pd.DataFrame, scores: Sequence[Row], dpi: int) -> None:
    """Draw the ROC curve, averaged over repeats, of each scheme; the AUC with interval and chance beside it.

    Parameters
    ----------
    path
        The PNG; the same input gives the same bytes.
    out_of_fold
        Predictions of a classification.
    scores
        Of `gliaflow.predict.score.SCORE_COLUMNS`.
    dpi
        Dots per inch.
    """
    figure, axes = _page(dpi)
    grid = np.linspace(0, 1, 201)
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="chance, AUC 0.5")
    for (scheme, rows), colour in zip(out_of_fold.groupby("scheme", sort=True), COLOURS, strict=False):
        curves = np.array([_roc(part, grid) for _, part in rows.groupby("repeat")])
        for curve in curves if len(curves) > 1 else ():
            axes.plot(grid, curve, color=colour, linewidth=0.6, alpha=0.3)
        axes.plot(
            [0, *grid], [0, *curves.mean(axis=0)], color=colour, label=_told(scores, str(scheme), "auc")
        )
    axes.set_xlabel("share of the others that are called")
    axes.set_ylabel("share of the positives that are called")
    axes.set_aspect("equal")
    _legend(figure, axes)
    save_png(figure, path)


def draw_reliability(path: Path, out_of_fold: pd.DataFrame, horizon: float, dpi: int) -> None:
    """Draw observed frequency over predicted probability, in fifths of the subjects, with 95 % intervals.

    Of survival, the probability of surviving to the horizon, and the Kaplan-Meier estimate there.

    Parameters
    ----------
    path, out_of_fold, dpi
        As for `draw_roc`; the first repeat of the cross-validation is drawn.
    horizon
        Days; not looked at for a classification.
    """
    rows = first_repeat(out_of_fold)
    survival = kind_of(rows) == SURVIVAL
    column = f"{ALIVE}{np.ceil(horizon):.0f}" if survival else "probability"
    figure, axes = _page(dpi)
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="perfect calibration")
    for (name, own), colour in zip(_by_class(rows).items(), CLASS_COLOURS, strict=False):
        points = np.array([_observed(part, column, horizon) for part in _fifths(own, column)])
        x, y, low, high = points.T
        errors = np.maximum([y - low, high - y], 0)
        told = f"{name}: fifths, 95 % intervals" if name else "fifths, 95 % intervals"
        axes.errorbar(x, y, errors, fmt="o-", color=colour, capsize=3, markersize=5, label=told)
        axes.plot(own[column], np.full(len(own), -0.03), "|", color="0.5", markersize=5, alpha=0.5)
    what = (
        f"surviving {horizon:g} days" if survival else "the class" if class_names(rows) else "being positive"
    )
    axes.set_xlabel(f"predicted probability of {what}")
    axes.set_ylabel("observed share" + (" (Kaplan-Meier)" if survival else ""))
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.05, 1.02)
    _legend(figure, axes)
    save_png(figure, path)


def draw_confusion(path: Path, out_of_fold: pd.DataFrame, dpi: int) -> None:
    """Draw how often subjects of each class are called each class, as numbers and as shares of the class.

    Parameters
    ----------
    path, out_of_fold, dpi
        As for `draw_reliability`.
    """
    rows = first_repeat(out_of_fold)
    classes = class_names(rows)
    table = pd.crosstab(rows["outcome"], rows["called"])
    counts = table.reindex(index=classes, columns=classes, fill_value=0).to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _page(dpi)
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    for (i, j), number in np.ndenumerate(counts):
        colour = "white" if shares[i, j] > 0.5 else "black"
        told = f"{number}\n{100 * shares[i, j]:.0f} %"
        axes.text(j, i, told, ha="center", va="center", color=colour, fontsize="large")
    axes.set_xticks(range(len(classes)), classes, rotation=20, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), classes, rotation=90, va="center")
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    axes.set_title(f"{len(rows)} subjects, left out", fontsize="medium")
    save_png(figure, path)


def draw_kaplan_meier(path: Path, out_of_fold: pd.DataFrame, chance: pd.DataFrame, dpi: int) -> None:
    """Draw the survival of the risk groups that were formed out of fold, with numbers at risk below.

    Parameters
    ----------
    path, out_of_fold, dpi
        As for `draw_reliability`.
    chance
        Rows of `gliaflow.predict.score.CHANCE_COLUMNS`, by which the groups' difference is judged.
    """
    rows = first_repeat(out_of_fold)
    curves = risk_curves(rows)
    figure = Figure(figsize=(5.6, 4.8), dpi=dpi, layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(6, 1))
    ticks = np.linspace(0, np.ceil(rows["time_days"].max() / 100) * 100, 6)
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number]
        x = [0, *curve.time]
        axes.step(x, [1, *curve.alive], where="post", color=colour, label=f"{name} ({len(curve.followed)})")
        axes.fill_between(
            x, [1, *curve.low], [1, *curve.high], step="post", color=colour, alpha=0.15, linewidth=0
        )
        for tick, count in zip(ticks, curve.at_risk(ticks.tolist()), strict=True):
            below.text(tick, -number, str(count), ha="center", va="center", color=colour, fontsize="small")
    statistic = log_rank(rows)
    p = p_value(LOG_RANK, statistic, permuted(chance, LOG_RANK))
    judged = "" if np.isnan(p) else f", p {_p(p)}"
    told = "one group only" if np.isnan(statistic) else f"log-rank {statistic:.1f}{judged}"
    axes.set_title(f"risk groups formed out of fold: {told}", fontsize="medium")
    axes.set_ylabel("share alive")
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    below.set_yticks(range(0, -len(curves), -1), list(curves))
    below.set_ylim(-len(curves) + 0.4, 0.6)
    below.set_xticks(ticks)
    below.set_title("numbers at risk", fontsize="small", loc="left")
    below.set_xlabel("days from the session")
    for side in ("top", "right", "left"):
        below.spines[side].set_visible(False)
    below.tick_params(length=0)
    save_png(figure, path)


def draw_chance(path: Path, chance: pd.DataFrame, scores: Sequence[Row], kind: str, dpi: int) -> None:
    """Draw how the score is spread when outcomes are dealt at random, and where the score itself lies.

    Parameters
    ----------
    path, scores, dpi
        As for `draw_roc`.
    chance
        Rows of `gliaflow.predict.score.CHANCE_COLUMNS`; none leaves the histogram empty.
    kind
        Of the task.
    """
    metric = HEADLINE[kind]
    row = next(r for r in scores if r["metric"] == metric and r["scheme"] == CROSS_VALIDATION)
    figure, axes = _page(dpi)
    null = chance.loc[chance["metric"] == metric, "value"].dropna().to_numpy(dtype=float)
    axes.hist(null, bins=np.linspace(0, 1, 51).tolist(), color="0.7", label=f"{len(null)} permuted cohorts")
    axes.axvline(
        row["chance"], color="grey", linestyle="--", linewidth=1, label=f"chance, {row['chance']:.1f}"
    )
    axes.axvline(
        row["estimate"], color=COLOURS[0], linewidth=2, label=_told(scores, CROSS_VALIDATION, metric)
    )
    axes.axvspan(row["low"], row["high"], color=COLOURS[0], alpha=0.15, linewidth=0)
    axes.set_xlim(0, 1)
    axes.set_xlabel(NAMES[metric])
    axes.set_ylabel("permutations")
    axes.set_title(f"p {_p(row['p'])}" if len(null) else "no permutations were made", fontsize="medium")
    _legend(figure, axes)
    save_png(figure, path)


def _page(dpi: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.8, 4.9), dpi=dpi, layout="constrained")
    return figure, figure.subplots()


def _legend(figure: Figure, axes: Axes) -> None:
    axes.grid(alpha=0.3)
    figure.legend(frameon=False, fontsize="small", loc="outside lower center")


def _by_class(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each class against the others, or all of them under no name."""
    if kind_of(rows) != SUBTYPE:
        return {"": rows}
    return {
        name: rows.assign(
            probability=rows[f"{OF_CLASS}{name}"], outcome=(rows["outcome"] == name).astype(int)
        )
        for name in class_names(rows)
    }


def _roc(rows: pd.DataFrame, grid: Array) -> Array:
    """Return the mean over folds of the ROC curve: a fold's probabilities are compared among themselves."""
    both = [part for _, part in rows.groupby("fold") if part["outcome"].nunique() == 2]
    curves = [roc_curve(part["outcome"], part["probability"]) for part in both]
    mean: Array = np.mean([np.interp(grid, false, true) for false, true, _ in curves], axis=0)
    return mean


def _told(scores: Sequence[Row], scheme: str, metric: str) -> str:
    row = next(r for r in scores if r["metric"] == metric and r["scheme"] == scheme)
    interval = f"{row['low']:.2f} to {row['high']:.2f}"
    return (
        f"{SCHEMES[scheme]}: {NAMES[metric]} {row['estimate']:.2f} ({interval}), {row['subjects']} subjects"
    )


def _p(p: float) -> str:
    return "not known" if np.isnan(p) else "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _fifths(rows: pd.DataFrame, column: str) -> list[pd.DataFrame]:
    """Return the rows in five parts of about equal number, by their prediction."""
    ordered = rows.sort_values(column, kind="stable")
    return [ordered.iloc[part] for part in np.array_split(np.arange(len(ordered)), BINS)]


def _observed(rows: pd.DataFrame, column: str, horizon: float) -> tuple[float, float, float, float]:
    """Return the mean prediction, the observed share and the ends of its 95 % interval."""
    mean = float(rows[column].mean())
    if not alive_columns(rows):
        count = int(rows["outcome"].sum())
        interval = binomtest(count, len(rows)).proportion_ci(method="wilson")
        return mean, count / len(rows), float(interval.low), float(interval.high)
    curve = survival_curve(rows)
    at = int(np.searchsorted(curve.time, horizon, side="right")) - 1
    if at < 0:
        return mean, 1.0, 1.0, 1.0
    return mean, float(curve.alive[at]), float(curve.low[at]), float(curve.high[at])
