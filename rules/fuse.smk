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
    wildcard_constraints:
        cohort=cohort_of_sessions(EDITS, others=True),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(3000, 50),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        postprocess=postprocess_layers,
        about=model_about,
    script:
        "../scripts/labels.py"


use rule labels as labels_automatic with:
    output:
        atlas=AUTO_ATLAS,
        ref=AUTO_REF,
        sidecars=[sidecar(AUTO_ATLAS), sidecar(AUTO_REF)],
        volumes=seg("volumes.tsv", desc="auto"),
        dictionary=seg("volumes.json", desc="auto"),
    log:
        log_path("labels_automatic"),
    benchmark:
        benchmark_path("labels_automatic")
    wildcard_constraints:
        cohort=cohort_of_sessions(EDITS, others=False),


rule labels_edited:
    input:
        edited=edited_file,
        automatic=AUTO_REF,
        facts=[sidecar(AUTO_ATLAS), sidecar(AUTO_REF)],
        masks=[BRAIN_ATLAS, BRAIN_REF],
        to_atlas=TO_ATLAS,
    output:
        atlas=LABELS_ATLAS,
        ref=LABELS_REF,
        sidecars=[sidecar(LABELS_ATLAS), sidecar(LABELS_REF)],
        volumes=seg("volumes.tsv"),
        dictionary=seg("volumes.json"),
    log:
        log_path("labels_edited"),
    benchmark:
        benchmark_path("labels_edited")
    wildcard_constraints:
        cohort=cohort_of_sessions(EDITS, others=False),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(3000, 50),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        cell=edited_cell,
        review=edit_facts,
    script:
        "../scripts/labels_edited.py"
