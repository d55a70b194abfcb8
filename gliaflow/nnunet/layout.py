"""Where the files of a trained nnU-Net v2 model lie in an archive."""

import re
from pathlib import PurePosixPath

from gliaflow.errors import ConfigError
from gliaflow.nnunet.archive import Archive

PLANS, DATASET = "plans.json", "dataset.json"
FINAL, BEST = "checkpoint_final.pth", "checkpoint_best.pth"
FOLD = re.compile(r"fold_(all|0|[1-9][0-9]*)")


def model_folder(archive: Archive, configuration: str | None) -> str:
    """Find the model in an archive, or the one that was trained with a configuration.

    Parameters
    ----------
    archive
        A model folder, or what lies above several of them.
    configuration
        Such as ``3d_fullres``; None where there is only one.

    Returns
    -------
    str
        What the names of the model's files begin with: empty, or ending in ``/``.

    Raises
    ------
    ConfigError
        There is no ``plans.json``, or not exactly one model fits.
    """
    folders = [name.removesuffix(PLANS) for name in archive.names() if name.split("/")[-1] == PLANS]
    if not folders:
        raise ConfigError(f"{archive.path}: holds no {PLANS}; it is no model of nnU-Net v2")
    named = {folder: configuration_in_name(archive, folder) for folder in folders}
    fitting = [folder for folder in folders if configuration in (None, named[folder])]
    fitting = fitting or [folder for folder in folders if named[folder] is None]
    if len(fitting) != 1:
        found = ", ".join(folder.rstrip("/") or "." for folder in folders)
        several = (
            "several of them fit" if fitting else f"none of them is of the configuration {configuration}"
        )
        raise ConfigError(
            f"{archive.path}: holds the models {found}, and {several}; name the configuration of one, or "
            "its folder"
        )
    return fitting[0]


def configuration_in_name(archive: Archive, folder: str) -> str | None:
    """Return the last part of ``Trainer__Plans__configuration``; None where a folder is named otherwise."""
    name = PurePosixPath(folder).name or (archive.path.resolve().name if archive.path.is_dir() else "")
    return name.rpartition("__")[2] if "__" in name else None


def checkpoint_names(archive: Archive, folder: str) -> dict[str, str]:
    """Return the checkpoint of every fold, the final one rather than the best; ``all`` comes last."""
    found = {}
    for kind in (BEST, FINAL):
        for name in archive.names():
            parent, _, file = name.removeprefix(folder).rpartition("/")
            fold = FOLD.fullmatch(parent)
            if fold and file == kind and name.startswith(folder):
                found[fold[1]] = name
    return {fold: found[fold] for fold in sorted(found, key=lambda fold: (fold == "all", len(fold), fold))}
