"""A trained network that reads the images of rows: the pipeline of a predictor of `gliaflow.predict`."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit, softmax
from torch import Tensor

from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.images import Array, write_bytes
from gliaflow.labels import SEQUENCES
from gliaflow.marker.base import Design, Inputs, Network
from gliaflow.marker.dataset import FINER, read_seen
from gliaflow.marker.graph import SeenGraph
from gliaflow.marker.names import GRAPH, SLICE
from gliaflow.marker.networks import NETWORKS
from gliaflow.nnunet.weights import NOT_READABLE, checkpoint_bytes
from gliaflow.predict.names import IMAGES
from gliaflow.predict.predictor import Predictor

BATCH = 8
MOST_VOXELS = 256
MOST = 100_000


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
    design: Design
    graph: str
    network: Network

    def predict_proba(self, rows: pd.DataFrame) -> Array:
        """Return the probabilities (n, classes) of rows whose column `IMAGES` names files of `write_seen`."""
        inputs = read_inputs(rows[IMAGES], self.view, self.model)
        if inputs.graph != self.graph:
            raise GliaflowError(
                f"{rows[IMAGES].iloc[0]}: was made with another graph of the atlas than the network; write "
                "the same predict.networks.regions and connections, and the same atlas"
            )
        if not self.design.patch_features:
            inputs = replace(inputs, patches=torch.zeros(0))
        elif inputs.patches.numel():
            _check_patches(inputs, self.design, str(rows[IMAGES].iloc[0]))
        return probabilities(log_odds(self.network, inputs))


def build(model: str, design: Design) -> Network:
    """Make an untrained network by its name."""
    return NETWORKS[model](design)


def design_of(view: View, inputs: Inputs, outputs: int) -> Design:
    """Return the sizes of a network for some sessions."""
    nodes, node_voxels, edges, edge_voxels = inputs.sizes
    features = inputs.patches.shape[2] if inputs.patches.numel() else 0
    return Design(
        *(len(view.sequences), view.voxels, outputs, nodes, node_voxels, edges, edge_voxels, features)
    )


def call(network: Network, inputs: Inputs) -> Tensor:
    """Return what a network gives for a batch, on its device."""
    device = next(network.parameters()).device
    further = [inputs.patches.to(device)] if network.takes_patches else []
    found: Tensor = network(inputs.images.to(device).float(), inputs.present.to(device), *further)
    return found


def probabilities(found: Array) -> Array:
    """Return probabilities (n, classes) of log odds (n,) or logits (n, classes).

    >>> probabilities(np.array([0.0])).tolist()
    [[0.5, 0.5]]
    """
    if found.ndim == 2:
        return np.asarray(softmax(found, axis=1))
    positive = expit(found)
    return np.stack([1 - positive, positive], axis=1)


def read_inputs(paths: Sequence[str] | pd.Series, view: View, model: str) -> Inputs:
    """Read what a network sees of sessions.

    Raises
    ------
    GliaflowError
        A cube has another size than the network was made for, or all sequences of the network are missing.
    """
    channels = [SEQUENCES.index(sequence) for sequence in view.sequences]
    takes = NETWORKS[model].takes
    images, present, patches, graphs = [], [], [], []
    for path in map(Path, paths):
        seen = read_seen(path, (takes,))
        if not seen.present[channels].any():
            raise GliaflowError(f"{path}: has none of the sequences {', '.join(view.sequences)}")
        if takes != GRAPH:
            images.append(getattr(seen, takes)[channels])
            _check_size(images[-1].shape[-1] // (FINER if takes == SLICE else 1), seen.spacing_mm, view, path)
        elif seen.graph is None:
            raise GliaflowError(f"{path}: shows no graph of the atlas; remove it")
        else:
            graphs.append(seen.graph)
            images.append(_graph_values(seen.graph, channels))
        present.append(seen.present[channels])
        patches.append(seen.patches)
    there = torch.from_numpy(np.stack(present)).float()
    whole = torch.from_numpy(np.stack(images))
    if takes == GRAPH:
        if len({graph.digest for graph in graphs}) > 1:
            raise GliaflowError(f"{paths[0]}: and others were made with two graphs; remove them")
        (nodes, node_voxels), (edges, edge_voxels) = graphs[0].nodes.shape[1:], graphs[0].edges.shape[1:]
        pairs, sizes = torch.from_numpy(graphs[0].pairs).long(), (nodes, node_voxels, edges, edge_voxels)
        return Inputs(whole, there, graph=graphs[0].digest, pairs=pairs, sizes=sizes)
    return Inputs(whole, there, stacked(patches)) if NETWORKS[model].takes_patches else Inputs(whole, there)


def stacked(patches: Sequence[Array]) -> Tensor:
    """Return the patches of subjects as one tensor (n, patches, features), NaN where one has fewer.

    >>> stacked([np.ones((1, 2), np.float32), np.zeros((0, 0), np.float32)]).shape
    torch.Size([2, 1, 2])
    """
    most, width = max(len(one) for one in patches), max(one.shape[1] for one in patches)
    if not most:
        return torch.zeros(0)
    whole = np.full((len(patches), most, width), np.nan, np.float32)
    for number, one in enumerate(patches):
        if len(one):
            whole[number, : len(one), : one.shape[1]] = one
    return torch.from_numpy(whole)


def _check_size(voxels: int, spacing_mm: float, view: View, path: Path) -> None:
    if (voxels, spacing_mm) != (view.voxels, view.spacing_mm):
        raise GliaflowError(
            f"{path}: a cube of {voxels} voxels of {spacing_mm:g} mm, and the network was trained on "
            f"{view.voxels} of {view.spacing_mm:g} mm; "
            "write these into predict.networks.voxels and spacing_mm"
        )


def _graph_values(graph: SeenGraph, channels: Sequence[int]) -> Array:
    """Return the intensities of nodes and then of edges as one row for each sequence, in half precision."""
    both = [part[channels].reshape(len(channels), -1) for part in (graph.nodes, graph.edges)]
    values: Array = np.concatenate(both, axis=1).astype(np.float16)
    return values


def _check_patches(inputs: Inputs, design: Design, path: str) -> None:
    if inputs.patches.shape[2] != design.patch_features:
        raise GliaflowError(
            f"{path}: {inputs.patches.shape[2]} features of pathology, and the network was trained on "
            f"{design.patch_features}; give the same columns in predict.networks.pathology"
        )


def best_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def log_odds(network: Network, inputs: Inputs) -> Array:
    """Return the log odds (n,) or logits (n, classes) of rows, float64."""
    network.to(best_device()).eval()
    with torch.inference_mode(), same_arithmetic():
        parts = [call(network, batch).cpu() for batch in inputs.split(BATCH)]
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
    state = {name: tensor.cpu().contiguous() for name, tensor in classifier.network.state_dict().items()}
    view = {**asdict(classifier.view), "sequences": list(classifier.view.sequences)}
    plain = {"model": classifier.model, "graph": classifier.graph, "design": asdict(classifier.design)}
    return checkpoint_bytes({**plain, "view": view, "state": state})


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
    design = Design(**{name: int(size) for name, size in stored["design"].items()})
    same = (design.sequences, design.voxels) == (len(known.sequences), known.voxels)
    if not same or max(vars(design).values()) > MOST:
        raise ValueError("its sizes are not those of what it looks at")
    network = build(stored["model"], design)
    network.load_state_dict(stored["state"])
    return ImageClassifier(stored["model"], known, design, str(stored["graph"]), network.eval())


def write_checkpoint(path: Path, predictor: Predictor) -> None:
    """Write a fitted predictor of images, whole or not at all."""
    pipeline: Any = predictor.pipeline
    rest = {key: getattr(predictor, key) for key in ("kind", "slope", "intercept", "cut", "chosen")}
    write_bytes(path, checkpoint_bytes({"estimator": dump(pipeline), **rest}))


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
        return Predictor(pipeline=pipeline, **stored)
    except NOT_READABLE as error:
        raise ConfigError(f"{path}: is no whole checkpoint ({error}); remove it") from error
