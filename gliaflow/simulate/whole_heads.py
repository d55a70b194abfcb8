"""Whole heads with their brain masks, to train brain extraction on any kind of scan.

A folder gets samples.tsv and for each subject some scans, on one grid, and brain_mask.nii.gz. The same
options give the same bytes, and no subject depends on how many others there are.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage

from gliaflow.config.schema import load_schema
from gliaflow.images import Array, write_image
from gliaflow.labels import SEQUENCES
from gliaflow.masks import largest_part
from gliaflow.simulate.artefacts import apply_artefacts, random_artefacts
from gliaflow.simulate.command import (
    COUNT,
    NAME,
    SEED,
    SEVERITY,
    SHARE,
    Command,
    check_plan,
    run,
    side_by_side,
)
from gliaflow.simulate.contrasts import BRAIN_TISSUES, MEAN_SIGNAL
from gliaflow.simulate.fields import blob, named_rng, signed_distance, smooth_noise, world_points
from gliaflow.simulate.heads import TISSUE_BRIGHTNESS, Anatomy, Head, Material, make_head
from gliaflow.simulate.tables import claim_folder, write_table

LESION_MM, LARGEST_SHARE = (4.0, 26.0), 0.15
FLUID_MM, DURA_MM = (0.0, 3.0), (0.4, 1.6)
PATCHY, UNEVEN_MM = (0.03, 0.2), (6.0, 25.0)
BRAIN_NOISE = (0.01, 0.05)
SATURATED, DEFACED = 0.3, 0.15
"""Share of the realistic scans whose fat is suppressed, and of the heads without a face."""
FLUID_IN_MASK_MM = 2.0
"""How far the brain mask reaches into the fluid on the brain, at most, as HD-BET's and SynthStrip's do."""
CLOSED_MM = 4.0
"""Half the width of the gaps that the brain mask closes, since no mask follows each sulcus and cistern."""
CROP_MM = {"neck": (0.0, 55.0), "vertex": (0.0, 18.0), "side": (0.0, 14.0)}
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeadPlan:
    """What a cohort of whole heads is to hold.

    Attributes
    ----------
    subjects, scans
        How many subjects, and scans of each (1 to 4), all on one grid.
    resolution_mm
        Voxel size of the anatomy and of the scans.
    randomised
        Share of the scans in which every tissue has a signal of chance; in the others it is near the one
        that its sequence shows.
    colin27
        Share of the heads that are made of Colin27; the others have an MNI152 brain in a generated head.
    severity
        Factor of the artefacts' strength.
    spread
        Factor of how far heads differ from their template.
    cohort, seed
        Name of the cohort, letters and digits, and seed of everything random.

    A value out of its range is a ``ConfigError``.
    """

    subjects: int = 20
    scans: int = 3
    resolution_mm: float = 1.5
    randomised: float = 0.6
    colin27: float = 0.7
    severity: float = 1.0
    spread: float = 1.8
    cohort: str = "heads"
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        check_plan(
            self,
            {
                "subjects": COUNT,
                "scans": (lambda scans: 1 <= scans <= len(SEQUENCES), "a number from 1 to 4"),
                "resolution_mm": (lambda mm: 0.5 <= mm <= 4, "a number from 0.5 to 4"),
                **dict.fromkeys(("randomised", "colin27"), SHARE),
                "severity": SEVERITY,
                "spread": (lambda spread: 0 <= spread <= 3, "a number from 0 to 3"),
                "cohort": NAME,
                "seed": SEED,
            },
        )


@dataclass(frozen=True)
class Subject:
    """A head, what surrounds its brain (`surroundings`), and where its brain holds lesions (`lesions`)."""

    head: Head
    layers: Array
    marks: Array


def write_heads(
    folder: Path, plan: HeadPlan, progress: Callable[[str], None] = logger.info, *, jobs: int = 1
) -> Path:
    """Write a cohort of heads that a training of brain extraction takes as it is.

    Parameters
    ----------
    folder
        New, empty, or holding the same cohort, whose files are then written again.
    plan
        What it is to hold.
    progress
        Is given one line after each subject.
    jobs
        Subjects that are made side by side, each in a process; the bytes are the same.

    Returns
    -------
    pathlib.Path
        ``samples.tsv``, written last. Each ``sub-*`` has ``brain_mask.nii.gz`` (uint8) and scans (int16).

    Raises
    ------
    ConfigError
        The folder holds anything else.
    """
    names = [f"{index:04d}" for index in range(1, plan.subjects + 1)]
    made = side_by_side(partial(write_head, folder, plan), names, jobs)
    claim_folder(folder, asdict(plan))
    rows = []
    for row in made:
        rows.append(row)
        progress(f"sub-{row['subject']} of {plan.subjects}")
    write_table(folder / "samples.tsv", tuple(load_schema("samples")["properties"]), rows)
    return folder / "samples.tsv"


def write_head(folder: Path, plan: HeadPlan, subject: str) -> dict[str, str]:
    """Write the scans and the mask of a subject; return its row of the sheet."""

    def rng(*names: str) -> np.random.Generator:
        return named_rng(plan.seed, plan.cohort, subject, *names)

    traits = rng("traits")
    anatomy: Anatomy = "colin27" if traits.random() < plan.colin27 else "mni152"
    head = make_head(rng("head"), plan.resolution_mm, anatomy, plan.spread)
    whole = Subject(head, surroundings(head, rng("surroundings")), lesions(head, rng("lesions")))
    box = field_of_view(head, traits)
    affine = head.affine.copy()
    affine[:3, 3] += head.affine[:3, :3] @ [side.start for side in box]
    place = f"sub-{subject}"
    (folder / place).mkdir(parents=True, exist_ok=True)
    mask = brain_mask(head, whole.layers)
    write_image(folder / place / "brain_mask.nii.gz", mask[box], affine, np.uint8)
    taken = list(traits.permutation(SEQUENCES)[: plan.scans])
    for sequence in taken:
        scan = draw_scan(whole, sequence, plan, rng(sequence))
        write_image(folder / place / f"{sequence}.nii.gz", scan[box], affine, np.int16)
    images = {name: f"{place}/{name}.nii.gz" for name in (*taken, "brain_mask")}
    return {"cohort": plan.cohort, "subject": subject, "session": "1", "registered": "ref", **images}


def surroundings(head: Head, rng: np.random.Generator) -> Array:
    """Return a head's materials with fluid and dura of a thickness of their own round the brain.

    Returns
    -------
    numpy.ndarray
        uint8: `Material`, and ``len(Material)`` for dura; where a face was removed, there is air.
    """
    layers = head.materials.copy()
    from_brain = signed_distance(head.brain, head.affine)
    uneven = 1 + 0.4 * smooth_noise(head.brain.shape, (head.resolution_mm,) * 3, 30.0, rng)
    fluid = rng.uniform(*FLUID_MM) * uneven
    near = (from_brain > 0) & (layers != Material.AIR)
    layers[near & (from_brain < fluid + rng.uniform(*DURA_MM))] = len(Material)
    layers[near & (from_brain < fluid)] = Material.CSF
    if rng.random() < DEFACED:
        points = world_points(head.affine, head.brain.shape)
        height = rng.uniform(-45, -25)
        layers[(points[2] < height + 0.7 * (points[1] - 40)) & (from_brain > rng.uniform(6, 12))] = (
            Material.AIR
        )
    return layers


def brain_mask(head: Head, layers: Array) -> Array:
    """Return the brain with the fluid that lies on it and narrow gaps closed, bool, shape (x, y, z).

    Parameters
    ----------
    head
        Whose brain it is.
    layers
        From `surroundings`.
    """
    near = signed_distance(head.brain, head.affine) < FLUID_IN_MASK_MM
    covered = largest_part(head.brain | (near & (layers == Material.CSF)))
    grown = signed_distance(covered, head.affine) < CLOSED_MM
    return signed_distance(~grown, head.affine) >= CLOSED_MM


def lesions(head: Head, rng: np.random.Generator) -> Array:
    """Return where a brain holds lesions: uint8, 0 for none, else a number from 1 to 3."""
    marks = np.zeros(head.brain.shape, dtype=np.uint8)
    points = world_points(head.affine, head.brain.shape)
    places = np.argwhere(head.brain)
    for mark in range(1, int(rng.integers(0, 4)) + 1):
        centre = points[(slice(None), *places[rng.integers(len(places))])]
        radii = rng.uniform(*LESION_MM) * rng.uniform(0.7, 1.3, size=3)
        bumps = 4 * smooth_noise(head.brain.shape, (head.resolution_mm,) * 3, 9.0, rng)
        x, y, z = centre.tolist()
        marks[(blob(points, (x, y, z), tuple(radii)) + bumps < 0) & head.brain] = mark
    return marks


def field_of_view(head: Head, rng: np.random.Generator) -> tuple[slice, slice, slice]:
    """Draw the box of the grid that the scans cover: some neck, and at times not all of the vertex."""
    low = np.zeros(3, dtype=int)
    high = np.array(head.brain.shape)
    mm = head.resolution_mm
    low[2] += round(rng.uniform(*CROP_MM["neck"]) / mm)
    if rng.random() < LARGEST_SHARE:
        high[2] -= round(rng.uniform(*CROP_MM["vertex"]) / mm)
    for axis in (0, 1):
        low[axis] += round(rng.uniform(*CROP_MM["side"]) / mm * rng.integers(2))
        high[axis] -= round(rng.uniform(*CROP_MM["side"]) / mm * rng.integers(2))
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return x, y, z


def draw_scan(subject: Subject, sequence: str, plan: HeadPlan, rng: np.random.Generator) -> Array:
    """Return one scan of a subject, whole numbers from 0, shape (x, y, z)."""
    head, layers, marks = subject.head, subject.layers, subject.marks
    randomised = rng.random() < plan.randomised
    signal = random_signal(rng) if randomised else realistic_signal(sequence, rng)
    spacing = (head.resolution_mm,) * 3
    inside = np.interp(head.brightness, TISSUE_BRIGHTNESS, [signal[tissue] for tissue in BRAIN_TISSUES])
    outside = np.array([signal[m.name.lower()] for m in Material] + [signal["dura"]])[layers]
    uneven = smooth_noise(layers.shape, spacing, rng.uniform(*UNEVEN_MM), rng)
    image = np.where(head.brain, inside, outside * (1 + rng.uniform(*PATCHY) * uneven))
    soft = ndimage.gaussian_filter((marks > 0).astype(np.float32), 0.8) * (marks > 0)
    image += soft * (np.array([0, *(signal[f"lesion {k}"] for k in (1, 2, 3))])[marks] - image)
    grain = rng.uniform(*BRAIN_NOISE) * np.where(head.brain, 1.0, 2.0)
    image = np.maximum(image * (1 + grain * head.texture), 0).astype(np.float32)
    faults = replace(random_artefacts(rng, plan.severity), cut_mm=(0.0, 0.0))
    seen = apply_artefacts(ndimage.gaussian_filter(image, 0.5), spacing, faults, rng)
    return np.rint(np.clip(seen, 0, 30000))


def realistic_signal(sequence: str, rng: np.random.Generator) -> dict[str, float]:
    """Draw what each tissue shows in a sequence: the table's signal, by a factor of the scan's own."""
    signal = {name: row[sequence] * rng.uniform(0.85, 1.18) for name, row in MEAN_SIGNAL.items()}
    signal["dura"] = rng.uniform(200, 1200 if sequence == "t1c" else 600)
    lesion = ("necrotic core", "oedema", "enhancing")
    signal |= {f"lesion {k}": signal[name] * rng.uniform(0.7, 1.3) for k, name in enumerate(lesion, 1)}
    if rng.random() < SATURATED:
        suppression = rng.uniform(0.1, 0.5)
        signal |= {name: signal[name] * suppression for name in ("fat", "marrow", "skin")}
    return signal


def random_signal(rng: np.random.Generator) -> dict[str, float]:
    """Draw a signal of chance for each tissue; air, and bone more often than not, stay dark."""
    names = (*MEAN_SIGNAL, "dura", "lesion 1", "lesion 2", "lesion 3")
    signal = {name: rng.uniform(20, 1200) for name in names}
    bright_bone = rng.random() < 0.15
    signal["air"] = 0.0
    signal["bone"] *= 1.0 if bright_bone else 0.12
    return signal


HELP: Mapping[str, str] = {
    "subjects": "number of subjects",
    "scans": "scans of each subject, 1 to 4",
    "resolution_mm": "voxel size in mm",
    "randomised": "share of the scans with signals of chance, 0 to 1",
    "colin27": "share of the heads made of Colin27, 0 to 1; the others have an MNI152 brain",
    "severity": "strength of the artefacts, 0 to 2",
    "spread": "how far heads differ from their template, 0 to 3",
    "cohort": "name of the cohort, letters and digits",
    "seed": "the same seed gives the same bytes",
}


def main(arguments: list[str] | None = None) -> int:
    """Write a cohort as the command line asks; status 1, with one sentence, where that is not possible."""
    about = __doc__ or ""
    return run(Command("gliaflow.simulate.whole_heads", about, HeadPlan, HELP, write_heads), arguments)


if __name__ == "__main__":
    sys.exit(main())
