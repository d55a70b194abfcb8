"""What a fit works on: a coarse grid round a tumour, and how well a growth fills the tumour there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array
from gliaflow.masks import boxes_round

Point = tuple[float, float, float]
"""Millimetres from the centre of voxel (0, 0, 0) along the axes of a grid, as a `Seed`'s position."""
DEEP = 0.5
"""Random starts lie at this part of the largest depth below the tumour's border, or deeper."""


@dataclass(frozen=True)
class FitGrid:
    """A part of a grid in larger voxels.

    Attributes
    ----------
    tissue
        Means over the larger voxels.
    regions
        By name the share of each voxel that lies in a region of the tumour, float32, shape (x, y, z).
    origin
        Where the first voxel's centre lies on the grid that it was made from, mm.
    """

    tissue: Tissue
    regions: Mapping[str, Array]
    origin: Point

    @cached_property
    def edges(self) -> Array:
        """Voxel size in mm, shape (3,)."""
        return np.array(self.tissue.spacing)

    @cached_property
    def domain(self) -> Array:
        """Where a tumour can be, bool, shape (x, y, z)."""
        return self.tissue.domain

    def here(self, point: Point) -> Point:
        """Return on this grid a point of the grid that it was made from."""
        return as_point(np.subtract(point, self.origin))

    def there(self, point: Point) -> Point:
        """Return on the grid that this one was made from a point of this grid."""
        return as_point(np.add(point, self.origin))

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """The two corners, shape (3,), mm on this grid, between which all of the tumour lies."""
        voxels = np.argwhere(np.any([share > 0 for share in self.regions.values()], axis=0))
        return (voxels.min(axis=0) - 0.5) * self.edges, (voxels.max(axis=0) + 0.5) * self.edges

    def inside(self, point: Point) -> tuple[Point, float]:
        """Return a point of the domain, and how far it was moved to get there: to the next voxel, mm."""
        voxel = np.floor(np.divide(point, self.edges) + 0.5).astype(int)
        voxel = np.clip(voxel, 0, np.subtract(self.domain.shape, 1))
        found = self._nearest[(slice(None), *voxel)]
        if (found == voxel).all():
            return point, 0.0
        centre = as_point(found * self.edges)
        return centre, float(np.linalg.norm(np.subtract(point, centre)))

    def near(self, point: Point) -> Point:
        """Return a point, on the grid that this one was made from, or the next one in this domain."""
        return self.there(self.inside(self.here(point))[0])

    @cached_property
    def _nearest(self) -> Array:
        nearest: Array = ndimage.distance_transform_edt(
            ~self.domain, sampling=self.tissue.spacing, return_distances=False, return_indices=True
        )
        return nearest

    def starts(self, count: int, rng: np.random.Generator) -> list[Point]:
        """Draw points deep in the innermost region, on this grid: the one with the least volume."""
        core = min(self.regions.values(), key=lambda share: float(share.sum())) > 0.5
        core = core & self.domain if (core & self.domain).any() else self.domain
        depth = ndimage.distance_transform_edt(np.pad(core, 1), sampling=self.tissue.spacing)[
            1:-1, 1:-1, 1:-1
        ]
        voxels = np.argwhere(depth >= DEEP * depth.max())
        chosen = voxels[rng.integers(len(voxels), size=count)]
        return [as_point((voxel + rng.uniform(-0.5, 0.5, size=3)) * self.edges) for voxel in chosen]


def as_point(values: Array) -> Point:
    """Return three numbers as a point."""
    x, y, z = (float(value) for value in values)
    return x, y, z


def coarsen(tissue: Tissue, regions: Mapping[str, Array], edge_mm: float, margin_mm: float) -> FitGrid:
    """Cut the part of a grid round a tumour and take means over larger voxels.

    Parameters
    ----------
    tissue
        The whole brain.
    regions
        Regions of the tumour by name, bool, shape (x, y, z).
    edge_mm
        About how large voxels are to be; those of the tissue are put together in whole numbers.
    margin_mm
        How far round the tumour the part reaches.

    Raises
    ------
    ConfigError
        There is no region, or the size or the margin is not positive.
    ImageError
        A region has another shape or does not reach white or grey matter.
    """
    _check(tissue, regions, edge_mm, margin_mm)
    factors = tuple(max(round(edge_mm / size), 1) for size in tissue.spacing)
    box = _box(np.any(list(regions.values()), axis=0), factors, np.divide(margin_mm, tissue.spacing))
    images = {name: getattr(tissue, name) for name in ("white", "grey", "csf", "anisotropy", "tensor")}
    means = {k: block_mean(v, box, factors) for k, v in images.items() if v is not None}
    if "tensor" in means:
        trace = means["tensor"][..., [0, 3, 5]].sum(axis=-1, keepdims=True)
        means["tensor"] = means["tensor"] / np.maximum(trace, 1e-6)
    x, y, z = (size * factor for size, factor in zip(tissue.spacing, factors, strict=True))
    coarse = Tissue(**means, brain=block_mean(tissue.brain, box, factors) >= 0.5, spacing=(x, y, z))
    shares = {name: block_mean(mask, box, factors) for name, mask in regions.items()}
    origin = [(low + (f - 1) / 2) * s for (low, _), f, s in zip(box, factors, tissue.spacing, strict=True)]
    return FitGrid(coarse, shares, as_point(np.array(origin)))


def _check(tissue: Tissue, regions: Mapping[str, Array], edge_mm: float, margin_mm: float) -> None:
    if not regions:
        raise ConfigError("regions: give one at least, such as WT")
    if not (edge_mm > 0 and margin_mm > 0):
        raise ConfigError(f"edge_mm {edge_mm}, margin_mm {margin_mm}: write numbers above 0")
    for name, mask in regions.items():
        if mask.shape != tissue.brain.shape:
            raise ImageError(f"{name}: has the shape {mask.shape}, the tissue {tissue.brain.shape}")
        if not (mask & tissue.domain).any():
            raise ImageError(f"{name}: no voxel of it lies in white or grey matter; there is nothing to fit")


Ends = list[tuple[int, int]]


def _box(mask: Array, factors: tuple[int, ...], margin: Array) -> Ends:
    """Return where along each axis the part begins and ends, whole larger voxels, maybe past the border."""
    ends = []
    filled = boxes_round(mask, 0)[0]
    for part, size, factor, wide in zip(filled, mask.shape, factors, margin, strict=True):
        low, high = max(int(part.start - wide), 0), min(int(np.ceil(part.stop + wide)), size)
        ends.append((low, low + factor * -(-(high - low) // factor)))
    return ends


def block_mean(values: Array, box: Ends, factors: tuple[int, ...]) -> Array:
    """Return means over blocks of voxels of a part, float32; what lies past the border counts as 0."""
    part = values[tuple(slice(low, high) for low, high in box)].astype(np.float32)
    missing = [(0, high - low - n) for (low, high), n in zip(box, part.shape, strict=False)]
    part = np.pad(part, missing + [(0, 0)] * (part.ndim - 3))
    x, y, z = (n // f for n, f in zip(part.shape, factors, strict=False))
    blocks = part.reshape(x, factors[0], y, factors[1], z, factors[2], *part.shape[3:])
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float32)


def soft_dice(filled: Array, region: Array) -> float:
    """Return the Dice of two maps of shares in [0, 1], any shape: twice what they share over their sum.

    For masks it is the Dice; it changes smoothly where a border crosses a voxel.

    >>> soft_dice(np.array([1.0, 0.5, 0.0]), np.array([1.0, 1.0, 0.0]))
    0.8571428571428571
    """
    total = float(filled.sum() + region.sum())
    return 2 * float(np.minimum(filled, region).sum()) / total if total else 0.0
