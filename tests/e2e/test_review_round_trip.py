"""What reviewers decide comes back into the results: an edit, a rejection, and both taken back."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from workflow import Run, checksums, run

from gliaflow.images import data_of, read_image, spacing_of
from gliaflow.labels import region_mask
from gliaflow.simulate.labelled import CohortPlan, write_cohort

pytestmark = pytest.mark.slow
PLAN = CohortPlan(subjects=3, seed=12, severity=0.3, cohort="seen")
EDITED, REJECTED, ACCEPTED = "001", "002", "003"
REVIEW = """cohort\tsubject\tsession\tdecision\tlabel\treviewer\tdate\tcomment
seen\t001\t1\tedit\tedited.nii.gz\tAB\t2026-03-31\t'=took the left part off
seen\t002\t1\treject\t\tAB\t2026-03-31\t<b>moved</b>
seen\t003\t1\taccept\t\tAB\t2026-03-31\t
"""
CONFIG = {
    "atlas": {"resolution": 2},
    "preprocess": {"n4": "off"},
    "segment": {"models": ["flairbaseline"]},
    "evaluate": {"resamples": 100},
}


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three generated subjects with a FLAIR, a T1 after contrast and a reference."""
    path = write_cohort(tmp_path_factory.mktemp("seen") / "cohort", PLAN)
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for row in rows:
        row.update(t1n="", t2w="")
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def automatic(sheet: Path) -> tuple[Run, dict[str, str]]:
    """The first run, and the checksums of its results."""
    done = run(sheet.parent.parent / "out", sheet, config=CONFIG)
    assert done.status == 0, done.output
    return done, checksums(done.directory)


def results(done: Run, subject: str, name: str) -> Path:
    folder = done.directory / "results" / "seen" / f"sub-{subject}" / "ses-1" / "seg"
    return folder / f"sub-{subject}_ses-1_{name}"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.fixture(scope="module")
def review(sheet: Path, automatic: tuple[Run, dict[str, str]]) -> Path:
    """The table of a review, and an edited label map as an editor saves it: in LPS, as 16-bit integers."""
    folder = sheet.parent.parent / "review"
    folder.mkdir()
    found = read_image(results(automatic[0], EDITED, "space-ref_dseg.nii.gz"))
    values = data_of(found, np.int16)
    tumour = np.argwhere(values > 0)
    values[: int(np.median(tumour[:, 0]))] = 0
    turned = nib.orientations.io_orientation(np.diag([-1.0, -1.0, 1.0, 1.0]))
    nib.save(nib.Nifti1Image(values, found.affine).as_reoriented(turned), folder / "edited.nii.gz")
    path = folder / "review.tsv"
    path.write_text(REVIEW)
    return path


@pytest.fixture(scope="module")
def reviewed(automatic: tuple[Run, dict[str, str]], sheet: Path, review: Path) -> Run:
    """The second run, with the review."""
    return run(automatic[0].directory, sheet, config=CONFIG | {"reviews": [str(review)]})


def test_only_what_follows_the_edit_and_the_tables_run_again(reviewed: Run) -> None:
    assert reviewed.status == 0, reviewed.output
    jobs = reviewed.planned()
    assert jobs["labels_automatic"] == jobs["labels_edited"] == jobs["features"] == jobs["evaluate"] == 1
    assert jobs["features_cohort"] == jobs["evaluate_cohort"] == jobs["dataset_description"] == 1
    assert not set(jobs) & {"convert", "coregister", "segment", "fuse", "labels", "normalise"}


def test_the_edited_label_map_replaces_the_automatic_one_which_stays_beside_it(
    reviewed: Run, automatic: tuple[Run, dict[str, str]], review: Path
) -> None:
    before = automatic[1]
    for space in ("ref", "MNI152"):
        auto = results(reviewed, EDITED, f"space-{space}_desc-auto_dseg.nii.gz")
        own = str(results(reviewed, EDITED, f"space-{space}_dseg.nii.gz").relative_to(reviewed.directory))
        after = checksums(reviewed.directory)
        assert after[str(auto.relative_to(reviewed.directory))] == before[own]
        assert after[own] != before[own]
    kept = read_image(results(reviewed, EDITED, "space-ref_dseg.nii.gz"))
    saved = nib.as_closest_canonical(nib.load(review.with_name("edited.nii.gz")))
    assert np.array_equal(data_of(kept, np.uint8), data_of(saved, np.uint8))
    record = json.loads(results(reviewed, EDITED, "space-ref_dseg.json").read_text())
    assert record["Model"] == "flairbaseline"
    assert {key: record["Review"][key] for key in ("Decision", "Reviewer", "Date")} == {
        **{"Decision": "edit", "Reviewer": "AB"},
        "Date": "2026-03-31",
    }
    assert record["Sources"][0] == "review.tsv, seen/001/1, column label"
    assert str(review.parent) not in json.dumps(record)


def test_volumes_features_and_scores_are_those_of_the_edit(reviewed: Run) -> None:
    kept = read_image(results(reviewed, EDITED, "space-ref_dseg.nii.gz"))
    millilitres = region_mask(data_of(kept, np.uint8), "WT").sum() * np.prod(spacing_of(kept)) / 1000
    (volume,) = rows_of(results(reviewed, EDITED, "volumes.tsv"))
    (automatic,) = rows_of(results(reviewed, EDITED, "desc-auto_volumes.tsv"))
    assert float(volume["wt_volume_ml"]) == pytest.approx(millilitres, abs=1e-3)
    assert float(automatic["wt_volume_ml"]) > 1.3 * millilitres
    (features,) = rows_of(results(reviewed, EDITED, "features.tsv"))
    assert float(features["wt_volume_ml"]) == pytest.approx(millilitres, rel=0.05)
    scores = {row["region"]: row for row in rows_of(results(reviewed, EDITED, "evaluation.tsv"))}
    assert float(scores["WT"]["found_ml"]) == pytest.approx(millilitres, rel=0.05)


def test_the_rejected_session_leaves_every_table_and_stays_listed(reviewed: Run) -> None:
    folder = reviewed.directory / "results" / "seen"
    for name in ("features", "evaluation"):
        assert {row["subject"] for row in rows_of(folder / f"{name}.tsv")} == {EDITED, ACCEPTED}
    (told,) = [row for row in rows_of(folder / "status.tsv") if row["subject"] == REJECTED]
    assert (told["stage"], told["state"], told["message"]) == (
        *("review", "rejected"),
        "2026-03-31, AB, <b>moved</b>",
    )
    page = (folder / "index.html").read_text()
    assert "<strong>1</strong> rejected" in page
    assert "&lt;b&gt;moved&lt;/b&gt;" in page
    assert results(reviewed, REJECTED, "space-ref_dseg.nii.gz").exists()


def test_the_pages_of_the_sessions_tell_what_was_decided(reviewed: Run) -> None:
    for subject, told in ((EDITED, "edit: 2026-03-31, AB, =took"), (ACCEPTED, "accept: 2026-03-31, AB")):
        folder = reviewed.directory / "results" / "seen" / f"sub-{subject}" / "ses-1" / "qc"
        assert f"<li>{told}" in (folder / "report.html").read_text()


def test_the_description_of_the_cohort_has_every_decision(reviewed: Run) -> None:
    described = json.loads((reviewed.directory / "results/seen/dataset_description.json").read_text())
    assert [(entry["Session"], entry["Decision"]) for entry in described["Reviews"]["Sessions"]] == [
        ("001/1", "edit"),
        ("002/1", "reject"),
        ("003/1", "accept"),
    ]
    assert described["Reviews"]["Sessions"][0]["Comment"] == "=took the left part off"


def test_without_the_review_everything_is_as_it_was(
    reviewed: Run, automatic: tuple[Run, dict[str, str]], sheet: Path
) -> None:
    back = run(reviewed.directory, sheet, config=CONFIG)
    assert back.status == 0, back.output
    after = checksums(back.directory)
    assert {path: after[path] for path in automatic[1]} == automatic[1]


def test_an_edit_on_another_grid_fails_with_its_cell_and_the_others_go_on(
    automatic: tuple[Run, dict[str, str]], sheet: Path, tmp_path: Path
) -> None:
    nib.save(
        nib.Nifti1Image(np.full((9, 9, 9), 2, np.uint8), np.diag([3.1, 3.1, 3.1, 1])),
        tmp_path / "edited.nii.gz",
    )
    (tmp_path / "review.tsv").write_text(REVIEW)
    config = CONFIG | {"reviews": [str(tmp_path / "review.tsv")]}
    failed = run(automatic[0].directory, sheet, "--keep-going", "--retries", "0", config=config)
    assert failed.status == 3, failed.output
    assert (
        "review.tsv, seen/001/1, column label: has the shape (9, 9, 9) and lies on another grid"
        in failed.output
    )
    page = (failed.directory / "results/seen/index.html").read_text()
    assert "column label: has the shape (9, 9, 9)" in page
    assert 'href="sub-001/ses-1/qc/failed.html"' in page
    told = (failed.directory / "results/seen/sub-001/ses-1/qc/failed.html").read_text()
    assert "column label: has the shape (9, 9, 9)" in told
    assert "labels_edited" in told
