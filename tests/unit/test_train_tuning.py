"""Tuning on out-of-fold predictions, and which of the tuned values are used."""

import nibabel as nib
import numpy as np
import pytest

from gliaflow.fuse.postprocess import post_settings
from gliaflow.images import data_of, read_image, write_image
from gliaflow.labels import REGIONS, region_mask
from gliaflow.segment.segmenters import quantise
from gliaflow.sidecar import write_json
from gliaflow.simulate.labelled import CohortPlan, write_cohort
from gliaflow.simulate.tumours import region_volumes_ml
from gliaflow.train.dataset import Case
from gliaflow.train.tune import Tuned
from gliaflow.train.tuning import borne_out, calibrate, settings_of, tuning_record

BEFORE = {"WT": 0.80, "TC": 0.60, "ET": 0.50}
AFTER = {"WT": 0.81, "TC": 0.65, "ET": 0.60}


def tuned(honest):
    threshold = {"WT": 0.4, "TC": 0.7, "ET": 0.3}
    enhancing = {"rule": "necrosis", "limit_ml": 0.2, "core_ml": 0.0}
    return Tuned(threshold, enhancing, BEFORE, AFTER, honest, [], kept=True)


def test_a_region_is_tuned_only_where_the_other_folds_bear_it_out():
    found = tuned({"WT": 0.75, "TC": 0.62, "ET": 0.55})
    used = borne_out(found)
    assert used == {"WT": False, "TC": True, "ET": True}
    settings = post_settings(settings_of(found, used))
    assert settings.threshold == {"WT": 0.5, "TC": 0.7, "ET": 0.3}
    assert (settings.enhancing.rule, settings.enhancing.limit_ml) == ("necrosis", 0.2)


def test_without_gain_on_the_enhancing_tumour_its_rule_is_off():
    found = tuned({"WT": 0.81, "TC": 0.62, "ET": 0.50})
    settings = post_settings(settings_of(found, borne_out(found)))
    assert settings.threshold["ET"] == 0.5
    assert settings.enhancing.rule == "none"


def test_one_fold_alone_is_judged_by_itself():
    assert all(borne_out(tuned({})).values())


PLANTED_ML = 0.3
"""The largest false speck of enhancing tumour; every true one of the cohort is larger."""


def predicted(labels, rng, affine):
    """What a network might say of a session: its regions, and where nothing enhances a speck that does."""
    regions = np.stack([region_mask(labels, region) for region in REGIONS], axis=-1)
    probability = np.where(regions, 0.9, 0.05)
    if not regions[..., 2].any():
        voxel_ml = float(np.prod(nib.affines.voxel_sizes(affine))) / 1000
        core = np.argwhere(regions[..., 1])
        nearest = np.argsort(((core - core[len(core) // 2]) ** 2).sum(axis=1))
        speck = core[nearest[: int(rng.uniform(0.3, 1) * PLANTED_ML / voxel_ml)]]
        probability[(*speck.T, 2)] = 0.8
    return quantise(probability)


@pytest.mark.slow
def test_the_limit_that_was_planted_in_a_generated_cohort_is_found(tmp_path):
    write_cohort(tmp_path / "cohort", CohortPlan(subjects=8, sites=2, non_enhancing=0.5, seed=4))
    rng, cases, true_ml = np.random.default_rng(0), [], []
    for k, label in enumerate(sorted((tmp_path / "cohort").rglob("label.nii.gz"))):
        image = read_image(label)
        labels = data_of(image, np.uint8)
        true_ml.append(region_volumes_ml(labels, image.affine)["ET"])
        folder = tmp_path / "out_of_fold" / "dice_ce" / f"fold_{k % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        probability = predicted(labels, rng, image.affine)
        write_image(folder / f"case{k}_probseg.nii.gz", probability, image.affine, np.uint8)
        cases.append(Case(f"case{k}", {}, label, label, k % 2))
    smallest = min(volume for volume in true_ml if volume > 0)
    assert smallest > 2 * PLANTED_ML
    assert 2 <= sum(volume == 0 for volume in true_ml) <= 6
    write_json(tmp_path / "selection.json", {"0": "dice_ce", "1": "dice_ce"})
    record = tuning_record(
        cases,
        tmp_path / "selection.json",
        f"{tmp_path}/out_of_fold/{{loss}}/fold_{{fold}}",
        regions=REGIONS,
        rule="necrosis",
        trials=60,
        seed=1,
    )
    found = record["postprocess"]["enhancing"]
    assert found["rule"] == "necrosis"
    assert PLANTED_ML <= found["limit_ml"] < smallest
    assert record["tuning"]["used"]["ET"]
    assert record["tuning"]["honest"]["ET"] > record["tuning"]["before"]["ET"] + 0.2


def test_a_temperature_is_fitted_for_each_region_of_predictions_that_are_too_sure(tmp_path):
    """Said to be inside with 0.9, voxels are so in three of four; there is no enhancing tumour."""
    rng, affine, cases = np.random.default_rng(0), np.diag([2.0, 2.0, 2.0, 1.0]), []
    for k in range(4):
        inside = rng.random((12, 12, 12)) < 0.75
        labels = np.where(inside, np.where(rng.random(inside.shape) < 0.5, 1, 2), 0).astype(np.uint8)
        folder = tmp_path / f"fold_{k % 2}"
        folder.mkdir(exist_ok=True)
        probability = np.full((*labels.shape, 3), (0.9, 0.375, 0.1))
        write_image(folder / f"case{k}_probseg.nii.gz", quantise(probability), affine, np.uint8)
        write_image(tmp_path / f"label{k}.nii.gz", labels, affine, np.uint8)
        write_image(tmp_path / f"mask{k}.nii.gz", np.ones(labels.shape), affine, np.uint8)
        paths = (tmp_path / f"{name}{k}.nii.gz" for name in ("label", "mask"))
        cases.append(Case(f"case{k}", {}, *paths, k % 2))
    found = calibrate(cases, {0: tmp_path / "fold_0", 1: tmp_path / "fold_1"}, REGIONS)
    assert list(found["temperature"]) == ["WT", "TC"]
    # logit(0.9) over T is logit(0.75)
    assert found["temperature"]["WT"] == pytest.approx(2.0, abs=0.15)
    assert found["temperature"]["TC"] == pytest.approx(1.0, abs=0.15)
    figures = found["calibration"]["WT"]
    assert figures["cross_fitted"] == 1
    assert figures["ece_before"] > 0.1
    assert figures["ece_after"] < 0.03


def test_brains_and_agreements_of_raters_have_no_temperature(tmp_path):
    brain = Case("head", {}, tmp_path / "label.nii.gz", None, 0)
    rated = Case("rated", {}, tmp_path / "label.nii.gz", tmp_path / "mask.nii.gz", 0, raters=3)
    nothing = {"temperature": {}, "calibration": {}}
    assert calibrate([brain], {0: tmp_path}, ["brain"]) == nothing
    assert calibrate([rated], {0: tmp_path}, ["WT"]) == nothing
