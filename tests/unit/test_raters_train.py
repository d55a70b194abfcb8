"""Several raters in a training: what nnU-Net is given, its loss, the scores, and what the package says."""

import copy
import json

import numpy as np
import pytest
import torch
from nnunet_files import CONFIGURATION, DATASET, PLANS, checkpoint, manifest
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss, DC_and_topk_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError, ImageError
from gliaflow.fetch import sha256_of
from gliaflow.images import data_of, new_image, read_image, write_image
from gliaflow.nnunet.manifest import check_target, differences, label_names, manifest_bytes, parse_manifest
from gliaflow.nnunet.package import open_model, write_package
from gliaflow.nnunet.regions import agreement_labels, region_map
from gliaflow.segment.nnunet import NnunetSegmenter
from gliaflow.segment.segmenters import Entry, quantise
from gliaflow.train.card import model_card
from gliaflow.train.dataset import Case, case_of, write_dataset
from gliaflow.train.losses import LABEL_LOSSES, LOSSES
from gliaflow.train.recipe import recipe_keys, training_settings
from gliaflow.train.trainer import FoldTrainer
from gliaflow.train.validate import scores

SHAPE = (4, 5, 6)
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
COUNTED = {**{key: value for key, value in DATASET.items() if key != "regions_class_order"}}
COUNTED |= agreement_labels("WT", 2)


def test_the_region_of_the_raters_is_what_is_found_and_nothing_is_tuned():
    train = complete_config({"train": {"target": "raters", "rater_region": "ET"}})["train"]
    settings = training_settings(train)
    assert (settings["regions"], settings["tuning_trials"], settings["tuning_rule"]) == (["ET"], 0, "none")
    assert train["rater_weights"] == "none"
    assert not {key for key in recipe_keys() if "rater" in key}, (
        "else trainings that are under way start anew"
    )


def make_case(folder, levels, name="one_01_1", raters=3):
    write_image(folder / f"{name}_t1c.nii.gz", np.ones(SHAPE), AFFINE)
    write_image(folder / f"{name}_dseg.nii.gz", levels, AFFINE, np.uint8)
    image = {"t1c": folder / f"{name}_t1c.nii.gz"}
    return Case(name, image, folder / f"{name}_dseg.nii.gz", None, 0, raters)


def levels_of(*values):
    levels = np.zeros(SHAPE, np.uint8)
    levels.flat[: len(values)] = values
    return levels


def test_a_case_knows_its_raters():
    values = {"name": "c", "images": {}, "label": "l.nii.gz", "mask": None, "fold": 0}
    assert case_of(values).raters == 0
    assert case_of({**values, "raters": 5}).raters == 5


def test_nnunet_is_given_one_class_for_each_number_of_raters(tmp_path):
    """Five raters: 4 is a resection cavity elsewhere, and 5 is no label of a tumour at all."""
    levels = levels_of(1, 2, 3, 4, 5)
    raw = tmp_path / "raw"
    write_dataset(raw, [make_case(tmp_path, levels, raters=5)], sequences=["t1c"], regions=["TC"])
    description = json.loads((raw / "dataset.json").read_text())
    manager = LabelManager(description["labels"], description.get("regions_class_order"))
    assert not manager.has_regions
    assert manager.num_segmentation_heads == 6
    assert manager.foreground_labels == [1, 2, 3, 4, 5]
    assert region_map(description, ["TC"], "gliaflow").heads == ((1, 2, 3, 4, 5),)
    np.testing.assert_array_equal(data_of(read_image(raw / "labelsTr" / "one_01_1.nii.gz"), np.uint8), levels)


def test_raters_who_mark_nothing_anywhere_are_told(tmp_path):
    with pytest.raises(ImageError, match="no label marks a tumour; look at the column raters, and at labels"):
        write_dataset(tmp_path / "raw", [make_case(tmp_path, levels_of())], sequences=["t1c"], regions=["WT"])


def batch(seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn((2, 4, 6, 5, 4), generator=random)
    return logits, torch.randint(0, 4, (2, 1, 6, 5, 4), generator=random).float()


@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("percent", [10, 50])
@pytest.mark.filterwarnings("ignore:size_average and reduce")
def test_the_losses_are_nnunets_for_labels(batch_dice, percent):
    own = {"batch_dice": batch_dice, "do_bg": False, "smooth": 1e-5, "ddp": False}
    theirs = {
        "dice_ce": DC_and_CE_loss(own, {}, dice_class=MemoryEfficientSoftDiceLoss),
        "dice_topk": DC_and_topk_loss(own, {"k": percent}),
    }
    logits, target = batch()
    assert LABEL_LOSSES.keys() == LOSSES.keys() == theirs.keys()
    for name, loss in theirs.items():
        ours = LABEL_LOSSES[name](percent, batch_dice=batch_dice)
        torch.testing.assert_close(ours(logits, target), loss(logits, target))


def test_of_few_voxels_one_is_kept():
    logits, target = batch()
    loss = LABEL_LOSSES["dice_topk"](1e-6, batch_dice=True)
    worst = torch.nn.functional.cross_entropy(logits, target[:, 0].long(), reduction="none").max()
    torch.testing.assert_close(loss(logits, target) - loss.dice(logits, target), worst)


@pytest.mark.parametrize(("dataset", "losses"), [(DATASET, LOSSES), (COUNTED, LABEL_LOSSES)])
def test_the_trainer_takes_the_loss_that_its_labels_need(dataset, losses):
    trainer = object.__new__(FoldTrainer)
    trainer.enable_deep_supervision = True
    plans = PlansManager(PLANS)
    trainer.configuration_manager = plans.get_configuration(CONFIGURATION)
    trainer.label_manager = plans.get_label_manager(dataset)
    trainer.recipe, trainer.loss_name = type("Recipe", (), {"topk_percent": 10.0}), "dice_ce"
    kind = type(losses["dice_ce"](10, batch_dice=False))
    assert isinstance(trainer._build_loss().loss.loss, kind)
    assert type(LOSSES["dice_ce"](10, batch_dice=False)) is not type(
        LABEL_LOSSES["dice_ce"](10, batch_dice=False)
    )


def test_a_prediction_is_scored_by_qubiq_and_measured_where_half_the_raters_are(tmp_path):
    """Four raters. The model expects 0.31 where 1 of 4 marks, and 0.61 where 2 of 4 do.

    Thresholds 0.1 and 0.2: 2 voxels in both. 0.3: one of the reference, two predicted, 2/3. 0.4 and 0.5: one
    in both. 0.6: none of the reference, one predicted, 0. 0.7 to 0.9: none in both, 1.
    """
    case = make_case(tmp_path, levels_of(1, 2), raters=4)
    expected = np.zeros((*SHAPE, 1))
    expected.reshape(-1)[:2] = 0.31, 0.61
    (row,) = scores(quantise(expected), case, ["WT"])
    assert row["dice"] == pytest.approx((2 + 2 / 3 + 2 + 0 + 3) / 9, abs=1e-4)
    assert (row["region"], row["predicted_ml"], row["reference_ml"]) == ("WT", 0.002, 0.002)


def rated(**changes):
    """A manifest of two raters."""
    values = {"regions": ("WT",), "labels": label_names("raters", 2), "target": "raters", "postprocess": {}}
    return manifest(**values | changes)


def test_a_manifest_of_raters_is_read_as_it_was_written():
    assert parse_manifest(manifest_bytes(rated()), "here") == rated()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (rated(regions=("WT", "TC")), "do not go together"),
        (rated(regions=("brain",)), "do not go together"),
        (rated(labels=label_names()), "wrong label table"),
        (rated(target="tumour"), "wrong label table"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(wrong, reason):
    with pytest.raises(ConfigError, match=reason):
        parse_manifest(manifest_bytes(wrong), "here")


def test_a_package_of_raters_segments_tumours_and_finds_no_brain():
    check_target(rated(), "tumour", "m.zip")
    assert differences(rated(), rated()) == []
    with pytest.raises(ConfigError, match="is no model of brain extraction; list it under segmentation"):
        check_target(rated(), "brain", "m.zip")


def counting_checkpoint():
    """A network with an output for 0, 1 and 2 raters."""
    torch.manual_seed(0)
    plans = PlansManager(PLANS)
    network = nnUNetTrainer.build_network_architecture(
        plans, plans.get_configuration(CONFIGURATION), 2, 3, enable_deep_supervision=False
    )
    return checkpoint(network_weights=network.state_dict())


@pytest.mark.parametrize(("facts", "dataset"), [(manifest(), COUNTED), (rated(), DATASET)])
def test_a_package_whose_network_counts_otherwise_than_it_says_is_refused(tmp_path, facts, dataset):
    with pytest.raises(
        ConfigError, match=r"the labels count (2|no) raters, and gliaflow\.json has the labels"
    ):
        write_package(
            tmp_path / "m.zip", facts, plans=PLANS, dataset=dataset, checkpoints={"0": checkpoint()}, card="c"
        )


def test_a_package_of_raters_gives_at_least_one_and_at_least_two_raters_as_members(tmp_path):
    path = tmp_path / "m.zip"
    facts = rated(optional=("t1c", "t2f"), atlas="MNI152")
    content = {"plans": copy.deepcopy(PLANS), "dataset": COUNTED, "card": "card"}
    write_package(path, facts, checkpoints={"0": counting_checkpoint()}, **content)
    assert open_model(path).manifest.labels == {"1": "1 of 2 raters", "2": "2 of 2 raters"}
    brain = np.linalg.norm(np.indices((20, 18, 16)).transpose(1, 2, 3, 0) - [9, 9, 8], axis=-1) < 7
    noise = np.random.default_rng(0).normal(100, 20, (2, *brain.shape))
    images = {s: new_image(noise[k] * brain, np.eye(4)) for k, s in enumerate(("t1c", "t2f"))}
    known = {"sha256": sha256_of(path), "atlas": "MNI152", "target": "raters"}
    entry = Entry("tiny", ("t1c", "t2f"), ("WT",), ("t1c", "t2f"), path, **known)
    segmenter = NnunetSegmenter(entry, {"tta": False, "step": 0.5, "cpu_precision": "float32"})
    one, two = segmenter.members(images, new_image(brain, np.eye(4), np.uint8))
    assert one.facts == {"Fold": "0", "Mirrored": "no", "DropoutPass": None, "AtLeast": 1, "Raters": 2}
    assert (two.facts["AtLeast"], two.probabilities.shape) == (2, (*brain.shape, 1))
    assert (one.probabilities >= two.probabilities).all()
    assert one.probabilities[brain].std() > 0


def test_the_card_says_what_the_network_counts_and_how_it_was_scored():
    rows = [{"fold": 0, "loss": "dice_ce", "region": "WT", "sessions": 3, "dice_mean": 0.5}]
    card = " ".join(model_card(rated(training={"sessions": 4}), "", rows, []).split())
    assert "how many of 2 raters mark WT (a softmax); the expected share is its probability" in card
    assert "This Dice is QUBIQ's" in card
    assert "threshold of 0.5:" not in card
    plain = " ".join(model_card(manifest(), "", rows, []).split())
    assert "WT, TC, ET, each a probability of its own" in plain
    assert "whose subjects the network had not seen, at a threshold of 0.5:" in plain
    assert "rater" not in plain
