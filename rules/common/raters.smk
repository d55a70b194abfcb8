from gliaflow.nnunet.targets import RATERS
from gliaflow.raters.files import number_of_raters, rater_files

# Weights of the raters by the config's word for them; the empty one counts all alike.
RATER_WEIGHTS = {"none": "", "staple": "staple", "simple": "simple"}
RATER_REGION = "WT|TC|ET"
AGREEMENT = anat("dseg.nii.gz", space=ATLAS, label="{region}", desc="raters{weights}")
AGREEMENT_LEVEL = seg("dseg.nii.gz", space=ATLAS, desc="agreement")
AGREEMENT_SHARE = seg("probseg.nii.gz", space=ATLAS, desc="agreement")
QUBIQ = seg("qubiq.tsv")


def given_raters(wildcards):
    """The label maps of a session's raters."""
    entry = session_of(wildcards)
    if not entry.raters:
        raise WorkflowError(f"{'/'.join(entry.key)} has no raters ({entry.sheet}, row {entry.row})")
    return list(map(str, rater_files(entry.raters)))


def weights_word(wildcards):
    return next(word for word, part in RATER_WEIGHTS.items() if part == wildcards.weights)


def counted_region(model):
    """The region that a model counts raters of, or None."""
    return model.regions[0] if model.target == RATERS else None


def rater_model(entry):
    """The model that counts raters among those that segment a session, or None."""
    return next((model for model in models_of(entry) if counted_region(model)), None)


def counting_model(wildcards):
    entry = session_of(wildcards)
    model = rater_model(entry)
    if not model:
        raise WorkflowError(
            f"{'/'.join(entry.key)} is segmented by no model of several raters; name one in segment.models"
        )
    return model


def counting_members(wildcards):
    """The members of the model that counts raters: a folder of its own, or one that several sessions share."""
    model = counting_model(wildcards)
    return batch_of(session_of(wildcards), model) or fill(MEMBERS, wildcards, model=model.name)


def within_counting(wildcards):
    """Where a session's members lie within what `counting_members` names."""
    shared = batch_of(session_of(wildcards), counting_model(wildcards))
    return fill(SHARED_NAME, wildcards) if shared else ""


def counting_facts(wildcards):
    """What the agreement maps say of the model."""
    model = counting_model(wildcards)
    return {**facts_of(model, session_of(wildcards)), "Region": counted_region(model)}


def counted_reference(wildcards):
    """The raters' own agreement on the region that the model counts them for; all of them count alike."""
    return fill(AGREEMENT, wildcards, region=counted_region(counting_model(wildcards)), weights="")


def rater_outputs(entry):
    """The agreement maps of a session that a model of several raters segments, and their scores."""
    if not rater_model(entry):
        return []
    return [AGREEMENT_LEVEL, AGREEMENT_SHARE, *([QUBIQ] if entry.raters else [])]


def training_raters():
    """How many raters a training has; 0 where it has none."""
    return number_of_raters(labelled()) if TRAIN["target"] == RATERS else 0


def rater_task(entry):
    """What `train_take` needs to know of a session's raters, as plain values."""
    return {
        "raters": list(map(str, rater_files(entry.raters))),
        "region": TRAIN["rater_region"],
        "weights": TRAIN["rater_weights"],
    }
