"""Ways to advance a growing tumour by a step of time: on a grid, on a network of voxels, implicitly."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

from gliaflow.growth.diffusion import AXES, Edges, matrix
from gliaflow.growth.kernels import (
    GridTiles,
    Network,
    NetworkTiles,
    Rule,
    Tally,
    dense_step,
    sparse_step,
)
from gliaflow.images import Array

TILE = (4, 4, 160)
"""Voxels: whole rows of a brain along the axis whose voxels lie side by side in memory, which are fastest."""
TOLERANCE = 1e-9
"""Relative residual of the implicit system."""
STILL = 1e-8
"""An implicit step that changes no density by more than this share of the largest one finds it at rest."""


@dataclass(frozen=True)
class Problem:
    """What is to be advanced; images of a box with a border of one voxel outside the domain, shape (x, y, z).

    Attributes
    ----------
    domain
        Bool.
    weights
        Edges, 1/day.
    density
        Float32, 0 outside the domain.
    invaded
        Bool: from the start.
    interest
        Bool: voxels to count until all of them are invaded.
    rho
        1/day.
    step
        Days.
    threshold
        Of invasion.
    """

    domain: Array
    weights: Edges
    density: Array
    invaded: Array
    interest: Array
    rho: float
    step: float
    threshold: float

    @property
    def isotropic(self) -> bool:
        """Whether all edges go through faces."""
        return set(self.weights) <= set(AXES)

    @property
    def times(self) -> Array:
        """Time to invasion before the first step."""
        return np.where(self.invaded, np.float32(0), np.float32(np.inf))


class Stepper(ABC):
    """A tumour on its way.

    Attributes
    ----------
    above
        Number of voxels that exceed the threshold.
    left
        Number of voxels of interest that have not been invaded.
    """

    def __init__(self, problem: Problem) -> None:
        """Begin."""
        self.problem = problem
        self.above = int((problem.density > np.float32(problem.threshold)).sum())
        self.left = int((problem.interest & ~problem.invaded).sum())

    @abstractmethod
    def advance(self, now: float) -> bool:
        """Do a step that begins at a time in days; return whether anything changed."""

    @abstractmethod
    def images(self) -> tuple[Array, Array]:
        """Return density and time to invasion of the box, float32."""


class _Tiled(Stepper):
    """An explicit step over the tiles in which, or next to which, anything changed in the step before.

    Others would not change: the step is a function of what did not change. Both copies of the density are the
    same in them. So what is left out makes no difference, to the last bit.
    """

    _densities: tuple[Array, Array]
    _tally: Tally
    _neighbours: sparse.csr_array

    def _begin(self, density: Array, images: tuple[Array, Array], full: Array) -> None:
        """Begin with time to invasion, voxels of interest, and the tiles that hold any density."""
        self._densities = (density, density.copy())
        counts = np.zeros((2, full.size), dtype=np.int64)
        self._tally = Tally(*images, moved=full, above=counts[0], reached=counts[1])

    def advance(self, now: float) -> bool:
        """Do a step."""
        tally, problem = self._tally, self.problem
        chosen = np.flatnonzero(self._neighbours @ tally.moved.astype(np.int32))
        for counts in (tally.moved, tally.above, tally.reached):
            counts[:] = 0
        growth = np.float32(problem.rho * problem.step)
        self._compute(chosen, Rule(growth, np.float32(problem.threshold), now, problem.step))
        self._densities = self._densities[::-1]
        self.above += int(tally.above.sum())
        self.left -= int(tally.reached.sum())
        return bool(tally.moved.any())

    @abstractmethod
    def _compute(self, chosen: Array, rule: Rule) -> None:
        """Compute these tiles."""


class GridStepper(_Tiled):
    """On a grid, with edges through faces only."""

    def __init__(self, problem: Problem) -> None:
        """Begin."""
        super().__init__(problem)
        domain = problem.domain
        x, y, z = (problem.weights[offset] * np.float32(problem.step) for offset in AXES)
        self._faces = (x, y, z)
        # argmax finds the first of equal values; a row without domain gets an empty part
        inside = domain.any(axis=2)
        first = np.where(inside, domain.argmax(axis=2), 0)
        last = np.where(inside, domain.shape[2] - domain[..., ::-1].argmax(axis=2), 0)
        number, corners = tiles_of(domain)
        self._tiles = GridTiles(np.arange(len(corners)), corners, TILE, first, last)
        self._neighbours = grid_neighbours(number)
        full = [bool(problem.density[tuple(map(slice, low, low + TILE))].any()) for low in corners]
        self._begin(problem.density, (problem.times, problem.interest), np.array(full))

    def _compute(self, chosen: Array, rule: Rule) -> None:
        dense_step(self._densities, self._faces, self._tiles._replace(chosen=chosen), rule, self._tally)

    def images(self) -> tuple[Array, Array]:
        """Return density and time to invasion."""
        return self._densities[0], self._tally.time


class NetworkStepper(_Tiled):
    """On a network of voxels, with any edges."""

    def __init__(self, problem: Problem) -> None:
        """Begin."""
        super().__init__(problem)
        self._index, self._begins = ordered(problem.domain)
        weights = matrix(problem.weights, numbered(self._index, problem.domain.shape))
        self._neighbours = network_neighbours(weights, self._begins)
        values = (weights.data * np.float32(problem.step)).astype(np.float32)
        self._network = Network(weights.indptr, weights.indices, values)
        density, times, interest = (
            image.ravel()[self._index] for image in (problem.density, problem.times, problem.interest)
        )
        self._begin(density, (times, interest), np.maximum.reduceat(density, self._begins[:-1]) > 0)

    def _compute(self, chosen: Array, rule: Rule) -> None:
        tiles = NetworkTiles(chosen, self._begins)
        sparse_step(self._densities, self._network, tiles, rule, self._tally)

    def images(self) -> tuple[Array, Array]:
        """Return density and time to invasion."""
        shape = self.problem.domain.shape
        return (
            spread(self._densities[0], self._index, shape, 0),
            spread(self._tally.time, self._index, shape, np.inf),
        )


class CrankNicolsonStepper(Stepper):
    """Half a step of growth, solved exactly, a Crank-Nicolson step of diffusion, half a step of growth.

    Second order in time (Strang splitting), float64; the linear system by SciPy's conjugate gradients.
    """

    def __init__(self, problem: Problem) -> None:
        """Begin."""
        super().__init__(problem)
        self._index = np.flatnonzero(problem.domain)
        weights = matrix(problem.weights, numbered(self._index, problem.domain.shape)).astype(np.float64)
        half = weights * (problem.step / 2)
        out = np.asarray(half.sum(axis=1)).ravel()
        self._forward = sparse.csr_array(half + sparse.diags_array(1 - out))
        self._backward = sparse.csr_array(sparse.diags_array(1 + out) - half)
        self._inverse = sparse.diags_array(1 / (1 + out))
        self._density = problem.density.ravel()[self._index].astype(np.float64)
        self._time = problem.times.ravel()[self._index]
        self._interest = problem.interest.ravel()[self._index]

    def advance(self, now: float) -> bool:
        """Do a step."""
        old, problem = self._density, self.problem
        grown = logistic(old, problem.rho * problem.step / 2)
        moved, _ = cg(self._backward, self._forward @ grown, grown, rtol=TOLERANCE, atol=0.0, M=self._inverse)
        new = logistic(np.clip(moved, 0, 1), problem.rho * problem.step / 2)
        first = (new > problem.threshold) & (old <= problem.threshold) & np.isinf(self._time)
        self._time[first] = now + problem.step * (problem.threshold - old[first]) / (new[first] - old[first])
        self.above = int((new > problem.threshold).sum())
        self.left -= int((first & self._interest).sum())
        self._density = new
        return bool(np.abs(new - old).max() > STILL * new.max())

    def images(self) -> tuple[Array, Array]:
        """Return density and time to invasion."""
        return (
            spread(self._density.astype(np.float32), self._index, self.problem.domain.shape, 0),
            spread(self._time, self._index, self.problem.domain.shape, np.inf),
        )


def logistic(density: Array, exponent: float) -> Array:
    """Return what dc/dt = rho c (1 - c) makes of a density c after a time t, exactly; exponent is rho t.

    >>> logistic(np.array([0.0, 0.5, 1.0]), np.log(3)).round(6).tolist()
    [0.0, 0.75, 1.0]
    """
    factor = np.exp(exponent)
    return np.asarray(density * factor / (1 + density * (factor - 1)))


def tiles_of(domain: Array) -> tuple[Array, Array]:
    """Cut the inside of a box into tiles of `TILE` voxels.

    Returns
    -------
    number
        Of each tile that meets the domain, -1 for others; int, shape of the grid of tiles.
    corners
        Lowest voxel of each numbered tile, int, shape (tiles, 3).
    """
    starts = [np.arange(1, n - 1, size) for n, size in zip(domain.shape, TILE, strict=True)]
    meets = domain[1:-1, 1:-1, 1:-1]
    for axis, begins in enumerate(starts):
        meets = np.logical_or.reduceat(meets, begins - 1, axis=axis)
    places = np.argwhere(meets)
    number = np.full(meets.shape, -1)
    number[meets] = np.arange(len(places))
    corners = np.stack([starts[axis][places[:, axis]] for axis in range(3)], axis=1)
    return number, corners


def grid_neighbours(number: Array) -> sparse.csr_array:
    """Return which numbered tiles touch by a face, and each itself, as a matrix of ones."""
    size = int(number.max()) + 1
    rows, columns = [np.arange(size)], [np.arange(size)]
    for axis in range(3):
        low, high = np.moveaxis(number, axis, 0)[:-1], np.moveaxis(number, axis, 0)[1:]
        both = (low >= 0) & (high >= 0)
        rows += [low[both], high[both]]
        columns += [high[both], low[both]]
    place = (np.concatenate(rows), np.concatenate(columns))
    return sparse.coo_array((np.ones(place[0].size, dtype=np.int32), place), shape=(size, size)).tocsr()


def ordered(domain: Array) -> tuple[Array, Array]:
    """Return the domain's voxels, as flat indices, tile by tile, and where among them each tile begins."""
    number, corners = tiles_of(domain)
    index = np.flatnonzero(domain)
    places = np.unravel_index(index, domain.shape)
    tile = number[tuple((place - 1) // size for place, size in zip(places, TILE, strict=True))]
    order = np.argsort(tile, kind="stable")
    begins = np.searchsorted(tile[order], np.arange(len(corners) + 1))
    return index[order], begins


def network_neighbours(network: sparse.csr_array, begins: Array) -> sparse.csr_array:
    """Return which tiles have edges between them, and each itself, as a matrix with values above 0."""
    tile = np.repeat(np.arange(begins.size - 1), np.diff(begins))
    edges = network.tocoo()
    place = (tile[edges.coords[0]], tile[edges.coords[1]])
    size = begins.size - 1
    between = sparse.coo_array((np.ones(place[0].size, dtype=np.int32), place), shape=(size, size)).tocsr()
    return sparse.csr_array(between + sparse.eye_array(size, dtype=np.int32))


def numbered(index: Array, shape: tuple[int, ...]) -> Array:
    """Return each voxel's place in a list of flat indices, -1 where it is not in it."""
    return spread(np.arange(index.size), index, shape, -1)


def spread(values: Array, index: Array, shape: tuple[int, ...], elsewhere: float) -> Array:
    """Return values on a grid, at flat indices, with another value elsewhere."""
    image = np.full(shape, elsewhere, dtype=values.dtype)
    image.ravel()[index] = values
    return image
