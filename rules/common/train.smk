from types import SimpleNamespace

from gliaflow.train.cohort import is_ready
from gliaflow.train.recipe import trained_folds, training_settings

TRAIN = training_settings(config["train"])
TRAINING = f"training/{TRAIN['name']}"
DATASET = f"Dataset001_{TRAIN['name']}"
RAW = f"{TRAINING}/nnUNet_raw/{DATASET}"
PLAN_FILES = [
    f"{TRAINING}/plan/{DATASET}/{name}.json" for name in ("dataset_fingerprint", "dataset", "gliaflow")
]
PREPROCESSED = f"{TRAINING}/nnUNet_preprocessed"
TAKEN = f"{TRAINING}/taken"
BRAIN_NATIVE = anat("mask.nii.gz", space="{sequence}", desc="brain")
FOLD = f"{TRAINING}/folds/{{loss}}/fold_{{fold}}"
OUT_OF_FOLD = f"{TRAINING}/out_of_fold/{{loss}}/fold_{{fold}}"
PACKAGE = f"{TRAINING}/{TRAIN['name']}.zip"
PLANNING = (
    "preset",
    "gpu_memory_gb",
    "spacing_mm",
    "patch_size",
    "batch_size",
    "base_features",
    "max_features",
    "encoder_convolutions",
    "decoder_convolutions",
    "dropout",
)
LEARNING = (
    "sequence_dropout",
    "topk_percent",
    "epochs",
    "iterations",
    "validation_iterations",
    "optimiser",
    "learning_rate",
    "augmentation",
)
# What the package says besides of a training on several raters.
RATED = ("rater_weights",) if TRAIN["target"] == "raters" else ()


try:
    FOLDS = trained_folds(TRAIN)
except ConfigError as error:
    raise WorkflowError(str(error)) from None


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
        cases = [case for entry in labelled() for case in cases_of(entry)]
    except ConfigError as error:
        raise WorkflowError(f"train: {error}") from None
    return [{**case, "fold": folds[case["cohort"], case["subject"]]} for case in cases]


def cases_of(entry):
    """The cases of a session: itself, or for brain extraction each of its sequences."""
    names = dict(cohort=entry.cohort, subject=entry.subject, session=entry.session)
    known = {**names, "site": sites()[entry.cohort, entry.subject], "name": "_".join(names.values())}
    if TRAIN["target"] == "brain":
        return [{**known, **head_files(f"{known['name']}_{s}")} for s in entry.expected]
    if TRAIN["target"] == "raters":
        known["raters"] = training_raters()
    sequences = [s for s in TRAIN["sequences"] if s in entry.expected]
    if is_taken(entry):
        images = {s: str(entry.sources[s]) for s in sequences}
        return [{**known, "images": images, **taken_files(known["name"], "label", "mask")}]
    images = {s: IN_ATLAS.format(**names, sequence=s) for s in sequences}
    return [{**known, "images": images, "label": label_path(names), "mask": BRAIN_ATLAS.format(**names)}]


def label_path(names):
    """What a session that the rules prepare is trained on: its reference, or the agreement of its raters."""
    if TRAIN["target"] == "raters":
        weights = RATER_WEIGHTS[TRAIN["rater_weights"]]
        return AGREEMENT.format(**names, region=TRAIN["rater_region"], weights=weights)
    return REFERENCE.format(**names)


def head_files(name):
    files = taken_files(name, "any", "label")
    return {"name": name, "images": {"any": files.pop("any")}, "mask": None, **files}


def taken_files(name, *files):
    folder = f"{TAKEN}/{name}"
    return {"taken": folder, **{file: f"{folder}/{file}.nii.gz" for file in files}}


def is_taken(entry):
    """Whether a session's own files are taken as they are, without the rules that prepare sessions."""
    used = [*entry.sources.values(), entry.label, entry.brain_mask]
    generated = any(isinstance(path, Path) and made_here(path) for path in used)
    return not generated and is_ready(entry, TRAIN, PREPROCESS["n4"])


def take_tasks(wildcards):
    """What `train_take` does, as plain values: the sessions that are ready, or all heads."""
    if TRAIN["target"] == "brain":
        return [head_task(entry, sequence) for entry in labelled() for sequence in entry.expected]
    return [
        {
            "name": case["name"],
            "images": case["images"],
            **label_task(SESSIONS[case["cohort"], case["subject"], case["session"]]),
            "convention": label_values(SimpleNamespace(cohort=case["cohort"])),
        }
        for case in training_cases()
        if "taken" in case
    ]


def label_task(entry):
    return rater_task(entry) if TRAIN["target"] == "raters" else {"label": str(entry.label)}


def head_task(entry, sequence):
    names = dict(cohort=entry.cohort, subject=entry.subject, session=entry.session, sequence=sequence)
    name = "_".join(names.values())
    if is_taken(entry):
        return {"name": name, "image": str(entry.sources[sequence]), "mask": str(entry.brain_mask)}
    return {"name": name, "image": NATIVE.format(**names), "mask": BRAIN_NATIVE.format(**names)}


def take_files(wildcards):
    """Every file that `train_take` reads, once."""
    tasks = take_tasks(wildcards)
    paths = [
        path
        for task in tasks
        for path in (
            *task.get("images", {}).values(),
            *(task.get(key) for key in ("image", "mask", "label")),
            *task.get("raters", ()),
        )
        if path
    ]
    return list(dict.fromkeys(paths))


def take_atlas(wildcards):
    return [] if TRAIN["target"] == "brain" else [ATLAS_BRAIN]


def made_files(cases, *keys):
    """The files of cases that rules make; `train_take` makes one folder of all of its own."""
    paths = [path for case in cases if "taken" not in case for path in files_of(case, keys)]
    return paths + [TAKEN] * any("taken" in case for case in cases)


def files_of(case, keys):
    paths = [case[key] for key in keys if key != "images"]
    return [*case["images"].values(), *paths] if "images" in keys else paths


def training_files(wildcards):
    return made_files(training_cases(), "images", "label")


def trained_cases():
    """The cases of the folds that a network is trained for, which it has not seen."""
    return [case for case in training_cases() if case["fold"] in FOLDS]


def trained_labels(wildcards):
    return made_files(trained_cases(), "label")


def fold_cases(wildcards):
    return [case for case in training_cases() if case["fold"] == int(wildcards.fold)]


def fold_files(wildcards):
    return made_files(fold_cases(wildcards), "images", "label", "mask")


def start_package(wildcards):
    """The package whose weights the networks start from."""
    return [str(find_path(TRAIN["start"]))] if TRAIN["start"] else []


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
