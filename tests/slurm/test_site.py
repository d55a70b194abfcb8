"""The lines of the profile marked SITE, on a real Slurm: each does what it says."""

import re
from pathlib import Path

import pytest
from cluster import Cluster, Job, table
from runs import ON_SLURM, SMALL, start

Adapted = tuple[Path, list[Job]]
SCRATCH = "tmpdir: \"'/scratch'\""


@pytest.fixture(scope="module")
def adapted(slurm: Cluster, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    """What jobs wrote and what they were, with GPUs by gres, a folder for temporary files, and arrays."""
    folder = tmp_path_factory.mktemp("adapted")
    profile = site / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    text = re.sub(r"^# (set-resources:|  segment: |slurm-array-jobs: )", r"\1", text, flags=re.MULTILINE)
    text = text.replace(f"# {SCRATCH}", SCRATCH.replace("/scratch", str(folder / "scratch")))
    profile.write_text(text, encoding="utf-8")
    (folder / "scratch").mkdir()
    targets = ["gpu.txt", *(f"{name}.place" for name in ("one", "two", "three"))]
    run = start(site, folder, *ON_SLURM, *SMALL, *targets)
    assert run.end() == 0, run.output
    jobs = slurm.jobs()
    print("", table(jobs), sep="\n")
    return folder, jobs


def test_a_gpu_is_had_by_gres(adapted: Adapted) -> None:
    folder, jobs = adapted
    (job,) = (job for job in jobs if job.rule == "segment")
    assert "TresPerNode" in job.said
    assert (job.partition, job.gpus) == ("gpu", 1)
    assert (folder / "gpu.txt").read_text() == "0\n"


def test_temporary_files_go_where_the_site_wants_them(adapted: Adapted) -> None:
    folder, _ = adapted
    assert (folder / "one.place").read_text() == f"{folder / 'scratch'}\n"


def test_jobs_of_a_rule_can_be_sent_as_an_array(adapted: Adapted) -> None:
    _, jobs = adapted
    sent = [job for job in jobs if job.rule == "features"]
    assert len(sent) == 3
    assert len({job.said["ArrayJobId"] for job in sent}) == 1
