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
    resources:
        mem_mb=memory(2000, 70),
        runtime=20,
    params:
        name=job_name,
        kind=coregistration,
        seed=config["seed"],
    script:
        "../scripts/register.py"


rule register_session:
    input:
        fixed=at_first(reference_to_register),
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
    resources:
        mem_mb=memory(2000, 70),
        runtime=20,
    params:
        name=job_name,
        kind="rigid",
        seed=config["seed"],
    script:
        "../scripts/register.py"


rule register_session_syn:
    input:
        fixed=at_first(reference_to_register),
        moving=reference_to_register,
        fixed_mask=of_first(BRAIN_REF),
        moving_mask=BRAIN_REF,
        fixed_labels=of_first(seg("dseg.nii.gz", space="ref")),
        moving_labels=seg("dseg.nii.gz", space="ref"),
        start=TO_FIRST,
    output:
        field=FIELD,
        sidecar=sidecar(FIELD),
    log:
        log_path("register_session_syn"),
    benchmark:
        benchmark_path("register_session_syn")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(4000, 150),
        runtime=60,
    params:
        name=job_name,
        seed=config["seed"],
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
    resources:
        mem_mb=memory(2000, 35),
        runtime=20,
    params:
        name=job_name,
        kind=atlas_registration,
        seed=config["seed"],
    script:
        "../scripts/register_atlas.py"
