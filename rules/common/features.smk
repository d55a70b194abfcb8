SETTINGS_OF_FEATURES = config["features"]
FEATURES = seg("features.tsv")
COHORT_FEATURES = "results/{cohort}/features.tsv"
BUNDLED = not config["atlas"]["path"]


def of_atlas(suffix, **entities):
    """Path of what is known of the atlas, on its grid."""
    return bids(root="resources/atlas", prefix=ATLAS, suffix=suffix, **entities)


ATLAS_TISSUE = [
    of_atlas("probseg.nii.gz", label=name)
    for name in ("WM", "GM", "CSF")
    if BUNDLED or GROWTH["tissue"]["maps"]
]
ATLAS_VENTRICLES = (
    [of_atlas("mask.nii.gz", label="ventricles")] if BUNDLED or SETTINGS_OF_FEATURES["ventricles"] else []
)


def given_ventricles():
    """The mask of ventricles that the config names, none where it names none."""
    path = SETTINGS_OF_FEATURES["ventricles"]
    return [str(find_path(path))] if path else []


def lobe_files():
    """The label map of parts of the brain and the table of their names, none where the config names none."""
    lobes = SETTINGS_OF_FEATURES["lobes"]
    return [str(find_path(lobes[key])) for key in ("labels", "names")] if lobes else []


def segmented_cohorts():
    """The cohorts in which a session is segmented, sorted."""
    return sorted({cohort for cohort, _ in segmented_courses()})


@cache
def in_order():
    """All sessions, by days, else as listed."""
    return sorted(SESSIONS.values(), key=lambda entry: entry.days or 0)


@cache
def places_in_order():
    """The number of each session among all, in that order."""
    return {entry.key: number for number, entry in enumerate(in_order())}


@cache
def segmented_courses():
    """By subject its segmented sessions that nobody rejected, by days, else as listed."""
    found = {}
    for entry in in_order():
        if sources_of(entry) and is_kept(entry):
            found.setdefault((entry.cohort, entry.subject), []).append(entry)
    return found


def earlier_features(wildcards):
    """The features of the subject's earlier sessions, in their order."""
    place, course = places_in_order(), segmented_courses().get((wildcards.cohort, wildcards.subject), ())
    own = place[session_of(wildcards).key]
    return [file_of(FEATURES, entry) for entry in course if place[entry.key] < own]


def fitted_growth(wildcards):
    """The growth that was fitted to a session, where growth is part of everything."""
    fitted = GROWTH["in_all"] and session_of(wildcards) in growth_sessions()
    return [fill(FIT, wildcards)] if fitted else []


def feature_settings(*keys):
    """What the config says of features, as plain values."""
    return {key: SETTINGS_OF_FEATURES[key] for key in keys}


def of_segmented(pattern):
    """Input function: the pattern's file for every session of the cohort that is segmented."""
    return of_cohort(pattern, lambda: filter(sources_of, kept_sessions()))
