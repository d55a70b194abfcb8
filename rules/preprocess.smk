PREPROCESS = config["preprocess"]
NATIVE = anat("{sequence}.nii.gz")
N4 = anat("{sequence}.nii.gz", desc="n4")
BRAIN_REF = anat("mask.nii.gz", space="ref", desc="brain")
BRAIN_ATLAS = anat("mask.nii.gz", space=ATLAS, desc="brain")
IN_REF = anat("{sequence}.nii.gz", space="ref")
IN_ATLAS = anat("{sequence}.nii.gz", space=ATLAS, desc="brain")
NORMALISED = anat("{sequence}.nii.gz", space=ATLAS, desc="norm")
TO_REF = transform("{sequence}", "ref")
TO_FIRST = transform("ref", "first")
TO_ATLAS = transform("ref", ATLAS)


def sidecar(image):
    """Path of an image's sidecar."""
    return image.replace(".nii.gz", ".json")


# --- which image, which method ---------------------------------------------------------------------------


def registration_image(sequence):
    """What registration and brain extraction look at: the corrected copy, unless N4 is off."""
    return NATIVE if PREPROCESS["n4"][sequence] == "off" else N4


def to_register(wildcards):
    return fill(registration_image(wildcards.sequence), wildcards)


def reference_to_register(wildcards):
    sequence = reference(wildcards)
    return fill(registration_image(sequence), wildcards, sequence=sequence)


def first_to_register(wildcards):
    entry = FIRST[wildcards.cohort, wildcards.subject]
    pattern = registration_image(entry.reference)
    return fill(pattern, wildcards, session=entry.session, sequence=entry.reference)


def all_to_register(wildcards):
    return [
        fill(registration_image(sequence), wildcards, sequence=sequence)
        for sequence in session_of(wildcards).expected
    ]


def to_resample(wildcards):
    """The image whose intensities go on: corrected only where N4 is to be applied."""
    applied = PREPROCESS["n4"][wildcards.sequence] == "apply"
    return fill(N4 if applied else NATIVE, wildcards)


def coregistration(wildcards):
    """How a sequence comes to the reference: rigid, or not at all where both share a grid."""
    aligned = session_of(wildcards).registered != "none"
    return "none" if aligned or wildcards.sequence == reference(wildcards) else "rigid"


def atlas_registration(wildcards):
    return "none" if session_of(wildcards).registered == "atlas" else PREPROCESS["atlas_transform"]


def brain_method(wildcards):
    """How the brain is found: the sheet's mask, else stripped scans, else the method of the config."""
    entry = session_of(wildcards)
    if entry.brain_mask:
        return "given"
    return "stripped" if entry.stripped else PREPROCESS["brain_extraction"]["method"]


def given_mask(wildcards):
    mask = session_of(wildcards).brain_mask
    return [str(mask)] if mask else []


def brain_weights(wildcards):
    return [hdbet_folder()] if brain_method(wildcards) == "hd-bet" else []


def brain_gpu(wildcards):
    return int(brain_method(wildcards) == "hd-bet")


def atlas_inputs(wildcards):
    """For a first session the brain and the atlas; later ones follow the first."""
    if is_first(wildcards):
        return {"atlas": rules.atlas.output.brain}
    return {
        "to_first": fill(TO_FIRST, wildcards),
        "first_to_atlas": fill(TO_ATLAS, wildcards, session=first_session(wildcards)),
    }


def reference_image(wildcards):
    normalisation = PREPROCESS["normalisation"]
    return [str(find_path(normalisation["reference"]))] if normalisation["method"] == "histogram" else []


if workflow.is_main_process and any(map(brain_gpu, SESSIONS.values())):
    require_hdbet()


# --- rules -----------------------------------------------------------------------------------------------


rule n4:
    input:
        NATIVE,
    output:
        image=N4,
        sidecar=sidecar(N4),
    log:
        log_path("n4", "{sequence}"),
    benchmark:
        benchmark_path("n4", "{sequence}")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        settings=PREPROCESS["n4_settings"],
    resources:
        mem_mb=memory(1500),
        runtime=20,
    script:
        "../scripts/n4.py"


rule coregister:
    input:
        fixed=reference_to_register,
        moving=to_register,
    output:
        transform=TO_REF,
        report=TO_REF.replace(".tfm", ".json"),
    log:
        log_path("coregister", "{sequence}"),
    benchmark:
        benchmark_path("coregister", "{sequence}")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        kind=coregistration,
        seed=config["seed"],
    resources:
        mem_mb=memory(2000),
        runtime=20,
    script:
        "../scripts/register.py"


rule brain_mask:
    input:
        images=all_to_register,
        transforms=of_sequences(TO_REF),
        given=given_mask,
        weights=brain_weights,
    output:
        mask=BRAIN_REF,
        sidecar=sidecar(BRAIN_REF),
    log:
        log_path("brain_mask"),
    benchmark:
        benchmark_path("brain_mask")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        method=brain_method,
        sequences=lambda wildcards: session_of(wildcards).expected,
        reference=reference,
    resources:
        mem_mb=memory(3000),
        runtime=30,
        gpu=brain_gpu,
    script:
        "../scripts/brain_mask.py"


rule brain_mask_native:
    input:
        mask=BRAIN_REF,
        grid=NATIVE,
        to_ref=TO_REF,
    output:
        mask=anat("mask.nii.gz", space="{sequence}", desc="brain"),
        sidecar=anat("mask.json", space="{sequence}", desc="brain"),
    log:
        log_path("brain_mask_native", "{sequence}"),
    benchmark:
        benchmark_path("brain_mask_native", "{sequence}")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
    resources:
        mem_mb=memory(1500),
        runtime=10,
    script:
        "../scripts/brain_mask_native.py"


rule register_session:
    input:
        fixed=first_to_register,
        moving=reference_to_register,
        fixed_mask=of_first(BRAIN_REF),
        moving_mask=BRAIN_REF,
    output:
        transform=TO_FIRST,
        report=TO_FIRST.replace(".tfm", ".json"),
    log:
        log_path("register_session"),
    benchmark:
        benchmark_path("register_session")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        kind="rigid",
        seed=config["seed"],
    resources:
        mem_mb=memory(2000),
        runtime=20,
    script:
        "../scripts/register.py"


rule register_session_syn:
    input:
        fixed=first_to_register,
        moving=reference_to_register,
        fixed_mask=of_first(BRAIN_REF),
        moving_mask=BRAIN_REF,
        fixed_labels=of_first(seg("dseg.nii.gz", space="ref")),
        moving_labels=seg("dseg.nii.gz", space="ref"),
        start=TO_FIRST,
    output:
        field=anat("xfm.nii.gz", **{"from": "ref", "to": "first", "mode": "image"}),
    log:
        log_path("register_session_syn"),
    benchmark:
        benchmark_path("register_session_syn")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        seed=config["seed"],
    resources:
        mem_mb=memory(4000),
        runtime=60,
    script:
        "../scripts/register_session_syn.py"


rule register_atlas:
    input:
        unpack(atlas_inputs),
        image=reference_to_register,
        mask=BRAIN_REF,
    output:
        transform=TO_ATLAS,
        report=TO_ATLAS.replace(".tfm", ".json"),
    log:
        log_path("register_atlas"),
    benchmark:
        benchmark_path("register_atlas")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        kind=atlas_registration,
        seed=config["seed"],
    resources:
        mem_mb=memory(2000),
        runtime=20,
    script:
        "../scripts/register_atlas.py"


rule resample_ref:
    input:
        image=to_resample,
        grid=of_reference(NATIVE),
        to_ref=TO_REF,
    output:
        image=IN_REF,
        sidecar=sidecar(IN_REF),
    log:
        log_path("resample_ref", "{sequence}"),
    benchmark:
        benchmark_path("resample_ref", "{sequence}")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        interpolation=PREPROCESS["interpolation"],
    resources:
        mem_mb=memory(1500),
        runtime=10,
    script:
        "../scripts/resample_ref.py"


rule brain_mask_atlas:
    input:
        mask=BRAIN_REF,
        grid=rules.atlas.output.brain,
        to_atlas=TO_ATLAS,
    output:
        mask=BRAIN_ATLAS,
        sidecar=sidecar(BRAIN_ATLAS),
    log:
        log_path("brain_mask_atlas"),
    benchmark:
        benchmark_path("brain_mask_atlas")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        space=ATLAS,
    resources:
        mem_mb=memory(1500),
        runtime=10,
    script:
        "../scripts/brain_mask_atlas.py"


rule resample_atlas:
    input:
        image=to_resample,
        mask=BRAIN_ATLAS,
        to_ref=TO_REF,
        to_atlas=TO_ATLAS,
    output:
        image=IN_ATLAS,
        sidecar=sidecar(IN_ATLAS),
    log:
        log_path("resample_atlas", "{sequence}"),
    benchmark:
        benchmark_path("resample_atlas", "{sequence}")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        space=ATLAS,
        n4=lambda wildcards: PREPROCESS["n4"][wildcards.sequence],
        interpolation=PREPROCESS["interpolation"],
    resources:
        mem_mb=memory(1500),
        runtime=10,
    script:
        "../scripts/resample_atlas.py"


rule normalise:
    input:
        image=IN_ATLAS,
        mask=BRAIN_ATLAS,
        reference=reference_image,
    output:
        image=NORMALISED,
        sidecar=sidecar(NORMALISED),
    log:
        log_path("normalise", "{sequence}"),
    benchmark:
        benchmark_path("normalise", "{sequence}")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        space=ATLAS,
        method=PREPROCESS["normalisation"]["method"],
        percentiles=PREPROCESS["normalisation"]["percentiles"],
    resources:
        mem_mb=memory(1500),
        runtime=10,
    script:
        "../scripts/normalise.py"
