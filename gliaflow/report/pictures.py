"""The pictures of every session: registration, brain mask and segmentation, each as one PNG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, ml_per_voxel, same_grid, spacing_of
from gliaflow.labels import REGIONS, SEQUENCES, label_table, meaning, region_mask
from gliaflow.report.canvas import BASE_DPI, Key, Page, Panel, Shape, draw_page, shade
from gliaflow.report.planes import (
    VIEWS,
    Cut,
    bounding_box,
    cuts,
    head,
    head_box,
    nearest_voxel,
    position,
    tilt,
    volume,
    window,
)

# Okabe and Ito's colours, which colour-blind readers tell apart.
OUTLINE, EDGES = "#56B4E9", "#E69F00"
SCALE = 1.5
LABEL_SCALE = 1.5
BRAIN_MARGIN_MM = 8.0
TILTED_DEGREES = 3.0
NO_LESION = "no lesion found"

T = TypeVar("T")
Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Scan:
    """An image ready for drawing: RAS voxels, a mask of what sets its window, and where it is cut."""

    image: nib.Nifti1Image
    data: Array
    inside: Array
    cuts: tuple[Cut, Cut, Cut]

    def panels(self, shapes: Sequence[Sequence[Shape]]) -> list[Panel]:
        """Return the three planes in the window of ``inside``, each with its own shapes."""
        low, high = window(self.data, self.inside)
        return [
            Panel(shade(cut.picture(self.data), low, high), cut, position(self.image, cut), drawn)
            for cut, drawn in zip(self.cuts, shapes, strict=True)
        ]


def draw_registration(  # noqa: PLR0917
    reference: nib.Nifti1Image,
    images: Mapping[str, nib.Nifti1Image],
    mask: nib.Nifti1Image,
    atlas: tuple[str, nib.Nifti1Image, nib.Nifti1Image] | None,
    centre: Array,
    path: str | Path,
    *,
    title: str,
    reference_name: str = "reference",
    dpi: int = BASE_DPI,
) -> None:
    """Draw the reference's contours over every registered sequence, and the atlas' over the reference.

    A contour that does not follow what lies under it shows a wrong registration.

    Parameters
    ----------
    reference
        The image that the others were registered to, any orientation.
    images
        By sequence: images resampled onto the reference's grid (the reference itself may be among them).
    mask
        The reference's brain mask, 0 and 1.
    atlas
        Name of the atlas, its image, and the reference resampled onto its grid; None where there is none.
    centre
        Shape (3,), world coordinates in mm: the point that the planes go through.
    path
        The PNG.
    title
        Cohort, subject and session.
    reference_name
        What to call the reference in the key: its sequence.
    dpi
        Pixels per inch; 100 gives a page of about 900 pixels' width.

    Raises
    ------
    ImageError
        There is nothing to draw, or an image lies on another grid than the reference.
    """
    ordered = _ordered(images, title)
    check_grid({**ordered, "brain mask": mask}, reference, title)
    grid, brain = volume(reference), mask_of(mask)
    whole = data_of(grid)
    place, inside = nearest_voxel(grid, centre)
    planes = cuts(grid, place, head_box(whole, spacing_of(grid), brain), SCALE * dpi / BASE_DPI)
    shapes = [_contours(cut, whole, brain) for cut in planes]
    rows = [Scan(grid, data_of(volume(i)), brain, planes).panels(shapes) for i in ordered.values()]
    names = [f"{n} (reference)" if n == reference_name else n for n in ordered]
    atlas_outline, atlas_edges = "", ""
    if atlas:
        rows.append(_atlas_panels(atlas, title, dpi))
        names.append(f"{reference_name} in {atlas[0]}")
        atlas_outline, atlas_edges = "; last row: outline of the atlas", "; last row: edges of the atlas"
    key: Key = [
        (OUTLINE, f"brain mask of {reference_name}{atlas_outline}"),
        (EDGES, f"edges within {reference_name}{atlas_edges}"),
        *_outside([] if inside else [reference_name]),
    ]
    description = "Registration: contours should follow the anatomy in every row"
    page = Page(title, description, names, [view.name for view in VIEWS], key)
    draw_page(page, rows, path, dpi)


def _outside(names: Sequence[str]) -> Key:
    """Say that the planes of some images are not those asked for."""
    return [(None, f"The chosen point lies outside {n}: its nearest planes are shown.") for n in names]


def _contours(cut: Cut, data: Array, brain: Array) -> list[Shape]:
    return [Shape(cut.edges(data, brain), EDGES, 0.8), Shape(cut.outline(brain), OUTLINE, 1.1)]


def _atlas_panels(atlas: tuple[str, nib.Nifti1Image, nib.Nifti1Image], title: str, dpi: int) -> list[Panel]:
    """Return the session's reference in atlas space under the atlas' contours, through the atlas' middle."""
    name, template, moved = atlas
    template, moved = volume(template), volume(moved)
    check_grid({f"reference in {name}": moved}, template, title)
    data, spacing = data_of(template), spacing_of(template)
    support = ndimage.binary_fill_holes(head(data, spacing))
    box = bounding_box(support, spacing, BRAIN_MARGIN_MM)
    i, j, k = ((s.start + s.stop) // 2 for s in box)
    planes = cuts(template, (i, j, k), box, SCALE * dpi / BASE_DPI)
    return Scan(moved, data_of(moved), support, planes).panels([_contours(c, data, support) for c in planes])


def draw_brain_mask(
    images: Mapping[str, tuple[nib.Nifti1Image, nib.Nifti1Image]],
    centre: Array,
    path: str | Path,
    *,
    title: str,
    dpi: int = BASE_DPI,
) -> None:
    """Draw the outline of the brain mask on each sequence, on that sequence's own grid and in its own planes.

    Parameters
    ----------
    images
        By sequence: the image and its brain mask (0 and 1) on the same grid, any orientation.
    centre
        Shape (3,), world coordinates in mm: the point that the planes go through.
    path
        The PNG.
    title
        Cohort, subject and session.
    dpi
        Pixels per inch.

    Raises
    ------
    ImageError
        There is nothing to draw, or a mask lies on another grid than its image.
    """
    rows, names, tilted, missed = [], [], [], []
    for name, (image, mask) in _ordered(images, title).items():
        check_grid({f"brain mask of {name}": mask}, image, title)
        grid, brain = volume(image), mask_of(mask)
        place, inside = nearest_voxel(grid, centre)
        data = data_of(grid)
        planes = cuts(grid, place, head_box(data, spacing_of(grid), brain), SCALE * dpi / BASE_DPI)
        outlines = [[Shape(cut.outline(brain), OUTLINE, 1.2)] for cut in planes]
        rows.append(Scan(grid, data, brain, planes).panels(outlines))
        names.append(name)
        tilted += [f"{name} {tilt(grid):.0f}°"] if tilt(grid) > TILTED_DEGREES else []
        missed += [] if inside else [name]
    key: Key = [(OUTLINE, "brain mask"), *_outside(missed)]
    if tilted:
        key.append((None, f"Acquired tilted, shown in their own planes: {', '.join(tilted)}."))
    description = "Brain mask on each sequence's own grid"
    page = Page(title, description, names, [view.name for view in VIEWS], key)
    draw_page(page, rows, path, dpi)


def draw_segmentation(
    images: Mapping[str, nib.Nifti1Image],
    labels: nib.Nifti1Image,
    mask: nib.Nifti1Image,
    path: str | Path,
    *,
    regions: Sequence[str] = REGIONS,
    title: str,
    dpi: int = BASE_DPI,
) -> None:
    """Draw the label map over each image beside the bare image, where the largest lesion is widest.

    Parameters
    ----------
    images
        By sequence, t1c and t2f or what there is; any orientation.
    labels
        Label map on the images' grid, values of resources/labels.tsv.
    mask
        Brain mask on the same grid, 0 and 1.
    path
        The PNG.
    regions
        The regions that the segmentation determined; they decide what the labels mean.
    title
        Cohort, subject and session.
    dpi
        Pixels per inch.

    Raises
    ------
    ImageError
        There is nothing to draw, an image lies on another grid than the label map, or the label map holds a
        value that the label table does not.
    """
    ordered = _ordered(images, title)
    check_grid({**ordered, "brain mask": mask}, labels, title)
    grid, brain = volume(labels), mask_of(mask)
    values = np.rint(data_of(grid)).astype(np.int16)
    _check_labels(values, title)
    planes = lesion_planes(grid, values, brain, dpi)
    shapes = [_lesions(cut, values) for cut in planes]
    columns: list[list[Panel]] = []
    for image in ordered.values():
        scan = Scan(grid, data_of(volume(image)), brain, planes)
        columns += [scan.panels([[], [], []]), scan.panels(shapes)]
    names = [text for name in ordered for text in (name, f"{name} with labels")]
    key = _label_key(values, ml_per_voxel(spacing_of(grid)), regions)
    description = "Segmentation, in the planes where the largest lesion is widest"
    if not values.any():
        description = f"Segmentation: {NO_LESION} (planes through the middle of the brain)"
    page = Page(title, description, [view.name for view in VIEWS], names, key)
    draw_page(page, list(zip(*columns, strict=True)), path, dpi, key_panel=(0, 1))


def _lesions(cut: Cut, values: Array) -> list[Shape]:
    return [Shape(cut.outline(values == label.value), label.colour, 1.2, 0.25) for label in label_table()]


def _label_key(values: Array, voxel_ml: float, regions: Sequence[str]) -> Key:
    """Name the labels that the map holds or could hold, with their volumes, then the regions' volumes."""
    if not values.any():
        return [(None, NO_LESION)]
    names = meaning(regions)
    key: Key = []
    for label in label_table():
        count = int((values == label.value).sum())
        if count or str(label.value) in names:
            name = names.get(str(label.value), label.name)
            key.append((label.colour, f"{name}: {_millilitres(count * voxel_ml)}"))
    if len(regions) > 1:
        totals = (f"{r} {_millilitres(float(region_mask(values, r).sum()) * voxel_ml)}" for r in regions)
        key.append((None, "regions: " + ", ".join(totals)))
    return key


def _millilitres(volume_ml: float) -> str:
    return f"{volume_ml:.1f} ml" if volume_ml >= 1 or volume_ml == 0 else f"{volume_ml:.2g} ml"


def lesion_planes(
    grid: nib.Nifti1Image, values: Array, brain: Array, dpi: int, through: Array | None = None
) -> tuple[Cut, Cut, Cut]:
    """Return the planes of the largest lesion, cut to the brain and all lesions.

    Parameters
    ----------
    grid
        RAS+, as `gliaflow.report.planes.volume` makes it.
    values, brain
        Label map and brain mask on it, shape (x, y, z).
    dpi
        Pixels per inch.
    through
        Label map whose largest lesion decides; None takes ``values``.
    """
    box = bounding_box(brain | (values > 0), spacing_of(grid), BRAIN_MARGIN_MM)
    centre = lesion_centre(values if through is None else through, brain)
    return cuts(grid, centre, box, LABEL_SCALE * dpi / BASE_DPI)


def lesion_centre(values: Array, brain: Array) -> Voxel:
    """Return, per axis, the plane where the largest connected lesion has its largest area.

    The tumour decides; a cavity only where there is no tumour, the brain's centre where there is neither.
    """
    lesion = region_mask(values, "WT")
    lesion = lesion if lesion.any() else values > 0
    if not lesion.any():
        solid = brain if brain.any() else np.ones_like(brain)
        i, j, k = (round(c) for c in ndimage.center_of_mass(solid))
        return i, j, k
    box = bounding_box(lesion, (1.0, 1.0, 1.0), 0)
    parts, _ = ndimage.label(lesion[box])
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    areas = (largest.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3))
    i, j, k = (int(np.argmax(area)) + side.start for area, side in zip(areas, box, strict=True))
    return i, j, k


def _ordered(images: Mapping[str, T], title: str) -> dict[str, T]:
    """Sort by sequence, others after them; an empty mapping is an error."""
    if not images:
        raise ImageError(f"{title}: there is no image to draw; give one sequence or more")
    first = {name: images[name] for name in SEQUENCES if name in images}
    return {**first, **images}


def mask_of(mask: nib.Nifti1Image) -> Array:
    """Return a mask as bool in the order of axes that planes are cut in."""
    return data_of(volume(mask)) > 0.5


def check_grid(images: Mapping[str, nib.Nifti1Image], like: nib.Nifti1Image, title: str) -> None:
    """Raise an ``ImageError`` that names the first of the images which lies on another grid."""
    grid = volume(like)
    for name, image in images.items():
        if not same_grid(volume(image), grid):
            raise ImageError(
                f"{title}: {name} has shape {image.shape} and lies on another grid than the "
                f"image it is drawn with ({like.shape}); resample it onto that grid first"
            )


def _check_labels(values: Array, title: str) -> None:
    unknown = set(np.unique(values).tolist()) - {0, *(label.value for label in label_table())}
    if unknown:
        raise ImageError(
            f"{title}: the label map holds {sorted(unknown)}, which resources/labels.tsv lacks; "
            "convert its labels first"
        )
