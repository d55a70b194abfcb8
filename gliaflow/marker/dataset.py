"""What networks see of a session: a cube around the tumour and the slice through its middle."""

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gliaflow.arrays import write_arrays
from gliaflow.errors import GliaflowError, ImageError
from gliaflow.images import Array, data_of, read_image, same_grid, spacing_of
from gliaflow.labels import SEQUENCES, region_mask
from gliaflow.marker.boxes import crop
from gliaflow.marker.graph import SeenGraph, read_graph, see_graph
from gliaflow.marker.names import GRAPH, SLICE, VOLUME

PARTS = (VOLUME, SLICE, GRAPH)
NOTHING: Array = np.zeros(0, np.float32)
FINER = 2
MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Seen:
    """What networks see of a session, all of it in the order of `gliaflow.labels.SEQUENCES`.

    Attributes
    ----------
    volume
        float32, shape (sequences, n, n, n): a cube around the tumour; 0 where a sequence is missing.
    slice
        float32, shape (sequences, 2n, 2n): the axial slice that halves the tumour, over the same extent.
    present
        Bool, shape (sequences,).
    mean
        Mean intensity in the tumour, NaN where a sequence is missing; of the brain where there is no tumour.
    tumour_ml
        Volume of the tumour, 0 where none was found; the cube is then around the middle of the brain.
    spacing_mm
        Voxel size of the cube.
    graph
        What the regions of the atlas and the paths between them show, where a network looks at them.
    patches
        float32, shape (patches, features): of the subject's pathology; none where there is none.
    """

    volume: Array
    slice: Array
    present: Array
    mean: Array
    tumour_ml: float
    spacing_mm: float
    graph: SeenGraph | None = None
    patches: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))


def see(
    images: Mapping[str, Array],
    labels: Array,
    brain: Array,
    spacing: tuple[float, float, float],
    *,
    voxels: int,
    spacing_mm: float,
) -> Seen:
    """Return what networks see of a session.

    Parameters
    ----------
    images
        By sequence, normalised, each of shape (x, y, z) in the space of the atlas, RAS+; others are missing.
    labels
        Label map, the same shape.
    brain
        Bool, the same shape.
    spacing
        Voxel size in mm.
    voxels, spacing_mm
        Edge of the cube in voxels, and their size.
    """
    tumour = region_mask(labels, "WT")
    around = tumour if tumour.any() else brain
    if not around.any():
        raise ImageError("neither a tumour nor a brain to look at: label map and brain mask are empty")
    box = [np.flatnonzero(around.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    centre = np.array([(there[0] + there[-1]) / 2 for there in box])
    area = np.cumsum(around.sum(axis=(0, 1)))
    middle = np.array([*centre[:2], np.searchsorted(area, area[-1] / 2)])
    fine = (spacing_mm / FINER, spacing_mm / FINER, spacing[2])
    cubes, slices, means = [], [], []
    for sequence in SEQUENCES:
        image = images.get(sequence)
        if image is None:
            cubes.append(np.zeros((voxels,) * 3, np.float32))
            slices.append(np.zeros((FINER * voxels,) * 2, np.float32))
        else:
            cubes.append(crop(image, spacing, centre, (voxels,) * 3, (spacing_mm,) * 3))
            slices.append(crop(image, spacing, middle, (FINER * voxels, FINER * voxels, 1), fine)[..., 0])
        means.append(np.nan if image is None else float(image[around].mean()))
    return Seen(
        volume=np.stack(cubes),
        slice=np.stack(slices),
        present=np.array([sequence in images for sequence in SEQUENCES]),
        mean=np.array(means),
        tumour_ml=float(tumour.sum() * np.prod(spacing) / MM3_PER_ML),
        spacing_mm=spacing_mm,
    )


def see_session(
    images: Mapping[str, Path],
    labels: Path,
    brain: Path,
    *,
    voxels: int,
    spacing_mm: float,
    graph: Path | None = None,
    patches: Array | None = None,
) -> Seen:
    """Read the images of a session and return what networks see of it.

    Parameters
    ----------
    images, labels, brain
        Files in the space of the atlas.
    voxels, spacing_mm, patches
        As for `see` and `Seen`.
    graph
        From `gliaflow.marker.graph.write_graph`, where a network looks at it.

    Raises
    ------
    ImageError
        An image lies on another grid than the label map.
    """
    grid = read_image(labels)
    found = {sequence: read_image(path) for sequence, path in images.items()}
    mask = read_image(brain)
    for name, image in {**found, "brain mask": mask}.items():
        if not same_grid(image, grid):
            raise ImageError(f"{name}: lies on another grid than the label map; make both again")
    data = {sequence: data_of(image) for sequence, image in found.items()}
    spacing = spacing_of(grid)
    seen = see(
        data, data_of(grid, np.uint8), data_of(mask) > 0, spacing, voxels=voxels, spacing_mm=spacing_mm
    )
    if graph is not None:
        seen = replace(seen, graph=see_graph(data, SEQUENCES, spacing, read_graph(graph)))
    return seen if patches is None else replace(seen, patches=patches)


def write_seen(path: Path, seen: Seen) -> None:
    """Write what networks see as ``.npz``, intensities in half precision; whole or not at all."""
    half = {name: getattr(seen, name).astype(np.float16) for name in ("volume", "slice")}
    kept = ("present", "mean", "tumour_ml", "spacing_mm", "patches")
    rest = {name: np.asarray(getattr(seen, name)) for name in kept}
    if seen.graph is not None:
        half |= {name: getattr(seen.graph, name).astype(np.float16) for name in ("nodes", "edges")}
        rest |= {name: np.asarray(getattr(seen.graph, name)) for name in ("pairs", "digest")}
    write_arrays(path, {**half, **rest})


def read_seen(path: Path, parts: Collection[str] = PARTS) -> Seen:
    """Read what `write_seen` wrote.

    Parameters
    ----------
    path
        The file.
    parts
        What is needed of the large parts; the others are left empty, and are not unpacked.

    Raises
    ------
    GliaflowError
        It is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            graph = None
            if GRAPH in parts and "nodes" in stored:
                nodes, edges = (stored[name].astype(np.float32) for name in ("nodes", "edges"))
                graph = SeenGraph(nodes, edges, stored["pairs"], str(stored["digest"]))
            return Seen(
                volume=stored["volume"].astype(np.float32) if VOLUME in parts else NOTHING,
                slice=stored["slice"].astype(np.float32) if SLICE in parts else NOTHING,
                present=stored["present"],
                mean=stored["mean"],
                tumour_ml=float(stored["tumour_ml"]),
                spacing_mm=float(stored["spacing_mm"]),
                graph=graph,
                patches=stored["patches"],
            )
    except (OSError, KeyError, ValueError, BadZipFile, zlib.error) as error:
        raise GliaflowError(f"{path}: is not what marker_data writes ({error}); remove it") from error
