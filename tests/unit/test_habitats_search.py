"""Planted habitats are found again; the same input gives the same model; small cohorts are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from habitat_cohorts import MAPS, QUICK, cohort
from sklearn.metrics import adjusted_rand_score

from gliaflow.errors import GliaflowError
from gliaflow.habitats.autoencoder import FeatureEnhancedAutoencoder, fit_autoencoder
from gliaflow.habitats.model import inliers, load_model, save_model
from gliaflow.habitats.search import Found, SearchSettings, Tumour, chosen_trial, find_habitats, part_off

FACTS = {"maps": MAPS, "region": "WT", "patch_voxels": 1, "least_voxels": 100}


def find(tumours: list[Tumour], settings: SearchSettings = QUICK) -> Found:
    return find_habitats(tumours, settings, **FACTS)


@pytest.fixture(scope="module")
def found() -> Found:
    return find(cohort()[0])


def test_planted_habitats_are_found_again(found: Found) -> None:
    tumours, truth = cohort()
    labels = found.model.label(np.concatenate([t.vectors for t in tumours]))
    assert len(found.model.centres) == 3
    assert adjusted_rand_score(truth, labels) > 0.8


def test_the_number_of_planted_habitats_is_the_most_stable(found: Found) -> None:
    best = chosen_trial(found.trials)
    assert best["habitats"] == 3
    assert {row["habitats"] for row in found.trials} == {2, 3, 4}
    others = [row["loss"] for row in found.trials if row["habitats"] > 3]
    assert others
    assert min(others) > best["loss"]


def test_stability_is_high_where_habitats_are_planted(found: Found) -> None:
    values = {row["measure"]: row["value"] for row in found.stability}
    assert values["seed_ari"] > 0.8
    assert values["bootstrap_ari"] > 0.8
    assert values["split_loss"] < 0.1
    assert values["silhouette"] > 0.4


def test_habitats_are_numbered_by_the_first_map(found: Found) -> None:
    vectors = np.concatenate([t.vectors for t in cohort()[0]])
    labels = found.model.label(vectors)
    means = [vectors[labels == k, 0].mean() for k in (1, 2, 3)]
    assert means == sorted(means)


def test_the_same_input_gives_the_same_bytes_and_a_model_survives_its_file(
    found: Found, tmp_path: Path
) -> None:
    save_model(found.model, tmp_path / "one.npz")
    again = find(cohort()[0])
    save_model(again.model, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert (again.trials, again.stability) == (found.trials, found.stability)
    vectors = cohort()[0][0].vectors
    loaded = load_model(tmp_path / "one.npz", MAPS)
    assert np.array_equal(loaded.label(vectors), found.model.label(vectors))
    with pytest.raises(GliaflowError, match="was made of the maps t1c, t2w, t2f, but the config names t1c"):
        load_model(tmp_path / "one.npz", ["t1c"])
    (tmp_path / "text.npz").write_text("no model")
    with pytest.raises(GliaflowError, match="is no model of habitats"):
        load_model(tmp_path / "text.npz", MAPS)


def test_too_few_large_tumours_are_refused_with_the_numbers() -> None:
    tumours = [*cohort(3)[0], *cohort(2, voxels=40)[0]]
    with pytest.raises(GliaflowError, match=r"3 of 5 subjects have a tumour of 100 voxels.*has 40"):
        find(tumours)


def test_without_events_the_p_value_is_refused_with_the_numbers() -> None:
    tumours = [replace(t, outcome=(False, 100.0)) for t in cohort(8)[0]]
    with pytest.raises(
        GliaflowError, match=r"6 subjects searched with 6 have a survival time and 0 the event"
    ):
        find(tumours, replace(QUICK, alpha=0.5))


def test_survival_is_tested_on_subjects_that_the_search_never_saw() -> None:
    settings = replace(QUICK, alpha=0.5, trials=3, splits=1, held_out=0.5)
    tumours, _ = cohort(20, voxels=120)
    days = [1000.0 - 40 * n for n in range(20)]
    tumours = [replace(t, outcome=(True, d)) for t, d in zip(tumours, days, strict=True)]
    searched, held_out = part_off(tumours, settings)
    assert len(held_out) == 10
    assert not {t.name for t in searched} & {t.name for t in held_out}
    found = find(tumours, settings)
    values = {row["measure"]: row["value"] for row in found.stability}
    assert values["logrank_p_held_out"] < 0.05
    for row in found.trials:
        assert row["significance_loss"] == pytest.approx(np.log(max(row["logrank_p"], 1e-12) / 0.05))


def test_both_losses_fall_and_the_latent_space_has_as_many_values_as_maps() -> None:
    voxels = cohort(2)[0][0].vectors
    voxels = (voxels - voxels.mean(axis=0)) / voxels.std(axis=0)
    given = torch.from_numpy(voxels)
    torch.manual_seed(0)
    before, after = FeatureEnhancedAutoencoder(3), fit_autoencoder(voxels, 100, 0)
    with torch.no_grad():
        assert after.pair_loss(given) < 0.5 * before.pair_loss(given)
        assert after.global_loss(given) < 0.5 * before.global_loss(given)
        assert after.encode(given).shape == given.shape
    assert len(FeatureEnhancedAutoencoder(4).encoders) == 6


def test_outliers_are_those_far_from_the_median_in_any_map() -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 2))
    vectors[7, 1] = 50
    kept = inliers(vectors, 0.99)
    assert not kept[7]
    assert kept.sum() == 198
    assert inliers(vectors, 1.0).all()
