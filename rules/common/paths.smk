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


def job_file(folder, step, extra, ending):
    """Path of a file of a job outside the results: one folder a rule, one file a job."""
    name = "_".join(["sub-{subject}_ses-{session}", *extra])
    return f"{folder}/{step}/{{cohort}}/{name}.{ending}"


def log_path(step, *extra):
    return job_file("logs", step, extra, "log")


def benchmark_path(step, *extra):
    return job_file("benchmarks", step, extra, "tsv")


def fetched_model(name):
    """Path of a model package that is fetched."""
    return f"resources/fetched/models/{name}.zip"


def fill(pattern, wildcards, **changes):
    """A path pattern, or each of a list of them, with a job's wildcards, some of them changed."""
    if not isinstance(pattern, str):
        return [fill(one, wildcards, **changes) for one in pattern]
    return pattern.format(**{**dict(wildcards.items()), **changes})


def file_of(pattern, entry, **others):
    """A path pattern with the names of a session of the sheets, and of others."""
    return pattern.format(cohort=entry.cohort, subject=entry.subject, session=entry.session, **others)


def of_cohort(pattern, sessions):
    """Input function: the pattern's file for those sessions that are of the job's cohort; a function gives them."""

    def inputs(wildcards):
        return [file_of(pattern, entry) for entry in sessions() if entry.cohort == wildcards.cohort]

    return inputs


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


def at_first(inputs):
    """Input function: what another one gives for the subject's first session."""

    def inputs_at_first(wildcards):
        names = {**dict(wildcards.items()), "session": first_session(wildcards)}
        return inputs(type(wildcards)(fromdict=names))

    return inputs_at_first


def of_first(pattern):
    """Input function: the pattern's file of the subject's first session."""
    return at_first(of_reference(pattern))


SELECTION = anat("series.json", desc="selected")
NATIVE = anat("{sequence}.nii.gz")
N4 = anat("{sequence}.nii.gz", desc="n4")
BRAIN_REF = anat("mask.nii.gz", space="ref", desc="brain")
BRAIN_ATLAS = anat("mask.nii.gz", space=ATLAS, desc="brain")
IN_REF = anat("{sequence}.nii.gz", space="ref")
IN_ATLAS = anat("{sequence}.nii.gz", space=ATLAS, desc="brain")
REFERENCE = anat("dseg.nii.gz", space=ATLAS, desc="reference")
NORMALISED = anat("{sequence}.nii.gz", space=ATLAS, desc="norm")
TO_REF = transform("{sequence}", "ref")
TO_FIRST = transform("ref", "first")
TO_ATLAS = transform("ref", ATLAS)
MEMBERS = seg("members", space=ATLAS, model="{model}")
EXTERNAL = seg("members", space=ATLAS, source="{external}")
BATCH = "results/{cohort}/members/{model}_batch-{batch}"
PROBABILITY = seg("probseg.nii.gz", space=ATLAS)
CALIBRATED = seg("probseg.nii.gz", space=ATLAS, desc="calibrated")
LABELS_ATLAS = seg("dseg.nii.gz", space=ATLAS)
LABELS_REF = seg("dseg.nii.gz", space="ref")
UNSURE_ATLAS = seg("uncertainty.nii.gz", space=ATLAS)
UNSURE_REF = seg("uncertainty.nii.gz", space="ref")
UNCERTAINTY_MAPS = [seg("uncertainty.nii.gz", space=ATLAS, desc=name.replace("_", "")) for name in LARGEST]
UNCERTAINTY_NUMBERS = seg("uncertainty.json", desc="members")
ATLAS_BRAIN = f"resources/atlas/{ATLAS}_T1w.nii.gz"
ATLAS_MASK = f"resources/atlas/{ATLAS}_desc-brain_mask.nii.gz"
FIELD = anat("xfm.nii.gz", desc="syn", **{"from": "ref", "to": "first", "mode": "image"})
