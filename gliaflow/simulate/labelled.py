"""Labelled cohorts to train on: skull-stripped brains with tumours on the atlas's grid.

A folder gets samples.tsv, participants.tsv, and for each session the sequences and the label map. The
same options give the same bytes, and no session depends on how many others there are.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gliaflow.config.schema import load_schema
from gliaflow.labels import CONVENTIONS
from gliaflow.simulate.cohort_files import sheet_row, write_subject
from gliaflow.simulate.cohort_plan import ANATOMIES, CohortPlan, plan_subject
from gliaflow.simulate.command import Command, run, side_by_side
from gliaflow.simulate.tables import claim_folder, write_table

__all__ = ["CohortPlan", "main", "write_cohort"]

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
    made = side_by_side(partial(write_subject, folder, plan), range(1, plan.subjects + 1), jobs)
    claim_folder(folder, asdict(plan))
    for lines in made:
        for line in lines:
            progress(line)
    planned = [list(plan_subject(plan, index)) for index in range(1, plan.subjects + 1)]
    people = ({"cohort": plan.cohort, "subject": s[0].subject, "site": s[0].site} for s in planned)
    write_table(folder / "participants.tsv", ("cohort", "subject", "site"), people)
    rows = (sheet_row(plan, session) for sessions in planned for session in sessions)
    write_table(folder / "samples.tsv", tuple(load_schema("samples")["properties"]), rows)
    return folder / "samples.tsv"


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
    about = __doc__ or ""
    return run(Command("gliaflow.simulate.labelled", about, CohortPlan, HELP, write_cohort), arguments)


if __name__ == "__main__":
    sys.exit(main())
