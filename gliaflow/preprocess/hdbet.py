"""Brain extraction by HD-BET's network (Isensee 2019), from a folder of weights, without worker processes."""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.images import data_of, new_image
from gliaflow.preprocess.hdbet_weights import CHECKPOINT, check_weights

if TYPE_CHECKING:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor


def extract_with_hdbet(image: nib.Nifti1Image, weights: Path, *, threads: int = 1) -> nib.Nifti1Image:
    """Find the brain in one whole-head image.

    Parameters
    ----------
    image
        Shape (x, y, z), any contrast, RAS+.
    weights
        Folder with ``plans.json``, ``dataset.json`` and ``fold_all/checkpoint_final.pth``.
    threads
        On a CPU; a GPU is used where torch finds one (then with mirroring, as HD-BET does).

    Returns
    -------
    nibabel.Nifti1Image
        uint8 mask on the grid of ``image``.

    Raises
    ------
    ConfigError
        The weights are missing or are not what HD-BET publishes.
    """
    import torch

    check_weights(weights)
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    predictor = _load(weights, device)
    voxels = data_of(image).T[np.newaxis]
    spacing = [float(s) for s in nib.affines.voxel_sizes(image.affine)[::-1]]
    with torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu"):
        labels = predictor.predict_single_npy_array(voxels, {"spacing": spacing}, None, None, False)
    return new_image(np.asarray(labels).T > 0, image.affine, np.uint8)


def _load(folder: Path, device: "torch.device") -> "nnUNetPredictor":
    from batchgenerators.utilities.file_and_folder_operations import load_json
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans, dataset = (
        PlansManager(load_json(str(folder / "plans.json"))),
        load_json(str(folder / "dataset.json")),
    )
    checkpoint = _read_checkpoint(folder / CHECKPOINT)
    configuration = plans.get_configuration(checkpoint["init_args"]["configuration"])
    network = nnUNetTrainer.build_network_architecture(
        plans,
        configuration,
        determine_num_input_channels(plans, configuration, dataset),
        plans.get_label_manager(dataset).num_segmentation_heads,
        enable_deep_supervision=False,
    )
    network.load_state_dict(checkpoint["network_weights"])
    predictor = nnUNetPredictor(
        use_mirroring=device.type == "cuda",
        perform_everything_on_device=device.type == "cuda",
        device=device,
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        network,
        plans,
        configuration,
        [checkpoint["network_weights"]],
        dataset,
        "nnUNetTrainer",
        checkpoint.get("inference_allowed_mirroring_axes"),
    )
    return predictor


def _read_checkpoint(path: Path) -> dict[str, Any]:
    import torch

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ConfigError(
            f"{path}: is not a whole file of weights, or holds code; fetch HD-BET's release again"
        ) from error
    if not isinstance(checkpoint, dict) or checkpoint.get("trainer_name") != "nnUNetTrainer":
        raise ConfigError(f"{path}: was not trained by nnUNetTrainer; these are not HD-BET's weights")
    return checkpoint
