rule fuse:
    input:
        members=members_of,
        mask=BRAIN_ATLAS,
    output:
        probability=PROBABILITY,
        calibrated=CALIBRATED,
        sidecars=[sidecar(PROBABILITY), sidecar(CALIBRATED)],
    log:
        log_path("fuse"),
    benchmark:
        benchmark_path("fuse")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=20,
    params:
        name=job_name,
        space=ATLAS,
        regions=model_regions,
        facts=model_facts,
        sources=sources_within,
        settings=config["fuse"],
    script:
        "../scripts/fuse.py"


rule labels:
    input:
        probability=PROBABILITY,
        fused=sidecar(PROBABILITY),
        masks=[BRAIN_ATLAS, BRAIN_REF],
        to_atlas=TO_ATLAS,
    output:
        atlas=LABELS_ATLAS,
        ref=LABELS_REF,
        sidecars=[sidecar(LABELS_ATLAS), sidecar(LABELS_REF)],
        volumes=seg("volumes.tsv"),
        dictionary=seg("volumes.json"),
    log:
        log_path("labels"),
    benchmark:
        benchmark_path("labels")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        postprocess=postprocess_layers,
        about=model_about,
    script:
        "../scripts/labels.py"
