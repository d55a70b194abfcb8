"""Training for missing sequences (BrainLes 2021, S15 asks for it): whole ones are left out at random."""

from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform


class SequenceDropout(BasicTransform):
    """Set whole sequences of a training patch to 0, as a missing one is at prediction; never all of them."""

    def __init__(self, probability: float) -> None:
        """Leave each sequence out with this probability, independently of the others."""
        super().__init__()
        self.probability = probability

    def get_parameters(self, **data_dict: Any) -> dict[str, Any]:
        """Draw which sequences stay: bool, shape (sequences,)."""
        # numpy's global generator is the one that nnU-Net seeds in each of its augmenting processes
        count = data_dict["image"].shape[0]
        stays = np.random.random(count) >= self.probability
        if not stays.any():
            stays[np.random.randint(count)] = True
        return {"stays": torch.from_numpy(stays)}

    def _apply_to_image(self, img: torch.Tensor, **params: Any) -> torch.Tensor:
        return img * params["stays"].view(-1, *[1] * (img.ndim - 1))

    def _apply_to_segmentation(self, segmentation: torch.Tensor, **params: Any) -> torch.Tensor:
        return segmentation
