FETCHED_HDBET = "resources/fetched/hd-bet"
PREPROCESS = config["preprocess"]


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
    return next(entry for entry in MODELS.brain_extraction if entry.kind == "hd-bet")


def brain_network():
    """The entry of the model table for the network that finds the brain."""
    return brain_model(MODELS, PREPROCESS["brain_extraction"]["model"])


def fetchable(wildcards):
    """The entry of the model table that a fetched package belongs to."""
    entries = (*MODELS.segmentation, *MODELS.brain_extraction)
    return next(entry for entry in entries if entry.name == wildcards.model)


def require_brain_extraction():
    """Stop before any job where a network is needed whose weights are missing, and no rule can fetch them."""
    methods = set(map(brain_method, SESSIONS.values()))
    fetched = hdbet_folder() == FETCHED_HDBET and hdbet_release().sha256
    try:
        if "hd-bet" in methods and not fetched:
            check_weights(Path(hdbet_folder()))
        if "network" in methods:
            check_brain_model(brain_network())
    except ConfigError as error:
        raise WorkflowError(str(error)) from None


def sidecar(image):
    """Path of an image's sidecar."""
    return image.replace(".nii.gz", ".json")


def registration_image(sequence):
    """What registration and brain extraction look at: the corrected copy, unless N4 is off."""
    return NATIVE if PREPROCESS["n4"][sequence] == "off" else N4


def to_register(wildcards):
    return fill(registration_image(wildcards.sequence), wildcards)


def reference_to_register(wildcards):
    sequence = reference(wildcards)
    return fill(registration_image(sequence), wildcards, sequence=sequence)


def all_to_register(wildcards):
    return [
        fill(registration_image(sequence), wildcards, sequence=sequence)
        for sequence in session_of(wildcards).expected
    ]


def to_resample(wildcards):
    """The image whose intensities go on: corrected only where N4 is to be applied."""
    applied = PREPROCESS["n4"][wildcards.sequence] == "apply"
    return fill(N4 if applied else NATIVE, wildcards)


def coregistration(wildcards):
    """How a sequence comes to the reference: rigid, or not at all where both share a grid."""
    aligned = session_of(wildcards).registered != "none"
    return "none" if aligned or wildcards.sequence == reference(wildcards) else "rigid"


def atlas_registration(wildcards):
    return "none" if session_of(wildcards).registered == "atlas" else PREPROCESS["atlas_transform"]


def brain_method(wildcards):
    """How the brain is found: the sheet's mask, else stripped scans, else the method of the config."""
    entry = session_of(wildcards)
    if entry.brain_mask:
        return "given"
    return "stripped" if entry.stripped else PREPROCESS["brain_extraction"]["method"]


def given_mask(wildcards):
    mask = session_of(wildcards).brain_mask
    return [made_or_given(mask)] if mask else []


def given_mask_cell(wildcards):
    """What the sidecar says of a mask that the sheet names: its cell, not its path."""
    entry = session_of(wildcards)
    return [cell_name(entry, "brain_mask")] if entry.brain_mask else []


def brain_weights(wildcards):
    """The folder or package of the network that finds the brain, where one does."""
    method = brain_method(wildcards)
    if method == "network":
        return [model_file(brain_network())]
    return [hdbet_folder()] if method == "hd-bet" else []


def brain_entry(wildcards):
    """What the network's entry in the model table says, as plain values."""
    if brain_method(wildcards) != "network":
        return None
    return {key: getattr(brain_network(), key) for key in ("name", "sha256", "gpu")}


def brain_gpu(wildcards):
    method = brain_method(wildcards)
    return int(method == "hd-bet" or method == "network" and brain_network().gpu)


def brain_threads(wildcards):
    by_network = brain_method(wildcards) in ("hd-bet", "network")
    return PREPROCESS["brain_extraction"]["threads"] if by_network else 1


def atlas_inputs(wildcards):
    """For a first session, or where scans lie on the atlas grid, the atlas; later ones follow the first."""
    if is_first(wildcards) or atlas_registration(wildcards) == "none":
        return {"atlas": ATLAS_BRAIN}
    return {
        "to_first": fill(TO_FIRST, wildcards),
        "first_to_atlas": fill(TO_ATLAS, wildcards, session=first_session(wildcards)),
    }


def reference_image(wildcards):
    normalisation = PREPROCESS["normalisation"]
    return [str(find_path(normalisation["reference"]))] if normalisation["method"] == "histogram" else []


def label_values(wildcards):
    """What the values of a cohort's reference segmentations mean."""
    words = config["labels"]
    return words if isinstance(words, str) else words.get(wildcards.cohort, words["default"])


def given_label(wildcards):
    return made_or_given(session_of(wildcards).label)


if workflow.is_main_process:
    require_brain_extraction()
