"""One fold's training: nnU-Net's trainer with a seed, a choice of losses and checkpoints safe from a kill."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from gliaflow.nnunet.weights import read_checkpoint
from gliaflow.train.losses import LABEL_LOSSES, LOSSES, Float32
from gliaflow.train.recipe import Recipe
from gliaflow.train.sequence_dropout import SequenceDropout

LATEST = "checkpoint_latest.pth"


class FoldTrainer(nnUNetTrainer):
    """nnU-Net's trainer, set up by `follow` between construction and `run_training`.

    With one thread, each epoch's random numbers follow from seed, fold and epoch alone, so that a training
    that was killed and resumed ends where an undisturbed one does.
    """

    recipe: Recipe
    loss_name: str
    split: dict[str, list[str]]

    def follow(self, recipe: Recipe, loss: str, split: dict[str, list[str]]) -> None:
        """Take over a recipe's settings, the name of a loss, and the cases to train and to validate on."""
        self.recipe, self.loss_name, self.split = recipe, loss, split
        self.num_epochs = recipe.epochs
        self.num_iterations_per_epoch = recipe.iterations
        self.num_val_iterations_per_epoch = recipe.validation_iterations
        self.initial_lr = recipe.learning_rate
        self.save_every = recipe.checkpoint_epochs
        self._set_seed(0)

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Start from the weights of a network of the same architecture."""
        self.initialize()
        network: Any = getattr(self.network, "_orig_mod", self.network)
        network.load_state_dict(weights)

    def resume(self) -> bool:
        """Go on from the latest checkpoint, and tell whether there is one; nothing in it is run."""
        path = Path(self.output_folder) / LATEST
        if not path.exists():
            return False
        self.initialize()
        checkpoint = read_checkpoint(path, str(path))
        optimizer: Any = self.optimizer
        network: Any = getattr(self.network, "_orig_mod", self.network)
        network.load_state_dict(checkpoint["network_weights"])
        optimizer.load_state_dict(checkpoint["optimizer_state"])
        if self.grad_scaler is not None and checkpoint["grad_scaler_state"]:
            self.grad_scaler.load_state_dict(checkpoint["grad_scaler_state"])
        self.current_epoch, self._best_ema = checkpoint["current_epoch"], checkpoint["_best_ema"]
        self.logger.load_checkpoint(checkpoint["logging"])
        self.print_to_log_file(f"Resumes after epoch {self.current_epoch - 1}")
        return True

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint beside its place first, so that a kill never leaves half of one."""
        partial = f"{filename}.part"
        super().save_checkpoint(partial)
        Path(partial).replace(filename)

    def on_epoch_start(self) -> None:
        """Seed the epoch."""
        self._set_seed(self.current_epoch + 1)
        super().on_epoch_start()

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> Any:
        """Add sequence dropout after nnU-Net's own augmentation, or after the spatial part of it."""
        transforms = nnUNetTrainer.get_training_transforms(*args, **kwargs)
        if self.recipe.augmentation == "spatial":
            kept = [step for step in transforms.transforms if not isinstance(step, RandomTransform)]
            transforms.transforms = kept
        if self.recipe.sequence_dropout > 0:
            transforms.transforms.append(SequenceDropout(self.recipe.sequence_dropout))
        return transforms

    def configure_optimizers(self) -> tuple[Any, Any]:
        """Return the optimiser of the recipe, and nnU-Net's schedule for it."""
        optimizer, schedule = super().configure_optimizers()
        if self.recipe.optimiser == "adamw":
            optimizer = torch.optim.AdamW(self.network.parameters(), self.initial_lr, weight_decay=1e-4)
            schedule = type(schedule)(optimizer, self.initial_lr, self.num_epochs)
        return optimizer, schedule

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Train on one batch; on a CPU the network runs in bfloat16."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.device.type == "cpu"):
            return super().train_step(batch)

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Score one batch, in the precision of the training."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.device.type == "cpu"):
            return super().validation_step(batch)

    def on_train_start(self) -> None:
        """Start without the file that nnU-Net writes the machine's name into."""
        super().on_train_start()
        (Path(self.output_folder) / "debug.json").unlink(missing_ok=True)

    def do_split(self) -> tuple[list[str], list[str]]:
        """Return the cases to train and to validate on."""
        return self.split["train"], self.split["val"]

    def _build_loss(self) -> nn.Module:
        batch_dice = self.configuration_manager.batch_dice
        losses = LOSSES if self.label_manager.has_regions else LABEL_LOSSES
        loss = Float32(losses[self.loss_name](self.recipe.topk_percent, batch_dice=batch_dice))
        scales = self._get_deep_supervision_scales()
        weights = np.array([0.5**level for level in range(len(scales))])
        if len(weights) > 1:
            weights[-1] = 0
        return DeepSupervisionWrapper(loss, weights / weights.sum())

    def _set_seed(self, epoch: int) -> None:
        sequence = np.random.SeedSequence([self.recipe.seed, int(self.fold), epoch])
        state = int(sequence.generate_state(1)[0])
        random.seed(state)
        np.random.seed(state)
        torch.manual_seed(state)
