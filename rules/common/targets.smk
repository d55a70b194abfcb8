def deformable(entry):
    """Whether a later session is also registered deformably: both it and the first need a segmentation."""
    first = FIRST[entry.cohort, entry.subject]
    wanted = config["preprocess"]["longitudinal"] == "syn" and first is not entry
    return wanted and bool(sources_of(entry) and sources_of(first))


def step_patterns(entry):
    """The path patterns of every file of a finished session but its page, each with its sequences or with none."""
    per_sequence = [
        anat("{sequence}.nii.gz", space="ref"),
        anat("mask.nii.gz", space="{sequence}", desc="brain"),
        anat("{sequence}.nii.gz", space=ATLAS, desc="norm"),
    ]
    per_session = [qc("registration.png"), qc("brainmask.png")]
    if sources_of(entry):
        per_session += [
            seg("dseg.nii.gz", space="ref"),
            seg("volumes.tsv"),
            seg("uncertainty.tsv"),
            FEATURES,
            qc("segmentation.png"),
            qc("uncertainty.png"),
            qc("rano.png"),
        ]
    per_session += rater_outputs(entry)
    if deformable(entry):
        per_session.append(FIELD)
    sequences = [dict(sequence=sequence) for sequence in entry.expected]
    return [(pattern, [{}]) for pattern in per_session] + [(pattern, sequences) for pattern in per_sequence]


def session_patterns(entry):
    """The path patterns of every file that a finished session has, its page last; none of one that was rejected."""
    if not is_kept(entry):
        return []
    return [*step_patterns(entry), (SESSION_PAGE, [{}])]


def files_for(patterns, entry):
    """The files of a session for path patterns, each with its sequences or with none."""
    return [file_of(pattern, entry, **names) for pattern, sequences in patterns for names in sequences]


def session_outputs(entry):
    """Every file that a finished session has."""
    return files_for(session_patterns(entry), entry)


def cohort_patterns():
    """The path patterns of every file that belongs to a cohort rather than to a session, each with the cohort."""
    cohorts = sorted({entry.cohort for entry in SESSIONS.values()})
    evaluated = {entry.cohort for entry in kept_sessions() if is_evaluated(entry)}
    return (
        [("results/{cohort}/dataset_description.json", cohort) for cohort in cohorts]
        + [(COHORT_FEATURES, cohort) for cohort in segmented_cohorts()]
        + [(path, cohort) for cohort in cohorts if cohort in evaluated for path in COHORT_SCORES]
        + [(PREDICTIONS, cohort) for cohort in segmented_cohorts() if TASKS]
    )


def cohort_outputs():
    """Every file that belongs to a cohort rather than to a session."""
    return [pattern.format(cohort=cohort) for pattern, cohort in cohort_patterns()]


def sessions_outputs():
    """Every file of every finished session, and none that needs a whole cohort."""
    return [path for entry in SESSIONS.values() for path in session_outputs(entry)]


def final_outputs():
    wanted = (growth_outputs() if GROWTH["in_all"] else []) + (
        habitats_outputs() if HABITATS["in_all"] else []
    )
    wanted += export_outputs() if EXPORT["in_all"] else []
    return list(dict.fromkeys(sessions_outputs() + wanted + cohort_outputs() + predict_outputs()))


def pictures_there():
    """What goes into the report and is there: it can be made of that although others failed."""
    shown = (".png", ".html", ".tsv", ".ctbl", ".txt")
    return [path for path in final_outputs() if path.endswith(shown) and Path(path).exists()]
