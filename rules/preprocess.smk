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
    resources:
        mem_mb=memory(1500, 30),
        runtime=20,
    params:
        name=job_name,
        settings=PREPROCESS["n4_settings"],
    script:
        "../scripts/n4.py"


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
        "../envs/network.yaml"
    threads: brain_threads
    resources:
        mem_mb=memory(3000, 50),
        runtime=30,
        gpu=brain_gpu,
    params:
        name=job_name,
        method=brain_method,
        model=brain_entry,
        given_cell=given_mask_cell,
        sequences=lambda wildcards: session_of(wildcards).expected,
        reference=reference,
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
    resources:
        mem_mb=memory(1500, 40),
        runtime=10,
    params:
        name=job_name,
    script:
        "../scripts/brain_mask_native.py"


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
    resources:
        mem_mb=memory(1500, 35),
        runtime=10,
    params:
        name=job_name,
        interpolation=PREPROCESS["interpolation"],
    script:
        "../scripts/resample_ref.py"


rule brain_mask_atlas:
    input:
        mask=BRAIN_REF,
        grid=ATLAS_BRAIN,
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
    resources:
        mem_mb=memory(1500, 30),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
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
    resources:
        mem_mb=memory(1500, 10),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        n4=lambda wildcards: PREPROCESS["n4"][wildcards.sequence],
        interpolation=PREPROCESS["interpolation"],
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
    resources:
        mem_mb=memory(1500),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        method=PREPROCESS["normalisation"]["method"],
        percentiles=PREPROCESS["normalisation"]["percentiles"],
    script:
        "../scripts/normalise.py"


rule reference_atlas:
    input:
        label=given_label,
        mask=BRAIN_ATLAS,
        to_atlas=TO_ATLAS,
        grid=of_reference(NATIVE),
    output:
        labels=REFERENCE,
        sidecar=sidecar(REFERENCE),
    log:
        log_path("reference_atlas"),
    benchmark:
        benchmark_path("reference_atlas")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 40),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        values=label_values,
        cell=lambda wildcards: cell_name(session_of(wildcards), "label"),
    script:
        "../scripts/reference_atlas.py"
