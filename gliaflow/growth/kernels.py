"""Compiled inner loops of growth: one explicit step of diffusion and logistic growth, in float32.

A step reads one density and writes another, tile by tile. Every voxel is computed from the density before the
step, by one thread and in one order, and what is added over tiles are whole numbers: the result has the same
bytes for any number of threads.
"""

from typing import NamedTuple

import numpy as np
from numba import config, njit, prange, set_num_threads

from gliaflow.images import Array

FLOOR = np.float32(1e-15)
"""A smaller density is 0: it ends the tail before a tumour, and spares slow subnormal numbers."""
ZERO, ONE = np.float32(0), np.float32(1)
PAIRS = ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2), (1, 2, 0, 3), (1, 3, 0, 2), (2, 3, 0, 1))
"""Each pair of four vectors, and then the other two."""
MOST_TURNS = 100
"""In Selling's algorithm, which needs a few; a tensor that is not positive would need endlessly many."""

compiled = njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract"})
"""Compiles a function for several cores and keeps it on disk for the next process."""


def use_threads(count: int) -> None:
    """Let the compiled loops use so many cores, or as many as there are; without this they use all."""
    set_num_threads(min(count, config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


class Rule(NamedTuple):
    """What one step does: it grows by `growth` (proliferation times step), begins at `now` and lasts `step`.

    Voxels whose density exceeds `threshold` are invaded. Days; float32 but for the two times.
    """

    growth: np.float32
    threshold: np.float32
    now: float
    step: float


class Tally(NamedTuple):
    """What steps find.

    Attributes
    ----------
    time
        Days, float32, of the shape of the density: a voxel that comes to exceed the threshold gets its time,
        by linear interpolation within the step, unless it has one.
    interest
        Bool, of the same shape: which voxels `reached` counts.
    moved, above, reached
        For each tile: whether any density changed (bool); how many voxels more than before exceed the
        threshold; how many voxels of interest did so for the first time (int).
    """

    time: Array
    interest: Array
    moved: Array
    above: Array
    reached: Array


class GridTiles(NamedTuple):
    """Tiles of a grid.

    Attributes
    ----------
    chosen
        Numbers of the tiles to compute.
    corners
        Lowest voxel of each tile, int, shape (tiles, 3).
    size
        Of all tiles, in voxels.
    first, last
        The part of each row along z that is computed, int, shape (x, y); last is exclusive.
    """

    chosen: Array
    corners: Array
    size: tuple[int, int, int]
    first: Array
    last: Array


class NetworkTiles(NamedTuple):
    """Tiles of a list of voxels: numbers of those to compute; where each begins, and the end of the last."""

    chosen: Array
    begins: Array


class Network(NamedTuple):
    """A symmetric matrix in compressed rows: row pointers, columns, weights times step (float32)."""

    starts: Array
    columns: Array
    weights: Array


@compiled
def dense_step(
    densities: tuple[Array, Array],
    faces: tuple[Array, Array, Array],
    tiles: GridTiles,
    rule: Rule,
    tally: Tally,
) -> None:
    """Do one step on a grid.

    Parameters
    ----------
    densities
        Before, and after (a result), float32, shape (x, y, z), with a border of one voxel outside the domain.
    faces
        What a step lets through the face to the next voxel along each axis: weight times step, float32, same
        shape.
    tiles, rule
        Where and what.
    tally
        Results.
    """
    old, new = densities
    nx, ny, nz = old.shape
    c, out = old.reshape(-1), new.reshape(-1)
    wx, wy, wz = faces[0].reshape(-1), faces[1].reshape(-1), faces[2].reshape(-1)
    # only arrays and numbers can enter a parallel loop
    chosen, corners, (dx, dy, dz), first, last = tiles
    growth, threshold, now, step = rule
    times, counted = tally.time.reshape(-1), tally.interest.reshape(-1)
    moved, above, reached = tally.moved, tally.above, tally.reached
    # unsigned indices spare the loop the check for negative ones, and so let it be vectorised
    sx, sy, sz = np.uintp(ny * nz), np.uintp(nz), np.uintp(1)
    for n in prange(chosen.size):
        tile = chosen[n]
        x0, y0, z0 = corners[tile]
        any_moved, up, met = False, 0, 0
        for x in range(x0, min(x0 + dx, nx - 1)):
            for y in range(y0, min(y0 + dy, ny - 1)):
                row = (x * ny + y) * nz
                begin = row + max(z0, first[x, y])
                end = max(begin, row + min(z0 + dz, last[x, y]))
                changes, crossings = np.uint32(0), np.uint32(0)
                for i in range(np.uintp(begin), np.uintp(end)):
                    here = c[i]
                    value = here + growth * here * (ONE - here)
                    value += wx[i - sx] * (c[i - sx] - here) + wx[i] * (c[i + sx] - here)
                    value += wy[i - sy] * (c[i - sy] - here) + wy[i] * (c[i + sy] - here)
                    value += wz[i - sz] * (c[i - sz] - here) + wz[i] * (c[i + sz] - here)
                    value = value if value > FLOOR else ZERO
                    out[i] = value
                    changes += np.uint32(value != here)
                    crossings += np.uint32((value > threshold) != (here > threshold))
                any_moved = any_moved or bool(changes > 0)
                if crossings > 0:
                    for i in range(begin, end):
                        if out[i] > threshold and c[i] <= threshold:
                            up += 1
                            if times[i] == np.inf:
                                times[i] = now + step * (threshold - c[i]) / (out[i] - c[i])
                                met += counted[i]
                        elif c[i] > threshold and out[i] <= threshold:
                            up -= 1
        moved[tile], above[tile], reached[tile] = any_moved, up, met


@compiled
def sparse_step(
    densities: tuple[Array, Array], network: Network, tiles: NetworkTiles, rule: Rule, tally: Tally
) -> None:
    """Do one step on a network of voxels, as `dense_step` does on a grid; images have the shape (voxels,)."""
    old, new = densities
    # only arrays and numbers can enter a parallel loop
    chosen, begins = tiles
    starts, columns, weights = network
    growth, threshold, now, step = rule
    times, counted, moved, above, reached = tally
    for n in prange(chosen.size):
        tile = chosen[n]
        any_moved, up, met = False, 0, 0
        for i in range(begins[tile], begins[tile + 1]):
            here = old[i]
            value = here + growth * here * (ONE - here)
            for k in range(starts[i], starts[i + 1]):
                value += weights[k] * (old[columns[k]] - here)
            value = value if value > FLOOR else ZERO
            new[i] = value
            if value != here:
                any_moved = True
            if value > threshold and here <= threshold:
                up += 1
                if times[i] == np.inf:
                    times[i] = now + step * (threshold - here) / (value - here)
                    met += counted[i]
            elif here > threshold and value <= threshold:
                up -= 1
        moved[tile], above[tile], reached[tile] = any_moved, up, met


@compiled
def decompose(tensors: Array, blend: Array, reach: int, offsets: Array, shares: Array) -> None:
    """Write symmetric tensors as sums of six directions between voxels, by Selling's algorithm.

    Fehrenbach and Mirebeau, Sparse non-negative stencils for anisotropic diffusion, J Math Imaging Vis 2014:
    D = sum of share k times (offset k)(offset k)^T with whole offsets and shares of 0 or more.

    Parameters
    ----------
    tensors
        In units of voxels, float64, shape (n, 6), parts as in `gliaflow.growth.tissue.TENSOR_PARTS`.
    blend
        Isotropic tensors of the same kind and trace in mm, shape (n, 6). A tenth is mixed in as often as it
        takes until no offset is longer than `reach` along an axis.
    reach
        In voxels, 1 or more.
    offsets, shares
        Results: int, shape (n, 6, 3); float64, shape (n, 6).
    """
    for n in prange(len(tensors)):
        tensor = tensors[n].copy()
        while not _selling(tensor, reach, offsets[n], shares[n]):
            tensor = 0.9 * tensor + 0.1 * blend[n]


@njit(cache=True)
def _product(one: Array, tensor: Array, two: Array) -> float:
    xx, xy, xz, yy, yz, zz = tensor
    along_x = xx * two[0] + xy * two[1] + xz * two[2]
    along_y = xy * two[0] + yy * two[1] + yz * two[2]
    along_z = xz * two[0] + yz * two[1] + zz * two[2]
    return one[0] * along_x + one[1] * along_y + one[2] * along_z


@njit(cache=True)
def _selling(tensor: Array, reach: int, offsets: Array, shares: Array) -> bool:
    """Write one tensor so; return whether it could be, with offsets that are short enough."""
    least = 1e-9 * (tensor[0] + tensor[3] + tensor[5])
    base = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]])
    obtuse = False
    for _ in range(MOST_TURNS):
        if obtuse:
            break
        obtuse = True
        for i, j, p, q in PAIRS:
            if _product(base[i], tensor, base[j]) > least:
                base[p] += base[i]
                base[q] += base[i]
                base[i] = -base[i]
                obtuse = False
                break
    if not obtuse:
        return False
    for k, (i, j, p, q) in enumerate(PAIRS):
        share = -_product(base[i], tensor, base[j])
        shares[k] = share if share > least else 0.0
        for a in range(3):
            b, c = (a + 1) % 3, (a + 2) % 3
            offsets[k, a] = base[p, b] * base[q, c] - base[p, c] * base[q, b]
            if shares[k] > 0 and abs(offsets[k, a]) > reach:
                return False
    return True
