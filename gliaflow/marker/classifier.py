"""A trained network that reads the images of rows: the pipeline of a predictor of `gliaflow.predict`."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from torch import Tensor, nn

from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.images import Array, write_bytes
from gliaflow.labels import SEQUENCES
from gliaflow.marker.dataset import read_seen
from gliaflow.marker.networks import NETWORKS
from gliaflow.nnunet.weights import NOT_READABLE
from gliaflow.predict.names import CLASSIFICATION, IMAGES
from gliaflow.predict.predictor import Predictor

BATCH = 8
MOST_VOXELS = 256


@dataclass(frozen=True)
class View:
    """What a network looks at: sequences in the order of its channels, and the cube's edge and voxel size."""

    sequences: tuple[str, ...]
    voxels: int
    spacing_mm: float


@dataclass(frozen=True)
class ImageClassifier:
    """A network of `gliaflow.marker.networks.NETWORKS`, by its name, and what it looks at."""

    model: str
    view: View
    network: nn.Module

    def predict_proba(self, rows: pd.DataFrame) -> Array:
        """Return the probabilities (n, 2) of rows whose column `IMAGES` names files of `write_seen`."""
        inputs = read_inputs(rows[IMAGES], self.view, self.network)
        positive = expit(log_odds(self.network, inputs))
        return np.stack([1 - positive, positive], axis=1)


@dataclass(frozen=True)
class Inputs:
    """Images (n, sequences, ...), 0 where missing, and which are there (n, sequences), both float32."""

    images: Tensor
    present: Tensor


def build(model: str, view: View) -> nn.Module:
    """Make an untrained network by its name."""
    return NETWORKS[model](len(view.sequences), view.voxels)


def read_inputs(paths: Sequence[str] | pd.Series, view: View, network: nn.Module) -> Inputs:
    """Read what a network sees of sessions.

    Raises
    ------
    GliaflowError
        A cube has another size than the network was made for, or all sequences of the network are missing.
    """
    channels = [SEQUENCES.index(sequence) for sequence in view.sequences]
    images, present = [], []
    for path in map(Path, paths):
        seen = read_seen(path)
        if (seen.volume.shape[-1], seen.spacing_mm) != (view.voxels, view.spacing_mm):
            raise GliaflowError(
                f"{path}: a cube of {seen.volume.shape[-1]} voxels of {seen.spacing_mm:g} mm, and the "
                f"network was trained on {view.voxels} of {view.spacing_mm:g} mm; "
                "write these into predict.networks.voxels and spacing_mm"
            )
        if not seen.present[channels].any():
            raise GliaflowError(f"{path}: has none of the sequences {', '.join(view.sequences)}")
        images.append(getattr(seen, str(network.takes))[channels])
        present.append(seen.present[channels])
    return Inputs(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(present)).float())


def best_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def log_odds(network: nn.Module, inputs: Inputs) -> Array:
    """Return the log odds of each row, float64."""
    device = best_device()
    network.to(device).eval()
    with torch.inference_mode(), same_arithmetic():
        parts = [
            network(images.to(device), present.to(device)).cpu()
            for images, present in zip(inputs.images.split(BATCH), inputs.present.split(BATCH), strict=True)
        ]
    found: Array = torch.cat(parts).double().numpy()
    return found


@contextmanager
def same_arithmetic() -> Iterator[None]:
    """Choose algorithms that give the same numbers again wherever there is such a one."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def dump(classifier: ImageClassifier) -> bytes:
    """Store a classifier as tensors and plain values; the same classifier gives the same bytes."""
    buffer = io.BytesIO()
    state = {name: tensor.cpu().contiguous() for name, tensor in classifier.network.state_dict().items()}
    view = {**asdict(classifier.view), "sequences": list(classifier.view.sequences)}
    torch.save({"model": classifier.model, "view": view, "state": state}, buffer)
    return buffer.getvalue()


def load(content: bytes, where: str) -> ImageClassifier:
    """Build the classifier that `dump` stored; nothing in it is run.

    Raises
    ------
    ConfigError
        It is damaged, holds anything but tensors and plain values, or does not fit the network that it names.
    """
    try:
        stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return _classifier(stored)
    except NOT_READABLE as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(f"{where}: is no network of gliaflow ({reason}); get the package again") from None


def _classifier(stored: Any) -> ImageClassifier:
    view = stored["view"]
    known = View(tuple(view["sequences"]), int(view["voxels"]), float(view["spacing_mm"]))
    if stored["model"] not in NETWORKS:
        raise ValueError(f"no network is called {stored['model']!r}")
    if not known.sequences or not set(known.sequences) <= set(SEQUENCES) or known.voxels > MOST_VOXELS:
        raise ValueError("it looks at what no session has")
    network = build(stored["model"], known)
    network.load_state_dict(stored["state"])
    return ImageClassifier(stored["model"], known, network.eval())


def write_checkpoint(path: Path, predictor: Predictor) -> None:
    """Write a fitted predictor of images, whole or not at all."""
    pipeline: Any = predictor.pipeline
    rest = {key: getattr(predictor, key) for key in ("slope", "intercept", "cut", "chosen")}
    buffer = io.BytesIO()
    torch.save({"estimator": dump(pipeline), **rest}, buffer)
    write_bytes(path, buffer.getvalue())


def read_checkpoint(path: Path) -> Predictor:
    """Read what `write_checkpoint` wrote; nothing in it is run.

    Raises
    ------
    ConfigError
        It is no such file.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        pipeline: Any = load(stored.pop("estimator"), str(path))
        return Predictor(CLASSIFICATION, pipeline, **stored)
    except NOT_READABLE as error:
        raise ConfigError(f"{path}: is no whole checkpoint ({error}); remove it") from error
