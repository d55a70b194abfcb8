"""Where Slurm keeps accounts: Snakemake asks sacct, and sacct says what jobs asked for and used."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from accounting import Accounting, impossible
from cluster import Cluster, table, told
from cluster import impossible as no_cluster
from runs import ON_SLURM, SMALL, start

COLUMNS = ("JobIDRaw", "Partition", "State", "AllocTRES", "ReqMem", "MaxRSS", "Elapsed", "Comment")


@pytest.fixture(scope="module")
def accounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with accounting."""
    if reason := no_cluster() or impossible():
        pytest.skip(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"), accounted=True)
    accounting = Accounting(cluster.folder)
    try:
        accounting.start()
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        accounting.stop()


def accounts() -> list[dict[str, str]]:
    """What sacct says of each job and each of its steps."""
    lines = told("sacct", "--parsable2", "--noheader", "--format", ",".join(COLUMNS)).splitlines()
    return [dict(zip(COLUMNS, line.split("|"), strict=True)) for line in lines]


def used_mb(rows: list[dict[str, str]], number: int) -> float | None:
    """The most memory that a step of a job was seen to use."""
    found = [row["MaxRSS"] for row in rows if row["JobIDRaw"].startswith(f"{number}.") and row["MaxRSS"]]
    sizes = {"K": 2**10, "M": 2**20, "G": 2**30}
    return max((float(text.rstrip("KMG")) * sizes.get(text[-1], 1) / 1e6 for text in found), default=None)


def test_snakemake_follows_jobs_by_sacct(accounted: Cluster, site: Path, tmp_path: Path) -> None:
    profile = site / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    profile.write_text(text.replace("slurm-status-command: squeue", "# as it comes: sacct"), encoding="utf-8")
    run = start(site, tmp_path, *ON_SLURM, *SMALL, "--verbose", "greedy.txt", "gpu.txt")
    assert run.end() == 0, run.output
    assert "command=sacct" in run.output
    jobs, rows = accounted.jobs(), accounts()
    print("", table(jobs, lambda job: used_mb(rows, job.number)), sep="\n")
    said = {row["JobIDRaw"]: row for row in rows}
    for job in jobs:
        row = said[str(job.number)]
        assert row["Partition"] == job.partition
        assert row["Comment"].startswith(f"rule_{job.rule}")
        assert ("gres/gpu=1" in row["AllocTRES"]) == (job.rule == "segment")
    assert [job.memory_mb for job in jobs if job.rule == "greedy"] == [350, 700]
