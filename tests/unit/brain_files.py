"""A tiny network that calls bright brain, and its package for brain extraction."""

from io import BytesIO

import torch
from nnunet_files import architecture, make_plans, manifest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from gliaflow.nnunet.manifest import label_names
from gliaflow.nnunet.package import write_package

DATASET = {
    "channel_names": {"0": "any"},
    "labels": {"background": 0, "brain": [1, 2]},
    "regions_class_order": [1],
    "numTraining": 1,
    "file_ending": ".nii.gz",
}
SPACING_MM = 4.0


def brain_plans(spacing=SPACING_MM):
    """Plans of a network for whole heads of one channel."""
    return make_plans(architecture([2, 4]), channels=1, patch=32, spacing=spacing, masked=False)


def bright_network(plans, outputs):
    """Make a network that calls bright brain: each filter passes its input on, the head asks for its sign."""
    manager = PlansManager(plans)
    network = nnUNetTrainer.build_network_architecture(
        manager, manager.get_configuration("3d_fullres"), 1, outputs, enable_deep_supervision=False
    )
    for name, tensor in network.state_dict().items():
        if "conv" in name and tensor.ndim == 5:
            tensor.zero_()
            # the decoder's first half comes from below, the second through the skip connection
            for k in range(min(tensor.shape[:2])):
                tensor[k, tensor.shape[1] - 1 - k, 1, 1, 1] = 1
        elif "seg_layers" in name and tensor.ndim == 5:
            tensor.zero_()
            tensor[-1] = 1
        elif "bias" in name:
            tensor.zero_()
    return network


def brain_package(path, **changes):
    """Write a package of the bright network; return its sha256. ``changes`` are keys of the manifest."""
    plans = brain_plans()
    stream = BytesIO()
    content = {
        "network_weights": bright_network(plans, 1).state_dict(),
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(content, stream)
    facts = {
        "sequences": ("any",),
        "optional": (),
        "regions": ("brain",),
        "labels": label_names("brain"),
        "atlas": "none",
        "spacing_mm": (SPACING_MM,) * 3,
        "n4": {},
        "postprocess": {},
        "target": "brain",
    }
    return write_package(
        path,
        manifest(**(facts | changes)),
        plans=plans,
        dataset=DATASET,
        checkpoints={"0": stream.getvalue()},
        card="card",
    )
