"""Lesions by size against scikit-image's regions one by one, by hand, and their sum over a cohort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label, regionprops

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.detection import (
    DETECTION_COLUMNS,
    EDGES_ML,
    Detection,
    SizeCount,
    detect_lesions,
    detection_rows,
    sphere_ml,
)

UNIT = (1.0, 1.0, 1.0)
FEW = settings(max_examples=60, deadline=None)
MASKS = arrays(bool, (7, 6, 5), elements=st.sampled_from([False, False, False, True]))
EDGES = (0.002, 0.006)


def one_by_one(truth, found, spacing, edges):
    """Go through each lesion and each component as a set of voxels."""
    sizes = [{"lesions": 0, "detected": 0, "dice": 0.0, "false": 0} for _ in range(len(edges) + 1)]
    lesions, components = (
        [set(map(tuple, region.coords)) for region in regionprops(label(mask, connectivity=3))]
        for mask in (truth, found)
    )

    def size_of(voxels):
        volume = len(voxels) * np.prod(spacing) / 1000
        return sizes[sum(volume >= edge for edge in edges)]

    for lesion in lesions:
        touching = [component for component in components if component & lesion]
        both = sum(len(component & lesion) for component in touching)
        size = size_of(lesion)
        size["lesions"] += 1
        size["detected"] += bool(touching)
        size["dice"] += 2 * both / (len(lesion) + sum(map(len, touching)))
    for component in components:
        if not any(component & lesion for lesion in lesions):
            size_of(component)["false"] += 1
    return sizes


@FEW
@given(MASKS, MASKS, st.sampled_from([UNIT, (1.0, 0.5, 3.0)]))
def test_any_masks_count_as_one_by_one(truth, found, spacing):
    counts = detect_lesions(truth, found, spacing, EDGES)
    for size, expected in zip(counts.sizes, one_by_one(truth, found, spacing, EDGES), strict=True):
        assert vars(size) == {**expected, "dice": pytest.approx(expected["dice"])}
    assert counts.scans == 1


def test_lesions_of_three_sizes_by_hand():
    truth, found = np.zeros((2, 30, 10, 10), dtype=bool)
    truth[0:2, 0, 0] = found[1:3, 0, 0] = True
    truth[6:8, 2:4, 2:4] = True
    truth[12:15, 2:5, 2:5] = found[12:15, 2:5, 2:5] = True
    truth[20:23, 2:5, 2:5] = True
    found[29, 9, 9] = found[26:28, 7:9, 5:9] = True
    counts = detect_lesions(truth, found, UNIT, [0.005, 0.02])
    assert counts.sizes == (SizeCount(1, 1, 0.5, 1), SizeCount(1, 0, 0.0, 1), SizeCount(2, 1, 1.0, 0))
    rows = detection_rows(counts + Detection(counts.edges_ml, 1, (SizeCount(),) * 3))
    assert [list(row) for row in rows] == [list(DETECTION_COLUMNS)] * 3
    assert [row["detection_rate"] for row in rows] == [1, 0, 0.5]
    assert [row["lesion_dice"] for row in rows] == [0.5, 0, 0.5]
    assert [row["false_per_scan"] for row in rows] == [0.5, 0.5, 0]
    assert [(row["low_ml"], row["high_ml"]) for row in rows] == [(0, 0.005), (0.005, 0.02), (0.02, None)]


@pytest.mark.parametrize(("voxels", "size"), [(7, 0), (8, 1), (9, 1)])
def test_a_volume_on_an_edge_is_in_the_upper_range(voxels, size):
    truth = np.zeros((12, 1, 1), dtype=bool)
    truth[:voxels] = True
    counts = detect_lesions(truth, truth, UNIT, [0.008])
    assert [each.lesions for each in counts.sizes] == [int(k == size) for k in range(2)]


def test_the_ranges_of_s2_are_diameters_of_3_and_6_mm():
    assert pytest.approx((4 / 3 * np.pi * 1.5**3 / 1000, 4 / 3 * np.pi * 3**3 / 1000)) == EDGES_ML
    assert sphere_ml(0) == 0


@FEW
@given(st.lists(st.tuples(MASKS, MASKS), max_size=4))
def test_the_sum_over_scans_is_that_of_one_scan_that_holds_them_apart(scans):
    total = sum((detect_lesions(*scan, UNIT, EDGES) for scan in scans), Detection.none(EDGES))
    if not scans:
        assert total == Detection.none(EDGES)
        return
    apart = [np.concatenate([np.pad(mask, 1) for mask in masks]) for masks in zip(*scans, strict=True)]
    at_once = detect_lesions(*apart, UNIT, EDGES)
    assert total.scans == len(scans)
    for one, other in zip(total.sizes, at_once.sizes, strict=True):
        assert vars(one) == {**vars(other), "dice": pytest.approx(other.dice)}


@FEW
@given(MASKS, MASKS, st.permutations(range(3)), st.sampled_from(range(3)))
def test_flips_and_swapped_axes_change_nothing(truth, found, axes, flip):
    spacing = (1.0, 0.5, 3.0)
    moved = [np.flip(mask, flip).transpose(axes) for mask in (truth, found)]
    before = detect_lesions(truth, found, spacing, EDGES)
    after = detect_lesions(*moved, tuple(spacing[axis] for axis in axes), EDGES)
    for one, other in zip(before.sizes, after.sizes, strict=True):
        assert vars(one) == {**vars(other), "dice": pytest.approx(other.dice)}


@FEW
@given(MASKS)
def test_the_truth_itself_is_detected_whole(truth):
    for size in detect_lesions(truth, truth, UNIT, EDGES).sizes:
        assert size == SizeCount(size.lesions, size.lesions, float(size.lesions), 0)


def test_no_scans_have_no_rates():
    assert {row["false_per_scan"] for row in detection_rows(Detection.none())} == {None}
    assert {row["detection_rate"] for row in detection_rows(Detection.none())} == {None}


def test_counts_by_other_ranges_are_not_added():
    with pytest.raises(ConfigError, match="cannot be added; count them all by the same"):
        Detection.none([1.0]) + Detection.none([2.0])


@pytest.mark.parametrize("edges", [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0)])
def test_ranges_that_do_not_rise_are_refused(edges):
    mask = np.ones((2, 2, 2), dtype=bool)
    with pytest.raises(ConfigError, match="write rising numbers above 0"):
        detect_lesions(mask, mask, UNIT, edges)


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ImageError, match="bring both to one grid"):
        detect_lesions(np.ones((2, 2, 2), bool), np.ones((2, 2, 1), bool), UNIT)
