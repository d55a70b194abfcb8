"""Generated tumours whose habitats are planted."""

from pathlib import Path

import numpy as np

from gliaflow.habitats.search import SearchSettings, Tumour
from gliaflow.images import Array, write_image

MAPS = ("t1c", "t2w", "t2f")
CENTRES = np.array([[-3.0, 2.0, 0.0], [0.0, -2.0, 2.0], [3.0, 1.0, -2.0]])
QUICK = SearchSettings(
    number=(2, 4),
    quantile=(0.9, 1.0),
    alpha=1.0,
    tau=0.05,
    trials=4,
    splits=2,
    steps=60,
    least_subjects=4,
    held_out=0.3,
    seed=7,
)


def planted(seed: int, shares: tuple[float, ...], voxels: int = 400) -> tuple[Array, Array]:
    """Vectors of a tumour and the habitat of each, from 0."""
    random = np.random.default_rng(seed)
    truth = random.choice(len(shares), voxels, p=shares)
    return (CENTRES[truth] + random.normal(0, 0.5, (voxels, 3))).astype(np.float32), truth


def cohort(subjects: int = 6, voxels: int = 400) -> tuple[list[Tumour], Array]:
    """Tumours with changing shares of three habitats, and the truth of all voxels."""
    parts = []
    for number in range(subjects):
        share = 0.2 + 0.4 * number / subjects
        parts.append(planted(number, (share, 0.3, 0.7 - share), voxels))
    tumours = [Tumour(f"one/sub-{n}", vectors) for n, (vectors, _) in enumerate(parts)]
    return tumours, np.concatenate([truth for _, truth in parts])


def write_ball(folder: Path, radius: int = 9, seed: int = 0) -> tuple[dict[str, Path], Path, Array]:
    """Images of a ball in two shells and a half, its label map, and the planted map (0 outside)."""
    shape = (24, 24, 24)
    x, y, z = np.indices(shape) - 12
    away = np.sqrt(x**2 + y**2 + z**2)
    inside = away <= radius
    truth = np.where(away < 0.7 * radius, np.where(x < 0, 1, 2), 3) * inside
    random = np.random.default_rng(seed)
    values = CENTRES[np.maximum(truth, 1) - 1] + random.normal(0, 0.5, (*shape, 3))
    maps = {name: folder / f"{name}.nii.gz" for name in MAPS}
    for column, path in enumerate(maps.values()):
        write_image(path, values[..., column], np.eye(4))
    write_image(folder / "labels.nii.gz", 2 * inside, np.eye(4), np.uint8)
    return maps, folder / "labels.nii.gz", truth
