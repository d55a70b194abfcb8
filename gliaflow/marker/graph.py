"""The graph of an atlas: regions as nodes, paths between them as edges, and the voxels of both.

Source: BrainLes 2021, S11 (a graph network on atlas regions, whose edges are tracts of healthy brains).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans

from gliaflow.arrays import read_arrays, write_arrays
from gliaflow.checks import checked_volume
from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.images import Array, data_of, new_image, read_image, spacing_of
from gliaflow.labels import whole_values
from gliaflow.marker.boxes import crop
from gliaflow.preprocess.resample import resample_labels

SPACING_MM = 2.0
REGIONS = 90
MOST_NODE_VOXELS = 2500
MOST_EDGE_VOXELS = 300
TUBE_MM = 5.0
NOTHING = -1


@dataclass(frozen=True)
class AtlasGraph:
    """Regions of the atlas at 2 mm, and the paths between them.

    Attributes
    ----------
    nodes, edges
        int32, shapes (nodes, voxels) and (edges, voxels): voxels as numbers in C order; -1 fills rows up.
    pairs
        int32, shape (edges, 2): the nodes that an edge joins.
    shape
        Of the atlas at 2 mm.
    """

    nodes: Array
    edges: Array
    pairs: Array
    shape: tuple[int, int, int]

    @property
    def digest(self) -> str:
        """What tells this graph from others: sha256 of its arrays."""
        parts = [
            np.ascontiguousarray(part, np.int32).tobytes() for part in (self.nodes, self.edges, self.pairs)
        ]
        return hashlib.sha256(b"".join([repr(self.shape).encode(), *parts])).hexdigest()


@dataclass(frozen=True)
class SeenGraph:
    """What a session shows of a graph: intensities (sequences, nodes or edges, voxels), and its pairs."""

    nodes: Array
    edges: Array
    pairs: Array
    digest: str


def coarse_shape(shape: Iterable[int], spacing: Iterable[float]) -> tuple[int, int, int]:
    """Return the shape of an image at 2 mm.

    >>> coarse_shape((197, 233, 189), (1, 1, 1))
    (99, 117, 95)
    """
    x, y, z = (-int(-size * mm // SPACING_MM) for size, mm in zip(shape, spacing, strict=True))
    return x, y, z


def coarse(image: Array, spacing: tuple[float, float, float]) -> Array:
    """Return an image at 2 mm, smoothed before, with the same middle."""
    middle = (np.array(image.shape) - 1) / 2
    return crop(image, spacing, middle, coarse_shape(image.shape, spacing), (SPACING_MM,) * 3)


def coarse_affine(grid: nib.Nifti1Image) -> Array:
    """Return where the voxels of `coarse` lie, in mm."""
    ratio = SPACING_MM / np.array(spacing_of(grid))
    offset = (np.array(grid.shape) - 1) / 2 - ratio * (
        np.array(coarse_shape(grid.shape, spacing_of(grid))) - 1
    ) / 2
    step = np.eye(4)
    step[:3, :3], step[:3, 3] = np.diag(ratio), offset
    affine: Array = grid.affine @ step
    return affine


def atlas_graph(
    brain: nib.Nifti1Image, regions: Path | None = None, connections: Path | None = None
) -> tuple[AtlasGraph, nib.Nifti1Image]:
    """Make the graph of an atlas.

    Parameters
    ----------
    brain
        Brain mask of the atlas.
    regions
        Label map of regions in the space of the atlas, such as AAL; None parts each half of the brain into
        compact parts that mirror each other, 90 in all, which follow no anatomy.
    connections
        TSV with the columns ``from`` and ``to``: values of the label map, a row for each edge. None joins
        regions that touch, and those without a label map also to their mirror image.

    Returns
    -------
    tuple
        The graph, and the label map of its nodes (1 for the first) at 2 mm.

    Raises
    ------
    ConfigError
        The table names a region that is not there, or the label map has fewer than two in the brain.
    """
    mask = coarse(data_of(brain) > 0, spacing_of(brain)) > 0.5
    affine = coarse_affine(brain)
    if regions is None:
        labels, mirrored = compact_parts(mask, affine)
        values = np.arange(1, REGIONS + 1)
    else:
        labels, values = _given_regions(regions, new_image(mask, affine, np.uint8))
        mirrored = []
    if connections is None:
        pairs = sorted(set(_touching(labels)) | set(mirrored))
    else:
        pairs = list(_given_pairs(connections, {int(value): k for k, value in enumerate(values)}))
    rows = [np.flatnonzero(labels == number) for number in range(1, len(values) + 1)]
    graph = AtlasGraph(
        nodes=_filled(rows, MOST_NODE_VOXELS),
        edges=_filled(_tubes(mask, affine, rows, pairs), MOST_EDGE_VOXELS),
        pairs=np.array(pairs, np.int32).reshape(-1, 2),
        shape=mask.shape,
    )
    return graph, new_image(labels, affine, np.uint16)


def compact_parts(mask: Array, affine: Array) -> tuple[Array, list[tuple[int, int]]]:
    """Part the left half of a brain into 45 compact parts, and the right half into their mirror images.

    Returns the label map, odd on the left as in AAL, and the pairs of nodes that mirror each other.
    """
    inside = np.argwhere(mask)
    places = nib.affines.apply_affine(affine, inside)
    left = places[:, 0] <= 0
    folded = places * np.where(places[:, :1] > 0, (-1, 1, 1), (1, 1, 1))
    found = KMeans(REGIONS // 2, n_init=1, random_state=0).fit(folded[left])
    part = found.predict(folded)
    labels = np.zeros(mask.shape, np.uint16)
    labels[tuple(inside.T)] = 2 * part + np.where(left, 1, 2)
    return labels, [(2 * k, 2 * k + 1) for k in range(REGIONS // 2)]


def see_graph(
    images: Mapping[str, Array],
    sequences: Iterable[str],
    spacing: tuple[float, float, float],
    graph: AtlasGraph,
) -> SeenGraph:
    """Return what the images of a session, by sequence and in the atlas, show of a graph; 0 where missing.

    Raises
    ------
    GliaflowError
        The images have another shape than the atlas that the graph was made for.
    """
    nodes, edges = [], []
    for sequence in sequences:
        image = images.get(sequence)
        flat = np.zeros(1 + int(np.prod(graph.shape)), np.float32)
        if image is not None:
            small = coarse(image, spacing)
            if small.shape != graph.shape:
                raise GliaflowError(
                    f"{sequence}: {small.shape} voxels of 2 mm, and the graph has {graph.shape}; "
                    "make both for the same atlas"
                )
            flat[:-1] = small.ravel()
        # -1 is the last value, which is 0
        nodes.append(flat[graph.nodes])
        edges.append(flat[graph.edges])
    return SeenGraph(np.stack(nodes), np.stack(edges), graph.pairs, graph.digest)


def write_graph(path: Path, graph: AtlasGraph) -> None:
    """Write a graph as ``.npz``, whole or not at all."""
    write_arrays(path, vars(graph))


def read_graph(path: Path) -> AtlasGraph:
    """Read what `write_graph` wrote.

    Raises
    ------
    GliaflowError
        It is no such file.
    """
    try:
        stored = read_arrays(path)
        x, y, z = stored["shape"].tolist()
        return AtlasGraph(stored["nodes"], stored["edges"], stored["pairs"], (x, y, z))
    except (OSError, KeyError, ValueError) as error:
        raise GliaflowError(f"{path}: is not what marker_graph writes ({error}); remove it") from error


def _given_regions(path: Path, mask: nib.Nifti1Image) -> tuple[Array, Array]:
    image = checked_volume(read_image(path), path)
    whole = new_image(whole_values(data_of(image, np.float64), str(path)), image.affine, np.int32)
    moved = data_of(resample_labels(whole, mask, np.eye(4))).astype(int) * (data_of(mask) > 0)
    values = np.unique(moved[moved > 0])
    if len(values) < 2:
        raise ConfigError(
            f"config, predict.networks.regions: {path}: {len(values)} regions lie in the brain of the atlas; "
            "give a label map in its space"
        )
    return np.where(moved > 0, 1 + np.searchsorted(values, moved), 0), values


def _given_pairs(path: Path, numbers: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    where = f"config, predict.networks.connections: {path}"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if not {"from", "to"} <= set(table):
        raise ConfigError(f"{where}: has no columns from and to with tabs between; write both")
    for number, row in enumerate(table[["from", "to"]].itertuples(index=False), start=2):
        ends = [int(cell) if cell.isdigit() else None for cell in row]
        if unknown := [cell for cell, end in zip(row, ends, strict=True) if end not in numbers]:
            raise ConfigError(f"{where}, row {number}: {unknown[0]!r} is no region of the atlas in its brain")
        yield numbers[int(row[0])], numbers[int(row[1])]


def _touching(labels: Array) -> Iterator[tuple[int, int]]:
    """Give the nodes that share a face."""
    for axis in range(3):
        first, second = (np.delete(labels, end, axis).ravel().astype(int) for end in (-1, 0))
        apart = (first != second) & (first > 0) & (second > 0)
        for one, other in np.unique(np.sort(np.stack([first[apart], second[apart]], axis=1), axis=1), axis=0):
            yield int(one) - 1, int(other) - 1


def _tubes(mask: Array, affine: Array, rows: list[Array], pairs: Iterable[tuple[int, int]]) -> list[Array]:
    """Return for each pair of nodes the voxels of the brain near the line between their middles."""
    inside = np.flatnonzero(mask)
    places = nib.affines.apply_affine(affine, np.argwhere(mask))
    tree = cKDTree(places)
    middles = [places[np.searchsorted(inside, row)].mean(axis=0) for row in rows]
    found = []
    for one, other in pairs:
        length = float(np.linalg.norm(middles[other] - middles[one]))
        steps = np.linspace(0, 1, 2 + int(length / SPACING_MM))[:, None]
        line = middles[one] * (1 - steps) + middles[other] * steps
        near = tree.query_ball_point(line, TUBE_MM)
        found.append(inside[sorted({number for numbers in near for number in numbers})])
    return found


def _filled(rows: list[Array], most: int) -> Array:
    """Return rows of voxels as one array; of a row with more than the most, as many at equal steps."""
    kept = [row if len(row) <= most else row[np.linspace(0, len(row) - 1, most).astype(int)] for row in rows]
    filled = np.full((len(rows), max(map(len, kept), default=0)), NOTHING, np.int32)
    for number, row in enumerate(kept):
        filled[number, : len(row)] = row
    return filled
