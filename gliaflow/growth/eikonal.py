"""Time to invasion by the eikonal approximation: a front that runs at the local speed (S8), in seconds."""

import numpy as np
import skfmm

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.box import Box
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.start import Seed, Start, check_start, start_density
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array

BALL = 2.0
"""Radius, in voxels, of the ball round a seed from which fast marching begins: it needs more than a point."""
ROUNDING = 1e-6


def front_speed(tissue: Tissue, parameters: Parameters) -> Array:
    """Return the speed of the front, 4 sqrt(rho Tr D) (S8), mm/day, float32, 0 outside the domain.

    Fisher's front in a homogeneous medium with D = d I runs at 2 sqrt(rho d). As Tr D = 3 d, S8's speed is
    2 sqrt(3) = 3.46 times that everywhere. The order in which voxels are invaded, and so a Dice at equal
    volume, does not depend on it; days do.
    """
    trace = 3 * parameters.kappa(tissue)
    if parameters.tau and tissue.anisotropy is not None:
        trace += np.where(tissue.domain, np.float32(parameters.tau) * tissue.anisotropy, 0)
    return np.asarray(4 * np.sqrt(np.float32(parameters.rho) * trace), dtype=np.float32)


class Eikonal:
    """A tissue with its front speed, ready for many starts.

    Parameters
    ----------
    tissue, parameters
        As for `eikonal_time`.

    Raises
    ------
    ConfigError
        The front does not move anywhere, or a tensor is asked for that the tissue does not have.
    """

    def __init__(self, tissue: Tissue, parameters: Parameters) -> None:
        """Prepare."""
        if parameters.tau and tissue.tensor is None:
            raise ConfigError("tau: needs a tissue with a diffusion tensor; write 0 or give dwi")
        speed = front_speed(tissue, parameters)
        if not speed.any():
            raise ConfigError("rho, kappa_white, kappa_grey: nothing spreads; write numbers above 0")
        self.spacing = tissue.spacing
        self._domain = tissue.domain
        self._box = Box.around(speed > 0)
        self._tissue = self._box.tissue(tissue)
        self._speed = self._box.cut(speed).astype(np.float64)
        self._closed = self._speed <= 0

    def time(self, start: Start, *, narrow: float | None = None, threshold: float = 0.5) -> Array:
        """Return the map for a start, as `eikonal_time` does."""
        if narrow is not None and not narrow > 0:
            raise ConfigError(
                f"narrow: {narrow}: is not possible; write a number of days above 0, or nothing"
            )
        check_start(start, self._domain, self.spacing)
        inside = self._box.start(start, self.spacing)
        if isinstance(inside, Seed):
            times = self._from_seed(inside, narrow)
        else:
            _, invaded = start_density(self._tissue, inside, threshold)
            if not invaded.any():
                raise ImageError(f"start: no density exceeds the threshold {threshold}; lower it")
            times = np.where(invaded, 0, self._march(np.where(invaded, -1.0, 1.0), narrow))
        return self._box.restore(times.astype(np.float32), np.inf)

    def _from_seed(self, seed: Seed, narrow: float | None) -> Array:
        """March from a ball round the seed, inside which the speed is taken as that of its voxel."""
        radius = BALL * max(self.spacing)
        try:
            speed = self._speed[seed.voxel(~self._closed, self.spacing)]
            place, near = seed.surroundings(~self._closed, self.spacing, radius)
        except ImageError as error:
            raise ImageError("seed: lies where nothing spreads; move it") from error
        x, y, z = np.ix_(
            *(
                np.arange(count) * size - position
                for count, size, position in zip(self._speed.shape, self.spacing, seed.position, strict=True)
            )
        )
        distance = np.sqrt(x**2 + y**2 + z**2)
        ball = np.zeros(distance.shape, dtype=bool)
        ball[place] = near & (distance[place] <= radius)
        # what lies near but behind a wall is not begun from
        level = np.where(ball | (distance > radius), distance - radius, radius)
        rest = None if narrow is None else max(narrow - radius / speed, ROUNDING)
        times = np.where(ball, distance / speed, self._march(level, rest) + radius / speed)
        return times if narrow is None else np.where(times <= narrow, times, np.inf)

    def _march(self, level: Array, narrow: float | None) -> Array:
        phi = np.ma.MaskedArray(level, self._closed)
        found = skfmm.travel_time(phi, self._speed, dx=list(self.spacing), narrow=narrow or 0.0)
        return np.asarray(np.ma.filled(found, np.inf))


def eikonal_time(
    tissue: Tissue,
    start: Start,
    parameters: Parameters,
    *,
    narrow: float | None = None,
    threshold: float = 0.5,
) -> Array:
    """Return when a front reaches each voxel, by fast marching (BrainLes 2021, S8; scikit-fmm).

    Parameters
    ----------
    tissue
        What it runs through.
    start
        A `Seed` (a point: its width does not matter), a segmentation (bool), or a density, which starts
        where it exceeds the threshold; shape (x, y, z).
    parameters
        The speed is `front_speed`.
    narrow
        Days after which it may stop; later voxels are inf. Saves time where only the first part matters.
    threshold
        Of a start that is a density.

    Returns
    -------
    Array
        Days, float32, shape (x, y, z); 0 inside the start, inf where no way leads or outside the domain.

    Raises
    ------
    ConfigError
        The front does not move anywhere, tau is above 0 without a tensor, or narrow is not positive.
    ImageError
        The start has another shape, or lies outside the domain.
    """
    return Eikonal(tissue, parameters).time(start, narrow=narrow, threshold=threshold)
