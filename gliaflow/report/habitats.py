"""The picture of a session's habitats."""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.images import Array, data_of, ml_per_voxel, spacing_of
from gliaflow.report.canvas import BASE_DPI, Key, Page, Panel, Shape, draw_page
from gliaflow.report.pictures import Scan, check_grid, lesion_planes, mask_of
from gliaflow.report.planes import VIEWS, Cut, volume

COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2", "#999999", "#FFFFFF")
"""Of Okabe and Ito; as many as there can be habitats."""
FILL = 0.35


def draw_habitats(
    maps: Mapping[str, nib.Nifti1Image],
    habitats: nib.Nifti1Image,
    brain: nib.Nifti1Image,
    path: str | Path,
    *,
    title: str,
    empty: str = "",
    dpi: int = BASE_DPI,
) -> None:
    """Draw the habitats over each map, beside the bare map, where the tumour is widest.

    Parameters
    ----------
    maps
        By name, in the atlas.
    habitats
        Label map from 1 on the same grid.
    brain
        Brain mask on the same grid.
    path
        The PNG.
    title
        Cohort, subject and session.
    empty
        Why there is none, for a session without.
    dpi
        Pixels per inch.

    Raises
    ------
    ImageError
        A map lies on another grid than the label map.
    """
    check_grid({**maps, "brain mask": brain}, habitats, title)
    grid, inside = volume(habitats), mask_of(brain)
    values = np.rint(data_of(grid)).astype(np.int16)
    planes = lesion_planes(grid, np.where(values > 0, 2, 0), inside, dpi)
    shapes = [_habitats(cut, values) for cut in planes]
    columns: list[list[Panel]] = []
    for image in maps.values():
        scan = Scan(grid, data_of(volume(image)), inside, planes)
        columns += [scan.panels([[], [], []]), scan.panels(shapes)]
    voxel_ml = ml_per_voxel(spacing_of(grid))
    counts = np.bincount(values.ravel())
    key: Key = [
        (COLOURS[k - 1], f"habitat {k}: {counts[k] * voxel_ml:.1f} ml, {counts[k] / counts[1:].sum():.0%}")
        for k in range(1, len(counts))
    ]
    key += [(None, f"No habitats: {empty}")] if empty else []
    names = [text for name in maps for text in (name, f"{name} with habitats")]
    description = "Habitats in the atlas, in the planes where the tumour is widest"
    page = Page(title, description, [view.name for view in VIEWS], names, key)
    draw_page(page, list(zip(*columns, strict=True)), path, dpi)


def _habitats(cut: Cut, values: Array) -> list[Shape]:
    return [
        Shape(cut.outline(values == k), COLOURS[k - 1], 0.7, FILL) for k in range(1, int(values.max()) + 1)
    ]
