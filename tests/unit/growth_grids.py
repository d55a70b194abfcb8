"""Tissues to grow in, small and with known answers."""

import numpy as np

from gliaflow.growth.tissue import TENSOR_PARTS, Tissue

PLACES = [("xyz".index(a), "xyz".index(b)) for a, b in TENSOR_PARTS]


def block(shape, spacing=(1.0, 1.0, 1.0), closed=None, tensor=None):
    """White matter everywhere but where it is closed; with a tensor (3, 3), which is everywhere the same."""
    ones = np.ones(shape, dtype=np.float32)
    brain = np.ones(shape, dtype=bool) if closed is None else ~closed
    parts = None if tensor is None else np.broadcast_to(packed(tensor), (*shape, 6)).copy()
    return Tissue(ones, 0 * ones, 0 * ones, brain, spacing, None if tensor is None else ones, parts)


def packed(tensor):
    """The parts of tensors (..., 3, 3)."""
    return np.stack([tensor[..., a, b] for a, b in PLACES], axis=-1).astype(np.float32)


def along(direction, share=0.8):
    """A tensor of trace 1 with that share along a direction (..., 3)."""
    unit = np.asarray(direction, dtype=float)
    unit = unit / np.linalg.norm(unit, axis=-1, keepdims=True)
    least = (1 - share) / 2
    return least * np.eye(3) + (share - least) * unit[..., :, np.newaxis] * unit[..., np.newaxis, :]


def mixed(shape, spacing=(1.0, 1.0, 1.0), seed=0, tensor=True):
    """White and grey matter by chance, fibres in all directions, and a wall across x with one hole."""
    rng = np.random.default_rng(seed)
    white = rng.random(shape).astype(np.float32)
    brain = np.ones(shape, dtype=bool)
    brain[shape[0] // 3] = False
    brain[shape[0] // 3, shape[1] // 2, shape[2] // 2] = True
    brain &= rng.random(shape) > 0.05
    fibres = packed(along(rng.normal(size=(*shape, 3)))) if tensor else None
    anisotropy = rng.random(shape).astype(np.float32) if tensor else None
    return Tissue(white, 1 - white, 0 * white, brain, spacing, anisotropy, fibres)
