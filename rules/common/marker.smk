from gliaflow.marker.names import WHOLE, split_names
from gliaflow.predict.names import ATLAS_GRAPH, ATTENTION_FUSION, NETWORKS

HOW_NETWORKS_LEARN = PREDICT["networks"]
SEEN = seg("images.npz", space=ATLAS)
CHECKPOINT = f"{PREDICTED}/networks/{{split}}.pt"
PERMUTED = f"{PREDICTED}/chance/permuted.tsv"
APPLIED = f"{PREDICTED}/applied/{{cohort}}.tsv"
ATLAS_GRAPH_FILE = of_atlas("graph.npz")
ATLAS_REGIONS = of_atlas("dseg.nii.gz", desc="graph")
NOT_OF_TRAINING = (
    *("threads", "runtime_minutes"),
    *("frozen_weights", "regions", "connections", "pathology"),
)


def of_network(task):
    """Whether a task is done by a network, which looks at images."""
    return task["model"] in NETWORKS


def trained_names(by_network):
    """The tasks that are trained, by networks or by features, as a constraint of the wildcard."""
    names = [name for name, task in TASKS.items() if trained(task) and of_network(task) == by_network]
    return "|".join(names) or "no_task"


def seen_entries(wildcards):
    """The sessions that a network looks at: of one cohort, or of those that a task is trained on."""
    task, cohort = TASKS[wildcards.task], dict(wildcards.items()).get("cohort")
    cohorts = [cohort] if cohort else task["cohorts"]
    courses = [c for (name, _), c in segmented_courses().items() if not cohorts or name in cohorts]
    return [entry for course in courses for entry in (course if task["sessions"] == "all" else course[:1])]


def seen_images(wildcards):
    return [file_of(SEEN, entry) for entry in seen_entries(wildcards)]


def seen_sessions(wildcards):
    """What a job is told of its sessions, as plain values."""
    return [
        dict(cohort=e.cohort, subject=e.subject, session=e.session, days=e.days)
        for e in seen_entries(wildcards)
    ]


def seen_splits(wildcards):
    """The names of the splits of a task."""
    known = {(person.cohort, person.subject): person.site for person in PARTICIPANTS}
    found = {known.get((e.cohort, e.subject)) or e.cohort for e in seen_entries(wildcards)}
    return split_names(PREDICT["folds"], HOW_NETWORKS_LEARN["repeats"], found)


def split_checkpoints(wildcards):
    return expand(CHECKPOINT, task=wildcards.task, split=seen_splits(wildcards))


def network_settings(*keys):
    """How networks see and learn, as plain values; all of it, or some keys."""
    return {
        key: value
        for key, value in HOW_NETWORKS_LEARN.items()
        if (key in keys if keys else key not in NOT_OF_TRAINING)
    }


def network_file(key):
    """The file that a key of predict.networks names, if it names one."""
    path = HOW_NETWORKS_LEARN[key]
    return [str(find_path(path))] if path else []


def frozen_file(wildcards):
    """The weights that the config names, for the one network that takes them."""
    return network_file("frozen_weights") if TASKS[wildcards.task]["model"] == "frozen_local" else []


def some_task_is(model):
    """Whether a task is done by a model."""
    return any(task["model"] == model for task in TASKS.values())


def seen_graph(wildcards):
    """The graph of the atlas, where a network looks at it."""
    return [ATLAS_GRAPH_FILE] if some_task_is(ATLAS_GRAPH) else []


def seen_pathology(wildcards):
    """The table of pathology, where a network looks at it."""
    return network_file("pathology") if some_task_is(ATTENTION_FUSION) else []


def network_package(wildcards):
    """The package of a task: the one that is trained here, or the one that the config names."""
    task = TASKS[wildcards.task]
    return PREDICTOR if trained(task) else str(find_path(task["package"]))


def network_out_of_fold(wildcards):
    return [fill(f"{PREDICTED}/out_of_fold.tsv", wildcards)] if trained(TASKS[wildcards.task]) else []


def network_predictions(wildcards):
    """The predictions of networks for a cohort."""
    names = [name for name, task in TASKS.items() if of_network(task)]
    return expand(APPLIED, task=names, cohort=wildcards.cohort)
