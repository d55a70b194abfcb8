"""How a scanner shows a case: signals of every tissue, realistic to random, and their mixing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.labels import SEQUENCES
from gliaflow.masks import boxes_round
from gliaflow.simulate.cases import Tissue
from gliaflow.simulate.contrasts import TEXTURE
from gliaflow.simulate.distractors import Distractors
from gliaflow.simulate.ground import Ground
from gliaflow.simulate.heads import TISSUE_BRIGHTNESS
from gliaflow.simulate.lesions import Lesions

Signals = Mapping[str, Mapping[str, float]]
"""Signal by sequence and tissue; white matter's is about 1."""
RATIOS: Signals = {
    tissue: dict(zip(SEQUENCES, values, strict=True))
    for tissue, values in {
        #                    t1n   t1c   t2w   t2f
        "csf":              (0.25, 0.25, 3.00, 0.18),
        "grey":             (0.74, 0.78, 1.45, 1.25),
        "white":            (1.00, 1.00, 1.00, 1.00),
        "necrosis":         (0.48, 0.50, 2.40, 1.30),
        "oedema":           (0.72, 0.73, 2.00, 2.00),
        "enhancing":        (0.74, 1.65, 1.70, 1.75),
        "cavity":           (0.28, 0.28, 2.90, 0.30),
        "solid":            (0.70, 0.74, 1.90, 1.75),
        "cyst":             (0.38, 0.39, 2.80, 0.75),
        "blood":            (1.30, 1.35, 0.90, 1.00),
        "hyperintensities": (0.80, 0.81, 1.65, 1.75),
        "vessels":          (0.60, 1.90, 0.50, 0.60),
        "plexus":           (0.60, 1.60, 2.00, 0.90),
        "dura":             (0.60, 1.60, 0.90, 0.80),
    }.items()
}  # fmt: skip
"""Typical signals at 1.5 and 3 T, white matter's being 1."""
SPREAD: Mapping[str, float] = {
    **dict.fromkeys(("csf", "grey", "white", "cavity"), 0.06),
    **dict.fromkeys(("oedema", "enhancing", "solid", "cyst", "hyperintensities"), 0.12),
    **dict.fromkeys(("necrosis", "blood", "vessels", "plexus", "dura"), 0.22),
}
"""Standard deviation of the logarithm of each signal, from scan to scan."""
CONTRAST: Mapping[str, tuple[float, float]] = {
    "t1n": (0.15, 1.25),
    "t1c": (0.15, 1.2),
    "t2w": (0.5, 1.4),
    "t2f": (0.2, 1.4),
}
"""Factor of the difference between grey and white matter."""
ENHANCEMENT = (0.3, 1.5)
"""What gadolinium adds to enhancing tissue, as a part of white matter's signal."""
WATER = (0.45, 1.15)
"""How watery oedema is: factor of its difference from white matter."""
RANDOM_SIGNAL = (0.15, 3.0)
LEAST_OEDEMA, LEAST_ENHANCEMENT = 0.25, 0.3
"""The least by which oedema differs from white matter on t2f and t2w, and t1c from t1n where it enhances."""
LESION_TEXTURE: Mapping[Tissue, tuple[float, float]] = {
    Tissue.NECROSIS: (0.03, 0.18),
    Tissue.OEDEMA: (0.02, 0.10),
    Tissue.ENHANCING: (0.04, 0.22),
    Tissue.CAVITY: (0.0, 0.04),
    Tissue.SOLID: (0.03, 0.16),
    Tissue.CYST: (0.0, 0.05),
    Tissue.BLOOD: (0.05, 0.30),
}
FADE = (0.0, 0.6)
"""By how much oedema is fainter where it ends than at the core."""
SHINES_THROUGH = (0.0, 0.3)
"""How much of the anatomy's own contrast is left in oedema."""
SOFTNESS_MM = (0.8, 1.8)


@dataclass(frozen=True)
class Look:
    """What the scans of a session share.

    ``signals`` of the tissues; ``fade`` and ``shines_through`` of the oedema; ``texture`` the strength of
    each tissue's unevenness; ``softness_mm`` the blur of borders between tissues.
    """

    signals: Signals
    fade: float
    shines_through: float
    texture: Mapping[Tissue, float]
    softness_mm: float


@dataclass(frozen=True)
class Scene:
    """What is scanned in a session: a brain, the lesions in it, and what could be taken for one."""

    ground: Ground
    lesions: Lesions
    distractors: Distractors


def draw_look(rng: np.random.Generator, site: Signals, *, randomised: bool = False) -> Look:
    """Draw how a session's scans look.

    Parameters
    ----------
    rng
        Where every number comes from.
    site
        Factors of a site by sequence and tissue.
    randomised
        Mix realistic signals with wholly random ones, in random parts.

    Returns
    -------
    Look
        In which oedema differs from white matter on t2f and t2w, and t1c from t1n in enhancing tissue;
        without randomising, oedema is brighter there and enhancement adds.
    """
    signals = realistic_signals(rng)
    signals = {s: {t: v * site[s][t] for t, v in row.items()} for s, row in signals.items()}
    if randomised:
        signals = randomise(signals, rng)
    keep_told_apart(signals)
    return Look(
        signals=signals,
        fade=rng.uniform(*FADE),
        shines_through=rng.uniform(*SHINES_THROUGH),
        texture={tissue: rng.uniform(*strength) for tissue, strength in LESION_TEXTURE.items()},
        softness_mm=rng.uniform(*SOFTNESS_MM),
    )


def realistic_signals(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Draw signals near the table's, such that what belongs together varies together over the sequences."""
    water = {tissue: rng.uniform(*WATER) for tissue in ("oedema", "solid", "hyperintensities")}
    fluid = {tissue: rng.uniform(-0.55, 0.7) for tissue in ("necrosis", "cyst")}
    added = rng.uniform(*ENHANCEMENT)
    scale = {sequence: rng.uniform(*CONTRAST[sequence]) for sequence in SEQUENCES}
    scale["t1c"] = 0.7 * scale["t1n"] + 0.3 * scale["t1c"]
    signals: dict[str, dict[str, float]] = {}
    for sequence in SEQUENCES:
        row = {tissue: RATIOS[tissue][sequence] for tissue in RATIOS}
        row["grey"] = 1 + scale[sequence] * (row["grey"] - 1)
        for tissue, part in water.items():
            row[tissue] = 1 + part * (row[tissue] - 1)
        if sequence == "t2f":
            row.update({tissue: row[tissue] * np.exp(part) for tissue, part in fluid.items()})
        noise = {tissue: float(np.exp(SPREAD[tissue] * rng.standard_normal())) for tissue in RATIOS}
        signals[sequence] = {tissue: float(row[tissue]) * noise[tissue] for tissue in RATIOS}
    signals["t1c"]["enhancing"] = max(signals["t1n"]["enhancing"], 0.5) + added
    return signals


def randomise(signals: Signals, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Mix signals with random ones; t1c gets t1n's random ones, and its own where contrast agent shows."""
    part = rng.random()
    drawn = {s: {tissue: rng.uniform(*RANDOM_SIGNAL) for tissue in RATIOS} for s in SEQUENCES}
    own = {"enhancing", "vessels", "plexus", "dura"}
    drawn["t1c"] = {t: v if t in own else drawn["t1n"][t] for t, v in drawn["t1c"].items()}
    return {
        sequence: {t: (1 - part) * signals[sequence][t] + part * drawn[sequence][t] for t in RATIOS}
        for sequence in SEQUENCES
    }


def keep_told_apart(signals: dict[str, dict[str, float]]) -> None:
    """Move oedema away from white matter, and enhancing tissue from its signal before contrast, in place."""
    for sequence in ("t2w", "t2f"):
        row = signals[sequence]
        for tissue in ("oedema", "solid"):
            row[tissue] = apart(row[tissue], row["white"], LEAST_OEDEMA * max(row["white"], 0.5))
    before = signals["t1n"]["enhancing"] * signals["t1c"]["white"] / signals["t1n"]["white"]
    row = signals["t1c"]
    row["enhancing"] = apart(row["enhancing"], before, LEAST_ENHANCEMENT * max(row["white"], 0.5))


def apart(value: float, other: float, least: float) -> float:
    """Return a value that is at least so far from another, on the side where it was.

    >>> [apart(1.0, 1.1, 0.5), apart(1.2, 1.1, 0.5), apart(2.0, 1.0, 0.5)]
    [0.6000000000000001, 1.6, 2.0]
    """
    if abs(value - other) >= least:
        return value
    lower = other - least
    return lower if value < other and lower > 0 else other + least


def render_scan(scene: Scene, look: Look, sequence: str, rng: np.random.Generator) -> Array:
    """Mix a scan of a brain with lesions, without a scanner's faults.

    Parameters
    ----------
    scene
        The anatomy.
    look
        Of the session.
    sequence
        One of ``gliaflow.labels.SEQUENCES``.
    rng
        How the noise of the texture is mixed in this sequence.

    Returns
    -------
    numpy.ndarray
        float32, shape (x, y, z), 0 outside the brain, white matter about 1.
    """
    signal = look.signals[sequence]
    head, distractors = scene.ground.head, scene.distractors
    image = np.interp(head.brightness, TISSUE_BRIGHTNESS, [signal[t] for t in ("csf", "grey", "white")])
    image = (image * (1 + TEXTURE["brain"] * head.texture)).astype(np.float32)
    blend(image, distractors.hyperintensities, signal["hyperintensities"])
    paint_lesions(image, scene, look, sequence, rng)
    for name in ("vessels", "plexus", "dura"):
        blend(image, getattr(distractors, name) * (scene.lesions.tissues == 0), signal[name])
    return np.maximum(ndimage.gaussian_filter(image, 0.4), 0) * head.brain


def blend(image: Array, share: Array, signal: float) -> None:
    """Mix a tissue into an image, in place."""
    image += share * (np.float32(signal) - image)


def paint_lesions(image: Array, scene: Scene, look: Look, sequence: str, rng: np.random.Generator) -> None:
    """Mix the tissues of lesions into an image, in place, with soft borders and a texture of their own."""
    weights = rng.normal(size=3)
    all_tissues = scene.lesions.tissues
    for wide in boxes_round(all_tissues > 0):
        tissues, before = all_tissues[wide], image[wide].copy()
        texture = mixed_texture(scene.ground, wide, weights)
        sums, total = np.zeros_like(before), np.zeros_like(before)
        for tissue in (Tissue(value) for value in np.unique(tissues) if value):
            share = soft_share(tissues == tissue, look.softness_mm / (2 * scene.ground.head.resolution_mm))
            painted = look.signals[sequence][tissue.name.lower()] * (1 + look.texture[tissue] * texture)
            strength = oedema_strength(look, scene.lesions.margin[wide]) if tissue == Tissue.OEDEMA else 1.0
            sums += share * (before + strength * (np.maximum(painted, 0) - before))
            total += share
        image[wide] = sums + np.clip(1 - total, 0, 1) * before


def soft_share(mask: Array, sigma: float) -> Array:
    """Return a mask (bool) with a soft border, float32; sigma in voxels."""
    return ndimage.gaussian_filter(mask.astype(np.float32), sigma)


def oedema_strength(look: Look, margin: Array) -> Array:
    """Return how much of a voxel's signal is oedema's, by how far out in the oedema it lies."""
    strength: Array = (1 - look.shines_through) * (1 - look.fade * margin**2)
    return strength


def mixed_texture(ground: Ground, box: tuple[slice, ...], weights: Array) -> Array:
    """Return fine, middle and coarse noise, mixed to a standard deviation of 1."""
    fields = (ground.head.texture, ground.noise["middle"], ground.noise["coarse"])
    mixed = sum(w * field[box] for w, field in zip(weights, fields, strict=True))
    return np.asarray(mixed / np.sqrt((weights**2).sum()), dtype=np.float32)
