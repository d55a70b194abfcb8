"""The curves of QU-BraTS against a plain version that masks the whole image at each threshold; by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import auc

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.qu_brats import (
    THRESHOLDS,
    UNCERTAINTY_COLUMNS,
    uncertainty_curves,
    uncertainty_rows,
)

SHAPE = (4, 5, 3)
FEW = settings(max_examples=40, deadline=None)
MASKS = arrays(bool, SHAPE)
VALUES = [0.0, 0.1, 2.5, 24.9, 25.0, 40.0, 50.0, 50.1, 75.0, 97.5, 99.9, 100.0]
UNCERTAIN = arrays(np.float32, SHAPE, elements=st.sampled_from(VALUES))
NAMES = ("dice", "ftp", "ftn")


def plain_curves(truth, found, uncertainty, brain, thresholds):
    """Dice, share of true positives and share of true negatives left out, threshold by threshold."""
    curves = []
    for threshold in thresholds:
        certain = ~(uncertainty > threshold)
        t, f = truth & certain, found & certain
        total = t.sum() + f.sum()
        positives, negatives = truth & found & brain, ~truth & ~found & brain
        curves.append(
            (
                2 * (t & f).sum() / total if total else 1.0,
                (positives & ~certain).sum() / max(positives.sum(), 1),
                (negatives & ~certain).sum() / max(negatives.sum(), 1),
            )
        )
    return np.array(curves).T


def both_ways(truth, found, uncertainty, brain, thresholds):
    """All values of the curves, their areas and the score: as computed, and by the plain version."""
    curves = uncertainty_curves(truth, found, uncertainty, brain, thresholds)
    expected = plain_curves(truth, found, uncertainty, brain, thresholds)
    areas = [auc(thresholds, values) / (thresholds[-1] - thresholds[0]) for values in expected]
    score = (areas[0] + 1 - areas[1] + 1 - areas[2]) / 3
    ours = [getattr(curves, name) for name in NAMES]
    computed = [*np.concatenate(ours), *map(curves.auc, NAMES), curves.score]
    return computed, [*expected.ravel(), *areas, score]


@FEW
@given(MASKS, MASKS, UNCERTAIN, MASKS, st.sampled_from([THRESHOLDS, (0.0, 100.0), (25.0, 50.0, 75.0)]))
def test_any_maps_have_the_curves_of_the_plain_version(truth, found, uncertainty, brain, thresholds):
    computed, expected = both_ways(truth, found, uncertainty, brain, thresholds)
    assert computed == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_larger_map_has_the_curves_of_the_plain_version(dtype):
    random = np.random.default_rng(3)
    truth, found, brain = (random.random((24, 20, 16)) < share for share in (0.2, 0.25, 0.8))
    uncertainty = np.clip(random.normal(20, 20, truth.shape) + 40 * (truth != found), 0, 100).astype(dtype)
    computed, expected = both_ways(truth, found, uncertainty, brain, THRESHOLDS)
    assert computed == pytest.approx(expected, rel=1e-12, abs=0)


def test_four_voxels_by_hand():
    """One true positive that is certain, a false one and a missed one that are not, and a true negative."""
    truth, found = (np.array([[values]], dtype=bool) for values in ([1, 0, 1, 0], [1, 1, 0, 0]))
    curves = uncertainty_curves(
        truth, found, np.array([[[10, 80, 60, 30]]]), truth | True, (0, 20, 50, 70, 100)
    )
    assert curves.dice.tolist() == [1, 1, 1, pytest.approx(2 / 3), 0.5]
    assert curves.ftp.tolist() == [1, 0, 0, 0, 0]
    assert curves.ftn.tolist() == [1, 1, 0, 0, 0]
    assert curves.auc("ftp") == pytest.approx(10 / 100)
    assert curves.auc("ftn") == pytest.approx((20 + 15) / 100)


def test_the_thresholds_are_40_steps():
    assert len(THRESHOLDS) == 41
    assert THRESHOLDS[:3] == (0, 2.5, 5)
    assert THRESHOLDS[-1] == 100


def test_a_voxel_at_the_threshold_is_left():
    mask = np.ones((1, 1, 1), dtype=bool)
    for value, left in ((50.0, 0), (50.0001, 1)):
        curves = uncertainty_curves(mask, mask, np.full((1, 1, 1), value), mask, (50, 100))
        assert curves.ftp[0] == left


def test_the_dice_counts_outside_the_brain_and_the_other_two_do_not():
    truth = np.array([[[True, False]]])
    found, brain = np.array([[[True, True]]]), np.array([[[True, False]]])
    curves = uncertainty_curves(truth, found, np.array([[[0, 100]]]), brain, (0, 100))
    assert curves.dice.tolist() == [1, pytest.approx(2 / 3)]
    assert curves.ftp.tolist() == [0, 0]


@FEW
@given(MASKS, MASKS, UNCERTAIN)
def test_shares_fall_to_0_and_all_lies_between_0_and_1(truth, found, uncertainty):
    curves = uncertainty_curves(truth, found, uncertainty, np.ones(SHAPE, bool))
    assert (np.diff(curves.ftp) <= 0).all()
    assert (np.diff(curves.ftn) <= 0).all()
    assert curves.ftp[-1] == curves.ftn[-1] == 0
    assert all(0 <= value <= 1 for name in NAMES for value in getattr(curves, name))
    assert 0 <= curves.score <= 1


@FEW
@given(MASKS)
def test_a_certain_and_right_map_scores_1(mask):
    curves = uncertainty_curves(mask, mask, np.zeros(SHAPE), np.ones(SHAPE, bool))
    assert curves.score == 1


def test_uncertain_errors_score_more_than_uncertain_hits():
    truth, found = np.zeros((2, 10, 10, 10), dtype=bool)
    truth[2:7], found[3:8] = True, True
    right, wrong = (np.where(chosen, 80, 5) for chosen in (truth != found, truth & found))
    brain = np.ones_like(truth)
    good, bad = (uncertainty_curves(truth, found, u, brain).score for u in (right, wrong))
    certain = uncertainty_curves(truth, found, np.zeros(truth.shape), brain).score
    assert good > certain > bad


def test_rows_have_the_columns_of_the_table():
    mask = np.ones((2, 2, 2), dtype=bool)
    curves = uncertainty_curves(mask, mask, np.zeros(mask.shape), mask)
    (row,) = uncertainty_rows({"ET": curves})
    assert list(row) == list(UNCERTAINTY_COLUMNS)
    assert row == {"region": "ET", "auc_dice": 1, "auc_ftp": 0, "auc_ftn": 0, "qu_brats_score": 1}


@pytest.mark.parametrize("value", [-1.0, 100.5, np.nan])
def test_uncertainty_outside_0_to_100_is_refused(value):
    mask = np.ones((2, 2, 2), dtype=bool)
    with pytest.raises(ImageError, match="outside 0 to 100"):
        uncertainty_curves(mask, mask, np.full(mask.shape, value), mask)


@pytest.mark.parametrize("thresholds", [(), (50,), (50, 50), (60, 40), (0, 101), (-1, 50)])
def test_thresholds_that_are_not_possible_are_refused(thresholds):
    mask = np.ones((2, 2, 2), dtype=bool)
    with pytest.raises(ConfigError, match="two or more rising numbers from 0 to 100"):
        uncertainty_curves(mask, mask, np.zeros(mask.shape), mask, thresholds)


def test_maps_of_other_shapes_are_refused():
    mask = np.ones((2, 2, 2), dtype=bool)
    with pytest.raises(ImageError, match=r"uncertainty \(1, 2, 2\).*bring all to one grid"):
        uncertainty_curves(mask, mask, np.zeros((1, 2, 2)), mask)
