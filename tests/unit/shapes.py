"""Masks of known shape, and IBSI's digital phantom."""

from collections.abc import Sequence

import numpy as np

PHANTOM = """
14411 14611 41641 44641
14411 11611 01311 44611
14400 11111 11011 11611
14400 11111 11111 11611
"""
"""IBSI's digital phantom: a line a slice, a word a row; 0 lies outside the region. Voxels of 2 mm."""


def phantom() -> np.ndarray:
    """The phantom's levels, shape (5, 4, 4)."""
    slices = [[list(map(int, row)) for row in line.split()] for line in PHANTOM.split("\n")[1:-1]]
    return np.array(slices).transpose(2, 1, 0)


def ellipsoid(radii: Sequence[float], spacing: Sequence[float], angle: float = 0.0) -> np.ndarray:
    """A filled ellipsoid with so many mm of radius, turned in the axial plane by degrees."""
    reach = max(radii)
    counts = [2 * int(np.ceil(reach / s)) + 3 for s in spacing]
    grid = np.indices(counts).astype(float)
    x, y, z = ((g - (n - 1) / 2) * s for g, n, s in zip(grid, counts, spacing, strict=True))
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turned = (c * x + s * y, -s * x + c * y, z)
    return sum((t / r) ** 2 for t, r in zip(turned, radii, strict=True)) <= 1
