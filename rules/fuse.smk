rule fuse:
    input:
        members=members_of,
        mask=BRAIN_ATLAS,
    output:
        probability=PROBABILITY,
        labels=LABELS_ATLAS,
        sidecars=[sidecar(PROBABILITY), sidecar(LABELS_ATLAS)],
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
        decoding={key: config["segment"][key] for key in ("threshold", "min_component_voxels")},
        method=config["fuse"]["method"],
    script:
        "../scripts/fuse.py"


rule labels_ref:
    input:
        probability=PROBABILITY,
        grid=of_reference(NATIVE),
        mask=BRAIN_REF,
        to_atlas=TO_ATLAS,
    output:
        labels=LABELS_REF,
        sidecar=sidecar(LABELS_REF),
        volumes=seg("volumes.tsv"),
        dictionary=seg("volumes.json"),
    log:
        log_path("labels_ref"),
    benchmark:
        benchmark_path("labels_ref")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        name=job_name,
        regions=model_regions,
        facts=model_facts,
        decoding={key: config["segment"][key] for key in ("threshold", "min_component_voxels")},
    script:
        "../scripts/labels_ref.py"
