"""The feature-enhanced auto-encoder: an encoder for each pair of maps, and decoding of pairs and of all."""

from itertools import combinations
from typing import cast

import numpy as np
import torch
from torch import nn

from gliaflow.images import Array

HIDDEN = 10
LEARNING_RATE = 0.01
BATCH = 512


def _two_layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, outputs))


class FeatureEnhancedAutoencoder(nn.Module):
    """Auto-encoder of voxels with M maps (BrainLes 2021, S10).

    Each of the M (M - 1) / 2 pairs of maps has an encoder, whose codes a linear layer joins into M latent
    values. A mirrored decoder for each pair gives the pair back, and one more, fully connected, gives all
    maps from the decoded pairs. One hidden layer of 10 nodes with tanh, as in S10.

    Parameters
    ----------
    maps
        M, 2 or more.

    Examples
    --------
    >>> network = FeatureEnhancedAutoencoder(3)
    >>> network.encode(torch.zeros(5, 3)).shape
    torch.Size([5, 3])
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.pairs = list(combinations(range(maps), 2))
        self.encoders = nn.ModuleList(_two_layers(2, 1) for _ in self.pairs)
        self.latent = nn.Linear(len(self.pairs), maps)
        self.pair_decoders = nn.ModuleList(_two_layers(maps, 2) for _ in self.pairs)
        self.global_decoder = _two_layers(2 * len(self.pairs), maps)

    def encode(self, voxels: torch.Tensor) -> torch.Tensor:
        """Return latent values, shape (voxels, maps), of standardised voxels, shape (voxels, maps)."""
        parts = zip(self.encoders, self.pairs, strict=True)
        codes = [torch.tanh(encoder(voxels[:, list(pair)])) for encoder, pair in parts]
        return cast(torch.Tensor, self.latent(torch.cat(codes, dim=1)))

    def decode_pairs(self, latent: torch.Tensor) -> torch.Tensor:
        """Return each pair as decoded, one after another, shape (voxels, 2 x pairs)."""
        return torch.cat([decoder(latent) for decoder in self.pair_decoders], dim=1)

    def pair_loss(self, voxels: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of the decoded pairs."""
        wanted = torch.cat([voxels[:, list(pair)] for pair in self.pairs], dim=1)
        return nn.functional.mse_loss(self.decode_pairs(self.encode(voxels)), wanted)

    def global_loss(self, voxels: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of all maps as the global decoder gives them back."""
        decoded = self.global_decoder(self.decode_pairs(self.encode(voxels)))
        return nn.functional.mse_loss(decoded, voxels)


def fit_autoencoder(voxels: Array, steps: int, seed: int) -> FeatureEnhancedAutoencoder:
    """Fit an auto-encoder on the CPU; pairwise and global loss change the weights in turn.

    Parameters
    ----------
    voxels
        Standardised, shape (voxels, maps).
    steps
        Of Adam for each of the two losses.
    seed
        The same seed and voxels give the same weights on the same machine.
    """
    torch.set_num_threads(1)
    given = torch.from_numpy(np.ascontiguousarray(voxels, dtype=np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FeatureEnhancedAutoencoder(given.shape[1])
        optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        for step in range(2 * steps):
            batch = given[torch.randint(len(given), (min(BATCH, len(given)),))]
            loss = network.global_loss(batch) if step % 2 else network.pair_loss(batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def encode(network: FeatureEnhancedAutoencoder, voxels: Array) -> Array:
    """Return the latent values of standardised voxels, float32, shape (voxels, maps)."""
    given = torch.from_numpy(np.ascontiguousarray(voxels, np.float32))
    with torch.no_grad():
        return network.encode(given).numpy()
