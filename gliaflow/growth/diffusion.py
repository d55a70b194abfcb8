"""Diffusion between voxels by finite volumes: how fast density passes from one voxel to another.

Each pair of voxels that exchange density is an edge with one weight of 0 or more in 1/day, so that what one
loses the other gains (mass is conserved), no density leaves [0, 1], and the matrix of weights is symmetric.
There are edges between voxels of the domain only: nothing passes its border.

An isotropic diffusivity has edges through the faces of a voxel. Their weight is the harmonic mean of both
sides: two resistances in series, exact for a border between tissues that lies on the face, where the
arithmetic mean would let several times too much through. A tensor also has edges to voxels farther off, by
Selling's decomposition; there the harmonic mean is that of the mean diffusivity, the arithmetic mean that of
the shares of the directions, because the harmonic one would vanish where neighbouring fibres part.
"""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from gliaflow.errors import ConfigError
from gliaflow.growth.kernels import decompose
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.tissue import TENSOR_PARTS, Tissue
from gliaflow.images import Array

AXES = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
REACH = 3
"""Edges are at most so many voxels long along an axis; longer ones are spared by a rounder tensor."""

Offset = tuple[int, int, int]
Edges = dict[Offset, Array]
"""For each offset the weights in 1/day of the edges from a voxel to one so far on, float32, on the grid."""


def ends(offset: Offset, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return where in a grid the edges of an offset begin, and where they end."""
    begin = tuple(slice(max(0, -e), n - max(0, e)) for e, n in zip(offset, shape, strict=True))
    end = tuple(slice(max(0, e), n - max(0, -e)) for e, n in zip(offset, shape, strict=True))
    return begin, end


def edges(tissue: Tissue, parameters: Parameters) -> Edges:
    """Return the edges of a tissue.

    Parameters
    ----------
    tissue, parameters
        What density passes through, and how well.

    Returns
    -------
    Edges
        Along the three axes if tau is 0, else along as many offsets as the tensors need.

    Raises
    ------
    ConfigError
        tau is above 0 and the tissue has no tensor.
    """
    kappa = parameters.kappa(tissue)
    if not parameters.tau:
        sizes = np.asarray(tissue.spacing)
        return {
            offset: _weights(kappa, offset) / np.float32(sizes[axis] ** 2) for axis, offset in enumerate(AXES)
        }
    if tissue.tensor is None or tissue.anisotropy is None:
        raise ConfigError("tau: needs a tissue with a diffusion tensor; write 0, or give dwi")
    domain = tissue.domain
    share = np.float32(parameters.tau) * tissue.anisotropy[domain]
    parts = share[:, np.newaxis] * tissue.tensor[domain].astype(np.float64)
    parts[:, [0, 3, 5]] += kappa[domain][:, np.newaxis]
    return _tensor_edges(domain, parts, tissue.spacing)


def _weights(mean: Array, offset: Offset) -> Array:
    """Return the harmonic mean of the values at both ends of each edge; 0 where one is 0 or outside."""
    weights = np.zeros_like(mean)
    begin, end = ends(offset, mean.shape)
    here, there = mean[begin], mean[end]
    total = here + there
    np.divide(2 * here * there, total, out=weights[begin], where=total > 0)
    return weights


def _tensor_edges(domain: Array, parts: Array, spacing: tuple[float, float, float]) -> Edges:
    mean = np.zeros(domain.shape, dtype=np.float32)
    mean[domain] = parts[:, [0, 3, 5]].sum(axis=1) / 3
    sizes = np.array([spacing["xyz".index(part[0])] * spacing["xyz".index(part[1])] for part in TENSOR_PARTS])
    blend = np.zeros_like(parts)
    blend[:, [0, 3, 5]] = mean[domain][:, np.newaxis]
    offsets = np.zeros((len(parts), 6, 3), dtype=np.int64)
    shares = np.zeros((len(parts), 6))
    decompose(parts / sizes, blend / sizes, REACH, offsets, shares)
    shares /= np.maximum(mean[domain], np.finfo(np.float32).tiny)[:, np.newaxis]
    found: Edges = {}
    paths: dict[Offset, Array] = {(0, 0, 0): domain}
    for offset, rows, values in _by_offset(offsets, shares):
        share = np.zeros(domain.shape, dtype=np.float32)
        share[tuple(axis[rows] for axis in np.nonzero(domain))] = values
        begin, end = ends(offset, domain.shape)
        weights = _weights(mean, offset)
        weights[begin] *= (share[begin] + share[end]) / 2
        found[offset] = weights * passable(offset, paths)
    return found


def _by_offset(offsets: Array, shares: Array) -> Iterator[tuple[Offset, Array, Array]]:
    """Yield each offset (of two opposite ones that with a positive first part) with voxels and shares."""
    signs = np.where(offsets @ np.array([49, 7, 1]) < 0, -1, 1)
    codes = np.where(shares > 0, (signs[..., np.newaxis] * offsets) @ np.array([49, 7, 1]), 0)
    for code in np.unique(codes[codes > 0]):
        voxel, number = np.nonzero(codes == code)
        x, y, z = (int(v) for v in (signs[voxel[0], number[0]] * offsets[voxel[0], number[0]]))
        yield (x, y, z), voxel, shares[voxel, number]


def passable(offset: Offset, known: dict[Offset, Array]) -> Array:
    """Tell where a way of steps through faces leads from a voxel to that at an offset, none of them a detour.

    So an edge that is longer than a voxel does not jump over a wall.

    Parameters
    ----------
    offset
        From the first voxel to the last.
    known
        Answers by offset, bool, shape (x, y, z); that for (0, 0, 0) is the domain. Others are added.
    """
    if offset not in known:
        domain = known[0, 0, 0]
        open_ = np.zeros_like(domain)
        for axis, length in enumerate(offset):
            if length:
                step = tuple(int(np.sign(length)) * part for part in AXES[axis])
                x, y, z = (whole - part for whole, part in zip(offset, step, strict=True))
                begin, end = ends((step[0], step[1], step[2]), domain.shape)
                open_[begin] |= passable((x, y, z), known)[end]
        known[offset] = open_ & domain
    return known[offset]


def outflow(weights: Edges) -> float:
    """Return the largest sum of the weights of a voxel's edges, 1/day: what limits an explicit step."""
    total = np.zeros_like(next(iter(weights.values())))
    for offset, values in weights.items():
        begin, end = ends(offset, values.shape)
        total += values
        total[end] += values[begin]
    return float(total.max())


def matrix(weights: Edges, number: Array) -> sparse.csr_array:
    """Return the edges as a symmetric matrix.

    Parameters
    ----------
    weights
        The edges.
    number
        Of each voxel of the domain, from 0; int, shape (x, y, z).

    Returns
    -------
    scipy.sparse.csr_array
        Float32, 1/day, shape (voxels, voxels); nothing on the diagonal.
    """
    rows, columns, values = [], [], []
    for offset, along in weights.items():
        begin, end = ends(offset, along.shape)
        there = along[begin] > 0
        rows.append(number[begin][there])
        columns.append(number[end][there])
        values.append(along[begin][there])
    size = int(number.max()) + 1
    one_way = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    half = sparse.coo_array(one_way, shape=(size, size)).tocsr()
    return sparse.csr_array(half + half.T)
