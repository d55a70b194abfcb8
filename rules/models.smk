FETCHED_HDBET = "resources/fetched/hd-bet"


def hdbet_folder():
    """The folder of HD-BET's weights: the one that `fetch_hdbet` makes, or the config's."""
    folder = config["preprocess"]["brain_extraction"]["weights"]
    return folder if folder == FETCHED_HDBET else str(find_path(folder))


def atlas_source():
    """The atlas file that the config names; none for the bundled one."""
    path = config["atlas"]["path"]
    return [str(find_path(path))] if path else []


def hdbet_release():
    """The entry of the model table for HD-BET's weights."""
    return next(w for w in MODELS.brain_extraction if w.name == "hd-bet")


def require_hdbet():
    """Stop before any job where the weights are missing and no rule can fetch them."""
    if hdbet_folder() == FETCHED_HDBET and hdbet_release().sha256:
        return
    try:
        check_weights(Path(hdbet_folder()))
    except ConfigError as error:
        raise WorkflowError(str(error)) from None


rule atlas:
    input:
        atlas_source(),
    output:
        brain=f"resources/atlas/{ATLAS}_T1w.nii.gz",
        mask=f"resources/atlas/{ATLAS}_desc-brain_mask.nii.gz",
        sidecars=[
            f"resources/atlas/{ATLAS}_T1w.json",
            f"resources/atlas/{ATLAS}_desc-brain_mask.json",
        ],
    log:
        "logs/atlas/atlas.log",
    benchmark:
        "benchmarks/atlas/atlas.tsv"
    conda:
        "../envs/imaging.yaml"
    params:
        name=f"atlas {ATLAS}",
        resolution=config["atlas"]["resolution"],
        space=ATLAS,
    resources:
        mem_mb=memory(1500),
        runtime=10,
    script:
        "../scripts/atlas.py"


rule fetch_hdbet:
    output:
        directory(FETCHED_HDBET),
    log:
        "logs/fetch_hdbet/fetch_hdbet.log",
    conda:
        "../envs/imaging.yaml"
    params:
        name="fetch_hdbet",
        url=hdbet_release().url,
        sha256=hdbet_release().sha256,
    localrule: True
    script:
        "../scripts/fetch_hdbet.py"
