import logging
import os
from pathlib import Path

from snakebids import bids, set_bids_spec
from snakemake.exceptions import WorkflowError

from gliaflow.config.models import choose_model, read_models
from gliaflow.config.samples import read_samples
from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError
from gliaflow.preprocess.hdbet_weights import check_weights

set_bids_spec("v0_11_0")

HOME = Path(workflow.basedir)
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


wildcard_constraints:
    cohort="[A-Za-z0-9]+",
    subject="[A-Za-z0-9]+",
    session="[A-Za-z0-9]+",
    sequence="|".join(CHANNELS),
    atlas="[A-Za-z0-9]+",
    model="[A-Za-z0-9]+",


# --- settings and sessions -------------------------------------------------------------------------------


def find_path(path):
    """Where a path of the config lies: in the working directory, where the user stood, or here."""
    places = [Path(path), Path(workflow.workdir_init) / path, HOME / path]
    return next((place.resolve() for place in places if place.exists()), places[0].resolve())


def made_here(path):
    """Whether a scan that the sheet names is made by the rule `simulate`."""
    return DEMO in Path(path).parents


def read_config():
    """Check config, models and sheets; every mistake in them is told at once."""
    try:
        settings = complete_config(config)
        models = read_models(find_path(settings["models"]))
        sheets = [find_path(sheet) for sheet in settings["samples"]]
        sessions = read_samples(
            sheets, settings, produced=made_here, check_paths=workflow.is_main_process
        )
    except ConfigError as error:
        raise WorkflowError(str(error)) from None
    return settings, models, {entry.key: entry for entry in sessions}


config, MODELS, SESSIONS = read_config()
ATLAS = config["atlas"]["name"]


def session_of(wildcards):
    """The row of the sample sheet that a job belongs to."""
    key = (wildcards.cohort, wildcards.subject, wildcards.session)
    if key not in SESSIONS:
        raise WorkflowError(f"{'/'.join(key)} is in none of the sample sheets: {config['samples']}")
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


def model_of(entry):
    """The first listed model whose sequences a session has, or None."""
    return choose_model(MODELS, set(entry.expected), config["segment"]["models"])


# --- paths -----------------------------------------------------------------------------------------------


def anat(suffix, **entities):
    """Path of an image, mask or transform of a session, with wildcards."""
    return bids(root="results/{cohort}", datatype="anat", suffix=suffix, **SESSION, **entities)


def seg(suffix, **entities):
    """Path of a segmentation of a session, with wildcards."""
    return bids(root="results/{cohort}", datatype="seg", suffix=suffix, **SESSION, **entities)


def qc(suffix, **entities):
    """Path of a picture of a session, with wildcards."""
    return bids(root="results/{cohort}", datatype="qc", suffix=suffix, **SESSION, **entities)


def transform(source, target):
    """Path of the transform that carries images of one space to another."""
    return anat("xfm.tfm", **{"from": source, "to": target, "mode": "image"})


def log_path(rule, *extra):
    """Path of a job's log; `benchmark_path` is its twin."""
    return "/".join(["logs", rule, "{cohort}", "_".join(["sub-{subject}_ses-{session}", *extra])]) + ".log"


def benchmark_path(rule, *extra):
    return log_path(rule, *extra).replace("logs/", "benchmarks/", 1).replace(".log", ".tsv")


def fill(pattern, wildcards, **changes):
    """A path pattern with a job's wildcards, some of them changed."""
    return pattern.format(**{**dict(wildcards.items()), **changes})


def of_sequences(pattern):
    """Input function: the pattern's file for every sequence of the job's session."""

    def inputs(wildcards):
        return [fill(pattern, wildcards, sequence=s) for s in session_of(wildcards).expected]

    return inputs


def of_reference(pattern):
    """Input function: the pattern's file for the session's reference sequence."""

    def inputs(wildcards):
        return fill(pattern, wildcards, sequence=reference(wildcards))

    return inputs


def of_first(pattern):
    """Input function: the pattern's file of the subject's first session."""

    def inputs(wildcards):
        session = first_session(wildcards)
        entry = SESSIONS[wildcards.cohort, wildcards.subject, session]
        return fill(pattern, wildcards, session=session, sequence=entry.reference)

    return inputs


# --- resources -------------------------------------------------------------------------------------------


def memory(base_mb):
    """Memory of a job in MB, doubled with every attempt."""

    def mem_mb(wildcards, attempt):
        return base_mb * 2 ** (attempt - 1)

    return mem_mb


def job_name(wildcards):
    """What an error calls a job: the session, and the sequence where it has one."""
    parts = dict(wildcards.items())
    name = "{cohort}/sub-{subject}/ses-{session}".format(**parts)
    return " ".join(filter(None, [name, parts.get("sequence")]))


# --- what `rule all` asks for ----------------------------------------------------------------------------


def session_outputs(entry):
    """Every file that a finished session has."""
    wildcards = dict(cohort=entry.cohort, subject=entry.subject, session=entry.session)
    per_sequence = [
        anat("{sequence}.nii.gz", space="ref"),
        anat("mask.nii.gz", space="{sequence}", desc="brain"),
        anat("{sequence}.nii.gz", space=ATLAS, desc="norm"),
    ]
    per_session = [qc("registration.png"), qc("brainmask.png")]
    if model_of(entry):
        per_session += [seg("dseg.nii.gz", space="ref"), seg("volumes.tsv"), qc("segmentation.png")]
    if config["preprocess"]["longitudinal"] == "syn" and FIRST[entry.cohort, entry.subject] is not entry:
        per_session.append(anat("xfm.nii.gz", **{"from": "ref", "to": "first", "mode": "image"}))
    return [pattern.format(**wildcards) for pattern in per_session] + [
        pattern.format(**wildcards, sequence=sequence)
        for pattern in per_sequence
        for sequence in entry.expected
    ]


def final_outputs():
    cohorts = sorted({entry.cohort for entry in SESSIONS.values()})
    return [f"results/{cohort}/dataset_description.json" for cohort in cohorts] + [
        path for entry in SESSIONS.values() for path in session_outputs(entry)
    ]


def unsegmented():
    """Sessions that no model takes."""
    return ["/".join(entry.key) for entry in SESSIONS.values() if not model_of(entry)]


if workflow.is_main_process and unsegmented():
    logging.getLogger("snakemake").warning(
        f"No listed model takes the sequences of {', '.join(unsegmented())}: preprocessed, not segmented."
    )
