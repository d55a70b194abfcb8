"""What is bright in scans and is no tumour: white matter hyperintensities, vessels, choroid plexus, dura."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.simulate.fields import signed_distance, smooth_noise
from gliaflow.simulate.ground import Ground

VESSEL_MM, VESSEL_WIDTH = (7.0, 12.0), (0.08, 0.22)
SINUS_DEPTH_MM, DURA_MM = 4.0, 2.0
CAP_MM, SPOT_MM = 9.0, (0.8, 3.5)
SPOTS = 30


@dataclass(frozen=True)
class Distractors:
    """Shares of a voxel, float32, shape (x, y, z), 0 to 1: of hyperintensities, vessels, plexus and dura."""

    hyperintensities: Array
    vessels: Array
    plexus: Array
    dura: Array


def make_distractors(ground: Ground, extent: float, rng: np.random.Generator) -> Distractors:
    """Draw what could be taken for a tumour.

    Parameters
    ----------
    ground
        The brain.
    extent
        Of the white matter hyperintensities: 0 none, 1 most of the white matter round the ventricles.
    rng
        Decides places and sizes.

    Returns
    -------
    Distractors
        Vessels run in the sulci and, thin and sparse, through white matter; sinus and dura lie at the
        surface; the plexus in the lateral ventricles.
    """
    return Distractors(
        hyperintensities(ground, extent, rng), vessels(ground, rng), plexus(ground, rng), dura(ground, rng)
    )


def hyperintensities(ground: Ground, extent: float, rng: np.random.Generator) -> Array:
    """Return caps and bands round the ventricles and spots in white matter."""
    edge = ground.head.resolution_mm
    reach = CAP_MM * extent * np.exp(0.6 * ground.noise["outline"])
    if not ground.ventricles.any() or extent == 0:
        return np.zeros(ground.csf.shape, dtype=np.float32)
    distance = signed_distance(ground.ventricles, ground.head.affine)
    share = np.clip((reach - distance) / edge + 0.5, 0, 1)
    for centre in spot_centres(ground, round(SPOTS * extent**1.5), rng):
        add_ball(share, centre, rng.uniform(*SPOT_MM) / edge)
    return np.asarray(share * ground.white * (ground.csf < 0.4), dtype=np.float32)


def spot_centres(ground: Ground, count: int, rng: np.random.Generator) -> Array:
    """Draw voxels of the cerebral white matter, shape (count, 3)."""
    candidates = np.argwhere((ground.white > 0.7) & (ground.depth > 6) & (ground.points[2] > -15))
    chosen = (rng.random(count) * len(candidates)).astype(int)
    return candidates[chosen] if len(candidates) else np.zeros((0, 3), dtype=int)


def add_ball(share: Array, centre: Array, radius: float) -> None:
    """Raise shares to those of a ball with a soft border, in place; radius in voxels."""
    reach = int(np.ceil(radius + 1))
    box = tuple(slice(max(int(c) - reach, 0), int(c) + reach + 1) for c in centre)
    axes = (np.arange(s.start, min(s.stop, n)) - c for s, n, c in zip(box, share.shape, centre, strict=True))
    distance = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))
    share[box] = np.maximum(share[box], np.clip(radius - distance + 0.5, 0, 1))


def curves(shape: tuple[int, ...], edge_mm: float, width: float, rng: np.random.Generator) -> Array:
    """Return thin, winding lines, float32, 0 to 1: where two random fields are both about 0."""
    scale = rng.uniform(*VESSEL_MM)
    first, second = (smooth_noise(shape, (edge_mm,) * 3, scale, rng) for _ in range(2))
    wide = max(width, 0.35 * edge_mm / scale)
    thin = (width / wide) ** 2
    return thin * np.exp(-(first**2 + second**2) / (2 * wide**2))


def vessels(ground: Ground, rng: np.random.Generator) -> Array:
    """Return vessels: in sulci and cisterns, and fewer and thinner in the tissue."""
    shape, edge = ground.csf.shape, ground.head.resolution_mm
    outer = curves(shape, edge, rng.uniform(*VESSEL_WIDTH), rng) * np.clip(2.5 * ground.csf + 0.15, 0, 1)
    inner = curves(shape, edge, VESSEL_WIDTH[0], rng) * (1 - ground.csf) * rng.random()
    return np.maximum(outer, inner) * ground.head.brain * ~ground.ventricles


def plexus(ground: Ground, rng: np.random.Generator) -> Array:
    """Return the choroid plexus: lumps in the ventricles."""
    deep = ndimage.gaussian_filter(ground.ventricles.astype(np.float32), 1.0)
    lumps = np.clip(2 * (ground.noise["middle"] - rng.uniform(0.2, 1.2)), 0, 1)
    return np.asarray(deep * lumps * ground.ventricles, dtype=np.float32)


def dura(ground: Ground, rng: np.random.Generator) -> Array:
    """Return the sagittal sinus and patches of dura at the brain's surface."""
    x, y, z = ground.points
    edge = ground.head.resolution_mm
    near = (ground.depth < SINUS_DEPTH_MM) & ground.head.brain
    sinus = near & (np.abs(x) < rng.uniform(1.0, 5.0)) & ((z > 30) | (y < -65))
    thick = DURA_MM * rng.random() ** 3 * np.clip(0.3 + ground.noise["form"], -1, 1.5)
    patches = np.clip((thick - ground.depth) / edge + 0.5, 0, 1) * ground.head.brain
    return np.maximum(sinus, patches).astype(np.float32)
