rule growth:
    input:
        growth_outputs,


rule growth_space:
    input:
        mask=BRAIN_REF,
        labels=grown_labels,
        grid=of_reference(NATIVE),
    output:
        mask=GROWTH_BRAIN,
        labels=GROWTH_LABELS,
        sidecars=[sidecar(path) for path in (GROWTH_BRAIN, GROWTH_LABELS)],
    log:
        log_path("growth_space"),
    benchmark:
        benchmark_path("growth_space")
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(2000, 40),
        runtime=10,
    params:
        name=job_name,
        resolution_mm=GROWTH["resolution_mm"],
        values=grown_values,
        cell=grown_cell,
    script:
        "../scripts/growth_space.py"


rule growth_image:
    input:
        image=IN_REF,
        mask=GROWTH_BRAIN,
    output:
        image=GROWTH_IMAGE,
        sidecar=sidecar(GROWTH_IMAGE),
    log:
        log_path("growth_image", "{sequence}"),
    benchmark:
        benchmark_path("growth_image", "{sequence}")
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(2000, 40),
        runtime=10,
    params:
        name=job_name,
    script:
        "../scripts/growth_image.py"


rule growth_tissue:
    input:
        images=of_tissue_sequences,
        mask=GROWTH_BRAIN,
        labels=GROWTH_LABELS,
    output:
        maps=TISSUE,
        warp=FROM_ATLAS,
        sidecars=[sidecar(path) for path in TISSUE],
    log:
        log_path("growth_tissue"),
    benchmark:
        benchmark_path("growth_tissue")
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        name=job_name,
        method=GROWTH["tissue"]["method"],
        files=tissue_sources,
        space=ATLAS,
        seed=config["seed"],
    script:
        "../scripts/growth_tissue.py"


rule growth_diffusion:
    input:
        source=diffusion_source,
        image=of_reference(IN_REF),
        mask=GROWTH_BRAIN,
        warp=FROM_ATLAS,
    output:
        maps=DIFFUSION,
        sidecars=[sidecar(path) for path in DIFFUSION],
    log:
        log_path("growth_diffusion"),
    benchmark:
        benchmark_path("growth_diffusion")
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        name=job_name,
        measured=lambda wildcards: session_of(wildcards).dwi is not None,
        cell=lambda wildcards: cell_name(session_of(wildcards), "dwi"),
        seed=config["seed"],
    script:
        "../scripts/growth_diffusion.py"


rule growth_fit:
    input:
        tissue=TISSUE,
        diffusion=diffusion_maps,
        mask=GROWTH_BRAIN,
        labels=GROWTH_LABELS,
    output:
        fit=FIT,
        invasion=INVASION,
        density=[DENSITY] if gives_density() else [],
        sidecars=[sidecar(path) for path in (*INVASION, *([DENSITY] if gives_density() else []))],
    log:
        log_path("growth_fit"),
    benchmark:
        benchmark_path("growth_fit")
    conda:
        "../envs/growth.yaml"
    threads: GROWTH["threads"]
    resources:
        mem_mb=memory(4000),
        runtime=120,
    params:
        name=job_name,
        settings=growth_settings(),
        seed=config["seed"],
    script:
        "../scripts/growth_fit.py"


rule growth_plans:
    input:
        invasion=INVASION[0],
        mask=GROWTH_BRAIN,
        labels=GROWTH_LABELS,
        csf=TISSUE[2],
    output:
        standard=STANDARD_PLANS,
        model=MODEL_PLAN,
        sidecars=[sidecar(path) for path in (*STANDARD_PLANS, MODEL_PLAN)],
    log:
        log_path("growth_plans"),
    benchmark:
        benchmark_path("growth_plans")
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=20,
    params:
        name=job_name,
        margins_mm=GROWTH["margins_mm"],
    script:
        "../scripts/growth_plans.py"


rule qc_growth:
    input:
        image=of_growth_reference,
        mask=GROWTH_BRAIN,
        labels=GROWTH_LABELS,
        invasion=INVASION,
        plans=[STANDARD_PLANS[0], MODEL_PLAN],
        fit=FIT,
    output:
        picture("growth", "growth", "Growth"),
    log:
        log_path("qc_growth"),
    benchmark:
        benchmark_path("qc_growth")
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        name=job_name,
        dpi=config["report"]["dpi"],
    script:
        "../scripts/qc_growth.py"
