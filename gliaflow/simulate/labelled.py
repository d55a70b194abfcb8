"""Labelled cohorts to train on: skull-stripped brains with tumours on the atlas's grid.

A folder gets samples.tsv, participants.tsv, and for each session the sequences and the label map. The
same options give the same bytes, and no session depends on how many others there are.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from gliaflow.config.schema import load_schema
from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.labels import CONVENTIONS
from gliaflow.sidecar import write_json
from gliaflow.simulate.cohort_files import sheet_row, write_subject, write_table
from gliaflow.simulate.cohort_plan import ANATOMIES, CohortPlan, plan_subject

__all__ = ["CohortPlan", "main", "write_cohort"]

PLAN_FILE = "plan.json"
logger = logging.getLogger(__name__)


def write_cohort(
    folder: Path, plan: CohortPlan, progress: Callable[[str], None] = logger.info, *, jobs: int = 1
) -> Path:
    """Write a cohort that the training takes as it is.

    Parameters
    ----------
    folder
        New, empty, or holding the same cohort, whose files are then written again.
    plan
        What it is to hold.
    progress
        Is given one line for each session, after each subject.
    jobs
        How many processes write subjects; the bytes are the same for any number.

    Returns
    -------
    Path
        ``samples.tsv``, written last. Beside it lie ``participants.tsv`` (cohort, subject, site),
        ``plan.json`` and ``sub-*/ses-*/``: ``t1n``, ``t1c``, ``t2w``, ``t2f`` (int16, 0 outside the brain, 1
        and more inside) and ``label`` (uint8) as ``.nii.gz`` on the grid of ``load_atlas``.

    Raises
    ------
    ConfigError
        The folder holds anything else, or ``jobs`` is less than 1.
    """
    if jobs < 1:
        raise ConfigError(f"jobs: {jobs} does not fit; write a number from 1")
    claim(folder, plan)
    for lines in written_subjects(folder, plan, jobs):
        for line in lines:
            progress(line)
    planned = [list(plan_subject(plan, index)) for index in range(1, plan.subjects + 1)]
    people = ({"cohort": plan.cohort, "subject": s[0].subject, "site": s[0].site} for s in planned)
    write_table(folder / "participants.tsv", ("cohort", "subject", "site"), people)
    rows = (sheet_row(plan, session) for sessions in planned for session in sessions)
    write_table(folder / "samples.tsv", tuple(load_schema("samples")["properties"]), rows)
    return folder / "samples.tsv"


def written_subjects(folder: Path, plan: CohortPlan, jobs: int) -> Iterator[list[str]]:
    """Write the subjects in their order, and give the lines on each."""
    write, indices = partial(write_subject, folder, plan), range(1, plan.subjects + 1)
    if jobs == 1:
        yield from map(write, indices)
        return
    with ProcessPoolExecutor(min(jobs, plan.subjects), get_context("spawn")) as pool:
        yield from pool.map(write, indices)


def claim(folder: Path, plan: CohortPlan) -> None:
    """Make a cohort's folder and note its plan there, unless the folder holds anything else."""
    if folder.exists() and not (folder.is_dir() and (holds(folder, plan) or not any(folder.iterdir()))):
        raise ConfigError(f"{folder}: holds something else than this cohort; give a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PLAN_FILE, asdict(plan))


def holds(folder: Path, plan: CohortPlan) -> bool:
    """Tell whether a folder was made for this plan."""
    try:
        return bool(json.loads((folder / PLAN_FILE).read_text(encoding="utf-8")) == asdict(plan))
    except (FileNotFoundError, ValueError):
        return False


HELP = {
    "subjects": "number of subjects",
    "sessions": "sessions of each subject; the tumour grows from one to the next",
    "sites": "number of sites, which differ in artefacts and contrast",
    "resolution_mm": "voxel size of the MNI152 atlas: 1 or 2",
    "anatomy": f"brain to deform: {', '.join(ANATOMIES)}",
    "non_enhancing": "share of the subjects whose tumour does not enhance, 0 to 1",
    "healthy": "share of the subjects without a tumour, 0 to 1",
    "randomised": "share of the sessions with random signals, 0 to 1",
    "severity": "strength of artefacts and of errors of the brain mask, 0 to 2",
    "missing": "share of the sessions that lack one sequence, 0 to 1",
    "convention": f"values of the label maps: {', '.join(CONVENTIONS)}",
    "cohort": "name of the cohort, letters and digits",
    "seed": "the same seed gives the same bytes",
}


def main(arguments: list[str] | None = None) -> int:
    """Write a cohort as the command line asks; status 1, with one sentence, where that is not possible."""
    parser = argparse.ArgumentParser(
        prog="python -m gliaflow.simulate.labelled",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="OUT", help="a new or an empty folder")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that write subjects")
    for field in fields(CohortPlan):
        option = f"--{field.name.replace('_', '-')}"
        kind = type(field.default)
        parser.add_argument(option, type=kind, default=field.default, metavar="X", help=HELP[field.name])
    options = vars(parser.parse_args(arguments))
    folder, jobs = options.pop("folder"), options.pop("jobs")
    try:
        plan = CohortPlan(**options)
        sheet = write_cohort(folder, plan, lambda line: print(line, flush=True), jobs=jobs)
    except (GliaflowError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {sheet}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
