"""The pictures of growth: where a tumour will go, the plans, and whether a follow-up lies where it should."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.growth.ranking import earliest
from gliaflow.images import Array, data_of
from gliaflow.labels import region_mask
from gliaflow.report.canvas import BASE_DPI, Key, Page, Shape, draw_page
from gliaflow.report.pictures import OUTLINE, Scan, check_grid, lesion_planes, mask_of
from gliaflow.report.planes import VIEWS, Cut, volume

TIMES: Mapping[float, str] = {1.0: "#D55E00", 2.0: "#E69F00", 4.0: "#F0E442"}
"""From today's volume on, how many times that is invaded, and its colour (Okabe and Ito's)."""
FILL = 0.35
MODEL, UNSURE, BASELINE, LATER = "#F0E442", "#CC79A7", "#56B4E9", "#E69F00"


def draw_growth(  # noqa: PLR0917
    image: nib.Nifti1Image,
    mask: nib.Nifti1Image,
    labels: nib.Nifti1Image,
    invasion: Mapping[str, nib.Nifti1Image],
    plans: Mapping[str, nib.Nifti1Image],
    path: str | Path,
    *,
    title: str,
    notes: Sequence[str] = (),
    dpi: int = BASE_DPI,
) -> None:
    """Draw how a tumour is foretold to grow, and the radiotherapy plans.

    Parameters
    ----------
    image, mask, labels
        Of the session, on the growth grid.
    invasion
        Time to invasion in days, inf never: ``median``, and ``low`` and ``high`` of its interval.
    plans
        ``standard`` and ``model``, masks.
    path
        The PNG.
    title
        Cohort, subject, session and model.
    notes
        What else to say below.
    dpi
        Pixels per inch.

    Raises
    ------
    ImageError
        An image lies on another grid.
    """
    check_grid({"brain mask": mask, **invasion, **plans}, labels, title)
    values = data_of(volume(labels)).astype(np.uint8)
    scan = _scan(image, mask, values, dpi)
    tumour = region_mask(values, "WT")
    times = {name: data_of(volume(part)) for name, part in invasion.items()}
    sizes = {factor: int(factor * np.count_nonzero(tumour)) for factor in TIMES}
    fronts = {factor: earliest(times["median"], size) for factor, size in sizes.items()}
    spread = {name: earliest(times[name], sizes[2.0]) for name in ("low", "high")}
    masks = {name: mask_of(part) for name, part in plans.items()}
    columns = [
        scan.panels([[Shape(cut.outline(tumour), OUTLINE, 0.9)] for cut in scan.cuts]),
        scan.panels([_fronts(cut, fronts, tumour) for cut in scan.cuts]),
        scan.panels([_between(cut, spread, tumour) for cut in scan.cuts]),
        scan.panels([_plans(cut, masks, tumour) for cut in scan.cuts]),
    ]
    key: Key = [(OUTLINE, "whole tumour as segmented; in the last column the standard plan too")]
    key += [
        (colour, f"model: the first {factor:g} times of today's volume") for factor, colour in TIMES.items()
    ]
    key += [(UNSURE, "model, early and late end of the interval, at twice today's volume")]
    key += [(MODEL, "last column: the model's plan, of the volume of the standard plan")]
    key += [(None, note) for note in notes]
    names = ["segmentation", "growth", "interval", "plans"]
    page = Page(
        title, "Growth as foretold, in the planes of the largest lesion", [v.name for v in VIEWS], names, key
    )
    draw_page(page, list(zip(*columns, strict=True)), path, dpi)


def draw_follow_up(
    baseline: nib.Nifti1Image,
    follow_up: nib.Nifti1Image,
    masks: Mapping[str, nib.Nifti1Image],
    labels: Mapping[str, nib.Nifti1Image],
    path: str | Path,
    *,
    title: str,
    notes: Sequence[str] = (),
    dpi: int = BASE_DPI,
) -> None:
    """Draw a follow-up beside its baseline, so that a person can reject its registration.

    Parameters
    ----------
    baseline, follow_up
        Brain images on the growth grid of the baseline.
    masks, labels
        ``baseline`` and ``later``, brain masks and label maps on that grid.
    path
        The PNG.
    title
        Cohort, subject and session.
    notes
        What the registration's numbers say.
    dpi
        Pixels per inch.

    Raises
    ------
    ImageError
        An image lies on another grid.
    """
    others = {"follow-up": follow_up, **{f"labels {n}": part for n, part in labels.items()}}
    check_grid({**others, **masks}, baseline, title)
    both = [data_of(volume(part)).astype(np.uint8) for part in labels.values()]
    shown = both[1] if both[1].any() else both[0]
    first = _scan(baseline, masks["baseline"], shown, dpi)
    brain = mask_of(masks["later"])
    second = Scan(first.image, data_of(volume(follow_up)), brain, first.cuts)
    whole, own = data_of(volume(baseline)), mask_of(masks["baseline"])
    edges = [
        [Shape(cut.edges(whole, own), LATER, 0.7), Shape(cut.outline(own), BASELINE, 1.0)]
        for cut in first.cuts
    ]
    outlines = [
        [
            Shape(cut.outline(values > 0), colour, 1.0)
            for values, colour in zip(both, (BASELINE, LATER), strict=True)
        ]
        for cut in first.cuts
    ]
    columns = [first.panels(outlines), second.panels(outlines), second.panels(edges)]
    key: Key = [
        (BASELINE, "outline of the first session's lesion; right: of its brain"),
        (LATER, "outline of this session's lesion and cavity; right: edges within the first session's brain"),
        *((None, note) for note in notes),
    ]
    names = ["first session", "this session", "this session, the first one's edges"]
    page = Page(title, "Follow-up: contours should follow the anatomy", [v.name for v in VIEWS], names, key)
    draw_page(page, list(zip(*columns, strict=True)), path, dpi)


def _scan(image: nib.Nifti1Image, mask: nib.Nifti1Image, values: Array, dpi: int) -> Scan:
    grid, brain = volume(image), mask_of(mask)
    return Scan(grid, data_of(grid), brain, lesion_planes(grid, values, brain, dpi))


def _fronts(cut: Cut, fronts: Mapping[float, Array], tumour: Array) -> list[Shape]:
    largest_first = sorted(fronts.items(), reverse=True)
    areas = [Shape(cut.outline(inside), TIMES[factor], 0.8, FILL) for factor, inside in largest_first]
    return [*areas, Shape(cut.outline(tumour), OUTLINE, 0.9)]


def _between(cut: Cut, spread: Mapping[str, Array], tumour: Array) -> list[Shape]:
    ends = [Shape(cut.outline(inside), UNSURE, 1.0) for inside in spread.values()]
    return [*ends, Shape(cut.outline(tumour), OUTLINE, 0.9)]


def _plans(cut: Cut, plans: Mapping[str, Array], tumour: Array) -> list[Shape]:
    return [
        Shape(cut.outline(plans["model"]), MODEL, 1.0, FILL),
        Shape(cut.outline(plans["standard"]), OUTLINE, 1.0),
        Shape(cut.outline(tumour), OUTLINE, 0.9),
    ]
