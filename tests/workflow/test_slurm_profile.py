"""What `snakemake --profile slurm` asks a cluster for."""

import logging
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from cohorts import REPOSITORY, Planned, facts, groups_of, labelled, session, settings, snakemake, write_sheet
from snakemake.profiles import ProfileConfigFileParser
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

LOCAL = {"all", "fetch_model", "fetch_hdbet", "dataset_description"}
GPU = {"brain_mask", "segment"}


@pytest.fixture(scope="module")
def demonstration(clone: Path) -> Planned:
    """The cohort that a fresh clone comes with."""
    return snakemake("--profile", "slurm", "-n", cwd=clone)


@pytest.fixture(scope="module")
def on_gpus(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """A session whose brain and tumour are found on a GPU."""
    folder = tmp_path_factory.mktemp("gpu")
    sheet = write_sheet(folder / "samples.tsv", [session(folder)])
    models = yaml.safe_load((REPOSITORY / "config" / "models.yaml").read_text(encoding="utf-8"))
    models["segmentation"][0]["gpu"] = True
    models["brain_extraction"] = [m for m in models["brain_extraction"] if m["name"] == "hd-bet"]
    models["brain_extraction"][0]["sha256"] = "a" * 64
    (folder / "models.yaml").write_text(yaml.safe_dump(models))
    config = {"models": str(folder / "models.yaml"), "preprocess": {"brain_extraction": {"method": "hd-bet"}}}
    place = ["--directory", folder / "out", "--config", *settings([sheet], config)]
    return snakemake("--profile", "slurm", "-n", *place, cwd=clone)


def partitions_of(planned: Planned, profile: Path) -> dict[str, set[str]]:
    """The partitions that the jobs of each rule are sent to."""
    partitions = read_partition_file(profile / "partitions.yaml")
    chosen: dict[str, set[str]] = {}
    for rule, asked in planned.resources:
        if rule not in LOCAL:
            job = SimpleNamespace(name=rule, threads=1, resources=asked)
            chosen.setdefault(rule, set()).add(get_best_partition(partitions, job, logging.getLogger("test")))
    return chosen


def test_a_fresh_clone_plans_the_demonstration(demonstration: Planned) -> None:
    assert demonstration.status == 0, demonstration.output
    assert demonstration.jobs["simulate"] == 5
    assert demonstration.jobs["convert"] == 19
    assert demonstration.jobs["labels"] == demonstration.jobs["qc_segmentation"] == 5


@pytest.mark.parametrize("name", ["demonstration", "on_gpus"])
def test_every_job_asks_for_memory_and_time(name: str, request: pytest.FixtureRequest) -> None:
    planned = request.getfixturevalue(name)
    assert len(planned.resources) == sum(planned.jobs.values()) > 30, planned.output
    assert all(asked["mem_mb"] > 0 and asked["runtime"] > 0 for _, asked in planned.resources)


def test_jobs_without_a_gpu_go_to_the_cpu_partition(clone: Path, demonstration: Planned) -> None:
    assert not [rule for rule, asked in demonstration.resources if asked.get("gpu")]
    chosen = partitions_of(demonstration, clone / "profiles" / "slurm")
    assert set(chosen) == set(demonstration.jobs) - LOCAL
    assert set().union(*chosen.values()) == {"cpu"}


def test_jobs_with_a_gpu_go_to_the_gpu_partition(clone: Path, on_gpus: Planned) -> None:
    assert on_gpus.status == 0, on_gpus.output
    asked_for = {rule: asked["gpu"] for rule, asked in on_gpus.resources if asked.get("gpu")}
    assert asked_for == dict.fromkeys(GPU, 1)
    chosen = partitions_of(on_gpus, clone / "profiles" / "slurm")
    assert {rule for rule, found in chosen.items() if found == {"gpu"}} == GPU
    assert {rule for rule, found in chosen.items() if found == {"cpu"}} == set(chosen) - GPU


@pytest.mark.parametrize(
    ("start", "profile"), [(".", "slurm"), (".", "profiles/slurm"), ("..", "{clone}/profiles/slurm")]
)
def test_the_partitions_are_found_from_every_directory(
    clone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start: str, profile: str
) -> None:
    """--directory changes the working directory after the profile is read."""
    monkeypatch.chdir(clone / start)
    with Path(profile.format(clone=clone), "config.yaml").open() as stream:
        options = ProfileConfigFileParser().parse(stream)
    monkeypatch.chdir(tmp_path)
    assert {p.name for p in read_partition_file(Path(options["slurm-partition-config"]))} == {"cpu", "gpu"}


def order_of_groups(jobs: list[dict]) -> list[str]:
    """Rules and groups in an order in which they can run.

    Raises
    ------
    graphlib.CycleError
        A group waits for a rule that waits for the group, so that neither ever runs.
    """
    groups, waits = groups_of(), defaultdict(set)
    names = {path: groups.get(job["rule"], job["rule"]) for job in jobs for path in job["output"]}
    for job in jobs:
        name = groups.get(job["rule"], job["rule"])
        waits[name] |= {names[path] for path in job["input"] if path in names} - {name}
    return list(TopologicalSorter(waits).static_order())


def test_groups_hold_rules_that_are_there(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path)])
    assert set(groups_of()) <= set(facts(tmp_path, sheet)["rules"])


@pytest.mark.parametrize("target", ["all", "growth", "growth_experiment", "export"])
def test_no_group_waits_for_itself(target: str, tmp_path: Path) -> None:
    """Two sessions of a subject, labelled, with a tumour's growth in the features."""
    days = {"1": "0", "2": "90"}
    rows = [labelled(tmp_path, number=number, days=day) for number, day in days.items()]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    jobs = facts(tmp_path, sheet, target, growth={"in_all": True})["jobs"]
    assert len(order_of_groups(jobs)) > 8


def test_a_group_holds_one_session(tmp_path: Path) -> None:
    """A session that fails keeps no other from going on, not even one of the same subject."""
    rows = [session(tmp_path, name, number=n, days=d) for name in "ab" for n, d in (("1", "0"), ("2", "9"))]
    jobs = facts(tmp_path, write_sheet(tmp_path / "samples.tsv", rows))["jobs"]
    groups = groups_of()
    made = {path: job for job in jobs for path in job["output"]}
    both = [
        [(names["subject"], names["session"]) for names in (job["wildcards"], made[path]["wildcards"])]
        for job in jobs
        for path in job["input"]
        if path in made and groups.get(job["rule"]) == groups.get(made[path]["rule"], "")
    ]
    assert len(both) > 20
    assert all(first == second for first, second in both)
