"""What `snakemake --profile slurm` asks a cluster for."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from cohorts import REPOSITORY, Planned, session, settings, snakemake, write_sheet
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
