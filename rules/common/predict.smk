from gliaflow.predict.names import CLASSIFICATION, PICTURES, SUBTYPE, SURVIVAL
from gliaflow.predict.names import batches as batches_of_chance
from gliaflow.predict.tasks import check_outcomes

PREDICT = config["predict"]
TASKS = {task["name"]: task for task in PREDICT["tasks"]}
PREDICTED = "results/predict/{task}"
CHANCE_BATCH = f"{PREDICTED}/chance/batch-{{batch}}.tsv"
PREDICTOR = f"{PREDICTED}/{{task}}.zip"
PREDICTIONS = "results/{cohort}/predictions.tsv"
HOW_FITTED = (
    "folds",
    "repeats",
    "inner_folds",
    "select",
    "least_subjects",
    "least_per_class",
    "horizon_days",
)


try:
    check_outcomes(PREDICT, PARTICIPANTS, {entry.cohort for entry in SESSIONS.values()})
except ConfigError as error:
    raise WorkflowError(str(error)) from None


for name, task in TASKS.items():
    for cohort in sorted({*(task["cohorts"] or ())} - {*segmented_cohorts()}):
        raise WorkflowError(
            f"config, predict, task {name}, cohorts: {cohort}: no session of it can be segmented; "
            "add the sequences that a model needs, or take the cohort out of the task"
        )


def task_result(name, caption):
    """A table or picture of a task that goes into the report under its name, with its caption."""
    return report(
        f"{PREDICTED}/{name}",
        caption=f"../resources/report/predict_{caption}.rst",
        category="Prediction",
        subcategory="{task}",
        labels={"result": name},
    )


def task_pictures(kind):
    return [task_result(f"{name}.png", name) for name in PICTURES[kind]]


def task_tables(*names):
    return [task_result(f"{name}.tsv", "tables") for name in names]


def task_names(kind):
    """The tasks of a kind that are trained, as a constraint of the wildcard; fits nothing where there are none."""
    return (
        "|".join(name for name, task in TASKS.items() if task["kind"] == kind and trained(task)) or "no_task"
    )


def trained(task):
    """Whether a task is trained here, not applied from a package."""
    return task["package"] is None


def task_features(wildcards):
    """The features of the cohorts that a task is trained on: its own, or all in which a session is segmented."""
    cohorts = TASKS[wildcards.task]["cohorts"] or segmented_cohorts()
    return [predicted_from(cohort) for cohort in cohorts]


def participants_table(wildcards):
    return [str(find_path(config["participants"]))] if config["participants"] else []


def task_entry(wildcards):
    """What a job is told of its task."""
    return {key: value for key, value in TASKS[wildcards.task].items() if key != "package"}


def feature_tasks():
    """The tasks whose predictors look at features, not at images."""
    return {name: task for name, task in TASKS.items() if not of_network(task)}


def cohort_features(wildcards):
    """The features of a cohort, where a task looks at them."""
    return [predicted_from(wildcards.cohort)] if feature_tasks() else []


def task_packages(wildcards):
    """The package of each task of features: the one that is trained here, or the one that the config names."""
    return [
        PREDICTOR.format(task=name) if trained(task) else str(find_path(task["package"]))
        for name, task in feature_tasks().items()
    ]


def tasks_out_of_fold(wildcards):
    path = f"{PREDICTED}/out_of_fold.tsv"
    return [path.format(task=name) for name, task in feature_tasks().items() if trained(task)]


def chance_batches(wildcards):
    if of_network(TASKS[wildcards.task]):
        return [fill(PERMUTED, wildcards)] if PREDICT["permutations"] else []
    return expand(CHANCE_BATCH, task=wildcards.task, batch=batches_of_chance(PREDICT["permutations"]))


def predictor_settings(*keys):
    """How predictors are fitted, as plain values, with further keys."""
    chosen = {key: PREDICT[key] for key in (*HOW_FITTED, *keys)}
    return {**chosen, "resamples": config["evaluate"]["resamples"], "seed": config["seed"]}


def predict_outputs(wildcards=None):
    """Every file of `snakemake predict`."""
    made = [PREDICTIONS.format(cohort=cohort) for cohort in segmented_cohorts() if TASKS]
    for name, task in TASKS.items():
        files = ["scores.tsv", "card.md", *(f"{picture}.png" for picture in PICTURES[task["kind"]])]
        made += [f"{PREDICTED}/{file}".format(task=name) for file in files if trained(task)]
    return made
