rule simulate:
    output:
        directory(f"{DEMO}/sub-{{subject}}/ses-{{session}}"),
    log:
        "logs/simulate/sub-{subject}_ses-{session}.log",
    benchmark:
        "benchmarks/simulate/sub-{subject}_ses-{session}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        name="demo/sub-{subject}/ses-{session}",
        seed=config["seed"],
        resolution_mm=config["simulate"]["resolution_mm"],
    script:
        "../scripts/simulate.py"
