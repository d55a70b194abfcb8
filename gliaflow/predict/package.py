"""The predictor package: one zip with a fitted predictor, what it was fitted to, and how good it is.

A fitted estimator is stored by skops, which builds objects of listed types only, a network as tensors;
nothing in a package is run.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliaflow.config.mistakes import printable, shortened
from gliaflow.errors import ConfigError
from gliaflow.fetch import sha256_of
from gliaflow.images import whole_file
from gliaflow.nnunet.archive import add_file, open_archive
from gliaflow.nnunet.manifest import check_values, read_json
from gliaflow.predict.names import ALL_MODELS, CLASSIFICATION, NETWORKS, SUBTYPE, SURVIVAL
from gliaflow.predict.predictor import Predictor
from gliaflow.predict.table import MISSING_WORD, Table
from gliaflow.predict.tasks import Settings, Task
from gliaflow.sidecar import software_versions

FORMAT = 1
MOST_BYTES = 1024**3
MANIFEST, ESTIMATOR, WEIGHTS, CARD = "predictor.json", "estimator.skops", "network.pt", "card.md"
SOFTWARE = ("scikit-learn", "scikit-survival", "numpy", "scipy")
INTENDED_USE = (
    "Research on cohorts like the one it was fitted to. Not for decisions about a patient; no medical device."
)
TRUSTED = [
    "gliaflow.predict.models.Cox",
    "gliaflow.predict.models.SurvivalForest",
    "gliaflow.predict.preprocess.Varying",
    "gliaflow.predict.preprocess.cox_scores",
    "gliaflow.predict.survival_loss.DiscreteTimeSurvival",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.tree._tree.Tree",
    "sksurv.functions.StepFunction",
    "sksurv.linear_model.coxnet.CoxnetSurvivalAnalysis",
    "sksurv.linear_model.coxph.BreslowEstimator",
    "sksurv.tree.tree.SurvivalTree",
]
"""The types that a package may hold besides those that skops itself trusts."""
FEATURE = {
    "type": "object",
    "required": ["name", "type", "missing"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "type": {"enum": ["number", "word"]},
        "low": {"type": ["number", "null"]},
        "high": {"type": ["number", "null"]},
        "words": {"type": "array", "items": {"type": "string"}},
        "missing": {"type": "number", "minimum": 0, "maximum": 1},
    },
}
NUMBER = {"type": ["number", "null"]}
NUMBER_OR_EACH = {"type": ["number", "null", "array"], "items": {"type": "number"}}
"""One number, or one for each of several classes."""
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": [
        "format",
        "name",
        "kind",
        "model",
        "endpoint",
        "features",
        "calibration",
        "training",
        "scores",
        "files",
    ],
    "properties": {
        "format": {"const": FORMAT},
        "name": {"type": "string", "minLength": 1},
        "kind": {"enum": [CLASSIFICATION, SUBTYPE, SURVIVAL]},
        "model": {"enum": list(ALL_MODELS)},
        "endpoint": {"type": "object"},
        "features": {"type": "array", "items": FEATURE, "minItems": 1},
        "calibration": {
            "type": "object",
            "required": ["slope", "intercept", "cut"],
            "properties": {"slope": NUMBER, "intercept": NUMBER_OR_EACH, "cut": NUMBER_OR_EACH},
        },
        "training": {
            "type": "object",
            "required": ["subjects", "persons"],
            "properties": {
                "subjects": {"type": "integer"},
                "persons": {"type": "array", "items": {"type": "string"}},
                "chosen": {"type": "object"},
            },
        },
        "scores": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["metric", "estimate"]},
        },
        "files": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
    },
}


@dataclass(frozen=True)
class PredictorPackage:
    """An opened package: what it says of itself, its predictor, and its sha256."""

    manifest: Mapping[str, Any]
    predictor: Predictor
    sha256: str


def manifest_of(
    table: Table, task: Task, settings: Settings, predictor: Predictor, scores: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what a package says of itself, but for the checksums.

    Parameters
    ----------
    table
        The rows that the predictor was fitted to. Of the persons only hashes are kept, by which a prediction
        for one of them is found out.
    task, settings, predictor
        What was fitted, and how.
    scores
        Of `gliaflow.predict.score.SCORE_COLUMNS`, without which no package is made.
    """
    per_subject = table.keys.assign(stratum=table.strata).groupby(["cohort", "subject"])["stratum"].max()
    training = {
        "cohorts": sorted(set(table.keys["cohort"])),
        "sites": sorted(set(table.sites)),
        "subjects": len(per_subject),
        "sessions": len(table.keys),
        "sessions_taken": task.sessions,
        **counted(task, per_subject),
        "left_out": dict(table.left_out),
        "persons": sorted(person_hash(group) for group in set(table.groups)),
        "settings": asdict(settings),
        "chosen": predictor.chosen,
    }
    return {
        "format": FORMAT,
        "name": task.name,
        "kind": task.kind,
        "model": task.model,
        "endpoint": endpoint_of(task, settings),
        "features": [feature_of(table, name) for name in map(str, table.features)],
        "calibration": {"slope": predictor.slope, "intercept": predictor.intercept, "cut": predictor.cut},
        "training": training,
        "scores": [{key: _finite(value) for key, value in row.items()} for row in scores],
        "intended_use": INTENDED_USE,
        "software": software_versions(*SOFTWARE, *(("torch", "monai") if task.model in NETWORKS else ())),
        "files": {},
    }


def counted(task: Task, per_subject: pd.Series) -> dict[str, Any]:
    """Return how many subjects have the outcome, from the number of the class of each."""
    if task.kind == SUBTYPE:
        return {"classes": {word: int((per_subject == k).sum()) for k, word in enumerate(task.classes)}}
    return {"positives" if task.kind == CLASSIFICATION else "events": int(per_subject.sum())}


def endpoint_of(task: Task, settings: Settings) -> dict[str, Any]:
    """Return what a task predicts, as a manifest says it."""
    if task.kind == CLASSIFICATION:
        return {"column": task.column, "positive": task.positive}
    if task.kind == SUBTYPE:
        return {"column": task.column, "classes": list(task.classes)}
    return {"time": task.time, "event": task.event, "horizon_days": settings.horizon_days}


def feature_of(table: Table, name: str) -> dict[str, Any]:
    """Return type and range of a feature in training."""
    column = table.features[name]
    if name in table.numeric:
        missing = float(column.isna().mean())
        low, high = float(column.min()), float(column.max())
        return {"name": name, "type": "number", "low": low, "high": high, "missing": missing}
    words = sorted(set(column) - {MISSING_WORD})
    return {"name": name, "type": "word", "words": words, "missing": float((column == MISSING_WORD).mean())}


def person_hash(group: str) -> str:
    """Return what stands for a person (``cohort/subject``) in a package."""
    return hashlib.sha256(group.encode()).hexdigest()


def write_predictor(path: Path, manifest: Mapping[str, Any], predictor: Predictor, card: str) -> str:
    """Write a package, whole or not at all; the same input gives the same bytes.

    Parameters
    ----------
    path
        The zip.
    manifest
        From `manifest_of`; its ``files`` are filled in here.
    predictor, card
        The fitted predictor, and the text for people.

    Returns
    -------
    str
        sha256 of the zip.

    Raises
    ------
    ConfigError
        Something that `open_predictor` would refuse.
    """
    store = store_of(manifest["model"])
    files = {store.file: store.dump(predictor.pipeline), CARD: card.encode()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    whole = {**manifest, "files": sums}
    _check_manifest(whole, str(path))
    text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False).encode()
    with whole_file(path) as partial:
        partial.write_bytes(_zip({MANIFEST: text + b"\n", **files}))
        open_predictor(partial)
    return sha256_of(path)


def open_predictor(path: Path) -> PredictorPackage:
    """Open a package.

    Raises
    ------
    ConfigError
        It is no package, damaged, of another format, changed after it was written, or holds an object of a
        type that a predictor does not have.
    """
    archive = open_archive(path)
    if MANIFEST not in archive.names():
        raise ConfigError(f"{path}: holds no {MANIFEST}; it is no package of a predictor")
    manifest = read_json(archive.read(MANIFEST), f"{path}, {MANIFEST}")
    _check_manifest(manifest, f"{path}, {MANIFEST}")
    store = store_of(manifest["model"])
    for name in (store.file, CARD):
        if archive.sha256(name) != manifest["files"].get(name):
            raise ConfigError(f"{path}: {name} is not the file that was packed; get the package again")
    pipeline = store.load(archive.read(store.file), f"{path}, {store.file}")
    values = manifest["calibration"]
    predictor = Predictor(
        manifest["kind"],
        pipeline,
        slope=values["slope"],
        intercept=values["intercept"],
        cut=values["cut"],
        chosen=manifest["training"].get("chosen", {}),
    )
    return PredictorPackage(manifest, predictor, sha256_of(path))


@dataclass(frozen=True)
class Store:
    """How the fitted part of a predictor lies in a package: its file, and what writes and reads that."""

    file: str
    dump: Callable[[Any], bytes]
    load: Callable[[bytes, str], Any]


def store_of(model: str) -> Store:
    """Return how a model is stored."""
    if model in NETWORKS:
        # torch takes seconds to import, and no other model needs it
        from gliaflow.marker import classifier

        return Store(WEIGHTS, classifier.dump, classifier.load)
    return Store(ESTIMATOR, estimator_bytes, load_estimator)


def estimator_bytes(pipeline: Any) -> bytes:
    """Store a fitted estimator by skops; the same estimator gives the same bytes.

    skops names its parts after their addresses in memory; here they are numbered in order of appearance.
    """
    import skops.io as sio  # takes seconds, and most jobs need no estimator

    stored = zipfile.ZipFile(io.BytesIO(sio.dumps(pipeline)))
    schema = stored.read("schema.json").decode()
    found = re.findall(r'"__id__": (\d+)', schema)
    numbers = {name: str(number) for number, name in enumerate(dict.fromkeys(found), start=1)}
    schema = re.sub(r'("__id__": )(\d+)', lambda m: m[1] + numbers[m[2]], schema)
    schema = re.sub(r'"(\d+)\.npy"', lambda m: f'"{numbers.get(m[1], m[1])}.npy"', schema)
    arrays = {name: stored.read(name) for name in stored.namelist() if name != "schema.json"}
    renamed = {f"{numbers.get(name.removesuffix('.npy'), name)}.npy": array for name, array in arrays.items()}
    return _zip({"schema.json": schema.encode(), **dict(sorted(renamed.items()))})


def load_estimator(content: bytes, where: str) -> Any:
    """Build the estimator that skops stored, of trusted types only.

    Raises
    ------
    ConfigError
        It holds another type, or cannot be read.
    """
    import skops.io as sio

    try:
        _check_unpacked(content)
        strange = sorted(set(sio.get_untrusted_types(data=content)) - set(TRUSTED))
        estimator = None if strange else sio.loads(content, trusted=TRUSTED)
    except Exception as error:
        reason = printable(shortened(str(error)))
        raise ConfigError(f"{where}: cannot be read ({reason}); get the package again") from error
    if strange:
        raise ConfigError(
            f"{where}: holds objects of {', '.join(strange)}, which no predictor has; not opened"
        )
    return estimator


def _check_unpacked(content: bytes) -> None:
    """Refuse a file of skops, itself a zip, that would unpack to more than any predictor is."""
    with zipfile.ZipFile(io.BytesIO(content)) as stored:
        size = sum(entry.file_size for entry in stored.infolist())
    if size > MOST_BYTES:
        raise ValueError(f"it would unpack to {size / 1e9:.1f} GB")


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            add_file(package, name, content)
    return buffer.getvalue()


def _check_manifest(values: Any, where: str) -> None:
    check_values(values, SCHEMA, FORMAT, where, "make the package again")
    if values["kind"] not in ALL_MODELS[values["model"]]:
        raise ConfigError(
            f"{where}: {values['model']} is no model for {values['kind']}; make the package again"
        )


def _finite(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
