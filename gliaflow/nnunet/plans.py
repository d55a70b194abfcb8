"""Which of the classes and functions that nnU-Net looks up and calls ``plans.json`` may name."""

import inspect
import pydoc
import re
from collections.abc import Mapping
from typing import Any

from gliaflow.errors import ConfigError

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
NETWORKS = "dynamic_network_architectures."
UNETS = f"{NETWORKS}architectures.unet"
LAYERS = "torch.nn."
OLD_NETWORKS = ("PlainConvUNet", "ResidualEncoderUNet")
PLAN_NAMES = ("image_reader_writer", "label_manager", "experiment_planner_used")
RESAMPLING = re.compile(r"resampling_fn_(?!.*_kwargs$).*")


def check_plans(plans: Mapping[str, Any], where: str) -> None:
    """Check every name in plans that nnU-Net would look up, without looking it up.

    Parameters
    ----------
    plans
        Content of ``plans.json``.
    where
        The file, for errors.

    Raises
    ------
    ConfigError
        There are no configurations; the network is none of ``dynamic_network_architectures``; a part of it is
        none of ``torch.nn``; or a reader, label manager, preprocessor, resampling function or normalisation
        is not a plain identifier.
    """
    configurations = plans.get("configurations")
    if not (isinstance(configurations, dict) and configurations):
        raise ConfigError(f"{where}: has no configurations; it is no plan of nnU-Net v2")
    for key in PLAN_NAMES:
        _check_identifier(plans.get(key), f"{where}, {key}")
    for name, configuration in configurations.items():
        _check_configuration(configuration, f"{where}, configurations.{name}")
    for name in configurations:
        _check_descent(name, configurations, f"{where}, configurations.{name}")


def check_network(architecture: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check that a network and its parts are what their names promise; call it before the network is built.

    Parameters
    ----------
    architecture
        ``architecture`` of a configuration, or what nnU-Net makes of an old one.
    where
        The file, for errors.

    Returns
    -------
    dict
        The architecture to build: the same, but for a network whose module has another name by now.

    Raises
    ------
    ConfigError
        A name resolves to anything but a network of ``dynamic_network_architectures`` or a layer or function
        of ``torch.nn``.
    """
    _check_architecture(architecture, where)
    name = architecture["network_class_name"]
    if _located(name, where) is None:
        name = f"{UNETS}.{name.rpartition('.')[2]}"
    if not _is_network(_located(name, where)):
        raise ConfigError(
            f"{where}: the network {name!r} is no network that dynamic_network_architectures has"
        )
    for key in architecture["_kw_requires_import"]:
        part = architecture["arch_kwargs"][key]
        if part is not None and not _is_layer(_located(part, where)):
            raise ConfigError(f"{where}: {key} is {part!r}, which is no layer or function of torch.nn")
    return {**architecture, "network_class_name": name}


def _check_configuration(configuration: Any, where: str) -> None:
    if not isinstance(configuration, dict):
        raise ConfigError(f"{where}: is not a mapping")
    for key in ("preprocessor_name", *filter(RESAMPLING.fullmatch, configuration)):
        _check_identifier(configuration.get(key), f"{where}.{key}")
    schemes = configuration.get("normalization_schemes", [])
    if not isinstance(schemes, list | tuple):
        raise ConfigError(f"{where}.normalization_schemes: is not a list")
    for scheme in schemes:
        _check_identifier(scheme, f"{where}.normalization_schemes")
    old = configuration.get("UNet_class_name")
    if old is not None and old not in OLD_NETWORKS:
        raise ConfigError(
            f"{where}.UNet_class_name: {old!r} is none of {', '.join(OLD_NETWORKS)}; it is not used"
        )
    if "architecture" in configuration:
        _check_architecture(configuration["architecture"], f"{where}.architecture")


def _check_descent(name: str, configurations: Mapping[str, Any], where: str) -> None:
    """Check that a configuration, or one that it inherits from, describes a network."""
    seen, heir = {name}, configurations[name]
    while not {"architecture", "UNet_class_name"} & set(heir):
        parent = heir.get("inherits_from")
        if not isinstance(parent, str) or parent not in configurations or parent in seen:
            raise ConfigError(f"{where}: describes no network, and inherits_from leads to none")
        seen.add(parent)
        heir = configurations[parent]


def _check_architecture(architecture: Any, where: str) -> None:
    parts = architecture if isinstance(architecture, dict) else {}
    settings, imported = parts.get("arch_kwargs"), parts.get("_kw_requires_import")
    if not isinstance(settings, dict) or not isinstance(imported, list | tuple):
        raise ConfigError(f"{where}: lacks arch_kwargs or _kw_requires_import; it describes no network")
    _check_dotted(parts.get("network_class_name"), NETWORKS, f"{where}.network_class_name")
    for key in imported:
        if not isinstance(key, str) or key not in settings:
            raise ConfigError(f"{where}._kw_requires_import: {key!r} is not in arch_kwargs")
        if settings[key] is not None:
            _check_dotted(settings[key], LAYERS, f"{where}.arch_kwargs.{key}")


def _check_identifier(name: Any, where: str) -> None:
    if name is not None and not (isinstance(name, str) and IDENTIFIER.fullmatch(name)):
        raise ConfigError(f"{where}: {name!r} is not a plain name, so it is not looked up")


def _check_dotted(name: Any, start: str, where: str) -> None:
    if not (isinstance(name, str) and DOTTED.fullmatch(name) and name.startswith(start)):
        raise ConfigError(f"{where}: {name!r} is not a name that begins with {start!r}, so it is not run")


def _located(name: str, where: str) -> Any:
    try:
        return pydoc.locate(name)
    except pydoc.ErrorDuringImport as error:
        raise ConfigError(f"{where}: {name!r} cannot be imported ({error})") from error


def _is_network(found: Any) -> bool:
    from torch import nn

    return inspect.isclass(found) and issubclass(found, nn.Module) and found.__module__.startswith(NETWORKS)


def _is_layer(found: Any) -> bool:
    from torch import nn

    is_module = inspect.isclass(found) and issubclass(found, nn.Module)
    return (is_module or inspect.isfunction(found)) and found.__module__.startswith(LAYERS)
