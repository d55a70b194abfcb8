rule segment:
    input:
        images=model_images,
        mask=BRAIN_ATLAS,
    output:
        members=temp(directory(MEMBERS)),
    log:
        log_path("segment", "{model}"),
    benchmark:
        benchmark_path("segment", "{model}")
    conda:
        "../envs/network.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=30,
        gpu=model_gpu,
    params:
        name=job_name,
        space=ATLAS,
        kind=lambda wildcards: model_named(wildcards).kind,
        sequences=lambda wildcards: model_named(wildcards).sequences,
        regions=lambda wildcards: model_named(wildcards).regions,
        settings=model_settings,
    script:
        "../scripts/segment.py"
