"""Brain masks as programs make them: too small here, with a rim of skull and dura there."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.masks import largest_part
from gliaflow.simulate.fields import signed_distance, smooth_noise
from gliaflow.simulate.heads import Head

FLAWED = 0.35
"""Share of the sessions whose mask is off, at severity 1."""
ERODED_MM, RIM_MM = 3.0, 4.0
PATCH_MM = 18.0


@dataclass(frozen=True)
class Stripping:
    """A brain mask (bool) and how strongly what it left of the rim shows (float32), shape (x, y, z)."""

    mask: Array
    rim: Array


def strip(head: Head, severity: float, rng: np.random.Generator) -> Stripping:
    """Draw the brain mask of a session.

    Parameters
    ----------
    head
        Whose brain it is.
    severity
        Factor of how often and by how much it is off; 0 gives the brain itself.
    rng
        Where and how.

    Returns
    -------
    Stripping
        One connected mask. The brain's surface is moved inwards by up to 3 mm or outwards by up to 4 mm, in
        patches of some centimetres; the rim is what lies outside the brain.
    """
    flawed, amount, inwards = rng.random() < FLAWED * severity, rng.random(), rng.random() < 0.5
    spacing = (head.resolution_mm,) * 3
    field = smooth_noise(head.brain.shape, spacing, PATCH_MM, rng)
    patch = np.clip(0.5 + field, 0, 1) * amount
    rim = np.zeros(head.brain.shape, dtype=np.float32)
    if not flawed:
        return Stripping(head.brain, rim)
    outside = signed_distance(head.brain, head.affine)
    moved = outside <= (-ERODED_MM * patch if inwards else RIM_MM * patch)
    mask = largest_part(ndimage.binary_fill_holes(moved))
    rim[mask & ~head.brain] = 1
    return Stripping(mask, rim)
