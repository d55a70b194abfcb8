rule usage:
    output:
        table="results/usage.tsv",
        dictionary="results/usage.json",
        profile="results/usage.yaml",
    log:
        "logs/usage/usage.log",
    localrule: True
    conda:
        "../envs/imaging.yaml"
    params:
        name="usage",
        measured="benchmarks",
        state=lambda wildcards: state_of(Path("benchmarks")),
        asked=asked_of_rules,
    script:
        "../scripts/usage.py"
