"""Starting from the weights of an earlier training."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gliaflow.errors import ConfigError
from gliaflow.nnunet.model import open_model

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


def starting_weights(
    package: Path, configuration: Mapping[str, Any], dataset: Mapping[str, Any], fold: int
) -> "dict[str, torch.Tensor]":
    """Return the weights of a package's network for a network that is to be trained.

    Parameters
    ----------
    package
        Of an earlier training; spacing, patch and batch may have been others.
    configuration, dataset
        The network to train: a configuration of the plans, and the content of ``dataset.json``.
    fold
        Of the network to train; where the package has no such fold, its first one is taken.

    Returns
    -------
    dict
        Tensors by the names of the network's parts.

    Raises
    ------
    ConfigError
        The package is refused, or its network, inputs or outputs are others; says what differs.
    """
    files = open_model(package)
    theirs = _network(files.plans["configurations"][files.configuration], files.dataset)
    ours = _network(configuration, dataset)
    differing = [key for key in ours | theirs if ours.get(key) != theirs.get(key)]
    if differing:
        told = "; ".join(f"{key} is {theirs.get(key)}, here {ours.get(key)}" for key in differing)
        raise ConfigError(
            f"config, train.start: {package}: holds another network ({told}); take its recipe, or set "
            "train.start to null"
        )
    chosen = str(fold) if str(fold) in files.folds else files.folds[0]
    logger.info("starts from the weights of fold %s of %s", chosen, package.name)
    weights: dict[str, torch.Tensor] = files.checkpoint(chosen)["network_weights"]
    return weights


def _network(configuration: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides whether weights fit; dropout has none."""
    architecture = configuration.get("architecture", {})
    settings = {
        key: value for key, value in architecture.get("arch_kwargs", {}).items() if "dropout" not in key
    }
    return {
        "network_class_name": architecture.get("network_class_name"),
        **settings,
        "channels": list(dataset["channel_names"].values()),
        "labels": dataset["labels"],
    }
