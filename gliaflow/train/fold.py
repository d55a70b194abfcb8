"""Training one fold, from where the last attempt left it."""

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from gliaflow.fetch import sha256_of
from gliaflow.images import write_bytes
from gliaflow.nnunet.environment import prepare_nnunet
from gliaflow.nnunet.layout import FINAL
from gliaflow.sidecar import read_json
from gliaflow.train.recipe import Recipe, recipe_record
from gliaflow.train.start import starting_weights

CONFIGURATION = "3d_fullres"
PLANS = "gliaflow"
MARK = "settings.sha256"
UNTRACKED = ("compile", "checkpoint_epochs")
"""Settings that do not change what is learnt."""
logger = logging.getLogger(__name__)


def train_fold(
    preprocessed: Path,
    work: Path,
    output: Path,
    *,
    splits: Path,
    fold: int,
    loss: str,
    recipe: Recipe,
    threads: int,
    start: Path | None = None,
) -> None:
    """Train a fold, or go on with it.

    Parameters
    ----------
    preprocessed
        nnU-Net's preprocessed dataset, with plans and fingerprint.
    work
        Where checkpoints lie between attempts; removed at the end. What another recipe, plan or dataset left
        there is not used.
    output
        Folder of ``checkpoint_final.pth`` and ``progress.png``; exists.
    splits
        What `gliaflow.train.dataset.make_splits` returned, as JSON.
    fold, loss
        Which of them, and a key of `gliaflow.train.losses.LOSSES`.
    recipe
        Settings; a GPU is used where torch finds one.
    threads
        One trains; the others augment in processes of their own.
    start
        Package whose weights the network starts from; see `gliaflow.train.start.starting_weights`.

    Raises
    ------
    ConfigError
        The package to start from holds another network.
    """
    prepare_nnunet(
        threads=threads,
        augmenters=threads - 1,
        preprocessed=preprocessed.parent,
        results=work,
        compile_network=recipe.compile,
    )
    import torch

    if torch.cuda.is_available():
        torch.backends.cudnn.benchmark = True
        torch.set_num_threads(1)

    from gliaflow.train.trainer import FoldTrainer

    plans, dataset = read_plans(preprocessed)
    split = read_json(splits)["splits"][fold]
    lasting = {key: value for key, value in recipe_record(recipe).items() if key not in UNTRACKED}
    origin = [sha256_of(start)] if start else []
    start_over_if_changed(work, [plans, dataset, split, loss, lasting, *origin])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = FoldTrainer({**plans, "continue_training": True}, CONFIGURATION, fold, dataset, device)
    trainer.follow(recipe, loss, split)
    folder = Path(trainer.output_folder)
    if not (folder / FINAL).exists():
        if not trainer.resume() and start:
            configuration = plans["configurations"][CONFIGURATION]
            trainer.load_weights(starting_weights(start, configuration, dataset, fold))
        trainer.run_training()
    for name in (FINAL, "progress.png"):
        shutil.copyfile(folder / name, output / name)
    shutil.rmtree(work)


def start_over_if_changed(work: Path, settings: list[Any]) -> None:
    """Empty a work folder that belongs to other settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    mark = work / MARK
    if work.exists() and (not mark.exists() or mark.read_text() != digest):
        logger.info("settings, plan or data have changed since the last attempt: training starts anew")
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    write_bytes(mark, digest.encode())


def read_plans(preprocessed: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return plans and dataset description of a preprocessed dataset, without its list of files."""
    dataset = read_json(preprocessed / "dataset.json")
    dataset.pop("dataset", None)
    return read_json(preprocessed / f"{PLANS}.json"), dataset
