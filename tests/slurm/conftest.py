"""The cluster that the tests of a file share, and a clone of the workflow that is adapted to it."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, impossible

# what reads a run's results, and what it printed
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("e2e", "workflow")]

SITE = {
    "# slurm-no-account: true": "slurm-no-account: true",
    "# slurm-status-command: squeue": "slurm-status-command: squeue",
    "latency-wait: 60": "latency-wait: 10",
}
POLL = "slurm-init-seconds-before-status-checks: 6\n"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster without accounting; none is left when the tests end."""
    if reason := impossible():
        pytest.skip(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def site(clone: Path) -> Path:
    """A clone whose profile an administrator adapted: lines marked SITE, and how often jobs are looked at."""
    profile = clone / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    for line, adapted in SITE.items():
        text, changes = re.subn(f"^{re.escape(line)}", adapted, text, flags=re.MULTILINE)
        assert changes == 1, line
    profile.write_text(text + POLL, encoding="utf-8")
    return clone
