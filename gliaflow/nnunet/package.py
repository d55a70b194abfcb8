"""The model package: one zip with a trained nnU-Net v2 ensemble.

It holds what nnU-Net's own model folder holds (``plans.json``, ``dataset.json``,
``fold_<k>/checkpoint_final.pth``), so that nnU-Net can use it unpacked, and ``gliaflow.json`` and
``model_card.md``.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gliaflow.errors import ConfigError
from gliaflow.fetch import sha256_of
from gliaflow.images import whole_file
from gliaflow.nnunet.archive import add_file
from gliaflow.nnunet.layout import DATASET, FINAL, FOLD, PLANS
from gliaflow.nnunet.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    label_names,
    manifest_bytes,
    parse_manifest,
    read_manifest,
)
from gliaflow.nnunet.model import ModelFiles, check_promises, open_model
from gliaflow.nnunet.plans import check_plans
from gliaflow.nnunet.weights import checkpoint_bytes, for_inference, read_checkpoint

__all__ = ["FORMAT", "Manifest", "ModelFiles", "label_names", "open_model", "read_manifest", "write_package"]

CARD = "model_card.md"
TRAINER = "nnUNetTrainer"
"""The one whose network is that of the plans; stock nnU-Net looks a trainer up by its name."""


def write_package(
    path: Path,
    manifest: Manifest,
    *,
    plans: Mapping[str, Any],
    dataset: Mapping[str, Any],
    checkpoints: Mapping[str, bytes | Path],
    card: str,
) -> str:
    """Write a model package; the same input gives the same bytes.

    Parameters
    ----------
    path
        The zip, written whole or not at all.
    manifest
        Its ``files`` are filled in here.
    plans, dataset
        Content of nnU-Net's ``plans.json`` and ``dataset.json``; the channels are named as the sequences.
    checkpoints
        For each fold (``0`` and on, or ``all``) the file that nnU-Net wrote; what inference does not need is
        left out.
    card
        Text of ``model_card.md``.

    Returns
    -------
    str
        sha256 of the zip.

    Raises
    ------
    ConfigError
        Something that :func:`open_model` would refuse.
    """
    parse_manifest(manifest_bytes(manifest), f"{path}, {MANIFEST}")
    check_plans(plans, f"{path}, {PLANS}")
    check_promises(manifest, dataset, f"{path}, {DATASET}")
    wrong = [fold for fold in checkpoints if not FOLD.fullmatch(f"fold_{fold}")]
    if wrong or not checkpoints:
        raise ConfigError(
            f"{path}: the folds are {list(checkpoints)}; name at least one, as 0, 1 and on, or all"
        )
    texts = {PLANS: _json(plans), DATASET: _json(dataset), CARD: card.encode()}
    with whole_file(path) as partial, zipfile.ZipFile(partial, "w") as package:
        for name, content in _contents(path, manifest, texts, checkpoints, set(plans["configurations"])):
            # weights hardly shrink
            add_file(package, name, content, deflate=not name.endswith(".pth"))
    return sha256_of(path)


def _contents(
    path: Path,
    manifest: Manifest,
    texts: Mapping[str, bytes],
    checkpoints: Mapping[str, bytes | Path],
    configurations: set[str],
) -> Iterator[tuple[str, bytes]]:
    """Give every file of a package, one checkpoint in memory at a time.

    In the order of their names ``gliaflow.json`` comes after every fold, whose checksums it holds.
    """
    files = {name: hashlib.sha256(content).hexdigest() for name, content in texts.items()}
    folds = {f"fold_{fold}/{FINAL}": source for fold, source in checkpoints.items()}
    for name in sorted([*texts, *folds, MANIFEST]):
        if name in folds:
            where = f"{path}, {name}"
            checkpoint = for_inference(read_checkpoint(folds[name], where), where)
            checkpoint["trainer_name"] = TRAINER
            configurations &= {checkpoint["init_args"]["configuration"]}
            if not configurations:
                raise ConfigError(
                    f"{where}: was trained with another configuration than the plans or another fold"
                )
            content = checkpoint_bytes(checkpoint)
            files[name] = hashlib.sha256(content).hexdigest()
        elif name == MANIFEST:
            content = manifest_bytes(replace(manifest, files=dict(sorted(files.items()))))
        else:
            content = texts[name]
        yield name, content


def _json(content: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(dict(content), indent=2, ensure_ascii=False)}\n".encode()
