rule evaluate:
    input:
        label=given_label,
        reference=REFERENCE,
        found=[LABELS_REF, LABELS_ATLAS],
        masks=[BRAIN_REF, BRAIN_ATLAS],
        probability=PROBABILITY,
        calibrated=sidecar(CALIBRATED),
        uncertainty=UNSURE_ATLAS,
    output:
        tables=SCORES,
        dictionaries=[data_dictionary(path) for path in SCORES],
    log:
        log_path("evaluate"),
    benchmark:
        benchmark_path("evaluate")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(3000, 40),
        runtime=20,
    params:
        name=job_name,
        site=site_of,
        values=label_values,
        cell=lambda wildcards: cell_name(session_of(wildcards), "label"),
        regions=model_regions,
        settings=config["evaluate"],
    script:
        "../scripts/evaluate.py"


rule evaluate_cohort:
    input:
        evaluation=of_evaluated(SCORES[0]),
        detection=of_evaluated(SCORES[2]),
        curves=of_evaluated(SCORES[3]),
        counts=of_evaluated(SCORES[4]),
        uncertainty=of_evaluated(seg("uncertainty.tsv")),
    output:
        tables=[cohort_result(path, "evaluation_tables", "Evaluation") for path in COHORT_SCORES],
        dictionaries=[data_dictionary(path) for path in COHORT_SCORES],
        pictures=[cohort_picture(name) for name in COHORT_PICTURES],
    log:
        "logs/evaluate_cohort/{cohort}.log",
    benchmark:
        "benchmarks/evaluate_cohort/{cohort}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        name="{cohort}",
        settings=config["evaluate"],
        seed=config["seed"],
        dpi=config["report"]["dpi"],
    script:
        "../scripts/evaluate_cohort.py"
