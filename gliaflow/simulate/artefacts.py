"""What spoils a scan: coil bias, noise, blur, thick slices, motion, and slices that were never taken."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.simulate.fields import smooth_noise

BIAS, BIAS_MM = 0.25, (40.0, 110.0)
NOISE = (0.01, 0.06)
BLUR_MM = 0.9
THICK_MM = (2.5, 7.0)
THICK, MOVED, CUT = 0.4, 0.12, 0.12
"""Shares of the scans with thick slices, with motion, and with slices missing at an end."""
GHOST = (0.03, 0.12)
CUT_MM = (4.0, 30.0)
GAMMA = 0.2


@dataclass(frozen=True)
class Artefacts:
    """The faults of one scan.

    ``bias`` is the standard deviation of the logarithm of the coil's sensitivity and ``bias_mm`` the
    distance over which it changes; ``noise`` the standard deviation in each receiver channel as a part of
    the scan's 98th percentile; ``blur_mm`` that of the Gaussian along every axis; ``slice_mm`` the
    thickness of slices across ``slice_axis``, 0 for none; ``ghost`` the strength of an image repeated along
    ``ghost_axis``; ``cut_mm`` what is missing at the low (first) and the high end of ``slice_axis``; the
    intensities are raised to ``gamma``.
    """

    bias: float = 0.0
    bias_mm: float = 70.0
    noise: float = 0.0
    blur_mm: float = 0.0
    slice_mm: float = 0.0
    slice_axis: int = 2
    ghost: float = 0.0
    ghost_axis: int = 1
    cut_mm: tuple[float, float] = (0.0, 0.0)
    gamma: float = 1.0


def random_artefacts(rng: np.random.Generator, severity: float = 1.0) -> Artefacts:
    """Draw the faults of a scan.

    Parameters
    ----------
    rng
        Where they come from; each takes the same number of draws whatever the others are.
    severity
        Factor of their strength and of how often thick slices, motion and cuts occur; 0 draws a clean scan.

    Returns
    -------
    Artefacts
        Axial slices in half of the scans that have thick ones, since most are.
    """
    bias, bias_mm, noise = rng.random() * BIAS, rng.uniform(*BIAS_MM), rng.uniform(*NOISE) * rng.random()
    blur, thick, thickness = rng.random() * BLUR_MM, rng.random(), rng.uniform(*THICK_MM)
    axis, moved, ghost = int(rng.choice((0, 1, 2, 2))), rng.random(), rng.uniform(*GHOST)
    ghost_axis, is_cut, end = int(rng.integers(2)), rng.random(), int(rng.integers(2))
    cut, gamma = rng.uniform(*CUT_MM), rng.uniform(-GAMMA, GAMMA)
    sliced = thick < THICK * severity
    lost = severity * cut * (is_cut < CUT * severity)
    return Artefacts(
        bias=severity * bias,
        bias_mm=bias_mm,
        noise=severity * noise,
        blur_mm=severity * blur,
        slice_mm=thickness if sliced else 0.0,
        slice_axis=axis,
        ghost=severity * ghost * (moved < MOVED * severity),
        ghost_axis=ghost_axis,
        cut_mm=(lost * (end == 0), lost * (end == 1)),
        gamma=float(np.exp(severity * gamma)),
    )


def apply_artefacts(
    image: Array, spacing: tuple[float, float, float], artefacts: Artefacts, rng: np.random.Generator
) -> Array:
    """Spoil a scan, on its own grid.

    Parameters
    ----------
    image
        Noise-free signal, not negative, shape (x, y, z).
    spacing
        Voxel size in mm.
    artefacts
        Which faults, and how strong.
    rng
        Of the bias field, of the noise and of the place of the slices.

    Returns
    -------
    numpy.ndarray
        float32, shape (x, y, z), not negative: magnitudes, with Rician noise (Gudbjartsson and Patz 1995).
        Thick slices are averaged and interpolated back linearly, as a resampled thick scan looks.
    """
    seen: Array = np.asarray(image, dtype=np.float32)
    top = float(np.percentile(seen[seen > 0], 98)) if (seen > 0).any() else 1.0
    if artefacts.gamma != 1:
        seen = top * (np.maximum(seen, 0) / top) ** np.float32(artefacts.gamma)
    if artefacts.blur_mm:
        seen = ndimage.gaussian_filter(seen, [artefacts.blur_mm / step for step in spacing])
    if artefacts.ghost:
        seen = add_ghost(seen, artefacts.ghost, artefacts.ghost_axis, rng)
    if artefacts.bias:
        seen = seen * np.exp(artefacts.bias * smooth_noise(seen.shape, spacing, artefacts.bias_mm, rng))
    if artefacts.noise:
        real, imaginary = rng.standard_normal((2, *seen.shape), dtype=np.float32) * (artefacts.noise * top)
        seen = np.hypot(seen + real, imaginary)
    if artefacts.slice_mm > spacing[artefacts.slice_axis]:
        seen = thicken(seen, artefacts.slice_mm / spacing[artefacts.slice_axis], artefacts.slice_axis, rng)
    return cut_ends(seen, spacing, artefacts)


def add_ghost(image: Array, strength: float, axis: int, rng: np.random.Generator) -> Array:
    """Add the faint, shifted copies that motion during a scan leaves along the phase-encoding axis."""
    shift = int(image.shape[axis] * rng.uniform(0.15, 0.5))
    copies = np.roll(image, shift, axis) + np.roll(image, -shift, axis)
    return ((1 - strength) * image + 0.5 * strength * copies).astype(np.float32)


def thicken(image: Array, factor: float, axis: int, rng: np.random.Generator) -> Array:
    """Average over slices ``factor`` voxels thick along an axis, and interpolate between them linearly."""
    count = image.shape[axis]
    moved = np.moveaxis(image, axis, -1)
    edges = np.arange(-factor * rng.random(), count + factor, factor)
    total = np.cumsum(np.pad(moved, [(0, 0), (0, 0), (1, 0)]), axis=-1, dtype=np.float64)
    inside = np.clip(edges, 0, count)
    low = np.minimum(inside.astype(int), count - 1)
    at_edges = total[..., low] + (inside - low) * moved[..., low]
    widths = np.maximum(np.diff(inside), 1e-6)
    slices = np.diff(at_edges, axis=-1) / widths
    centres = (edges[:-1] + edges[1:]) / 2 - 0.5
    place = np.clip(np.interp(np.arange(count), centres, np.arange(len(centres))), 0, len(centres) - 1)
    below = np.minimum(place.astype(int), len(centres) - 2)
    between = slices[..., below] + (place - below) * (slices[..., below + 1] - slices[..., below])
    return np.ascontiguousarray(np.moveaxis(between, -1, axis), dtype=np.float32)


def cut_ends(image: Array, spacing: tuple[float, float, float], artefacts: Artefacts) -> Array:
    """Set the slices to 0 that were not taken."""
    low, high = (round(mm / spacing[artefacts.slice_axis]) for mm in artefacts.cut_mm)
    seen = np.moveaxis(image.copy(), artefacts.slice_axis, 0)
    seen[:low] = 0
    seen[len(seen) - high :] = 0
    return np.moveaxis(seen, 0, artefacts.slice_axis)
