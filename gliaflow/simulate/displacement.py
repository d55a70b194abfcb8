"""A head that lies a little differently in a later session, and tissue that sank into a resection cavity."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.simulate.fields import world_points
from gliaflow.simulate.mass_effect import radial_profile


@dataclass(frozen=True)
class Displacement:
    """Where the points of a session lie in the first session.

    A point x of the session's world lies at ``y = to_first @ x`` and, before tissue sank, at ``y + sunk_mm
    p(d) (y - centre_mm) / d``, where d is the distance of y from the centre and p rises from 0 to 1 at
    ``radius_mm`` and falls again (`gliaflow.simulate.mass_effect.radial_profile`).

    Attributes
    ----------
    to_first
        Rigid, shape (4, 4), from world to world, RAS+ mm, as nested tuples.
    centre_mm, radius_mm
        Of the cavity, in the first session's world.
    sunk_mm
        How far tissue moved towards the centre at the cavity's border.
    """

    to_first: tuple[tuple[float, ...], ...] = tuple(tuple(row) for row in np.eye(4).tolist())
    centre_mm: tuple[float, ...] = (0.0, 0.0, 0.0)
    radius_mm: float = 1.0
    sunk_mm: float = 0.0

    def as_dict(self) -> Mapping[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)

    def points(self, world: Array) -> Array:
        """Return where points, shape (3, ...), of the session lie in the first one; both in mm."""
        matrix = np.array(self.to_first)
        rigid = np.tensordot(matrix[:3, :3], world, axes=1) + matrix[:3, 3].reshape(
            3, *[1] * (world.ndim - 1)
        )
        away = rigid - np.reshape(self.centre_mm, (3, *[1] * (world.ndim - 1)))
        distance = np.maximum(np.sqrt((away**2).sum(axis=0)), 1e-3)
        sunk: Array = rigid + self.sunk_mm * radial_profile(distance, self.radius_mm) / distance * away
        return sunk

    def voxels(self, affine: Array, shape: tuple[int, ...]) -> Array:
        """Return for every voxel of a session's grid its place on the same grid of the first session."""
        points = self.points(world_points(affine, shape))
        inverse = np.linalg.inv(affine)
        return np.tensordot(inverse[:3, :3], points, axes=1) + inverse[:3, 3, None, None, None]


def moved(values: Array, voxels: Array, order: int) -> Array:
    """Return an array of the first session, float32, as it lies in one with given `Displacement.voxels`."""
    return ndimage.map_coordinates(values.astype(np.float32), voxels, order=order, mode="constant")


def moved_labels(labels: Array, voxels: Array) -> Array:
    """Return a label map as it lies in another session: in each voxel the label that fills most of it."""
    values = np.unique(labels)
    shares = np.stack([moved(labels == value, voxels, 1) for value in values])
    shares[0] += np.maximum(1 - shares.sum(axis=0), 0)
    return values[shares.argmax(axis=0)]
