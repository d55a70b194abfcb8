"""The tables and pictures of a cohort's evaluation, from those of its sessions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliaflow.evaluate.bootstrap import Bootstrap, bootstrap_correlation
from gliaflow.evaluate.cohort import COHORT_COLUMNS, cohort_table
from gliaflow.evaluate.detection import Detection, SizeCount, detection_rows
from gliaflow.evaluate.plots import draw_dice, draw_dice_by_site, draw_dice_over_volume, draw_qu_brats
from gliaflow.evaluate.qu_brats import UncertaintyCurves
from gliaflow.evaluate.session import DETECTION_TABLE_COLUMNS, EVALUATION_COLUMNS, METRICS, rounded
from gliaflow.images import Array
from gliaflow.tables import read_rows, write_table
from gliaflow.uncertainty.calibration import RELIABILITY_COLUMNS, calibration, reliability_rows
from gliaflow.uncertainty.counts import read_counts
from gliaflow.uncertainty.plots import draw_reliability

REVIEW_TABLE_COLUMNS = {
    "sessions": "Sessions with a reference in which something was segmented",
    "correlation": "Spearman's rank correlation of the review score with the mean Dice of the regions that "
    "are there or were found; near -1 where unsure sessions are the worse ones",
    "correlation_low": "Lower end of its bootstrap interval",
    "correlation_high": "Upper end of it",
    "flagged": "Sessions that were flagged for review",
    "dice_flagged": "Their mean Dice",
    "dice_other": "Mean Dice of the others",
}
CALIBRATION_TABLE_COLUMNS = {
    "region": "Region",
    "voxels": "Voxels in and around the tumours",
    "frequency": "Share of them in the region",
    "ece": "Expected calibration error over all sessions' voxels",
    "brier": "Brier score",
    "nll": "Mean negative log likelihood (natural logarithm)",
}


@dataclass(frozen=True)
class CohortInputs:
    """Where the tables of a cohort's sessions lie, each kind in the order of the sessions."""

    evaluation: Sequence[Path]
    detection: Sequence[Path]
    curves: Sequence[Path]
    counts: Sequence[Path]
    uncertainty: Sequence[Path]


def write_cohort_evaluation(
    given: CohortInputs,
    *,
    tables: Sequence[Path],
    pictures: Sequence[Path],
    bins: int,
    resamples: int,
    seed: int,
    dpi: int,
) -> None:
    """Write the tables and pictures of a cohort.

    Parameters
    ----------
    given
        The sessions' tables, of one session or more.
    tables
        Where all rows go, their summary, detection by size, calibration, reliability, and what the review
        score is worth.
    pictures
        Where Dice by region, by site, over the volume, the QU-BraTS curves and the reliability diagram go.
    bins
        Of the calibration.
    resamples, seed
        Of the bootstrap intervals.
    dpi
        Dots per inch.
    """
    intervals = Bootstrap(resamples=resamples, seed=seed)
    rows, counts = read_rows(given.evaluation), total_counts(given.counts)
    summary = cohort_table(rows, [name for name in METRICS if name in rows[0]], intervals)
    review = judge_review(rows, read_rows(given.uncertainty), intervals)
    written = [
        (rows, EVALUATION_COLUMNS),
        (summary, COHORT_COLUMNS),
        (total_detection(given.detection), DETECTION_TABLE_COLUMNS),
        (calibration_rows(counts, bins), CALIBRATION_TABLE_COLUMNS),
        (reliability_rows(counts, bins), RELIABILITY_COLUMNS),
        ([review], REVIEW_TABLE_COLUMNS),
    ]
    for path, (content, columns) in zip(tables, written, strict=True):
        write_table(path, [rounded(row) for row in content], columns)
    dice, sites, volume, uncertainty, reliability = pictures
    draw_dice(dice, rows, dpi)
    draw_dice_by_site(sites, rows, dpi)
    draw_dice_over_volume(volume, rows, dpi)
    draw_qu_brats(uncertainty, all_curves(given.curves), dpi)
    draw_reliability(reliability, counts, bins=bins)


def total_detection(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Add up the sessions' counts of lesions by size, region by region."""
    totals: dict[str, Detection] = {}
    for path in paths:
        table = pd.read_csv(path, sep="\t")
        for region, rows in table.groupby("region", sort=False):
            counted = _detection(rows)
            totals[str(region)] = totals[str(region)] + counted if region in totals else counted
    return [{"region": region, **row} for region, total in totals.items() for row in detection_rows(total)]


def total_counts(paths: Iterable[Path]) -> dict[str, Array]:
    """Add up the sessions' counts of voxels by probability and truth, region by region."""
    totals: dict[str, Array] = {}
    for path in paths:
        for region, counts in read_counts(path).items():
            totals[region] = totals[region] + counts if region in totals else counts
    return totals


def calibration_rows(counts: Mapping[str, Array], bins: int) -> list[dict[str, Any]]:
    """Return a row with `CALIBRATION_TABLE_COLUMNS` for each region."""
    return [{"region": region, **vars(calibration(of_region, bins))} for region, of_region in counts.items()]


def all_curves(paths: Iterable[Path]) -> dict[str, list[UncertaintyCurves]]:
    """Read the sessions' QU-BraTS curves, by region."""
    curves: dict[str, list[UncertaintyCurves]] = {}
    for path in paths:
        for region, rows in pd.read_csv(path, sep="\t").groupby("region", sort=False):
            columns = (rows[name].to_numpy(dtype=float) for name in ("threshold", "dice", "ftp", "ftn"))
            curves.setdefault(str(region), []).append(UncertaintyCurves(*columns))
    return curves


def judge_review(
    evaluation: Sequence[Mapping[str, Any]], uncertainty: Sequence[Mapping[str, Any]], intervals: Bootstrap
) -> dict[str, Any]:
    """Tell whether the sessions that the segmentation is unsure of are the worse ones.

    Parameters
    ----------
    evaluation
        Rows of the sessions' tables, one for each region.
    uncertainty
        Rows of the sessions' uncertainty, one for each session.
    intervals
        How the interval is made.

    Returns
    -------
    dict
        With `REVIEW_TABLE_COLUMNS`; None where there is nothing to tell it from.
    """
    dice = mean_dice(evaluation)
    known = [row for row in uncertainty if _key(row) in dice]
    return judge([(row["review_score"], bool(row["review"]), dice[_key(row)]) for row in known], intervals)


def judge(
    sessions: Sequence[tuple[float | None, bool, float]], intervals: Bootstrap | None = None
) -> dict[str, Any]:
    """Tell it from the review score of each session, whether it was flagged, and its mean Dice."""
    scored = [(score, dice) for score, _, dice in sessions if score is not None]
    scores, values = ([pair[k] for pair in scored] for k in range(2))
    found = bootstrap_correlation(scores, values, intervals)
    return {
        "sessions": len(scored),
        "correlation": found.estimate,
        "correlation_low": found.low,
        "correlation_high": found.high,
        "flagged": sum(flagged for _, flagged, _ in sessions),
        "dice_flagged": _mean([dice for _, flagged, dice in sessions if flagged]),
        "dice_other": _mean([dice for _, flagged, dice in sessions if not flagged]),
    }


def mean_dice(evaluation: Iterable[Mapping[str, Any]]) -> dict[tuple[str, ...], float]:
    """Return the mean Dice of each session over the regions that are there or were found, by its names."""
    values: dict[tuple[str, ...], list[float]] = {}
    for row in evaluation:
        if row["state"] != "absent":
            values.setdefault(_key(row), []).append(row["dice"])
    return {key: float(np.mean(dice)) for key, dice in values.items()}


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("cohort", "subject", "session"))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _detection(rows: pd.DataFrame) -> Detection:
    edges = tuple(float(edge) for edge in rows["low_ml"][1:])
    sizes = tuple(
        SizeCount(
            int(r["lesions"]), int(r["detected"]), _total(r["lesion_dice"], r["lesions"]), int(r["false"])
        )
        for r in rows.to_dict("records")
    )
    return Detection(edges, int(rows["scans"].iloc[0]), sizes)


def _total(mean: float, count: int) -> float:
    return mean * count if count else 0.0
