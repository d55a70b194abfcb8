"""The numbers of a session against values told by hand, and against masks held whole."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.measure import label

from gliaflow.errors import ImageError
from gliaflow.evaluate.overlap import dice
from gliaflow.tables import write_table
from gliaflow.uncertainty.maps import aggregate
from gliaflow.uncertainty.numbers import (
    NUMBER_COLUMNS,
    border,
    number_row,
    pairwise_dice,
    region_numbers,
    seen_parts,
    uncertain_parts,
)

SHAPE = (12, 10, 8)
BRAIN = np.ones(SHAPE, dtype=bool)
SPACING = (1.0, 1.0, 2.0)
VOXEL_ML = 0.002
MASKS = arrays(bool, st.tuples(st.integers(1, 5), st.just(4), st.just(5), st.just(3)))


def box(*slices):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(slice(*s) for s in slices)] = True
    return mask


LESION = box((2, 6), (2, 6), (2, 6))
FAR = box((9, 11), (8, 10), (1, 2))


def measured(masks, labels=None, brain=BRAIN, **options):
    members = [np.where(mask, 255, 0).astype(np.uint8)[..., np.newaxis] for mask in masks]
    fused = np.where(masks[0], 2, 0) if labels is None else labels
    return region_numbers(aggregate(members, brain), fused, ["WT"], SPACING, **options)["WT"]


def test_volumes_and_their_range_in_ml():
    """64, 48 and 16 voxels: mean 42.67, standard deviation 24.44."""
    masks = [LESION, LESION & box((2, 5), (0, 10), (0, 8)), LESION & box((2, 3), (0, 10), (0, 8))]
    found = measured(masks)
    assert found.volume_ml == pytest.approx(64 * VOXEL_ML)
    assert found.volume_low_ml == pytest.approx(16 * VOXEL_ML)
    assert found.volume_high_ml == pytest.approx(64 * VOXEL_ML)
    assert found.volume_cv == pytest.approx(24.4404 / 42.6667, abs=1e-4)


def test_many_members_have_an_interval_of_percentiles():
    """41 members of 0 to 40 voxels: the percentiles 2.5 and 97.5 are members 1 and 39."""
    masks = [np.arange(np.prod(SHAPE)).reshape(SHAPE) < k for k in range(41)]
    found = measured(masks)
    assert found.volume_low_ml == pytest.approx(1 * VOXEL_ML)
    assert found.volume_high_ml == pytest.approx(39 * VOXEL_ML)


@settings(max_examples=40, deadline=None)
@given(MASKS)
def test_the_mean_dice_is_that_of_all_pairs(masks):
    packed = np.packbits(masks.reshape(len(masks), -1), axis=1)
    pairs = [dice(a, b) for a, b in combinations(masks, 2)]
    assert pairwise_dice(packed) == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_parts_that_few_members_see_are_counted_whole():
    """The far part has 4 voxels, of which one of four members sees 4 and another 2; all see the lesion."""
    half = FAR & box((9, 10), (0, 10), (0, 8))
    masks = [LESION | FAR, LESION, LESION, LESION | half]
    for share, parts, voxels in ((0.5, 0, 0), (0.51, 1, 4), (1.0, 1, 4)):
        found = measured(masks, share=share)
        assert found.uncertain_components == parts
        assert found.uncertain_components_ml == pytest.approx(voxels * VOXEL_ML)


def test_a_part_that_hangs_on_by_a_corner_is_no_part_of_its_own():
    corner = box((6, 8), (6, 8), (6, 8))
    assert measured([LESION, LESION, LESION | corner]).uncertain_components == 0


@settings(max_examples=40, deadline=None)
@given(MASKS, st.sampled_from([0.3, 0.5, 1.0]))
def test_uncertain_parts_are_those_that_a_loop_finds(masks, share):
    brain = np.random.default_rng(1).random(masks.shape[1:]) < 0.9
    inside = [(mask & brain).ravel(order="F")[brain.ravel(order="F")] for mask in masks]
    union = np.any(masks, axis=0) & brain
    parts = label(union, connectivity=3)
    few = [
        np.count_nonzero(parts == k)
        for k in range(1, parts.max() + 1)
        if sum((mask & (parts == k)).any() for mask in masks) < share * len(masks)
    ]
    found = seen_parts(np.packbits(inside, axis=1), brain)
    assert uncertain_parts(found, share) == (len(few), sum(few))


def test_the_entropy_is_that_inside_and_round_the_surface():
    """Even odds in one layer of the lesion's outside, certain elsewhere."""
    shell = ndimage.binary_dilation(LESION) & ~LESION
    member = np.where(LESION, 1.0, np.where(shell, 0.5, 0.0)).astype(np.float32)[..., np.newaxis]
    ensemble = aggregate([member], BRAIN)
    found = region_numbers(ensemble, np.where(LESION, 2, 0), ["WT"], SPACING, shell_mm=1.0)["WT"]
    assert found.entropy_inside_bit == 0
    near = border(LESION, SPACING, 1.0)
    in_plane = shell & box((0, 12), (0, 10), (2, 6))
    assert (near & shell).sum() == in_plane.sum() == 4 * 16, "2 mm along z is farther than 1 mm"
    assert found.entropy_border_bit == pytest.approx(64 / near.sum())
    wide = region_numbers(ensemble, np.where(LESION, 2, 0), ["WT"], SPACING, shell_mm=2.0)["WT"]
    assert wide.entropy_border_bit > 0


@settings(max_examples=30, deadline=None)
@given(arrays(bool, (6, 5, 4)), st.sampled_from([0.4, 1.0, 2.5]))
def test_a_border_is_what_lies_near_a_surface_voxel(mask, shell_mm):
    spacing = (1.0, 0.5, 2.0)
    points = np.argwhere(np.ones_like(mask)) * spacing
    padded = np.pad(mask, 1)
    open_face = np.zeros_like(mask)
    for axis in range(3):
        for step in (-1, 1):
            open_face |= ~np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    surface = np.argwhere(mask & open_face) * spacing
    distance = np.linalg.norm(points[:, None] - surface[None], axis=-1).min(axis=1, initial=np.inf)
    np.testing.assert_array_equal(border(mask, spacing, shell_mm), (distance <= shell_mm).reshape(mask.shape))


def test_one_member_has_no_spread():
    found = measured([LESION])
    assert found.volume_ml == pytest.approx(64 * VOXEL_ML)
    assert (found.volume_low_ml, found.volume_high_ml, found.volume_cv, found.pairwise_dice) == (None,) * 4
    assert (found.uncertain_components, found.uncertain_components_ml) == (None, None)
    assert found.entropy_inside_bit is not None


def test_members_that_find_nothing_agree_and_have_no_entropy_inside():
    found = measured([np.zeros(SHAPE, bool)] * 3)
    assert (found.volume_ml, found.volume_low_ml, found.volume_high_ml) == (0, 0, 0)
    assert (found.volume_cv, found.entropy_inside_bit, found.entropy_border_bit) == (None, None, None)
    assert (found.pairwise_dice, found.uncertain_components, found.uncertain_components_ml) == (1, 0, 0)


def test_what_members_find_outside_the_brain_does_not_count():
    brain = BRAIN.copy()
    brain[4:] = False
    found = measured([LESION, LESION | FAR], brain=brain)
    assert found.volume_high_ml == pytest.approx(32 * VOXEL_ML)
    assert found.pairwise_dice == 1
    assert found.uncertain_components == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flips_change_no_number(axis):
    masks = [LESION | FAR, LESION, LESION & box((2, 5), (3, 9), (0, 8))]
    assert measured([np.flip(m, axis) for m in masks]) == measured(masks)


def test_regions_are_those_of_the_label_map():
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[:2], labels[2:3], labels[3:5] = 2, 1, 3
    members = [np.zeros((*SHAPE, 3), dtype=np.uint8)] * 2
    found = region_numbers(aggregate(members, BRAIN), labels, ["WT", "TC", "ET"], SPACING)
    plane = 80 * VOXEL_ML
    assert {region: n.volume_ml for region, n in found.items()} == pytest.approx(
        {"WT": 5 * plane, "TC": 3 * plane, "ET": 2 * plane}
    )


def test_a_row_has_every_column_and_is_empty_where_nothing_was_determined(tmp_path):
    row = number_row(2, {"WT": measured([LESION, LESION | FAR])})
    write_table(tmp_path / "uncertainty.tsv", [row], NUMBER_COLUMNS)
    names, cells = (line.split("\t") for line in (tmp_path / "uncertainty.tsv").read_text().splitlines())
    written = dict(zip(names, cells, strict=True))
    assert written["members"] == "2"
    assert written["wt_volume_ml"] == "0.128"
    assert written["wt_pairwise_dice"] == f"{2 * 64 / (64 + 68):.4f}"
    assert written["tc_volume_ml"] == written["et_pairwise_dice"] == ""
    assert len(names) == 28


def test_other_grids_and_regions_are_refused():
    ensemble = aggregate([np.zeros((*SHAPE, 1), np.uint8)], BRAIN)
    with pytest.raises(ImageError, match=r"shape \(2, 2, 2\).*bring both to one grid"):
        region_numbers(ensemble, np.zeros((2, 2, 2)), ["WT"], SPACING)
    with pytest.raises(ImageError, match="members of 1 regions, but 2 are named"):
        region_numbers(ensemble, np.zeros(SHAPE), ["WT", "TC"], SPACING)
