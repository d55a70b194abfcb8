"""Each step of the post-processing changes the voxels that it should, and no other."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gliaflow.errors import ConfigError
from gliaflow.fuse.enhancing import RULES, EnhancingRule, relabel_enhancing, rule_applies
from gliaflow.fuse.postprocess import (
    MERGES,
    PostSettings,
    drop_small,
    fill_holes,
    keep_largest,
    merge_by_table,
    post_settings,
    postprocess,
    settings_record,
)
from gliaflow.labels import REGIONS, convert_labels, meaning, region_mask

TUMOURS = arrays.arrays(np.uint8, (5, 5, 5), elements=st.integers(0, 3))
DETERMINED = [("WT",), ("WT", "TC"), ("ET", "WT"), REGIONS, ("ET", "TC", "WT")]
SETTINGS = st.builds(
    PostSettings,
    threshold=st.fixed_dictionaries({region: st.floats(0.01, 0.99) for region in REGIONS}),
    merge=st.sampled_from(list(MERGES)),
    min_component_voxels=st.integers(0, 30),
    largest_component=st.booleans(),
    fill_holes=st.booleans(),
    enhancing=st.builds(
        EnhancingRule,
        rule=st.sampled_from(["none", *RULES]),
        limit_ml=st.floats(0, 0.2),
        core_ml=st.sampled_from([0.0, 0.01]),
    ),
)


def probable(labels):
    """Probabilities of 0.75 inside the regions of a label map and 0.25 outside."""
    return np.stack([np.where(region_mask(labels, region), 0.75, 0.25) for region in REGIONS], axis=-1)


def line(*voxels):
    """A row of voxels, each with its probability of WT, TC and ET."""
    return np.array(voxels).reshape(len(voxels), 1, 1, 3)


def rule(name, **limits):
    return PostSettings(enhancing=EnhancingRule(name, **limits))


@pytest.mark.parametrize(
    ("wt", "tc", "et", "table", "nested"),
    [
        (0, 0, 0, 0, 0),
        (1, 0, 0, 2, 2),
        (0, 1, 0, 1, 0),
        (1, 1, 0, 1, 1),
        (0, 0, 1, 0, 0),
        (1, 0, 1, 3, 3),
        (0, 1, 1, 3, 0),
        (1, 1, 1, 3, 3),
    ],
)
def test_the_eight_combinations_of_regions_merge_as_published_and_as_nested(wt, tc, et, table, nested):
    probabilities = line([wt, tc, et])
    assert postprocess(probabilities, REGIONS, PostSettings(merge="table"), 1).labels.item() == table
    assert postprocess(probabilities, REGIONS, PostSettings(), 1).labels.item() == nested


@given(arrays.arrays(bool, (3, 4, 4, 4)))
def test_the_table_and_the_nested_merge_differ_only_outside_the_whole_tumour(masks):
    regions = dict(zip(REGIONS, masks, strict=True))
    differ = merge_by_table(regions) != MERGES["nested"](regions)
    np.testing.assert_array_equal(differ, ~regions["WT"] & regions["TC"])


@pytest.mark.parametrize("regions", [regions for regions in DETERMINED if len(regions) < 3])
def test_the_table_needs_all_regions(regions):
    missing = " and ".join(region for region in REGIONS if region not in regions)
    with pytest.raises(ConfigError, match=rf"merge: 'table'.*does not determine {missing}; write nested"):
        postprocess(np.ones((2, 2, 2, len(regions))), regions, PostSettings(merge="table"), 1)


def test_a_probability_at_its_regions_own_threshold_is_inside():
    voxels = [(0.4, 0.9, 0.9), (0.5, 0.4, 0.2), (0.9, 0.6, 0.2), (0.9, 0.6, 0.3), (0.9, 0.1, 0.9)]
    thresholds = post_settings({"threshold": {"TC": 0.6, "ET": 0.3}})
    for dtype in (np.float32, np.float64):
        result = postprocess(line(*voxels).astype(dtype), REGIONS, thresholds, 1)
        assert result.labels.ravel().tolist() == [0, 2, 1, 3, 3]
        assert result.labels.dtype == np.uint8
        assert result.steps == ()
        assert not result.enhancing_removed


@given(st.integers(0, 1000), SETTINGS)
def test_channels_are_found_by_name_not_by_place(seed, chosen):
    probabilities = np.random.default_rng(seed).random((4, 4, 4, 3))
    straight = postprocess(probabilities, REGIONS, chosen, 0.001)
    swapped = postprocess(probabilities[..., ::-1], REGIONS[::-1], chosen, 0.001)
    np.testing.assert_array_equal(straight.labels, swapped.labels)
    assert straight.steps == swapped.steps


@settings(deadline=None)
@given(
    arrays.arrays(np.float32, (5, 5, 5, 3), elements=st.floats(0, 1, width=32)),
    st.sampled_from(DETERMINED),
    SETTINGS,
    st.sampled_from([None, True, False]),
)
def test_any_output_is_nested_and_holds_only_the_labels_that_were_determined(
    values, regions, chosen, decision
):
    probabilities = values[..., : len(regions)]
    if chosen.merge == "table" and len(regions) < 3:
        chosen = post_settings(settings_record(chosen), {"merge": "nested"})
    before = values.copy()
    result = postprocess(probabilities, regions, chosen, 0.001, enhancing_removed=decision)
    whole, core, enhancing = (region_mask(result.labels, region) for region in REGIONS)
    assert result.labels.dtype == np.uint8
    assert result.labels.shape == (5, 5, 5)
    assert set(np.unique(result.labels)) <= {0, 1, 2, 3}
    assert (enhancing <= core).all()
    assert (core <= whole).all()
    assert {str(value) for value in np.unique(result.labels)} <= {"0", *meaning(regions)}
    assert not (result.enhancing_removed and enhancing.any())
    np.testing.assert_array_equal(values, before)


@given(arrays.arrays(np.float32, (4, 4, 4, 3), elements=st.floats(0, 1, width=32)), SETTINGS)
def test_what_is_switched_on_is_listed_in_order_and_the_last_count_is_the_last_change(values, chosen):
    result = postprocess(values, REGIONS, chosen, 0.001)
    switched = {
        "fill_holes": chosen.fill_holes,
        "min_component_voxels": chosen.min_component_voxels > 0,
        "largest_component": chosen.largest_component,
        "enhancing": chosen.enhancing.rule != "none",
    }
    assert [name for name, _ in result.steps] == [name for name, on in switched.items() if on]
    without = post_settings(settings_record(chosen), {"enhancing": {"rule": "none"}})
    before = postprocess(values, REGIONS, without, 0.001)
    changed = (before.labels != result.labels).sum()
    assert result.steps == (*before.steps, *([("enhancing", changed)] if switched["enhancing"] else []))
    assert result.enhancing_removed == (changed > 0)


def hollow():
    """A block of oedema and, in it, a hollow core with a hole of background and one of oedema."""
    labels = np.zeros((11, 9, 9), dtype=np.uint8)
    labels[1:10, 1:8, 1:8] = 2
    labels[2:9, 2:7, 2:7] = 1
    labels[3, 4, 4] = 0
    labels[5, 3:6, 4] = 2
    labels[6:9, 3:6, 3:6] = 3
    labels[7, 4, 4] = 2
    labels[1:3, 7, 7] = 0
    labels[9, 2, 2] = 0
    labels[8, 6, 6] = 0
    return labels


def test_holes_take_the_label_of_what_encloses_them():
    labels = hollow()
    labels[9, 4, 4] = 0
    expected = labels.copy()
    expected[3, 4, 4] = expected[5, 3:6, 4] = expected[7, 4, 4] = 1
    expected[8, 6, 6] = 2
    found = fill_holes(labels, REGIONS)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.uint8
    result = postprocess(probable(labels), REGIONS, PostSettings(fill_holes=True), 1)
    np.testing.assert_array_equal(result.labels, expected)
    assert result.steps == (("fill_holes", 6),)


def test_without_a_core_all_holes_become_whole_tumour():
    labels = np.where(hollow() == 1, 2, hollow()).astype(np.uint8)
    expected = labels.copy()
    expected[3, 4, 4] = expected[8, 6, 6] = 2
    np.testing.assert_array_equal(fill_holes(labels, ["WT", "ET"]), expected)


def test_what_opens_by_a_face_or_at_the_edge_is_no_hole_but_a_diagonal_does_not_open():
    block = np.full((5, 5, 5), 2, dtype=np.uint8)
    cavity = np.zeros((7, 7, 7), dtype=np.uint8)
    cavity[1:6, 1:6, 1:6] = block
    cavity[3, 3, 3] = 0
    tunnel, diagonal, edge = cavity.copy(), cavity.copy(), block.copy()
    tunnel[3, 3, 4:] = 0
    diagonal[4, 4, 4] = diagonal[5, 5, 5] = 0
    edge[0, 2, 2] = 0
    np.testing.assert_array_equal(fill_holes(tunnel, REGIONS), tunnel)
    np.testing.assert_array_equal(fill_holes(edge, REGIONS), edge)
    closed = diagonal.copy()
    closed[3, 3, 3] = closed[4, 4, 4] = 2
    np.testing.assert_array_equal(fill_holes(diagonal, REGIONS), closed)


@given(TUMOURS, st.sampled_from(DETERMINED))
def test_filling_holes_twice_is_filling_them_once_and_only_adds(labels, regions):
    once = fill_holes(labels, regions)
    np.testing.assert_array_equal(fill_holes(once, regions), once)
    for region in REGIONS:
        assert (region_mask(labels, region) <= region_mask(once, region)).all()


def lesions():
    """Components of 28 (by a corner), 4 and 2 voxels, with parts."""
    labels = np.zeros((10, 10, 10), dtype=np.uint8)
    labels[0:3, 0:3, 0:3] = 2
    labels[1, 1, 1] = 3
    labels[3, 3, 3] = 1
    labels[7, 7, 5:9] = 2
    labels[7, 7, 6] = 3
    labels[9, 0, 0:2] = 1
    return labels


@pytest.mark.parametrize(
    ("least", "left"), [(1, (28, 4, 2)), (3, (28, 4)), (4, (28, 4)), (5, (28,)), (29, ())]
)
def test_components_with_fewer_voxels_are_dropped_whole_and_corners_touch(least, left):
    expected = lesions()
    if 2 not in left:
        expected[9, 0] = 0
    if 4 not in left:
        expected[7, 7] = 0
    if 28 not in left:
        expected[:5] = 0
    result = postprocess(probable(lesions()), REGIONS, PostSettings(min_component_voxels=least), 1)
    np.testing.assert_array_equal(result.labels, expected)
    assert result.steps == (("min_component_voxels", 34 - sum(left)),)


@given(TUMOURS, st.integers(0, 60))
def test_dropping_small_components_twice_is_dropping_them_once(labels, least):
    once = drop_small(labels, least)
    np.testing.assert_array_equal(drop_small(once, least), once)
    np.testing.assert_array_equal(once[once > 0], labels[once > 0])
    assert (once > 0).sum() >= least or not once.any()


def test_only_the_largest_component_is_kept():
    expected = lesions()
    expected[7:] = 0
    result = postprocess(probable(lesions()), REGIONS, PostSettings(largest_component=True), 1)
    np.testing.assert_array_equal(result.labels, expected)
    assert result.steps == (("largest_component", 6),)


def test_of_components_of_equal_size_the_first_is_kept():
    assert keep_largest(
        np.array([2, 0, 3, 1, 0, 3, 3], dtype=np.uint8).reshape(7, 1, 1)
    ).ravel().tolist() == [*(0, 0, 3, 1, 0, 0, 0)]


def test_nothing_stays_nothing():
    everything = PostSettings(
        min_component_voxels=5, largest_component=True, fill_holes=True, enhancing=EnhancingRule("empty", 9)
    )
    result = postprocess(np.zeros((3, 3, 3, 3)), REGIONS, everything, 1)
    assert not result.labels.any()
    assert {count for _, count in result.steps} == {0}
    assert len(result.steps) == 4
    assert not result.enhancing_removed


def test_a_hole_is_filled_before_voxels_are_counted():
    labels = np.zeros((5, 5, 5), dtype=np.uint8)
    labels[1:4, 1:4, 1:4] = 2
    labels[2, 2, 2] = 0
    chosen = PostSettings(fill_holes=True, min_component_voxels=27)
    result = postprocess(probable(labels), REGIONS, chosen, 1)
    assert (result.labels == 2).sum() == 27
    assert result.steps == (("fill_holes", 1), ("min_component_voxels", 0))


def test_all_steps_in_order_and_the_rule_sees_what_they_left():
    labels = np.zeros((9, 8, 8), dtype=np.uint8)
    labels[1:4, 1:4, 1:4] = 2
    labels[1, 1, 1] = 3
    expected = np.where(labels == 3, 1, labels)
    labels[2, 2, 2] = 0
    labels[6, 6, 1:5] = 3
    labels[8, 0, 0:2] = 1
    chosen = PostSettings(
        min_component_voxels=3,
        largest_component=True,
        fill_holes=True,
        enhancing=EnhancingRule("necrosis", limit_ml=1.0),
    )
    result = postprocess(probable(labels), REGIONS, chosen, 1.0)
    np.testing.assert_array_equal(result.labels, expected)
    assert result.steps == (
        ("fill_holes", 1),
        ("min_component_voxels", 2),
        ("largest_component", 4),
        ("enhancing", 1),
    )
    assert result.enhancing_removed


ENHANCING = line(
    (1.0, 0.25, 0.75),  # core below its threshold
    (1.0, 0.75, 0.75),  # certainly tumour, certainly not core without ET
    (0.625, 0.625, 0.625),  # background is the most probable
    (1.0, 1.0, 0.5),  # core and nothing else
    (0.75, 0.5, 0.5),  # background and oedema are equal
    (0.75, 0.75, 0.5),  # background and core are equal
    (1.0, 0.75, 0.5),  # oedema and core are equal
    (1.0, 0.75, 0.25),  # not enhancing
    (0.25, 0.75, 0.75),  # outside the whole tumour
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", [3, 3, 3, 3, 3, 3, 3, 1, 0]),
        ("empty", [2, 1, 1, 1, 1, 1, 1, 1, 0]),
        ("necrosis", [1, 1, 1, 1, 1, 1, 1, 1, 0]),
        ("next_class", [2, 2, 0, 1, 2, 1, 1, 1, 0]),
    ],
)
def test_a_small_enhancing_tumour_becomes_what_the_rule_says(name, expected):
    result = postprocess(ENHANCING, REGIONS, rule(name, limit_ml=1.0), 0.1)
    assert result.labels.ravel().tolist() == expected
    assert result.steps == (() if name == "none" else (("enhancing", 7),))
    assert result.enhancing_removed == (name != "none")


@pytest.mark.parametrize(("name", "expected"), [("empty", 1), ("necrosis", 1), ("next_class", 0)])
def test_the_rules_outside_the_whole_tumour_which_the_table_keeps(name, expected):
    probabilities = line((0.25, 0.75, 0.75), (0.25, 0.25, 0.75), (0, 0.5, 0.5))
    chosen = PostSettings(merge="table", enhancing=EnhancingRule(name, limit_ml=1))
    result = postprocess(probabilities, REGIONS, chosen, 0.1)
    assert result.labels.ravel().tolist() == [expected, 0, expected]
    assert result.steps == (("enhancing", 2),)


@pytest.mark.parametrize(
    ("name", "expected"), [("empty", [2, 2, 0]), ("necrosis", [2, 2, 0]), ("next_class", [2, 0, 0])]
)
def test_without_a_core_the_rules_make_no_necrotic_core(name, expected):
    probabilities = line((1, 1, 1), (0.625, 0, 0.625), (0.25, 0, 1))[..., [0, 2]]
    result = postprocess(probabilities, ["WT", "ET"], rule(name, limit_ml=1), 0.1)
    assert result.labels.ravel().tolist() == expected
    assert result.enhancing_removed
    assert not postprocess(
        probabilities, ["WT", "ET"], rule(name, limit_ml=1, core_ml=0.001), 0.1
    ).enhancing_removed, "an unknown core is not larger than anything"


def enhancing_and_core(enhancing, core):
    return np.repeat(np.array([3, 1, 2], dtype=np.uint8), [enhancing, core, 5]).reshape(-1, 1, 1)


@pytest.mark.parametrize("voxel_ml", [0.001, 0.1, 0.0010000000474974513, 0.9375**2 * 1.2 / 1000])
@pytest.mark.parametrize("voxels", [1, 3, 7, 129, 600])
def test_the_rule_applies_up_to_its_limit_and_no_further(voxels, voxel_ml):
    limit = EnhancingRule("necrosis", limit_ml=round(voxels * voxel_ml, 12))
    assert rule_applies(enhancing_and_core(voxels, 0), limit, voxel_ml)
    assert not rule_applies(enhancing_and_core(voxels + 1, 0), limit, voxel_ml)
    assert not rule_applies(enhancing_and_core(0, voxels), limit, voxel_ml), "nothing is there to remove"


@pytest.mark.parametrize(
    ("enhancing", "core", "applies"),
    [(129, 16955, True), (129, 16954, False), (130, 16955, False), (1, 20000, True), (129, 0, False)],
)
def test_the_published_rule_asks_for_a_large_core_too(enhancing, core, applies):
    published = rule("next_class", limit_ml=0.1295, core_ml=16.954)
    probabilities = probable(enhancing_and_core(enhancing, core))
    result = postprocess(probabilities, REGIONS, published, 0.001)
    assert result.enhancing_removed == applies
    assert result.steps == (("enhancing", enhancing if applies else 0),)


def test_a_limit_of_0_and_no_rule_never_apply():
    labels = enhancing_and_core(1, 1)
    assert not rule_applies(labels, EnhancingRule("empty"), 0.001)
    assert not rule_applies(labels, EnhancingRule(limit_ml=9.0), 0.001)


def test_a_decision_from_another_grid_is_repeated_whatever_the_volume_here():
    labels = enhancing_and_core(10, 3)
    small, large = rule("necrosis", limit_ml=10.0), rule("necrosis", limit_ml=9.0)
    kept = postprocess(probable(labels), REGIONS, small, 1.0, enhancing_removed=False)
    np.testing.assert_array_equal(kept.labels, labels)
    assert (kept.steps, kept.enhancing_removed) == ((("enhancing", 0),), False)
    removed = postprocess(probable(labels), REGIONS, large, 1.0, enhancing_removed=True)
    np.testing.assert_array_equal(removed.labels, np.where(labels == 3, 1, labels))
    assert (removed.steps, removed.enhancing_removed) == ((("enhancing", 10),), True)
    nothing = postprocess(probable(labels * 0), REGIONS, large, 1.0, enhancing_removed=True)
    assert (nothing.steps, nothing.enhancing_removed) == ((("enhancing", 0),), True)
    without = postprocess(probable(labels), REGIONS, PostSettings(), 1.0, enhancing_removed=True)
    np.testing.assert_array_equal(without.labels, labels)
    assert (without.steps, without.enhancing_removed) == ((), False)


@pytest.mark.parametrize("decision", [None, True])
@pytest.mark.parametrize("name", list(RULES))
def test_without_an_enhancing_tumour_among_the_regions_the_rule_does_nothing(name, decision):
    probabilities = probable(enhancing_and_core(4, 3))[..., :2]
    result = postprocess(probabilities, ["WT", "TC"], rule(name, limit_ml=9), 1.0, enhancing_removed=decision)
    assert result.labels.ravel().tolist() == [1] * 7 + [2] * 5
    assert (result.steps, result.enhancing_removed) == ((("enhancing", 0),), False)


@given(TUMOURS, st.integers(0, 1000), st.sampled_from(list(RULES)))
def test_rules_leave_no_enhancing_tumour_and_every_other_voxel_alone(labels, seed, name):
    values = np.random.default_rng(seed).random((3, 5, 5, 5))
    found = relabel_enhancing(
        labels, dict(zip(REGIONS, values, strict=True)), dict.fromkeys(REGIONS, 0.5), name
    )
    assert found.dtype == np.uint8
    assert not (found == 3).any()
    np.testing.assert_array_equal(found[labels != 3], labels[labels != 3])


def test_the_built_in_settings_switch_nothing_on():
    assert post_settings() == PostSettings()
    assert settings_record(post_settings()) == {
        "threshold": {"WT": 0.5, "TC": 0.5, "ET": 0.5},
        "merge": "nested",
        "min_component_voxels": 0,
        "largest_component": False,
        "fill_holes": False,
        "enhancing": {"rule": "none", "limit_ml": 0.0, "core_ml": 0.0},
    }


def test_later_layers_win_key_by_key_and_none_is_not_set():
    model = {
        "threshold": {"WT": 0.4, "ET": 0.3},
        "enhancing": {"rule": "empty", "limit_ml": 1},
        "fill_holes": True,
    }
    user = {"threshold": {"ET": 0.45, "WT": None}, "enhancing": {"rule": "necrosis"}, "fill_holes": False}
    layers = [model, user, {"threshold": None, "merge": None, "enhancing": {}, "min_component_voxels": 7.0}]
    before = json.dumps(layers)
    found = post_settings(*layers)
    assert found == PostSettings(
        threshold={"WT": 0.4, "TC": 0.5, "ET": 0.45},
        min_component_voxels=7,
        enhancing=EnhancingRule("necrosis", limit_ml=1.0),
    )
    assert isinstance(found.enhancing.limit_ml, float)
    assert isinstance(found.min_component_voxels, int)
    assert json.dumps(layers) == before
    assert post_settings() == PostSettings()


@given(SETTINGS)
def test_settings_come_back_from_json(chosen):
    assert post_settings(json.loads(json.dumps(settings_record(chosen)))) == chosen


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"thresholds": None}, "thresholds: null: is not a known key; did you mean threshold?"),
        (
            {"threshold": {"CC": 0.5}},
            "threshold.CC: 0.5: is not a known key; the keys here are WT, TC and ET",
        ),
        ({"enhancing": {"limit": 3}}, "enhancing.limit: 3: is not a known key; did you mean limit_ml?"),
        ({"threshold": 0.5}, "threshold: 0.5: is not possible; write a mapping with WT, TC and ET"),
        ({"threshold": {"WT": 0}}, "threshold.WT: 0: is not possible; write a number between 0 and 1"),
        ({"threshold": {"WT": 1.0}}, "threshold.WT: 1.0: is not possible"),
        ({"threshold": {"WT": "0.5"}}, "threshold.WT: '0.5': is not possible"),
        ({"threshold": {"WT": float("nan")}}, "threshold.WT: NaN: is not possible"),
        ({"merge": "truth"}, "merge: 'truth': is not possible; write nested or table"),
        ({"merge": {}}, "merge: {}: is not possible; write nested or table"),
        ({"enhancing": "empty"}, "enhancing: 'empty': is not possible; write a mapping"),
        ({"enhancing": {"rule": "drop"}}, "enhancing.rule: 'drop': is not possible; write none, empty, nec"),
        ({"enhancing": {"rule": False}}, "enhancing.rule: false: is not possible"),
        ({"enhancing": {"limit_ml": -0.1}}, "enhancing.limit_ml: -0.1: is not possible; write a volume"),
        ({"enhancing": {"core_ml": float("inf")}}, "enhancing.core_ml: Infinity: is not possible"),
        ({"min_component_voxels": -1}, "min_component_voxels: -1: is not possible; write a whole number"),
        ({"min_component_voxels": 2.5}, "min_component_voxels: 2.5: is not possible"),
        ({"min_component_voxels": True}, "min_component_voxels: true: is not possible"),
        ({"fill_holes": "yes"}, "fill_holes: 'yes': is not possible; write true or false"),
        ({"largest_component": 1}, "largest_component: 1: is not possible; write true or false"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(layer, message):
    with pytest.raises(ConfigError) as caught:
        post_settings({"fill_holes": True}, layer, {"threshold": {"WT": 0.5}})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("convention", "necrosis", "oedema", "enhancing", "cavity"),
    [
        ("brats2021", 1, 2, 4, None),
        ("brats2023", 1, 2, 3, None),
        ("gliaflow", 1, 2, 3, 4),
        ("nnunet", 2, 1, 3, None),
    ],
)
def test_label_maps_of_every_convention_give_the_same_regions(
    convention, necrosis, oedema, enhancing, cavity
):
    parts = [0, necrosis, oedema, enhancing, *([] if cavity is None else [cavity])]
    theirs = np.array(list(itertools.permutations(parts)))
    found = convert_labels(theirs, convention)
    np.testing.assert_array_equal(region_mask(found, "WT"), np.isin(theirs, [necrosis, oedema, enhancing]))
    np.testing.assert_array_equal(region_mask(found, "TC"), np.isin(theirs, [necrosis, enhancing]))
    np.testing.assert_array_equal(region_mask(found, "ET"), theirs == enhancing)
    if cavity is not None:
        assert (found[theirs == cavity] == 4).all()
    again = postprocess(probable(found)[..., np.newaxis, :], REGIONS, PostSettings(), 1).labels
    np.testing.assert_array_equal(again[..., 0], np.where(found == 4, 0, found))
