"""A labelled cohort's subjects, drawn and written as files."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.images import Array, spacing_of, write_image
from gliaflow.labels import CONVENTIONS, REGIONS, SEQUENCES
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.simulate.appearance import RATIOS, Scene, Signals, draw_look, render_scan
from gliaflow.simulate.artefacts import apply_artefacts, random_artefacts
from gliaflow.simulate.cohort_plan import CohortPlan, PlannedSession, anatomy_of, plan_subject
from gliaflow.simulate.distractors import make_distractors
from gliaflow.simulate.fields import smooth_noise
from gliaflow.simulate.ground import Ground, make_ground
from gliaflow.simulate.heads import Anatomy, Head, Material, make_brain, template_points
from gliaflow.simulate.lesions import grow_lesions
from gliaflow.simulate.stripping import Stripping, strip
from gliaflow.simulate.tumours import region_volumes_ml

SHAPE_SPREAD = 1.4
"""Subjects differ more from the template than the demo's, which are few."""
SITE_SPREAD = 0.04
SITE_SEVERITY = (0.6, 1.2)
TOP = 1000.0
"""Scans are scaled so that white matter is about this bright, times a random factor."""
SCALE = (0.3, 2.0)
RIM_SIGNAL = (0.05, 2.5)


@dataclass(frozen=True)
class Site:
    """A site's scanner: a factor of how strong its artefacts are, and one per sequence and tissue."""

    severity: float
    contrast: Signals


def write_subject(folder: Path, plan: CohortPlan, index: int) -> list[str]:
    """Write the sessions of a subject, counted from 1; return a line on each."""
    grid, _ = load_atlas(None, plan.resolution_mm)
    sessions = list(plan_subject(plan, index))
    name = sessions[0].subject
    head = make_stripped_head(grid, plan.rng(name, "head"), anatomy_of(plan, name))
    ground = make_ground(head, plan.rng(name, "ground"))
    lines = []
    for session in sessions:
        volumes = region_volumes_ml(write_session(folder, plan, session, ground), head.affine)
        sizes = ", ".join(f"{region} {volumes[region]:.1f} ml" for region in REGIONS)
        lines.append(f"{session.folder} of {plan.subjects} subjects, {session.site}: {sizes}")
    return lines


def make_stripped_head(grid: nib.Nifti1Image, rng: np.random.Generator, anatomy: Anatomy = "mni152") -> Head:
    """Make a subject's brain on a grid that is upright (RAS+, cubic voxels), in fluid and nothing else."""
    x, y, z = grid.shape
    resolution_mm = spacing_of(grid)[0]
    points = template_points(grid.affine, (x, y, z), rng, SHAPE_SPREAD)
    brightness, brain = make_brain(points, resolution_mm, anatomy)
    return Head(
        affine=grid.affine,
        brightness=brightness,
        brain=brain,
        materials=np.full(brain.shape, Material.CSF, dtype=np.uint8),
        texture=smooth_noise(brain.shape, spacing_of(grid), 1.5 * resolution_mm, rng),
    )


def write_session(folder: Path, plan: CohortPlan, session: PlannedSession, ground: Ground) -> Array:
    """Write the scans and the label map of a session; return the map (uint8, gliaflow's own values)."""
    subject, site, affine = session.subject, make_site(plan, session.site), ground.head.affine
    into = folder / session.folder
    into.mkdir(parents=True, exist_ok=True)
    ground, lesions = grow_lesions(ground, session.case, plan.rng(subject, "places"))
    rng = plan.rng(subject, session.session, "look")
    look = draw_look(rng, site.contrast, randomised=session.randomised)
    stripping = strip(ground.head, plan.severity, plan.rng(subject, session.session, "mask"))
    distractors = make_distractors(ground, session.case.hyperintensities, plan.rng(subject, "distractors"))
    scene = Scene(ground, lesions, distractors)
    for sequence in session.sequences:
        rng = plan.rng(subject, session.session, sequence)
        image = render_scan(scene, look, sequence, rng)
        scan = take_scan(image, stripping, site.severity * plan.severity, affine, rng)
        write_image(into / f"{sequence}.nii.gz", scan, affine, np.int16)
    labels: Array = lesions.labels * stripping.mask
    write_image(into / "label.nii.gz", in_convention(labels, plan.convention), affine, np.uint8)
    return labels


def take_scan(
    image: Array, stripping: Stripping, severity: float, affine: Array, rng: np.random.Generator
) -> Array:
    """Spoil a scan and strip it: whole numbers, shape (x, y, z), from 1 in the mask, 0 outside."""
    factor = TOP * rng.uniform(*SCALE)
    rim = rng.uniform(*RIM_SIGNAL) * stripping.rim
    spacing = (float(affine[0, 0]),) * 3
    seen = np.where(stripping.rim > 0, rim, image)
    seen = apply_artefacts(seen, spacing, random_artefacts(rng, severity), rng)
    return np.where(stripping.mask, np.clip(np.rint(factor * seen), 1, 32767), 0)


def make_site(plan: CohortPlan, name: str) -> Site:
    """Draw what is a site's own."""
    rng = plan.rng(name)
    low, high = 1 - SITE_SPREAD, 1 + SITE_SPREAD
    contrast = {s: {tissue: rng.uniform(low, high) for tissue in RATIOS} for s in SEQUENCES}
    return Site(severity=rng.uniform(*SITE_SEVERITY), contrast=contrast)


def in_convention(labels: Array, convention: str) -> Array:
    """Return a label map (uint8) with the values of a named convention; 0 where it has no value.

    >>> in_convention(np.array([0, 1, 2, 3, 4]), "brats2021").tolist()
    [0, 1, 2, 4, 0]
    """
    lookup = np.zeros(max(5, *CONVENTIONS[convention].values()), dtype=np.uint8)
    for stored, value in CONVENTIONS[convention].items():
        lookup[value] = stored
    return lookup[labels]


def sheet_row(plan: CohortPlan, session: PlannedSession) -> dict[str, str]:
    """Return the cells of a session's row that are not empty."""
    images = (*session.sequences, "label")
    return {
        **{"cohort": plan.cohort, "subject": session.subject, "session": session.session},
        **{"days": str(session.days), "stripped": "yes", "registered": "atlas"},
        **{name: f"{session.folder}/{name}.nii.gz" for name in images},
    }
