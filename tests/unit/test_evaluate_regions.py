"""The scores of a region against other implementations, by hand where nothing is there, and their symmetries.

Dice, IoU and sensitivity against SimpleITK's LabelOverlapMeasures; precision, and specificity within a brain
mask, against scikit-learn; distances against all pairs of surface voxels, which are found by their six
neighbours, and against a Euclidean distance transform.
"""

import itertools
from dataclasses import asdict

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt
from scipy.spatial.distance import cdist
from sklearn.metrics import precision_score, recall_score

from gliaflow.errors import ImageError
from gliaflow.evaluate.regions import REGION_COLUMNS, region_rows, score_region, score_regions
from gliaflow.evaluate.surface import WORST_MM, hausdorff95, surface, surface_distances, surface_score

SPACING = (0.9, 1.3, 5.0)
SHAPE = (5, 6, 4)
MASKS = arrays(bool, SHAPE)
SOME = MASKS.filter(np.any)
FEW = settings(max_examples=40, deadline=None)


def blobs(seed, shape=(20, 24, 12)):
    """Two smooth masks that overlap in part."""
    random = np.random.default_rng(seed)
    grid = np.indices(shape)
    masks = []
    for _ in range(2):
        centre = np.array(shape)[:, None, None, None] / 2 + random.uniform(-2, 2, (3, 1, 1, 1))
        distance = np.sqrt(((grid - centre) ** 2).sum(axis=0))
        masks.append(distance + random.normal(0, 0.8, shape) < 5)
    return masks


def edge_points(mask):
    """Voxels with one of six neighbours outside the mask, in mm."""
    padded = np.pad(mask, 1)
    inside = np.ones_like(mask)
    for axis, step in itertools.product(range(3), (-1, 1)):
        inside &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    return np.argwhere(mask & ~inside) * SPACING


def all_pairs(first, second):
    pairs = cdist(edge_points(first), edge_points(second))
    return pairs.min(axis=1), pairs.min(axis=0)


def overlap_of_sitk(truth, found):
    measures = sitk.LabelOverlapMeasuresImageFilter()
    measures.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (found, truth)))
    return {
        "dice": measures.GetDiceCoefficient(),
        "iou": measures.GetJaccardCoefficient(),
        "sensitivity": 1 - measures.GetFalseNegativeError(),
    }


@pytest.mark.parametrize("seed", range(3))
def test_overlap_is_that_of_simpleitk_and_scikit_learn(seed):
    truth, found = blobs(seed)
    brain = np.random.default_rng(seed).random(truth.shape) < 0.9
    score = score_region(truth, found, SPACING, brain)
    for name, value in overlap_of_sitk(truth, found).items():
        assert getattr(score, name) == pytest.approx(value), name
    assert score.precision == pytest.approx(precision_score(truth.ravel(), found.ravel()))
    assert score.specificity == pytest.approx(recall_score(truth[brain], found[brain], pos_label=False))
    assert 0.3 < score.dice < 0.95, "the masks are worth comparing"
    assert score.state == "present"


def test_volumes_in_ml_by_hand():
    truth, found = np.zeros((2, 10, 10, 10), dtype=bool)
    truth[:5], found[:8] = True, True
    score = score_region(truth, found, (2.0, 1.0, 0.5))
    assert (score.truth_ml, score.found_ml, score.volume_error) == (0.5, 0.8, pytest.approx(0.6))
    assert score.specificity is None


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_all_pairs_of_surface_voxels(seed):
    truth, found = blobs(seed)
    there, back = all_pairs(truth, found)
    score = score_region(truth, found, SPACING)
    assert score.assd_mm == pytest.approx((there.sum() + back.sum()) / (len(there) + len(back)))
    assert score.hd95_mm == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    assert score.hd95_mm == hausdorff95(truth, found, SPACING)


@FEW
@given(SOME, SOME)
def test_distances_of_any_masks_are_those_of_all_pairs(first, second):
    for mine, theirs in zip(surface_distances(first, second, SPACING), all_pairs(first, second), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)


@FEW
@given(SOME, SOME, st.sampled_from([(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (1.0, 0.5, 3.0)]))
def test_distances_are_to_the_last_bit_those_of_a_distance_transform(first, second, spacing):
    there, back = surface_distances(first, second, spacing)
    edges = [surface(mask) for mask in (first, second)]
    np.testing.assert_array_equal(there, distance_transform_edt(~edges[1], spacing)[edges[0]])
    np.testing.assert_array_equal(back, distance_transform_edt(~edges[0], spacing)[edges[1]])


def test_planes_that_lie_apart():
    truth, found = np.zeros((2, 20, 9, 9), dtype=bool)
    truth[3], found[7] = True, True
    score = surface_score(truth, found, (2.5, 1.0, 1.0))
    assert (score.hd95_mm, score.assd_mm) == (10, 10)


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        ("empty", "empty", ("absent", 1, 1, None, 1, None, 0, 0, 0, 0, None)),
        ("full", "empty", ("missed", 0, 0, 0, 1, None, WORST_MM, WORST_MM, 0.024, 0, -1)),
        ("empty", "full", ("false", 0, 0, None, 0.6, 0, WORST_MM, WORST_MM, 0, 0.024, None)),
    ],
)
def test_regions_that_are_not_there_or_not_found(truth, found, expected):
    masks = {"empty": np.zeros((3, 4, 5), dtype=bool), "full": np.zeros((3, 4, 5), dtype=bool)}
    masks["full"][:, :, :2] = True
    brain = np.ones((3, 4, 5), dtype=bool)
    score = score_region(masks[truth], masks[found], (1.0, 1.0, 1.0), brain)
    assert tuple(getattr(score, name) for name in list(REGION_COLUMNS)[1:]) == pytest.approx(expected)


def test_a_specificity_needs_brain_without_the_region():
    mask = np.ones((2, 2, 2), dtype=bool)
    assert score_region(mask, mask, (1.0, 1.0, 1.0), mask).specificity is None
    without = np.zeros_like(mask)
    assert score_region(without, without, (1.0, 1.0, 1.0), without).specificity is None


def test_what_lies_outside_the_brain_does_not_count_for_the_specificity():
    truth, found, brain = np.zeros((3, 10, 1, 1), dtype=bool)
    truth[0], found[[1, 8, 9]], brain[:6] = True, True, True
    assert score_region(truth, found, (1.0, 1.0, 1.0), brain).specificity == pytest.approx(4 / 5)


@FEW
@given(MASKS, MASKS, MASKS)
def test_ranges_and_what_swapping_truth_and_found_does(truth, found, brain):
    score, swapped = score_region(truth, found, SPACING, brain), score_region(found, truth, SPACING, brain)
    for name in ("dice", "iou", "hd95_mm", "assd_mm"):
        assert getattr(score, name) == pytest.approx(getattr(swapped, name)), name
    assert (score.sensitivity, score.truth_ml) == (swapped.precision, swapped.found_ml)
    shares = (score.dice, score.iou, score.sensitivity, score.specificity, score.precision)
    assert all(0 <= share <= 1 for share in shares if share is not None)
    assert score.dice == pytest.approx(2 * score.iou / (1 + score.iou))
    assert score.hd95_mm >= 0
    assert score.assd_mm >= 0
    assert (score.volume_error is None) == (score.sensitivity is None)


@FEW
@given(MASKS)
def test_the_same_mask_is_perfect(mask):
    score = score_region(mask, mask, SPACING)
    assert (score.dice, score.iou, score.hd95_mm, score.assd_mm) == (1, 1, 0, 0)
    assert score.state == ("present" if mask.any() else "absent")
    assert score.volume_error == (0 if mask.any() else None)


@FEW
@given(MASKS, MASKS, st.permutations(range(3)), st.lists(st.sampled_from(range(3)), unique=True))
def test_flips_and_swapped_axes_with_their_spacing_change_nothing(truth, found, axes, flips):
    moved = [np.flip(mask, flips).transpose(axes) for mask in (truth, found, np.ones(SHAPE, dtype=bool))]
    spacing = tuple(SPACING[axis] for axis in axes)
    before = asdict(score_region(truth, found, SPACING, np.ones(SHAPE, dtype=bool)))
    after = asdict(score_region(moved[0], moved[1], spacing, moved[2]))
    assert after == {key: value if value is None else pytest.approx(value) for key, value in before.items()}


@FEW
@given(MASKS, MASKS, st.integers(1, 4))
def test_background_around_the_image_changes_nothing(truth, found, margin):
    padded = [np.pad(mask, margin) for mask in (truth, found)]
    assert score_region(*padded, SPACING) == score_region(truth, found, SPACING)


@FEW
@given(SOME, SOME)
def test_distances_grow_with_the_voxels_and_volumes_with_their_cube(truth, found):
    score = score_region(truth, found, SPACING)
    larger = score_region(truth, found, tuple(3 * size for size in SPACING))
    assert larger.assd_mm == pytest.approx(3 * score.assd_mm)
    assert larger.hd95_mm == pytest.approx(3 * score.hd95_mm)
    assert larger.truth_ml == pytest.approx(27 * score.truth_ml)
    assert larger.volume_error == score.volume_error


def test_label_maps_are_scored_region_by_region():
    truth, found = np.zeros((2, 6, 6, 6), dtype=np.uint8)
    truth[1:5] = 2
    truth[2:4] = 1
    truth[3] = 3
    found[1:5] = 2
    found[3:4] = 3
    scores = score_regions(truth, found, (1.0, 1.0, 1.0))
    assert {name: score.dice for name, score in scores.items()} == {
        "WT": 1.0,
        "TC": pytest.approx(2 / 3),
        "ET": 1.0,
    }
    assert set(score_regions(truth, found, (1.0, 1.0, 1.0), regions=["WT"])) == {"WT"}
    rows = region_rows(scores)
    assert [list(row) for row in rows] == [list(REGION_COLUMNS)] * 3
    assert rows[1]["region"] == "TC"


def test_masks_of_other_shapes_are_refused():
    mask, other = np.ones((2, 2, 2), dtype=bool), np.ones((2, 2, 3), dtype=bool)
    with pytest.raises(ImageError, match=r"truth \(2, 2, 2\), found \(2, 2, 3\).*bring all to one grid"):
        score_region(mask, other, SPACING)
    with pytest.raises(ImageError, match=r"brain mask \(2, 2, 3\)"):
        score_region(mask, mask, SPACING, other)
    with pytest.raises(ImageError, match="bring both to one grid"):
        surface_score(mask, other, SPACING)
