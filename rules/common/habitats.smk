from gliaflow.habitats.names import check_habitats, check_sessions

HABITATS = config["habitats"]
HABITAT_MAPS = [*HABITATS["maps"], *(entry["name"] for entry in HABITATS["further"])]
HABITAT_SAMPLE = seg("habitats.npy", space=ATLAS)
HABITAT_LABELS = seg("dseg.nii.gz", space=ATLAS, desc="habitats")
HABITAT_TABLE = seg("habitats.tsv")
COHORT_HABITATS = "results/{cohort}/habitats.tsv"
WITH_HABITATS = "results/{cohort}/features_habitats.tsv"
HABITAT_MODEL = "results/habitats/model.npz"


try:
    check_habitats(HABITATS, CHANNELS, bool(config["participants"]))
except ConfigError as error:
    raise WorkflowError(str(error)) from None


def habitat_maps(wildcards):
    """The maps of a session that habitats are found in: sequences in the atlas, then those of others."""
    own = [fill(NORMALISED, wildcards, sequence=name) for name in HABITATS["maps"]]
    return own + [str(find_path(fill(entry["path"], wildcards))) for entry in HABITATS["further"]]


def fitted_habitats(name):
    """A table of how habitats were fitted, for all cohorts; it goes into the report."""
    return report(
        f"results/habitats/{name}.tsv",
        caption="../resources/report/habitats_fitted.rst",
        category="Habitats of cohorts",
        labels={"result": f"{name}.tsv"},
    )


def lacking_maps(entry):
    """The maps that a session has not, and the region where its segmentation does not determine it."""
    lacking = [name for name in HABITATS["maps"] if name not in entry.expected]
    others = [e for e in HABITATS["further"] if not find_path(file_of(e["path"], entry)).exists()]
    found = {region for source in sources_of(entry) for region in source.regions}
    return [*lacking, *(e["name"] for e in others)] + [
        f"region {region}" for region in [HABITATS["region"]] if region not in found
    ]


@cache
def habitat_sessions():
    """The segmented sessions that have every map, by days."""
    return [entry for course in segmented_courses().values() for entry in course if not lacking_maps(entry)]


@cache
def habitat_cohorts():
    return sorted({entry.cohort for entry in habitat_sessions()})


def fitted_sessions():
    """The first session of each subject: what the model is fitted to."""
    return list({(e.cohort, e.subject): e for e in reversed(habitat_sessions())}.values())[::-1]


def habitat_samples(wildcards):
    return [file_of(HABITAT_SAMPLE, entry) for entry in fitted_sessions()]


def habitat_subjects(wildcards):
    """What the fit is told of its samples, as plain values."""
    return [dict(cohort=e.cohort, subject=e.subject, days=e.days) for e in fitted_sessions()]


def habitat_outcomes(wildcards):
    """The patients' data, where the objective looks at survival."""
    return participants_table(wildcards) if HABITATS["alpha"] < 1 else []


def habitat_model(wildcards):
    """The model that is fitted here, or the one that the config names."""
    return str(find_path(HABITATS["model"])) if HABITATS["model"] else HABITAT_MODEL


def of_habitats(pattern):
    """Input function: the pattern's file for every session of the cohort that has habitats."""
    return of_cohort(pattern, habitat_sessions)


def habitat_settings(*keys):
    """What the config says of habitats, as plain values."""
    return {key: HABITATS[key] for key in keys}


def search_settings():
    """How the model is searched for, as plain values."""
    keys = ("number", "quantile", "alpha", "tau", "trials", "splits", "steps", "least_subjects", "held_out")
    return {**habitat_settings(*keys), "seed": config["seed"]}


def habitat_sources(wildcards):
    """What a map of habitats was made of: results by path, maps from elsewhere by name."""
    own = [fill(NORMALISED, wildcards, sequence=name) for name in HABITATS["maps"]]
    return [*own, *(entry["name"] for entry in HABITATS["further"]), fill(LABELS_ATLAS, wildcards)]


def refuse_few_habitats():
    """Stop, with the numbers, where too few subjects have every map."""
    lacking = {"/".join(e.key): lacking_maps(e) for c in segmented_courses().values() for e in c}
    needed = 1 if HABITATS["model"] else HABITATS["least_subjects"]
    try:
        check_sessions(len(fitted_sessions()), lacking, needed)
    except ConfigError as error:
        raise WorkflowError(str(error)) from None


def habitats_outputs(wildcards=None):
    """Every file of `snakemake habitats`."""
    refuse_few_habitats()
    of_sessions = [
        file_of(path, entry) for entry in habitat_sessions() for path in (HABITAT_LABELS, qc("habitats.png"))
    ]
    return of_sessions + [COHORT_HABITATS.format(cohort=cohort) for cohort in habitat_cohorts()]


def predicted_from(cohort):
    """The table of a cohort's features that predictors look at: with its habitats where they are wanted."""
    if HABITATS["in_predict"]:
        refuse_few_habitats()
    joined = HABITATS["in_predict"] and cohort in habitat_cohorts()
    return (WITH_HABITATS if joined else COHORT_FEATURES).format(cohort=cohort)
