"""A cohort of the demonstration on a real Slurm: what was asked of it, and the same bytes as without it."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cluster import Cluster, Job, table
from cohorts import Planned
from runs import ON_SLURM, start
from workflow import checksums, write_sheet

TempFactory = pytest.TempPathFactory
GPU = {"brain_mask", "segment"}
LOCAL = {"all", "dataset_description"}
SETTINGS = ("atlas={resolution: 2}", "simulate={resolution_mm: 2}", "models=config/gpu.yaml")


@dataclass(frozen=True)
class OnSlurm:
    """What a run on the cluster left."""

    directory: Path
    output: str
    jobs: list[Job]

    def used_mb(self, job: Job) -> float | None:
        """The most memory that a job of the rule used, as its benchmark files say."""
        files = (self.directory / "benchmarks" / job.rule).rglob("*.tsv")
        used = [float(row["max_rss"]) for path in files for row in rows_of(path) if row["max_rss"] != "NA"]
        return max(used, default=None)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.fixture(scope="module")
def settings(site: Path) -> list[str]:
    """One session with two sequences, whose brain and tumour are found on a GPU."""
    models = yaml.safe_load((site / "config" / "models.yaml").read_text(encoding="utf-8"))
    for kind in ("segmentation", "brain_extraction"):
        models[kind][0]["gpu"] = True
    (site / "config" / "gpu.yaml").write_text(yaml.safe_dump(models), encoding="utf-8")
    scans = site / "demo" / "sub-demo03" / "ses-1"
    row = {"cohort": "demo", "subject": "demo03", "session": "1"}
    row |= {name: str(scans / f"{name}.nii.gz") for name in ("t1c", "t2f")}
    sheet = write_sheet(site / "config" / "one.tsv", [row])
    return ["--config", f"samples=[{sheet}]", *SETTINGS]


@pytest.fixture(scope="module")
def done(slurm: Cluster, site: Path, settings: list[str], tmp_path_factory: TempFactory) -> OnSlurm:
    """The cohort, run as ``snakemake --profile slurm``."""
    directory = tmp_path_factory.mktemp("on_slurm")
    run = start(site, directory, *ON_SLURM, *settings)
    assert run.end() == 0, run.output
    found = OnSlurm(directory, run.output, slurm.jobs())
    print("", table(found.jobs, found.used_mb), sep="\n")
    return found


def test_every_job_went_through_slurm_and_succeeded(done: OnSlurm) -> None:
    assert {job.state for job in done.jobs} == {"COMPLETED"}
    assert len(done.jobs) > 25
    ran = {path.name for path in (done.directory / "benchmarks").iterdir()}
    assert {job.rule for job in done.jobs} == ran


def test_only_jobs_that_use_a_gpu_were_on_its_partition(done: OnSlurm) -> None:
    on_gpu = [job for job in done.jobs if job.partition == "gpu"]
    assert {job.rule for job in on_gpu} == GPU
    assert {job.gpus for job in on_gpu} == {1}
    others = [job for job in done.jobs if job.rule not in GPU]
    assert {(job.partition, job.gpus) for job in others} == {("cpu", 0)}


def test_slurm_was_asked_for_what_snakemake_says(done: OnSlurm) -> None:
    """Memory, minutes and GPUs of every job are those that its rule prints."""
    said = [(rule, asked) for rule, asked in Planned(0, done.output).resources if rule not in LOCAL]
    expected = [(rule, asked["mem_mb"], asked["runtime"], asked.get("gpu", 0)) for rule, asked in said]
    found = [(job.rule, job.memory_mb, job.minutes, job.gpus) for job in done.jobs]
    assert sorted(found) == sorted(expected)
    assert ("n4", 1500, 20, 0) in found


def test_no_job_used_more_memory_than_it_asked_for(done: OnSlurm) -> None:
    used = {job.rule: (done.used_mb(job), job.memory_mb) for job in done.jobs}
    assert not {rule: both for rule, both in used.items() if both[0] is not None and both[0] > both[1]}


def test_without_slurm_the_bytes_are_the_same(
    done: OnSlurm, site: Path, settings: list[str], tmp_path: Path
) -> None:
    run = start(site, tmp_path, "--cores", "2", *settings)
    assert run.end() == 0, run.output
    first, second = checksums(done.directory), checksums(tmp_path)
    assert len(first) > 20
    assert first == second
