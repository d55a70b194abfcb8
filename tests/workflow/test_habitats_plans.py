"""What is planned for habitats: which sessions have them, what the fit takes, and what predictors look at."""

import json
from pathlib import Path

import pytest
from cohorts import facts, plan, session, write_sheet

FEW = {"least_subjects": 3}
ONLY_T1C = ("t1c",)


def cohort(folder: Path) -> Path:
    """Four subjects, the first with two sessions, the last without t2f."""
    rows = [session(folder, "01", number="2", days="90"), session(folder, "01", days="0")]
    rows += [session(folder, name) for name in ("02", "03")]
    return write_sheet(
        folder / "samples.tsv", [*rows, session(folder, "04", sequences=("t1n", "t1c", "t2w"))]
    )


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    folder = tmp_path_factory.mktemp("habitats")
    found = facts(folder, cohort(folder), "habitats", habitats=FEW)
    return {rule: [job for job in found["jobs"] if job["rule"] == rule] for rule in found["rules"]}


def names(jobs: list[dict]) -> list[str]:
    return sorted("/".join(job["wildcards"][key] for key in ("subject", "session")) for job in jobs)


def test_every_session_with_all_maps_has_habitats(jobs: dict[str, list[dict]]) -> None:
    for rule in ("habitats_map", "qc_habitats"):
        assert names(jobs[rule]) == ["01/1", "01/2", "02/1", "03/1"]
    (job,) = jobs["habitats_cohort"]
    assert len(job["input"]) == 4
    assert job["output"] == ["results/one/habitats.tsv", "results/one/habitats.json"]


def test_the_model_is_fitted_to_first_sessions_and_to_no_outcome(jobs: dict[str, list[dict]]) -> None:
    assert names(jobs["habitats_sample"]) == ["01/1", "02/1", "03/1"]
    (fit,) = jobs["habitats_fit"]
    assert len(fit["input"]) == len(fit["params"]["subjects"]) == 3
    assert [who["subject"] for who in fit["params"]["subjects"]] == ["01", "02", "03"]
    assert not jobs["habitats_join"]


def test_a_plain_run_has_none_unless_asked(tmp_path: Path) -> None:
    sheet = cohort(tmp_path)
    assert "habitats_fit" not in plan(tmp_path, sheet).jobs
    assert plan(tmp_path, sheet, habitats={**FEW, "in_all": True}).jobs["qc_habitats"] == 4


def test_a_given_model_is_applied_and_none_fitted(tmp_path: Path) -> None:
    (tmp_path / "model.npz").touch()
    settings = {"model": str(tmp_path / "model.npz"), "in_all": True}
    found = plan(tmp_path, cohort(tmp_path), habitats=settings)
    assert found.jobs["habitats_map"] == 4
    assert "habitats_fit" not in found.jobs


def test_further_maps_are_inputs_and_a_session_without_one_has_no_habitats(tmp_path: Path) -> None:
    for name in ("02", "03"):
        (tmp_path / f"{name}_rcbv.nii.gz").touch()
    further = [{"name": "rcbv", "path": f"{tmp_path}/{{subject}}_rcbv.nii.gz"}]
    settings = {"maps": ["t1c"], "further": further, "least_subjects": 3}
    refused = plan(tmp_path, cohort(tmp_path), arguments=("habitats",), habitats=settings)
    assert refused.status == 1
    assert "2 subjects have every map of habitats.maps and further, 3 are needed; 3 of 5" in refused.output
    (tmp_path / "01_rcbv.nii.gz").touch()
    found = facts(tmp_path, cohort(tmp_path), "habitats", habitats=settings)
    (one,) = [
        j for j in found["jobs"] if j["rule"] == "habitats_sample" and j["wildcards"]["subject"] == "02"
    ]
    assert one["input"][1] == f"{tmp_path}/02_rcbv.nii.gz"
    assert one["params"]["maps"] == ["t1c", "rcbv"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "3 subjects have every map of habitats.maps and further, 10 are needed; 1 of 5 segmented"),
        ({"maps": ["t1c"]}, "1 map is named"),
        ({"alpha": 0.5}, "no patients' data with survival"),
        ({"model": "nowhere.npz"}, "config, habitats.model"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(tmp_path: Path, settings: dict, said: str) -> None:
    found = plan(tmp_path, cohort(tmp_path), arguments=("habitats",), habitats=settings)
    assert found.status == 1
    assert said in found.output


def test_predictors_look_at_habitats_where_they_are_wanted(tmp_path: Path) -> None:
    people = [f"{n:02}" for n in range(40)]
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, name) for name in people])
    words = ["mutant", "wildtype"] * 20
    lines = [f"one\t{name}\t{word}" for name, word in zip(people, words, strict=True)]
    (tmp_path / "people.tsv").write_text("\n".join(["cohort\tsubject\tidh", *lines]) + "\n")
    task = {"name": "idh", "kind": "classification", "model": "logistic", "column": "idh"}
    task |= {"positive": "mutant", "features": ["habitat_*"]}
    config = {"participants": str(tmp_path / "people.tsv"), "predict": {"tasks": [task], "permutations": 20}}
    found = facts(tmp_path, sheet, "predict", habitats={"in_predict": True}, **config)
    inputs = {job["rule"]: job["input"] for job in found["jobs"]}
    for rule in ("predict_cross_validate", "predict_chance", "predict_train", "predict_apply"):
        assert inputs[rule][0] == "results/one/features_habitats.tsv"
    assert inputs["habitats_join"] == ["results/one/features.tsv", "results/one/habitats.tsv"]
    assert "habitat_" in json.dumps(config)
