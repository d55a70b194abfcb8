"""What the networks of images share: their sizes, what they take, and what they give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gliaflow.marker.names import VOLUME

GROUPS = ("group", {"num_groups": 8})
SMALL_DENSENET: Mapping[str, Any] = {
    **{"init_features": 32, "growth_rate": 16, "block_config": (4, 8, 8), "norm": GROUPS}
}
"""Three dense blocks of growth 16, a tenth of a DenseNet-121, for cohorts of a few hundred."""


@dataclass(frozen=True)
class Design:
    """The sizes of a network that are not its own.

    Attributes
    ----------
    sequences, voxels
        Channels, and the edge of the cube.
    outputs
        1 for the log odds of a class, else how many classes there are.
    nodes, node_voxels, edges, edge_voxels
        Of the atlas graph, 0 for networks that do not look at it.
    patch_features
        Of pathology, 0 where there is none.
    """

    sequences: int
    voxels: int
    outputs: int = 1
    nodes: int = 0
    node_voxels: int = 0
    edges: int = 0
    edge_voxels: int = 0
    patch_features: int = 0


class Network(nn.Module):
    """What the networks share."""

    takes = VOLUME
    takes_patches = False

    def prepare(self, images: Tensor, present: Tensor, patches: Tensor) -> None:
        """Learn what does not look at outcomes, from training rows; most have nothing to learn so."""


def with_presence(images: Tensor, present: Tensor) -> Tensor:
    """Add a constant channel for each sequence that says whether it is there."""
    return torch.cat([images, present[:, :, None, None, None].expand_as(images)], dim=1)


def as_odds(found: Tensor) -> Tensor:
    """Return log odds (b,) of one output, and several outputs (b, classes) as they are."""
    return found[:, 0] if found.shape[1] == 1 else found
