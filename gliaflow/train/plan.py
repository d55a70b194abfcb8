"""Planning: nnU-Net's fingerprint of a dataset, and the network and patch that follow from it."""

import copy
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gliaflow.errors import ConfigError
from gliaflow.nnunet.environment import prepare_nnunet
from gliaflow.sidecar import read_json, write_json
from gliaflow.train.fold import CONFIGURATION, PLANS
from gliaflow.train.recipe import Recipe

VOXELS = 100_000
"""For the intensity statistics, which z-scores do not use; nnU-Net's 1e8 need 5 GB whatever the cohort."""
SMALLEST_FEATURE_MAP = 4
PRESETS = {
    "standard": ("default_experiment_planner", "ExperimentPlanner"),
    "residual_m": ("residual_unets.residual_encoder_unet_planners", "nnUNetPlannerResEncM"),
    "residual_l": ("residual_unets.residual_encoder_unet_planners", "nnUNetPlannerResEncL"),
    "residual_xl": ("residual_unets.residual_encoder_unet_planners", "nnUNetPlannerResEncXL"),
}
CONVOLUTIONS = {
    "encoder_convolutions": "n_conv_per_stage",
    "decoder_convolutions": "n_conv_per_stage_decoder",
}
logger = logging.getLogger(__name__)


def plan_dataset(raw: Path, preprocessed: Path, *, recipe: Recipe, threads: int) -> None:
    """Write ``dataset_fingerprint.json``, ``dataset.json`` and the plans of a dataset.

    Parameters
    ----------
    raw
        nnU-Net's raw dataset.
    preprocessed
        The folder of the same name that nnU-Net preprocesses into; made where missing.
    recipe
        Preset, memory, spacing, patch, batch, width, convolutions and dropout.
    threads
        Cases that are looked at side by side, each in a process.
    """
    prepare_nnunet(threads=threads, raw=raw.parent, preprocessed=preprocessed.parent)
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
        DatasetFingerprintExtractor,
    )

    extractor = DatasetFingerprintExtractor(raw.name, num_processes=threads)
    extractor.num_foreground_voxels_for_intensitystats = VOXELS
    extractor.run(overwrite_existing=True)
    (preprocessed / f"{PLANS}.json").unlink(missing_ok=True)
    planner = _planner(raw.name, recipe)
    planner.plan_experiment()
    plans = read_json(preprocessed / f"{PLANS}.json")
    plans["configurations"] = {CONFIGURATION: adapt(plans["configurations"][CONFIGURATION], recipe)}
    write_json(preprocessed / f"{PLANS}.json", plans)


def adapt(configuration: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return a configuration with the patch, the batch, the convolutions and the dropout of a recipe.

    Raises
    ------
    ConfigError
        The patch cannot be halved often enough for its network, convolutions are named for more stages than
        there are, or for a network whose stages have blocks.
    """
    result = copy.deepcopy(dict(configuration))
    if recipe.batch_size:
        result["batch_size"] = recipe.batch_size
    if recipe.patch_size:
        result |= _repatched(result, recipe)
    for key, argument in CONVOLUTIONS.items():
        if wanted := getattr(recipe, key):
            _set_convolutions(result["architecture"]["arch_kwargs"], argument, wanted, key)
    if recipe.dropout:
        network = result["architecture"]["arch_kwargs"]
        network |= {
            "dropout_op": "torch.nn.Dropout3d",
            "dropout_op_kwargs": {"p": recipe.dropout, "inplace": False},
        }
    return result


def _set_convolutions(
    network: dict[str, Any], argument: str, wanted: int | tuple[int, ...], key: str
) -> None:
    """Set the convolutions of each stage, finest first; nnU-Net lists the decoder's from the coarsest up."""
    if not set(CONVOLUTIONS.values()) <= set(network):
        raise ConfigError(f"config, train.{key}: is for the preset standard; write null, or take that preset")
    given, stages = wanted if isinstance(wanted, tuple) else (wanted,), len(network[argument])
    if len(given) > stages:
        raise ConfigError(
            f"config, train.{key}: {list(given)}: the network has {stages} such stages; write {stages} "
            "numbers at most"
        )
    finest_first = [*given, *[given[-1]] * (stages - len(given))]
    network[argument] = finest_first[::-1] if argument.endswith("_decoder") else finest_first


def _repatched(configuration: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

    _, strides, kernels, patch, _ = get_pool_and_conv_props(
        configuration["spacing"], recipe.patch_size, SMALLEST_FEATURE_MAP, 999
    )
    if tuple(patch) != recipe.patch_size:
        fix = ", ".join(str(int(edge)) for edge in patch)
        raise ConfigError(
            f"config, train.patch_size: {list(recipe.patch_size or ())} cannot be halved often enough; "
            f"write [{fix}]"
        )
    stages = len(strides)
    old = configuration["architecture"]["arch_kwargs"]
    network = {**old, "n_stages": stages, "strides": _plain(strides), "kernel_sizes": _plain(kernels)}
    network["features_per_stage"] = [
        min(recipe.max_features, recipe.base_features * 2**stage) for stage in range(stages)
    ]
    for key, length in (
        ("n_conv_per_stage", stages),
        ("n_blocks_per_stage", stages),
        ("n_conv_per_stage_decoder", stages - 1),
    ):
        if key in network:
            network[key] = (list(network[key]) + [network[key][-1]] * stages)[:length]
    return {
        "patch_size": [int(edge) for edge in patch],
        "architecture": {**configuration["architecture"], "arch_kwargs": network},
    }


def _plain(sizes: Any) -> list[list[int]]:
    return [[int(edge) for edge in size] for size in sizes]


def _planner(dataset: str, recipe: Recipe) -> Any:
    from importlib import import_module

    module, name = PRESETS[recipe.preset]
    planner = getattr(import_module(f"nnunetv2.experiment_planning.experiment_planners.{module}"), name)
    memory = {"gpu_memory_target_in_gb": recipe.gpu_memory_gb} if recipe.gpu_memory_gb else {}
    spacing = (float(recipe.spacing_mm),) * 3 if recipe.spacing_mm else None
    made = planner(dataset, plans_name=PLANS, overwrite_target_spacing=spacing, **memory)
    made.UNet_base_num_features, made.UNet_max_features_3d = recipe.base_features, recipe.max_features
    return made


def preprocess_dataset(raw: Path, plan: Path, preprocessed: Path, *, threads: int) -> None:
    """Crop, normalise and resample every case of a planned dataset.

    Parameters
    ----------
    raw, plan
        The dataset, and the folder of its plans.
    preprocessed
        Where plans and cases go; of the same name, made anew.
    threads
        Cases that are worked on side by side, each in a process.
    """
    shutil.copytree(plan, preprocessed)
    prepare_nnunet(threads=threads, raw=raw.parent, preprocessed=preprocessed.parent)
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans = PlansManager(str(preprocessed / f"{PLANS}.json"))
    preprocessor = plans.get_configuration(CONFIGURATION).preprocessor_class(verbose=False)
    preprocessor.run(raw.name, CONFIGURATION, PLANS, num_processes=threads)
