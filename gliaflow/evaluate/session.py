"""All scores of one session: its label map on its own grid, and its probabilities in the atlas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gliaflow.evaluate.detection import DETECTION_COLUMNS, detect_lesions, detection_rows
from gliaflow.evaluate.lesionwise import (
    LESION_COLUMNS,
    LesionScore,
    LesionSettings,
    lesion_rows,
    score_lesions,
)
from gliaflow.evaluate.qu_brats import (
    UNCERTAINTY_COLUMNS,
    UncertaintyCurves,
    uncertainty_curves,
    uncertainty_rows,
)
from gliaflow.evaluate.regions import REGION_COLUMNS, region_rows, score_regions
from gliaflow.images import Array
from gliaflow.labels import region_mask
from gliaflow.tables import NAME_COLUMNS
from gliaflow.uncertainty.calibration import calibration
from gliaflow.uncertainty.counts import WHOLE, counts_around_tumour
from gliaflow.uncertainty.temperature import scale_counts

NAMES = {
    **NAME_COLUMNS,
    "site": "Site of the subject in the table of patients' data; empty where it is not known",
}
LESIONWISE_COLUMNS = {
    "lesion_dice": "Mean Dice of the lesions by the rules of BraTS, missed and false ones with 0; empty if "
    "evaluate.lesionwise is null",
    "lesion_hd95_mm": "Mean 95 % Hausdorff distance of the lesions in mm, missed and false ones with 374",
    "lesions_found": "Lesions that were found",
    "lesions_missed": "Lesions that were missed",
    "lesions_false": "Components that were found outside all lesions",
}
CALIBRATION_COLUMNS = {
    "ece": "Expected calibration error of the probabilities in and around the tumour; empty without a tumour",
    "brier": "Brier score there",
    "nll": "Mean negative log likelihood there (natural logarithm)",
    "temperature": "What the region's probabilities are scaled by in the calibrated map; 1 leaves them alone",
    "ece_calibrated": "Expected calibration error of the calibrated probabilities",
    "brier_calibrated": "Brier score of the calibrated probabilities",
    "nll_calibrated": "Mean negative log likelihood of the calibrated probabilities",
}
FIGURES = ("ece", "brier", "nll")
EVALUATION_COLUMNS = {
    **NAMES,
    **REGION_COLUMNS,
    **LESIONWISE_COLUMNS,
    **{name: text for name, text in UNCERTAINTY_COLUMNS.items() if name != "region"},
    **CALIBRATION_COLUMNS,
}
LESION_TABLE_COLUMNS = {**NAMES, "region": "Region", **LESION_COLUMNS}
DETECTION_TABLE_COLUMNS = {"region": "Region", **DETECTION_COLUMNS}
CURVE_COLUMNS = {
    "region": "Region",
    "threshold": "Voxels with a higher uncertainty (0 to 100) are left out",
    "dice": "Dice of what is left",
    "ftp": "Share of the true positives that is left out",
    "ftn": "Share of the brain's true negatives that is left out",
}
SESSION_TABLES = {
    "regions": EVALUATION_COLUMNS,
    "lesions": LESION_TABLE_COLUMNS,
    "detection": DETECTION_TABLE_COLUMNS,
    "curves": CURVE_COLUMNS,
}
"""The columns of each table of `SessionScores`; those of the counts are elsewhere."""
METRICS = tuple(
    name
    for name in (*REGION_COLUMNS, *LESIONWISE_COLUMNS, *UNCERTAINTY_COLUMNS, *CALIBRATION_COLUMNS)
    if name not in ("region", "state", "temperature")
)
"""The columns of a session's table that a cohort's table summarises."""


@dataclass(frozen=True)
class OwnGrid:
    """A session on its own grid: true and found labels (integers), brain (bool), voxel size in mm."""

    truth: Array
    found: Array
    brain: Array
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class InAtlas(OwnGrid):
    """The same in the atlas, with what the probabilities are: both uint8, shape (x, y, z, regions).

    ``probability`` is 0 to 255 for 0 to 1, ``uncertainty`` 0 (certain) to 100; ``temperature`` is what the
    calibrated probabilities of each region were scaled by.
    """

    probability: Array
    uncertainty: Array
    temperature: Mapping[str, float]


@dataclass(frozen=True)
class SessionScores:
    """Tables of a session, without its names: rows of the columns above, and counts of each region."""

    regions: Sequence[Mapping[str, Any]]
    lesions: Sequence[Mapping[str, Any]]
    detection: Sequence[Mapping[str, Any]]
    curves: Sequence[Mapping[str, Any]]
    counts: Mapping[str, Array]


def score_session(
    own: OwnGrid,
    atlas: InAtlas,
    regions: Sequence[str],
    *,
    lesions: LesionSettings | None,
    sizes_ml: Sequence[float],
    margin_mm: float,
    bins: int,
) -> SessionScores:
    """Score a session.

    Parameters
    ----------
    own
        What overlaps, distances, volumes and lesions are measured on: nothing of the truth is interpolated.
    atlas
        What the uncertainty and the calibration are measured on.
    regions
        Those that were determined; the channels of the probabilities.
    lesions
        The rules of the lesion-wise scores; None leaves them out.
    sizes_ml
        See `gliaflow.evaluate.detection.detect_lesions`.
    margin_mm
        See `gliaflow.uncertainty.counts.region_of_interest`.
    bins
        Of the expected calibration error.

    Raises
    ------
    ImageError
        Shapes differ.
    """
    masks = {r: (region_mask(own.truth, r), region_mask(own.found, r)) for r in regions}
    by_lesion = {r: score_lesions(*masks[r], own.spacing, lesions) for r in regions} if lesions else {}
    curves = {r: _curves(atlas, r, k) for k, r in enumerate(regions)}
    counts = counts_around_tumour(
        atlas.probability,
        regions,
        atlas.truth,
        found=region_mask(atlas.found, WHOLE),
        brain=atlas.brain,
        spacing=atlas.spacing,
        margin_mm=margin_mm,
    )
    scores = score_regions(own.truth, own.found, own.spacing, own.brain, regions)
    rows = [
        {
            **row,
            **_lesionwise(by_lesion.get(row["region"])),
            **unsure,
            **_calibrated(counts[row["region"]], atlas.temperature[row["region"]], bins),
        }
        for row, unsure in zip(region_rows(scores), uncertainty_rows(curves), strict=True)
    ]
    return SessionScores(
        regions=rows,
        lesions=[{"region": r, **row} for r, score in by_lesion.items() for row in lesion_rows(score)],
        detection=[
            {"region": r, **row}
            for r in regions
            for row in detection_rows(detect_lesions(*masks[r], own.spacing, sizes_ml))
        ],
        curves=[row for r, curve in curves.items() for row in curve_rows(r, curve)],
        counts=counts,
    )


def curve_rows(region: str, curves: UncertaintyCurves) -> list[dict[str, Any]]:
    """Return a row with `CURVE_COLUMNS` for each threshold."""
    columns = zip(curves.thresholds, curves.dice, curves.ftp, curves.ftn, strict=True)
    names = tuple(CURVE_COLUMNS)[1:]
    return [
        {"region": region, **{name: round(float(v), 6) for name, v in zip(names, values, strict=True)}}
        for values in columns
    ]


def _curves(atlas: InAtlas, region: str, channel: int) -> UncertaintyCurves:
    truth, found = region_mask(atlas.truth, region), region_mask(atlas.found, region)
    return uncertainty_curves(truth, found, atlas.uncertainty[..., channel], atlas.brain)


def _lesionwise(score: LesionScore | None) -> dict[str, Any]:
    if score is None:
        return dict.fromkeys(LESIONWISE_COLUMNS)
    counts = {f"lesions_{state}": score.count(state) for state in ("found", "missed", "false")}
    return {"lesion_dice": score.dice, "lesion_hd95_mm": score.hd95_mm, **counts}


def _calibrated(counts: Array, temperature: float, bins: int) -> dict[str, Any]:
    before, after = calibration(counts, bins), calibration(scale_counts(counts, temperature), bins)
    return {
        **{name: getattr(before, name) for name in FIGURES},
        "temperature": temperature,
        **{f"{name}_calibrated": getattr(after, name) for name in FIGURES},
    }


def rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its numbers to six decimals, so that tables can be read and compared.

    >>> rounded({"dice": 2 / 3, "region": "WT"})
    {'dice': 0.666667, 'region': 'WT'}
    """
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()}
