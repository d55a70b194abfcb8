from gliaflow.growth.names import REACTION_DIFFUSION

GROWTH = config["growth"]


def growth(suffix, **entities):
    """Path of what belongs to a session's growth, with wildcards."""
    return bids(root="results/{cohort}", datatype="growth", suffix=suffix, **SESSION, **entities)


GROWTH_BRAIN = growth("mask.nii.gz", space="growth", desc="brain")
GROWTH_LABELS = growth("dseg.nii.gz", space="growth")
GROWTH_IMAGE = growth("{sequence}.nii.gz", space="growth", desc="brain")
TISSUE = [growth("probseg.nii.gz", space="growth", label=name) for name in ("WM", "GM", "CSF")]
FROM_ATLAS = [
    growth(f"xfm.{ending}", **{"from": ATLAS, "to": "growth", "mode": "image"})
    for ending in ("tfm", "nii.gz")
]
DIFFUSION = [growth("tensor.nii.gz", space="growth"), growth("FA.nii.gz", space="growth")]
FIT = growth("fit.json")
INVASION = [growth("invasion.nii.gz", space="growth", desc=name) for name in ("median", "low", "high")]
DENSITY = growth("density.nii.gz", space="growth")
STANDARD_PLANS = [growth("mask.nii.gz", space="growth", desc=f"margin{mm:g}") for mm in GROWTH["margins_mm"]]
MODEL_PLAN = growth("mask.nii.gz", space="growth", desc="model")
IN_BASELINE = [growth("dseg.nii.gz", space="baseline"), growth("registration.json", space="baseline")]
CURVES = growth("precision.png")
RANKING = [growth(f"{name}.tsv") for name in ("ranking", "precision", "coverage")]
SETTINGS_TRIED = growth("settings.tsv")
COVERAGE_OF_COHORT = [f"results/{{cohort}}/growth_{name}.tsv" for name in ("ranking", "coverage", "summary")]
EXPERIMENT = [f"results/{{cohort}}/growth_{name}.tsv" for name in ("settings", "patients", "experiment")]


def cohort_growth_picture(name):
    """A picture of a cohort's growth that goes into the report, with its caption."""
    return cohort_result(f"results/{{cohort}}/growth_{name}.png", f"growth_{name}", "Growth of cohorts")


def has_tumour_labels(entry):
    """Whether a session has a label map: an expert's, or a segmentation."""
    return bool(entry.label or sources_of(entry))


@cache
def courses():
    """By subject its sessions with a label map, by days, else as listed; where the first session has one."""
    found = {}
    for entry in sorted(kept_sessions(), key=lambda entry: entry.days or 0):
        if has_tumour_labels(entry):
            found.setdefault((entry.cohort, entry.subject), []).append(entry)
    return {subject: found[subject] for subject in sorted(found) if found[subject][0] is FIRST[subject]}


def growth_sessions():
    """The sessions from which growth is foretold."""
    return [course[0] for course in courses().values()]


@cache
def follow_ups():
    """The later sessions against which predictions are judged."""
    return [entry for course in courses().values() for entry in course[1:]]


def last_follow_ups():
    """The last session of each subject that has more than one."""
    return [course[-1] for course in courses().values() if len(course) > 1]


def grown_labels(wildcards):
    """The label map that growth starts from: the expert's where there is one."""
    entry = session_of(wildcards)
    return made_or_given(entry.label) if entry.label else fill(LABELS_REF, wildcards)


def grown_values(wildcards):
    """What the values of that label map mean."""
    return label_values(wildcards) if session_of(wildcards).label else "gliaflow"


def grown_cell(wildcards):
    """What the sidecar says of an expert's label map: its cell, not its path."""
    entry = session_of(wildcards)
    return cell_name(entry, "label") if entry.label else fill(LABELS_REF, wildcards)


def tissue_sequences(wildcards):
    """The sequences that show healthy tissue, the T1-weighted ones first."""
    expected = session_of(wildcards).expected
    chosen = [s for s in ("t1n", "t1c", "t2w", "t2f") if s in expected]
    return chosen if GROWTH["tissue"]["method"] == "image" else chosen[:1]


def of_tissue_sequences(wildcards):
    return [fill(GROWTH_IMAGE, wildcards, sequence=s) for s in tissue_sequences(wildcards)]


def of_growth_reference(wildcards):
    """The image that a session's growth is shown on, and follow-ups are registered to."""
    return fill(GROWTH_IMAGE, wildcards, sequence=reference(wildcards))


def tissue_sources(wildcards):
    """The files of tissue that the config names, by what they are; none for the bundled ones."""
    maps = GROWTH["tissue"]["maps"]
    named = {"atlas": config["atlas"]["path"], **(maps or {})}
    return {name: str(find_path(path)) for name, path in named.items() if path}


def diffusion_source(wildcards):
    """A session's diffusion-weighted scan, else the tensor of the atlas; none where there is neither."""
    entry, tensor = session_of(wildcards), GROWTH["tissue"]["tensor"]
    if isinstance(entry.dwi, Path) and entry.dwi.name.endswith((".nii", ".nii.gz")):
        return [str(entry.dwi)]
    if entry.dwi is not None:
        raise WorkflowError(
            f"{'/'.join(entry.key)}: dwi ({entry.sheet}, row {entry.row}): growth takes a NIfTI with its .bval and "
            ".bvec; convert the scan, or leave the cell empty"
        )
    return [str(find_path(tensor))] if tensor else []


def diffusion_maps(wildcards):
    return fill(DIFFUSION, wildcards) if diffusion_source(wildcards) else []


def previous_session(wildcards):
    """The session before a follow-up, as the value of its wildcard."""
    course = courses().get((wildcards.cohort, wildcards.subject), [])
    names = [entry.session for entry in course]
    if wildcards.session not in names[1:]:
        raise WorkflowError(
            f"{'/'.join(session_of(wildcards).key)}: growth is judged by later sessions that have a label map and that "
            f"no reviewer rejected; of this subject: {', '.join(names[1:]) or 'none'}"
        )
    return names[names.index(wildcards.session) - 1]


def restart_labels(wildcards):
    """The label map that the forward scheme restarts from, on the grid of the baseline."""
    before = previous_session(wildcards)
    pattern = GROWTH_LABELS if before == first_session(wildcards) else IN_BASELINE[0]
    return fill(pattern, wildcards, session=before)


def growth_patterns(entry):
    """The path patterns of what `snakemake growth` makes of a session."""
    first, *later = courses().get((entry.cohort, entry.subject), [None])
    if entry is first:
        return [INVASION[0], *STANDARD_PLANS, MODEL_PLAN, qc("growth.png")]
    return [*RANKING, CURVES, qc("followup.png")] if any(entry is other for other in later) else []


def growth_outputs(wildcards=None):
    """Every file of `snakemake growth`."""
    sessions = [*growth_sessions(), *follow_ups()]
    made = [file_of(path, entry) for entry in sessions for path in growth_patterns(entry)]
    cohorts = sorted({entry.cohort for entry in follow_ups()})
    return made + [path.format(cohort=cohort) for cohort in cohorts for path in COVERAGE_OF_COHORT]


def experiment_outputs(wildcards):
    """Every file of `snakemake growth_experiment`."""
    cohorts = sorted({entry.cohort for entry in last_follow_ups()})
    if not cohorts:
        raise WorkflowError(
            "growth_experiment: no subject has two sessions with a label map; list later sessions, with days"
        )
    return [path.format(cohort=cohort) for cohort in cohorts for path in EXPERIMENT]


def of_follow_ups(pattern, chosen=follow_ups):
    """Input function: the pattern's file for the chosen sessions of a cohort."""
    return of_cohort(pattern, chosen)


def gives_density():
    """Whether the chosen model gives the density of tumour cells, besides the order of invasion."""
    external = {entry["name"]: entry["gives"] for entry in GROWTH["external"]}
    return external.get(GROWTH["model"], GROWTH["model"]) in ("density", REACTION_DIFFUSION)


def growth_settings():
    """What growth is fitted and foretold by, as plain values."""
    keys = (
        "model",
        "external",
        "rho",
        "core_density",
        "oedema_density",
        "restarts",
        "evaluations",
        "ensemble",
        "reach_mm",
    )
    return {key: GROWTH[key] for key in keys}
