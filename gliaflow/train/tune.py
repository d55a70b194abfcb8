"""Tuning of region thresholds and of the enhancing-tumour rule on out-of-fold predictions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.images import Array
from gliaflow.train.counts import (
    VALUES,
    CaseCounts,
    Tables,
    Values,
    case_dice,
    core_volume,
    default_values,
    score,
    step_of,
    tabulate,
    tabulate_folds,
    volume_of,
)

if TYPE_CHECKING:
    import optuna

LOWEST, HIGHEST = 0.05, 0.95
LIMITS: Mapping[str, Sequence[str]] = {"none": (), "next_class": ("limit_ml", "core_ml")}


@dataclass(frozen=True)
class Tuned:
    """What tuning found, and what it is worth.

    Attributes
    ----------
    threshold
        Per region, three decimals.
    enhancing
        ``rule``, ``limit_ml`` and ``core_ml``; a limit of 0 ml empties nothing.
    before, after
        Mean Dice per region over all cases, four decimals: with thresholds of 0.5 and no rule, and with these
        values.
    honest
        Mean Dice per region when each fold is scored with what the other folds alone give: what to expect on
        new cases. Empty where there is one fold only.
    per_fold
        ``fold``, ``cases``, ``threshold``, ``limit_ml``, ``core_ml``, and the mean Dice over its cases and
        regions ``before`` and ``after``, for each fold.
    kept
        False where the tuned values were no better over all cases, and the values here are the default ones.
    """

    threshold: dict[str, float]
    enhancing: dict[str, float | str]
    before: dict[str, float]
    after: dict[str, float]
    honest: dict[str, float]
    per_fold: list[dict[str, Any]]
    kept: bool


def _silent(_: str) -> None:
    return


def tune(
    cases: Sequence[CaseCounts],
    regions: Sequence[str],
    *,
    rule: str,
    trials: int,
    seed: int,
    progress: Callable[[str], None] = _silent,
) -> Tuned:
    """Tune thresholds, and the limits of the enhancing-tumour rule, for the highest mean Dice.

    Each fold is searched by TPE, each value found moved to the middle of the interval in which the fold's
    score stays the same, and the median over the folds taken (BrainLes 2021, S32). A region is scored by
    itself; that the label map nests the regions, and what label an emptied voxel gets, are not looked at.

    Parameters
    ----------
    cases
        Counts of predictions by networks that did not see the case.
    regions
        What to tune, such as ``["WT", "TC", "ET"]``.
    rule
        Of ``gliaflow.fuse.enhancing``. ``none``: thresholds only. ``next_class``: also the enhancing and the
        core volume. ``empty``, ``necrosis``: also the enhancing volume.
    trials
        For each fold; at 0 nothing is searched, and the default values are scored.
    seed
        The search of fold k is seeded with ``seed + k``.
    progress
        Called with a line when a fold is done.

    Raises
    ------
    ConfigError
        There is no case or no region.
    """
    if not cases or not regions:
        raise ConfigError("there is no out-of-fold prediction to tune on; train and predict the folds first")
    rule = rule if "ET" in regions else "none"
    folds = tabulate_folds(cases, regions)
    default = default_values(regions)
    found = {}
    for fold, tables in folds.items():
        found[fold] = settle(tables, search(tables, rule, trials, seed + fold)) if trials else default
        progress(_line(fold, tables, found[fold]))
    everything = tabulate(cases, regions)
    values, kept = choose(everything, list(found.values()))
    return Tuned(
        threshold=dict(values.threshold),
        enhancing={"rule": rule, "limit_ml": values.limit_ml, "core_ml": values.core_ml},
        before=_means(regions, case_dice(everything, default)),
        after=_means(regions, case_dice(everything, values)),
        honest=_honest(cases, folds, found),
        per_fold=[_record(fold, tables, found[fold]) for fold, tables in folds.items()],
        kept=kept,
    )


def search(tables: Tables, rule: str, trials: int, seed: int) -> Values:
    """Search the best values of a fold by TPE; the default ones are tried first, so none found is worse.

    Volumes are searched from half a voxel to the largest that is predicted; less than a voxel stands for no
    limit. A quarter of the trials is drawn at random, as limits that only help together are soon passed over.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges = _volume_ranges(tables, rule)

    def objective(trial: "optuna.Trial") -> float:
        for region in tables.regions:
            trial.suggest_float(region, LOWEST, HIGHEST)
        for key, (least, most) in ranges.items():
            trial.suggest_float(key, least, most, log=True)
        return score(tables, _values(tables, trial.params))

    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(10, trials // 4))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    volumes = {key: least for key, (least, _) in ranges.items()}
    study.enqueue_trial({**default_values(tables.regions).threshold, **volumes})
    study.optimize(objective, n_trials=trials)
    return _values(tables, study.best_params)


def settle(tables: Tables, values: Values) -> Values:
    """Move each value in turn to the middle of its plateau, again as long as the score rises by it.

    A limit that gains nothing becomes 0.
    """
    settled = _settle_once(tables, values)
    while score(tables, settled) > score(tables, values):
        values, settled = settled, _settle_once(tables, settled)
    return settled


def choose(tables: Tables, found: Sequence[Values]) -> tuple[Values, bool]:
    """Return the median of what was found on the folds, or the default where that is no better.

    The second entry tells whether it is the median.
    """
    median = Values(
        {r: round(float(np.median([v.threshold[r] for v in found])), 3) for r in tables.regions},
        round(float(np.median([v.limit_ml for v in found])), 6),
        round(float(np.median([v.core_ml for v in found])), 6),
    )
    default = default_values(tables.regions)
    kept = score(tables, median) > score(tables, default)
    return (median if kept else default), kept


def plateau(scores: Array, found: int) -> tuple[int, int]:
    """Return the first and the last place of the plateau that is reached from a place without going down.

    Reached is the best place of the run around it whose scores are not below its own.

    >>> plateau(np.array([5, 1, 3, 2, 4, 4, 1]), 3)
    (4, 5)
    """
    first, last = _run(scores, found)
    return _run(scores, first + int(np.argmax(scores[first : last + 1])))


def _run(scores: Array, found: int) -> tuple[int, int]:
    """Return the first and the last place of the run around one whose scores are not below its score."""
    below = np.flatnonzero(scores < scores[found])
    position = int(np.searchsorted(below, found))
    first = below[position - 1] + 1 if position > 0 else 0
    last = below[position] - 1 if position < below.size else len(scores) - 1
    return int(first), int(last)


def _volume_ranges(tables: Tables, rule: str) -> dict[str, tuple[float, float]]:
    widest = Values(dict.fromkeys(tables.regions, LOWEST))
    largest = {
        "limit_ml": volume_of(tables, "ET", widest).max() if "ET" in tables.regions else 0.0,
        "core_ml": volume_of(tables, "TC", widest).max() if "TC" in tables.regions else 0.0,
    }
    keys = [key for key in LIMITS.get(rule, ("limit_ml",)) if largest[key] > 0]
    return {key: (tables.voxel_ml / 2, float(largest[key])) for key in keys}


def _values(tables: Tables, found: Mapping[str, float]) -> Values:
    limit, core = (found.get(key, 0.0) for key in ("limit_ml", "core_ml"))
    return Values(
        {region: found[region] for region in tables.regions},
        limit if limit >= tables.voxel_ml else 0.0,
        core if core >= tables.voxel_ml else 0.0,
    )


def _settle_once(tables: Tables, values: Values) -> Values:
    for region in tables.regions:
        values = _settle_threshold(tables, values, region)
    if values.limit_ml > 0:
        volumes = volume_of(tables, "ET", values)
        values = _settle_volume(tables, volumes, values.limit_ml, partial(_with_limit, values))
    if values.core_ml > 0:
        volumes = core_volume(tables, values)
        values = _settle_volume(tables, volumes, values.core_ml, partial(_with_core, values))
    return values


def _settle_threshold(tables: Tables, values: Values, region: str) -> Values:
    def at(threshold: float) -> Values:
        return replace(values, threshold={**values.threshold, region: threshold})

    lowest = step_of(LOWEST)
    scores = [score(tables, at(step / VALUES)) for step in range(lowest, step_of(HIGHEST) + 1)]
    first, last = plateau(np.array(scores), step_of(values.threshold[region]) - lowest)
    return at(round((2 * lowest + first + last) / (2 * VALUES), 3))


def _with_limit(values: Values, volume: float) -> Values:
    return replace(values, limit_ml=round(volume, 6))


def _with_core(values: Values, volume: float) -> Values:
    return replace(values, core_ml=round(volume, 6))


def _settle_volume(tables: Tables, volumes: Array, found: float, at: Callable[[float], Values]) -> Values:
    """Settle a limit, in log scale, between the predicted volumes, where alone the score can change.

    Nothing is known above the largest volume: its interval ends one voxel above it.
    """
    known = np.unique(volumes[volumes > 0])
    edges = np.array([tables.voxel_ml / 2, *known, volumes.max() + tables.voxel_ml])
    scores = [score(tables, at(float(middle))) for middle in np.sqrt(edges[:-1] * edges[1:])]
    first, last = plateau(np.array(scores), int(np.searchsorted(known, found, side="right")))
    settled = at(float(np.sqrt(edges[first] * edges[last + 1])))
    return settled if score(tables, settled) > score(tables, at(0.0)) else at(0.0)


def _honest(
    cases: Sequence[CaseCounts], folds: Mapping[int, Tables], found: Mapping[int, Values]
) -> dict[str, float]:
    """Score each fold with what the others alone give, choice between median and default included."""
    if len(folds) < 2:
        return {}
    scores = []
    for fold, tables in folds.items():
        others = tabulate([case for case in cases if case.fold != fold], tables.regions)
        values, _ = choose(others, [found[other] for other in found if other != fold])
        scores.append(case_dice(tables, values))
    return _means(tables.regions, np.concatenate(scores))


def _means(regions: Sequence[str], scores: Array) -> dict[str, float]:
    return {region: round(float(mean), 4) for region, mean in zip(regions, scores.mean(axis=0), strict=True)}


def _record(fold: int, tables: Tables, values: Values) -> dict[str, Any]:
    return {
        "fold": fold,
        "cases": len(tables.dice[tables.regions[0]]),
        "threshold": dict(values.threshold),
        "limit_ml": values.limit_ml,
        "core_ml": values.core_ml,
        "before": round(score(tables, default_values(tables.regions)), 4),
        "after": round(score(tables, values), 4),
    }


def _line(fold: int, tables: Tables, values: Values) -> str:
    record = _record(fold, tables, values)
    thresholds = ", ".join(f"{region} {value}" for region, value in values.threshold.items())
    limits = f"limit {values.limit_ml} ml, core {values.core_ml} ml"
    return f"fold {fold}: mean Dice {record['before']} to {record['after']}; {thresholds}; {limits}"
