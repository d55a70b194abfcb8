"""The graph of an atlas: its regions and paths, what sessions show of it, and the network on it."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch

from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.images import data_of, new_image
from gliaflow.marker.base import Design
from gliaflow.marker.graph import NOTHING, atlas_graph, read_graph, see_graph, write_graph
from gliaflow.marker.graph_network import Autoencoder
from gliaflow.marker.networks import AtlasGraphNetwork
from gliaflow.preprocess.atlas import load_atlas

ONE_MM = (1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def ball() -> nib.Nifti1Image:
    """A round brain with its middle at the origin, at 1 mm."""
    grid = np.indices((60, 60, 60)) - 29.5
    affine = np.eye(4)
    affine[:3, 3] = -29.5
    return new_image(np.linalg.norm(grid, axis=0) < 28, affine, np.uint8)


@pytest.fixture(scope="module")
def octants(ball, tmp_path_factory):
    """A label map of the ball's eight parts, 1 to 8, and a table that joins some."""
    folder = tmp_path_factory.mktemp("octants")
    x, y, z = np.indices(ball.shape) >= 30
    nib.save(new_image((1 + x + 2 * y + 4 * z) * 10, ball.affine, np.int16), folder / "regions.nii.gz")
    (folder / "connections.tsv").write_text("from\tto\n10\t80\n10\t20\n")
    return folder / "regions.nii.gz", folder / "connections.tsv"


def test_without_a_label_map_both_halves_are_parted_alike():
    _, brain = load_atlas(None)
    graph, labels = atlas_graph(brain)
    values, numbers = data_of(labels), np.arange(1, 91)
    assert np.array_equal(np.unique(values), [0, *numbers])
    sizes = np.bincount(values.astype(int).ravel())[1:]
    assert sizes.min() > 0.6 * sizes.max()
    places = [nib.affines.apply_affine(labels.affine, np.argwhere(values == n)).mean(axis=0) for n in numbers]
    left, right = np.array(places[::2]), np.array(places[1::2])
    assert (left[:, 0] < 0).all()
    assert np.abs(left * (-1, 1, 1) - right).max() < 4
    assert graph.nodes.shape == (90, 2500)
    pairs = {tuple(pair) for pair in graph.pairs.tolist()}
    assert {(2 * k, 2 * k + 1) for k in range(45)} <= pairs
    assert 2 * len(pairs) / 90 > 6
    assert (graph.edges >= 0).any(axis=1).all()


def test_regions_and_connections_are_those_that_are_given(ball, octants, tmp_path):
    graph, labels = atlas_graph(ball, *octants)
    assert graph.pairs.tolist() == [[0, 7], [0, 1]]
    touching, _ = atlas_graph(ball, octants[0])
    assert len(touching.pairs) == 12
    inside = nib.affines.apply_affine(labels.affine, np.argwhere(data_of(labels) == 8))
    assert (inside > -1).all()
    # the path from one octant to the opposite one goes through the middle
    path = graph.edges[0][graph.edges[0] != NOTHING]
    places = nib.affines.apply_affine(labels.affine, np.stack(np.unravel_index(path, graph.shape), axis=1))
    assert np.linalg.norm(places, axis=1).min() < 2
    off_axis = places - places.mean(axis=1, keepdims=True)
    assert np.linalg.norm(off_axis, axis=1).max() < 7
    write_graph(tmp_path / "graph.npz", graph)
    assert read_graph(tmp_path / "graph.npz").digest == graph.digest != touching.digest


def test_mistakes_in_regions_and_connections_are_told(ball, octants, tmp_path):
    (tmp_path / "no.tsv").write_text("a\tb\n1\t2\n")
    (tmp_path / "wrong.tsv").write_text("from\tto\n10\t20\n10\t99\n")
    nib.save(new_image(3.0 * (data_of(ball) > 0), ball.affine, np.int16), tmp_path / "one.nii.gz")
    with pytest.raises(ConfigError, match="has no columns from and to"):
        atlas_graph(ball, octants[0], tmp_path / "no.tsv")
    with pytest.raises(ConfigError, match="row 3: '99' is no region"):
        atlas_graph(ball, octants[0], tmp_path / "wrong.tsv")
    with pytest.raises(ConfigError, match="1 regions lie in the brain"):
        atlas_graph(ball, tmp_path / "one.nii.gz")
    (tmp_path / "graph.npz").write_bytes(b"no zip")
    with pytest.raises(GliaflowError, match="is not what marker_graph writes"):
        read_graph(tmp_path / "graph.npz")


def test_a_session_shows_its_intensities_in_the_regions(ball, octants):
    graph, labels = atlas_graph(ball, *octants)
    image = np.where(np.indices(ball.shape)[0] >= 30, 2.0, -1.0).astype(np.float32)
    seen = see_graph({"t1c": image}, ("t1n", "t1c"), ONE_MM, graph)
    assert not seen.nodes[0].any()
    assert not seen.edges[0].any()
    right = np.arange(8) % 2 == 1
    filled = graph.nodes != NOTHING
    means = (seen.nodes[1] * filled).sum(axis=1) / filled.sum(axis=1)
    assert np.allclose(means, np.where(right, 2, -1), atol=0.1)
    assert not seen.nodes[1][~filled].any()
    with pytest.raises(GliaflowError, match="make both for the same atlas"):
        see_graph({"t1c": image[:50]}, ("t1c",), ONE_MM, graph)
    assert labels.shape == graph.shape


def test_an_autoencoder_learns_what_varies():
    torch.manual_seed(0)
    factors, directions = torch.randn(300, 2), torch.randn(2, 40)
    vectors = factors @ directions
    codes = Autoencoder(40)
    codes.fit(lambda chosen: vectors[chosen], len(vectors))
    with torch.no_grad():
        found = codes(vectors)
        design = torch.cat([found, torch.ones(300, 1)], dim=1)
        fitted = design @ torch.linalg.lstsq(design, factors).solution
    explained = 1 - (fitted - factors).var(dim=0) / factors.var(dim=0)
    assert (explained > 0.9).all()
    assert not any(parameter.requires_grad for parameter in codes.parameters())


def test_a_layer_gathers_along_edges_both_ways_and_nowhere_else():
    """A region's change reaches its neighbours after one layer, and nobody that no path leads to."""
    torch.manual_seed(0)
    design = Design(1, 16, nodes=4, node_voxels=3, edges=2, edge_voxels=2)
    network = AtlasGraphNetwork(design).eval()
    network.pairs.copy_(torch.tensor([[0, 1], [2, 1]]))
    seen: list[torch.Tensor] = []
    network.norms[0].register_forward_hook(lambda _module, _given, found: seen.append(found.detach()[0]))
    images = torch.randn(1, 1, 4 * 3 + 2 * 2)
    changed = images.clone()
    changed[:, :, 3:6] += 5  # the second region
    for one in (images, changed):
        network(one, torch.ones(1, 1))
    moved = (seen[0] - seen[1]).abs().amax(dim=1) > 1e-6
    assert moved.tolist() == [True, True, True, False]


def test_edges_are_left_out_in_training_alone():
    torch.manual_seed(0)
    design = Design(2, 16, nodes=5, node_voxels=4, edges=4, edge_voxels=3)
    network = AtlasGraphNetwork(design)
    network.pairs.copy_(torch.tensor([[0, 1], [1, 2], [2, 3], [3, 4]]))
    images, present = torch.randn(3, 2, 5 * 4 + 4 * 3), torch.ones(3, 2)
    network.eval()
    assert torch.equal(network(images, present), network(images, present))
    assert replace(design, nodes=6) != design
