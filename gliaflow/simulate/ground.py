"""A brain as lesions meet it: tissue, depth, ventricles, and the noise that makes nothing smooth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.simulate.fields import signed_distance, smooth_noise, world_points
from gliaflow.simulate.heads import TISSUE_BRIGHTNESS, VENTRICLES_MM, Head

NOISE_MM: Mapping[str, float] = {
    "form": 16.0,
    "outline": 7.0,
    "bumps": 3.5,
    "rim": 9.0,
    "patches": 6.0,
    "specks": 4.0,
    "coarse": 12.0,
    "middle": 4.0,
}
"""Half the size of a blob in each field."""
VENTRICLES_HALF_MM = np.array([34.0, 52.0, 30.0], dtype=np.float32)
VENTRICLE_DEPTH_MM = 16.0


@dataclass(frozen=True)
class Ground:
    """A head and what is computed from it, every array float32 or bool, shape (x, y, z).

    ``csf``, ``grey`` and ``white`` are shares of a voxel; ``depth`` is how far below the brain's surface it
    lies, mm; ``noise`` holds a field for each key of `NOISE_MM`, mean 0 and standard deviation 1.
    """

    head: Head
    csf: Array
    grey: Array
    white: Array
    depth: Array
    ventricles: Array
    noise: Mapping[str, Array]

    @property
    def points(self) -> Array:
        """World coordinates, shape (3, x, y, z), mm."""
        return world_points(self.head.affine, self.head.brain.shape)


def make_ground(head: Head, rng: np.random.Generator) -> Ground:
    """Compute what lesions need to know of a head; the generator draws the noise."""
    spacing = (head.resolution_mm,) * 3
    noise = {name: smooth_noise(head.brain.shape, spacing, mm, rng) for name, mm in NOISE_MM.items()}
    csf, grey, white = head.tissue_fractions()
    depth = -signed_distance(head.brain, head.affine)
    return Ground(head, csf, grey, white, depth, find_ventricles(head, csf, depth), noise)


def change_brightness(ground: Ground, brightness: Array) -> Ground:
    """Return the ground with another brightness, shape (x, y, z), in the same brain."""
    head = replace(ground.head, brightness=brightness)
    csf, grey, white = head.tissue_fractions()
    ventricles = find_ventricles(head, csf, ground.depth)
    return replace(ground, head=head, csf=csf, grey=grey, white=white, ventricles=ventricles)


def find_ventricles(head: Head, csf: Array, depth: Array) -> Array:
    """Return where the lateral ventricles lie, bool, shape (x, y, z): fluid deep in the brain."""
    middle = head.affine[:3, 3]
    found = (csf > 0.5) & (depth > VENTRICLE_DEPTH_MM)
    for axis in range(3):
        world = middle[axis] + head.resolution_mm * np.arange(csf.shape[axis])
        near = np.abs(world - VENTRICLES_MM[axis]) < VENTRICLES_HALF_MM[axis]
        found &= np.expand_dims(near, [k for k in range(3) if k != axis])
    parts, count = ndimage.label(found)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept: Array = (sizes * head.resolution_mm**3 > 300)[parts]
    return kept


def widen_ventricles(ground: Ground, wider_mm: float) -> Ground:
    """Return the ground with ventricles that reach farther into the white matter, unevenly."""
    if wider_mm <= 0 or not ground.ventricles.any():
        return ground
    distance = signed_distance(ground.ventricles, ground.head.affine)
    reach = wider_mm * np.clip(1 + 0.5 * ground.noise["form"], 0, 2)
    share = np.clip((reach - distance) / ground.head.resolution_mm + 0.5, 0, 1) * (distance > 0)
    fluid = np.minimum(ground.head.brightness, TISSUE_BRIGHTNESS[0])
    brightness = ground.head.brightness + share * (fluid - ground.head.brightness)
    return change_brightness(ground, np.where(ground.head.brain, brightness, 0).astype(np.float32))
