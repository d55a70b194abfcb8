rule atlas:
    input:
        atlas_source(),
    output:
        brain=ATLAS_BRAIN,
        mask=ATLAS_MASK,
        sidecars=[sidecar(ATLAS_BRAIN), sidecar(ATLAS_MASK)],
    log:
        "logs/atlas/atlas.log",
    benchmark:
        "benchmarks/atlas/atlas.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(1500),
        runtime=10,
    params:
        name=f"atlas {ATLAS}",
        resolution=config["atlas"]["resolution"],
        space=ATLAS,
    script:
        "../scripts/atlas.py"


rule fetch_model:
    output:
        fetched_model("{model}"),
    log:
        "logs/fetch_model/{model}.log",
    localrule: True
    conda:
        "../envs/imaging.yaml"
    params:
        name="fetch_model {model}",
        url=lambda wildcards: fetchable(wildcards).url,
        sha256=lambda wildcards: fetchable(wildcards).sha256,
    script:
        "../scripts/fetch_model.py"


rule fetch_hdbet:
    output:
        directory(FETCHED_HDBET),
    log:
        "logs/fetch_hdbet/fetch_hdbet.log",
    localrule: True
    conda:
        "../envs/imaging.yaml"
    params:
        name="fetch_hdbet",
        url=hdbet_release().url,
        sha256=hdbet_release().sha256,
    script:
        "../scripts/fetch_hdbet.py"
