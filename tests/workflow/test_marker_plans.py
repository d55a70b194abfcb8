"""What is planned for networks: images of each session, a training for each split, scores and tables."""

from pathlib import Path

import pytest
from cohorts import facts, plan, session, write_sheet

NETWORKS = {"epochs": 2, "repeats": 2, "sequences": ["t1c"]}
MGMT = {
    **{"name": "mgmt", "kind": "classification", "model": "densenet3d_crop"},
    **{"column": "mgmt", "positive": "methylated"},
}
LOGISTIC = {**MGMT, "name": "table", "model": "logistic", "features": ["wt_*"]}


def cohort(folder: Path, sites: tuple[str, str] = ("A", "B")) -> tuple[Path, str]:
    """Forty subjects of two sites, the first with two sessions."""
    names = [f"P{number}" for number in range(40)]
    rows = [session(folder, name, sequences=("t1c",), days="0") for name in names]
    rows.append(session(folder, "P0", number="2", sequences=("t1c",), days="90"))
    words = ["methylated", "unmethylated"] * 20
    people = [
        f"one\t{name}\t{word}\t{sites[k // 20]}"
        for k, (name, word) in enumerate(zip(names, words, strict=True))
    ]
    (folder / "people.tsv").write_text("\n".join(["cohort\tsubject\tmgmt\tsite", *people]) + "\n")
    return write_sheet(folder / "samples.tsv", rows), str(folder / "people.tsv")


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """The jobs of a network, of a logistic model, and of a network's package."""
    folder = tmp_path_factory.mktemp("marker")
    sheet, people = cohort(folder)
    (folder / "given.zip").touch()
    given = {**MGMT, "name": "given", "package": str(folder / "given.zip"), "sessions": "all"}
    predict = {"tasks": [MGMT, LOGISTIC, given], "folds": 3, "permutations": 50, "networks": NETWORKS}
    found = facts(folder, sheet, "predict", participants=people, predict=predict)
    return {rule: [job for job in found["jobs"] if job["rule"] == rule] for rule in found["rules"]}


def test_a_network_is_trained_for_each_split_and_on_all(jobs):
    splits = {job["wildcards"]["split"] for job in jobs["marker_fit"]}
    assert splits == {*(f"r{k}f{fold}" for k in (0, 1) for fold in range(3)), "siteA", "siteB", "all"}
    assert {job["wildcards"]["task"] for job in jobs["marker_fit"]} == {"mgmt"}
    (validated,) = jobs["marker_cross_validate"]
    checkpoints = [path for path in validated["input"] if path.endswith(".pt")]
    assert len(checkpoints) == 8
    assert not [path for path in checkpoints if path.endswith("/all.pt")]


def test_images_are_made_for_the_sessions_that_a_task_takes(jobs):
    assert len(jobs["marker_data"]) == 41
    by_task = {job["wildcards"]["task"]: job for job in jobs["marker_apply"]}
    assert set(by_task) == {"mgmt", "given"}
    counts = {
        task: sum(path.endswith("images.npz") for path in job["input"]) for task, job in by_task.items()
    }
    assert counts == {"mgmt": 40, "given": 41}
    assert "results/predict/mgmt/mgmt.zip" in by_task["mgmt"]["input"]
    assert [path for path in by_task["given"]["input"] if path.endswith("given.zip")]


def test_networks_and_features_share_scores_and_the_table_of_predictions(jobs):
    assert sorted(job["wildcards"]["task"] for job in jobs["predict_score_classes"]) == ["mgmt", "table"]
    for rule in ("predict_cross_validate", "predict_train", "predict_chance"):
        assert {job["wildcards"]["task"] for job in jobs[rule]} == {"table"}
    for rule in ("marker_chance", "marker_package"):
        assert [job["wildcards"]["task"] for job in jobs[rule]] == ["mgmt"]
    (job,) = jobs["predict_apply"]
    assert {f"results/predict/{task}/applied/one.tsv" for task in ("mgmt", "given")} <= set(job["input"])
    assert [entry["name"] for entry in job["params"]["tasks"]] == ["table"]


def test_more_permutations_or_threads_train_no_network_again(jobs):
    params = jobs["marker_fit"][0]["params"]
    assert "permutations" not in params["settings"]
    assert "threads" not in params["networks"]


def test_features_for_a_network_and_a_network_for_survival_are_refused(tmp_path):
    sheet, people = cohort(tmp_path)
    wrong = [
        {**MGMT, "features": ["wt_*"]},
        {"name": "os", "kind": "survival", "model": "median_slice"},
    ]
    found = plan(tmp_path, sheet, participants=people, predict={"tasks": wrong})
    assert found.status == 1
    assert "predict.tasks (entry 1).features: is a list, but networks look at images" in found.output
    assert "'median_slice': is no model for survival" in found.output


def test_the_graph_and_pathology_are_made_for_the_networks_that_look_at_them(tmp_path):
    sheet, people = cohort(tmp_path)
    words = ["astrocytoma", "oligodendroglioma", "glioblastoma", "glioblastoma"] * 10
    lines = Path(people).read_text().splitlines()
    table = [f"{line}\t{word}" for line, word in zip(lines, ["diagnosis", *words], strict=True)]
    Path(people).write_text("\n".join(table) + "\n")
    for name in ("slides.tsv", "regions.nii.gz"):
        (tmp_path / name).touch()
    subtype = {"name": "type", "kind": "subtype", "column": "diagnosis", "model": "attention_fusion"}
    tasks = [{**MGMT, "model": "atlas_graph"}, {**subtype, "classes": words[:3]}]
    files = {"regions": str(tmp_path / "regions.nii.gz"), "pathology": str(tmp_path / "slides.tsv")}
    predict = {"tasks": tasks, "folds": 3, "least_per_class": 10, "networks": {**NETWORKS, **files}}
    found = facts(tmp_path, sheet, "predict", participants=people, predict=predict)
    jobs = {rule: [job for job in found["jobs"] if job["rule"] == rule] for rule in found["rules"]}
    (graph,) = jobs["marker_graph"]
    assert files["regions"] in graph["input"]
    assert all({graph["output"][0], files["pathology"]} <= set(job["input"]) for job in jobs["marker_data"])
    (scored,) = jobs["predict_score_subtypes"]
    assert any(path.endswith("predict/type/confusion.png") for path in scored["output"])
    plain = facts(tmp_path, sheet, "predict", participants=people, predict={**predict, "tasks": [MGMT]})
    assert not [job for job in plain["jobs"] if job["rule"] == "marker_graph"]
    (first, *_) = (job for job in plain["jobs"] if job["rule"] == "marker_data")
    assert files["pathology"] not in first["input"]
