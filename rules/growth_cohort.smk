rule growth_experiment:
    input:
        experiment_outputs,


rule growth_experiment_cohort:
    input:
        of_follow_ups(SETTINGS_TRIED, last_follow_ups),
    output:
        tables=[cohort_result(path, "growth_tables", "Growth of cohorts") for path in EXPERIMENT],
        dictionaries=[data_dictionary(path) for path in EXPERIMENT],
        picture=cohort_growth_picture("experiment"),
    log:
        "logs/growth_experiment_cohort/{cohort}.log",
    benchmark:
        "benchmarks/growth_experiment_cohort/{cohort}.tsv"
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=10,
    params:
        name="{cohort}",
    script:
        "../scripts/growth_experiment_cohort.py"


rule growth_cohort:
    input:
        ranking=of_follow_ups(RANKING[0]),
        coverage=of_follow_ups(RANKING[2]),
    output:
        tables=[cohort_result(path, "growth_tables", "Growth of cohorts") for path in COVERAGE_OF_COHORT],
        dictionaries=[data_dictionary(path) for path in COVERAGE_OF_COHORT],
        picture=cohort_growth_picture("coverage"),
    log:
        "logs/growth_cohort/{cohort}.log",
    benchmark:
        "benchmarks/growth_cohort/{cohort}.tsv"
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=10,
    params:
        name="{cohort}",
        seed=config["seed"],
        resamples=config["evaluate"]["resamples"],
    script:
        "../scripts/growth_cohort.py"
