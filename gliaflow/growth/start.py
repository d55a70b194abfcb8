"""Where a tumour begins: a point, a segmentation or a density."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array

REACH_SD = 5.0
"""A seed's Gaussian ends after so many standard deviations."""


@dataclass(frozen=True)
class Seed:
    """A point from which a tumour grows: a Gaussian with a peak of 1 (BrainLes 2021, S8).

    Attributes
    ----------
    position
        Millimetres from the centre of voxel (0, 0, 0) along the axes of the grid: voxel index times spacing.
    sd_mm
        Standard deviation in mm.

    Raises
    ------
    ConfigError
        The position is not three numbers, or the standard deviation is not positive.

    Examples
    --------
    >>> Seed.at_voxel((10, 20, 4), (1.0, 1.0, 2.5)).position
    (10.0, 20.0, 10.0)
    """

    position: tuple[float, float, float]
    sd_mm: float = 1.0

    def __post_init__(self) -> None:
        """Check the values."""
        if len(self.position) != 3 or not all(math.isfinite(value) for value in self.position):
            raise ConfigError(f"seed: {self.position}: is not possible; give three numbers in mm")
        if not (math.isfinite(self.sd_mm) and self.sd_mm > 0):
            raise ConfigError(f"seed: sd_mm: {self.sd_mm}: is not possible; write a number above 0")

    @classmethod
    def at_voxel(cls, index: Sequence[float], spacing: Sequence[float], sd_mm: float = 1.0) -> "Seed":
        """Return a seed at a voxel's centre, or between centres, from (fractional) indices."""
        x, y, z = (float(i * size) for i, size in zip(index, spacing, strict=True))
        return cls((x, y, z), sd_mm)

    def voxel(self, domain: Array, spacing: Sequence[float]) -> tuple[int, int, int]:
        """Return the indices of the voxel of the domain (bool, shape (x, y, z)) that it lies in.

        Raises
        ------
        ImageError
            It lies outside the domain.
        """
        x, y, z = (math.floor(p / size + 0.5) for p, size in zip(self.position, spacing, strict=True))
        inside = all(0 <= i < n for i, n in zip((x, y, z), domain.shape, strict=True))
        if not (inside and domain[x, y, z]):
            raise ImageError(f"seed at {self.position} mm: lies outside white and grey matter; move it there")
        return x, y, z

    def surroundings(
        self, domain: Array, spacing: Sequence[float], reach_mm: float
    ) -> tuple[tuple[slice, ...], Array]:
        """Return what lies round it: a part of the grid, and which voxels of it, bool.

        These are the voxels of the domain to which a way through faces leads without going farther off than
        that along an axis; not what lies across a sulcus or a wall.
        """
        voxel = self.voxel(domain, spacing)
        reach = [math.ceil(reach_mm / size) for size in spacing]
        low = [max(i - far, 0) for i, far in zip(voxel, reach, strict=True)]
        place = tuple(slice(start, i + far + 1) for start, i, far in zip(low, voxel, reach, strict=True))
        parts, _ = ndimage.label(domain[place])
        own = parts[tuple(i - start for i, start in zip(voxel, low, strict=True))]
        return place, parts == own

    def density(self, domain: Array, spacing: Sequence[float]) -> Array:
        """Return the Gaussian in its surroundings, `REACH_SD` standard deviations far.

        It is averaged over each voxel, so that its mass is the same on any grid and at any place in a voxel.

        Parameters
        ----------
        domain
            Bool, shape (x, y, z).
        spacing
            Voxel size along the three axes in mm.

        Returns
        -------
        Array
            Float32, shape (x, y, z).

        Raises
        ------
        ImageError
            It lies outside the domain.
        """
        place, inside = self.surroundings(domain, spacing, REACH_SD * self.sd_mm)
        sides = [
            self._along(position, np.arange(part.start, part.start + count), size)
            for position, part, count, size in zip(self.position, place, inside.shape, spacing, strict=True)
        ]
        density = np.zeros(domain.shape, dtype=np.float32)
        density[place] = np.where(inside, reduce(np.multiply.outer, sides), 0)
        return density

    def _along(self, position: float, voxels: Array, size: float) -> Array:
        high, low = (ndtr(((voxels + half) * size - position) / self.sd_mm) for half in (0.5, -0.5))
        return np.asarray((high - low) * math.sqrt(2 * math.pi) * self.sd_mm / size)


Start = Seed | Array
"""A seed, a segmentation (bool), or a density in [0, 1]; arrays of the tissue's shape."""


def check_start(start: Start, domain: Array, spacing: Sequence[float]) -> None:
    """Check that a start lies in a domain.

    Raises
    ------
    ImageError
        The seed lies outside the domain, or the array has another shape.
    """
    if isinstance(start, Seed):
        start.voxel(domain, spacing)
    elif start.shape != domain.shape:
        raise ImageError(f"start: has the shape {start.shape}, the tissue {domain.shape}")


def start_density(tissue: Tissue, start: Start, threshold: float) -> tuple[Array, Array]:
    """Return the density with which a simulation begins, and which voxels count as invaded from then on.

    Parameters
    ----------
    tissue
        What it grows in.
    start
        A `Seed`; a segmentation, inside which the density is the threshold (S8: c = c_v); or a density.
        Checked by `check_start`.
    threshold
        Density above which a voxel is invaded.

    Returns
    -------
    density
        Float32, shape (x, y, z); 0 outside the domain.
    invaded
        Bool: inside the segmentation, or where the density exceeds the threshold.

    Raises
    ------
    ImageError
        The array is not a density, or nothing of the start lies in the domain.
    """
    domain = tissue.domain
    if isinstance(start, Seed):
        density = start.density(domain, tissue.spacing)
        invaded = density > threshold
    elif start.dtype == bool:
        invaded = start & domain
        density = np.where(invaded, np.float32(threshold), np.float32(0))
    else:
        if not ((start >= 0) & (start <= 1)).all():
            raise ImageError("start: holds values outside 0 to 1; give a density, or a segmentation as bool")
        density = np.where(domain, start, 0).astype(np.float32)
        invaded = density > threshold
    if not density.any():
        raise ImageError("start: nothing of it lies in white or grey matter")
    return density, invaded
