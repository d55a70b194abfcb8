from gliaflow.fetch import sha256_of
from gliaflow.provenance.description import (
    checksum_entry,
    config_sha256,
    described_review,
    git_revision,
)
from gliaflow.provenance.state import state_of
from gliaflow.status import STATUS_FILES

PROVENANCE = "results/{cohort}/provenance.json"
KEPT_BY_SNAKEMAKE = ".snakemake/metadata"


def sessions_of(wildcards):
    """The sessions of a cohort."""
    return [entry for entry in SESSIONS.values() if entry.cohort == wildcards.cohort]


def sheets_of(wildcards):
    """The sheets that list a cohort, with checksums."""
    return [checksum_entry(Path(sheet)) for sheet in sorted({e.sheet for e in sessions_of(wildcards)})]


def table_named(path):
    """A table that the config names, with its checksum; none where it names none."""
    return checksum_entry(find_path(path)) if path else None


def models_of_brain(wildcards):
    """The entries of the model table that find the brain in a cohort."""
    methods = set(map(brain_method, sessions_of(wildcards)))
    chosen = {"network": brain_network, "hd-bet": hdbet_release}
    return [entry() for method, entry in chosen.items() if method in methods]


def models_of_cohort(wildcards):
    """Every model that a cohort's sessions are given to."""
    found = [model for entry in sessions_of(wildcards) for model in models_of(entry)]
    return list({model.name: model for model in [*models_of_brain(wildcards), *found]}.values())


def model_checksum(model):
    """What the model table says, else that of the file."""
    return model.sha256 or (sha256_of(model.path) if model.path and model.path.is_file() else None)


def dataset_facts(wildcards):
    """What a cohort's description says of what was given, as plain values."""
    return {
        "revision": git_revision(HOME),
        "config_sha256": config_sha256(config),
        "sheets": sheets_of(wildcards),
        "participants": table_named(config["participants"]),
        "model_table": table_named(config["models"]),
        "models": [{"Name": m.name, "Sha256": model_checksum(m)} for m in models_of_cohort(wildcards)],
        **reviews_of_cohort(wildcards),
    }


def reviews_of_cohort(wildcards):
    """What reviewers decided on a cohort, with the checksums of the reviews; nothing where they decided nothing."""
    found = {key: review for key, review in REVIEWS.items() if key[0] == wildcards.cohort}
    files = sorted({d.sheet for review in found.values() for d in (review.latest, review.edit) if d})
    described = [described_review("/".join(key[1:]), review) for key, review in found.items()]
    tables = [checksum_entry(Path(path)) for path in files]
    return {"reviews": {"Tables": tables, "Sessions": described}} if found else {}


def cells_of(entry):
    """By column the files and folders that a session's row names."""
    given = {**entry.sources, "dicom": entry.study, "dwi": entry.dwi}
    given |= {"brain_mask": entry.brain_mask, "label": entry.label}
    return {column: path for column, path in given.items() if isinstance(path, Path)}


def rater_cells(entry):
    """What the files of a session's raters are called."""
    files = rater_files(entry.raters) if entry.raters else []
    return {str(path): f"{cell_name(entry, 'raters')}, {n}" for n, path in enumerate(files, start=1)}


def names_of_given(wildcards):
    """What to call the files that a cohort was given, whose paths nobody should read: their cells."""
    names = {}
    for entry in sessions_of(wildcards):
        for column, path in cells_of(entry).items():
            called = "simulated, " + "/".join(entry.key) if made_here(path) else cell_name(entry, column)
            names.setdefault(made_or_given(path), called)
        names |= {path: called for path, called in rater_cells(entry).items() if path not in names}
        names |= {edited_file(entry): edit_name(entry.key)} if entry.key in EDITS else {}
    return names


def names_of_config(wildcards):
    """What to call the files that the config and the model table name."""
    packages = {str(m.path): f"model {m.name}" for m in models_of_cohort(wildcards) if m.path}
    table = config["participants"]
    return packages | ({str(find_path(table)): "participants table"} if table else {})


def names_of_inputs(wildcards):
    return {**names_of_config(wildcards), **names_of_given(wildcards)}


def provenance_outputs(wildcards):
    """The provenance of every cohort that has results."""
    cohorts = sorted({entry.cohort for entry in SESSIONS.values()})
    there = [cohort for cohort in cohorts if Path("results", cohort).is_dir()]
    if not there:
        raise WorkflowError("provenance: there are no results yet; run the workflow first")
    return [PROVENANCE.format(cohort=cohort) for cohort in there]


def results_now(wildcards):
    """A checksum of which results there are: where it changes, their provenance is written anew."""
    return state_of(Path("results", wildcards.cohort), besides=(Path(PROVENANCE).name, *STATUS_FILES))
