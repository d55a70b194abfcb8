"""A tumour in the white matter of one hemisphere: necrotic core, enhancing rim, oedema."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliaflow.errors import ConfigError
from gliaflow.images import Array
from gliaflow.labels import REGIONS, region_mask
from gliaflow.masks import largest_part
from gliaflow.simulate.fields import signed_distance, smooth_noise, world_points
from gliaflow.simulate.heads import Head

RIM_MM = 4.0
DEPTH_MM = 19.0
"""How far below the brain's surface a centre lies at least, and the largest mean radius of a core."""
LOWEST_MM = 8.0


@dataclass(frozen=True)
class TumourShape:
    """Where a tumour is to lie and how large it is to be.

    ``side`` is -1 for the left hemisphere, 1 for the right; ``core_mm`` the mean radius of core and rim;
    ``oedema_mm`` how much farther the oedema reaches in white matter; ``rim_mm`` how thick the enhancing rim
    is, 0 for a tumour that does not enhance. Without ``necrosis`` the whole core enhances. The centre lies at
    least ``depth_mm`` below the brain's surface and above ``lowest_mm`` (z of the head's world).
    """

    side: int
    core_mm: float
    oedema_mm: float
    rim_mm: float = RIM_MM
    necrosis: bool = True
    depth_mm: float = DEPTH_MM
    lowest_mm: float = LOWEST_MM


def make_tumour(head: Head, shape: TumourShape, rng: np.random.Generator) -> Array:
    """Make the label map of a tumour.

    Parameters
    ----------
    head
        The anatomy that it grows in; ventricles and sulci stay free of it.
    shape
        Side and size. With the same generator seed a larger size gives a grown tumour of the same form.
    rng
        Decides place and form.

    Returns
    -------
    Array
        uint8, shape (x, y, z): 1 necrotic core (or what does not enhance of it), 2 oedema, 3 enhancing
        (resources/labels.tsv).

    Raises
    ------
    ConfigError
        The tumour has no place in this brain.
    """
    csf, _, white = head.tissue_fractions()
    centre = choose_centre(head, white, shape, rng)
    radius = distorted_radius(head, centre, rng)
    tissue = head.brain & (csf < 0.5)
    reach = shape.core_mm + shape.oedema_mm * (0.2 + 0.8 * ndimage.gaussian_filter(white, 1.0))
    labels = np.zeros(tissue.shape, dtype=np.uint8)
    labels[largest_part(tissue & (radius < reach))] = 2
    labels[largest_part(tissue & (radius < shape.core_mm))] = 3
    if shape.necrosis:
        rim = shape.rim_mm * (1 + 0.3 * head.texture)
        labels[(labels == 3) & (radius < shape.core_mm - rim)] = 1
    return labels


def choose_centre(head: Head, white: Array, shape: TumourShape, rng: np.random.Generator) -> Array:
    """Return the world point, shape (3,), of a tumour's centre: deep white matter of the wanted side."""
    depth = -signed_distance(head.brain, head.affine)
    points = world_points(head.affine, head.brain.shape)
    place = (points[0] * shape.side > 22) & (points[2] > shape.lowest_mm) & (points[2] < 45)
    wide_white = ndimage.uniform_filter(white, 2 * round(4 / head.resolution_mm) + 1)
    candidates = np.argwhere(place & (depth > shape.depth_mm) & (wide_white > 0.75))
    if shape.core_mm > DEPTH_MM or not len(candidates):
        raise ConfigError(f"a core of {shape.core_mm:g} mm does not fit into this brain; make it smaller")
    return points[(slice(None), *candidates[rng.integers(len(candidates))])]


def distorted_radius(head: Head, centre: Array, rng: np.random.Generator) -> Array:
    """Return the distance from a centre in mm, float32, shape (x, y, z), along an irregular ellipsoid's."""
    points = world_points(head.affine, head.brain.shape) - centre[:, None, None, None]
    stretch = rng.uniform(0.8, 1.25, size=3).astype(np.float32)
    radius = np.sqrt(((points / stretch[:, None, None, None]) ** 2).sum(axis=0))
    spacing = (head.resolution_mm,) * 3
    bumps = 0.14 * smooth_noise(radius.shape, spacing, 12.0, rng)
    bumps += 0.06 * smooth_noise(radius.shape, spacing, 5.0, rng)
    return radius * (1 + bumps)


def region_volumes_ml(labels: Array, affine: Array) -> dict[str, float]:
    """Return the volume of each region in ml.

    >>> region_volumes_ml(np.full((10, 10, 10), 3), np.eye(4))
    {'WT': 1.0, 'TC': 1.0, 'ET': 1.0}
    """
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    return {region: float(region_mask(labels, region).sum()) * voxel_ml for region in REGIONS}
