"""Which heads make which region, held against nnU-Net's own label manager."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from gliaflow.errors import ConfigError
from gliaflow.labels import CONVENTIONS, REGIONS, region_labels
from gliaflow.nnunet.regions import RegionMap, region_map, to_regions

OURS = {"background": 0, "WT": [1, 2, 3], "TC": [1, 3], "ET": [3]}
BRATS2021 = {"background": 0, "whole tumor": [1, 2, 4], "tumor core": [1, 4], "enhancing tumor": [4]}
NNUNET = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": [3]}
LABELS = {"background": 0, "NCR": 1, "ED": 2, "ET": 3}


def dataset(labels):
    return {"labels": labels, "regions_class_order": [2, 1, 3][: len(labels) - 1]}


def manager(labels):
    order = list(range(1, len([name for name in labels if name not in ("background", "ignore")]) + 1))
    return LabelManager(labels, order)


def logits(heads, seed=0, scale=5.0):
    shape = (heads, 3, 4, 5)
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


@pytest.mark.parametrize(
    ("labels", "convention"), [(OURS, "gliaflow"), (BRATS2021, "brats2021"), (NNUNET, "nnunet")]
)
def test_each_region_has_its_head_whatever_the_convention(labels, convention):
    assert region_map(dataset(labels), REGIONS, convention) == RegionMap("sigmoid", ((0,), (1,), (2,)))
    assert region_map(dataset(labels), ["ET", "WT"], convention).heads == ((2,), (0,))


@given(st.permutations(list(OURS.items())))
def test_heads_follow_the_order_of_the_labels_as_in_nnunet(items):
    labels = dict(items)
    found = region_map(dataset(labels), REGIONS, "gliaflow")
    regions = manager(labels).foreground_regions
    for region, (head,) in zip(REGIONS, found.heads, strict=True):
        assert regions[head] == tuple(region_labels(region))


@given(st.permutations(list(LABELS.items())), st.booleans())
def test_labels_are_summed_to_regions(items, ignore):
    labels = dict(items) | ({"ignore": 4} if ignore else {})
    found = region_map(dataset(labels), REGIONS, "gliaflow")
    assert found == RegionMap("softmax", ((1, 2, 3), (1, 3), (3,)))
    assert manager(labels).num_segmentation_heads == 4


def test_labels_of_another_convention_are_summed_by_their_meaning():
    found = region_map(
        dataset({"background": 0, "edema": 1, "non-enhancing": 2, "enhancing": 3}), REGIONS, "nnunet"
    )
    assert found.heads == ((1, 2, 3), (2, 3), (3,))
    found = region_map(dataset({"background": 0, "NCR": 1, "ED": 2, "ET": 4}), ["ET"], "brats2021")
    assert found.heads == ((3,),), "the head of a label is its place among the labels, not its value"


@pytest.mark.parametrize("labels", [OURS, dict(reversed(OURS.items()))])
def test_sigmoid_probabilities_are_nnunets(labels):
    values = logits(3)
    expected = manager(labels).apply_inference_nonlin(values).numpy()
    regions = manager(labels).foreground_regions
    found = to_regions(values, region_map(dataset(labels), REGIONS, "gliaflow"))
    assert found.dtype == np.float32
    for region, probabilities in zip(REGIONS, found, strict=True):
        of_nnunet = expected[regions.index(tuple(region_labels(region)))]
        np.testing.assert_allclose(probabilities, of_nnunet, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_softmax_probabilities_are_sums_of_nnunets(dtype):
    values = logits(4).astype(dtype)
    expected = manager(LABELS).apply_inference_nonlin(values).numpy()
    found = to_regions(values, region_map(dataset(LABELS), REGIONS, "gliaflow"))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], 1 - expected[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1], expected[1] + expected[3], rtol=1e-5)
    np.testing.assert_allclose(found[2], expected[3], rtol=1e-5, atol=1e-7)


@settings(deadline=None)
@given(st.integers(0, 500), st.sampled_from([0.1, 10.0, 1e4]), st.sampled_from([OURS, LABELS]))
def test_probabilities_stay_between_0_and_1_and_regions_within_each_other(seed, scale, labels):
    found = region_map(dataset(labels), REGIONS, "gliaflow")
    whole, core, enhancing = to_regions(logits(4 if labels is LABELS else 3, seed, scale), found)
    for region in (whole, core, enhancing):
        assert 0 <= region.min() <= region.max() <= 1
    if labels is LABELS:
        assert (whole >= core - 1e-6).all()
        assert (core >= enhancing - 1e-6).all()


def test_one_region_of_one_label_is_two_heads_as_in_nnunet():
    labels = {"background": 0, "ET": [3]}
    found = region_map(dataset(labels), ["ET"], "gliaflow")
    assert found == RegionMap("softmax", ((1,),))
    assert manager(labels).num_segmentation_heads == 2
    values = logits(2)
    np.testing.assert_allclose(
        to_regions(values, found)[0], torch.softmax(torch.from_numpy(values), 0)[1], rtol=1e-5, atol=1e-7
    )


def test_the_resection_cavity_belongs_to_no_region():
    with_cavity = {"background": 0, "tumour": [1, 2, 3], "TC": [1, 3], "ET": [3], "RC": [4]}
    assert region_map(dataset(with_cavity), REGIONS, "gliaflow").heads == ((0,), (1,), (2,))
    both = {"background": 0, "everything": [1, 2, 3, 4], "WT": [1, 2, 3]}
    assert region_map(dataset(both), ["WT"], "gliaflow").heads == ((1,),)
    del both["WT"]
    assert region_map(dataset(both), ["WT"], "gliaflow").heads == ((0,),)
    found = region_map(dataset(LABELS | {"RC": 4}), REGIONS, "gliaflow")
    assert found.heads == ((1, 2, 3), (1, 3), (3,))


@pytest.mark.parametrize(
    ("labels", "region", "sets"),
    [
        ({"background": 0, "WT": [1, 2, 3], "ET": [3]}, "TC", r"\[1, 3\].*\[1, 2, 3\], \[3\]"),
        ({"background": 0, "core": 1, "oedema": 2}, "ET", r"\[3\].*\[0\], \[1\], \[2\]"),
        ({"background": 0, "tumour": 1}, "WT", r"\[1, 2, 3\].*\[0\], \[1\]"),
        (NNUNET, "TC", r"\[1, 3\].*\[1, 2, 3\], \[2, 3\], \[3\]"),
    ],
)
def test_a_region_that_cannot_be_had_says_what_there_is(labels, region, sets):
    with pytest.raises(ConfigError, match=f"wrong label table: {region} is made of the labels {sets}"):
        region_map(dataset(labels), [region], "gliaflow")


def test_a_value_or_convention_that_is_not_known_is_named():
    with pytest.raises(ConfigError, match=r"wrong label table: .* values \[4\], .* 'brats2023'"):
        region_map(dataset(BRATS2021), REGIONS, "brats2023")
    with pytest.raises(ConfigError, match=f"'brats': is no .* one of {', '.join(CONVENTIONS)}"):
        region_map(dataset(OURS), REGIONS, "brats")


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        (None, "labels is None"),
        ({"tumour": 1}, "not a mapping with 'background': 0"),
        ({"background": 1}, "not a mapping with 'background': 0"),
        ({"background": 0, "WT": "1"}, r"labels\.WT: '1'"),
        ({"background": 0, "WT": []}, r"labels\.WT: \[\]"),
        ({"background": 0, "WT": [1, [2]]}, r"labels\.WT"),
        ({"background": 0, "WT": True}, r"labels\.WT"),
        ({"background": 0, "WT": -1}, r"labels\.WT"),
    ],
)
def test_labels_that_are_not_nnunets_are_named(labels, named):
    with pytest.raises(ConfigError, match=f"dataset.json.*{named}"):
        region_map({"labels": labels}, ["WT"], "gliaflow")
