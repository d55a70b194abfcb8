"""How well seed and parameters of grown tumours are found: growth_fit.py [CASES [FIRST [NOISE]]].

Each tumour grows by the reaction-diffusion model in a brain of its own (MNI152 or Colin27, deformed, 1 mm)
from a point anywhere in white or grey matter, between voxels, with parameters of `draw_course`. A generated
rater draws the label map, off by a habit (sd 0.7 mm) and by waves (sd 1.2 mm), both times NOISE (1). The fit
knows the brain, the map and nothing else: seed by the eikonal approximation with a ratio of the diffusivities
of 5, then parameters and seed at 2 mm.

An error of a parameter is that of the ratio fitted/true. Seconds are of the CPU (user).
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import ndimage

from gliaflow.growth.fit_parameters import NUMBERS, ParameterFit, fit_parameters
from gliaflow.growth.fit_seed import SeedFit, fit_seed
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.solver import Seed, simulate
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array
from gliaflow.labels import encode, region_mask
from gliaflow.masks import boxes_round
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.simulate.cohort_files import make_stripped_head
from gliaflow.simulate.course import CORE, NECROSIS, OEDEMA, Course, draw_course
from gliaflow.simulate.fields import named_rng
from gliaflow.simulate.raters import Raters

SEED, CASES, RESOLUTION_MM = 1, 20, 1
GUESS = Parameters(kappa_white=0.05, kappa_grey=0.01, rho=0.01)
DEPTH_MM, ROOM_MM = 5.0, 30.0
COLUMNS = (
    *("case", "WT ml", "true D/rho mm^2", "true ratio", "true rho T", "seed off mm", "seed refined off mm"),
    *("Dice of the front", "D/rho", "ratio", "rho T", "called identifiable", "seed fit s", "fit s"),
)
Made = TypeVar("Made")


@dataclass(frozen=True)
class Case:
    """A tumour: what is known of it, and what the fit gets; the seed lies on the tissue's grid."""

    course: Course
    seed: Seed
    rho_days: float
    tissue: Tissue
    labels: Array

    @property
    def truth(self) -> tuple[float, float, float]:
        return self.course.width_mm**2, self.course.ratio, self.rho_days


def timed(make: Callable[[], Made]) -> tuple[Made, float]:
    start = time.process_time()
    return make(), time.process_time() - start


def make_tissue(rng: np.random.Generator, number: int) -> Tissue:
    grid, _ = load_atlas(None, RESOLUTION_MM)
    head = make_stripped_head(grid, rng, "colin27" if number % 2 else "mni152")
    csf, grey, white = head.tissue_fractions()
    return Tissue(white, grey, csf, head.brain, (head.resolution_mm,) * 3)


def make_case(number: int, noise: float = 1.0) -> Case:
    rng = named_rng(SEED, "growth fit", str(number))
    tissue, course = make_tissue(rng, number), draw_course(rng)
    depth = ndimage.distance_transform_edt(tissue.brain, sampling=tissue.spacing)
    places = np.argwhere(tissue.domain & (depth > DEPTH_MM))
    # well inside its voxel, so that rounding leaves it in the domain
    index = places[rng.integers(len(places))] + rng.uniform(-0.45, 0.45, size=3)
    seed = Seed.at_voxel(index, tissue.spacing)
    grown = simulate(tissue, seed, course.parameters, volume_ml=course.core_ml, threshold=CORE)
    (box,) = boxes_round(grown.density > OEDEMA, round(ROOM_MM / RESOLUTION_MM))
    part = Tissue(
        *(image[box] for image in (tissue.white, tissue.grey, tissue.csf, tissue.brain)), tissue.spacing
    )
    corner = [(s.start or 0) * size for s, size in zip(box, tissue.spacing, strict=True)]
    moved = Seed(tuple(np.subtract(seed.position, corner).tolist()))
    levels = {"WT": OEDEMA, "TC": CORE, "ET": CORE}
    masks = {name: grown.density[box] > level for name, level in levels.items()}
    masks["ET"] &= grown.density[box] <= NECROSIS
    rater = Raters(1, number, noise * Raters.habit_mm, noise * Raters.border_mm)
    (labels,) = rater.rate(encode(masks), part.spacing, str(number))
    return Case(course, moved, grown.log.days * course.rho, part, labels)


def report(case: Case, seed: SeedFit, fit: ParameterFit) -> list[float]:
    """Return distances of both seeds, the ratios fitted/true, and the mean Dice of the seed's front."""
    distances = [
        np.linalg.norm(np.subtract(p, case.seed.position)) for p in (seed.position, fit.best.position)
    ]
    ratios = [getattr(fit.best, name) / true for name, true in zip(NUMBERS, case.truth, strict=True)]
    return [*map(float, distances), *ratios, float(np.mean(list(seed.dice.values())))]


def within(ratios: Array, factor: float = 1.2) -> str:
    return f"{(np.abs(np.log(ratios)) <= np.log(factor)).mean():.0%}"


def main() -> None:
    """Print a row for each case, and how many are within 2 mm and within a fifth."""
    given = [int(value) for value in sys.argv[1:3]]
    cases, first = [*given, *(CASES, 1)[len(given) :]]
    noise = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---:" * len(COLUMNS) + "|")
    rows, known = [], []
    for number in range(first, first + cases):
        case = make_case(number, noise)
        regions = {name: region_mask(case.labels, name) for name in ("WT", "TC")}
        seed, seed_s = timed(lambda c=case, r=regions: fit_seed(c.tissue, r, GUESS, seed=SEED))
        fit, fit_s = timed(
            lambda c=case, r=regions, s=seed: fit_parameters(c.tissue, r, s.position, seed=SEED)
        )
        row = report(case, seed, fit)
        rows.append(row)
        known.append([fit.identifiable[name] for name in NUMBERS])
        flags = "".join("y" if flag else "n" for flag in known[-1])
        shown = [f"{v:.2f}" for v in (*case.truth, *row[:2], row[5], *row[2:5])]
        volume = regions["WT"].sum() * case.tissue.voxel_ml
        print(
            "|",
            " | ".join([str(number), f"{volume:.0f}", *shown, flags, f"{seed_s:.0f}", f"{fit_s:.0f}"]),
            "|",
            flush=True,
        )
    table, flagged = np.array(rows), np.array(known)
    near = [(table[:, k] <= 2).mean() for k in (0, 1)]
    print(f"\nseed within 2 mm: {near[0]:.0%} by the eikonal fit, {near[1]:.0%} after the parameters' fit")
    for k, name in enumerate(NUMBERS):
        said = flagged[:, k]
        told = f"; {within(table[said, 2 + k])} of the {said.sum()} called identifiable" if said.any() else ""
        print(f"{name} within a fifth: {within(table[:, 2 + k])}{told}")


if __name__ == "__main__":
    main()
