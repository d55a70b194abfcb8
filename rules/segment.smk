rule segment:
    input:
        images=model_images,
        mask=BRAIN_ATLAS,
        model=model_files,
    output:
        members=temp(directory(MEMBERS)),
    log:
        log_path("segment", "{model}"),
    benchmark:
        benchmark_path("segment", "{model}")
    conda:
        "../envs/network.yaml"
    threads: model_threads
    resources:
        mem_mb=memory(4000),
        runtime=model_minutes,
        gpu=model_gpu,
    params:
        name=job_name,
        space=ATLAS,
        inputs=model_inputs,
        entry=model_entry,
        settings=model_settings,
    script:
        "../scripts/segment.py"


rule segment_shared:
    input:
        images=batch_images,
        masks=batch_masks,
        model=model_files,
    output:
        members=temp(directory(BATCH)),
    log:
        "logs/segment_shared/{cohort}/{model}_batch-{batch}.log",
    benchmark:
        "benchmarks/segment_shared/{cohort}/{model}_batch-{batch}.tsv"
    conda:
        "../envs/network.yaml"
    threads: model_threads
    resources:
        mem_mb=memory(4000),
        runtime=model_minutes,
        gpu=model_gpu,
    params:
        name="{cohort} {model} batch {batch}",
        space=ATLAS,
        tasks=batch_tasks,
        entry=model_entry,
        settings=model_settings,
    script:
        "../scripts/segment_shared.py"


rule external:
    input:
        labels=external_file,
        grid=external_grid,
        mask=BRAIN_ATLAS,
        to_atlas=TO_ATLAS,
    output:
        members=temp(directory(EXTERNAL)),
    log:
        log_path("external", "{external}"),
    benchmark:
        benchmark_path("external", "{external}")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 40),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        values=lambda wildcards: external_named(wildcards).labels,
        regions=lambda wildcards: external_named(wildcards).regions,
        in_atlas=lambda wildcards: external_named(wildcards).space == "atlas",
    script:
        "../scripts/external.py"
