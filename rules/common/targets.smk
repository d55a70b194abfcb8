def deformable(entry):
    """Whether a later session is also registered deformably: both it and the first need a segmentation."""
    first = FIRST[entry.cohort, entry.subject]
    wanted = config["preprocess"]["longitudinal"] == "syn" and first is not entry
    return wanted and bool(model_of(entry) and model_of(first))


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
        per_session += [
            seg("dseg.nii.gz", space="ref"),
            seg("volumes.tsv"),
            qc("segmentation.png"),
        ]
    if deformable(entry):
        per_session.append(FIELD)
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


def pictures_there():
    """The pictures that are there: a report can be made of them although others failed."""
    return [path for path in final_outputs() if path.endswith(".png") and Path(path).exists()]
