rule habitats:
    input:
        habitats_outputs,


rule habitats_sample:
    input:
        maps=habitat_maps,
        labels=LABELS_ATLAS,
    output:
        temp(HABITAT_SAMPLE),
    log:
        log_path("habitats_sample"),
    benchmark:
        benchmark_path("habitats_sample")
    conda:
        "../envs/habitats.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        name=job_name,
        maps=HABITAT_MAPS,
        settings={**habitat_settings("region", "patch_voxels", "voxels"), "seed": config["seed"]},
    script:
        "../scripts/habitats_sample.py"


rule habitats_fit:
    input:
        samples=habitat_samples,
        participants=habitat_outcomes,
    output:
        model=HABITAT_MODEL,
        tables=[fitted_habitats(name) for name in ("trials", "stability")],
        dictionaries=[f"results/habitats/{name}.json" for name in ("trials", "stability")],
    log:
        "logs/habitats_fit/habitats.log",
    benchmark:
        "benchmarks/habitats_fit/habitats.tsv"
    conda:
        "../envs/habitats.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        maps=HABITAT_MAPS,
        subjects=habitat_subjects,
        settings=search_settings(),
        vectors=habitat_settings("region", "patch_voxels", "least_voxels"),
    script:
        "../scripts/habitats_fit.py"


rule habitats_map:
    input:
        maps=habitat_maps,
        labels=LABELS_ATLAS,
        model=habitat_model,
    output:
        image=HABITAT_LABELS,
        sidecar=sidecar(HABITAT_LABELS),
        table=HABITAT_TABLE,
        dictionary=data_dictionary(HABITAT_TABLE),
    log:
        log_path("habitats_map"),
    benchmark:
        benchmark_path("habitats_map")
    conda:
        "../envs/habitats.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        name=job_name,
        maps=HABITAT_MAPS,
        sources=habitat_sources,
        space=ATLAS,
    script:
        "../scripts/habitats_map.py"


rule habitats_cohort:
    input:
        of_habitats(HABITAT_TABLE),
    output:
        table=cohort_result(COHORT_HABITATS, "habitats_table", "Habitats of cohorts"),
        dictionary=data_dictionary(COHORT_HABITATS),
    log:
        "logs/habitats_cohort/{cohort}.log",
    benchmark:
        "benchmarks/habitats_cohort/{cohort}.tsv"
    conda:
        "../envs/habitats.yaml"
    resources:
        mem_mb=memory(500),
        runtime=10,
    params:
        name="{cohort}",
    script:
        "../scripts/habitats_cohort.py"


rule habitats_join:
    input:
        features=COHORT_FEATURES,
        habitats=COHORT_HABITATS,
    output:
        table=cohort_result(WITH_HABITATS, "habitats_table", "Habitats of cohorts"),
        dictionary=data_dictionary(WITH_HABITATS),
    log:
        "logs/habitats_join/{cohort}.log",
    benchmark:
        "benchmarks/habitats_join/{cohort}.tsv"
    conda:
        "../envs/habitats.yaml"
    resources:
        mem_mb=memory(500),
        runtime=10,
    params:
        name="{cohort}",
    script:
        "../scripts/habitats_join.py"


rule qc_habitats:
    input:
        maps=habitat_maps,
        habitats=HABITAT_LABELS,
        sidecar=sidecar(HABITAT_LABELS),
        brain=BRAIN_ATLAS,
    output:
        picture("habitats", "habitats", "Habitats"),
    log:
        log_path("qc_habitats"),
    benchmark:
        benchmark_path("qc_habitats")
    conda:
        "../envs/habitats.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        name=job_name,
        maps=HABITAT_MAPS,
        dpi=config["report"]["dpi"],
    script:
        "../scripts/qc_habitats.py"
