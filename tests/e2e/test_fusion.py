"""Three persons' label maps of generated subjects are fused, measured and scored by the workflow."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from workflow import Run, run

from gliaflow.evaluate.overlap import dice
from gliaflow.images import Array, data_of, read_image, spacing_of, write_image
from gliaflow.labels import region_mask
from gliaflow.simulate.labelled import CohortPlan, write_cohort
from gliaflow.simulate.raters import Raters

PERSONS = ("anna", "ben", "carla")
PLAN = CohortPlan(subjects=2, seed=8, severity=0.4, cohort="fused")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A labelled cohort whose sheet names two sequences, and three persons' label maps of each subject."""
    folder = tmp_path_factory.mktemp("fusion")
    sheet = write_cohort(folder / "cohort", PLAN)
    with sheet.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for row in rows:
        label = read_image(sheet.parent / row["label"])
        drawn = Raters(number=3, seed=2).rate(data_of(label, np.uint8), spacing_of(label), row["subject"])
        for person, labels in zip(PERSONS, drawn, strict=True):
            write_image(folder / f"{row['subject']}_{person}.nii.gz", labels, label.affine, np.uint8)
        row.update(t1n="", t2w="")
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    sheet.write_text("\n".join(lines) + "\n", encoding="utf-8")
    paths = {person: str(folder / f"{{subject}}_{person}.nii.gz") for person in PERSONS}
    external = [{"name": person, "path": path, "space": "atlas"} for person, path in paths.items()]
    config = {
        "atlas": {"resolution": 2},
        "preprocess": {"n4": "off"},
        "segment": {"models": ["flairbaseline"], "external": external},
        "fuse": {"method": "staple"},
        "evaluate": {"resamples": 200},
        "participants": str(sheet.with_name("participants.tsv")),
    }
    return sheet, config


@pytest.fixture(scope="module")
def fused(settings: tuple[Path, dict]) -> Run:
    sheet, config = settings
    return run(sheet.parent.parent / "out", sheet, config=config)


def results(done: Run, subject: str, name: str) -> Path:
    folder = done.directory / "results" / "fused" / f"sub-{subject}" / "ses-1" / "seg"
    return folder / f"sub-{subject}_ses-1_{name}"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def whole(path: Path) -> Array:
    return region_mask(data_of(read_image(path), np.uint8), "WT")


def test_the_fused_label_map_is_as_good_as_the_best_of_them(fused, settings):
    assert fused.status == 0, fused.output
    sheet, _ = settings
    for row in rows_of(sheet):
        truth = whole(sheet.parent / row["label"])
        persons = [whole(sheet.parent.parent / f"{row['subject']}_{person}.nii.gz") for person in PERSONS]
        found = whole(results(fused, row["subject"], "space-MNI152_dseg.nii.gz"))
        assert dice(found, truth) > max(dice(person, truth) for person in persons) - 0.02


def test_the_sidecar_says_what_staple_found_of_each(fused):
    record = json.loads(results(fused, "001", "space-MNI152_probseg.json").read_text())
    assert record["Model"] == "flairbaseline+anna+ben+carla"
    voted = record["Votes"]["WT"]["Performance"]
    assert set(voted) == {"flairbaseline", *PERSONS}
    assert all(0.8 < voted[person]["WT"]["sensitivity"] <= 1 for person in PERSONS)
    # the baseline determines the whole tumour only
    assert set(record["Votes"]["TC/ET"]["Performance"]) == set(PERSONS)


def test_sessions_and_cohort_are_scored(fused):
    scores = [row for subject in ("001", "002") for row in rows_of(results(fused, subject, "evaluation.tsv"))]
    cohort = fused.directory / "results" / "fused"
    assert rows_of(cohort / "evaluation.tsv") == scores
    assert {row["site"] for row in scores} == {"site1", "site2"}
    assert all(float(row["dice"]) > 0.8 for row in scores if row["region"] == "WT")
    summary = rows_of(cohort / "evaluation_summary.tsv")
    assert {row["scope"] for row in summary} == {"cohort", "site"}
    assert all(
        (cohort / f"evaluation_{n}.png").stat().st_size > 1000 for n in ("dice", "sites", "uncertainty")
    )


def test_the_uncertainty_is_that_of_the_sources(fused):
    (row,) = rows_of(results(fused, "001", "uncertainty.tsv"))
    assert row["members"] == "4"
    assert 0.5 < float(row["wt_pairwise_dice"]) < 1
    unsure = data_of(read_image(results(fused, "001", "space-ref_uncertainty.nii.gz")), np.uint8)
    assert 0 < unsure.max() <= 100


def test_other_post_processing_repeats_nothing_before_it(fused, settings):
    """Members are gone by then: what needs them may not run again."""
    sheet, config = settings
    changed = config | {"segment": config["segment"] | {"postprocess": {"fill_holes": True}}}
    planned = run(fused.directory, sheet, "--dry-run", config=changed).planned()
    assert set(planned) >= {"labels", "review", "evaluate", "evaluate_cohort"}
    assert not set(planned) & {"segment", "external", "fuse", "uncertainty"}
