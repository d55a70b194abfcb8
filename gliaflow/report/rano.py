"""The picture of a session's bidimensional diameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.features.rano import MeasuredLesion, measure_lesions
from gliaflow.images import Array, data_of, spacing_of
from gliaflow.labels import region_mask
from gliaflow.report.canvas import BASE_DPI, Key, Page, Panel, Shape, draw_page
from gliaflow.report.pictures import (
    BRAIN_MARGIN_MM,
    LABEL_SCALE,
    NO_LESION,
    OUTLINE,
    Scan,
    check_grid,
    lesion_centre,
    mask_of,
)
from gliaflow.report.planes import bounding_box, cuts, volume
from gliaflow.report.uncertainty import shown_on

LONGEST, PERPENDICULAR = "#F0E442", "#E69F00"
SHOWN = 3
"""Lesions of each region that are drawn, the largest first."""


def draw_rano(
    images: Mapping[str, nib.Nifti1Image],
    labels: nib.Nifti1Image,
    mask: nib.Nifti1Image,
    path: str | Path,
    *,
    measured: Sequence[str],
    regions: Sequence[str],
    measurable_mm: float,
    title: str,
    neighbours: int = 26,
    smallest_ml: float = 0.0,
    dpi: int = BASE_DPI,
) -> None:
    """Draw the two diameters of each region's largest lesions, on the slices that they were measured on.

    Parameters
    ----------
    images
        By sequence; any orientation.
    labels, mask
        Label map and brain mask on the images' grid.
    path
        The PNG.
    measured
        Regions that are measured; those that were not determined are passed over.
    regions
        Those that were determined.
    measurable_mm, neighbours, smallest_ml
        See `gliaflow.features.rano`.
    title
        Cohort, subject, session and model.
    dpi
        Pixels per inch.

    Raises
    ------
    ImageError
        An image lies on another grid than the label map.
    """
    check_grid({**images, "brain mask": mask}, labels, title)
    grid, brain = volume(labels), mask_of(mask)
    values = np.rint(data_of(grid)).astype(np.int16)
    found = {
        region: measure_lesions(
            values, region, spacing_of(grid), regions, neighbours=neighbours, smallest_ml=smallest_ml
        )
        for region in measured
        if region in regions
    }
    rows: list[list[Panel]] = []
    names: list[str] = []
    key: Key = []
    for region, lesions in found.items():
        sequence = shown_on(region, images)
        for number, lesion in enumerate(lesions[:SHOWN], start=1):
            rows.append(_row(grid, images[sequence], brain, values, region, lesion, dpi))
            names.append(f"{region} {number}, {sequence}")
            key.append((None, f"{region} {number}: {_figures(lesion, measurable_mm)}"))
        if len(lesions) > SHOWN:
            key.append((None, f"{region}: {len(lesions) - SHOWN} smaller lesions are not drawn"))
    description = "Bidimensional diameters, on the slice where each lesion is largest"
    if not rows:
        name, image = next(iter(images.items()))
        rows, names = [_row(grid, image, brain, values, "WT", None, dpi)], [name]
        description = f"Bidimensional diameters: {NO_LESION} (plane through the middle of the brain)"
    colours: Key = [
        (OUTLINE, "outline of the region"),
        (LONGEST, "longest diameter"),
        (PERPENDICULAR, "longest at a right angle to it"),
    ]
    draw_page(Page(title, description, names, ["scan", "with diameters"], [*colours, *key]), rows, path, dpi)


def _row(  # noqa: PLR0917
    grid: nib.Nifti1Image,
    image: nib.Nifti1Image,
    brain: Array,
    values: Array,
    region: str,
    lesion: MeasuredLesion | None,
    dpi: int,
) -> list[Panel]:
    """Return a lesion's axial plane, bare and measured; without one, that of the brain's middle."""
    box = bounding_box(brain | (values > 0), spacing_of(grid), BRAIN_MARGIN_MM)
    centre = lesion_centre(values, brain)
    place = (centre[0], centre[1], centre[2] if lesion is None else lesion.slice)
    planes = cuts(grid, place, box, LABEL_SCALE * dpi / BASE_DPI)
    axial, shapes = planes[0], []
    if lesion:
        ends = lesion.diameters
        shapes = [
            Shape(axial.outline(region_mask(values, region)), OUTLINE, 0.9),
            Shape([axial.place(ends.longest)], LONGEST, 1.6),
            Shape([axial.place(ends.perpendicular)], PERPENDICULAR, 1.6),
        ]
    scan = Scan(grid, data_of(volume(image)), brain, planes)
    return [scan.panels([drawn, [], []])[0] for drawn in ([], shapes)]


def _figures(lesion: MeasuredLesion, measurable_mm: float) -> str:
    """Write a lesion's figures: ``34.2 x 21.0 mm, 718 mm², 3.1 ml``."""
    found = lesion.diameters
    said = f"{found.longest_mm:.1f} x {found.perpendicular_mm:.1f} mm, {found.product_mm2:.0f} mm²"
    small = "" if found.measurable(measurable_mm) else f"; not measurable (below {measurable_mm:g} mm)"
    return f"{said}, {lesion.volume_ml:.2f} ml{small}"
