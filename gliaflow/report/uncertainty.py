"""The picture of a session's uncertainty."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.images import Array, data_of, new_image
from gliaflow.labels import region_mask
from gliaflow.report.canvas import BASE_DPI, Key, Page, Panel, Shape, draw_page
from gliaflow.report.pictures import OUTLINE, Scan, check_grid, lesion_planes, mask_of
from gliaflow.report.planes import VIEWS, Cut, volume

LEVELS: Mapping[int, str] = {25: "#F0E442", 50: "#E69F00", 75: "#D55E00"}
"""From which value of 0 to 100 on a colour is drawn; of Okabe and Ito's colours, pale to strong."""
FILL = 0.4
PREFERRED: Mapping[str, tuple[str, ...]] = {"WT": ("t2f", "t2w"), "TC": ("t1c",), "ET": ("t1c",)}


def draw_uncertainty(
    images: Mapping[str, nib.Nifti1Image],
    uncertainty: nib.Nifti1Image,
    labels: nib.Nifti1Image,
    mask: nib.Nifti1Image,
    path: str | Path,
    *,
    regions: Sequence[str],
    title: str,
    reasons: Sequence[str] = (),
    dpi: int = BASE_DPI,
) -> None:
    """Draw how unsure each region is, over the sequence that shows it, with the region's outline.

    Parameters
    ----------
    images
        By sequence; any orientation.
    uncertainty
        Shape (x, y, z, regions), 0 (certain) to 100, on the images' grid.
    labels, mask
        Label map and brain mask on the same grid.
    path
        The PNG.
    regions
        The channels of ``uncertainty``.
    title
        Cohort, subject, session and model.
    reasons
        Why the session is to be looked at; none where it need not be.
    dpi
        Pixels per inch.

    Raises
    ------
    ImageError
        An image lies on another grid than the label map.
    """
    maps = [new_image(data_of(uncertainty)[..., k], uncertainty.affine) for k in range(len(regions))]
    check_grid({**images, "brain mask": mask, "uncertainty": maps[0]}, labels, title)
    grid, brain = volume(labels), mask_of(mask)
    values = np.rint(data_of(grid)).astype(np.int16)
    unsure = {region: data_of(volume(part)) for region, part in zip(regions, maps, strict=True)}
    planes = lesion_planes(grid, values, brain, dpi, through=None if values.any() else _widest(unsure))
    columns: list[list[Panel]] = []
    names: list[str] = []
    for region in regions:
        sequence = shown_on(region, images)
        scan = Scan(grid, data_of(volume(images[sequence])), brain, planes)
        if sequence not in names:
            columns.append(scan.panels([[], [], []]))
            names.append(sequence)
        inside = region_mask(values, region)
        columns.append(scan.panels([_unsure(cut, unsure[region], inside) for cut in planes]))
        names.append(f"{sequence}, {region}")
    key: Key = [(colour, f"uncertainty {level} and more of 100") for level, colour in LEVELS.items()]
    key += [(OUTLINE, "outline of the region as segmented")]
    key += [(None, f"To be looked at: {reason}") for reason in reasons]
    description = "Uncertainty of each region (0 certain, 100 even odds), in the planes of the largest lesion"
    page = Page(title, description, [view.name for view in VIEWS], names, key)
    draw_page(page, list(zip(*columns, strict=True)), path, dpi)


def shown_on(region: str, images: Mapping[str, nib.Nifti1Image]) -> str:
    """Return the sequence of a session that shows a region best, else its first one."""
    return next((sequence for sequence in PREFERRED[region] if sequence in images), next(iter(images)))


def _unsure(cut: Cut, unsure: Array, inside: Array) -> list[Shape]:
    """Return an area for each level, the higher ones on top, and the outline of the region."""
    areas = [Shape(cut.outline(unsure >= level), colour, 0.4, FILL) for level, colour in LEVELS.items()]
    return [*areas, Shape(cut.outline(inside), OUTLINE, 0.9)]


def _widest(unsure: Mapping[str, Array]) -> Array:
    """Return where something is unsure, as a label map, for sessions in which nothing was found."""
    lowest = min(LEVELS)
    return np.where(np.any([part >= lowest for part in unsure.values()], axis=0), 2, 0)
