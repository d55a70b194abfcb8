"""Inference member by member, against nnU-Net's own predictor."""

import copy

import numpy as np
import pytest
import torch
from nnunet_files import (
    CLOSE,
    DATASET,
    DEVICE,
    PLANS,
    checkpoint,
    manifest,
    public_files,
    weights,
    write_files,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from gliaflow.errors import ConfigError
from gliaflow.images import new_image
from gliaflow.nnunet.model import open_model
from gliaflow.nnunet.predict import Ensemble, Inference, Pass, voxels_of
from gliaflow.nnunet.regions import region_map, to_regions
from gliaflow.segment.nnunet import NnunetSegmenter, turn, turn_back
from gliaflow.segment.segmenters import Entry

REGIONS = ("WT", "TC", "ET")
SETTINGS = {
    **{"folds": None, "tta": True, "mc_dropout": 0, "step": 0.5},
    **{"cpu_precision": "float32", "seed": 3},
}


def voxels(shape=(22, 30, 19), seed=0):
    """Make two channels of a bright ball in zeros, each of its own texture, (channels, z, y, x)."""
    grid = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    ball = (grid**2).sum(axis=0) < 81
    noise = np.random.default_rng(seed).normal(100, 20, (2, *shape))
    return (noise * ball).astype(np.float32)


def strong(seed):
    """Make weights whose outputs reach from confident to unsure."""
    return {name: value * (3 if "seg_layers" in name else 1) for name, value in weights(seed).items()}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folds = {str(seed): checkpoint(seed, network_weights=strong(seed)) for seed in (0, 1)}
    return write_files(tmp_path_factory.mktemp("model"), public_files(folds))


def own_predictor(folder, *, mirror, folds=("0", "1")):
    """Probabilities of nnU-Net's own predictor, (regions, z, y, x)."""
    predictor = nnUNetPredictor(use_mirroring=mirror, device=DEVICE, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), folds)
    spacing = {"spacing": [1.2, 1.0, 1.0]}
    return predictor.predict_single_npy_array(voxels(), spacing, None, None, True)[1]


def member_logits(folder, **settings):
    """Logits of every member on the whole grid, and the ensemble."""
    ensemble = Ensemble(open_model(folder), Inference(bfloat16=False, **settings))
    return ensemble, list(ensemble.logits(voxels(), [1.2, 1.0, 1.0]))


@pytest.mark.parametrize(("mirror", "count"), [(False, 2), (True, 16)])
def test_the_mean_of_the_members_is_what_nnunets_own_predictor_gives(model, mirror, count):
    ensemble, members = member_logits(model, mirror=mirror)
    assert len(members) == count
    mean = np.mean([logits for _, logits, _ in members], axis=0)
    ours = ensemble.placed(to_regions(mean, region_map(DATASET, REGIONS, "gliaflow")), members[0][2])
    theirs = own_predictor(model, mirror=mirror)
    assert ours.shape == theirs.shape == (3, 22, 30, 19)
    inside = voxels()[0] > 0
    assert np.ptp(theirs[:, inside]) > 0.5, "the model is sure of nothing, so that the test shows nothing"
    assert np.abs(ours - theirs)[:, inside].max() < CLOSE


def test_members_differ_and_say_which_they_are(model):
    _, members = member_logits(model, mirror=True)
    assert {member.fold for member, _, _ in members} == {"0", "1"}
    assert members[0][0].facts() == {"Fold": "0", "Mirrored": "no", "DropoutPass": None}
    assert members[7][0].facts() == {"Fold": "0", "Mirrored": "zyx", "DropoutPass": None}
    assert len({logits.tobytes() for _, logits, _ in members}) == 16


def test_a_mirrored_member_is_the_plain_one_of_the_mirrored_image(model):
    ensemble = Ensemble(open_model(model), Inference(bfloat16=False, folds=("0",)))
    image = voxels((16, 16, 16))
    plain = next(iter(ensemble.logits(image[:, :, :, ::-1].copy(), [1.0] * 3)))[1]
    mirrored = [logits for member, logits, _ in ensemble.logits(image, [1.0] * 3) if member.mirrored == (2,)]
    middle = (slice(None), *[slice(4, 12)] * 3)
    np.testing.assert_allclose(mirrored[0][middle], plain[..., ::-1][middle], atol=0.02)


@pytest.mark.skipif(DEVICE.type == "cuda", reason="a GPU always works in 16 bits")
def test_bfloat16_comes_close_to_float32(model):
    _, exact = member_logits(model, mirror=False)
    ensemble = Ensemble(open_model(model), Inference(mirror=False))
    assert ensemble.precision == "bfloat16"
    quick = list(ensemble.logits(voxels(), [1.2, 1.0, 1.0]))
    difference = np.abs(1 / (1 + np.exp(-quick[0][1])) - 1 / (1 + np.exp(-exact[0][1])))
    assert 0 < difference.max() < 0.1
    assert difference.mean() < 0.01


def test_dropout_passes_differ_and_repeat_by_their_seed(tmp_path):
    plans = copy.deepcopy(PLANS)
    network = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    network |= {"dropout_op": "torch.nn.Dropout3d", "dropout_op_kwargs": {"p": 0.5}}
    manager = PlansManager(plans)
    network = nnUNetTrainer.build_network_architecture(manager, manager.get_configuration("3d_fullres"), 2, 3)
    write_files(tmp_path, public_files({"0": checkpoint(network_weights=network.state_dict())}, plans))
    settings = {"mirror": False, "dropout_passes": 3, "seed": 5}
    first, again, other = (
        [logits for _, logits, _ in member_logits(tmp_path, **(settings | change))[1]]
        for change in ({}, {}, {"seed": 6})
    )
    assert len(first) == 3
    assert not np.array_equal(first[0], first[1])
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], other[0])
    _, (plain,) = member_logits(tmp_path, mirror=False)
    assert plain[0].dropout is None


def test_dropout_of_a_model_without_it_is_refused(model):
    with pytest.raises(ConfigError, match=r"without dropout; set segment\.mc_dropout to 0"):
        Ensemble(open_model(model), Inference(dropout_passes=2))


def test_a_fold_that_is_not_there_is_refused(model):
    with pytest.raises(ConfigError, match=r"has no fold 7; segment\.folds may name 0, 1"):
        Ensemble(open_model(model), Inference(folds=("7",)))


def test_weights_of_another_network_are_refused(tmp_path):
    wider = {name: torch.cat([value, value]) for name, value in weights().items()}
    write_files(tmp_path, public_files({"0": checkpoint(network_weights=wider)}))
    ensemble = Ensemble(open_model(tmp_path), Inference(mirror=False))
    with pytest.raises(ConfigError, match=r"fold 0: the weights do not fit the network"):
        list(ensemble.logits(voxels(), [1.0] * 3))


def test_a_missing_sequence_is_a_channel_of_zeros():
    image = new_image(np.arange(24).reshape(2, 3, 4), np.diag([1.0, 2.0, 3.0, 1.0]))
    values, spacing = voxels_of([None, image])
    assert values.shape == (2, 4, 3, 2)
    assert spacing == [3.0, 2.0, 1.0]
    assert not values[0].any()
    assert values[1, 3, 2, 1] == 23


def nifti(channel):
    """Make a brain image of a channel of `voxels`, RAS+."""
    return new_image(voxels()[channel].T, np.diag([1.0, 1.0, 1.2, 1.0]))


def test_the_segmenter_gives_members_on_the_grid_of_the_mask(model):
    entry = Entry("tiny", ("t1c", "t2f"), REGIONS, path=model)
    segmenter = NnunetSegmenter(entry, {**SETTINGS, "tta": False, "folds": [1]})
    images = {"t1c": nifti(0), "t2f": nifti(1)}
    (member,) = segmenter.members(images, images["t1c"])
    inside = voxels()[0].T > 0
    theirs = own_predictor(model, mirror=False, folds=("1",)).transpose(3, 2, 1, 0)
    assert np.abs(member.probabilities - theirs)[inside].max() < CLOSE
    assert member.facts["Fold"] == "1"
    assert segmenter.facts["Precision"] == ("float16" if DEVICE.type == "cuda" else "float32")


def test_another_orientation_of_the_training_data_turns_the_voxels(model):
    images = {"t1c": nifti(0), "t2f": nifti(1)}
    flipped = {
        name: new_image(np.asarray(image.dataobj)[::-1, ::-1], np.diag([1.0, 1.0, 1.2, 1.0]))
        for name, image in images.items()
    }
    settings = {**SETTINGS, "tta": False, "folds": [0]}
    asked = NnunetSegmenter(Entry("a", ("t1c", "t2f"), REGIONS, path=model, orientation="LPS"), settings)
    plain = NnunetSegmenter(Entry("a", ("t1c", "t2f"), REGIONS, path=model), settings)
    turned = next(asked.members(images, images["t1c"])).probabilities
    expected = next(plain.members(flipped, flipped["t1c"])).probabilities[::-1, ::-1]
    np.testing.assert_allclose(turned, expected, atol=1e-6)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIR", "SLA"])
def test_turning_back_undoes_turning(orientation):
    image = new_image(np.random.default_rng(0).random((3, 4, 5)), np.diag([-1.0, 1.0, 2.0, 1.0]))
    there = np.asarray(turn(image, orientation).dataobj)[..., np.newaxis]
    np.testing.assert_array_equal(turn_back(there, image, orientation)[..., 0], np.asarray(image.dataobj))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sequences": ("t1c",)}, "names 1 sequences"),
        ({"optional": ("t2f",)}, r"says optional \['t2f'\]"),
        ({"atlas": "MNI152"}, r"says atlas \['MNI152'\]"),
        ({"sha256": "0" * 64}, "has sha256"),
    ],
)
def test_a_package_that_is_not_what_the_table_says_is_refused(tmp_path, change, reason):
    from gliaflow.nnunet.package import write_package

    path = tmp_path / "tiny.zip"
    folds = {"0": checkpoint()}
    write_package(path, manifest(), plans=PLANS, dataset=DATASET, checkpoints=folds, card="card")
    right = {"name": "tiny", "sequences": ("t1c", "t2f"), "optional": ("t1c",), "regions": REGIONS}
    NnunetSegmenter(Entry(**right, path=path, atlas="SRI24"), SETTINGS)
    with pytest.raises(ConfigError, match=reason):
        NnunetSegmenter(Entry(**(right | change), path=path), SETTINGS)


def test_a_pass_names_its_axes():
    assert Pass("1", (0, 2), 3).facts() == {"Fold": "1", "Mirrored": "zx", "DropoutPass": 3}
