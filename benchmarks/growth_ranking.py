"""Time to judge a growth prediction of a whole brain: python benchmarks/growth_ranking.py.

A generated brain of 1.5 million voxels at 1 mm, with a time to invasion that is never the same twice, one in
whole days, and one that never reaches a third of the brain; a tumour and the plans round it. CPU seconds of
one thread, the least of three runs; scikit-learn's average precision of the same map is beside ours.
"""

import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score

from gliaflow.growth.margins import model_plan, standard_plan
from gliaflow.growth.ranking import average_precision, local_agreement, score_ranking
from gliaflow.images import Array

SHAPE, SPACING = (240, 240, 155), (1.0, 1.0, 1.0)
CENTRE, SEED = (120.0, 120.0, 75.0), (145.0, 130.0, 80.0)
BRAIN_RADII = (68.0, 86.0, 61.0)
CORE_MM, TUMOUR_MM = 12.0, 25.0
RUNS = 3


def distance_from(place: tuple[float, ...], radii: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Array:
    grid = np.indices(SHAPE, dtype=np.float32, sparse=True)
    return np.asarray(np.sqrt(sum(((g - c) / r) ** 2 for g, c, r in zip(grid, place, radii, strict=True))))


def cpu_seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(once() for _ in range(RUNS))


def main() -> None:
    """Print a table of CPU seconds."""
    brain, from_seed = distance_from(CENTRE, BRAIN_RADII) < 1, distance_from(SEED)
    noise = np.random.default_rng(0).normal(0, 2, SHAPE).astype(np.float32)
    tumour, core = brain & (from_seed + noise < TUMOUR_MM), brain & (from_seed < CORE_MM)
    days = 10 * np.maximum(from_seed + noise, 0)
    never = np.where(days < np.quantile(days[brain], 2 / 3), days, np.float32(np.inf))
    maps = {"all different": days, "whole days": np.rint(days), "a third never": never}
    print(f"{int(brain.sum())} voxels of brain, {int(tumour.sum())} of tumour\n")
    print("| time to invasion | ours, CPU s | scikit-learn, CPU s |\n|---|---:|---:|")
    for name, times in maps.items():
        scores = -np.minimum(times, 1e6)
        ours = cpu_seconds(lambda times=times: average_precision(times, tumour, brain))
        theirs = cpu_seconds(lambda scores=scores: average_precision_score(tumour[brain], scores[brain]))
        print(f"| {name} | {ours:.2f} | {theirs:.2f} |")
    plan = standard_plan(core, brain, SPACING)
    steps: dict[str, Callable[[], object]] = {
        "scores for the table": lambda: score_ranking(days, tumour, brain),
        "local agreement map": lambda: local_agreement(days, tumour, brain),
        "standard plan, straight": lambda: standard_plan(core, brain, SPACING),
        "standard plan, round barriers": lambda: standard_plan(core, brain, SPACING, around_barriers=True),
        "model's plan": lambda: model_plan(days, int(plan.sum()), brain, core, SPACING),
        "model's plan, whole days": lambda: model_plan(np.rint(days), int(plan.sum()), brain, core, SPACING),
    }
    print("\n| step | CPU s |\n|---|---:|")
    for name, work in steps.items():
        print(f"| {name} | {cpu_seconds(work):.2f} |")


if __name__ == "__main__":
    main()
