"""The brain by a network that sees each sequence alone: where it lies, whom it believes, what it refuses."""

import json
import logging
import runpy
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from brain_files import brain_package
from nnunet_files import DATASET, PLANS, checkpoint, manifest

from gliaflow.errors import ConfigError, ImageError
from gliaflow.fetch import sha256_of
from gliaflow.images import data_of, new_image, read_image, same_grid, spacing_of, write_nifti
from gliaflow.nnunet.package import write_package
from gliaflow.nnunet.predict import voxels_of
from gliaflow.preprocess.brain_mask import BrainModel, BrainScans, find_brain
from gliaflow.preprocess.brain_network import BrainNetwork, extract_with_network
from gliaflow.preprocess.transforms import write_transform

CENTRE, RADIUS = np.array([5.0, -12.0, 30.0]), 62.0
VOLUME_ML = 4 / 3 * np.pi * RADIUS**3 / 1000


def points_of(shape, affine):
    return nib.affines.apply_affine(affine, np.indices(shape).transpose(1, 2, 3, 0))


def head(shape=(50, 56, 46), spacing=(4.0, 4.0, 4.0), origin=(-95.0, -120.0, -60.0)):
    """A bright ball, which stands for the brain, in dark noise."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    data = np.random.default_rng(0).normal(10, 1, shape)
    data[np.linalg.norm(points_of(shape, affine) - CENTRE, axis=-1) < RADIUS] += 90
    return new_image(data, affine)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "tinybrain.zip"
    brain_package(path)
    return path


@pytest.fixture(scope="module")
def network(package):
    return BrainNetwork(package, mirror=False)


def assert_is_the_ball(mask, grid):
    assert same_grid(mask, grid)
    assert mask.get_data_dtype() == np.uint8
    found = data_of(mask) > 0
    ball = np.linalg.norm(points_of(mask.shape, mask.affine) - CENTRE, axis=-1) < RADIUS
    assert 2 * (found & ball).sum() / (found.sum() + ball.sum()) > 0.92


@pytest.mark.parametrize(
    "grid", [head(), head((90, 100, 20), (2.2, 2.2, 9.0)), head((80, 90, 90), (2.5, 2.5, 2.0))]
)
def test_sequences_of_any_grid_give_one_mask_on_the_reference_grid(network, grid):
    tilted = head().as_reoriented(nib.orientations.axcodes2ornt("PSL"))
    found = network.find({"t1c": grid, "t2f": tilted}, grid)
    assert_is_the_ball(found.mask, grid)
    assert min(found.agreement.values()) > 0.95


def test_a_package_gives_a_mask_in_one_call(package):
    grid = head()
    assert_is_the_ball(extract_with_network({"t2w": grid}, grid, package), grid)


def test_where_a_sequence_does_not_see_the_others_decide(network):
    """The slab ends in the ball's middle; beyond it is what the whole head shows."""
    slab = head((50, 56, 18))
    found = network.find({"t1c": head(), "t2f": slab}, head())
    assert_is_the_ball(found.mask, head())
    assert found.agreement["t2f"] > 0.95, "it is judged only where it sees"


def test_what_is_0_at_an_end_counts_as_not_seen(network):
    empty = data_of(head())
    empty[:, :, 18:] = 0
    found = network.find({"t1c": head(), "t2f": new_image(empty, head().affine)}, head())
    assert_is_the_ball(found.mask, head())


def test_a_sequence_that_shows_something_else_is_told(network, caplog):
    half = data_of(head())
    half[:, :28] = 10
    half = new_image(half, head().affine)
    with caplog.at_level(logging.WARNING):
        found = network.find({"t1c": head(), "t1n": head(), "t2w": half}, head())
    assert_is_the_ball(found.mask, head())
    assert found.agreement["t2w"] < 0.85 < found.agreement["t1c"]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith("t2w: by itself shows another brain")


def test_smaller_pieces_are_dropped_and_holes_are_filled(network):
    data = data_of(head())
    data[2:8, 2:8, 2:8] = 100
    middle = np.round(nib.affines.apply_affine(np.linalg.inv(head().affine), CENTRE)).astype(int)
    hole = tuple(slice(k - 4, k + 4) for k in middle)
    data[hole] = 10
    mask = data_of(network.find({"t1n": new_image(data, head().affine)}, head()).mask)
    assert mask[hole].all()
    assert not mask[:10, :10, :10].any()


def scattered():
    """Bright voxels that do not touch."""
    data = np.full((50, 56, 46), 10.0)
    data[::4, ::4, ::4] = 100
    return new_image(data, head().affine)


def small():
    """A bright cube of 125 ml."""
    data = np.full((50, 56, 46), 10.0)
    data[10:22, 10:23, 10:22] = 100
    return new_image(data, head().affine)


@pytest.mark.parametrize("scan", [scattered(), small()], ids=["scattered", "small"])
def test_a_scan_without_a_brain_is_refused(network, scan):
    with pytest.raises(ImageError, match=r"no brain was found .* give a mask in the column brain_mask"):
        network.find({"t1n": scan}, scan)


def test_an_image_of_one_value_is_named(network):
    with pytest.raises(ImageError, match=r"^t2w: the image has one value everywhere"):
        network.find({"t2w": new_image(np.full((20, 20, 20), 7.0), np.diag([4.0, 4, 4, 1]))}, head())


def test_the_same_session_gives_the_same_mask(network):
    first, second = (network.find({"t1c": head()}, head()) for _ in range(2))
    np.testing.assert_array_equal(data_of(first.mask), data_of(second.mask))
    assert first.agreement == second.agreement


def test_mirroring_leaves_a_network_that_knows_no_sides_alone(network, package):
    mirrored = BrainNetwork(package).find({"t1c": head()}, head()).mask
    plain = network.find({"t1c": head()}, head()).mask
    assert (data_of(mirrored) != data_of(plain)).mean() < 0.002


def test_only_left_and_right_are_exchanged(package):
    members = BrainNetwork(package).ensemble.logits(*voxels_of([head()]))
    assert [member.facts()["Mirrored"] for member, _, _ in members] == ["no", "x"]


def test_a_package_that_finds_tumours_is_refused(tmp_path):
    write_package(
        tmp_path / "tumour.zip",
        manifest(),
        plans=PLANS,
        dataset=DATASET,
        checkpoints={"0": checkpoint()},
        card="card",
    )
    with pytest.raises(ConfigError, match=r"tumour\.zip: is no model of brain extraction"):
        BrainNetwork(tmp_path / "tumour.zip")


def test_another_file_than_the_table_states_is_refused(package):
    with pytest.raises(ConfigError, match=r"tinybrain\.zip: has sha256 "):
        BrainNetwork(package, sha256="0" * 64)


def test_the_method_network_says_which_model_found_the_brain(package):
    grid = head()
    scans = BrainScans({"t1c": grid}, grid, weights=package)
    model = BrainModel("tinybrain", sha256=sha256_of(package))
    found = find_brain("network", replace(scans, model=model))
    assert_is_the_ball(found.mask, grid)
    facts = found.facts
    assert (facts["Model"], facts["ModelSha256"]) == ("tinybrain", sha256_of(package))
    assert set(facts["Folds"]) == {"0"}
    assert facts["SequenceAgreement"].keys() == {"t1c"}
    assert {"nnunetv2", "torch"} <= set(facts["software"])
    volume = data_of(found.mask).sum() * np.prod(spacing_of(grid)) / 1000
    assert volume == pytest.approx(VOLUME_ML, rel=0.05)


def test_the_script_writes_the_mask_and_says_how_it_was_found(package, tmp_path, repository, monkeypatch):
    monkeypatch.setattr("gliaflow.job.job", lambda log, name: nullcontext())
    for sequence in ("t1c", "t2f"):
        write_nifti(tmp_path / f"{sequence}.nii.gz", head())
        write_transform(tmp_path / f"{sequence}.tfm", np.eye(4))
    files = {
        ending: [str(tmp_path / f"{s}.{ending}") for s in ("t1c", "t2f")] for ending in ("nii.gz", "tfm")
    }
    called = SimpleNamespace(
        log=[""],
        threads=1,
        input=SimpleNamespace(
            images=files["nii.gz"], transforms=files["tfm"], given=[], weights=[str(package)]
        ),
        output=SimpleNamespace(mask=str(tmp_path / "mask.nii.gz")),
        params=SimpleNamespace(
            name="one",
            method="network",
            model={"name": "tinybrain", "sha256": sha256_of(package), "gpu": False},
            given_cell=[],
            sequences=["t1c", "t2f"],
            reference="t1c",
        ),
    )
    runpy.run_path(str(repository / "scripts" / "brain_mask.py"), init_globals={"snakemake": called})
    assert_is_the_ball(read_image(tmp_path / "mask.nii.gz"), head())
    said = json.loads((tmp_path / "mask.json").read_text())
    assert said["Parameters"] == {"method": "network"}
    assert (said["Model"], said["ModelSha256"]) == ("tinybrain", sha256_of(package))
    assert set(said["SequenceAgreement"]) == {"t1c", "t2f"}
    assert said["VolumeMl"] == pytest.approx(VOLUME_ML, rel=0.05)
    assert "nnunetv2" in said["Software"]
