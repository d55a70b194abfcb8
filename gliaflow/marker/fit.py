"""Training of a network on rows with known outcomes, part of which stop it and calibrate it."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.images import Array
from gliaflow.marker.base import Inputs, Network
from gliaflow.marker.classifier import (
    ImageClassifier,
    View,
    best_device,
    build,
    call,
    design_of,
    log_odds,
    probabilities,
    read_inputs,
    same_arithmetic,
)
from gliaflow.marker.names import GRAPH
from gliaflow.marker.networks import FrozenLocal
from gliaflow.marker.settings import Networks
from gliaflow.nnunet.weights import NOT_READABLE
from gliaflow.predict.names import IMAGES
from gliaflow.predict.predictor import Predictor, calibrated, inner_splits
from gliaflow.predict.table import Table
from gliaflow.predict.tasks import Settings

INTENSITY = 0.1
FLIPPED = 0.5


def fit_classifier(table: Table, model: str, settings: Settings, networks: Networks) -> Predictor:
    """Train a network on the rows of a table, and on nothing else.

    One of `inner_folds` parts of the subjects is not trained on: of the epochs that with the least loss there
    is kept, and the probabilities are calibrated to it.

    Parameters
    ----------
    table
        The training rows, with the column `IMAGES`.
    model
        Of `gliaflow.marker.networks.NETWORKS`.
    settings, networks
        See there; the seed is that of ``settings``.
    """
    view = View(networks.sequences, networks.voxels, networks.spacing_mm)
    rows, held = inner_splits(table, settings)[0]
    inputs = read_inputs(table.features[IMAGES], view, model)
    design = design_of(view, inputs, len(table.classes) or 1)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = build(model, design)
        if networks.frozen_weights and isinstance(network, FrozenLocal):
            load_frozen(network, Path(networks.frozen_weights))
        target = torch.from_numpy(table.strata)
        with same_arithmetic():
            epoch = _train(network, inputs, target, (rows, held), networks)
    inner = probabilities(log_odds(network, inputs.some(held)))
    pipeline: Any = ImageClassifier(model, view, design, inputs.graph, network)
    chosen = {"epoch": epoch, "epochs": networks.epochs}
    return calibrated(table, pipeline, inner, table.outcome[held], chosen)


def load_frozen(network: FrozenLocal, path: Path) -> None:
    """Put the weights of a ResNet-10 of MedicalNet (Chen 2019) into the frozen part of a network.

    Raises
    ------
    ConfigError
        The file holds code, which is not run, or other weights.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        weights = {k.removeprefix("module."): v for k, v in stored.get("state_dict", stored).items()}
        network.frozen.load_state_dict({k: v for k, v in weights.items() if not k.startswith("conv_seg")})
    except NOT_READABLE as error:
        raise ConfigError(
            f"config, predict.networks.frozen_weights: {str(path)!r}: holds no weights of MedicalNet's "
            f"ResNet-10 ({str(error).splitlines()[0]})"
        ) from error


def _train(
    network: Network, inputs: Inputs, target: Tensor, split: tuple[Array, Array], networks: Networks
) -> int:
    """Train, leave the network in its best epoch, and return which that was, from 1."""
    rows, held = split
    device = best_device()
    network.to(device)
    network.prepare(inputs.some(rows))
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learned, networks.learning_rate, weight_decay=1e-4)
    batches = -(-len(rows) // networks.batch_size)
    steps = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, networks.learning_rate, total_steps=networks.epochs * batches
    )
    best, kept = (float("inf"), 0), network.state_dict()
    for epoch in range(1, networks.epochs + 1):
        network.train()
        for batch in torch.from_numpy(rows)[torch.randperm(len(rows))].split(networks.batch_size):
            varied = vary(inputs.some(batch), networks.sequence_dropout, flip=network.takes != GRAPH)
            loss = loss_of(call(network, varied), target[batch].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps.step()
        value = float(loss_of(torch.from_numpy(log_odds(network, inputs.some(held))), target[held]))
        logging.info("epoch %d: loss %.4f of those held out", epoch, value)
        if value < best[0]:
            best = value, epoch
            kept = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    if not best[1]:
        raise GliaflowError("the training diverged in its first epoch; lower predict.networks.learning_rate")
    network.load_state_dict(kept)
    return best[1]


def loss_of(found: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy of log odds (n,) or logits (n, classes) with the numbers of classes (n,)."""
    if found.ndim == 1:
        return binary_cross_entropy_with_logits(found, target.to(found.dtype))
    return cross_entropy(found, target)


def vary(inputs: Inputs, dropout: float, *, flip: bool) -> Inputs:
    """Vary a batch by `augment`, and leave out the pathology of some subjects."""
    images, present = augment(inputs.images.float(), inputs.present, dropout, flip=flip)
    patches = inputs.patches
    if patches.numel():
        left_out = torch.rand(len(patches)) < dropout
        patches = torch.where(left_out[:, None, None], torch.nan, patches)
    return replace(inputs, images=images, present=present, patches=patches)


def augment(images: Tensor, present: Tensor, dropout: float, *, flip: bool = True) -> tuple[Tensor, Tensor]:
    """Vary a batch: mirrored left to right, contrast and brightness of each sequence, sequences left out.

    Parameters
    ----------
    images, present
        Shapes (b, sequences, x, ...) and (b, sequences).
    dropout
        Probability that a sequence is left out; one that is there always stays.
    flip
        Whether axis 2 is left and right, and half of the batch is mirrored.

    Returns
    -------
    tuple
        The same, varied by torch's random numbers; voxels of 0, beyond the brain, stay 0.
    """
    shape = (*present.shape, *[1] * (images.ndim - 2))
    if flip:
        mirrored = (torch.rand(len(images)) < FLIPPED).view(-1, *[1] * (images.ndim - 1))
        images = torch.where(mirrored, images.flip(2), images)
    contrast, brightness = (INTENSITY * torch.randn(2, *present.shape)).unbind()
    varied = images * (1 + contrast.view(shape)) + brightness.view(shape)
    # of the sequences that are there, the one with the highest draw stays
    draw = torch.rand(present.shape) * present
    stays = (present > 0) & ((draw >= dropout) | (draw == draw.amax(dim=1, keepdim=True)))
    return varied * (images != 0) * stays.view(shape), stays.float()
