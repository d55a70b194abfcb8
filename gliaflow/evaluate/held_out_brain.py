"""Brain extraction by a network on generated heads that it has not seen, and on clean ones made worse."""

import csv
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.evaluate.held_out_tables import CaseScore, Curve, LimitPoint
from gliaflow.evaluate.overlap import dice
from gliaflow.evaluate.regions import score_region
from gliaflow.evaluate.worst_cases import SAGITTAL, BadCase, outlined, titled
from gliaflow.images import Array, data_of, new_image, read_image, spacing_of
from gliaflow.labels import SEQUENCES
from gliaflow.nnunet.targets import BRAIN
from gliaflow.preprocess.brain_network import BrainNetwork
from gliaflow.simulate.artefacts import Artefacts, apply_artefacts
from gliaflow.simulate.fields import named_rng
from gliaflow.simulate.heads import Anatomy, make_head
from gliaflow.simulate.whole_heads import HeadPlan, Subject, brain_mask, draw_scan, lesions, surroundings

ONE, ALL, BASELINE = "model, one scan", "model, all scans", "embedded, all scans"
THICK_MM = (1.0, 3.0, 4.0, 5.0, 6.0, 7.0)
NOISE = (0.0, 0.05, 0.1, 0.15, 0.2)
BIAS = (0.0, 0.2, 0.4, 0.6)
LOST_MM = (0.0, 10.0, 20.0, 40.0, 60.0)
LESIONS = ("none", "one to three")
CURVES = (
    Curve("thickness", "thickness of axial slices, mm", THICK_MM),
    Curve("noise", "noise (SD, share of the 98th percentile)", NOISE),
    Curve("bias", "bias field (SD of the logarithm)", BIAS),
    Curve("coverage", "brain beyond the field of view, mm", LOST_MM),
    Curve("lesions", "lesions in the brain", LESIONS),
)
TOP, BOTTOM = "vertex cut", "base cut"
LIMIT_PLAN = HeadPlan(scans=1, severity=0.0, randomised=0.0, cohort="limits")
Extract = Callable[[Mapping[str, nib.Nifti1Image], nib.Nifti1Image], nib.Nifti1Image]
"""From scans by sequence, and the grid that the mask gets, to the mask of the brain."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BrainCase:
    """A head: its scans by sequence and its brain (bool, shape (x, y, z)), all on one grid."""

    name: str
    kind: str
    images: Mapping[str, nib.Nifti1Image]
    truth: Array


@dataclass(frozen=True)
class CleanHead:
    """A head's scan of one sequence without artefacts, without and with lesions, and its brain (bool)."""

    name: str
    sequence: str
    scan: nib.Nifti1Image
    with_lesions: nib.Nifti1Image
    truth: Array


def network(model: Path, *, mirror: bool = True, threads: int = 1, gpu: bool = False) -> Extract:
    """Load a package for brain extraction; see `gliaflow.preprocess.brain_network.BrainNetwork`."""
    loaded = BrainNetwork(model, mirror=mirror, threads=threads, gpu=gpu)
    return lambda images, grid: loaded.find(images, grid).mask


def read_cases(sheet: Path, kind: str) -> Iterator[BrainCase]:
    """Read the heads of a generated cohort one by one; ``kind`` is how their contrast was drawn."""
    with sheet.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for row in rows:
        images = {s: read_image(sheet.parent / row[s]) for s in SEQUENCES if row[s]}
        truth = data_of(read_image(sheet.parent / row["brain_mask"])) > 0
        yield BrainCase(f"{kind} sub-{row['subject']}", kind, images, truth)


def found_brain(extract: Extract, images: Mapping[str, nib.Nifti1Image]) -> Array:
    """Return the brain (bool) on the scans' grid; nothing where the method refuses them."""
    grid = next(iter(images.values()))
    try:
        return data_of(extract(images, grid)) > 0
    except ImageError as error:
        logger.warning("nothing found: %s", error)
        return np.zeros(grid.shape, dtype=bool)


def score_scans(case: BrainCase, extract: Extract) -> Iterator[tuple[CaseScore, Array]]:
    """Score each scan of a case by itself; give what was found with it."""
    for sequence, image in case.images.items():
        found = found_brain(extract, {sequence: image})
        score = score_region(case.truth, found, spacing_of(image))
        yield (CaseScore(f"{case.name} {sequence}", f"{sequence} {case.kind}", ONE, BRAIN, score), found)


def score_session(case: BrainCase, extract: Extract, method: str) -> CaseScore:
    """Score a case with all its scans."""
    found = found_brain(extract, case.images)
    spacing = spacing_of(next(iter(case.images.values())))
    score = score_region(case.truth, found, spacing)
    return CaseScore(case.name, f"all {case.kind}", method, BRAIN, score)


def clean_head(number: int, seed: int) -> CleanHead:
    """Make the head of a number, counted from 0; four in turn show the four sequences.

    Parameters
    ----------
    number
        Every third is made of the MNI152 brain, the others of Colin27.
    seed
        Of everything random.
    """
    name = f"limits sub-{number + 1:03d}"
    plan, sequence = LIMIT_PLAN, SEQUENCES[number % len(SEQUENCES)]
    anatomy: Anatomy = "mni152" if number % 3 == 2 else "colin27"
    head = make_head(named_rng(seed, name, "head"), plan.resolution_mm, anatomy, plan.spread)
    layers = surroundings(head, named_rng(seed, name, "surroundings"))
    tries = (lesions(head, named_rng(seed, name, "lesions", str(k))) for k in count())
    marks = next(drawn for drawn in tries if drawn.any())
    scans = [
        draw_scan(Subject(head, layers, marked), sequence, plan, named_rng(seed, name, "scan"))
        for marked in (np.zeros_like(marks), marks)
    ]
    bare, marked = (new_image(scan, head.affine) for scan in scans)
    return CleanHead(name, sequence, bare, marked, brain_mask(head, layers))


def limit_points(
    head: CleanHead, extract: Extract, wanted: Sequence[Curve], seed: int
) -> Iterator[LimitPoint]:
    """Extract the brain of a clean head, and made worse in each way; what curves share is done once."""

    def overlap(image: nib.Nifti1Image, truth: Array) -> float:
        return dice(truth, found_brain(extract, {head.sequence: image}))

    clean = overlap(head.scan, head.truth)
    for curve in wanted:
        for value in curve.values:
            for line, image, truth in WORSE[curve.name](head, value, seed):
                same = image is head.scan
                yield LimitPoint(curve.name, value, line, head.name, clean if same else overlap(image, truth))


Worse = Iterator[tuple[str, nib.Nifti1Image, Array]]


def cropped(head: CleanHead, lost_mm: float, *, top: bool) -> tuple[nib.Nifti1Image, Array]:
    """Leave out the slices beyond a plane so far below the brain's top, or above its lowest voxel."""
    levels = np.flatnonzero(head.truth.any(axis=(0, 1)))
    lost = round(lost_mm / spacing_of(head.scan)[2])
    kept = slice(None, int(levels[-1]) + 1 - lost) if top else slice(int(levels[0]) + lost, None)
    affine = head.scan.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (kept.start or 0)
    return new_image(data_of(head.scan)[:, :, kept], affine), head.truth[:, :, kept]


def _spoiled(head: CleanHead, faults: Artefacts, seed: int, name: str) -> Worse:
    if faults == Artefacts():
        yield BRAIN, head.scan, head.truth
        return
    rng = named_rng(seed, name, head.name)
    seen = apply_artefacts(data_of(head.scan), spacing_of(head.scan), faults, rng)
    yield BRAIN, new_image(seen, head.scan.affine), head.truth


def _thicker(head: CleanHead, value: float | str, seed: int) -> Worse:
    thick = float(value) if float(value) > spacing_of(head.scan)[2] else 0.0
    return _spoiled(head, Artefacts(slice_mm=thick), seed, "thickness")


def _noisier(head: CleanHead, value: float | str, seed: int) -> Worse:
    return _spoiled(head, Artefacts(noise=float(value)), seed, "noise")


def _uneven(head: CleanHead, value: float | str, seed: int) -> Worse:
    return _spoiled(head, Artefacts(bias=float(value)), seed, "bias")


def _partial(head: CleanHead, value: float | str, seed: int) -> Worse:
    for line, top in ((TOP, True), (BOTTOM, False)):
        image, truth = cropped(head, float(value), top=top) if value else (head.scan, head.truth)
        yield line, image, truth


def _diseased(head: CleanHead, value: float | str, seed: int) -> Worse:
    yield BRAIN, head.scan if value == LESIONS[0] else head.with_lesions, head.truth


WORSE: Mapping[str, Callable[[CleanHead, float | str, int], Worse]] = {
    "thickness": _thicker,
    "noise": _noisier,
    "bias": _uneven,
    "coverage": _partial,
    "lesions": _diseased,
}


def bad_case(case: BrainCase, sequence: str, found: Array) -> BadCase:
    """Return a scan for `gliaflow.evaluate.worst_cases`: where it is worst, axial and sagittal."""
    image, pair = case.images[sequence], (case.truth, found)
    spacing, values = spacing_of(image), data_of(image)
    planes = (
        outlined(f"{sequence}, axial", values, pair, spacing),
        outlined(f"{sequence}, sagittal", values, pair, spacing, SAGITTAL),
    )
    return BadCase(titled(f"{case.name} {sequence}", {BRAIN: dice(*pair)}), planes)
