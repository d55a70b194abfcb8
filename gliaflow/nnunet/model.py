"""Opening a trained nnU-Net v2 ensemble: our package, or a public model in its usual folder or export zip."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gliaflow.errors import ConfigError
from gliaflow.fetch import sha256_of
from gliaflow.nnunet.archive import Archive, open_archive
from gliaflow.nnunet.layout import (
    DATASET,
    FINAL,
    PLANS,
    checkpoint_names,
    configuration_in_name,
    model_folder,
)
from gliaflow.nnunet.manifest import MANIFEST, Manifest, manifest_name, parse_manifest, read_json
from gliaflow.nnunet.plans import check_plans
from gliaflow.nnunet.regions import AGREEMENT, region_map
from gliaflow.nnunet.targets import RATERS
from gliaflow.nnunet.weights import for_inference, read_checkpoint

CONVENTION = "gliaflow"


@dataclass(frozen=True)
class ModelFiles:
    """The files of a trained model, ours or a public one; made by :func:`open_model`.

    Attributes
    ----------
    path
        The zip or folder.
    plans, dataset
        Content of ``plans.json``, whose names are checked, and of ``dataset.json``.
    configuration
        Which of the plans' configurations was trained, such as ``3d_fullres``.
    folds
        Those that have a checkpoint: ``0`` and on, then ``all``.
    manifest
        None for a public model.
    """

    path: Path
    plans: dict[str, Any]
    dataset: dict[str, Any]
    configuration: str
    folds: tuple[str, ...]
    manifest: Manifest | None
    _archive: Archive = field(repr=False)
    _folder: str = field(repr=False)

    def checkpoint(self, fold: str) -> dict[str, Any]:
        """Read the checkpoint of one fold to the CPU.

        Parameters
        ----------
        fold
            One of ``folds``.

        Returns
        -------
        dict
            ``network_weights``, ``trainer_name``, ``init_args`` with its ``configuration``, and
            ``inference_allowed_mirroring_axes``.

        Raises
        ------
        ConfigError
            There is no such fold; the checkpoint was changed since the export, is damaged, holds code, lacks
            weights, or is of another configuration.
        """
        name = checkpoint_names(self._archive, self._folder).get(fold)
        if name is None:
            raise ConfigError(f"{self.path}: has no fold {fold}; it has {', '.join(self.folds)}")
        files = self.manifest.files if self.manifest else {}
        checkpoint = _read_checkpoint(self._archive, name, files.get(name.removeprefix(self._folder)))
        found = checkpoint["init_args"]["configuration"]
        if found != self.configuration:
            raise ConfigError(
                f"{self.path}, {name}: was trained with the configuration {found}, not {self.configuration}"
            )
        return checkpoint

    def sha256(self, fold: str) -> str:
        """Return the checksum of a fold's checkpoint file."""
        name = checkpoint_names(self._archive, self._folder)[fold]
        listed = self.manifest.files if self.manifest else {}
        return listed.get(name.removeprefix(self._folder)) or self._archive.sha256(name)


def open_model(path: Path, *, sha256: str | None = None, configuration: str | None = None) -> ModelFiles:
    """Open a model package, or a public nnU-Net v2 model in its folder or export zip.

    Parameters
    ----------
    path
        A zip, or a folder; ``plans.json`` may lie deeper in it.
    sha256
        What the zip has to have.
    configuration
        Which model is meant where several lie in ``path``, such as ``3d_fullres``.

    Raises
    ------
    ConfigError
        The checksum is another; the archive, the manifest or a name in the plans is refused; a file is not
        what the manifest says, is missing or is extra; there is no model, or several that fit; or no fold.
    """
    if sha256 is not None:
        _check_whole(path, sha256)
    archive = open_archive(path)
    manifest, folder = _manifest_and_folder(archive, configuration)
    plans, dataset = (
        read_json(archive.read(folder + name), f"{path}, {folder + name}") for name in (PLANS, DATASET)
    )
    check_plans(plans, f"{path}, {folder + PLANS}")
    if manifest is not None:
        check_promises(manifest, dataset, f"{path}, {folder + DATASET}")
    folds = tuple(checkpoint_names(archive, folder))
    if not folds:
        raise ConfigError(f"{path}: has no fold_<k>/{FINAL}; it is no trained model of nnU-Net v2")
    trained = _configuration(archive, folder, plans["configurations"], configuration)
    return ModelFiles(path, plans, dataset, trained, folds, manifest, archive, folder)


def check_promises(manifest: Manifest, dataset: Mapping[str, Any], where: str) -> None:
    """Check that a network has the channels and the regions that its manifest states.

    Parameters
    ----------
    manifest
        Of the package.
    dataset
        Content of ``dataset.json``.
    where
        The file, for errors.

    Raises
    ------
    ConfigError
        The channels are others or in another order, a region cannot be had, or the labels count raters where
        the manifest does not say so, or another number of them.
    """
    channels = dataset.get("channel_names")
    found = [channels[key] for key in sorted(channels)] if isinstance(channels, dict) else channels
    if found != list(manifest.sequences):
        raise ConfigError(
            f"{where}: channel_names is {found}, and {MANIFEST} has the sequences {list(manifest.sequences)}"
        )
    counted = len(manifest.labels) if manifest.target == RATERS else None
    found_raters = dataset[AGREEMENT].get("raters") if isinstance(dataset.get(AGREEMENT), dict) else None
    if found_raters != counted:
        raise ConfigError(
            f"{where}: the labels count {found_raters or 'no'} raters, and {MANIFEST} has the labels "
            f"{dict(manifest.labels)}; export the model again"
        )
    try:
        region_map(dataset, manifest.regions, CONVENTION)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _check_whole(path: Path, sha256: str) -> None:
    if path.is_dir():
        raise ConfigError(
            f"{path}: is a folder, and a sha256 belongs to a zip; take the sha256 out, or name the zip"
        )
    if path.is_file() and (found := sha256_of(path)) != sha256.lower():
        raise ConfigError(
            f"{path}: has sha256 {found}, not {sha256}; it is damaged or was changed, so it is not used"
        )


def _manifest_and_folder(archive: Archive, configuration: str | None) -> tuple[Manifest | None, str]:
    """Return the manifest, with every file checked against it, and the prefix of the model's files."""
    name = manifest_name(archive)
    if name is None:
        return None, model_folder(archive, configuration)
    manifest = parse_manifest(archive.read(name), f"{archive.path}, {name}")
    folder = name.removesuffix(MANIFEST)
    _check_files(archive, folder, manifest)
    return manifest, folder


def _check_files(archive: Archive, folder: str, manifest: Manifest) -> None:
    here = set(archive.names())
    listed = {folder + name for name in manifest.files}
    wrong = {
        "lacks what its manifest lists": (listed | {folder + PLANS, folder + DATASET}) - here,
        "holds what its manifest does not list": here - listed - {folder + MANIFEST},
    }
    for what, names in wrong.items():
        if names:
            raise ConfigError(f"{archive.path}: {what} ({', '.join(sorted(names))}); fetch the package again")
    for name, sha256 in manifest.files.items():
        if archive.sha256(folder + name) != sha256:
            raise _changed(archive, folder + name)


def _changed(archive: Archive, name: str) -> ConfigError:
    return ConfigError(
        f"{archive.path}, {name}: has another sha256 than the manifest lists, so it was changed after the "
        "export; fetch the package again"
    )


def _configuration(archive: Archive, folder: str, known: Mapping[str, Any], wanted: str | None) -> str:
    named = configuration_in_name(archive, folder)
    if wanted is None and named in known:
        wanted = named
    if wanted is None and len(known) == 1:
        wanted = next(iter(known))
    if wanted is None:
        name = next(iter(checkpoint_names(archive, folder).values()))
        wanted = str(_read_checkpoint(archive, name)["init_args"]["configuration"])
    if wanted not in known:
        raise ConfigError(
            f"{archive.path}, {folder + PLANS}: has no configuration {wanted}; it has {', '.join(known)}"
        )
    return wanted


def _read_checkpoint(archive: Archive, name: str, sha256: str | None = None) -> dict[str, Any]:
    content = archive.read(name)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise _changed(archive, name)
    where = f"{archive.path}, {name}"
    return for_inference(read_checkpoint(content, where), where)
