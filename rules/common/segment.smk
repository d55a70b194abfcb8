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


def batch_of(entry):
    """The folder that a session's members share with those of others, or None where it has one of its own.

    A session that failed in a shared job is tried again by itself.
    """
    model = model_of(entry)
    if SHARED == 1 or model.kind != "nnunet":
        return None
    number = batch_numbers(entry.cohort, model.name)[entry.key]
    folder = BATCH.format(cohort=entry.cohort, model=model.name, batch=number)
    failed = Path(folder, SHARED_NAME.format(subject=entry.subject, session=entry.session), FAILED)
    return None if failed.exists() else folder


@cache
def batches(cohort, model):
    """The sessions of a cohort that a model takes, by the jobs that share its loading."""
    takers = [e for e in SESSIONS.values() if e.cohort == cohort and model_of(e)]
    of_model = [e for e in takers if model_of(e).name == model]
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


def members_of(wildcards):
    """The members of the session's model: a folder of its own, or that of the job which it shares."""
    entry = session_of(wildcards)
    return batch_of(entry) or fill(MEMBERS, wildcards, model=model_of(entry).name)


def within_members(wildcards):
    """Where a session's members lie within what `members_of` names."""
    return fill(SHARED_NAME, wildcards) if batch_of(session_of(wildcards)) else ""


def model_facts(wildcards):
    """What the outputs say of the model."""
    entry = session_of(wildcards)
    model = model_of(entry)
    return {
        "Model": model.name,
        "ModelSha256": model.sha256,
        "ModelSettings": settings_of(model.kind),
        "Sequences": [s for s in model.sequences if s in entry.expected],
        "MissingSequences": [s for s in model.sequences if s not in entry.expected],
    }


def model_about(wildcards):
    """What the label maps say besides: words, for whose change no session is segmented again."""
    model = model_of(session_of(wildcards))
    return {"ModelDescription": model.description, "Licence": model.licence}


def model_regions(wildcards):
    return list(model_of(session_of(wildcards)).regions)


def postprocess_layers(wildcards):
    """Post-processing by the model table, and by the config, which goes before."""
    return [model_of(session_of(wildcards)).postprocess, config["segment"]["postprocess"]]
