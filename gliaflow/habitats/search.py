"""The search for outlier quantile and number of habitats, the model that it ends in, and its stability."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, silhouette_score

from gliaflow.errors import GliaflowError
from gliaflow.habitats.features import habitat_shares
from gliaflow.habitats.model import Encoder, HabitatModel, cluster, fit_space, nearest, sorted_centres
from gliaflow.habitats.objective import (
    groups_by_medoids,
    joint_loss,
    log_rank_p,
    significance_loss,
    stability_loss,
    two_medoids,
)
from gliaflow.images import Array

TRAINING_SHARE = 57 / 82
"""Share of subjects that each clustering is fitted to when stability is judged, as in S10."""
SILHOUETTE_VOXELS = 2000
LEAST_EVENTS = 5
TIE = 0.01
"""Losses that differ by less are the same: one voxel in a hundred."""
TRIAL_COLUMNS = {
    "trial": "Number of the trial, from 0",
    "quantile": "Share of voxels that are no outliers (gamma of S10)",
    "habitats": "Number of habitats (eta of S10)",
    "stability_loss": "L_s: mean share of voxels that two clusterings put differently, under the best "
    "renaming",
    "logrank_p": "p-value of the log-rank test between risk groups of the subjects searched with, on which "
    "the search selects: it flatters. Empty where habitats.alpha is 1",
    "significance_loss": "L_p = log(p / tau); empty where habitats.alpha is 1",
    "loss": "alpha L_s + (1 - alpha) L_p, which is minimised",
}
STABILITY_COLUMNS = {
    "measure": "split_loss: L_s with the auto-encoder fitted anew to each part; seed_ari: adjusted Rand "
    "index to a model from another seed; bootstrap_ari: to one of resampled subjects; silhouette and "
    "calinski_harabasz in the latent space; logrank_p_searched: of the subjects searched with, which "
    "flatters; "
    "logrank_p_held_out: of subjects that the search never saw",
    "repeat": "Number of the repeat, from 0",
    "value": "Value of the measure",
}


@dataclass(frozen=True)
class SearchSettings:
    """The keys of the config's section ``habitats`` that the model depends on, and the seed."""

    number: tuple[int, int]
    quantile: tuple[float, float]
    alpha: float
    tau: float
    trials: int
    splits: int
    steps: int
    least_subjects: int
    held_out: float
    seed: int


@dataclass(frozen=True)
class Tumour:
    """Voxels of one subject's tumour, shape (voxels, maps), and its outcome: event and days, or None."""

    name: str
    vectors: Array
    outcome: tuple[bool, float] | None = None


@dataclass(frozen=True)
class Found:
    """A model, the trials that led to it, and how stable it is: rows of the two tables."""

    model: HabitatModel
    trials: list[dict[str, Any]]
    stability: list[dict[str, Any]]


def find_habitats(
    tumours: Sequence[Tumour],
    settings: SearchSettings,
    *,
    maps: Sequence[str],
    region: str,
    patch_voxels: int,
    least_voxels: int,
) -> Found:
    """Search quantile and number of habitats for the lowest joint objective, and fit a model.

    Each number is tried once, then some points at random up to a third of the trials, the rest by optuna's
    Gaussian process with expected improvement (BrainLes 2021, S10). Within a trial the auto-encoder is fitted
    once, and the clusterings of `splits` random parts of the subjects are compared. With ``alpha`` below 1 a
    part of the subjects is held out of everything, and the p-value of their risk groups is the only one that
    counts.

    Parameters
    ----------
    tumours
        One for each subject.
    settings
        See `SearchSettings`.
    maps, region, patch_voxels, least_voxels
        What the vectors are, for the model; smaller tumours are left out.

    Raises
    ------
    GliaflowError
        Too few subjects have a tumour that is large enough; or with ``alpha`` below 1 too few have an event.
    """
    used = large_enough(tumours, least_voxels, settings.least_subjects)
    searched, held_out = part_off(used, settings)
    _check_events(searched, held_out, settings.alpha)
    trials = _search(searched, settings)
    best = chosen_trial(trials)
    vectors, _ = pooled(searched)
    space = fit_space(vectors, best["quantile"], settings.steps, settings.seed)
    latent = space.latent(vectors)
    centres = cluster(latent[space.kept], best["habitats"], settings.seed)
    model = HabitatModel(
        maps=tuple(maps),
        region=region,
        patch_voxels=patch_voxels,
        least_voxels=least_voxels,
        mean=space.mean,
        deviation=space.deviation,
        network=space.network,
        centres=sorted_centres(vectors, latent, centres),
    )
    stability = _stability(model, searched, best["quantile"], settings)
    if settings.alpha < 1:
        stability += _risk(model, searched, held_out)
    return Found(model, trials, stability)


def chosen_trial(trials: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the trial whose model is kept: of those within `TIE` of the lowest loss, the most habitats.

    Fewer habitats are nearly always as stable as more, so that stability alone would end at the fewest.

    >>> trials = [{"loss": 0.0, "habitats": 2}, {"loss": 0.004, "habitats": 3}, {"loss": 0.2, "habitats": 4}]
    >>> chosen_trial(trials)["habitats"]
    3
    """
    lowest = min(row["loss"] for row in trials)
    near = [row for row in trials if row["loss"] <= lowest + TIE]
    return min(near, key=lambda row: (-row["habitats"], row["loss"]))


def large_enough(tumours: Sequence[Tumour], least_voxels: int, least_subjects: int) -> list[Tumour]:
    """Return the tumours that are large enough, and log the others.

    Raises
    ------
    GliaflowError
        There are too few.
    """
    small = [t for t in tumours if len(t.vectors) < least_voxels]
    for tumour in small:
        logging.info("%s: %s voxels, %s are needed; left out", tumour.name, len(tumour.vectors), least_voxels)
    used = [t for t in tumours if len(t.vectors) >= least_voxels]
    if len(used) < least_subjects:
        sizes = ", ".join(f"{t.name} has {len(t.vectors)}" for t in small[:5])
        raise GliaflowError(
            f"habitats: {len(used)} of {len(tumours)} subjects have a tumour of {least_voxels} voxels and "
            f"more, but habitats.least_subjects is {least_subjects}{f' ({sizes})' if sizes else ''}; "
            "add subjects, or lower one of the two"
        )
    return used


def part_off(tumours: Sequence[Tumour], settings: SearchSettings) -> tuple[list[Tumour], list[Tumour]]:
    """Return the subjects to search with and those held out: none where no outcome is looked at."""
    if settings.alpha == 1:
        return list(tumours), []
    order = np.random.default_rng(settings.seed).permutation(len(tumours))
    number = max(1, round(settings.held_out * len(tumours)))
    away = set(order[:number].tolist())
    return [t for i, t in enumerate(tumours) if i not in away], [tumours[i] for i in sorted(away)]


def _check_events(searched: Sequence[Tumour], held_out: Sequence[Tumour], alpha: float) -> None:
    if alpha == 1:
        return
    for name, part in (("searched with", searched), ("held out", held_out)):
        known = [t.outcome for t in part if t.outcome]
        events = sum(event for event, _ in known)
        if events < LEAST_EVENTS:
            raise GliaflowError(
                f"habitats.alpha is {alpha:g}, but of {len(part)} subjects {name} {len(known)} have a "
                f"survival time and {events} the event; {LEAST_EVENTS} events are needed: "
                "set habitats.alpha to 1"
            )


def _search(searched: Sequence[Tumour], settings: SearchSettings) -> list[dict[str, Any]]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows: list[dict[str, Any]] = []

    def objective(trial: optuna.Trial) -> float:
        quantile = trial.suggest_float("quantile", *settings.quantile)
        number = trial.suggest_int("habitats", *settings.number)
        rows.append({"trial": trial.number, **judge(searched, quantile, number, settings)})
        return float(rows[-1]["loss"])

    numbers = range(settings.number[0], settings.number[1] + 1)
    startup = max(len(numbers), settings.trials // 3)
    sampler = optuna.samplers.GPSampler(seed=settings.seed, n_startup_trials=startup)
    study = optuna.create_study(direction="minimize", sampler=sampler)
    for number in numbers:
        study.enqueue_trial({"quantile": sum(settings.quantile) / 2, "habitats": number})
    study.optimize(objective, n_trials=settings.trials)
    return rows


def judge(
    searched: Sequence[Tumour], quantile: float, number: int, settings: SearchSettings
) -> dict[str, Any]:
    """Return what one choice of quantile and number of habitats is worth, by column of `TRIAL_COLUMNS`."""
    vectors, owners = pooled(searched)
    space = fit_space(vectors, quantile, settings.steps, settings.seed)
    latent = space.latent(vectors[space.kept])
    losses = [
        _split_loss(latent[first], latent[second], number, settings.seed)
        for first, second in _splits(owners[space.kept], settings)
    ]
    stability = float(np.mean(losses))
    row = {"quantile": quantile, "habitats": number, "stability_loss": stability}
    if settings.alpha == 1:
        return {**row, "logrank_p": None, "significance_loss": None, "loss": stability}
    centres = cluster(latent, number, settings.seed)
    rows = _shares(space, centres, searched)
    p = _risk_p(searched, groups_by_medoids(rows, rows[list(two_medoids(rows))]))
    significance = significance_loss(p, settings.tau)
    loss = joint_loss(stability, significance, settings.alpha)
    return {**row, "logrank_p": p, "significance_loss": significance, "loss": loss}


def pooled(tumours: Sequence[Tumour]) -> tuple[Array, Array]:
    """Return the voxels of all tumours, shape (voxels, maps), and which tumour each is of, from 0."""
    vectors = np.concatenate([tumour.vectors for tumour in tumours])
    return vectors, np.repeat(np.arange(len(tumours)), [len(tumour.vectors) for tumour in tumours])


def _splits(owners: Array, settings: SearchSettings) -> list[tuple[Array, Array]]:
    """Part the voxels by subjects, so many times: masks of the larger and of the smaller part."""
    random = np.random.default_rng(settings.seed)
    subjects = np.unique(owners)
    number = min(len(subjects) - 1, max(1, round(TRAINING_SHARE * len(subjects))))
    found = []
    for _ in range(settings.splits):
        first = np.isin(owners, random.permutation(subjects)[:number])
        found.append((first, ~first))
    return found


def _split_loss(first: Array, second: Array, number: int, seed: int) -> float:
    centres = [cluster(part, number, seed) for part in (first, second)]
    return stability_loss(nearest(second, centres[0]), nearest(second, centres[1]))


def _shares(space: Encoder, centres: Array, tumours: Sequence[Tumour]) -> Array:
    number = len(centres)
    return np.array([habitat_shares(nearest(space.latent(t.vectors), centres) + 1, number) for t in tumours])


def _risk_p(tumours: Sequence[Tumour], groups: Array) -> float:
    known = [i for i, t in enumerate(tumours) if t.outcome]
    outcome = np.array([tumours[i].outcome for i in known], dtype=[("event", bool), ("time", float)])
    return log_rank_p(outcome, groups[known])


def _risk(
    model: HabitatModel, searched: Sequence[Tumour], held_out: Sequence[Tumour]
) -> list[dict[str, Any]]:
    """Form risk groups with the subjects searched with, and test them there and on those held out."""
    rows = _shares(model, model.centres, searched)
    medoids = rows[list(two_medoids(rows))]
    parts: Mapping[str, Sequence[Tumour]] = {"searched": searched, "held_out": held_out}
    return [
        {
            "measure": f"logrank_p_{name}",
            "repeat": 0,
            "value": _risk_p(part, groups_by_medoids(_shares(model, model.centres, part), medoids)),
        }
        for name, part in parts.items()
    ]


def _stability(
    model: HabitatModel, searched: Sequence[Tumour], quantile: float, settings: SearchSettings
) -> list[dict[str, Any]]:
    """Measure how far the habitats are the same when everything is fitted anew."""
    number, random = len(model.centres), np.random.default_rng(settings.seed)
    vectors, owners = pooled(searched)
    latent = model.latent(vectors)
    own = nearest(latent, model.centres)

    def fitted_anew(chosen: Array, seed: int, onto: Array) -> Array:
        space = fit_space(chosen, quantile, settings.steps, seed)
        return nearest(space.latent(onto), cluster(space.latent(chosen[space.kept]), number, seed))

    values: dict[str, list[float]] = {"split_loss": [], "seed_ari": [], "bootstrap_ari": []}
    for repeat, (first, second) in enumerate(_splits(owners, settings)):
        seed = settings.seed + 1 + repeat
        parts = [fitted_anew(vectors[part], seed, vectors[second]) for part in (first, second)]
        values["split_loss"].append(stability_loss(*parts))
        values["seed_ari"].append(float(adjusted_rand_score(own, fitted_anew(vectors, seed, vectors))))
        drawn = np.concatenate(
            [searched[i].vectors for i in random.integers(len(searched), size=len(searched))]
        )
        values["bootstrap_ari"].append(float(adjusted_rand_score(own, fitted_anew(drawn, seed, vectors))))
    if len(set(own.tolist())) > 1:
        few = min(SILHOUETTE_VOXELS, len(own))
        found = silhouette_score(latent, own, sample_size=few, random_state=settings.seed)
        values["silhouette"] = [float(found)]
        values["calinski_harabasz"] = [float(calinski_harabasz_score(latent, own))]
    return [
        {"measure": name, "repeat": repeat, "value": value}
        for name, found in values.items()
        for repeat, value in enumerate(found)
    ]
