"""The page of a cohort: what needs attention, every session, and what was made of them together."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gliaflow.config.reviews import Review
from gliaflow.labels import REGIONS
from gliaflow.report.cohort_plots import MOST_NAMED, Point, Strip, strip
from gliaflow.report.cohort_sessions import (
    ORDER,
    CohortSession,
    cohort_sessions,
    counts_of,
    session_cells,
    table_rows,
)
from gliaflow.report.page import write_page
from gliaflow.status import BROKEN, STATES

PAGE = "results/{cohort}/index.html"
MOST_FAILURES = 200
MOST_THUMBNAIL_BYTES = 10_000_000
"""Pictures of key slices beyond this are left out, so that the page stays light."""
NAME = re.compile(r"[A-Za-z0-9]+")
METRICS = {
    "dice": "Dice",
    "lesion_dice": "lesion-wise Dice",
    "hd95_mm": "Hausdorff distance, 95 %, in mm",
    "volume_error": "relative error of the volume",
    "ece": "expected calibration error",
}
EVALUATION_PICTURES = {
    "dice": "Dice of every session, by region",
    "sites": "Dice by site",
    "volume": "Dice over the volume of the tumour",
    "uncertainty": "What leaving out unsure voxels changes",
    "calibration": "Calibration: how often probabilities are right",
}
GROWTH_PICTURES = {
    "coverage": "How much of the recurrence each plan covers",
    "precision": "How well times to invasion rank voxels",
    "experiment": "The experiment over the settings of growth",
}
PREDICT_PICTURES = {
    "roc": "Receiver operating characteristic, cross-validated",
    "confusion": "Confusion, cross-validated",
    "kaplan_meier": "Survival of the risk groups, cross-validated",
    "reliability": "Reliability of the probabilities, cross-validated",
    "chance": "The score beside those of permuted outcomes",
}
MEANS = ("n", "mean", "mean_low", "mean_high", "median")
OF_PREDICTIONS = (
    *("subject", "session", "task", "quantity", "prediction", "group", "basis", "metric"),
    *("cross_validated", "cross_validated_low", "cross_validated_high", "chance", "p", "marks"),
)

Key = tuple[str, str, str]
Row = Mapping[str, str]


@dataclass(frozen=True)
class Picture:
    """A picture of the whole cohort, and what it shows."""

    path: Path
    caption: str


def write_cohort_page(
    cohort: str,
    status: Sequence[Row],
    reviews: Mapping[Key, Review] | None = None,
    *,
    stages: Sequence[str] = (),
    root: Path = Path(),
) -> Path:
    """Write ``results/<cohort>/index.html`` from what is there, whether sessions failed or not.

    Parameters
    ----------
    cohort
        Its name.
    status
        Rows of `gliaflow.status.STATUS_COLUMNS`, from `gliaflow.status.cohort_status`.
    reviews
        What reviewers decided, by cohort, subject and session.
    stages
        The stages in the order of the workflow.
    root
        The folder that the workflow runs in.

    Returns
    -------
    Path
        The page: one file that works offline.
    """
    folder = root / "results" / cohort
    own = [row for row in status if row["cohort"] == cohort]
    sessions = cohort_sessions(cohort, own, reviews or {}, root=root)
    headings, cells = session_cells(sessions)
    failures = [row for row in own if row["state"] == BROKEN]
    path = root / PAGE.format(cohort=cohort)
    path.parent.mkdir(parents=True, exist_ok=True)
    predictions = _of_kept(table_rows(folder / "predictions.tsv"), sessions)
    write_page(
        path,
        "cohort.html",
        cohort=cohort,
        counts=counts_of(sessions),
        states=STATES,
        stages=stage_counts(own, stages),
        failures=failures[:MOST_FAILURES],
        more_failures=len(failures) - MOST_FAILURES,
        headings=headings,
        rows=[
            (session, ORDER.index(session.state), own_cells)
            for session, own_cells in zip(sessions, cells, strict=True)
        ],
        strips=strips_of(sessions),
        most_named=MOST_NAMED,
        thumbnails=lightest(sessions),
        evaluation=evaluation_rows(table_rows(folder / "evaluation_summary.tsv")),
        evaluation_pictures=pictures_of(folder, "evaluation_", EVALUATION_PICTURES),
        growth=[
            _columns(row, ("recurrence", "plan", "difference", *MEANS))
            for row in table_rows(folder / "growth_summary.tsv")
            if row.get("mean")
        ],
        growth_pictures=pictures_of(folder, "growth_", GROWTH_PICTURES),
        predictions=predictions,
        prediction_pictures=[
            (task, pictures_of(root / "results" / "predict" / task, "", PREDICT_PICTURES))
            for task in dict.fromkeys(row.get("task", "") for row in predictions)
            if NAME.fullmatch(task)
        ],
    )
    return path


def stage_counts(status: Iterable[Row], stages: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Return for each stage, in their order, how many sessions are in which of `gliaflow.status.STATES`."""
    counts = Counter((row["stage"], row["state"]) for row in status if row["state"] in STATES)
    there = dict.fromkeys(stage for stage, _ in counts)
    order = dict.fromkeys([*(stage for stage in stages if stage in there), *there])
    return [(stage, [counts[stage, state] for state in STATES]) for stage in order]


def strips_of(sessions: Iterable[CohortSession]) -> list[Strip]:
    """Return the distributions of volumes and of uncertainty over the sessions that are finished."""
    sessions = list(sessions)
    drawn = [(f"{region.lower()}_volume_ml", f"Volume of {region}", "ml") for region in REGIONS]
    drawn += [
        ("wt_volume_cv", "Coefficient of variation of the volume of WT over the members", ""),
        ("review_score", "Review score: the higher, the less sure", ""),
    ]
    strips = [
        strip(title, unit, [Point(s.name, s.place, s.numbers[c]) for s in sessions if c in s.numbers])
        for c, title, unit in drawn
    ]
    return [drawn for drawn in strips if drawn]


def lightest(sessions: Iterable[CohortSession]) -> list[CohortSession]:
    """Return the sessions whose key slice is shown: in their order, as many as the page can carry."""
    total, found = 0, []
    for session in sessions:
        total += len(session.thumbnail)
        if session.thumbnail and total <= MOST_THUMBNAIL_BYTES:
            found.append(session)
    return found


def evaluation_rows(summary: Iterable[Row]) -> list[dict[str, str]]:
    """Return the means of a cohort's evaluation with their intervals, of all sites together."""
    return [
        {**_columns(row, MEANS), "region": row.get("region", ""), "metric": METRICS[row["metric"]]}
        for row in summary
        if row.get("scope") == "cohort" and row.get("cases") == "all" and row.get("metric") in METRICS
    ]


def pictures_of(folder: Path, start: str, captions: Mapping[str, str]) -> list[Picture]:
    """Return the pictures that are there, with what they show."""
    found = [Picture(folder / f"{start}{name}.png", text) for name, text in captions.items()]
    return [picture for picture in found if picture.path.is_file()]


def _of_kept(rows: Iterable[Row], sessions: Iterable[CohortSession]) -> list[Row]:
    """Leave out what an older table still says of sessions that were rejected since."""
    kept = {(s.subject, s.session) for s in sessions if not (s.review and s.review.rejected)}
    chosen = [row for row in rows if (row.get("subject"), row.get("session")) in kept]
    return [_columns(row, OF_PREDICTIONS) for row in chosen]


def _columns(row: Row, names: Iterable[str]) -> dict[str, str]:
    """Return the columns that a page shows, empty where a table of another version lacks one."""
    return {name: row.get(name, "") for name in names}
