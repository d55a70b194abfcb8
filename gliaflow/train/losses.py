"""Losses: Dice and cross-entropy, of all or the worst voxels (BrainLes 2021, S36).

For overlapping regions (sigmoid), and for labels that exclude each other (softmax): numbers of raters.
"""

from collections.abc import Callable

import torch
from nnunetv2.training.loss.compound_losses import DC_and_BCE_loss, DC_and_CE_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from nnunetv2.utilities.helpers import softmax_helper_dim1
from torch import nn


class DiceTopK(nn.Module):
    """Soft Dice plus the binary cross-entropy of each region's worst voxels.

    The paper's cross-entropy keeps the worst k = 10 % of the voxels and divides by the number of all voxels,
    which only scales it; here it is their mean, as in nnU-Net's own loss for labels.
    """

    def __init__(self, percent: float, *, batch_dice: bool) -> None:
        """Keep the worst ``percent`` of the voxels of each region."""
        super().__init__()
        self.percent = percent
        self.dice = MemoryEfficientSoftDiceLoss(torch.sigmoid, batch_dice=batch_dice, smooth=1e-5, ddp=False)
        self.cross_entropy = nn.BCEWithLogitsLoss(reduction="none")

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss; both of shape (batch, regions, x, y, z)."""
        voxels = self.cross_entropy(logits, target.float()).transpose(0, 1).flatten(1)
        return self.dice(logits, target) + worst_mean(voxels, self.percent)


class LabelDiceTopK(nn.Module):
    """Soft Dice of the labels without the background plus the cross-entropy of the worst voxels."""

    def __init__(self, percent: float, *, batch_dice: bool) -> None:
        """Keep the worst ``percent`` of all voxels."""
        super().__init__()
        self.percent = percent
        dice = {"batch_dice": batch_dice, "do_bg": False, "smooth": 1e-5, "ddp": False}
        self.dice = MemoryEfficientSoftDiceLoss(softmax_helper_dim1, **dice)
        self.cross_entropy = nn.CrossEntropyLoss(reduction="none")

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss; logits of shape (batch, labels, x, y, z), target (batch, 1, x, y, z)."""
        voxels = self.cross_entropy(logits, target[:, 0].long()).flatten()
        return self.dice(logits, target) + worst_mean(voxels[None], self.percent)


def worst_mean(voxels: torch.Tensor, percent: float) -> torch.Tensor:
    """Return the mean of the largest ``percent`` of each row, at least one of it; shape (rows, voxels)."""
    worst = max(1, round(voxels.shape[1] * percent / 100))
    return voxels.topk(worst, dim=1, sorted=False).values.mean()


def dice_ce(percent: float, *, batch_dice: bool) -> nn.Module:
    """Return soft Dice plus binary cross-entropy of all voxels, nnU-Net's loss for regions."""
    dice = {"batch_dice": batch_dice, "do_bg": True, "smooth": 1e-5, "ddp": False}
    return DC_and_BCE_loss({}, dice, dice_class=MemoryEfficientSoftDiceLoss)


def dice_topk(percent: float, *, batch_dice: bool) -> nn.Module:
    """Return `DiceTopK`."""
    return DiceTopK(percent, batch_dice=batch_dice)


def label_dice_ce(percent: float, *, batch_dice: bool) -> nn.Module:
    """Return soft Dice without the background plus cross-entropy of all voxels, nnU-Net's loss for labels."""
    dice = {"batch_dice": batch_dice, "do_bg": False, "smooth": 1e-5, "ddp": False}
    return DC_and_CE_loss(dice, {}, dice_class=MemoryEfficientSoftDiceLoss)


def label_dice_topk(percent: float, *, batch_dice: bool) -> nn.Module:
    """Return `LabelDiceTopK`."""
    return LabelDiceTopK(percent, batch_dice=batch_dice)


LOSSES: dict[str, Callable[..., nn.Module]] = {"dice_ce": dice_ce, "dice_topk": dice_topk}
LABEL_LOSSES: dict[str, Callable[..., nn.Module]] = {"dice_ce": label_dice_ce, "dice_topk": label_dice_topk}
"""The losses of the same names for labels that exclude each other."""


class Float32(nn.Module):
    """A loss that is computed in float32 whatever the network's precision is."""

    def __init__(self, loss: nn.Module) -> None:
        """Wrap a loss of one pair of tensors."""
        super().__init__()
        self.loss = loss

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of the logits as float32."""
        with torch.autocast(logits.device.type, enabled=False):
            return self.loss(logits.float(), target)
