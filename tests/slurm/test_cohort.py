"""A cohort of the demonstration on a real Slurm: what was asked of it, and the same bytes as without it."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from cluster import Cluster, Job, table
from cohorts import Planned, groups_of
from runs import ON_SLURM, start
from workflow import checksums, write_sheet

from gliaflow.images import write_image

TempFactory = pytest.TempPathFactory
GPU = {"brain_mask", "segment"}
LOCAL = {"all", "dataset_description"}
GROUPS = {"read": 2, "prepare": 1, "place": 1, "finish": 1, "show": 2}
SETTINGS = ("atlas={resolution: 2}", "simulate={resolution_mm: 2}", "models=config/gpu.yaml")


@dataclass(frozen=True)
class OnSlurm:
    """What a run on the cluster left."""

    directory: Path
    output: str
    jobs: list[Job]

    @property
    def planned(self) -> Planned:
        return Planned(0, self.output)

    @property
    def groups(self) -> list[tuple[str, Job]]:
        """The jobs of groups; Slurm is told the group and then the rules."""
        return [(job.rule.partition("_")[0], job) for job in self.jobs if job.rule not in self.planned.jobs]

    @property
    def alone(self) -> list[Job]:
        """The jobs of one rule."""
        return [job for job in self.jobs if job.rule in self.planned.jobs]

    def used_mb(self, rule: str) -> float | None:
        """The most memory that a job of a rule used, as its benchmark files say."""
        files = (self.directory / "benchmarks" / rule).rglob("*.tsv")
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
    print("", table(found.jobs, lambda job: found.used_mb(job.rule)), sep="\n")
    return found


def test_every_job_went_through_slurm_and_succeeded(done: OnSlurm) -> None:
    assert {job.state for job in done.jobs} == {"COMPLETED"}
    ran = {path.name for path in (done.directory / "benchmarks").iterdir()}
    assert ran == set(done.planned.jobs) - LOCAL
    assert len(ran) > 20


def test_short_steps_of_a_session_go_together(done: OnSlurm) -> None:
    """Each of two conversions by itself, pictures of brain and tumour, and three more groups."""
    assert Counter(name for name, _ in done.groups) == GROUPS
    assert len(done.jobs) == 16 < sum(done.planned.jobs.values()) / 2
    assert {int(job.said["NumCPUs"]) for _, job in done.groups} == {1}


def test_only_jobs_that_use_a_gpu_were_on_its_partition(done: OnSlurm) -> None:
    on_gpu = [job for job in done.jobs if job.partition == "gpu"]
    assert {job.rule for job in on_gpu} == GPU
    assert {job.gpus for job in on_gpu} == {1}
    others = [job for job in done.jobs if job.rule not in GPU]
    assert {(job.partition, job.gpus) for job in others} == {("cpu", 0)}


def test_slurm_was_asked_for_what_snakemake_says(done: OnSlurm) -> None:
    """Memory, minutes and GPUs of every job of one rule are those that the rule prints."""
    rules = {job.rule for job in done.alone}
    expected = [
        (rule, asked["mem_mb"], asked["runtime"], asked.get("gpu", 0))
        for rule, asked in done.planned.resources
        if rule in rules
    ]
    found = [(job.rule, job.memory_mb, job.minutes, job.gpus) for job in done.alone]
    assert sorted(found) == sorted(expected)
    assert len(found) > 4


def test_a_group_asks_for_what_its_steps_need_together(done: OnSlurm, site: Path) -> None:
    """Step after step: the memory of the largest, and the time of all."""
    members = groups_of(site)
    for name in GROUPS:
        jobs = [job for group, job in done.groups if group == name]
        steps = [asked for rule, asked in done.planned.resources if members.get(rule) == name]
        assert max(job.memory_mb for job in jobs) == max(step["mem_mb"] for step in steps)
        assert sum(job.minutes for job in jobs) == sum(step["runtime"] for step in steps)


def test_no_job_used_more_memory_than_it_asked_for(done: OnSlurm) -> None:
    asked = {rule: asked["mem_mb"] for rule, asked in done.planned.resources}
    used = {rule: done.used_mb(rule) for rule in asked}
    assert not {rule: mb for rule, mb in used.items() if mb is not None and mb > asked[rule]}


def test_without_slurm_the_bytes_are_the_same(
    done: OnSlurm, site: Path, settings: list[str], tmp_path: Path
) -> None:
    run = start(site, tmp_path, "--cores", "2", *settings)
    assert run.end() == 0, run.output
    first, second = checksums(done.directory), checksums(tmp_path)
    assert len(first) > 20
    assert first == second


def noise(folder: Path, *names: str) -> dict[str, str]:
    """Write a small scan of nothing for each sequence; their cells."""
    values = np.random.default_rng(0).random((40, 40, 30))
    for name in names:
        write_image(folder / f"{name}.nii.gz", values, np.diag([4, 4, 5, 1]))
    return {name: str(folder / f"{name}.nii.gz") for name in names}


def failures(site: Path, folder: Path, cells: dict[str, str], *options: str) -> list[dict[str, str]]:
    """Run a session that fails, each job once; what its status says of it."""
    sheet = write_sheet(folder / "samples.tsv", [{"cohort": "c", "subject": "1", "session": "1"} | cells])
    given = ("--retries", "0", *options, "--config", f"samples=[{sheet}]")
    run = start(site, folder / "out", *ON_SLURM, *given)
    assert run.end() != 0
    return [row for row in rows_of(folder / "out/results/c/status.tsv") if row["state"] == "failed"]


def converted(folder: Path) -> list[str]:
    """The scans that are there."""
    return sorted(
        path.name for path in (folder / "out/results/c/sub-1/ses-1/anat").glob("sub-1_ses-1_t*.nii.gz")
    )


def test_a_scan_that_is_cut_off_is_told_and_leaves_the_others(
    slurm: Cluster, site: Path, tmp_path: Path
) -> None:
    cells = noise(tmp_path, "t1c", "t2f")
    cut = Path(cells["t2f"])
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (failed,) = failures(site, tmp_path, cells)
    assert (failed["subject"], failed["rule"]) == ("1", "convert")
    assert "not a whole NIfTI file" in failed["message"]
    assert converted(tmp_path) == ["sub-1_ses-1_t1c.nii.gz"]


def test_a_group_whose_memory_runs_out_is_told_by_its_step(
    slurm: Cluster, site: Path, tmp_path: Path
) -> None:
    """What came before the group stays, and so does the log of the step."""
    before, cells = slurm.jobs(), noise(tmp_path, "t1c", "t2f")
    little = ("--set-resources", "n4:mem_mb=300", "coregister:mem_mb=300")
    first, *_ = failures(site, tmp_path, cells, *little)
    (group,) = (job for job in slurm.since(before) if job.rule.startswith("prepare"))
    assert (group.state, group.memory_mb) == ("FAILED", 300)
    assert first["rule"] == "n4"
    assert "out of memory" in first["advice"]
    assert len(converted(tmp_path)) == 2
