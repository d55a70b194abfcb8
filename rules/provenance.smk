rule provenance:
    input:
        provenance_outputs,


rule dataset_description:
    output:
        description="results/{cohort}/dataset_description.json",
        ignored="results/{cohort}/.bidsignore",
        readme="results/{cohort}/README",
        labels="results/{cohort}/dseg.tsv",
    log:
        "logs/dataset_description/{cohort}.log",
    localrule: True
    conda:
        "../envs/imaging.yaml"
    params:
        name="{cohort}",
        facts=dataset_facts,
    script:
        "../scripts/dataset_description.py"


rule provenance_cohort:
    output:
        PROVENANCE,
    log:
        "logs/provenance_cohort/{cohort}.log",
    benchmark:
        "benchmarks/provenance_cohort/{cohort}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        name="{cohort}",
        names=names_of_inputs,
        kept=KEPT_BY_SNAKEMAKE,
        state=results_now,
    script:
        "../scripts/provenance_cohort.py"
