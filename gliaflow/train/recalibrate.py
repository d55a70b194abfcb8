"""Give a model package the temperatures of other sessions: those of one's own scanners, say."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.images import Array
from gliaflow.nnunet.archive import open_archive
from gliaflow.nnunet.layout import FINAL
from gliaflow.nnunet.model import ModelFiles, open_model
from gliaflow.nnunet.package import CARD, write_package
from gliaflow.train.card import table
from gliaflow.uncertainty.counts import read_counts
from gliaflow.uncertainty.temperature import can_recalibrate, recalibrate, recalibration_rows

ENDING = "_calibration.tsv"
GROUPS = 5
"""Subjects are dealt to so many groups; each one's figures are with the temperature of the others."""
HEADING = "## Calibrated again"
SECTION = """{heading}

The temperatures of this package were fitted anew, on {subjects} subjects ({sessions} sessions) that it had
segmented as it is used. They take the place of those above; the network is the same.

{figures}

"""


@dataclass(frozen=True)
class Counted:
    """Counts (256, 2) by region and group of subjects, and how many subjects and sessions they are of."""

    groups: Mapping[str, Mapping[int, Array]]
    subjects: int
    sessions: int


def count_sessions(tables: Sequence[Path], regions: Sequence[str]) -> Counted:
    """Add up the counts of sessions, those of a subject in one group.

    Parameters
    ----------
    tables
        ``*_calibration.tsv`` of sessions with a reference, as `gliaflow.uncertainty.counts.write_counts`
        writes them. What stands before ``_ses-`` in a name is the subject.
    regions
        Those that are wanted.

    Raises
    ------
    ConfigError
        There is no table.
    ImageError
        A table lacks a level.
    """
    if not tables:
        raise ConfigError(f"no {ENDING} was given; run the workflow on sessions with a label first")
    subjects = sorted({_subject(path) for path in tables})
    groups: dict[str, dict[int, Array]] = {}
    for path in sorted(tables, key=lambda path: path.name):
        group = subjects.index(_subject(path)) % GROUPS
        for region, counts in read_counts(path).items():
            if region in regions:
                of_region = groups.setdefault(region, {})
                of_region[group] = of_region.get(group, 0) + counts
    return Counted(groups, len(subjects), len(tables))


def recalibrate_package(package: Path, out: Path, tables: Sequence[Path]) -> list[dict[str, Any]]:
    """Write a package with temperatures fitted on other sessions; everything else stays.

    Parameters
    ----------
    package
        A zip of the project's own, for tumours.
    out
        The new zip.
    tables
        See `count_sessions`; of sessions that this package segmented.

    Returns
    -------
    list of dict
        For each region `gliaflow.uncertainty.temperature.RECALIBRATION_COLUMNS`.

    Raises
    ------
    ConfigError
        It is no such package; or a region is missing in too many of the sessions.
    ImageError
        A table lacks a level.
    """
    files = open_model(package)
    if files.manifest is None or not files.manifest.temperature:
        raise ConfigError(
            f"{package}: has no temperatures; give a package that snakemake train made for tumours"
        )
    manifest = files.manifest
    counted = count_sessions(tables, manifest.regions)
    short = [r for r in manifest.regions if not can_recalibrate(counted.groups.get(r, {}))]
    if short:
        raise ConfigError(
            f"{', '.join(short)}: too few of the {counted.subjects} subjects have it; add sessions that do"
        )
    fitted = {region: recalibrate(counted.groups[region]) for region in manifest.regions}
    rows = recalibration_rows(fitted)
    figures = {str(row["region"]): {k: v for k, v in row.items() if k != "region"} for row in rows}
    write_package(
        out,
        replace(
            manifest,
            temperature={region: round(result.temperature, 4) for region, result in fitted.items()},
            cross_validation={**manifest.cross_validation, "calibration": figures},
        ),
        plans=files.plans,
        dataset=files.dataset,
        **_kept(files, SECTION.format(heading=HEADING, figures=table(rows), **_numbers(counted))),
    )
    return rows


def _kept(files: ModelFiles, section: str) -> dict[str, Any]:
    """Return the networks of a package, and its card with a section about the new temperatures."""
    archive = open_archive(files.path)
    card = archive.read(CARD).decode()
    before, _, rest = card.partition("## Limits")
    text = f"{before.partition(HEADING)[0]}{section}## Limits{rest}"
    checkpoints = {fold: archive.read(f"fold_{fold}/{FINAL}") for fold in files.folds}
    return {"checkpoints": checkpoints, "card": text}


def _numbers(counted: Counted) -> dict[str, int]:
    return {"subjects": counted.subjects, "sessions": counted.sessions}


def _subject(path: Path) -> str:
    return path.name.partition("_ses-")[0]


def tables_in(places: Sequence[Path]) -> list[Path]:
    """Return the tables among files, and those anywhere in folders."""
    found = [place.rglob(f"sub-*{ENDING}") if place.is_dir() else [place] for place in places]
    return sorted(path for paths in found for path in paths)


def main(arguments: list[str] | None = None) -> int:
    """Recalibrate as the command line asks; status 1, with one sentence, where that is not possible."""
    parser = argparse.ArgumentParser(
        prog="python -m gliaflow.train.recalibrate",
        description="Fit the temperatures of a tumour model's package to sessions with reference labels that "
        "the workflow has segmented with it, and write a new package; the network stays as it is.",
    )
    parser.add_argument("package", type=Path, help="the package (zip)")
    parser.add_argument("out", type=Path, help="the new package (zip)")
    parser.add_argument(
        "results", type=Path, nargs="+", help=f"folders (results/<cohort>) or single sub-*{ENDING}"
    )
    given = parser.parse_args(arguments)
    try:
        rows = recalibrate_package(given.package, given.out, tables_in(given.results))
    except (GliaflowError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(table(rows))
    print(f"wrote {given.out}; enter it, with its sha256, in a model table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
