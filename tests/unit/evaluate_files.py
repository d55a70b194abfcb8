"""Tiny packages whose networks call bright brain or bright tumour, to be evaluated."""

from io import BytesIO

import torch
from nnunet_files import DATASET, architecture, make_plans, manifest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from gliaflow.labels import SEQUENCES
from gliaflow.nnunet.package import write_package

BRIGHTER_BY = 1.5
"""How much brighter than the brain a tumour is, in all sequences together, in standard deviations."""


def bright_weights(plans):
    """Make the weights: each filter passes one channel on, and the heads ask for a bright sum of them."""
    manager = PlansManager(plans)
    network = nnUNetTrainer.build_network_architecture(
        manager, manager.get_configuration("3d_fullres"), 4, 3, enable_deep_supervision=False
    )
    weights = network.state_dict()
    for name, tensor in weights.items():
        if "seg_layers" in name:
            tensor.fill_(1 if tensor.ndim == 5 else -BRIGHTER_BY)
        elif "conv" in name and tensor.ndim == 5:
            tensor.zero_()
            # the decoder's first half comes from below, the second through the skip connection
            for k in range(4):
                tensor[k, tensor.shape[1] - 4 + k, 1, 1, 1] = 1
        elif "bias" in name:
            tensor.zero_()
    return weights


def tumour_package(path, spacing=8.0):
    """Write a package that calls tumour, of every region, what is bright in all sequences together."""
    plans = make_plans(architecture([4, 4]), channels=4, patch=32, spacing=spacing, masked=True)
    weights = bright_weights(plans)
    stream = BytesIO()
    content = {
        "network_weights": weights,
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(content, stream)
    dataset = DATASET | {"channel_names": {str(k): s for k, s in enumerate(SEQUENCES)}}
    facts = {
        "sequences": SEQUENCES,
        "optional": SEQUENCES,
        "atlas": "MNI152",
        "spacing_mm": (spacing,) * 3,
        "n4": {},
        "postprocess": {},
    }
    return write_package(
        path,
        manifest(**facts),
        plans=plans,
        dataset=dataset,
        checkpoints={"0": stream.getvalue()},
        card="card",
    )
