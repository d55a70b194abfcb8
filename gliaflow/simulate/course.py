"""The course of a tumour by the reaction-diffusion model: before surgery, after it, recurrence."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gliaflow.growth.parameters import Parameters
from gliaflow.growth.solver import Seed, simulate
from gliaflow.growth.tissue import Tissue as GrowthTissue
from gliaflow.images import Array
from gliaflow.masks import largest_part
from gliaflow.simulate.cases import Tissue, lognormal
from gliaflow.simulate.fields import signed_distance
from gliaflow.simulate.ground import Ground
from gliaflow.simulate.lesions import Lesions, choose_centre

SESSIONS = ("preop", "postop", "recurrence")
NECROSIS, CORE, OEDEMA = 0.8, 0.6, 0.25
"""Densities above which tissue dies, takes contrast agent, and swells."""
PLACES = ("white", "junction", "cortex")
CORE_ML = (18.0, 0.5, 6.0, 50.0)
"""Median, standard deviation of the logarithm, least and largest volume of the core before surgery."""
WIDTH_MM, RATIO, RHO = (1.5, 3.5), (2.0, 10.0), (0.01, 0.025)
MARGIN_MM, ROUGH_MM = (-2.0, 4.0), 1.0
POSTOP_DAYS = (1, 30)
REACH_MM, RECURRENCE_ML = (5.0, 12.0), 1.0


@dataclass(frozen=True)
class Course:
    """What is drawn of a subject's course.

    Attributes
    ----------
    place
        Where the tumour starts, of `PLACES`.
    core_ml
        Volume of the core on the day of the first scan, which is the day of surgery.
    width_mm
        Width of the front in white matter, sqrt(kappa / rho).
    ratio
        Diffusivity of white matter over that of grey matter.
    rho
        Proliferation, 1/day.
    margin_mm
        How far outside the core's border the surgeon cuts, on average; negative where core is left.
    postop_days
        Days from surgery to the second scan.
    reach_mm
        How far a front runs in white matter from the second scan to the third.
    """

    place: str
    core_ml: float
    width_mm: float
    ratio: float
    rho: float
    margin_mm: float
    postop_days: int
    reach_mm: float

    @property
    def parameters(self) -> Parameters:
        """The parameters of the model."""
        kappa = self.rho * self.width_mm**2
        return Parameters(kappa_white=kappa, kappa_grey=kappa / self.ratio, rho=self.rho)

    @property
    def later_days(self) -> int:
        """Days from the second scan to the third: the reach at Fisher's speed, 2 sqrt(kappa rho)."""
        return max(round(self.reach_mm / (2 * self.width_mm * self.rho)), 1)


def draw_course(rng: np.random.Generator) -> Course:
    """Draw a course; every number comes from the generator."""
    return Course(
        place=str(rng.choice(PLACES, p=(0.5, 0.3, 0.2))),
        core_ml=lognormal(rng, *CORE_ML),
        width_mm=rng.uniform(*WIDTH_MM),
        ratio=rng.uniform(*RATIO),
        rho=float(np.exp(rng.uniform(*np.log(RHO)))),
        margin_mm=rng.uniform(*MARGIN_MM),
        postop_days=int(rng.integers(*POSTOP_DAYS, endpoint=True)),
        reach_mm=rng.uniform(*REACH_MM),
    )


@dataclass(frozen=True)
class Stage:
    """A session's tumour: density (float32) and resection cavity (bool), shape (x, y, z).

    ``days`` count from the first scan; ``onset_days`` from when the density was the seed's.
    """

    session: str
    days: int
    onset_days: float
    density: Array
    cavity: Array


def healthy_tissue(ground: Ground) -> GrowthTissue:
    """Return a brain as the growth models take it."""
    edge = ground.head.resolution_mm
    return GrowthTissue(
        white=ground.white, grey=ground.grey, csf=ground.csf, brain=ground.head.brain, spacing=(edge,) * 3
    )


def start_of(ground: Ground, course: Course, rng: np.random.Generator) -> Seed:
    """Draw the point, a voxel's centre, from which the tumour grows."""
    centre = choose_centre(ground, course.place, rng)
    x, y, z = centre - ground.head.affine[:3, 3]
    return Seed((float(x), float(y), float(z)))


def grow_course(ground: Ground, course: Course, seed: Seed) -> Iterator[Stage]:
    """Grow a tumour through its sessions.

    Parameters
    ----------
    ground
        The healthy brain.
    course
        What is to happen.
    seed
        From `start_of`.

    Yields
    ------
    Stage
        One for each of `SESSIONS`. The tumour grows from the seed to its volume, loses what lies inside the
        surgeon's border, and what is left grows on with the same parameters; it does not enter the cavity.
        The third is late enough to show `RECURRENCE_ML` of core.
    """
    tissue, parameters = healthy_tissue(ground), course.parameters
    grown = simulate(tissue, seed, parameters, volume_ml=course.core_ml, threshold=CORE)
    onset, none = grown.log.days, np.zeros(tissue.brain.shape, dtype=bool)
    yield Stage(SESSIONS[0], 0, onset, grown.density, none)
    cavity = resect(ground, grown.density, course.margin_mm)
    left, rest = tissue.resected(cavity), np.where(cavity, np.float32(0), grown.density)
    days = course.postop_days
    after = simulate(left, rest, parameters, days=days).density
    yield Stage(SESSIONS[1], days, onset + days, after, cavity)
    later = simulate(left, after, parameters, days=course.later_days)
    days += course.later_days
    while (later.density > CORE).sum() * tissue.voxel_ml < RECURRENCE_ML:
        later = simulate(left, later.density, parameters, days=course.later_days)
        days += course.later_days
    yield Stage(SESSIONS[2], days, onset + days, later.density, cavity)


def resect(ground: Ground, density: Array, margin_mm: float) -> Array:
    """Return what a surgeon takes out, bool, shape (x, y, z): one part of tissue round the core, uneven."""
    border = signed_distance(density > CORE, ground.head.affine)
    taken = border < margin_mm + ROUGH_MM * ground.noise["outline"]
    return largest_part(taken & ground.head.brain & ~ground.ventricles)


def lesions_of(stage: Stage) -> Lesions:
    """Return what a session's density shows as: dead, enhancing and swollen tissue, and the cavity."""
    levels = (OEDEMA, CORE, NECROSIS)
    kinds = np.array([Tissue.NONE, Tissue.OEDEMA, Tissue.ENHANCING, Tissue.NECROSIS], dtype=np.uint8)
    tissues = kinds[np.digitize(stage.density, levels)]
    margin = np.clip((CORE - stage.density) / (CORE - OEDEMA), 0, 1).astype(np.float32)
    return Lesions(np.where(stage.cavity, np.uint8(Tissue.CAVITY), tissues), margin)
