"""All scores of a session and of a cohort, from arrays to the files that a cohort's table is made of."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gliaflow.evaluate.bootstrap import Bootstrap
from gliaflow.evaluate.cohort_files import (
    CohortInputs,
    judge_review,
    mean_dice,
    total_counts,
    total_detection,
    write_cohort_evaluation,
)
from gliaflow.evaluate.lesionwise import LesionSettings
from gliaflow.evaluate.overlap import dice
from gliaflow.evaluate.session import (
    EVALUATION_COLUMNS,
    SESSION_TABLES,
    InAtlas,
    OwnGrid,
    SessionScores,
    rounded,
    score_session,
)
from gliaflow.images import Array
from gliaflow.labels import REGIONS, region_mask
from gliaflow.segment.segmenters import quantise
from gliaflow.tables import read_rows, write_table
from gliaflow.uncertainty.calibration import calibration
from gliaflow.uncertainty.counts import read_counts, write_counts
from gliaflow.uncertainty.flags import REVIEW_COLUMNS
from gliaflow.uncertainty.temperature import scale_counts

SPACING = (1.0, 1.0, 2.0)
SHAPE = (20, 18, 16)
EVERY = LesionSettings(min_mm3=0)
TEMPERATURE = {"WT": 2.0, "TC": 1.0, "ET": 1.0}


def ball(centre: tuple[int, int, int], radius: float) -> Array:
    grid = np.indices(SHAPE) - np.array(centre).reshape(3, 1, 1, 1)
    return np.sqrt((grid**2).sum(axis=0)) < radius


def labels(core: float, whole: float, shift: int = 0) -> Array:
    """A tumour without an enhancing part."""
    middle = (9 + shift, 9, 8)
    return np.where(ball(middle, core), 1, np.where(ball(middle, whole), 2, 0)).astype(np.uint8)


def scored(shift: int, lesions: LesionSettings | None = EVERY) -> SessionScores:
    truth, found = labels(3, 6), labels(3, 6, shift)
    brain = ball((10, 9, 8), 9)
    inside = np.stack([region_mask(found, region) for region in REGIONS], axis=-1)
    probability = quantise(np.where(inside, 0.9, 0.1))
    unsure = np.where(inside, 40, 10).astype(np.uint8)
    atlas = InAtlas(truth, found, brain, (2.0, 2.0, 2.0), probability, unsure, TEMPERATURE)
    own = OwnGrid(truth, found, brain, SPACING)
    return score_session(own, atlas, REGIONS, lesions=lesions, sizes_ml=[0.1], margin_mm=4, bins=10)


@pytest.fixture(scope="module")
def shifted() -> SessionScores:
    return scored(2)


def test_every_region_has_a_row_with_all_columns(shifted):
    names = {"cohort", "subject", "session", "site"}
    assert [row["region"] for row in shifted.regions] == list(REGIONS)
    assert all(set(row) == set(EVALUATION_COLUMNS) - names for row in shifted.regions)
    whole, core, enhancing = shifted.regions
    assert whole["dice"] == dice(labels(3, 6) > 0, labels(3, 6, 2) > 0)
    assert (enhancing["state"], enhancing["dice"], enhancing["lesion_dice"]) == ("absent", 1, 1)
    assert (core["lesions_found"], core["lesions_missed"]) == (1, 0)
    assert 0 < whole["qu_brats_score"] < 1


def test_calibration_before_and_after_the_temperature(shifted):
    for row in shifted.regions:
        counts, temperature = shifted.counts[row["region"]], TEMPERATURE[row["region"]]
        assert row["nll"] == calibration(counts, 10).nll
        assert row["temperature"] == temperature
        assert row["nll_calibrated"] == calibration(scale_counts(counts, temperature), 10).nll


def test_without_lesion_wise_scores_their_columns_are_empty():
    found = scored(2, lesions=None)
    assert found.lesions == []
    assert all(row["lesion_dice"] is None and row["lesions_found"] is None for row in found.regions)


def write_session(folder: Path, subject: str, scores: SessionScores, score: float | None) -> dict[str, Path]:
    """Write what the rules `evaluate` and `review` write for a session."""
    names = {"cohort": "one", "subject": subject, "session": "01", "site": None}
    paths = {}
    for name, columns in SESSION_TABLES.items():
        paths[name] = folder / f"{subject}_{name}.tsv"
        named = names if "subject" in columns else {}
        write_table(paths[name], [named | rounded(row) for row in getattr(scores, name)], columns)
    paths["counts"] = folder / f"{subject}_counts.tsv"
    write_counts(paths["counts"], scores.counts)
    paths["uncertainty"] = folder / f"{subject}_uncertainty.tsv"
    review = {"review_score": score, "review": int(score is None or score > 0.3), "review_reasons": None}
    columns = dict.fromkeys(("cohort", "subject", "session"), "") | REVIEW_COLUMNS
    write_table(paths["uncertainty"], [{**{k: names[k] for k in names if k != "site"}, **review}], columns)
    return paths


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CohortInputs]:
    """Three sessions, the worse ones less sure, all named with zeros in front."""
    folder = tmp_path_factory.mktemp("cohort")
    sessions = [
        write_session(folder, f"00{k}", scored(shift), score)
        for k, (shift, score) in enumerate(((0, 0.1), (2, 0.2), (4, 0.5)))
    ]
    keys = ("regions", "detection", "curves", "counts", "uncertainty")
    return folder, CohortInputs(*(tuple(session[key] for session in sessions) for key in keys))


def test_identifiers_are_read_as_text(cohort):
    _, given = cohort
    rows = read_rows(given.evaluation)
    assert {(row["subject"], row["session"]) for row in rows} == {(f"00{k}", "01") for k in range(3)}
    assert {row["site"] for row in rows} == {None}


def test_counts_of_sessions_are_added(cohort):
    _, given = cohort
    total = total_counts(given.counts)
    for region in REGIONS:
        single = [read_counts(path)[region] for path in given.counts]
        np.testing.assert_array_equal(total[region], np.sum(single, axis=0))
    whole = [row for row in total_detection(given.detection) if row["region"] == "WT"]
    assert [row["scans"] for row in whole] == [3, 3]
    assert sum(row["lesions"] for row in whole) == sum(row["detected"] for row in whole) == 3
    expected = np.mean([dice(labels(3, 6) > 0, labels(3, 6, shift) > 0) for shift in (0, 2, 4)])
    assert whole[1]["lesion_dice"] == pytest.approx(expected, abs=1e-5)


def test_the_review_score_is_judged_by_the_dice(cohort):
    _, given = cohort
    rows, unsure = read_rows(given.evaluation), read_rows(given.uncertainty)
    found = judge_review(rows, unsure, Bootstrap(resamples=200))
    assert (found["sessions"], found["flagged"], found["correlation"]) == (3, 1, pytest.approx(-1))
    values = mean_dice(rows)
    assert found["dice_flagged"] == pytest.approx(values["one", "002", "01"])
    assert found["dice_other"] == pytest.approx((values["one", "000", "01"] + values["one", "001", "01"]) / 2)


def test_a_session_in_which_nothing_was_segmented_has_no_score_but_counts_as_flagged(cohort):
    _, given = cohort
    unsure = [row | {"review_score": None, "review": 1} for row in read_rows(given.uncertainty)]
    found = judge_review(read_rows(given.evaluation), unsure, Bootstrap(resamples=200))
    assert (found["sessions"], found["flagged"], found["dice_other"]) == (0, 3, None)


def test_a_cohort_gets_its_tables_and_pictures(cohort):
    folder, given = cohort
    names = ("all", "summary", "detection", "calibration", "reliability", "review")
    tables = [folder / f"evaluation_{name}.tsv" for name in names]
    pictures = [folder / f"{name}.png" for name in ("dice", "sites", "volume", "uncertainty", "calibration")]
    settings = {"bins": 10, "resamples": 200, "seed": 1, "dpi": 60}
    write_cohort_evaluation(given, tables=tables, pictures=pictures, **settings)
    first = [path.read_bytes() for path in (*tables, *pictures)]
    write_cohort_evaluation(given, tables=tables, pictures=pictures, **settings)
    assert first == [path.read_bytes() for path in (*tables, *pictures)]
    summary = pd.read_csv(tables[1], sep="\t").set_index(["region", "cases", "metric"])
    rows = pd.read_csv(tables[0], sep="\t")
    whole = rows[rows["region"] == "WT"]["dice"]
    row = summary.loc[("WT", "all", "dice")]
    assert row["mean"] == pytest.approx(whole.mean(), abs=1e-5)
    assert row["sd"] == pytest.approx(whole.std(), abs=1e-5)
    assert summary.loc[("ET", "with_region", "dice"), "n"] == 0
    assert summary.loc[("ET", "all", "dice"), "absent"] == 3
    meanings = json.loads(tables[1].with_suffix(".json").read_text())
    assert set(meanings) == set(summary.reset_index().columns)
