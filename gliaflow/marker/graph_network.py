"""The network on the graph of an atlas (BrainLes 2021, S11)."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from gliaflow.marker.base import Design, Inputs, Network, as_odds
from gliaflow.marker.names import GRAPH

CODES = 12
WIDTH = 64
STEPS, BATCH, RATE = 400, 64, 1e-3
PENALTY, ACTIVE = 0.001, 0.05
EDGE_DROP = 0.1
SCALE = 6.0


class Autoencoder(nn.Module):
    """One layer to `CODES` sigmoid units and one back, with the sparse loss of S11.

    Intensities, which are normalised, are taken as x / 6 and given back as a logistic of 0 to 1, x / 6 + 0.5.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(inputs, CODES), nn.Linear(CODES, inputs)

    def forward(self, values: Tensor) -> Tensor:
        """Return codes (..., 12) of vectors (..., inputs)."""
        return torch.sigmoid(self.encoder(values / SCALE))

    def fit(self, vectors: Callable[[Tensor], Tensor], number: int) -> None:
        """Learn to give vectors back.

        Parameters
        ----------
        vectors
            Gives those of some numbers, shape (b, inputs).
        number
            How many there are.
        """
        optimiser = torch.optim.Adam(self.parameters(), RATE)
        device = self.encoder.weight.device
        for _ in range(STEPS):
            batch = vectors(torch.randint(number, (BATCH,))).to(device)
            codes = self(batch)
            found = torch.sigmoid(self.decoder(codes))
            error = ((found - (batch / SCALE + 0.5).clamp(0, 1)) ** 2).mean()
            weights = (self.encoder.weight**2).mean() + (self.decoder.weight**2).mean()
            active = codes.mean(dim=0).clamp(1e-4, 1 - 1e-4)
            sparse = ACTIVE * (ACTIVE / active).log() + (1 - ACTIVE) * ((1 - ACTIVE) / (1 - active)).log()
            loss = error + PENALTY * (weights + sparse.sum())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        self.requires_grad_(False)


class AtlasGraphNetwork(Network):
    """A graph network on the regions of an atlas and the paths between them (S11).

    Two auto-encoders, of regions and of paths, turn voxels into 12 features each; they see no outcome. A
    layer is ``x'_i = T x_i + sum_z T_z sum_j e_ijz x_j``, here with the sum over neighbours divided by their
    mean number, a layer norm and ReLU; the graph is the mean of its regions, then two dense layers. Edges are
    left out at random in training.
    """

    takes = GRAPH

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        self.node_codes = Autoencoder(design.sequences * design.node_voxels)
        self.edge_codes = Autoencoder(design.sequences * design.edge_voxels)
        self.pairs: Tensor
        self.register_buffer("pairs", torch.zeros(design.edges, 2, dtype=torch.long))
        widths = [CODES, WIDTH, WIDTH, WIDTH]
        self.own = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.others = nn.ModuleList(nn.Linear(CODES * a, b, bias=False) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.LayerNorm(b) for b in widths[1:])
        self.dense = nn.Sequential(
            *(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Dropout(0.5)),
            *(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, design.outputs)),
        )

    def prepare(self, fitted: Inputs) -> None:
        """Take the pairs of the graph, and fit both auto-encoders to training rows."""
        self.pairs.copy_(fitted.pairs)
        nodes, edges = self._parts(fitted.images)
        for codes, part in ((self.node_codes, nodes), (self.edge_codes, edges)):
            rows, each = part.shape[0], part.shape[2]

            def vectors(chosen: Tensor, part: Tensor = part, each: int = each) -> Tensor:
                return part[chosen // each, :, chosen % each].float().flatten(1)

            codes.fit(vectors, rows * each)

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        """Return log odds (b,) of intensities (b, sequences, values), nodes before edges."""
        nodes, edges = (part.transpose(1, 2).flatten(2) for part in self._parts(images))
        features, weights = self.node_codes(nodes), self.edge_codes(edges)
        if self.training:
            weights = (
                weights * (torch.rand(weights.shape[:2], device=weights.device) >= EDGE_DROP)[:, :, None]
            )
        number = self.design.nodes
        first, second = self.pairs[:, 0], self.pairs[:, 1]
        between = torch.zeros(len(images), number * number, CODES, device=images.device)
        between[:, first * number + second] = weights
        between[:, second * number + first] = weights
        between = between.unflatten(1, (number, number)) * (number / max(1, 2 * self.design.edges))
        for own, others, norm in zip(self.own, self.others, self.norms, strict=True):
            gathered = torch.einsum("bijz,bjf->bizf", between, features).flatten(2)
            features = torch.relu(norm(own(features) + others(gathered)))
        return as_odds(self.dense(features.mean(dim=1)))

    def _parts(self, images: Tensor) -> tuple[Tensor, Tensor]:
        design = self.design
        cut = design.nodes * design.node_voxels
        nodes = images[:, :, :cut].unflatten(2, (design.nodes, design.node_voxels))
        return nodes, images[:, :, cut:].unflatten(2, (design.edges, design.edge_voxels))
