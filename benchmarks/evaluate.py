"""How long the scores of one session take: python benchmarks/evaluate.py [RUNS].

A generated tumour on the grid of BraTS, 240 x 240 x 155 at 1 mm, with satellites, and what two segmentations
found of it: a good one, and one with false components all over the brain. Prints the median CPU seconds of
the runs in one thread, which other jobs on the machine change little.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from gliaflow.evaluate.detection import detect_lesions
from gliaflow.evaluate.lesionwise import lesion_preset, score_lesions
from gliaflow.evaluate.qu_brats import uncertainty_curves
from gliaflow.evaluate.qubiq import qubiq_dice
from gliaflow.evaluate.regions import score_regions
from gliaflow.evaluate.surface import surface
from gliaflow.labels import REGIONS, region_mask

SHAPE = (240, 240, 155)
SPACING = (1.0, 1.0, 1.0)
SATELLITES = ((60, 150, 60, 5), (150, 60, 110, 4), (160, 160, 40, 3))
SCATTERED = 300


def ball(centre: tuple[int, ...], radius: float, rough: np.ndarray) -> np.ndarray:
    grid = np.ogrid[tuple(slice(n) for n in SHAPE)]
    away = sum((axis - place) ** 2 for axis, place in zip(grid, centre, strict=True))
    return np.sqrt(away) + rough < radius


def tumour(seed: int) -> np.ndarray:
    """A label map; seeds differ in the rough edges."""
    rough = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32), 4)
    rough *= 3 / rough.std()
    labels = np.zeros(SHAPE, np.uint8)
    for value, radius in ((2, 36), (1, 24), (3, 20)):
        labels[ball((100, 110, 80), radius, rough)] = value
        for *centre, size in SATELLITES:
            labels[ball(tuple(centre), size * radius / 30, rough / 5)] = value
    return labels


def scattered(labels: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """The label map with small false components all over the brain."""
    random = np.random.default_rng(2)
    places = np.argwhere(brain)
    worse = labels.copy()
    for x, y, z in places[random.choice(len(places), SCATTERED)]:
        size = random.integers(1, 5)
        worse[x : x + size, y : y + size, z : z + size] = random.integers(1, 4)
    return worse


def jobs(truth: np.ndarray, found: np.ndarray, brain: np.ndarray) -> dict[str, Callable[[], object]]:
    masks = {region: (region_mask(truth, region), region_mask(found, region)) for region in REGIONS}
    doubt = (100 * np.exp(-distance_transform_edt(~surface(found > 0)) / 3)).astype(np.uint8)
    soft = [gaussian_filter((labels > 0).astype(np.float32), 1).clip(0, 1) for labels in (truth, found)]
    return {
        "overlap, distances, volumes": lambda: score_regions(truth, found, SPACING, brain),
        "lesion-wise, as for gliomas": lambda: [
            score_lesions(*pair, SPACING, lesion_preset("gli")) for pair in masks.values()
        ],
        "lesion-wise, as for metastases": lambda: [
            score_lesions(*pair, SPACING, lesion_preset("met")) for pair in masks.values()
        ],
        "detection by size": lambda: [detect_lesions(*pair, SPACING) for pair in masks.values()],
        "QU-BraTS": lambda: [uncertainty_curves(*pair, doubt, brain) for pair in masks.values()],
        "QUBIQ, one region": lambda: qubiq_dice(*soft),
    }


def median_seconds(job: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        job()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def main(runs: int) -> None:
    """Print a row for each kind of score."""
    brain = ball((120, 118, 78), 75, np.zeros(1))
    truth, good = tumour(0), tumour(1)
    columns = [jobs(truth, found, brain) for found in (good, scattered(good, brain))]
    print("| scores of three regions | good, CPU s | scattered, CPU s |")
    print("|---|---:|---:|")
    totals = np.zeros(len(columns))
    for name in columns[0]:
        seconds = [median_seconds(column[name], runs) for column in columns]
        totals += seconds
        print(f"| {name} | {seconds[0]:.2f} | {seconds[1]:.2f} |", flush=True)
    print(f"| all | {totals[0]:.2f} | {totals[1]:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="?", type=int, default=3)
    main(parser.parse_args().runs)
