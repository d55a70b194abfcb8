"""Predictions for the subjects of a cohort, none of them without the figures that say what it is worth."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gliaflow.errors import GliaflowError
from gliaflow.images import Array
from gliaflow.predict.figures import figures_of, is_weak
from gliaflow.predict.folds import CROSS_VALIDATION
from gliaflow.predict.names import CLASSIFICATION, IMAGES, NETWORKS, SUBTYPE, SURVIVAL
from gliaflow.predict.nested import ALIVE, OF_CLASS
from gliaflow.predict.package import PredictorPackage, person_hash
from gliaflow.predict.risk_groups import NAMES
from gliaflow.predict.table import KEYS, MISSING_WORD, choose_sessions, feature_columns
from gliaflow.predict.tasks import Task

OUT_OF_FOLD, BY_PACKAGE = "out of fold", "package"
NO_BETTER = "no better than chance in cross-validation"
IN_TRAINING = "the subject was in the training data; its prediction flatters"
PREDICTION_COLUMNS = {
    "cohort": "Cohort of the sample sheet",
    "subject": "Subject of the sample sheet",
    "session": "Session whose features were taken",
    "task": "Task of the config",
    "model": "Model",
    "quantity": "What the prediction is the probability of",
    "prediction": "The probability, 0 to 1",
    "group": "For survival, low risk or high risk: below or above the median risk in training; of several "
    "classes, the one whose probability is most above its share in training",
    "basis": f"{OUT_OF_FOLD}: by predictors that were fitted without the subject, mean over repeats; "
    f"{BY_PACKAGE}: by the predictor of the package",
    "metric": "The figure that follows: auc, or concordance_ipcw (concordance weighted for censoring)",
    "cross_validated": "What it was for subjects that were left out in training",
    "cross_validated_low": "Lower end of its 95 % interval",
    "cross_validated_high": "Upper end of it",
    "chance": "What a predictor that knows nothing would reach",
    "p": "Share of permuted outcomes with which the whole training does as well",
    "training_subjects": "Subjects that the predictor was trained on",
    "marks": "Why the prediction deserves less trust: features missing or outside the range of training, a "
    "predictor no better than chance; empty where nothing was found",
    "package_sha256": "Checksum of the package",
}


def predictions(
    sessions: pd.DataFrame, task: Task, package: PredictorPackage, out_of_fold: pd.DataFrame | None = None
) -> list[dict[str, Any]]:
    """Return the predictions of a task for the sessions of a cohort.

    Parameters
    ----------
    sessions
        From `gliaflow.predict.table.read_sessions`, of one cohort.
    task
        Whose features of the package are needed, and which sessions of a subject are taken.
    package
        The opened predictor.
    out_of_fold
        Of the training of this package: who took part in it gets the mean of these, never a prediction by the
        package, which has seen the outcome.

    Returns
    -------
    list of dict
        With the columns of `PREDICTION_COLUMNS`; of several classes a row for each.

    Raises
    ------
    GliaflowError
        A feature of the package is no column of the table.
    """
    chosen = choose_sessions(sessions, Task(**{**vars(task), "cohorts": None}))
    if not len(chosen):
        return []
    _check_kind(task, package, IMAGES in chosen)
    features = package_features(chosen, package)
    seen = features.join(chosen[[IMAGES]]) if IMAGES in chosen else features
    values, groups = _by_package(seen, package)
    basis = np.full(len(chosen), BY_PACKAGE, dtype=object)
    if out_of_fold is not None:
        _put_out_of_fold(chosen, out_of_fold, package, (values, groups, basis))
    manifest = package.manifest
    figures = figures_of(manifest["name"], manifest["kind"], manifest["scores"])
    marks = marks_of(chosen, features, package, basis)
    always = [NO_BETTER] if is_weak(figures) else []
    rows = zip(chosen[KEYS].to_dict("records"), values, groups, basis, marks, strict=True)
    names = {SURVIVAL: NAMES, SUBTYPE: manifest["endpoint"].get("classes")}.get(manifest["kind"])
    return [
        {
            **{str(key): name for key, name in keys.items()},
            "task": task.name,
            "model": manifest["model"],
            "quantity": quantity,
            "prediction": float(value),
            "group": names[int(group)] if names else None,
            "basis": where,
            **figures,
            "training_subjects": manifest["training"]["subjects"],
            "marks": "; ".join([*mark, *always]) or None,
            "package_sha256": package.sha256,
        }
        for keys, of_row, group, where, mark in rows
        for quantity, value in zip(quantities_of(package), of_row, strict=True)
    ]


def _check_kind(task: Task, package: PredictorPackage, images: bool) -> None:
    model = package.manifest["model"]
    if images != (model in NETWORKS):
        raise GliaflowError(
            f"predict, task {task.name}: its package holds {model}; write model: {model} into the task"
        )


def package_features(sessions: pd.DataFrame, package: PredictorPackage) -> pd.DataFrame:
    """Return the features of a package as its predictor takes them."""
    wanted = {feature["name"]: feature for feature in package.manifest["features"]}
    absent = [name for name in wanted if name not in sessions]
    if absent:
        raise GliaflowError(
            f"predictor {package.manifest['name']}: this cohort has no column {', '.join(absent)}; "
            "make them, or take the package out"
        )
    found = feature_columns(sessions, list(wanted))
    for name, feature in wanted.items():
        numeric = pd.api.types.is_numeric_dtype(found[name])
        if feature["type"] == "number" and not numeric:
            raise GliaflowError(
                f"predictor {package.manifest['name']}: {name} is text here, and was a number in training"
            )
        if feature["type"] == "word" and numeric:
            found[name] = (
                sessions[name].map(lambda v: MISSING_WORD if pd.isna(v) else f"{v:g}").astype(object)
            )
    return found


def quantities_of(package: PredictorPackage) -> list[str]:
    """Return what the predictions of a package are the probabilities of."""
    endpoint = package.manifest["endpoint"]
    if package.manifest["kind"] == SURVIVAL:
        return [f"surviving {endpoint['horizon_days']:g} days"]
    words = endpoint["classes"] if package.manifest["kind"] == SUBTYPE else [endpoint["positive"]]
    return [f"{endpoint['column']} is {word}" for word in words]


def marks_of(
    sessions: pd.DataFrame, features: pd.DataFrame, package: PredictorPackage, basis: Array
) -> list[list[str]]:
    """Return for each row what makes it unlike the training data, or too like it."""
    known = set(package.manifest["training"]["persons"])
    found = []
    for number, (cohort, subject) in enumerate(zip(sessions["cohort"], sessions["subject"], strict=True)):
        marks = list(_unlike(features.iloc[number], package.manifest["features"]))
        if basis[number] == BY_PACKAGE and person_hash(f"{cohort}/{subject}") in known:
            marks.append(IN_TRAINING)
        found.append(marks)
    return found


def _unlike(row: pd.Series, features: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for feature in features:
        name, value = feature["name"], row[feature["name"]]
        if value == MISSING_WORD or pd.isna(value):
            yield f"{name} is missing"
        elif feature["type"] == "word":
            if value not in feature["words"]:
                yield f"{name} is {value}, which training never had"
        elif not feature["low"] <= value <= feature["high"]:
            yield f"{name} is {value:g}, outside {feature['low']:g} to {feature['high']:g} in training"


def _by_package(features: pd.DataFrame, package: PredictorPackage) -> tuple[Array, Array]:
    """Return the probabilities of each row, shape (n, quantities), and what it is called."""
    predictor = package.predictor
    values = predictor.predict(features)
    called = predictor.called(values)
    if predictor.kind != SURVIVAL:
        return values.reshape(len(features), -1), called
    horizon = np.array([float(package.manifest["endpoint"]["horizon_days"])])
    return predictor.survival(features, horizon), called


def _put_out_of_fold(
    sessions: pd.DataFrame, rows: pd.DataFrame, package: PredictorPackage, into: tuple[Array, Array, Array]
) -> None:
    """Put the mean out-of-fold prediction in place of that of the package, where there is one."""
    values, groups, basis = into
    kind, endpoint = package.manifest["kind"], package.manifest["endpoint"]
    if kind == SURVIVAL:
        columns = [f"{ALIVE}{np.ceil(endpoint['horizon_days']):.0f}", "high_risk"]
    elif kind == CLASSIFICATION:
        columns = ["probability", "called"]
    else:
        columns = [f"{OF_CLASS}{word}" for word in endpoint["classes"]]
    mean = rows[rows["scheme"] == CROSS_VALIDATION].groupby(KEYS)[columns].mean()
    for number, key in enumerate(sessions[KEYS].itertuples(index=False, name=None)):
        if key not in mean.index:
            continue
        found, basis[number] = mean.loc[key].to_numpy(), OUT_OF_FOLD
        if kind == SUBTYPE:
            values[number], groups[number] = found, package.predictor.called(found[None])[0]
        else:
            values[number, 0], groups[number] = found[0], int(found[1] > 0.5)
