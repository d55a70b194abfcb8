"""What every rule has, and that the linters are content."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cohorts import REPOSITORY, facts, labelled, session, snakemake, write_sheet

SHARED_SCRIPTS = {
    "labels_automatic": "labels.py",
    "coregister": "register.py",
    "register_session": "register.py",
    "export_dicom_plan": "export_dicom_seg.py",
    "predict_score_classes": "predict_score.py",
    "predict_score_subtypes": "predict_score.py",
    "predict_score_survival": "predict_score.py",
}
LOCAL = {"fetch_model", "fetch_hdbet", "dataset_description", "usage"}
TARGETS = {
    *("export", "growth", "growth_experiment", "habitats", "all", "pictures"),
    *("predict", "provenance", "sessions", "status", "train"),
}
GPU = {"brain_mask", "marker_fit", "segment", "segment_shared", "train_fold", "train_validate"}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """All rules, and the jobs of a subject with two sessions."""
    folder = tmp_path_factory.mktemp("rules")
    rows = [session(folder, number="1", days="0"), session(folder, number="2", days="90")]
    sheet = write_sheet(folder / "samples.tsv", rows)
    return facts(folder, sheet, preprocess={"longitudinal": "syn"})


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """All rules, and the jobs of a training on two subjects."""
    folder = tmp_path_factory.mktemp("training")
    sheet = write_sheet(folder / "samples.tsv", [labelled(folder, "01"), labelled(folder, "02")])
    return facts(folder, sheet, target="train", train={"folds": 2, "threads": 3})


@pytest.fixture(scope="module")
def rules(known: dict) -> dict[str, dict]:
    """Every rule but the targets."""
    return {name: rule for name, rule in known["rules"].items() if name not in TARGETS}


def test_every_rule_logs_to_a_folder_of_its_name(rules: dict[str, dict]) -> None:
    assert len(rules) >= 20
    assert not [name for name, rule in rules.items() if not rule["log"][0].startswith(f"logs/{name}/")]


def test_every_rule_that_computes_is_measured(rules: dict[str, dict]) -> None:
    assert {name for name, rule in rules.items() if rule["local"]} == LOCAL
    measured = {n for n, rule in rules.items() if rule["benchmark"].startswith(f"benchmarks/{n}/")}
    assert measured == set(rules) - LOCAL


def test_every_rule_that_computes_says_what_it_needs(rules: dict[str, dict]) -> None:
    asking = {name for name, rule in rules.items() if {"mem_mb", "runtime"} <= set(rule["resources"])}
    assert asking == set(rules) - LOCAL
    assert {name for name, rule in rules.items() if "gpu" in rule["resources"]} == GPU


def test_every_rule_has_an_environment_that_is_there(rules: dict[str, dict]) -> None:
    environments = {rule["conda"] for rule in rules.values()}
    assert environments
    assert all((REPOSITORY / "rules" / path).resolve().is_file() for path in environments)


def test_every_rule_has_the_script_of_its_name(rules: dict[str, dict]) -> None:
    scripts = {name: rule["script"] for name, rule in rules.items()}
    assert scripts == {name: f"../scripts/{SHARED_SCRIPTS.get(name, f'{name}.py')}" for name in rules}
    there = {path.name for path in (REPOSITORY / "scripts").glob("*.py")}
    assert {Path(path).name for path in scripts.values()} == there


def test_every_attempt_asks_for_twice_the_memory(known: dict, training: dict) -> None:
    jobs = [*known["jobs"], *training["jobs"]]
    asking = [job["memory"] for job in jobs if job["rule"] not in LOCAL | TARGETS]
    assert len(asking) > 100
    assert all([first, 2 * first, 4 * first] == [first, second, third] for first, second, third in asking)


def test_no_two_jobs_share_a_file(known: dict, training: dict) -> None:
    for jobs in (known["jobs"], training["jobs"]):
        made = [path for job in jobs for path in job["output"]]
        assert len(set(made)) == len(made) > 60
        assert not [path for path in made if any(other.startswith(f"{path}/") for other in made)]


def test_no_rule_file_takes_a_name_of_another() -> None:
    """All rule files share one namespace: what a later one defines or imports replaces an earlier one's."""
    origins: dict[str, set[str]] = {}
    for path in sorted((REPOSITORY / "rules").rglob("*.smk")):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"^(?:def (\w+)|(?:\w+, )*(\w+)(?:, \w+)* = )", text, re.MULTILINE):
            origins.setdefault("".join(name), set()).add(path.name)
        for module, names in re.findall(r"^from (\S+) import \(?([\w\s,]+)\)?$", text, re.MULTILINE):
            for name in re.split(r",\s*", names.strip().strip(",")):
                origins.setdefault(name.split(" as ")[-1], set()).add(module)
    assert len(origins) > 100
    assert {name: sorted(where) for name, where in origins.items() if len(where) > 1} == {}


def test_snakemake_finds_nothing_to_say_about_the_rules(tmp_path: Path) -> None:
    found = snakemake("--lint", "--directory", tmp_path, "--snakefile", REPOSITORY / "Snakefile")
    assert found.status == 0, found.output
    assert "Congratulations" in found.output


def test_the_rules_are_formatted() -> None:
    command = [Path(sys.executable).with_name("snakefmt"), "--check", "Snakefile", "rules"]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr
