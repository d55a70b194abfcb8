"""What is planned after a review: a rejected session leaves its cohort, an edit repeats what follows it."""

import json
from pathlib import Path

import pytest
from cohorts import REPOSITORY, Planned, facts, labelled, plan, session, snakemake, write_sheet

from gliaflow.config.reviews import REVIEW_COLUMNS

NAMES = ("01", "02", "03")
OF_EVERY_SESSION = {
    *("labels_automatic", "labels_edited", "review", "evaluate", "features", "report_session"),
    *("qc_registration", "qc_brain_mask", "qc_segmentation", "qc_uncertainty", "qc_rano"),
}
# Snakemake's --touch keeps no parameters of a job without inputs, such as dataset_description.
OF_COHORT = {"features_cohort", "evaluate_cohort", "all"}


def decide(folder: Path, *decisions: tuple[str, str], date: str = "2026-03-31") -> Path:
    """A review with a decision for each subject, whose edited label maps are empty files."""
    lines = ["\t".join(REVIEW_COLUMNS)]
    for subject, decision in decisions:
        label = f"edited{subject}.nii.gz" if decision == "edit" else ""
        (folder / (label or "nothing")).touch()
        lines.append("\t".join(["one", subject, "1", decision, label, "AB", date, "it = so"]))
    path = folder / f"review{len(list(folder.glob('review*')))}.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def flair_only(folder: Path) -> str:
    """A model table of which only sessions with a FLAIR are segmented."""
    entry = {"name": "flairbaseline", "kind": "flair_baseline", "sequences": ["t2f"], "regions": ["WT"]}
    (folder / "models.yaml").write_text(json.dumps({"segmentation": [entry | {"licence": "MIT"}]}))
    return str(folder / "models.yaml")


def jobs_of(found: dict, rule: str) -> dict[str, dict]:
    return {job["wildcards"].get("subject", ""): job for job in found["jobs"] if job["rule"] == rule}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder where Snakemake takes a cohort of three for finished, and its sheet."""
    folder = tmp_path_factory.mktemp("reviewed")
    sheet = write_sheet(folder / "samples.tsv", [labelled(folder, name) for name in NAMES])
    for path in (path for job in facts(folder, sheet)["jobs"] for path in job["output"]):
        place = folder / "out" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir() if path.endswith("members") else place.touch()
    place = ("--directory", folder / "out", "--snakefile", REPOSITORY / "Snakefile")
    touched = snakemake("--touch", "--cores", "1", *place, "--config", f"samples=['{sheet}']")
    assert touched.status == 0, touched.output
    return folder, sheet


def after(finished: tuple[Path, Path], *reviews: Path) -> Planned:
    planned = plan(*finished, reviews=list(map(str, reviews)))
    assert planned.status == 0, planned.output
    return planned


def test_without_a_review_nothing_runs_again(finished: tuple[Path, Path]) -> None:
    assert after(finished).jobs == {}


def test_a_session_that_is_accepted_gets_a_page_that_says_so(finished: tuple[Path, Path]) -> None:
    assert after(finished, decide(finished[0], ("01", "accept"))).jobs == {"report_session": 1, "all": 1}


def test_an_edit_repeats_exactly_what_depends_on_the_labels(finished: tuple[Path, Path]) -> None:
    jobs = after(finished, decide(finished[0], ("02", "edit"))).jobs
    assert set(jobs) == OF_EVERY_SESSION | OF_COHORT
    assert set(jobs.values()) == {1}


def test_a_rejected_session_changes_the_tables_of_its_cohort_only(finished: tuple[Path, Path]) -> None:
    assert set(after(finished, decide(finished[0], ("02", "reject"))).jobs) == OF_COHORT


def test_a_rejected_session_is_in_no_table_and_keeps_no_job(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [labelled(tmp_path, name) for name in NAMES])
    found = facts(tmp_path, sheet, reviews=[str(decide(tmp_path, ("02", "reject")))])
    assert set(jobs_of(found, "labels")) == {"01", "03"}
    assert not [job for job in found["jobs"] if job["wildcards"].get("subject") == "02"]
    for rule in ("features_cohort", "evaluate_cohort"):
        inputs = jobs_of(found, rule)[""]["input"]
        assert {Path(path).parts[2] for path in inputs} == {"sub-01", "sub-03"}


def test_a_rejected_session_is_passed_over_in_a_course(tmp_path: Path) -> None:
    days = {"1": "0", "2": "90", "3": "180"}
    rows = [session(tmp_path, number=n, days=d) for n, d in days.items()]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    review = tmp_path / "review.tsv"
    review.write_text("cohort\tsubject\tsession\tdecision\tdate\none\t01\t2\treject\t2026-03-31\n")
    found = facts(tmp_path, sheet, reviews=[str(review)], growth={"in_all": True})
    features = {
        job["wildcards"]["session"]: job["input"] for job in found["jobs"] if job["rule"] == "features"
    }
    assert [path for path in features["3"] if path.endswith("_features.tsv")] == [
        "results/one/sub-01/ses-1/seg/sub-01_ses-1_features.tsv"
    ]
    followed = {job["wildcards"]["session"] for job in found["jobs"] if job["rule"] == "growth_followup"}
    assert followed == {"3"}
    target = "results/one/sub-01/ses-2/growth/sub-01_ses-2_ranking.tsv"
    asked = plan(tmp_path, sheet, arguments=(target,), reviews=[str(review)])
    assert asked.status == 1
    assert "one/01/2: growth is judged by later sessions that have a label map and that no" in asked.output
    assert "of this subject: 3" in asked.output


def test_a_cohort_of_which_all_is_rejected_has_no_tables(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [labelled(tmp_path)])
    found = facts(tmp_path, sheet, reviews=[str(decide(tmp_path, ("01", "reject")))])
    assert {job["rule"] for job in found["jobs"]} == {"dataset_description", "all"}


def test_the_automatic_labels_lie_beside_the_edited_ones(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [labelled(tmp_path, name) for name in NAMES])
    edited = decide(tmp_path, ("02", "edit"))
    later = decide(tmp_path, ("02", "accept"), date="2026-04-30")
    found = facts(tmp_path, sheet, reviews=[str(edited), str(later)])
    assert set(jobs_of(found, "labels")) == {"01", "03"}
    (automatic,), (job,) = (jobs_of(found, rule).values() for rule in ("labels_automatic", "labels_edited"))
    folder = "results/one/sub-02/ses-1/seg/sub-02_ses-1"
    assert f"{folder}_space-ref_desc-auto_dseg.nii.gz" in automatic["output"]
    assert f"{folder}_space-ref_dseg.nii.gz" in job["output"]
    assert str(tmp_path / "edited02.nii.gz") in job["input"]
    assert job["params"]["review"] == {"Decision": "edit", "Reviewer": "AB", "Date": "2026-03-31"}
    assert job["params"]["cell"] == f"{edited.name}, one/02/1, column label"
    assert str(tmp_path) not in str(job["params"])


def test_the_description_of_the_cohort_records_decisions_with_the_checksum_of_the_review(
    tmp_path: Path,
) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, name) for name in NAMES])
    path = decide(tmp_path, ("02", "reject"), ("03", "accept"))
    (job,) = jobs_of(facts(tmp_path, sheet, reviews=[str(path)]), "dataset_description").values()
    told = job["params"]["facts"]["reviews"]
    assert [table["Name"] for table in told["Tables"]] == [path.name]
    assert [(entry["Session"], entry["Decision"], entry["Comment"]) for entry in told["Sessions"]] == [
        ("02/1", "reject", "it = so"),
        ("03/1", "accept", "it = so"),
    ]
    (plain,) = jobs_of(facts(tmp_path, sheet), "dataset_description").values()
    assert "reviews" not in plain["params"]["facts"]


def test_mistakes_of_a_review_stop_before_any_job(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, name) for name in NAMES])
    path = decide(tmp_path, ("04", "accept"))
    planned = plan(tmp_path, sheet, reviews=[str(path)])
    assert planned.status == 1
    assert f"{path}, row 2 (one/04/1): the session is in no sample sheet" in planned.output


def test_an_edit_of_a_session_that_no_model_takes_is_refused(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, sequences=("t1n",))])
    planned = plan(
        tmp_path, sheet, reviews=[str(decide(tmp_path, ("01", "edit")))], models=flair_only(tmp_path)
    )
    assert planned.status == 1
    assert "no model segments one/01/1, so that there is no label map to replace" in planned.output


def test_a_rejected_session_is_not_exported(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, name) for name in NAMES])
    review = str(decide(tmp_path, ("02", "reject")))
    scenes = jobs_of(facts(tmp_path, sheet, reviews=[review], export={"in_all": True}), "export_scene")
    assert len(scenes) == len(NAMES) - 1
    assert not [name for name in scenes if "02" in name]
