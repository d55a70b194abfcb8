def model_named(wildcards):
    return next(model for model in MODELS.segmentation if model.name == wildcards.model)


def model_images(wildcards):
    """The sequences that a model needs, in its order, on the atlas grid."""
    return [fill(IN_ATLAS, wildcards, sequence=s) for s in model_named(wildcards).sequences]


def model_gpu(wildcards):
    return int(model_named(wildcards).gpu)


def model_settings(wildcards):
    """The section of the config for the model's kind."""
    return config["segment"].get(model_named(wildcards).kind, {})


MEMBERS = seg("members", space=ATLAS, model="{model}")


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
        "../envs/imaging.yaml"
    params:
        name=job_name,
        space=ATLAS,
        kind=lambda wildcards: model_named(wildcards).kind,
        sequences=lambda wildcards: model_named(wildcards).sequences,
        regions=lambda wildcards: model_named(wildcards).regions,
        settings=model_settings,
    resources:
        mem_mb=memory(3000),
        runtime=30,
        gpu=model_gpu,
    script:
        "../scripts/segment.py"
