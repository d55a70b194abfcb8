"""What the viewer of a session's page shows: its scans, and what was found in them as layers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.images import Array, data_of, read_image, spacing_of
from gliaflow.labels import label_table, meaning
from gliaflow.report.layers import (
    COARSE,
    EXACT,
    FINE,
    Detail,
    Packed,
    as_text,
    crop,
    grid_of,
    pack_map,
    pack_scans,
    pack_whole,
)
from gliaflow.report.pictures import lesion_centre
from gliaflow.report.planes import Box, bounding_box, volume, window
from gliaflow.report.session_files import SessionFiles
from gliaflow.uncertainty.numbers import REGION_NAMES

MARGIN_MM = 10.0
"""How far beyond the brain the viewer shows a scan."""
UNSURE = ("#FFF7BC", "#F0E442", "#E69F00", "#D55E00", "#7F2704")
TIMES = ("#FDE725", "#5EC962", "#21918C", "#3B528B", "#440154")
"""Yellow early to violet late (viridis), which colour-blind readers tell apart."""
GREYS = ("#000000", "#FFFFFF")
MODEL, STANDARD, BRAIN = "#CC79A7", "#56B4E9", "#009E73"
WORDS = {EXACT: "16 bits", FINE: "12 bits", COARSE: "8 bits"}
LATEST = 0.98
"""The share of a map of times that its colours span; the rest is as late as the last."""


@dataclass(frozen=True)
class Layer:
    """One layer of the viewer.

    Attributes
    ----------
    title
        What it is called.
    kind
        ``scan``, ``labels``, ``map`` or ``mask``.
    packed
        Its voxels.
    content
        The file that holds them.
    colours
        From low to high, or the one of a mask.
    low, high
        The values of the first and the last colour.
    unit
        Of its values.
    names
        Of a label map, the name of each value.
    """

    title: str
    kind: str
    packed: Packed
    content: bytes
    colours: tuple[str, ...]
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    names: Mapping[str, str] | None = None

    def facts(self) -> dict[str, Any]:
        """Return what the page's script is told of it."""
        return {
            **{"title": self.title, "kind": self.kind, "colours": list(self.colours), "unit": self.unit},
            **{"low": self.low, "high": self.high, "names": self.names or {}, "grid": grid_of(self.packed)},
        }


@dataclass(frozen=True)
class Viewer:
    """The data of a viewer.

    Attributes
    ----------
    layers
        Scans first.
    facts
        What the page's script is told, as plain values: the layers, the grid, and where to begin.
    notes
        What was left out, and how precise the values are.
    """

    layers: tuple[Layer, ...]
    facts: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """The files of the layers in base64."""
        return [as_text(layer.content) for layer in self.layers]


def make_viewer(files: SessionFiles, budget: int) -> Viewer | None:
    """Pack what there is of a session for the viewer.

    Parameters
    ----------
    files
        The session.
    budget
        Bytes of base64 that it may take.

    Returns
    -------
    Viewer or None
        None where no scan was brought to the reference grid, or no brain was found.
    """
    scans = files.sequences("space-ref_{sequence}.nii.gz")
    mask = files.there("anat", "space-ref_desc-brain_mask.nii.gz")
    if not scans or not mask:
        return None
    grid = volume(read_image(mask))
    brain = data_of(grid) > 0.5
    labels = _values(files.there("seg", "space-ref_dseg.nii.gz"), grid)
    box = bounding_box(brain | (labels > 0), spacing_of(grid), MARGIN_MM)
    layers = [*_of_labels(files, grid, labels, box), *_of_growth(files), _brain(grid, brain, box)]
    left = int(budget * 0.75) - sum(len(layer.content) for layer in layers)
    images = {name: (image, data_of(image)) for name, image in _volumes(scans)}
    near = _near(brain | (labels > 0), spacing_of(grid))
    contents, packed, detail = pack_scans(images, near, box, left)
    shown = [
        _scan_layer(name, packed[name], contents[name], window(data, brain))
        for name, (_, data) in images.items()
    ]
    start = lesion_centre(labels, brain)
    facts = {
        "layers": [layer.facts() for layer in (*shown, *layers)],
        "affine": grid.affine.round(6).tolist(),
        "offset": [side.start for side in box],
        "step": list(detail.step),
        "start": [int(place) for place in start],
        "box": [[side.start, side.stop - 1] for side in box],
    }
    return Viewer((*shown, *layers), facts, tuple(_notes(detail)))


def _volumes(paths: Mapping[str, Path]) -> Iterator[tuple[str, nib.Nifti1Image]]:
    for name, path in paths.items():
        yield name, volume(read_image(path))


def _values(path: Path | None, grid: nib.Nifti1Image) -> Array:
    """Return a label map, zeros where there is none."""
    return data_of(volume(read_image(path)), np.uint8) if path else np.zeros(grid.shape, np.uint8)


def _near(inside: Array, spacing: tuple[float, float, float]) -> Array:
    """Return the voxels up to about half the margin from a mask, along each axis."""
    sizes = [1 + 2 * int(MARGIN_MM / 2 / side) for side in spacing]
    return np.asarray(ndimage.maximum_filter(inside, size=sizes))


def _scan_layer(name: str, packed: Packed, content: bytes, ends: tuple[float, float]) -> Layer:
    return Layer(name, "scan", packed, content, GREYS, *ends)


def _brain(grid: nib.Nifti1Image, brain: Array, box: Box) -> Layer:
    return _mask("brain mask", grid, brain, box, BRAIN)


def _mask(title: str, image: nib.Nifti1Image, inside: Array, box: Box, colour: str) -> Layer:
    packed = pack_whole(*crop(image, inside, box))
    return Layer(title, "mask", packed, packed.nifti(), (colour,), names={"1": "inside", "0": "outside"})


def _of_labels(files: SessionFiles, grid: nib.Nifti1Image, labels: Array, box: Box) -> Iterator[Layer]:
    """Give the label map, and the uncertainty of each region."""
    if files.there("seg", "space-ref_dseg.nii.gz"):
        packed = pack_whole(*crop(grid, labels, box))
        names = {str(label.value): label.name for label in label_table()} | meaning(files.regions)
        colours = tuple(label.colour for label in label_table())
        yield Layer(
            "label map",
            "labels",
            packed,
            packed.nifti(),
            colours,
            0,
            len(colours),
            names={"0": "none", **names},
        )
    unsure = files.there("seg", "space-ref_uncertainty.nii.gz")
    if not unsure:
        return
    values = data_of(nib.as_closest_canonical(read_image(unsure)))
    regions = files.document("seg", "space-ref_uncertainty.json").get("Regions", files.regions)
    for number, region in enumerate(regions):
        packed = pack_whole(*crop(grid, values[..., number], box))
        title = f"uncertainty, {REGION_NAMES.get(region, region)}"
        yield Layer(title, "map", packed, packed.nifti(), UNSURE, 0, 100, "of 100")


def _of_growth(files: SessionFiles) -> Iterator[Layer]:
    """Give the time to invasion and the plans, on the grid of growth."""
    times = files.since_segmentation(files.path("growth", "space-growth_desc-median_invasion.nii.gz"))
    if times:
        image = volume(read_image(times))
        values = data_of(image)
        packed = pack_map(values, image.affine)
        said = files.document("growth", "space-growth_desc-median_invasion.json").get("Meaning", "")
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(np.quantile(known, LATEST))) if known.size else (0.0, 1.0)
        unit = "days" if said.startswith("days") else ""
        yield Layer("time to invasion", "map", packed, packed.nifti(), TIMES, low, max(high, low + 1), unit)
    for name, path in files.found("growth", "space-growth_desc-*_mask.nii.gz").items():
        if name != "brain" and files.since_segmentation(path):
            image = volume(read_image(path))
            whole = tuple(slice(0, n) for n in image.shape)
            title, colour = _plan(name)
            yield _mask(title, image, data_of(image) > 0.5, (whole[0], whole[1], whole[2]), colour)


def _plan(name: str) -> tuple[str, str]:
    """Return title and colour of a plan.

    >>> _plan("margin15")
    ('plan, margin of 15 mm', '#56B4E9')
    """
    margin = re.fullmatch(r"margin([\d.]+)", name)
    return (f"plan, margin of {margin[1]} mm", STANDARD) if margin else (f"plan of the {name}", MODEL)


def _notes(detail: Detail) -> Iterator[str]:
    kept = f"Scans are cropped to {MARGIN_MM:g} mm round the brain and kept in {WORDS[detail.levels]}"
    yield f"{kept}; label map, masks and uncertainty are exact."
    if detail.masked:
        yield f"What lies further than about {MARGIN_MM / 2:g} mm from the brain is black."
    if detail.levels == COARSE:
        yield "Values beyond the window are given as its ends, with ≤ or ≥."
    if max(detail.step) > 1:
        kept = " x ".join(map(str, detail.step))
        yield f"Of every {kept} voxels of a scan one is kept, as it is; look at the NIfTI for the others."
