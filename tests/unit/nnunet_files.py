"""A tiny nnU-Net v2 model, as nnU-Net writes it and as a package."""

import json
import zipfile
from io import BytesIO

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from gliaflow.nnunet.manifest import Manifest, label_names

CONFIGURATION = "3d_fullres"
SEQUENCES = ("t1c", "t2f")
RESAMPLING = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}


def architecture(widths, convolutions=1):
    """Describe a plain U-Net as plans.json does: the width of each stage, and the convolutions in each."""
    stages = len(widths)
    network = {
        "n_stages": stages,
        "features_per_stage": widths,
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * stages,
        "strides": [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)],
        "n_conv_per_stage": [convolutions] * stages,
        "n_conv_per_stage_decoder": [convolutions] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": network,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def make_plans(network, *, channels, patch, spacing, masked):
    """Make the content of plans.json: cubic patch, cubic voxels in mm, normalised inside the brain or not."""
    configuration = {
        "data_identifier": "tiny",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [patch] * 3,
        "spacing": [spacing] * 3,
        "normalization_schemes": ["ZScoreNormalization"] * channels,
        "use_mask_for_norm": [masked] * channels,
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": RESAMPLING,
        "resampling_fn_seg_kwargs": RESAMPLING | {"is_seg": True},
        "resampling_fn_probabilities_kwargs": RESAMPLING,
        "architecture": network,
        "batch_dice": False,
    }
    return {
        "dataset_name": "Dataset001_Tiny",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {CONFIGURATION: configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {str(channel): {} for channel in range(channels)},
    }


ARCHITECTURE = architecture([2, 4])
PLANS = make_plans(ARCHITECTURE, channels=2, patch=16, spacing=1.0, masked=True)
DATASET = {
    "channel_names": {"0": "t1c", "1": "t2f"},
    "labels": {"background": 0, "WT": [1, 2, 3], "TC": [1, 3], "ET": [3]},
    "regions_class_order": [2, 1, 3],
    "numTraining": 1,
    "file_ending": ".nii.gz",
}
OLD_CONFIGURATION = {
    "patch_size": [16, 16, 16],
    "UNet_class_name": "PlainConvUNet",
    "UNet_base_num_features": 2,
    "unet_max_num_features": 4,
    "n_conv_per_stage_encoder": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "num_pool_per_axis": [1, 1, 1],
    "pool_op_kernel_sizes": [[1, 1, 1], [2, 2, 2]],
    "conv_kernel_sizes": [[3, 3, 3], [3, 3, 3]],
}


DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""Where the project's inference runs; a GPU's halves the precision, as nnU-Net's own there."""
CLOSE = 1e-2 if DEVICE.type == "cuda" else 1e-3
"""How far apart two ways to the same probabilities may be."""


class RunsCode:
    """Unpickled without care, this makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def weights(seed=0):
    """Make the weights of the tiny network."""
    torch.manual_seed(seed)
    plans = PlansManager(PLANS)
    network = nnUNetTrainer.build_network_architecture(
        plans, plans.get_configuration(CONFIGURATION), 2, 3, enable_deep_supervision=False
    )
    return network.state_dict()


def checkpoint(seed=0, **changes):
    """Make the bytes of a checkpoint as nnU-Net's trainer saves it, with optimiser and log."""
    scores = [np.float64(0.5), np.float32(0.25)]
    log = {"mean_fg_dice": scores, "dice_per_class_or_region": [np.array([0.5, 0.25]), np.array([1, 2])]}
    settings = {"plans": PLANS, "configuration": CONFIGURATION, "fold": 0, "device": torch.device("cuda")}
    content = {
        "network_weights": weights(seed),
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.zeros(9)}}, "param_groups": []},
        "grad_scaler_state": None,
        "logging": log,
        "_best_ema": np.float64(0.5),
        "current_epoch": 1,
        "init_args": settings,
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    stream = BytesIO()
    torch.save({key: value for key, value in (content | changes).items() if value is not ...}, stream)
    return stream.getvalue()


def manifest(**changes):
    """Make a manifest of the tiny model."""
    values = {
        "name": "tiny",
        "sequences": SEQUENCES,
        "optional": ("t1c",),
        "regions": ("WT", "TC", "ET"),
        "labels": label_names(),
        "atlas": "SRI24",
        "spacing_mm": (1.0, 1.0, 1.0),
        "n4": {"t1c": "registration", "t2f": "off"},
        "postprocess": {"threshold": {"WT": 0.5}},
        "training": {"epochs": 1, "cohorts": ["synthetic"]},
        "cross_validation": {"WT": {"dice": 0.9}},
        "licence": "CC-BY-4.0",
    }
    return Manifest(**(values | changes))


def public_files(checkpoints, plans=PLANS, dataset=DATASET):
    """Return the files of a model folder of nnU-Net: names and bytes."""
    folds = {f"fold_{fold}/checkpoint_final.pth": content for fold, content in checkpoints.items()}
    other = {"dataset_fingerprint.json": b"{}", "fold_0/progress.png": b"png"}
    return {
        "plans.json": json.dumps(plans).encode(),
        "dataset.json": json.dumps(dataset).encode(),
        **folds,
        **other,
    }


def write_files(folder, files):
    """Write files to a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path, files):
    """Write files to a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def read_zip(path):
    """Return the files of a zip: names and bytes."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
