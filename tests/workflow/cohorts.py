"""Cohorts of empty files, and what Snakemake plans for them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import warm
import yaml
from facts import write_facts

REPOSITORY = Path(__file__).parents[2]
SEQUENCES = ("t1n", "t1c", "t2w", "t2f")
COLUMNS = (
    *("cohort", "subject", "session", "days", *SEQUENCES, "dwi", "dicom"),
    *("brain_mask", "label", "raters", "stripped", "registered"),
)
BLOCK = re.compile(
    r"^ *(?:local)?rule (?P<rule>\w+):\n(?: {4}.*\n)*? {4} *resources: (?P<asked>.*)$", re.MULTILINE
)
ASKED = re.compile(r"(\w+)=(\d+)(?=,|$)")


@dataclass(frozen=True)
class Planned:
    """What a dry run printed, and its exit status."""

    status: int
    output: str

    @cached_property
    def jobs(self) -> dict[str, int]:
        """Number of jobs of each rule, from the first table that Snakemake prints."""
        table = self.output.partition("Job stats:\n")[2].partition("\n\n")[0]
        rows = dict(line.split() for line in table.splitlines()[2:])
        return {rule: int(count) for rule, count in rows.items() if rule != "total"}

    @cached_property
    def resources(self) -> list[tuple[str, dict[str, int]]]:
        """For each job its rule, and what it asks for in whole numbers."""
        blocks = BLOCK.finditer(self.output)
        return [(b["rule"], {k: int(v) for k, v in ASKED.findall(b["asked"])}) for b in blocks]


def groups_of(repository: Path = REPOSITORY) -> dict[str, str]:
    """By rule the group that the Slurm profile puts it into."""
    profile = (repository / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8")
    return dict(entry.split("=") for entry in yaml.safe_load(profile)["groups"])


def session(
    folder: Path,
    subject: str = "01",
    *,
    number: str = "1",
    cohort: str = "one",
    sequences: tuple[str, ...] = SEQUENCES,
    **cells: str,
) -> dict[str, str]:
    """A row of a sheet with a NIfTI of zero bytes for each sequence; further cells as given."""
    row = {"cohort": cohort, "subject": subject, "session": number}
    for sequence in sequences:
        name = f"{cohort}_{subject}_{number}_{sequence}.nii.gz"
        (folder / name).touch()
        row[sequence] = name
    return row | cells


def labelled(folder: Path, subject: str = "01", **cells: object) -> dict[str, str]:
    """A row as from `session`, with a reference segmentation of zero bytes."""
    row = session(folder, subject, **cells)
    label = f"{row['cohort']}_{row['subject']}_{row['session']}_label.nii.gz"
    (folder / label).touch()
    return row | {"label": label}


def dicom(folder: Path, name: str) -> str:
    """A folder with a file that is no DICOM, or a .zip that is no archive; its name, as for a cell."""
    if name.endswith(".zip"):
        (folder / name).write_bytes(b"not an archive")
    else:
        (folder / name).mkdir()
        (folder / name / "IM0001").write_bytes(b"not DICOM")
    return name


def write_sheet(path: Path, rows: list[dict[str, str]]) -> Path:
    """A sample sheet with every column."""
    lines = ["\t".join(COLUMNS), *("\t".join(row.get(column, "") for column in COLUMNS) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def settings(sheets: list[Path], config: dict) -> list[str]:
    """What --config takes."""
    given = {"samples": list(map(str, sheets)), **config}
    return [f"{key}={json.dumps(value)}" for key, value in given.items()]


def snakemake(*arguments: str | Path, cwd: Path = REPOSITORY) -> Planned:
    """Run Snakemake; a run that hangs fails the test."""
    return Planned(*warm.call(warm.command_line, list(map(str, arguments)), cwd))


def plan(
    folder: Path,
    *sheets: Path,
    arguments: tuple[str, ...] = (),
    recipes: Sequence[Path] = (),
    **config: object,
) -> Planned:
    """What a dry run plans for sheets with the results in ``folder/out``.

    The config is given as a file, on top of the files ``recipes``.
    """
    (folder / "config.yaml").write_text(json.dumps({"samples": list(map(str, sheets)), **config}))
    place = ["--directory", folder / "out", "--snakefile", REPOSITORY / "Snakefile"]
    files = ["--configfile", *recipes, folder / "config.yaml"]
    return snakemake("-n", "--cores", "1", *place, *arguments, *files)


def plan_of(folder: Path, rows: list[dict[str, str]], **config: object) -> Planned:
    """What a dry run plans for rows of one sheet."""
    return plan(folder, write_sheet(folder / "samples.tsv", rows), **config)


def facts(folder: Path, sheet: Path, target: str = "all", **config: object) -> dict:
    """Rules and planned jobs in full, as ``facts.py`` writes them."""
    given = json.dumps({"samples": [str(sheet)], **config})
    place = [REPOSITORY / "Snakefile", folder / "out", folder / "facts.json"]
    status, printed = warm.call(write_facts, [*map(str, place), given, target], REPOSITORY)
    assert status == 0, printed
    return json.loads((folder / "facts.json").read_text())
