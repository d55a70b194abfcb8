rule uncertainty:
    input:
        members=members_of,
        mask=BRAIN_ATLAS,
    output:
        maps=UNCERTAINTY_MAPS,
        sidecars=[sidecar(path) for path in UNCERTAINTY_MAPS],
        numbers=UNCERTAINTY_NUMBERS,
    log:
        log_path("uncertainty"),
    benchmark:
        benchmark_path("uncertainty")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=20,
    params:
        name=job_name,
        space=ATLAS,
        regions=model_regions,
        sources=sources_within,
    script:
        "../scripts/uncertainty.py"


rule review:
    input:
        maps=UNCERTAINTY_MAPS,
        numbers=UNCERTAINTY_NUMBERS,
        labels=LABELS_ATLAS,
        masks=[BRAIN_ATLAS, BRAIN_REF],
        to_atlas=TO_ATLAS,
    output:
        combined=UNSURE_ATLAS,
        ref=UNSURE_REF,
        sidecars=[sidecar(UNSURE_ATLAS), sidecar(UNSURE_REF)],
        table=seg("uncertainty.tsv"),
        dictionary=seg("uncertainty.json"),
    log:
        log_path("review"),
    benchmark:
        benchmark_path("review")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 50),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        settings=config["uncertainty"],
    script:
        "../scripts/review.py"


rule qc_uncertainty:
    input:
        images=of_sequences(IN_REF),
        mask=BRAIN_REF,
        labels=LABELS_REF,
        uncertainty=UNSURE_REF,
        table=seg("uncertainty.tsv"),
    output:
        picture("uncertainty", "uncertainty", "Uncertainty"),
    log:
        log_path("qc_uncertainty"),
    benchmark:
        benchmark_path("qc_uncertainty")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 50),
        runtime=10,
    params:
        name=job_name,
        sequences=lambda wildcards: session_of(wildcards).expected,
        regions=model_regions,
        facts=model_facts,
        dpi=config["report"]["dpi"],
    script:
        "../scripts/qc_uncertainty.py"
