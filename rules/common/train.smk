TRAIN = config["train"]
TRAINING = f"training/{TRAIN['name']}"
DATASET = f"Dataset001_{TRAIN['name']}"
RAW = f"{TRAINING}/nnUNet_raw/{DATASET}"
PLAN_FILES = [
    f"{TRAINING}/plan/{DATASET}/{name}.json" for name in ("dataset_fingerprint", "dataset", "gliaflow")
]
PREPROCESSED = f"{TRAINING}/nnUNet_preprocessed"
FOLD = f"{TRAINING}/folds/{{loss}}/fold_{{fold}}"
OUT_OF_FOLD = f"{TRAINING}/out_of_fold/{{loss}}/fold_{{fold}}"
PACKAGE = f"{TRAINING}/{TRAIN['name']}.zip"
PLANNING = ("preset", "gpu_memory_gb", "patch_size", "batch_size", "base_features", "max_features", "dropout")
LEARNING = (
    "sequence_dropout",
    "topk_percent",
    "epochs",
    "iterations",
    "validation_iterations",
    "learning_rate",
)
FOLDS = range(TRAIN["folds"])


def training_log(step, *extra):
    return f"logs/{step}/{'_'.join([TRAIN['name'], *extra])}.log"


def training_benchmark(step, *extra):
    return f"benchmarks/{step}/{'_'.join([TRAIN['name'], *extra])}.tsv"


@cache
def labelled():
    """The sessions to train on; those that lack sequences are named once."""
    chosen, left = training_sessions(SESSIONS.values(), TRAIN)
    if left and workflow.is_main_process:
        logging.getLogger("snakemake").warning(
            "\n".join(["Not trained on, because sequences of train.sequences are missing:", *left])
        )
    return chosen


@cache
def sites():
    """The site of every subject with a label, its cohort where the table of patients' data says none."""
    known = {(p.cohort, p.subject): p.site for p in PARTICIPANTS if p.site}
    return {(e.cohort, e.subject): known.get((e.cohort, e.subject), e.cohort) for e in labelled()}


@cache
def training_cases():
    """Every session to train on, as plain values: its name, its images, its label and its fold."""
    try:
        folds = make_folds(sites(), TRAIN["folds"], config["seed"])
        return [training_case(entry, folds[entry.cohort, entry.subject]) for entry in labelled()]
    except ConfigError as error:
        raise WorkflowError(f"train: {error}") from None


def training_case(entry, fold):
    names = dict(cohort=entry.cohort, subject=entry.subject, session=entry.session)
    images = {s: IN_ATLAS.format(**names, sequence=s) for s in TRAIN["sequences"] if s in entry.expected}
    site = sites()[entry.cohort, entry.subject]
    files = {"images": images, "label": REFERENCE.format(**names), "mask": BRAIN_ATLAS.format(**names)}
    return {**names, "site": site, "fold": fold, "name": "_".join(names.values()), **files}


def training_images(wildcards):
    return [path for case in training_cases() for path in case["images"].values()]


def training_labels(wildcards):
    return [case["label"] for case in training_cases()]


def fold_cases(wildcards):
    return [case for case in training_cases() if case["fold"] == int(wildcards.fold)]


def fold_images(wildcards):
    return [path for case in fold_cases(wildcards) for path in case["images"].values()]


def fold_labels(wildcards):
    return [case["label"] for case in fold_cases(wildcards)]


def fold_masks(wildcards):
    return [case["mask"] for case in fold_cases(wildcards)]


def recipe(*keys):
    """The settings that a rule looks at, so that a change of others does not repeat it."""
    return {key: TRAIN[key] for key in keys}


def other_models(wildcards):
    """The models of the model table, which are listed after the new one."""
    if find_path(config["models"]) == Path(TRAINING, "models.yaml").resolve():
        raise WorkflowError(
            f"train: config, models: {config['models']} is what this training writes; name another table, or another train.name"
        )
    return str(find_path(config["models"]))


def of_folds(*patterns):
    """The files of every loss and fold."""
    return expand(patterns, loss=TRAIN["losses"], fold=FOLDS)


def inference_settings(*keys):
    return {key: config["segment"][key] for key in ("tta", "step", "cpu_precision", *keys)}
