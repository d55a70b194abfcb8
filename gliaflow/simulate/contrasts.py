"""What each sequence shows of each tissue."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.labels import label_table
from gliaflow.masks import boxes_round
from gliaflow.simulate.fields import smooth_noise
from gliaflow.simulate.heads import TISSUE_BRIGHTNESS, Head, Material

BRAIN_TISSUES = ("csf", "grey matter", "white matter")
MEAN_SIGNAL: Mapping[str, Mapping[str, float]] = {
    tissue: dict(zip(("t1n", "t1c", "t2w", "t2f", "dwi", "adc"), signals, strict=True))
    for tissue, signals in {
        #                   t1n   t1c   t2w   t2f   dwi   adc
        "csf":             (150,  160, 1150,   60,   60, 3000),
        "grey matter":     (470,  510,  560,  500,  340,  820),
        "white matter":    (660,  690,  380,  390,  300,  740),
        "necrotic core":   (260,  280, 1000,  420,  180, 1900),
        "oedema":          (450,  480,  850,  860,  330, 1450),
        "enhancing":       (480, 1180,  680,  720,  420, 1050),
        "air":             (  0,    0,    0,    0,    0,    0),
        "bone":            ( 45,   50,   40,   35,   10,    0),
        "marrow":          (560,  620,  330,  300,   20,    0),
        "fat":             (1250, 1300, 900,  800,   30,    0),
        "skin":            (620,  760,  420,  420,   30,    0),
        "muscle":          (380,  450,  170,  230,   40,    0),
        "vessel":          (140, 1300,   70,   60,   20,    0),
        "mucosa":          (380,  900,  980,  900,   60, 1500),
        "cord":            (600,  630,  400,  400,  200,  700),
    }.items()
}  # fmt: skip
"""Means in scanner units (adc in 1e-6 mm^2/s), near those of clinical 3 T scans."""
TEXTURE = {"brain": 0.02, "tumour": 0.06, "outside": 0.10}


def render(head: Head, labels: Array, sequence: str) -> Array:
    """Return the signal of a head with a tumour, without any of a scanner's faults.

    Parameters
    ----------
    head
        The anatomy.
    labels
        Label map on the head's grid, shape (x, y, z).
    sequence
        A column of the table above.

    Returns
    -------
    Array
        float32, shape (x, y, z). Brain follows the template's own brightness from tissue to tissue.
    """
    signal = {tissue: row[sequence] for tissue, row in MEAN_SIGNAL.items()}
    outside = np.array([signal[material.name.lower()] for material in Material])
    inside = np.interp(head.brightness, TISSUE_BRIGHTNESS, [signal[tissue] for tissue in BRAIN_TISSUES])
    image = np.where(head.brain, inside, outside[head.materials]).astype(np.float32)
    image *= 1 + np.where(head.brain, TEXTURE["brain"], TEXTURE["outside"]) * head.texture
    paint_tumour(image, labels, head.texture, signal)
    return ndimage.gaussian_filter(image, 0.5)


def paint_tumour(image: Array, labels: Array, texture: Array, signal: Mapping[str, float]) -> None:
    """Mix the tumour's tissues into an image in place, with soft borders; looks at the tumour's box only."""
    for box in boxes_round(labels > 0):
        _paint(image[box], labels[box], texture[box], signal)


def _paint(image: Array, labels: Array, texture: Array, signal: Mapping[str, float]) -> None:
    for label in label_table():
        if (labels == label.value).any():
            share = ndimage.gaussian_filter((labels == label.value).astype(np.float32), 0.7)
            share = share * (labels > 0)
            painted = signal[label.name] * (1 + TEXTURE["tumour"] * texture)
            image += share * (painted - image)


def add_scanner_effects(
    image: Array, spacing: tuple[float, float, float], rng: np.random.Generator, noise: float = 14.0
) -> Array:
    """Add what a scanner adds: a smooth bias of the receiver coil, and noise of the magnitude image.

    Parameters
    ----------
    image
        Noise-free signal on the scanner's grid, shape (x, y, z).
    spacing
        Voxel size in mm.
    rng
        Where bias and noise come from.
    noise
        Standard deviation of the noise in each of the two receiver channels; Rician in the result
        (Gudbjartsson and Patz 1995).

    Returns
    -------
    Array
        float32, not negative.
    """
    shape = (image.shape[0], image.shape[1], image.shape[2])
    bias = np.exp(0.10 * smooth_noise(shape, spacing, 90.0, rng))
    real = image * bias + noise * rng.standard_normal(shape, dtype=np.float32)
    imaginary = noise * rng.standard_normal(shape, dtype=np.float32)
    return np.hypot(real, imaginary).astype(np.float32)
