"""A tumour model on generated brains that it has not seen, and on the same brains made worse."""

import csv
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.config.models import SHIPPED_TABLE, read_models
from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError
from gliaflow.evaluate.held_out_tables import CaseScore, Curve, LimitPoint
from gliaflow.evaluate.overlap import dice
from gliaflow.evaluate.regions import score_region
from gliaflow.evaluate.worst_cases import BadCase, outlined, titled
from gliaflow.fuse.mean import mean_probability
from gliaflow.fuse.postprocess import post_settings, postprocess
from gliaflow.images import Array, data_of, ml_per_voxel, new_image, read_image, spacing_of
from gliaflow.labels import REGIONS, SEQUENCES, region_mask
from gliaflow.masks import stripped_brain
from gliaflow.nnunet.manifest import check_target, read_manifest
from gliaflow.nnunet.targets import TUMOUR
from gliaflow.segment.segmenters import Entry, FlairBaseline, Segmenter, dequantise, load_segmenter, quantise
from gliaflow.simulate.artefacts import Artefacts, apply_artefacts
from gliaflow.simulate.cohort_plan import CohortPlan, plan_subject
from gliaflow.simulate.fields import named_rng

MODEL, BASELINE = "model", "FLAIR baseline"
THICK_MM: tuple[float, ...] = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
NOISE: tuple[float, ...] = (0.0, 0.03, 0.06, 0.1, 0.15)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TumourCase:
    """A session: its scans by sequence, its brain mask, and its label map (uint8, (x, y, z)), on one grid."""

    name: str
    kind: str
    images: Mapping[str, nib.Nifti1Image]
    mask: nib.Nifti1Image
    truth: Array

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm."""
        return spacing_of(self.mask)


@dataclass(frozen=True)
class Found:
    """What a model found in a session.

    ``labels`` is uint8, shape (x, y, z); ``probability`` and each of the ``members`` uint8, 0 to 255 for 0 to
    1, shape (x, y, z, regions).
    """

    labels: Array
    probability: Array
    members: Sequence[Array]


@dataclass(frozen=True)
class Chain:
    """All that the workflow does from scans to labels: members, their mean, and post-processing.

    ``optional`` sequences may be missing of those that it takes.
    """

    segmenter: Segmenter
    regions: tuple[str, ...]
    sequences: tuple[str, ...]
    optional: tuple[str, ...] = ()
    postprocess: Mapping[str, Any] = field(default_factory=dict)
    method: str = "mean"

    def labels(self, images: Mapping[str, nib.Nifti1Image], mask: nib.Nifti1Image) -> Array:
        """Return the label map of a session, uint8, shape (x, y, z); see `find`."""
        return self.find(images, mask).labels

    def find(self, images: Mapping[str, nib.Nifti1Image], mask: nib.Nifti1Image) -> Found:
        """Segment a session.

        Parameters
        ----------
        images
            By sequence, on the grid of the mask; others than the model's are left out.
        mask
            Brain.
        """
        taken = {sequence: images[sequence] for sequence in self.sequences if sequence in images}
        brain = data_of(mask) > 0
        members = self.segmenter.members(taken, mask)
        stored = [quantise(member.probabilities * brain[..., np.newaxis]) for member in members]
        probability = quantise(mean_probability(map(dequantise, stored), self.method))
        settings = post_settings(self.segmenter.facts.get("Postprocess", {}), self.postprocess)
        voxel_ml = ml_per_voxel(spacing_of(mask))
        labels = postprocess(dequantise(probability), self.regions, settings, voxel_ml).labels
        return Found(labels, probability, stored)

    def subsets(self) -> list[tuple[str, ...]]:
        """Return the sets of sequences that it takes, the largest first."""
        sizes = range(len(self.sequences), 0, -1)
        chosen = (subset for size in sizes for subset in combinations(self.sequences, size))
        needed = set(self.sequences) - set(self.optional)
        return [subset for subset in chosen if needed <= set(subset)]


def model_chain(package: Path, *, mirror: bool = True, threads: int = 1, gpu: bool = False) -> Chain:
    """Load a package for tumours, to be run by the defaults of the config.

    Parameters
    ----------
    package
        Zip or folder.
    mirror
        Whether it also looks at the mirrored images.
    threads, gpu
        What it may use.

    Raises
    ------
    ConfigError
        The package cannot be used, or finds no tumours.
    """
    manifest = read_manifest(package)
    check_target(manifest, TUMOUR, package)
    if manifest is None:
        raise ConfigError(f"{package}: has no gliaflow.json; give a package that snakemake train made")
    config = complete_config({})
    entry = Entry(
        name=manifest.name,
        sequences=manifest.sequences,
        regions=manifest.regions,
        target=manifest.target,
        optional=manifest.optional,
        path=package,
        atlas=manifest.atlas,
        gpu=gpu,
    )
    settings = config["segment"] | {"tta": mirror, "seed": config["seed"]}
    return Chain(
        segmenter=load_segmenter("nnunet", entry, settings, threads),
        regions=entry.regions,
        sequences=entry.sequences,
        optional=entry.optional,
        postprocess=config["segment"]["postprocess"],
        method=config["fuse"]["method"],
    )


def baseline_chain() -> Chain:
    """Return the training-free segmenter of the whole tumour, with the settings that it comes with."""
    settings = complete_config({})["segment"]["flair_baseline"]
    table = read_models(SHIPPED_TABLE, check_paths=False).segmentation
    model = next(model for model in table if model.kind == "flair_baseline")
    entry = Entry(model.name, model.sequences, model.regions)
    return Chain(
        FlairBaseline(entry, settings), entry.regions, entry.sequences, postprocess=model.postprocess
    )


def read_cases(sheet: Path, plan: CohortPlan) -> Iterator[TumourCase]:
    """Read the sessions of a generated cohort one by one.

    Parameters
    ----------
    sheet
        Its samples.tsv.
    plan
        What it was made by.
    """
    kinds = {s.folder: s.case.kind for k in range(plan.subjects) for s in plan_subject(plan, k + 1)}
    with sheet.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for row in rows:
        images = {s: read_image(sheet.parent / row[s]) for s in SEQUENCES if row[s]}
        first = next(iter(images.values()))
        mask = new_image(stripped_brain(data_of(first), row["label"]), first.affine, np.uint8)
        truth = data_of(read_image(sheet.parent / row["label"]), np.uint8)
        kind = kinds[str(Path(row["label"]).parent)]
        yield TumourCase(f"sub-{row['subject']}", kind, images, mask, truth)


def score_case(case: TumourCase, labels: Array, regions: Sequence[str], method: str) -> list[CaseScore]:
    """Score the regions that a method determines."""
    pairs = ((region_mask(case.truth, region), region_mask(labels, region)) for region in regions)
    scores = [score_region(truth, found, case.spacing) for truth, found in pairs]
    return [
        CaseScore(case.name, case.kind, method, region, score)
        for region, score in zip(regions, scores, strict=True)
    ]


def curves(chain: Chain, *, quick: bool = False) -> tuple[Curve, ...]:
    """Return what is made worse for a model, and by how much; less of it if ``quick``."""
    every = slice(None, None, 3 if quick else 1)
    return (
        Curve("thickness", "thickness of axial slices, mm", THICK_MM[every]),
        Curve("noise", "noise (SD, share of the 98th percentile)", NOISE[every]),
        Curve("sequences", "sequences that are there", tuple(map(spelled, chain.subsets()))[every]),
    )


def spelled(subset: Sequence[str]) -> str:
    """Return a set of sequences as a word of one length.

    >>> spelled(("t1n", "t2f"))
    't1n  .   .  t2f'
    """
    return " ".join(s if s in subset else " . " for s in SEQUENCES)


def limit_points(case: TumourCase, chain: Chain, wanted: Sequence[Curve], seed: int) -> Iterator[LimitPoint]:
    """Segment a clean case, and made worse in each way; what two curves share is done once."""
    done: dict[str, list[tuple[str, float]]] = {}
    for curve in wanted:
        for value in curve.values:
            key = f"{curve.name} {value}" if value in changed(curve) else "clean"
            if key not in done:
                images = WORSE[curve.name](case, value, seed) if key != "clean" else case.images
                done[key] = _dice_of_present(case, chain.labels(images, case.mask), chain.regions)
            for region, overlap in done[key]:
                yield LimitPoint(curve.name, value, region, case.name, overlap)


def changed(curve: Curve) -> tuple[float | str, ...]:
    """Return the values of a curve that change something; the first does not."""
    return curve.values[1:]


def with_artefacts(case: TumourCase, faults: Artefacts, seed: int, name: str) -> dict[str, nib.Nifti1Image]:
    """Spoil every scan of a case alike, each with its own noise, and keep 0 outside the brain."""
    brain = data_of(case.mask) > 0
    spoiled = {}
    for sequence, image in case.images.items():
        rng = named_rng(seed, name, case.name, sequence)
        seen = apply_artefacts(data_of(image), case.spacing, faults, rng)
        spoiled[sequence] = new_image(np.where(brain, np.maximum(seen, 1), 0), image.affine)
    return spoiled


def _thicker(case: TumourCase, value: float | str, seed: int) -> dict[str, nib.Nifti1Image]:
    return with_artefacts(case, Artefacts(slice_mm=float(value)), seed, "thickness")


def _noisier(case: TumourCase, value: float | str, seed: int) -> dict[str, nib.Nifti1Image]:
    return with_artefacts(case, Artefacts(noise=float(value)), seed, "noise")


def _fewer(case: TumourCase, value: float | str, seed: int) -> dict[str, nib.Nifti1Image]:
    return {sequence: image for sequence, image in case.images.items() if sequence in str(value).split()}


WORSE: Mapping[str, Callable[[TumourCase, float | str, int], dict[str, nib.Nifti1Image]]] = {
    "thickness": _thicker,
    "noise": _noisier,
    "sequences": _fewer,
}


def bad_case(case: TumourCase, labels: Array) -> BadCase:
    """Return a case for `gliaflow.evaluate.worst_cases`: the core on t1c, the whole tumour on t2f."""
    shown = {"TC": _scan(case, "t1c"), "WT": _scan(case, "t2f")}
    wrong = sum(region_mask(case.truth, r) ^ region_mask(labels, r) for r in REGIONS)
    masks = {region: (region_mask(case.truth, region), region_mask(labels, region)) for region in REGIONS}
    values = {r: dice(*pair) if pair[0].any() else None for r, pair in masks.items()}
    planes = tuple(
        outlined(f"{name}, {region}", image, masks[region], case.spacing, errors=np.asarray(wrong))
        for region, (name, image) in shown.items()
    )
    return BadCase(titled(case.name, values), planes)


def _scan(case: TumourCase, wanted: str) -> tuple[str, Array]:
    name = wanted if wanted in case.images else next(iter(case.images))
    return name, data_of(case.images[name])


def _dice_of_present(case: TumourCase, labels: Array, regions: Sequence[str]) -> list[tuple[str, float]]:
    pairs = {region: (region_mask(case.truth, region), region_mask(labels, region)) for region in regions}
    return [(region, dice(*pair)) for region, pair in pairs.items() if pair[0].any()]
