import logging
import os
from functools import cache
from pathlib import Path

from snakebids import bids, set_bids_spec
from snakemake.exceptions import WorkflowError

from gliaflow.config.external import check_external_files, check_fusion, external_maps
from gliaflow.config.models import (
    SHIPPED_TABLE,
    brain_model,
    choose_models,
    read_models,
    with_brains_of,
)
from gliaflow.config.participants import read_participants
from gliaflow.config.reviews import read_reviews
from gliaflow.config.samples import read_samples
from gliaflow.config.settings import REGIONS, complete_config
from gliaflow.config.suitable import (
    candidate_models,
    check_brain_model,
    check_label_cohorts,
    check_models,
    misfits,
    unsegmented,
)
from gliaflow.errors import ConfigError
from gliaflow.preprocess.hdbet_weights import check_weights
from gliaflow.segment.names import FAILED
from gliaflow.train.cohort import training_sessions
from gliaflow.train.recipe import optional_sequences, recipe_keys
from gliaflow.train.splits import make_folds
from gliaflow.uncertainty.names import LARGEST

set_bids_spec("v0_11_0")

HOME = Path(workflow.basedir).resolve()
DEMO = HOME / "demo"
CHANNELS = ["t1n", "t1c", "t2w", "t2f"]
SESSION = dict(subject="{subject}", session="{session}")

# One thread for each job and the package on the path: the same wherever a job runs.
os.environ.update(
    PYTHONPATH=os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")])),
    ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS="1",
    OMP_NUM_THREADS="1",
    NO_ET="1",
)

# Where the user typed the command: Snakemake has gone to --directory by now, and so start its jobs.
START = Path(os.environ.setdefault("GLIAFLOW_START", os.environ.get("PWD", os.curdir)))


wildcard_constraints:
    cohort="[A-Za-z0-9]+",
    subject="[A-Za-z0-9]+",
    session="[A-Za-z0-9]+",
    sequence="|".join(CHANNELS),
    atlas="[A-Za-z0-9]+",
    model="[A-Za-z0-9]+",
    external="[A-Za-z0-9]+",
    batch="[0-9]+",
    fold="[0-9]+",
    loss="[a-z_]+",
    task="[A-Za-z0-9]+",


def find_path(path):
    """Where a path of the config lies: in the working directory, where the user stood, or here."""
    places = [Path(path), START / path, HOME / path]
    return next((place.resolve() for place in places if place.exists()), places[0].resolve())


def made_here(path):
    """Whether a scan that the sheet names is made by the rule `simulate`."""
    return DEMO in Path(path).parents


def check_files(settings):
    """Stop where a file that the config names is not there."""
    named = {
        "atlas.path": settings["atlas"]["path"],
        "preprocess.normalisation.reference": settings["preprocess"]["normalisation"]["reference"],
        "features.ventricles": settings["features"]["ventricles"],
        "habitats.model": settings["habitats"]["model"],
        "predict.networks.frozen_weights": settings["predict"]["networks"]["frozen_weights"],
        **{f"features.lobes.{key}": path for key, path in (settings["features"]["lobes"] or {}).items()},
    }
    for key, path in named.items():
        if path and workflow.is_main_process and not find_path(path).is_file():
            raise ConfigError(f"config, {key}: {path!r}: does not exist (looked for at {find_path(path)})")


def read_config():
    """Check config, models and sheets; every mistake in them is told at once."""
    try:
        settings = complete_config(config)
        shipped = read_models(SHIPPED_TABLE, check_paths=False)
        models = with_brains_of(read_models(find_path(settings["models"])), shipped)
        candidates = candidate_models(models, settings)
        external = external_maps(settings, models)
        check_files(settings)
        sheets = [find_path(sheet) for sheet in settings["samples"]]
        sessions = read_samples(sheets, settings, produced=made_here, check_paths=workflow.is_main_process)
        table = settings["participants"]
        participants = read_participants(find_path(table), sessions) if table else ()
        check_label_cohorts(settings["labels"], sessions)
        check_segmentation(settings, models, candidates, sessions, external)
        files = [find_path(path) for path in settings["reviews"]]
        reviews = read_reviews(files, sessions, check_paths=workflow.is_main_process)
    except ConfigError as error:
        raise WorkflowError(str(error)) from None
    by_key = {entry.key: entry for entry in sessions}
    return settings, models, candidates, external, by_key, participants, reviews


def check_segmentation(settings, models, candidates, sessions, external):
    """Stop where a model does not fit, or where the config names models and a session suits none of them."""
    used = used_models(settings, candidates, sessions)
    check_models(used, settings, check_files=workflow.is_main_process)
    sources = [*used, *external]
    check_fusion(
        settings, [source.name for source in sources], {r for source in sources for r in source.regions}
    )
    if workflow.is_main_process:
        check_external_files(external, sessions, find_path, made_here)
    if settings["segment"]["models"] is None and workflow.is_main_process:
        tell_passed_over(settings, models, sessions)
    left = [] if external else unsegmented(sessions, candidates)
    if settings["segment"]["models"] and left:
        advice = "list a model that takes them, take the rows out, or set segment.models to null to preprocess them only"
        raise ConfigError("\n".join(["no model of segment.models takes these sessions:", *left, advice]))
    if left and workflow.is_main_process:
        logging.getLogger("snakemake").warning(
            "\n".join(["No model takes these sessions; they are preprocessed, not segmented:", *left])
        )


def used_models(settings, candidates, sessions):
    """Every model that segments a session."""
    ensemble = settings["segment"]["ensemble"]
    chosen = [choose_models(candidates, set(entry.expected), ensemble=ensemble) for entry in sessions]
    return list({model.name: model for models in chosen for model in models}.values())


def tell_passed_over(settings, models, sessions):
    """Say which models would take a session, but were trained for other settings than the config's."""
    wanted = [m for m in models.segmentation if any(m.takes(set(entry.expected)) for entry in sessions)]
    lines = [line for model in wanted for line in misfits(model, settings)]
    if lines:
        logging.getLogger("snakemake").warning(
            "\n".join(["These models are passed over, because the config does not suit them:", *lines])
        )


config, MODELS, CANDIDATES, EXTERNAL_MAPS, SESSIONS, PARTICIPANTS, REVIEWS = read_config()
ATLAS = config["atlas"]["name"]


def session_of(wildcards):
    """The row of the sample sheet that a job belongs to."""
    key = (wildcards.cohort, wildcards.subject, wildcards.session)
    if key not in SESSIONS:
        name = "/".join(key)
        raise WorkflowError(f"no sample sheet lists {name}")
    return SESSIONS[key]


def first_sessions():
    """The first session of every subject: by days, else as listed."""
    first = {}
    for entry in SESSIONS.values():
        known = first.setdefault((entry.cohort, entry.subject), entry)
        if entry.days is not None and known.days is not None and entry.days < known.days:
            first[entry.cohort, entry.subject] = entry
    return first


FIRST = first_sessions()


def first_session(wildcards):
    """The first session of a job's subject, as the value of its wildcard."""
    return FIRST[wildcards.cohort, wildcards.subject].session


def is_first(wildcards):
    return first_session(wildcards) == wildcards.session


def reference(wildcards):
    """The sequence whose grid is the session's `ref` space."""
    return session_of(wildcards).reference
