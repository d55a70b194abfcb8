"""The demonstration cohort, run once for all tests here, with one subject broken on purpose."""

import csv
from pathlib import Path

import pytest
from workflow import QUICK, REPOSITORY, Run, run, write_sheet


def demo_rows() -> list[dict[str, str]]:
    """Rows of config/samples.tsv with absolute paths."""
    sheet = REPOSITORY / "config" / "samples.tsv"
    with sheet.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [
        {k: str((sheet.parent / v).resolve()) if v.startswith("..") else v for k, v in row.items()}
        for row in rows
    ]


# what some sessions go without here, so that the whole takes less time
WITHOUT = {"demo03": ("t1n",), "demo04": ("t1n", "t2w")}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """The run, and the sheet that it was given: the demonstration and a subject whose t1c is cut short."""
    folder = tmp_path_factory.mktemp("demo")
    broken = folder / "broken.nii.gz"
    broken.write_bytes(b"\x1f\x8b\x08\x00 cut short")
    rows = [row | dict.fromkeys(WITHOUT.get(row["subject"], ()), "") for row in demo_rows()]
    rows += [{"cohort": "demo", "subject": "broken", "session": "1", "t1c": str(broken)}]
    sheet = write_sheet(folder / "samples.tsv", rows)
    return run(folder / "out", sheet, config=QUICK), sheet
