"""What the networks of images share: their sizes, what they take, and what they give."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from gliaflow.images import Array
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


@dataclass(frozen=True)
class Inputs:
    """What a network sees of sessions.

    Attributes
    ----------
    images
        Shape (n, sequences, ...), 0 where missing; float32, of a graph half precision.
    present
        float32, shape (n, sequences): which are there.
    patches
        float32, shape (n, patches, features): of pathology, NaN where a subject has fewer.
    graph
        Digest of the atlas graph, empty for networks that do not look at it.
    pairs
        The nodes that each edge of it joins, shape (edges, 2).
    sizes
        Of a row of nodes and of edges: (nodes, voxels, edges, voxels).
    """

    images: Tensor
    present: Tensor
    patches: Tensor = field(default_factory=lambda: torch.zeros(0))
    graph: str = ""
    pairs: Tensor = field(default_factory=lambda: torch.zeros(0, 2, dtype=torch.long))
    sizes: tuple[int, int, int, int] = (0, 0, 0, 0)

    def some(self, rows: Tensor | Array) -> "Inputs":
        """Return some rows."""
        patches = self.patches[rows] if self.patches.numel() else self.patches
        return replace(self, images=self.images[rows], present=self.present[rows], patches=patches)

    def split(self, size: int) -> Iterator["Inputs"]:
        """Give the rows in batches."""
        for rows in torch.arange(len(self.present)).split(size):
            yield self.some(rows)


class Network(nn.Module):
    """What the networks share."""

    takes = VOLUME
    takes_patches = False

    def prepare(self, fitted: Inputs) -> None:
        """Learn what does not look at outcomes, from training rows; most have nothing to learn so."""


def with_presence(images: Tensor, present: Tensor) -> Tensor:
    """Add a constant channel for each sequence that says whether it is there."""
    return torch.cat([images, present[:, :, None, None, None].expand_as(images)], dim=1)


def as_odds(found: Tensor) -> Tensor:
    """Return log odds (b,) of one output, and several outputs (b, classes) as they are."""
    return found[:, 0] if found.shape[1] == 1 else found
