"""Label maps and regions go into each other as resources/labels.tsv says."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gliaflow.config.schema import load_schema
from gliaflow.errors import ImageError
from gliaflow.labels import (
    CONVENTIONS,
    REGIONS,
    convert_labels,
    encode,
    label_table,
    meaning,
    region_labels,
    region_mask,
    whole_values,
)

MASKS = arrays.arrays(bool, (4, 4, 4))
TUMOURS = arrays.arrays(np.uint8, (4, 4, 4), elements=st.integers(0, 3))


def test_the_table_is_that_of_brats_since_2023():
    assert [label.value for label in label_table()] == [1, 2, 3, 4]
    assert {region: region_labels(region) for region in REGIONS} == {
        "WT": (1, 2, 3),
        "TC": (1, 3),
        "ET": (3,),
    }
    assert len({label.colour for label in label_table()}) == 4


def test_the_cavity_belongs_to_no_region():
    labels = np.array([0, 1, 2, 3, 4])
    assert [region_mask(labels, region).tolist() for region in REGIONS] == [
        [False, True, True, True, False],
        [False, True, False, True, False],
        [False, False, False, True, False],
    ]


@given(TUMOURS)
def test_regions_of_a_label_map_make_it_again(labels):
    np.testing.assert_array_equal(encode({r: region_mask(labels, r) for r in REGIONS}), labels)


@given(MASKS, MASKS, MASKS)
def test_any_masks_become_nested_regions_inside_the_whole_tumour(whole, core, enhancing):
    labels = encode({"WT": whole, "TC": core, "ET": enhancing})
    found = {region: region_mask(labels, region) for region in REGIONS}
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(found["WT"], whole)
    np.testing.assert_array_equal(found["ET"], whole & enhancing)
    np.testing.assert_array_equal(found["TC"], whole & (core | enhancing))


@given(MASKS, MASKS)
def test_a_region_that_is_absent_keeps_the_label_around_it(whole, other):
    np.testing.assert_array_equal(encode({"WT": whole}), np.where(whole, 2, 0))
    core_only = encode({"WT": whole, "TC": other})
    np.testing.assert_array_equal(core_only, np.where(whole & other, 1, np.where(whole, 2, 0)))
    enhancing_only = encode({"WT": whole, "ET": other})
    np.testing.assert_array_equal(enhancing_only, np.where(whole & other, 3, np.where(whole, 2, 0)))


@pytest.mark.parametrize(
    ("regions", "values"), [(["TC"], [0, 1, 1]), (["ET"], [0, 3, 3]), (["TC", "ET"], [0, 1, 3])]
)
def test_without_a_whole_tumour_its_parts_are_all_that_is_known(regions, values):
    masks = {"TC": np.array([False, True, True]), "ET": np.array([False, regions == ["ET"], True])}
    assert encode({region: masks[region] for region in regions}).tolist() == values


@pytest.mark.parametrize(
    ("convention", "values"),
    [
        ("brats2021", {"necrotic core": 1, "oedema": 2, "enhancing": 4}),
        ("brats2023", {"necrotic core": 1, "oedema": 2, "enhancing": 3}),
        ("nnunet", {"necrotic core": 2, "oedema": 1, "enhancing": 3}),
    ],
)
def test_every_convention_comes_to_the_same_parts(convention, values):
    found = convert_labels(np.array([[0, *values.values()]], dtype=np.int16), convention)
    parts = {label.value: label.name for label in label_table()}
    assert [parts.get(value) for value in found[0].tolist()] == [None, *values]
    assert found.dtype == np.uint8


@pytest.mark.parametrize("name", ["config", "models"])
def test_every_convention_may_be_written_in_the_config(name):
    schema = load_schema(name)["properties"]
    part = schema["labels"] if name == "config" else schema["segmentation"]["items"]["properties"]["labels"]
    assert set(CONVENTIONS) == set((part.get("additionalProperties") or part)["enum"])
    assert all(re.match(part.get("pattern", ""), convention) for convention in CONVENTIONS)


@given(arrays.arrays(np.float32, (3, 3), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0])))
def test_the_own_convention_changes_nothing(labels):
    np.testing.assert_array_equal(convert_labels(labels, "gliaflow"), labels)


@pytest.mark.parametrize(
    ("values", "convention"),
    [
        ([0, 3], "brats2021"),
        ([0, 4], "brats2023"),
        ([0, 4], "nnunet"),
        ([0, 5], "gliaflow"),
        ([0, -1], "gliaflow"),
        ([0, 1.5], "gliaflow"),
        ([0, 2.9999], "gliaflow"),
        ([0, np.nan], "gliaflow"),
    ],
)
def test_a_value_outside_the_convention_is_named(values, convention):
    with pytest.raises(ImageError, match=rf"\[{values[1]}.*\].*{convention}"):
        convert_labels(np.array(values), convention)


def test_the_meaning_of_a_map_follows_from_what_was_determined():
    assert meaning(REGIONS) == {"1": "necrotic core", "2": "oedema", "3": "enhancing"}
    assert meaning(["WT"]) == {"2": "whole tumour (its parts were not determined)"}


def test_values_that_a_scaled_file_blurs_are_whole_again():
    stored = np.array([0.0, 1.004, 1.992, 4.0])
    assert whole_values(stored, "a").tolist() == [0, 1, 2, 4]
    with pytest.raises(ImageError, match=r"^a: holds 1\.5, which is no label"):
        whole_values(np.array([0, 1.5]), "a")
