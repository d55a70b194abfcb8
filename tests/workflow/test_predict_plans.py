"""What is planned for predictions: nothing without tasks; for each task folds, chance, scores, a package."""

from pathlib import Path

import pytest
from cohorts import facts, plan, session, write_sheet

IDH = {
    "name": "idh",
    "kind": "classification",
    "model": "logistic",
    "column": "idh",
    "positive": "mutant",
    "features": ["wt_*", "age"],
}
SURVIVAL = {"name": "os", "kind": "survival", "model": "cox", "features": ["wt_*"]}


def cohort(folder: Path, mutants: int = 3) -> tuple[Path, str]:
    """A sheet of six subjects and their patients' data."""
    names = [f"P{number}" for number in range(6)]
    sheet = write_sheet(folder / "samples.tsv", [session(folder, name) for name in names])
    rows = [
        f"one\t{name}\t60\t{'mutant' if k < mutants else 'wildtype'}\t{100 + k}\t1"
        for k, name in enumerate(names)
    ]
    head = "cohort\tsubject\tage\tidh\tsurvival_days\tevent"
    (folder / "people.tsv").write_text("\n".join([head, *rows]) + "\n")
    return sheet, str(folder / "people.tsv")


def section(*tasks: dict, **keys: object) -> dict:
    # the schema asks for twenty subjects at least; a plan needs no more than there are
    return {"tasks": list(tasks), "permutations": 50, **keys}


def test_without_tasks_nothing_is_predicted(tmp_path):
    sheet, people = cohort(tmp_path)
    found = plan(tmp_path, sheet, participants=people)
    assert found.status == 0, found.output
    assert not [rule for rule in found.jobs if rule.startswith("predict")]


def test_too_few_subjects_stop_the_run_before_any_job_with_the_numbers(tmp_path):
    sheet, people = cohort(tmp_path)
    found = plan(tmp_path, sheet, participants=people, predict=section(IDH, SURVIVAL))
    assert found.status == 1
    assert "predict, task idh: too few subjects: 6 subjects, 3 other, 3 mutant; 40 are needed" in found.output
    assert (
        "predict, task os: too few events: 6 subjects, 0 without the event, 6 with the event" in found.output
    )


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """The jobs of a cohort of 40 with two tasks and a package."""
    folder = tmp_path_factory.mktemp("predict")
    names = [f"P{number}" for number in range(40)]
    sheet = write_sheet(folder / "samples.tsv", [session(folder, name, sequences=("t1c",)) for name in names])
    words = ["mutant", "wildtype"] * 20
    rows = [f"one\t{name}\t{word}\t100\t1" for name, word in zip(names, words, strict=True)]
    (folder / "people.tsv").write_text(
        "\n".join(["cohort\tsubject\tidh\tsurvival_days\tevent", *rows]) + "\n"
    )
    (folder / "given.zip").touch()
    given = {"name": "given", "kind": "classification", "package": str(folder / "given.zip")}
    people, predict = str(folder / "people.tsv"), section(IDH, SURVIVAL, given)
    found = facts(folder, sheet, "predict", participants=people, predict=predict)
    return {rule: [job for job in found["jobs"] if job["rule"] == rule] for rule in found["rules"]}


def test_each_task_is_cross_validated_judged_and_packed(jobs):
    for rule in ("predict_cross_validate", "predict_train"):
        assert sorted(job["wildcards"]["task"] for job in jobs[rule]) == ["idh", "os"]
    assert [job["wildcards"]["task"] for job in jobs["predict_score_classes"]] == ["idh"]
    assert [job["wildcards"]["task"] for job in jobs["predict_score_survival"]] == ["os"]
    batches = [(job["wildcards"]["task"], job["wildcards"]["batch"]) for job in jobs["predict_chance"]]
    assert sorted(batches) == [(task, batch) for task in ("idh", "os") for batch in "012"]
    assert jobs["predict_cross_validate"][0]["input"][0] == "results/one/features.tsv"


def test_a_package_states_scores_so_it_is_made_after_them(jobs):
    for job in jobs["predict_train"]:
        assert f"results/predict/{job['wildcards']['task']}/scores.tsv" in job["input"]


def test_a_cohort_is_predicted_by_all_packages_and_out_of_fold(jobs):
    (job,) = jobs["predict_apply"]
    assert any(path.endswith("given.zip") for path in job["input"])
    for name in ("idh", "os"):
        assert f"results/predict/{name}/{name}.zip" in job["input"]
        assert f"results/predict/{name}/out_of_fold.tsv" in job["input"]


def test_more_permutations_repeat_no_cross_validation(jobs):
    assert "permutations" not in jobs["predict_cross_validate"][0]["params"]["settings"]
