"""Export: trained folds, tuned post-processing and figures become one package and a model table."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from gliaflow.config.models import find_package
from gliaflow.config.schema import read_yaml
from gliaflow.fetch import sha256_of
from gliaflow.images import write_bytes
from gliaflow.nnunet.layout import FINAL
from gliaflow.nnunet.manifest import Manifest, label_names
from gliaflow.nnunet.package import write_package
from gliaflow.nnunet.regions import AGREEMENT
from gliaflow.nnunet.targets import BRAIN
from gliaflow.sidecar import read_json, software_versions
from gliaflow.train.card import model_card
from gliaflow.train.fold import CONFIGURATION, read_plans
from gliaflow.train.recipe import optional_sequences

TABLE_HEAD = """\
# The model table of the workflow with this model in front: snakemake --config models={path}
"""


@dataclass(frozen=True)
class Trained:
    """The files of a training.

    ``fold_folder`` is a pattern with ``{loss}`` and ``{fold}``; the others are those that the rules of the
    same name write.
    """

    preprocessed: Path
    fold_folder: str
    selection: Path
    postprocess: Path
    cross_validation: Path
    missing: Path
    sessions: Path


def export(
    trained: Trained,
    package: Path,
    *,
    table: Path,
    card: Path,
    model: Mapping[str, Any],
    recipe: Mapping[str, Any],
    atlas: str,
    n4: Mapping[str, str],
    others: Path,
    start: Path | None = None,
) -> None:
    """Write the package, its card and a model table that lists it first.

    Parameters
    ----------
    trained
        What the training left.
    package, table, card
        Where the three go.
    model
        ``name``, ``description``, ``data`` (where the data come from) and ``licence``.
    recipe
        The settings of the training, for provenance.
    atlas, n4
        Name of the atlas, and for each sequence what N4 was for.
    others
        The model table whose other models are listed after this one.
    start
        The package whose weights the training started from.
    """
    origin = {"name": start.name, "sha256": sha256_of(start)} if start else None
    manifest = manifest_of(trained, model, {**recipe, "start": origin}, atlas, n4)
    plans, dataset = read_plans(trained.preprocessed)
    rows, missing = (read_rows(path) for path in (trained.cross_validation, trained.missing))
    text = model_card(manifest, model["description"], rows, missing if manifest.optional else [])
    digest = write_package(
        package, manifest, plans=plans, dataset=dataset, checkpoints=checkpoints_of(trained), card=text
    )
    write_bytes(card, text.encode())
    listed = table_text(table, package, manifest, model=model, digest=digest, others=others)
    write_bytes(table, listed.encode())


def checkpoints_of(trained: Trained) -> dict[str, Path]:
    """Return the checkpoint of each fold's selected network."""
    chosen = read_json(trained.selection)
    return {
        fold: Path(trained.fold_folder.format(loss=loss, fold=fold)) / FINAL for fold, loss in chosen.items()
    }


def manifest_of(
    trained: Trained, model: Mapping[str, Any], recipe: Mapping[str, Any], atlas: str, n4: Mapping[str, str]
) -> Manifest:
    """Say what the package is."""
    plans, dataset = read_plans(trained.preprocessed)
    tuned = read_json(trained.postprocess)
    sessions = pd.read_csv(trained.sessions, sep="\t", dtype=str, keep_default_na=False)
    sequences = tuple(recipe["sequences"])
    spacing = plans["configurations"][CONFIGURATION]["spacing"]
    selection, target = read_json(trained.selection), recipe["target"]
    counted = {"raters": dataset[AGREEMENT]["raters"]} if AGREEMENT in dataset else {}
    held_out = sessions[sessions["fold"].isin(list(selection))]
    training = {
        "data": model["data"],
        "subjects": int(sessions.groupby(["cohort", "subject"]).ngroups),
        "sessions": len(sessions),
        "sites": int(sessions["site"].nunique()),
        "sessions_held_out": len(held_out),
        "losses": selection,
        **counted,
        **recipe,
        "patch_size": plans["configurations"][CONFIGURATION]["patch_size"],
        "software": software_versions("nnunetv2", "torch"),
    }
    return Manifest(
        name=model["name"],
        sequences=sequences,
        optional=optional_sequences(recipe),
        regions=tuple(recipe["regions"]),
        labels=label_names(target, **counted),
        atlas=atlas,
        spacing_mm=tuple(float(edge) for edge in reversed(spacing)),  # type: ignore[arg-type]
        n4=dict(n4),
        postprocess=tuned["postprocess"],
        training=training,
        cross_validation={
            "table": read_rows(trained.cross_validation),
            "tuning": tuned["tuning"],
            "calibration": tuned.get("calibration", {}),
        },
        licence=model["licence"],
        target=target,
        temperature=tuned.get("temperature", {}),
    )


def table_text(
    table: Path, package: Path, manifest: Manifest, *, model: Mapping[str, Any], digest: str, others: Path
) -> str:
    """Return a model table with the new model in front of those of another table."""
    content = read_yaml(others) or {}
    key = "brain_extraction" if manifest.target == BRAIN else "segmentation"
    for entry in (entry for entries in content.values() for entry in entries if entry.get("path")):
        package_of = find_package(entry["path"], others.parent).resolve()
        entry["path"] = os.path.relpath(package_of, table.parent.resolve())
    rest = [entry for entry in content.get(key, []) if entry["name"] != manifest.name]
    entry = {
        "name": manifest.name,
        "kind": "nnunet",
        "description": model["description"] or f"Trained on {manifest.training['subjects']} subjects",
        "path": str(package.relative_to(table.parent)),
        "sha256": digest,
        **({} if manifest.target == BRAIN else tumour_facts(manifest)),
        "licence": manifest.licence,
        "gpu": True,
    }
    content = {**content, key: [entry, *rest]}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    return TABLE_HEAD.format(path=table) + text


def tumour_facts(manifest: Manifest) -> dict[str, Any]:
    """Return what only the entry of a model that finds tumours says."""
    applied = {word == "apply" for word in manifest.n4.values()}
    return {
        "sequences": list(manifest.sequences),
        "optional": list(manifest.optional),
        "regions": list(manifest.regions),
        "target": manifest.target,
        "atlas": manifest.atlas,
        "n4": applied.pop() if len(applied) == 1 else None,
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    rows = pd.read_csv(path, sep="\t", keep_default_na=False).to_dict("records")
    return [{str(column): value for column, value in row.items()} for row in rows]
