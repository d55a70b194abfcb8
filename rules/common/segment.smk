SHARED = config["segment"]["sessions_per_job"]
SHARED_NAME = "sub-{subject}_ses-{session}"


def model_named(wildcards):
    return next(model for model in MODELS.segmentation if model.name == wildcards.model)


def model_file(model):
    """A model's package or folder: the one that it names, or the one that `fetch_model` makes."""
    return fetched_model(model.name) if model.url else str(model.path)


def model_files(wildcards):
    model = model_named(wildcards)
    return [model_file(model)] if model.url or model.path else []


def model_images(wildcards):
    """The sequences that a model takes and the session has, in the model's order, on the atlas grid."""
    return [fill(IN_ATLAS, wildcards, sequence=s) for s in model_inputs(wildcards)]


def model_inputs(wildcards):
    return [s for s in model_named(wildcards).sequences if s in session_of(wildcards).expected]


def model_entry(wildcards):
    """What the segmenter needs to know of the model's entry, as plain values."""
    model = model_named(wildcards)
    keys = (
        "name",
        "sequences",
        "optional",
        "regions",
        "target",
        "sha256",
        "labels",
        "orientation",
        "configuration",
        "atlas",
        "gpu",
    )
    return {"kind": model.kind, **{key: getattr(model, key) for key in keys}}


def model_gpu(wildcards):
    return int(model_named(wildcards).gpu)


def model_threads(wildcards):
    return config["segment"]["threads"] if model_named(wildcards).kind == "nnunet" else 1


def model_minutes(wildcards):
    """A trained model may need hours on a CPU."""
    return 30 if model_named(wildcards).kind == "flair_baseline" else 480


def settings_of(kind):
    """The part of the config that a kind of model looks at."""
    if kind == "nnunet":
        return inference_settings("folds", "mc_dropout") | {"seed": config["seed"]}
    return config["segment"][kind]


def model_settings(wildcards):
    return settings_of(model_named(wildcards).kind)


@cache
def batch_numbers(cohort, model):
    """The number of the job of each session, by its key."""
    return {entry.key: number for number, those in enumerate(batches(cohort, model)) for entry in those}


def batch_of(entry, model):
    """The folder that a session's members share with those of others, or None where it has one of its own.

    A session that failed in a shared job is tried again by itself.
    """
    if SHARED == 1 or model.kind != "nnunet":
        return None
    number = batch_numbers(entry.cohort, model.name)[entry.key]
    folder = BATCH.format(cohort=entry.cohort, model=model.name, batch=number)
    failed = Path(folder, SHARED_NAME.format(subject=entry.subject, session=entry.session), FAILED)
    return None if failed.exists() else folder


@cache
def batches(cohort, model):
    """The sessions of a cohort that a model takes, by the jobs that share its loading."""
    sessions = [entry for entry in SESSIONS.values() if entry.cohort == cohort]
    of_model = [entry for entry in sessions if model in {m.name for m in models_of(entry)}]
    return [of_model[start : start + SHARED] for start in range(0, len(of_model), SHARED)]


def batch_sessions(wildcards):
    """The sessions of a job, each as the wildcards of its files."""
    sessions = batches(wildcards.cohort, wildcards.model)[int(wildcards.batch)]
    return [
        dict(cohort=e.cohort, subject=e.subject, session=e.session, expected=e.expected) for e in sessions
    ]


def batch_images(wildcards):
    sequences = model_named(wildcards).sequences
    return [
        IN_ATLAS.format(**names, sequence=s)
        for names in batch_sessions(wildcards)
        for s in sequences
        if s in names["expected"]
    ]


def batch_masks(wildcards):
    return [BRAIN_ATLAS.format(**names) for names in batch_sessions(wildcards)]


def batch_tasks(wildcards):
    """What a job does for each of its sessions, as plain values."""
    sequences = model_named(wildcards).sequences
    return [
        {
            "name": SHARED_NAME.format(**names),
            "mask": BRAIN_ATLAS.format(**names),
            "images": {s: IN_ATLAS.format(**names, sequence=s) for s in sequences if s in names["expected"]},
        }
        for names in batch_sessions(wildcards)
    ]


def models_of(entry):
    """The models that segment a session: the first that takes it, or in an ensemble every one."""
    return choose_models(CANDIDATES, set(entry.expected), ensemble=config["segment"]["ensemble"])


def sources_of(entry):
    """What is fused into a session's segmentation: models, then external label maps."""
    return [*models_of(entry), *EXTERNAL_MAPS]


def members_of(wildcards):
    """The members of a session's sources: each a folder of its own, or that of the job which it shares."""
    entry = session_of(wildcards)
    models = [batch_of(entry, m) or fill(MEMBERS, wildcards, model=m.name) for m in models_of(entry)]
    return models + [fill(EXTERNAL, wildcards, external=origin.name) for origin in EXTERNAL_MAPS]


def sources_within(wildcards):
    """The sources of a session as plain values: name, regions, and where they lie within `members_of`."""
    entry = session_of(wildcards)
    shared = [bool(batch_of(entry, model)) for model in models_of(entry)] + [False] * len(EXTERNAL_MAPS)
    return [
        {
            "name": source.name,
            "regions": list(source.regions),
            "within": fill(SHARED_NAME, wildcards) if within else "",
        }
        for source, within in zip(sources_of(entry), shared)
    ]


def model_facts(wildcards):
    """What the outputs say of the models; of a single one as such, of several in a list."""
    entry = session_of(wildcards)
    facts = [facts_of(source, entry) for source in sources_of(entry)]
    if len(facts) == 1:
        return facts[0]
    return {"Model": "+".join(fact["Model"] for fact in facts), "Models": facts}


def facts_of(source, entry):
    """What the outputs say of a model, or of an external label map."""
    if source in EXTERNAL_MAPS:
        return {"Model": source.name, "External": {"values": source.labels, "space": source.space}}
    return {
        "Model": source.name,
        "ModelSha256": source.sha256,
        "ModelSettings": settings_of(source.kind),
        "Sequences": [s for s in source.sequences if s in entry.expected],
        "MissingSequences": [s for s in source.sequences if s not in entry.expected],
    }


def model_about(wildcards):
    """What the label maps say besides: words, for whose change no session is segmented again."""
    models = models_of(session_of(wildcards))
    if len(models) == 1:
        return {"ModelDescription": models[0].description, "Licence": models[0].licence}
    return {"Licence": {model.name: model.licence for model in models}}


def model_regions(wildcards):
    """The regions that any source of a session determines."""
    found = {region for source in sources_of(session_of(wildcards)) for region in source.regions}
    return [region for region in REGIONS if region in found]


def postprocess_layers(wildcards):
    """Post-processing by the table of a single model, and by the config, which goes before."""
    sources = sources_of(session_of(wildcards))
    single = [sources[0].postprocess] if len(sources) == 1 and sources[0] not in EXTERNAL_MAPS else []
    return [*single, config["segment"]["postprocess"]]


def external_named(wildcards):
    return next(origin for origin in EXTERNAL_MAPS if origin.name == wildcards.external)


def external_file(wildcards):
    return made_or_given(find_path(external_named(wildcards).file(session_of(wildcards))))


def external_grid(wildcards):
    """The image on whose grid an external label map lies."""
    pattern = BRAIN_ATLAS if external_named(wildcards).space == "atlas" else NATIVE
    return fill(pattern, wildcards, sequence=reference(wildcards))
