"""From a session's tissue and label map to what a model foretells, and the record of it (fit.json)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.growth.eikonal import eikonal_time
from gliaflow.growth.ensemble import TimeInterval, choose_members, member_times, time_interval
from gliaflow.growth.experiment import BIDIRECTIONAL, FORWARD, settings_for
from gliaflow.growth.external import ExternalModel, run_external
from gliaflow.growth.fit_parameters import fit_parameters
from gliaflow.growth.fit_seed import AS_GOOD, SeedFit, fit_seed
from gliaflow.growth.judge import FollowedCourse, fit_and_prediction, prediction
from gliaflow.growth.names import EIKONAL, REACTION_DIFFUSION
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.ranking import as_ranking
from gliaflow.growth.solver import simulate
from gliaflow.growth.start import Seed
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array
from gliaflow.labels import region_mask
from gliaflow.sidecar import read_json

FITTED_TO = ("TC", "WT")
"""Core and whole tumour: the regions whose borders tell the width of the front."""
FIRST_GUESS = (0.1, 0.02)
"""Diffusivities, mm^2/day, with which the seed is sought: only their ratio matters to its eikonal front."""


@dataclass(frozen=True)
class FitSettings:
    """The keys of the config's section ``growth`` that a fit looks at."""

    model: str = REACTION_DIFFUSION
    rho: float = 0.01
    core_density: float = 0.6
    oedema_density: float = 0.25
    restarts: int = 10
    evaluations: int = 150
    ensemble: int = 8
    reach_mm: float = 60.0
    external: Sequence[Mapping[str, Any]] = ()

    @property
    def levels(self) -> dict[str, float]:
        """Density at the border of each region."""
        return {"TC": self.core_density, "WT": self.oedema_density}


@dataclass(frozen=True)
class Foretold:
    """What a model foretells.

    Attributes
    ----------
    times
        Time to invasion with its interval; of a density, minus the density.
    density
        Of tumour cells on the day of the scan, float32, shape (x, y, z); None where the model has none.
    record
        As fit.json keeps it.
    """

    times: TimeInterval
    density: Array | None
    record: dict[str, Any]


@dataclass(frozen=True)
class FittedGrowth:
    """What fit.json says of a fit; an external model has neither seed nor parameters."""

    model: str
    seed: Seed | None
    parameters: Parameters | None
    record: Mapping[str, Any]


def regions_of(labels: Array) -> dict[str, Array]:
    """Return the regions that a growth is fitted to, bool; those that the label map has.

    Raises
    ------
    ImageError
        It has none.
    """
    found = {name: region_mask(labels, name) for name in FITTED_TO}
    there = {name: mask for name, mask in found.items() if mask.any()}
    if not there:
        raise ImageError("growth: the label map has no tumour; look at the segmentation, or take the row out")
    return there


def seed_of(tissue: Tissue, labels: Array, parameters: Parameters, restarts: int, seed: int) -> SeedFit:
    """Fit the seed to the whole tumour, as S8 does."""
    regions = regions_of(labels)
    whole = {"WT": regions["WT"]} if "WT" in regions else regions
    return fit_seed(tissue, whole, parameters, seed=seed, restarts=restarts)


def foretell_by_reaction_diffusion(
    tissue: Tissue, labels: Array, settings: FitSettings, *, seed: int
) -> Foretold:
    """Fit seed and parameters, and grow all acceptable fits on from the scan.

    Parameters
    ----------
    tissue
        The healthy brain, shape (x, y, z).
    labels
        Label map of the tumour, integers, shape (x, y, z).
    settings
        See `FitSettings`.
    seed
        Of the searches' random numbers.

    Raises
    ------
    ImageError
        The label map has no tumour, or it does not touch white or grey matter.
    """
    begun = seed_of(tissue, labels, Parameters(*FIRST_GUESS, settings.rho), settings.restarts, seed)
    regions = regions_of(labels)
    fit = fit_parameters(
        tissue,
        regions,
        begun.position,
        seed=seed,
        rho=settings.rho,
        levels={name: settings.levels[name] for name in regions},
        evaluations=settings.evaluations,
    )
    members = choose_members(fit.acceptable, settings.ensemble)
    ahead = days_ahead(fit.best.parameters, settings.reach_mm)
    level = settings.oedema_density
    times = time_interval(member_times(tissue, members, ahead, threshold=level), tissue.domain)
    today = simulate(tissue, fit.best.seed, fit.best.parameters, days=fit.best.days, threshold=level)
    record = {
        "seed": begun.as_dict(),
        "fit": fit.as_dict(),
        "members": [asdict(member) for member in members],
        "ahead_days": ahead,
        "growth": today.log.as_dict(),
    }
    return Foretold(times, today.density, record)


def days_ahead(parameters: Parameters, reach_mm: float) -> float:
    """Return how many days a front needs for a way in white matter, at Fisher's speed 2 sqrt(kappa rho).

    >>> round(days_ahead(Parameters(0.04, 0.01, 0.01), 40.0))
    1000
    """
    return reach_mm / (2 * math.sqrt(parameters.kappa_white * parameters.rho))


def foretell_by_eikonal(tissue: Tissue, labels: Array, settings: FitSettings, *, seed: int) -> Foretold:
    """Fit the seed, and let a front run from it; the interval is that over restarts that ended as well."""
    parameters = Parameters(*FIRST_GUESS, settings.rho)
    begun = seed_of(tissue, labels, parameters, settings.restarts, seed)
    best = max(restart.dice for restart in begun.restarts)
    ends = [restart.end for restart in begun.restarts if restart.dice > best - AS_GOOD]
    ends = list(dict.fromkeys([begun.position, *ends]))[: settings.ensemble]
    inside = [Seed(end) for end in ends if _in_domain(tissue, Seed(end))]
    times = time_interval((eikonal_time(tissue, start, parameters) for start in inside), tissue.domain)
    record = {"seed": begun.as_dict(), "parameters": asdict(parameters), "members": len(inside)}
    return Foretold(times, None, record)


def foretell_by_command(
    model: ExternalModel, tissue: Tissue, labels: Array, affine: Array, *, folder: Path, log: Path
) -> Foretold:
    """Run a model from elsewhere; see `gliaflow.growth.external.run_external`."""
    found = run_external(model, tissue, labels, affine, folder=folder, log=log, name="subject")
    is_density = model.gives == "density"
    ranked = as_ranking(found).astype(np.float32) if is_density else found
    record = {"command": list(model.command), "gives": model.gives}
    return Foretold(TimeInterval(ranked, ranked, ranked), found if is_density else None, record)


MODELS: Mapping[str, Callable[..., Foretold]] = {
    REACTION_DIFFUSION: foretell_by_reaction_diffusion,
    EIKONAL: foretell_by_eikonal,
}
"""The project's own models by the config's name; each takes tissue, labels, settings and ``seed``."""


def foretell(
    tissue: Tissue, labels: Array, affine: Array, settings: FitSettings, *, seed: int, log: Path
) -> Foretold:
    """Let the chosen model foretell the growth of a tumour.

    Parameters
    ----------
    tissue, labels, affine
        On the growth grid; see the models.
    settings
        ``model`` is one of `MODELS`, or the name of one of ``external``.
    seed
        Of the searches' random numbers.
    log
        Gets what an external model prints.

    Raises
    ------
    ConfigError, ImageError
        As the models.
    """
    if settings.model in MODELS:
        found = MODELS[settings.model](tissue, labels, settings, seed=seed)
    else:
        entry = next(entry for entry in settings.external if entry["name"] == settings.model)
        model = ExternalModel(**{**entry, "command": tuple(entry["command"])})
        with TemporaryDirectory() as folder:
            found = foretell_by_command(model, tissue, labels, affine, folder=Path(folder), log=log)
    ranks = found.record.get("gives") == "density"
    meaning = (
        "minus the density; only the order counts" if ranks else "days from the seed's to a voxel's invasion"
    )
    return replace(found, record={"model": settings.model, "meaning": meaning, **found.record})


def tried_settings(
    course: FollowedCourse,
    tried: Mapping[str, Mapping[str, float]] | None,
    rho: float,
    *,
    restarts: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Fit a subject's seed for each setting of the parameters, and judge fit and prediction (S8).

    Parameters
    ----------
    course
        The subject.
    tried
        Diffusivities by name; None takes S8's settings, those of a tensor only where there is one.
    rho
        Proliferation of the settings that are given, 1/day.
    restarts, seed
        Of the fits of the seed.
    """
    if tried is None:
        settings = settings_for(tensor=course.tissue.tensor is not None)
    else:
        settings = {name: Parameters(rho=rho, **values) for name, values in tried.items()}
    rows: list[dict[str, Any]] = []
    for name, parameters in settings.items():
        found = seed_of(course.tissue, course.first, parameters, restarts, seed)
        dice = next(iter(found.dice.values()))
        rows += fit_and_prediction(course, name, found.seed, dice, parameters)
    return rows


def read_fit(path: str | Path) -> FittedGrowth:
    """Read fit.json."""
    record = read_json(path)
    fit = record.get("fit", {})
    parameters = fit.get("parameters") or record.get("parameters")
    position = fit["best"]["position"] if fit else record.get("seed", {}).get("position")
    return FittedGrowth(
        record["model"],
        Seed(tuple(position)) if position else None,
        Parameters(**parameters) if parameters else None,
        record,
    )


def notes_of(fitted: FittedGrowth) -> list[str]:
    """Say in a few lines what a fit found, and what it cannot know."""
    fit = fitted.record.get("fit")
    if not fit:
        return []
    residual = ", ".join(f"{name} {1 - value:.2f}" for name, value in fit["residual"].items())
    lines = [f"Dice of the fit: {residual}; {fit['acceptable']} acceptable fits were tried"]
    if fit["at_bounds"]:
        lines.append(f"At its bound: {', '.join(fit['at_bounds'])}")
    vague = [name for name, known in fit["identifiable"].items() if not known]
    return [*lines, f"One scan does not tell: {', '.join(vague)}"] if vague else lines


def judged_predictions(course: FollowedCourse, invasion: Array, fitted: FittedGrowth) -> dict[str, Array]:
    """Return the maps that a later session judges, by scheme; an external model has no forward one."""
    maps = {BIDIRECTIONAL: invasion}
    if fitted.seed and fitted.parameters:
        model = EIKONAL if fitted.model == EIKONAL else REACTION_DIFFUSION
        maps[FORWARD] = prediction(course, FORWARD, fitted.seed, fitted.parameters, model=model)
    return maps


def _in_domain(tissue: Tissue, seed: Seed) -> bool:
    try:
        seed.voxel(tissue.domain, tissue.spacing)
    except ImageError:
        return False
    return True
