"""Tissue gives way to a growing tumour: a smooth push away from its centre, within the brain's surface."""

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.simulate.ground import Ground, change_brightness

DECAY_MM = 18.0
"""Over this distance from the tumour's border the push falls to 1/e."""
SURFACE_MM = 14.0
"""From this depth on the push is whole; at the brain's surface, held by the skull, it is 0."""
STEEPEST = 0.7
"""The largest push as a part of the radius; at 1 the centre would be torn open."""


def push_away(ground: Ground, centre: Array, radius_mm: float, push_mm: float) -> Ground:
    """Push the tissue round a tumour outwards.

    Parameters
    ----------
    ground
        The brain before.
    centre
        World point of the tumour's centre, shape (3,), mm.
    radius_mm
        Of the tumour once it has grown.
    push_mm
        How far tissue moves at the tumour's border; no more than 0.7 of the radius and of the depth over
        which the push sets in, so that no point overtakes another.

    Returns
    -------
    Ground
        With brightness, tissue and ventricles displaced, in the same brain mask.
    """
    push = min(push_mm, STEEPEST * radius_mm, STEEPEST * SURFACE_MM)
    if push < 0.5 * ground.head.resolution_mm:
        return ground
    box = pushed_box(ground, centre, radius_mm, push)
    away = ground.points[(slice(None), *box)] - np.asarray(centre, np.float32)[:, None, None, None]
    distance = np.maximum(np.sqrt((away**2).sum(axis=0)), 1e-3)
    strength = push * radial_profile(distance, radius_mm) * np.clip(ground.depth[box] / SURFACE_MM, 0, 1)
    voxels = np.indices(distance.shape, dtype=np.float32)
    voxels -= strength / distance * away / ground.head.resolution_mm
    brightness = ground.head.brightness.copy()
    moved = ndimage.map_coordinates(brightness[box], voxels, order=3, mode="nearest")
    brightness[box] = np.where(ground.head.brain[box], np.clip(moved, 0, 1), 0)
    return change_brightness(ground, brightness)


def radial_profile(distance: Array, radius_mm: float) -> Array:
    """Return the push as a part of its largest: rising to the border, then falling.

    >>> radial_profile(np.array([0.0, 10.0, 28.0]), 10.0).round(3).tolist()
    [0.0, 1.0, 0.368]
    """
    inside: Array = np.minimum(distance / radius_mm, np.exp(-(distance - radius_mm) / DECAY_MM))
    return np.where(distance < radius_mm, distance / radius_mm, inside)


def pushed_box(ground: Ground, centre: Array, radius_mm: float, push_mm: float) -> tuple[slice, ...]:
    """Return the voxels where the push is more than a tenth of a millimetre."""
    reach = radius_mm + DECAY_MM * max(np.log(push_mm / 0.1), 1.0)
    return box_around(ground, centre, reach)


def box_around(ground: Ground, centre: Array, reach_mm: float) -> tuple[slice, ...]:
    """Return the voxels up to a distance from a world point along every axis."""
    edge = ground.head.resolution_mm
    middle = np.rint((centre - ground.head.affine[:3, 3]) / edge).astype(int)
    reach = int(np.ceil(reach_mm / edge))
    return tuple(
        slice(max(m - reach, 0), min(m + reach + 1, n))
        for m, n in zip(middle, ground.head.brain.shape, strict=True)
    )
