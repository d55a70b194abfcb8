EXPORT = config["export"]
LABEL_FILES = {
    "itksnap": "results/{cohort}/labels_itksnap.txt",
    "slicer": "results/{cohort}/labels_slicer.ctbl",
    "freesurfer": "results/{cohort}/labels_freesurfer.txt",
}


def exported(suffix, **entities):
    """Path of a file of a session for other programs, with wildcards."""
    return bids(root="results/{cohort}", datatype="export", suffix=suffix, **SESSION, **entities)


SCENE = exported("scene.mrml")
DICOM_SEG = exported("dseg.dcm", space="{sequence}")
DICOM_PLAN = exported("mask.dcm", space="{sequence}", desc="{plan}")
PLAN = growth("mask.nii.gz", space="growth", desc="{plan}")
PLANS = ["model", *(f"margin{mm:g}" for mm in GROWTH["margins_mm"])]


def series_shown(entry):
    """The sequences on whose series a session's DICOM-SEG is made: the config's, else the reference, else the first."""
    given = [s for s in entry.expected if not entry.given_as_nifti(s)]
    if EXPORT["sequences"]:
        return [s for s in given if s in EXPORT["sequences"]]
    return [entry.reference] if entry.reference in given else given[:1]


def dicom_outputs():
    """Every DICOM-SEG that the config asks for."""
    if EXPORT["dicom_seg"] == "off":
        return []
    segmented = [(entry, s) for entry in filter(sources_of, kept_sessions()) for s in series_shown(entry)]
    grown = [(e, s) for e in (growth_sessions() if EXPORT["plans"] else []) for s in series_shown(e)]
    return [file_of(DICOM_SEG, entry, sequence=s) for entry, s in segmented] + [
        file_of(DICOM_PLAN, entry, sequence=s, plan=plan) for entry, s in grown for plan in PLANS
    ]


def export_outputs(wildcards=None):
    """Every file of `snakemake export`."""
    segmented = list(filter(sources_of, kept_sessions()))
    tables = [path.format(cohort=cohort) for cohort in segmented_cohorts() for path in LABEL_FILES.values()]
    return tables + [file_of(SCENE, entry) for entry in segmented] + dicom_outputs()


def scene_sequences(wildcards):
    """The sequences of a scene, the reference first."""
    return [reference(wildcards), *(s for s in session_of(wildcards).expected if s != reference(wildcards))]


def scene_images(wildcards):
    return [fill(IN_REF, wildcards, sequence=s) for s in scene_sequences(wildcards)]


def series_inputs(wildcards):
    """The series that a sequence was converted from, and what tells where it lies."""
    if session_of(wildcards).given_as_nifti(wildcards.sequence):
        raise WorkflowError(f"{job_name(wildcards)}: was given as NIfTI; DICOM-SEG needs the DICOM series")
    return {**convert_inputs(wildcards), "native": fill(NATIVE, wildcards), "to_ref": fill(TO_REF, wildcards)}


def series_settings():
    """What the config says of reading series, as plain values."""
    return {key: config["convert"][key] for key in ("max_slice_gap", "min_slices")}
