"""Names that the rules, the config and the predictors share; imports nothing heavy."""

CLASSIFICATION, SUBTYPE, SURVIVAL = "classification", "subtype", "survival"
MODEL_KINDS = {
    "logistic": (CLASSIFICATION, SUBTYPE),
    "boosting": (CLASSIFICATION, SUBTYPE),
    "cox": (SURVIVAL,),
    "survival_forest": (SURVIVAL,),
    "discrete_time": (SURVIVAL,),
}
"""The models of features, and what each is for."""
ATLAS_GRAPH, ATTENTION_FUSION = "atlas_graph", "attention_fusion"
NETWORKS = {
    "median_slice": (CLASSIFICATION,),
    "efficientnet3d_late": (CLASSIFICATION,),
    "densenet3d_crop": (CLASSIFICATION, SUBTYPE),
    "frozen_local": (CLASSIFICATION,),
    ATLAS_GRAPH: (CLASSIFICATION,),
    ATTENTION_FUSION: (CLASSIFICATION, SUBTYPE),
}
"""The models of images, and what each is for."""
ALL_MODELS = {**MODEL_KINDS, **NETWORKS}
IMAGES = "images"
"""The column with the file of what networks see of a session; no feature."""
PICTURES = {
    CLASSIFICATION: ("roc", "reliability", "chance"),
    SUBTYPE: ("confusion", "reliability", "chance"),
    SURVIVAL: ("kaplan_meier", "reliability", "chance"),
}
"""The pictures of a task."""
PERMUTATIONS_PER_JOB = 20


def batches(permutations: int) -> range:
    """Return the numbers of the jobs that the permutations are dealt to.

    >>> list(batches(50))
    [0, 1, 2]
    """
    return range(-(-permutations // PERMUTATIONS_PER_JOB))


def batch_numbers(batch: int, permutations: int) -> range:
    """Return the permutations of a job.

    >>> batch_numbers(2, 50)
    range(40, 50)
    """
    first = batch * PERMUTATIONS_PER_JOB
    return range(first, min(first + PERMUTATIONS_PER_JOB, permutations))
