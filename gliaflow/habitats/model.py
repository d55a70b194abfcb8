"""A fitted model of habitats: scaling, auto-encoder and centres; fitting, keeping and applying it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from gliaflow.arrays import read_arrays, write_arrays
from gliaflow.errors import GliaflowError
from gliaflow.habitats.autoencoder import FeatureEnhancedAutoencoder, encode, fit_autoencoder
from gliaflow.images import Array


@dataclass(frozen=True)
class Encoder:
    """Scaling of the maps, each of shape (maps,), and the auto-encoder."""

    mean: Array
    deviation: Array
    network: FeatureEnhancedAutoencoder

    def latent(self, vectors: Array) -> Array:
        """Return the latent values of voxels, shape (voxels, maps)."""
        return encode(self.network, (vectors - self.mean) / self.deviation)


@dataclass(frozen=True)
class HabitatModel(Encoder):
    """What labels voxels.

    Attributes
    ----------
    maps
        Names of the maps, in the order of the columns.
    region, patch_voxels, least_voxels
        Of which region the voxels are, over which cube they are averaged, and how many a tumour needs.
    centres
        Of the habitats in the latent space, shape (habitats, maps), sorted by the habitats' mean of the first
        map, so that habitat 1 is the darkest there.
    """

    maps: tuple[str, ...]
    region: str
    patch_voxels: int
    least_voxels: int
    centres: Array

    def label(self, vectors: Array) -> Array:
        """Return the habitat of each voxel, from 1, uint8."""
        return (nearest(self.latent(vectors), self.centres) + 1).astype(np.uint8)


@dataclass(frozen=True)
class Space(Encoder):
    """An encoder and the voxels that it was fitted to, those that are no outliers: bool, shape (voxels,)."""

    kept: Array


def inliers(vectors: Array, quantile: float) -> Array:
    """Return which voxels are no outliers: the share ``quantile`` that is nearest to the median in every map.

    Distance is the largest over the maps, in interquartile ranges.

    >>> inliers(np.array([[0.0], [1.0], [2.0], [3.0], [99.0]]), 0.8).tolist()
    [True, True, True, True, False]
    """
    low, middle, high = np.quantile(vectors, (0.25, 0.5, 0.75), axis=0)
    away = (np.abs(vectors - middle) / np.where(high > low, high - low, 1)).max(axis=1)
    return np.asarray(away <= np.quantile(away, quantile))


def fit_space(vectors: Array, quantile: float, steps: int, seed: int) -> Space:
    """Standardise voxels without the outliers and fit the auto-encoder to them."""
    kept = inliers(vectors, quantile)
    mean = vectors[kept].mean(axis=0)
    deviation = vectors[kept].std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    network = fit_autoencoder((vectors[kept] - mean) / deviation, steps, seed)
    return Space(mean, deviation, network, kept)


def cluster(latent: Array, number: int, seed: int) -> Array:
    """Return the centres of k-means, shape (number, maps)."""
    with threadpool_limits(1):
        return np.asarray(KMeans(number, n_init=4, random_state=seed).fit(latent).cluster_centers_)


def nearest(latent: Array, centres: Array) -> Array:
    """Return the nearest centre of each voxel, from 0."""
    squares = (centres**2).sum(axis=1) - 2 * latent @ centres.T
    return np.asarray(squares.argmin(axis=1))


def sorted_centres(vectors: Array, latent: Array, centres: Array) -> Array:
    """Sort centres by the mean of the first map over their voxels; empty ones last."""
    found = nearest(latent, centres)
    means = [vectors[found == k, 0].mean() if (found == k).any() else np.inf for k in range(len(centres))]
    return centres[np.argsort(means, kind="stable")]


def save_model(model: HabitatModel, path: Path) -> None:
    """Write a model as .npz without pickles; the same model gives the same bytes."""
    facts = {name: getattr(model, name) for name in ("maps", "region", "patch_voxels", "least_voxels")}
    weights = {f"network.{name}": value.numpy() for name, value in model.network.state_dict().items()}
    fitted = {name: getattr(model, name) for name in ("mean", "deviation", "centres")}
    write_arrays(path, {"facts": json.dumps(facts), **fitted, **weights}, packed=False)


def load_model(path: Path, maps: Sequence[str]) -> HabitatModel:
    """Read a model.

    Raises
    ------
    GliaflowError
        It is no model of habitats, or was made of other maps than the config names.
    """
    try:
        arrays = read_arrays(path)
        facts = json.loads(str(arrays.pop("facts")))
        named = list(facts["maps"])
    except (ValueError, LookupError, TypeError, OSError, RecursionError) as error:
        raise GliaflowError(f"{path.name}: is no model of habitats ({error})") from None
    if named != list(maps):
        raise GliaflowError(
            f"{path.name}: was made of the maps {', '.join(map(str, named))}, but the config names "
            f"{', '.join(maps)}; name the same ones in the same order"
        )
    try:
        return _model(facts, arrays)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise GliaflowError(f"{path.name}: is no model of habitats ({reason})") from None


def _model(facts: dict[str, Any], arrays: Mapping[str, Array]) -> HabitatModel:
    network = FeatureEnhancedAutoencoder(len(facts["maps"]))
    weights = {name.removeprefix("network."): arrays[name] for name in arrays if name.startswith("network.")}
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return HabitatModel(
        maps=tuple(facts.pop("maps")),
        **facts,
        mean=arrays["mean"],
        deviation=arrays["deviation"],
        network=network.eval(),
        centres=arrays["centres"],
    )
