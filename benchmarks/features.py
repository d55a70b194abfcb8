"""Time and memory of a session's features: python benchmarks/features.py.

A generated session: a large ragged tumour of three nested regions with scattered specks, 240x240x155 voxels
of 1 mm, in its own space and in the atlas, with four sequences of smooth noise. Each run is a process of its
own; medians of three.
"""

import resource
import subprocess
import sys
import time

import numpy as np
from scipy import ndimage

from gliaflow.features.location import AtlasMaps
from gliaflow.features.session import FeatureSettings, Segmented, session_features
from gliaflow.images import Array
from gliaflow.labels import REGIONS, SEQUENCES, encode

SHAPE, SPACING = (240, 240, 155), (1.0, 1.0, 1.0)
CENTRE = np.array([145.0, 130.0, 80.0])
RADII = (36.0, 28.0, 22.0)
RUNS = 3


def smooth_noise(seed: int, step: int) -> Array:
    coarse = np.random.default_rng(seed).normal(size=[n // step for n in SHAPE]).astype(np.float32)
    return np.asarray(
        ndimage.zoom(coarse, [n / c for n, c in zip(SHAPE, coarse.shape, strict=True)], order=1)
    )


def make_labels() -> Array:
    axes = np.indices(SHAPE, sparse=True, dtype=np.float32)
    depth = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(axes, CENTRE, strict=True)))
    ragged = depth + 4 * smooth_noise(1, 6)
    specks = (smooth_noise(2, 12) > 3) & (depth < 60)
    return encode({region: (ragged < radius) | specks for region, radius in zip(REGIONS, RADII, strict=True)})


def run() -> None:
    """Measure a session once; print wall-clock and CPU seconds, and the peak memory in MB."""
    labels = make_labels()
    images = {s: smooth_noise(10 + k, 3) for k, s in enumerate(SEQUENCES)}
    tissue = np.clip(smooth_noise(3, 10) * 0.3 + 0.5, 0, 1)
    atlas = AtlasMaps(
        np.diag([*SPACING, 1.0]),
        np.ones(SHAPE, dtype=bool),
        {"WM": tissue, "GM": 1 - tissue, "CSF": 0 * tissue},
        smooth_noise(4, 30) > 1.5,
    )
    start = np.array([time.perf_counter(), time.process_time()])
    row = session_features(Segmented(labels, SPACING, REGIONS), labels, images, atlas, FeatureSettings())
    wall, cpu = np.array([time.perf_counter(), time.process_time()]) - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(wall, cpu, memory, row["wt_volume_ml"], row["wt_lesions"])


def main() -> None:
    """Print the medians of some runs."""
    command = [sys.executable, __file__, "--run"]
    runs = [subprocess.run(command, check=True, capture_output=True).stdout.split() for _ in range(RUNS)]
    wall, cpu, memory, volume, lesions = np.median(np.array(runs, dtype=float), axis=0)
    print(f"whole tumour of {volume:.0f} ml in {lesions:.0f} lesions, {len(SEQUENCES)} sequences\n")
    print(f"| wall s | CPU s | peak MB |\n|---:|---:|---:|\n| {wall:.1f} | {cpu:.1f} | {memory:.0f} |")


if __name__ == "__main__":
    run() if sys.argv[1:2] == ["--run"] else main()
