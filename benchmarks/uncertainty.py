"""Time and memory of a session's uncertainty: python benchmarks/uncertainty.py [MEMBERS].

The members are generated: 240x240x155 voxels, three nested regions, in each member of another size and place,
with probabilities above 0 in a rim round them and in scattered specks. Each run is a process of its own that
reads the members from .nii.gz one by one; reading is told apart. Medians of three runs.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.special import expit

from gliaflow.images import Array, data_of, read_image, write_image
from gliaflow.labels import REGIONS, encode
from gliaflow.segment.segmenters import quantise
from gliaflow.uncertainty.maps import aggregate, uncertainty_map
from gliaflow.uncertainty.numbers import region_numbers

SHAPE, SPACING = (240, 240, 155), (1.0, 1.0, 1.0)
CENTRE, OFFSET = np.array([120.0, 120.0, 75.0]), np.array([25.0, 10.0, 5.0])
BRAIN_RADII = np.array([68.0, 85.0, 60.0])
RADII = (26.0, 18.0, 13.0)
RUNS = 3
MEMBERS = 40
STEPS = ("reading", "maps", "0..100 map", "numbers")


def brain_mask() -> Array:
    grid = np.indices(SHAPE, sparse=True)
    return np.asarray(sum(((g - c) / r) ** 2 for g, c, r in zip(grid, CENTRE, BRAIN_RADII, strict=True)) < 1)


def smooth_noise(seed: int, step: int) -> Array:
    coarse = np.random.default_rng(seed).normal(size=[n // step for n in SHAPE]).astype(np.float32)
    return np.asarray(
        ndimage.zoom(coarse, [n / c for n, c in zip(SHAPE, coarse.shape, strict=True)], order=1)
    )


def make_members(count: int, brain: Array) -> Iterator[Array]:
    rng = np.random.default_rng(0)
    rough, specks = 3 * smooth_noise(1, 10), smooth_noise(2, 15)
    axes = np.indices(SHAPE, sparse=True, dtype=np.float32)
    for _ in range(count):
        centre = (CENTRE + OFFSET + rng.normal(0, 1, 3)).astype(np.float32)
        distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)))
        depth = distance + np.roll(rough, rng.integers(0, 100, 3), (0, 1, 2)) + np.float32(rng.normal(0, 0.7))
        far = 8 * (np.roll(specks, rng.integers(0, 3, 3), (0, 1, 2)) - 2.4)
        regions = [expit(np.maximum((radius - depth) / 1.5, far)) for radius in RADII]
        yield quantise(np.stack(regions, axis=-1) * brain[..., np.newaxis])


class Clock:
    """Adds up the CPU and the wall-clock seconds of named steps."""

    def __init__(self) -> None:
        self.seconds = {step: np.zeros(2) for step in STEPS}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = np.array([time.process_time(), time.perf_counter()])
        yield
        self.seconds[name] += (time.process_time(), time.perf_counter()) - start


def read(paths: list[Path], clock: Clock) -> Iterator[Array]:
    for path in paths:
        with clock.step("reading"):
            member = data_of(read_image(path), np.uint8)
        yield member


def run(folder: Path) -> None:
    """Measure a session once; print CPU and wall-clock seconds of each step, and the peak memory in MB."""
    clock, brain, labels = Clock(), brain_mask(), np.load(folder / "labels.npy")
    with clock.step("maps"):
        ensemble = aggregate(read(sorted(folder.glob("*.nii.gz")), clock), brain)
    clock.seconds["maps"] -= clock.seconds["reading"]
    with clock.step("0..100 map"):
        uncertainty_map(ensemble)
    with clock.step("numbers"):
        region_numbers(ensemble, labels, REGIONS, SPACING)
    print(*np.ravel(list(clock.seconds.values())), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Print the median of each step over some runs."""
    count, brain = int(sys.argv[1]) if len(sys.argv) > 1 else MEMBERS, brain_mask()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, member in enumerate(make_members(count, brain)):
            write_image(folder / f"{number:03}.nii.gz", member, np.eye(4), np.uint8)
        shares = (member[brain] > 0).mean(axis=0)
        labels = encode({region: member[..., k] >= 128 for k, region in enumerate(REGIONS)})
        np.save(folder / "labels.npy", labels)
        command = [sys.executable, __file__, "--run", name]
        runs = np.array(
            [subprocess.run(command, check=True, capture_output=True).stdout.split() for _ in range(RUNS)],
            dtype=float,
        )
    said = ", ".join(f"{region} {share:.1%}" for region, share in zip(REGIONS, shares, strict=True))
    print(f"{count} members, {int(brain.sum())} voxels of brain, above 0 in it: {said}\n")
    seconds = runs[:, :-1].reshape(RUNS, len(STEPS), 2)
    rows = [
        *zip(STEPS, np.median(seconds, axis=0), strict=True),
        ("all", np.median(seconds.sum(axis=1), axis=0)),
    ]
    print("| step | CPU s | wall s |\n|---|---:|---:|")
    for step, (cpu, wall) in rows:
        print(f"| {step} | {cpu:.1f} | {wall:.1f} |")
    print(f"\npeak memory {runs[:, -1].max():.0f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(Path(sys.argv[2]))
    else:
        main()
