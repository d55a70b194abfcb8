"""Longitudinal cohorts to test growth models on: before surgery, after it, and recurrence.

Each tumour grows by the reaction-diffusion model from a known point, with known parameters, in the tissue of
its own brain; surgery takes part of it, and what is left grows on. Scans and label maps are skull-stripped,
on the atlas's grid; from the second session on the head lies a little differently and the brain sank into the
cavity. A folder gets samples.tsv, participants.tsv, truth.tsv, and for each subject what is known of it. The
same options give the same bytes, and no subject depends on how many others there are.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gliaflow import tables
from gliaflow.config.schema import load_schema
from gliaflow.growth.solver import Seed
from gliaflow.images import Array, write_image
from gliaflow.labels import CONVENTIONS, SEQUENCES, region_mask
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.sidecar import write_json
from gliaflow.simulate.acquisition import random_motion
from gliaflow.simulate.appearance import Scene, draw_look, render_scan
from gliaflow.simulate.cases import Case, draw_case
from gliaflow.simulate.cohort_files import in_convention, make_site, make_stripped_head, sheet_row, take_scan
from gliaflow.simulate.cohort_plan import ANATOMIES, CohortPlan, PlannedSession, anatomy_of
from gliaflow.simulate.command import Command, run, side_by_side
from gliaflow.simulate.course import (
    CORE,
    NECROSIS,
    OEDEMA,
    SESSIONS,
    Course,
    Stage,
    draw_course,
    grow_course,
    healthy_tissue,
    lesions_of,
    start_of,
)
from gliaflow.simulate.displacement import Displacement, moved, moved_labels
from gliaflow.simulate.distractors import Distractors, make_distractors
from gliaflow.simulate.ground import Ground, make_ground, widen_ventricles
from gliaflow.simulate.stripping import strip
from gliaflow.simulate.tables import claim_folder, write_table
from gliaflow.simulate.tumours import region_volumes_ml

__all__ = ["LongitudinalPlan", "main", "write_cohort"]

ROTATION_DEG, SHIFT_MM = (0.5, 2.0), (0.5, 2.0)
SUNK_MM: Mapping[str, tuple[float, float]] = {"postop": (0.5, 2.0), "recurrence": (1.0, 3.0)}
MOST_SUNK = 0.4
"""Tissue sinks by no more than this part of the cavity's radius."""
COLUMNS = {
    "cohort": "Cohort of the sample sheet",
    "subject": "Subject of the sample sheet",
    "seed_x_mm": "Where the tumour starts, in the world of the first session (RAS+), to the right",
    "seed_y_mm": "The same, to the front",
    "seed_z_mm": "The same, upwards",
    "kappa_white_mm2_per_day": "Diffusivity in white matter",
    "kappa_grey_mm2_per_day": "Diffusivity in grey matter",
    "rho_per_day": "Proliferation",
    "onset_days": "Days from the start to the first scan, which is the day of surgery",
    "postop_days": "Days from the first scan to the second",
    "recurrence_days": "Days from the first scan to the third",
    "cavity_ml": "Volume of the resection cavity before tissue sinks into it",
    "residual_core_ml": "Volume of core left in the second session",
}
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LongitudinalPlan:
    """What a longitudinal cohort is to hold; see `gliaflow.simulate.cohort_plan.CohortPlan` for the fields.

    A value out of its range is a ``ConfigError``.
    """

    subjects: int = 10
    sites: int = 2
    resolution_mm: int = 2
    anatomy: str = "mixed"
    severity: float = 1.0
    convention: str = "gliaflow"
    cohort: str = "longitudinal"
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        _ = self.labelled

    @property
    def labelled(self) -> CohortPlan:
        """The plan of a labelled cohort that heads, sites and scans are made by."""
        return CohortPlan(**asdict(self), sessions=len(SESSIONS))

    def rng(self, *names: str) -> np.random.Generator:
        """Return the generator of a named part of the cohort."""
        return self.labelled.rng(*names)


@dataclass(frozen=True)
class Subject:
    """A subject's brain and what grows in it."""

    name: str
    site: str
    ground: Ground
    course: Course
    start: Seed
    distractors: Distractors


@dataclass(frozen=True)
class Written:
    """Rows of the tables, and a line on each session."""

    sheet: tuple[Mapping[str, str], ...]
    participant: Mapping[str, str]
    truth: Mapping[str, Any]
    lines: tuple[str, ...]


def write_cohort(
    folder: Path, plan: LongitudinalPlan, progress: Callable[[str], None] = logger.info, *, jobs: int = 1
) -> Path:
    """Write a cohort that the workflow takes as it is.

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
        ``samples.tsv``, written last. Beside it lie ``participants.tsv``, ``truth.tsv`` with its dictionary
        and ``plan.json``, and ``sub-*/ses-{preop,postop,recurrence}/`` with the scans and ``label.nii.gz``.
        For what is known, ``sub-*/truth/`` holds ``truth.json`` (seed, parameters, densities of the label
        map's borders, days, displacement of each session) and the healthy tissue (``white``, ``grey``,
        ``csf``), and ``sub-*/ses-*/truth/`` the ``density`` and the label map as it lies in the first session
        (``label_first``).

    Raises
    ------
    ConfigError
        The folder holds anything else, or ``jobs`` is less than 1.
    """
    made = side_by_side(partial(write_subject, folder, plan), range(1, plan.subjects + 1), jobs)
    claim_folder(folder, asdict(plan))
    written = []
    for subject in made:
        written.append(subject)
        for line in subject.lines:
            progress(line)
    people = (subject.participant for subject in written)
    write_table(folder / "participants.tsv", ("cohort", "subject", "site", "resection"), people)
    tables.write_table(folder / "truth.tsv", [subject.truth for subject in written], COLUMNS)
    rows = (row for subject in written for row in subject.sheet)
    write_table(folder / "samples.tsv", tuple(load_schema("samples")["properties"]), rows)
    return folder / "samples.tsv"


def write_subject(folder: Path, plan: LongitudinalPlan, index: int) -> Written:
    """Write the sessions of a subject, counted from 1, and the truth about it."""
    subject = make_subject(plan, index)
    stages = list(grow_course(subject.ground, subject.course, subject.start))
    lines, displacements = [], {}
    for stage in stages:
        displacement = draw_displacement(plan, subject, stage)
        labels = write_session(folder, plan, subject, stage, displacement)
        volumes = region_volumes_ml(labels, subject.ground.head.affine)
        sizes = ", ".join(f"{region} {volume:.1f} ml" for region, volume in volumes.items())
        lines.append(f"sub-{subject.name}/ses-{stage.session} of {plan.subjects} subjects: {sizes}")
        displacements[stage.session] = displacement
    row = truth_row(plan, subject, stages)
    write_subject_truth(folder / f"sub-{subject.name}" / "truth", subject, stages, displacements)
    resection = "STR" if row["residual_core_ml"] > 0 else "GTR"
    person = {"cohort": plan.cohort, "subject": subject.name, "site": subject.site, "resection": resection}
    sheet = tuple(sheet_row(plan.labelled, planned_session(subject, stage)) for stage in stages)
    return Written(sheet, person, row, tuple(lines))


def make_subject(plan: LongitudinalPlan, index: int) -> Subject:
    """Draw a subject: a brain as labelled cohorts have it, without a tumour, and what is to grow in it."""
    name, grid = f"{index:03d}", load_atlas(None, plan.resolution_mm)[0]
    head = make_stripped_head(grid, plan.rng(name, "head"), anatomy_of(plan.labelled, name))
    case = draw_case(plan.rng(name, "case"), healthy=True)
    ground = widen_ventricles(make_ground(head, plan.rng(name, "ground")), case.wider_mm)
    course = draw_course(plan.rng(name, "course"))
    distractors = make_distractors(ground, case.hyperintensities, plan.rng(name, "distractors"))
    start = start_of(ground, course, plan.rng(name, "places"))
    return Subject(name, f"site{(index - 1) % plan.sites + 1}", ground, course, start, distractors)


def draw_displacement(plan: LongitudinalPlan, subject: Subject, stage: Stage) -> Displacement:
    """Draw how a session's head lies in the first one's world; the first does not move."""
    if not stage.cavity.any():
        return Displacement()
    rng, affine = plan.rng(subject.name, stage.session, "displacement"), subject.ground.head.affine
    centre = affine[:3, :3] @ np.argwhere(stage.cavity).mean(axis=0) + affine[:3, 3]
    volume = stage.cavity.sum() * abs(np.linalg.det(affine[:3, :3]))
    radius = float((3 * volume / (4 * np.pi)) ** (1 / 3))
    return Displacement(
        to_first=tuple(tuple(row) for row in random_motion(rng, ROTATION_DEG, SHIFT_MM).tolist()),
        centre_mm=tuple(centre.tolist()),
        radius_mm=radius,
        sunk_mm=min(rng.uniform(*SUNK_MM[stage.session]), MOST_SUNK * radius),
    )


def write_session(
    folder: Path, plan: LongitudinalPlan, subject: Subject, stage: Stage, displacement: Displacement
) -> Array:
    """Write a session's scans, label map and truth; return the map (uint8, gliaflow's own values)."""
    into, affine = folder / f"sub-{subject.name}" / f"ses-{stage.session}", subject.ground.head.affine
    (into / "truth").mkdir(parents=True, exist_ok=True)
    scene = Scene(subject.ground, lesions_of(stage), subject.distractors)
    write_image(into / "truth" / "density.nii.gz", stage.density, affine)
    write_image(into / "truth" / "label_first.nii.gz", scene.lesions.labels, affine, np.uint8)
    head, labels = subject.ground.head, scene.lesions.labels
    voxels = displacement.voxels(affine, head.brain.shape)
    still = displacement == Displacement()
    if not still:
        head = replace(head, brain=moved(head.brain, voxels, 1) > 0.5)
        labels = moved_labels(labels, voxels)
    site = make_site(plan.labelled, subject.site)
    look = draw_look(plan.rng(subject.name, stage.session, "look"), site.contrast)
    stripping = strip(head, plan.severity, plan.rng(subject.name, stage.session, "mask"))
    for sequence in SEQUENCES:
        rng = plan.rng(subject.name, stage.session, sequence)
        image = render_scan(scene, look, sequence, rng)
        seen = image if still else np.maximum(moved(image, voxels, 3), 0)
        scan = take_scan(seen, stripping, site.severity * plan.severity, affine, rng)
        write_image(into / f"{sequence}.nii.gz", scan, affine, np.int16)
    labels = labels * stripping.mask
    write_image(into / "label.nii.gz", in_convention(labels, plan.convention), affine, np.uint8)
    return labels


def planned_session(subject: Subject, stage: Stage) -> PlannedSession:
    """Return a session as the sheet's rows are made from it."""
    case = Case("grown")
    return PlannedSession(
        subject.name, stage.session, stage.days, subject.site, case, randomised=False, sequences=SEQUENCES
    )


def world_of(subject: Subject) -> tuple[float, float, float]:
    """Return the world point, RAS+ mm, where a tumour starts."""
    x, y, z = (float(v) for v in np.add(subject.start.position, subject.ground.head.affine[:3, 3]))
    return x, y, z


def truth_row(plan: LongitudinalPlan, subject: Subject, stages: list[Stage]) -> dict[str, Any]:
    """Return a subject's row of truth.tsv; its columns are `COLUMNS`."""
    first, second, third = stages
    parameters, voxel_ml = subject.course.parameters, subject.ground.head.resolution_mm**3 / 1000
    values = (
        *(plan.cohort, subject.name, *world_of(subject)),
        *(parameters.kappa_white, parameters.kappa_grey, parameters.rho),
        *(first.onset_days, second.days, third.days),
        float(second.cavity.sum() * voxel_ml),
        float(region_mask(lesions_of(second).labels, "TC").sum() * voxel_ml),
    )
    return dict(zip(COLUMNS, values, strict=True))


def write_subject_truth(
    folder: Path, subject: Subject, stages: list[Stage], displacements: Mapping[str, Displacement]
) -> None:
    """Write what is known of a subject into a folder: see `write_cohort`."""
    folder.mkdir(parents=True, exist_ok=True)
    tissue = healthy_tissue(subject.ground)
    for name in ("white", "grey", "csf"):
        write_image(folder / f"{name}.nii.gz", getattr(tissue, name), subject.ground.head.affine)
    content = {
        "seed_mm": world_of(subject),
        "seed_sd_mm": subject.start.sd_mm,
        "parameters": asdict(subject.course.parameters),
        "density_borders": {"necrosis": NECROSIS, "core": CORE, "oedema": OEDEMA},
        "course": asdict(subject.course),
        "sessions": {
            stage.session: {
                "days": stage.days,
                "onset_days": stage.onset_days,
                **displacements[stage.session].as_dict(),
            }
            for stage in stages
        },
    }
    write_json(folder / "truth.json", content)


HELP = {
    "subjects": "number of subjects, with three sessions each",
    "sites": "number of sites, which differ in artefacts and contrast",
    "resolution_mm": "voxel size of the MNI152 atlas: 1 or 2",
    "anatomy": f"brain to deform: {', '.join(ANATOMIES)}",
    "severity": "strength of artefacts and of errors of the brain mask, 0 to 2",
    "convention": f"values of the label maps: {', '.join(CONVENTIONS)}",
    "cohort": "name of the cohort, letters and digits",
    "seed": "the same seed gives the same bytes",
}


def main(arguments: list[str] | None = None) -> int:
    """Write a cohort as the command line asks; status 1, with one sentence, where that is not possible."""
    about = __doc__ or ""
    return run(
        Command("gliaflow.simulate.longitudinal", about, LongitudinalPlan, HELP, write_cohort), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
