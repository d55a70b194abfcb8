"""The network that fuses MRI and pathology by attention (BrainLes 2021, S4)."""

import torch
from monai.networks.nets.densenet import DenseNet
from torch import Tensor, nn

from gliaflow.marker.base import SMALL_DENSENET, Design, Inputs, Network, as_odds, with_presence

WIDTH = 64
TOKENS = 4


class AttentionFusion(Network):
    """A 3-D DenseNet on the tumour, which attends to patches of pathology where there are some (S4, CA-Net).

    The patches are features from elsewhere, pooled by attention (multi-instance). Each side asks the other by
    additive attention with one network for both directions, and the two are weighted by how little they lean
    on each other: ``r = 1 / mean sigmoid(e)``, with the mean in place of the paper's sum because the sides
    differ in number. Without patches the DenseNet stands alone. Unlike in the paper both sides are trained
    together.
    """

    takes_patches = True

    def __init__(self, design: Design) -> None:
        super().__init__()
        channels = 2 * design.sequences
        densenet = DenseNet(spatial_dims=3, in_channels=channels, out_channels=1, **SMALL_DENSENET)
        self.features = densenet.features
        last = int(densenet.get_submodule("class_layers.out").in_features)  # type: ignore[arg-type]
        self.tokens = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool3d(TOKENS), nn.Conv3d(last, WIDTH, 1))
        width = design.patch_features
        self.middle: Tensor
        self.scale: Tensor
        self.register_buffer("middle", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.patches = nn.Sequential(nn.Linear(max(1, width), WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.instances = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1, bias=False))
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        self.energy = nn.Linear(WIDTH, 1)
        self.dense = nn.Sequential(nn.Dropout(0.5), nn.Linear(WIDTH, design.outputs))

    def prepare(self, fitted: Inputs) -> None:
        """Measure mean and spread of the features of patches."""
        if not fitted.patches.numel():
            return
        known = fitted.patches.flatten(0, 1)
        known = known[~known.isnan().any(dim=1)]
        if len(known) > 1:
            self.middle.copy_(known.mean(dim=0))
            self.scale.copy_(known.std(dim=0).clamp(min=1e-6))

    def forward(self, images: Tensor, present: Tensor, patches: Tensor) -> Tensor:
        """Return log odds (b,) or logits (b, classes) of cubes, presence, patches (b, patches, features)."""
        radiology = self.tokens(self.features(with_presence(images, present))).flatten(2).transpose(1, 2)
        if not patches.numel():
            return as_odds(self.dense(radiology.mean(dim=1)))
        there = ~patches.isnan().any(dim=2)
        some = there.any(dim=1)
        given = (patches.nan_to_num() - self.middle) / self.scale
        pathology = self.patches(given)
        # a row without patches attends to zeros, and what it finds is not taken
        masked = torch.where(some[:, None], there, torch.ones_like(there))
        own = torch.softmax(self.instances(pathology)[:, :, 0].masked_fill(~masked, -torch.inf), dim=1)
        asked = self._energy(radiology, pathology)
        answered = self._energy(pathology, radiology)
        to_pathology = torch.softmax(asked.masked_fill(~masked[:, None, :], -torch.inf), dim=2)
        by_radiology = (radiology + to_pathology @ pathology).mean(dim=1)
        enhanced = pathology + torch.softmax(answered, dim=2) @ radiology
        by_pathology = (own[:, :, None] * enhanced).sum(dim=1)
        trust, other = reliability(asked, masked[:, None, :]), reliability(answered, masked[:, :, None])
        fused = (trust[:, None] * by_radiology + other[:, None] * by_pathology) / (trust + other)[:, None]
        return as_odds(self.dense(torch.where(some[:, None], fused, radiology.mean(dim=1))))

    def _energy(self, query: Tensor, key: Tensor) -> Tensor:
        """Return e (b, queries, keys) by additive attention."""
        both = torch.tanh(self.query(query)[:, :, None] + self.key(key)[:, None])
        found: Tensor = self.energy(both)[..., 0]
        return found


def reliability(energies: Tensor, there: Tensor) -> Tensor:
    """Return how far a side is to be trusted (b,): less, the more it looks at the other.

    Parameters
    ----------
    energies
        Shape (b, queries, keys).
    there
        Bool, of a shape that broadcasts to it: the others are not counted.

    Examples
    --------
    >>> energies, all_there = torch.tensor([[[-4.0, 4.0]], [[4.0, 4.0]]]), torch.ones(1, dtype=torch.bool)
    >>> [round(value, 2) for value in reliability(energies, all_there).tolist()]
    [2.0, 1.02]
    """
    counted = there.expand_as(energies).float()
    return counted.sum(dim=(1, 2)) / (torch.sigmoid(energies) * counted).sum(dim=(1, 2))
