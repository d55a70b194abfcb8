"""How long nested cross-validation takes, and whether its intervals hold: python benchmarks/predict.py.

Generated tables: 1,000 rows with 30 features for the time (the defaults of the config, without permutations),
and cohorts of 120 for how often the 95 % interval of a model holds 0.5 when there is nothing to find.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time

import numpy as np
import pandas as pd
from sksurv.util import Surv

from gliaflow.predict.metrics import HEADLINE
from gliaflow.predict.names import CLASSIFICATION, MODEL_KINDS
from gliaflow.predict.nested import cross_validate
from gliaflow.predict.score import score_table
from gliaflow.predict.table import Table
from gliaflow.predict.tasks import Settings, Task

NO_CHANCE = pd.DataFrame()


def generated(rows: int, features: int, kind: str, seed: int, effect: float) -> Table:
    """A table in which the first feature has an effect."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, features))
    hazard = effect * values[:, 0]
    death = 1 + np.ceil(random.exponential(500 * np.exp(-hazard)))
    last = np.ceil(random.uniform(200, 2000, rows))
    keys = pd.DataFrame({"cohort": "one", "subject": [f"P{k}" for k in range(rows)], "session": "1"})
    outcome = (
        (random.random(rows) < 1 / (1 + np.exp(-1.5 * hazard))).astype(int)
        if kind == CLASSIFICATION
        else Surv.from_arrays(death <= last, np.minimum(death, last))
    )
    names = [f"wt_{k}" for k in range(features)]
    return Table(pd.DataFrame(values, columns=names), keys, outcome, np.full(rows, "one"), {})


def task_of_model(model: str) -> Task:
    return Task("one", MODEL_KINDS[model], model, ("wt_*",))


def seconds(model: str, rows: int) -> tuple[float, float]:
    """CPU seconds of the nested cross-validation and of its scores."""
    task, settings = task_of_model(model), Settings()
    table = generated(rows, 30, task.kind, 0, 1.0)
    start = time.process_time()
    found = cross_validate(table, task, settings)
    middle = time.process_time()
    score_table(found, NO_CHANCE, task, settings)
    return middle - start, time.process_time() - middle


def coverage(model: str, cohorts: int) -> tuple[float, float]:
    """Mean estimate without an effect, and the share of cohorts whose interval holds 0.5."""
    task, settings = task_of_model(model), Settings(repeats=1, resamples=500)
    rows = []
    for seed in range(cohorts):
        table = generated(120, 10, task.kind, seed, 0.0)
        scores = score_table(cross_validate(table, task, settings), NO_CHANCE, task, settings)
        rows.append(next(row for row in scores if row["metric"] == HEADLINE[task.kind]))
    held = [row["low"] <= 0.5 <= row["high"] for row in rows]
    return float(np.mean([row["estimate"] for row in rows])), float(np.mean(held))


def main(rows: int, cohorts: int) -> None:
    """Print a row for each model."""
    print(f"| model | {rows} rows, CPU s | scores, CPU s | no effect: mean estimate | interval holds 0.5 |")
    print("|---|---:|---:|---:|---:|")
    for model in MODEL_KINDS:
        fitting, scoring = seconds(model, rows)
        mean, held = coverage(model, cohorts) if cohorts else (float("nan"), float("nan"))
        print(f"| {model} | {fitting:.0f} | {scoring:.1f} | {mean:.3f} | {100 * held:.0f} % |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--cohorts", type=int, default=40)
    given = parser.parse_args()
    main(given.rows, given.cohorts)
