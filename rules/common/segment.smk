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


def members_of(wildcards):
    """The members of the session's model."""
    return fill(MEMBERS, wildcards, model=model_of(session_of(wildcards)).name)


def model_facts(wildcards):
    """What the outputs say of the model."""
    model = model_of(session_of(wildcards))
    return {
        "Model": model.name,
        "ModelDescription": model.description,
        "ModelSha256": model.sha256,
        "ModelSettings": config["segment"].get(model.kind, {}),
        "Licence": model.licence,
    }


def model_regions(wildcards):
    return list(model_of(session_of(wildcards)).regions)
