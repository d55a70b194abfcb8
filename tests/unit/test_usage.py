"""What jobs asked for is compared with what they used."""

from pathlib import Path

import pytest
import yaml

from gliaflow.errors import GliaflowError
from gliaflow.usage import Asked, measured_jobs, profile_lines, usage_rows, usage_table

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def measure(folder: Path, name: str, seconds: float, mb: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:01\t{mb}\t1\t1\t1\t0\t0\t50\t{seconds / 2}\n")


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    for subject, (seconds, mb) in enumerate([(60.0, "900.0"), (120.0, "1400.5")]):
        measure(tmp_path, f"n4/c/sub-{subject}_ses-1_t1c.tsv", seconds, mb)
    measure(tmp_path, "fuse/c/sub-0_ses-1.tsv", 1.0, "200")
    measure(tmp_path, "quick/c/sub-0_ses-1.tsv", 0.1, "NA")
    measure(tmp_path, "gone/c.tsv", 1.0, "10")
    measure(tmp_path, "usage.tsv", 1.0, "10")
    return tmp_path


def rows(measured: Path) -> dict[str, dict]:
    asked = {"n4": Asked(1200, 20), "fuse": Asked(3000, None), "quick": Asked(500, 10)}
    return {row["rule"]: row for row in usage_rows(measured_jobs(measured), asked)}


def test_each_rule_that_is_there_has_a_row(measured: Path) -> None:
    assert list(rows(measured)) == ["fuse", "n4", "quick"]


def test_the_most_that_was_used_counts(measured: Path) -> None:
    row = rows(measured)["n4"]
    assert (row["jobs"], row["median_mb"], row["most_mb"], row["suggested_mb"]) == (2, 1150, 1400, 1900)
    assert (row["memory"], row["longest_minutes"], row["suggested_minutes"]) == ("too little", 2.0, 6)
    assert rows(measured)["fuse"]["memory"] == "generous"


def test_a_job_too_short_to_be_measured_suggests_nothing(measured: Path) -> None:
    row = rows(measured)["quick"]
    assert (row["most_mb"], row["suggested_mb"], row["memory"]) == (None, None, None)


def test_the_profile_says_what_does_not_fit(measured: Path) -> None:
    said = yaml.safe_load(profile_lines(rows(measured).values()))
    assert said == {
        "set-resources": {
            "fuse": {"mem_mb": "300 * 2 ** (attempt - 1)"},
            "n4": {"mem_mb": "1900 * 2 ** (attempt - 1)"},
        }
    }


def test_the_table_can_be_read_on_a_screen(measured: Path) -> None:
    text = usage_table(list(rows(measured).values()))
    assert "too little" in text
    assert len(text.splitlines()) == 4


def test_nothing_measured_is_told(tmp_path: Path) -> None:
    with pytest.raises(GliaflowError, match="no job has been measured"):
        measured_jobs(tmp_path)
