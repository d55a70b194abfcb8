"""Counts score as the images do, and planted thresholds and limits are found."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.overlap import dice
from gliaflow.fuse.enhancing import EnhancingRule
from gliaflow.fuse.postprocess import PostSettings, postprocess
from gliaflow.labels import REGIONS, region_mask
from gliaflow.segment.segmenters import dequantise, quantise
from gliaflow.sidecar import write_json
from gliaflow.train.counts import CaseCounts, Values, case_dice, count_case, region_dice, tabulate
from gliaflow.train.tune import search, settle, tune

SHAPE = (9, 8, 7)
VOXEL = 0.001
THRESHOLDS = st.one_of(st.floats(0, 1), st.integers(0, 1000).map(lambda k: k / 1000))
SEEDS = st.integers(0, 10_000)
VOLUMES = st.one_of(st.floats(0, 0.15), st.integers(0, 150).map(lambda k: k / 1000))


def random_case(seed, name="P1", fold=0):
    """Nested probabilities that follow the reference loosely; now and then it has no enhancing tumour."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array([0, 1, 2, 3, 4], dtype=np.uint8), SHAPE, p=[0.5, 0.1, 0.2, 0.15, 0.05])
    labels[labels == 3] = rng.choice([1, 3])
    noise = rng.random((*SHAPE, 3))
    truth = np.stack([region_mask(labels, region) for region in REGIONS], axis=-1)
    probability = np.minimum.accumulate(0.7 * noise + 0.3 * truth, axis=-1)
    return quantise(probability), labels, count(name, fold, quantise(probability), labels)


def count(name, fold, probability, labels):
    return count_case(name, fold, probability, labels, REGIONS, voxel_ml=VOXEL)


def counts(**voxels):
    """Return 256 counts of which some are not 0: ``counts(v200=30)`` has 30 voxels of the value 200."""
    result = np.zeros(256, dtype=np.int64)
    for value, number in voxels.items():
        result[int(value[1:])] = number
    return result


def case(fold, name="P", **regions):
    """Make a case by hand: per region the counts inside and outside."""
    inside = {region: found for region, (found, _) in regions.items()}
    outside = {region: found for region, (_, found) in regions.items()}
    return CaseCounts(name, fold, VOXEL, inside, outside)


def enhancing(fold, *, true=0, speck=0, core=0):
    """Make a case of good regions, 10 % of a true enhancing tumour missed, or a false speck instead."""
    whole = (counts(v250=90_000), counts(v0=9))
    tumour_core = (counts(v250=true + core), counts(v250=speck, v0=9))
    spot = (counts(v250=true - true // 10, v0=true // 10), counts(v250=speck, v0=9))
    return case(fold, WT=whole, TC=tumour_core, ET=spot)


@given(SEEDS, THRESHOLDS)
def test_counts_give_the_dice_of_the_images_at_any_threshold(seed, threshold):
    probability, labels, counted = random_case(seed)
    inside = dequantise(probability).astype(np.float64) >= threshold
    for channel, region in enumerate(REGIONS):
        expected = dice(inside[..., channel], region_mask(labels, region))
        assert region_dice(counted, region, threshold) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.integers(50, 950))
def test_the_threshold_means_what_it_does_in_postprocessing(seed, thousandths):
    probability, labels, counted = random_case(seed)
    threshold = PostSettings(threshold={"WT": thousandths / 1000})
    found = postprocess(dequantise(probability[..., :1]), ["WT"], threshold, VOXEL).labels
    expected = dice(region_mask(found, "WT"), region_mask(labels, "WT"))
    assert region_dice(counted, "WT", thousandths / 1000) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(SEEDS, st.tuples(*[st.integers(50, 950)] * 3), VOLUMES, VOLUMES)
def test_the_rule_scores_as_it_does_in_postprocessing(seed, thresholds, limit_ml, core_ml):
    wt, tc, et = (threshold / 1000 for threshold in sorted(thresholds))
    values = Values({"WT": wt, "TC": tc, "ET": et}, limit_ml, core_ml)
    made = [random_case(seed + k) for k in range(3)]
    scores = case_dice(tabulate([counted for *_, counted in made], REGIONS), values)
    rule = EnhancingRule("necrosis", limit_ml, core_ml)
    steps = PostSettings(threshold=values.threshold, enhancing=rule)
    for row, (probability, labels, _) in zip(scores, made, strict=True):
        found = postprocess(dequantise(probability), REGIONS, steps, VOXEL).labels
        expected = [dice(region_mask(found, r), region_mask(labels, r)) for r in REGIONS]
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_without_a_limit_of_the_core_a_tumour_without_core_is_emptied_too():
    tables = tabulate([enhancing(0, speck=100), enhancing(0, speck=100, core=50)], REGIONS)
    half = dict.fromkeys(REGIONS, 0.5)
    found = [case_dice(tables, Values(half, 0.1, core))[:, 2].tolist() for core in (0, 0.001, 0.05)]
    assert found == [[1, 1], [0, 1], [0, 0]]


def test_a_prediction_that_does_not_fit_its_reference_is_refused():
    probability, labels, _ = random_case(0)
    with pytest.raises(ImageError, match=r"P7: .* shape \(9, 8, 7, 2\).* \(9, 8, 7, 3\); bring both"):
        count("P7", 0, probability[..., :2], labels)
    with pytest.raises(ImageError, match=r"P7: .*one grid"):
        count("P7", 0, probability, labels[1:])
    with pytest.raises(ImageError, match="P7: the probabilities are float32, not uint8"):
        count("P7", 0, dequantise(probability), labels)


def soft_case(fold, rng):
    """Probabilities of 0.3 inside, give or take, and of 0.1 at most outside: half way is 0.16 to 0.17."""
    labels = np.where(rng.random(SHAPE) < 0.4, 2, 0).astype(np.uint8)
    inside = np.clip(rng.normal(0.3, 0.02, SHAPE), 0.24, 0.36)
    probability = quantise(np.where(labels > 0, inside, 0.1 * rng.random(SHAPE)))[..., np.newaxis]
    return count_case(f"P{fold}", fold, probability, labels, ["WT"], voxel_ml=VOXEL)


def test_a_planted_threshold_is_found_in_the_middle_of_its_plateau():
    rng = np.random.default_rng(0)
    tuned = tune([soft_case(k % 3, rng) for k in range(9)], ["WT"], rule="none", trials=40, seed=1)
    assert tuned.threshold["WT"] == pytest.approx((0.1 + 0.24) / 2, abs=0.01)
    assert (tuned.before, tuned.after, tuned.honest) == ({"WT": 0}, {"WT": 1}, {"WT": 1})
    assert tuned.kept


def planted(fold):
    """The largest speck is 0.1, 0.3 and 0.2 ml, the smallest tumour 0.603 ml, being missed by 10 %."""
    largest = (100, 300, 200)[fold]
    specks = [enhancing(fold, speck=number, core=20_000) for number in (20, 60, largest)]
    return specks + [enhancing(fold, true=number, core=20_000) for number in (670, 900, 4000, 15_000)]


@pytest.mark.parametrize("rule", ["necrosis", "next_class"])
def test_a_planted_limit_is_found_between_the_largest_speck_and_the_smallest_tumour(rule):
    """The median is the limit of fold 2; held out, that speck of 0.3 ml is above the median of the others."""
    cases = [one for fold in range(3) for one in planted(fold)]
    tuned = tune(cases, REGIONS, rule=rule, trials=60, seed=4)
    assert tuned.enhancing["rule"] == rule
    assert tuned.enhancing["limit_ml"] == pytest.approx((0.2 * 0.603) ** 0.5, abs=1e-6)
    assert tuned.enhancing["core_ml"] == 0, "a condition that gains nothing is left out"
    assert tuned.after["ET"] - tuned.before["ET"] == pytest.approx(3 / 7, abs=1e-4)
    assert tuned.honest["ET"] == pytest.approx(tuned.after["ET"] - 1 / 21, abs=2e-4)
    assert tuned.kept


def test_without_a_rule_no_limit_is_tuned():
    cases = [one for fold in range(2) for one in planted(fold)]
    tuned = tune(cases, REGIONS, rule="none", trials=20, seed=4)
    assert tuned.enhancing == {"rule": "none", "limit_ml": 0, "core_ml": 0}


def test_where_specks_are_larger_than_tumours_the_rule_does_nothing():
    small = [(fold, number) for fold in range(3) for number in (30, 60, 90, 120)]
    cases = [enhancing(fold, true=number, core=500) for fold, number in small]
    cases += [enhancing(fold, speck=number, core=500) for fold in range(3) for number in (300, 400)]
    tuned = tune(cases, REGIONS, rule="necrosis", trials=40, seed=2)
    assert tuned.enhancing["limit_ml"] == 0
    assert tuned.after["ET"] >= tuned.before["ET"]


def test_the_core_tells_specks_from_tumours_of_the_same_size():
    sizes = (100, 200, 300)
    specks = [enhancing(fold, speck=number, core=20_000 + number) for fold in range(3) for number in sizes]
    tumours = [enhancing(fold, true=number, core=900) for fold in range(3) for number in sizes]
    alone = tune(specks + tumours, REGIONS, rule="necrosis", trials=80, seed=0)
    beside = tune(specks + tumours, REGIONS, rule="next_class", trials=150, seed=0)
    assert beside.enhancing["limit_ml"] == pytest.approx((0.3 * 0.301) ** 0.5, abs=1e-6), "to a voxel above"
    # 10 % of a tumour is missed and counts to its core; a speck takes nothing from the core
    assert beside.enhancing["core_ml"] == pytest.approx((0.93 * 20.1) ** 0.5, abs=1e-6)
    assert beside.after["ET"] == pytest.approx((1 + 2 * 0.9 / 1.9) / 2, abs=1e-4)
    assert alone.after["ET"] < 0.6


def two_kinds(fold, inside, outside):
    return case(fold, WT=(counts(**{inside: 100}), counts(v0=300, **{outside: 100})))


def test_the_honest_score_is_that_of_values_from_the_other_folds():
    """By hand: 151 to 200 tells inside from outside on folds 0 and 1, 61 to 80 on fold 2.

    Their middles are 0.686, 0.686 and 0.275, the median 0.686: Dice 1, 1, 0. Held out, fold 2 is scored with
    0.686: 0. Folds 0 and 1 get the median of 0.686 and 0.275, which is no better than 0.5 on the folds that
    it comes from, so 0.5, at which all of the 100 voxels outside are in: 200 / 300.
    """
    cases = [two_kinds(0, "v200", "v150"), two_kinds(1, "v200", "v150"), two_kinds(2, "v80", "v60")]
    tuned = tune(cases, ["WT"], rule="none", trials=60, seed=0)
    assert [fold["threshold"]["WT"] for fold in tuned.per_fold] == [0.686, 0.686, 0.275]
    assert tuned.threshold == {"WT": 0.686}
    assert tuned.before["WT"] == pytest.approx(4 / 9, abs=1e-4)
    assert tuned.after["WT"] == pytest.approx(2 / 3, abs=1e-4)
    assert tuned.honest["WT"] == pytest.approx(4 / 9, abs=1e-4)


def test_whether_to_keep_the_median_is_also_left_to_the_other_folds():
    """Folds 0 and 1 keep 0.686, at which fold 2 finds nothing; to have asked fold 2 would have helped it."""
    cases = [two_kinds(0, "v200", "v150"), two_kinds(1, "v200", "v150")]
    cases += [two_kinds(2, "v140", "v60") for _ in range(9)]
    tuned = tune(cases, ["WT"], rule="none", trials=60, seed=0)
    assert not tuned.kept
    assert tuned.honest["WT"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 11, abs=1e-4)


def mixed(folds=3, each=4):
    made = [(k, random_case(100 + k, f"P{k}", k % folds)) for k in range(folds * each)]
    return [counted for _, (*_, counted) in made]


def test_the_honest_score_is_that_of_tuning_without_the_fold():
    cases = mixed()
    options = {"rule": "none", "trials": 25, "seed": 7}
    expected = []
    for one in cases:
        without = tune([other for other in cases if other.fold != one.fold], REGIONS, **options)
        expected.append([region_dice(one, region, without.threshold[region]) for region in REGIONS])
    honest = tune(cases, REGIONS, **options).honest
    np.testing.assert_allclose([honest[region] for region in REGIONS], np.mean(expected, axis=0), atol=6e-5)


@pytest.mark.parametrize("rule", ["none", "necrosis", "next_class"])
def test_tuning_is_never_worse_than_the_default_and_the_same_each_time(rule, tmp_path):
    lines = []
    tuned = tune(mixed(), REGIONS, rule=rule, trials=12, seed=3, progress=lines.append)
    for number, fold in enumerate(tuned.per_fold):
        assert (fold["fold"], fold["cases"]) == (number, 4)
        assert fold["after"] >= fold["before"]
    assert sum(tuned.after.values()) >= sum(tuned.before.values())
    assert [line.split(":")[0] for line in lines] == ["fold 0", "fold 1", "fold 2"]
    assert tune(mixed(), REGIONS, rule=rule, trials=12, seed=3) == tuned
    assert tune(mixed()[::-1], REGIONS, rule=rule, trials=12, seed=3) == tuned
    write_json(tmp_path / "tuned.json", asdict(tuned))


def test_what_is_recorded_is_what_the_values_score():
    cases = mixed()
    tuned = tune(cases, REGIONS, rule="none", trials=25, seed=3)
    for found, threshold in ((tuned.before, dict.fromkeys(REGIONS, 0.5)), (tuned.after, tuned.threshold)):
        for region in REGIONS:
            expected = np.mean([region_dice(one, region, threshold[region]) for one in cases])
            assert found[region] == pytest.approx(expected, abs=6e-5)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_moving_values_to_the_middle_of_their_plateaus_never_costs(seed):
    tables = tabulate([random_case(seed + k)[-1] for k in range(4)], REGIONS)
    found = search(tables, "next_class", 8, seed)
    assert case_dice(tables, settle(tables, found)).mean() >= case_dice(tables, found).mean() - 1e-9


def test_values_that_are_no_better_over_all_cases_give_way_to_the_default():
    """Two small folds gain a little by 0.25, the large one loses a lot: the median is worse."""
    cases = [case(fold, WT=(counts(v70=10, v200=90), counts(v40=400))) for fold in (0, 1)]
    cases += [case(2, WT=(counts(v200=100), counts(v40=400, v100=900))) for _ in range(9)]
    tuned = tune(cases, ["WT"], rule="none", trials=40, seed=0)
    assert tuned.per_fold[0]["after"] > tuned.per_fold[0]["before"]
    assert not tuned.kept
    assert tuned.threshold == {"WT": 0.5}
    assert tuned.after == tuned.before


def test_a_region_that_no_reference_has_is_best_not_predicted():
    nowhere = (counts(), counts(v0=500, v160=20))
    cases = [case(fold, WT=(counts(v200=50), counts(v0=470)), ET=nowhere) for fold in (0, 0, 1)]
    tuned = tune(cases, ["WT", "ET"], rule="none", trials=30, seed=0)
    assert (tuned.before["ET"], tuned.after["ET"]) == (0, 1)
    assert tuned.threshold["ET"] > 0.627
    assert tune(cases, ["WT", "ET"], rule="next_class", trials=30, seed=0).after["ET"] == 1


def test_a_region_that_is_never_predicted_keeps_its_threshold():
    cases = [case(fold, WT=(counts(v200=50), counts(v0=9)), ET=(counts(), counts(v0=59))) for fold in (0, 1)]
    tuned = tune(cases, ["WT", "ET"], rule="next_class", trials=15, seed=0)
    assert tuned.threshold["ET"] == 0.5
    assert tuned.enhancing == {"rule": "next_class", "limit_ml": 0, "core_ml": 0}


def test_without_enhancing_tumour_among_the_regions_there_is_no_rule():
    cases = [case(fold, WT=(counts(v60=50), counts(v0=9))) for fold in (0, 1)]
    tuned = tune(cases, ["WT"], rule="next_class", trials=15, seed=0)
    assert tuned.enhancing == {"rule": "none", "limit_ml": 0, "core_ml": 0}
    assert tuned.after == {"WT": 1}


def test_one_fold_alone_has_no_honest_score():
    tuned = tune([two_kinds(4, "v80", "v60")], ["WT"], rule="none", trials=30, seed=0)
    assert tuned.honest == {}
    assert [fold["fold"] for fold in tuned.per_fold] == [4]
    assert tuned.after == {"WT": 1}


def test_the_first_trial_is_the_default():
    tables = tabulate(mixed(), REGIONS)
    assert search(tables, "next_class", 1, seed=5) == Values(dict.fromkeys(REGIONS, 0.5), 0, 0)


def test_without_trials_the_default_values_are_scored():
    tuned = tune(mixed(), REGIONS, rule="necrosis", trials=0, seed=0)
    assert tuned.threshold == dict.fromkeys(REGIONS, 0.5)
    assert tuned.enhancing == {"rule": "necrosis", "limit_ml": 0, "core_ml": 0}
    assert tuned.before == tuned.after == tuned.honest
    assert not tuned.kept


def test_there_has_to_be_something_to_tune():
    with pytest.raises(ConfigError, match="no out-of-fold prediction"):
        tune([], REGIONS, rule="none", trials=5, seed=0)
    with pytest.raises(ConfigError, match="no out-of-fold prediction"):
        tune(mixed(), [], rule="none", trials=5, seed=0)
