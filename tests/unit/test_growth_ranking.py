"""Average precision and what comes with it.

Golden values: average precision against scikit-learn's, the never invaded with a last finite score;
precision, recall and the local agreement map against sets of voxels written out as S8 defines them; Dice at
equal volume against the mean over all orders of the tied voxels; a small case reckoned by hand.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score

from gliaflow.errors import ImageError
from gliaflow.growth.ranking import (
    CURVE_COLUMNS,
    RANKING_COLUMNS,
    as_ranking,
    average_precision,
    curve_indices,
    curve_rows,
    earliest,
    local_agreement,
    precision_recall,
    ranking_row,
    region_of_interest,
    score_ranking,
)
from gliaflow.tables import read_rows, write_table

FEW = settings(max_examples=30)
SHAPE = (4, 3, 2)
EVERYWHERE = np.ones(SHAPE, dtype=bool)
TIMES = arrays(np.float64, SHAPE, elements=st.sampled_from([0.0, 1.0, 2.5, 3.0, 7.0, 60.0, np.inf]))
MASKS = arrays(bool, SHAPE).filter(lambda mask: mask.any())
BY_HAND = np.array([1.0, 2.0, 2.0, 5.0, np.inf, np.inf])
TRUE = np.array([True, True, False, False, True, False])
REGION = np.ones(6, dtype=bool)


def test_a_case_by_hand():
    """Times 1, 2, 5 and never: 1, 3, 4 and 6 voxels, of which 1, 2, 2 and 3 of the three are right."""
    curve = precision_recall(BY_HAND, TRUE, REGION)
    assert curve.time.tolist() == [1, 2, 5, np.inf]
    assert curve.precision.tolist() == pytest.approx([1, 2 / 3, 1 / 2, 1 / 2])
    assert curve.recall.tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1])
    assert curve.average_precision == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    assert curve.equal_volume_dice == pytest.approx(2 / 3)
    assert curve.prevalence == 0.5


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_average_precision_is_that_of_scikit_learn(seed, dtype):
    """Maps with ties; a third of the voxels is never invaded where the type has an infinity."""
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 40, (9, 8, 7)).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        times[rng.random(times.shape) < 0.3] = np.inf
    reference, roi = rng.random(times.shape) < rng.uniform(0.02, 0.6), rng.random(times.shape) < 0.8
    scores = np.where(np.isinf(times), -1000.0, -times.astype(float))
    expected = average_precision_score(reference[roi], scores[roi])
    assert average_precision(times, reference, roi) == pytest.approx(expected, abs=1e-12)


@FEW
@given(TIMES, MASKS)
def test_precision_and_recall_are_those_of_the_sets_of_s8(times, reference):
    curve = precision_recall(times, reference, EVERYWHERE)
    for t, precision, recall in zip(curve.time, curve.precision, curve.recall, strict=True):
        invaded, right = times <= t, (times <= t) & reference
        assert precision == right.sum() / invaded.sum()
        assert recall == right.sum() / reference.sum()
    assert curve.recall[-1] == 1


@FEW
@given(TIMES, MASKS)
def test_only_the_order_counts(times, reference):
    found = average_precision(times, reference, EVERYWHERE)
    for change in (np.sqrt, lambda t: 3 * t + 5, lambda t: -1 / (t + 1)):
        assert average_precision(change(times), reference, EVERYWHERE) == found


@FEW
@given(TIMES, MASKS)
def test_it_is_1_only_where_all_of_the_reference_comes_first(times, reference):
    first = (~reference).sum() == 0 or times[reference].max() < times[~reference].min()
    assert (average_precision(times, reference, EVERYWHERE) > 1 - 1e-9) == first


@FEW
@given(TIMES, MASKS, st.integers(0, 2))
def test_a_flip_changes_nothing(times, reference, axis):
    curve = precision_recall(times, reference, EVERYWHERE)
    flipped = precision_recall(np.flip(times, axis), np.flip(reference, axis), EVERYWHERE)
    assert flipped.average_precision == curve.average_precision
    assert flipped.equal_volume_dice == curve.equal_volume_dice


@FEW
@given(MASKS, st.sampled_from([0.0, 4.0, np.inf]))
def test_a_constant_map_reaches_the_prevalence(reference, time):
    curve = precision_recall(np.full(SHAPE, time), reference, EVERYWHERE)
    share = reference.mean()
    assert (curve.average_precision, curve.equal_volume_dice) == pytest.approx((share, share))


@FEW
@given(TIMES, MASKS, MASKS)
def test_what_lies_outside_the_region_is_nothing_but_counted(times, reference, roi):
    reference = reference | roi
    curve = precision_recall(times, reference, roi)
    elsewhere = np.where(roi, times, np.nan)
    assert average_precision(elsewhere, reference & roi, roi) == curve.average_precision
    assert curve.reference_outside == (reference & ~roi).sum()


@FEW
@given(arrays(np.float64, 5, elements=st.sampled_from([1.0, 2.0, np.inf])), arrays(bool, 5))
def test_dice_at_equal_volume_is_the_mean_over_all_orders_of_ties(times, reference):
    if not reference.any():
        return
    count = int(reference.sum())
    orders = [
        order
        for order in itertools.permutations(range(5))
        if all(times[a] <= times[b] for a, b in itertools.pairwise(order))
    ]
    hits = [Fraction(int(reference[list(order[:count])].sum()), count) for order in orders]
    found = precision_recall(times, reference, np.ones(5, dtype=bool)).equal_volume_dice
    assert found == pytest.approx(float(sum(hits) / len(hits)))


@FEW
@given(TIMES, MASKS, MASKS)
def test_local_agreement_is_precision_inside_and_recall_outside(times, reference, roi):
    reference = reference & roi
    if not reference.any():
        return
    found = local_agreement(times, reference, roi)
    assert found.dtype == np.float32
    for voxel in np.ndindex(SHAPE):
        invaded = roi & (times <= times[voxel])
        right = (invaded & reference).sum()
        expected = right / invaded.sum() if reference[voxel] else right / reference.sum()
        assert found[voxel] == pytest.approx(expected if roi[voxel] else 0.0, rel=1e-6)


def test_a_density_is_ranked_from_dense_to_empty():
    density = np.array([0.2, 0.0, 0.9, -1e-9, 0.5])
    reference = np.array([False, False, True, False, True])
    assert average_precision(as_ranking(density), reference, np.ones(5, dtype=bool)) == 1
    assert np.isposinf(as_ranking(density)).tolist() == [False, True, False, True, False]
    plain = average_precision(-np.maximum(density, 0), ~reference, np.ones(5, dtype=bool))
    assert average_precision(as_ranking(density), ~reference, np.ones(5, dtype=bool)) == plain


def test_the_table_of_a_curve_reaches_every_step_of_recall_and_ends_at_1(tmp_path):
    rng = np.random.default_rng(3)
    times = rng.random((20, 20, 20))
    times[times > 0.9] = np.inf
    curve = precision_recall(times, rng.random(times.shape) < 0.2, np.ones(times.shape, dtype=bool))
    rows = curve_rows(curve, 10)
    assert [row["recall"] for row in rows] == pytest.approx(np.arange(0.1, 1.01, 0.1), abs=0.01)
    assert rows[-1]["recall"] == 1
    assert np.isinf(rows[-1]["time_days"])
    assert all(row["precision"] in curve.precision for row in rows)
    write_table(tmp_path / "curve.tsv", rows, CURVE_COLUMNS)
    assert len(read_rows([tmp_path / "curve.tsv"])) == 10


def test_a_curve_with_fewer_times_than_steps_has_each_once():
    curve = precision_recall(BY_HAND, TRUE, REGION)
    assert curve_indices(curve, 100).tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("count", "invaded"),
    [(-1, ""), (0, ""), (1, "b"), (2, "bcd"), (3, "bcd"), (4, "abcd"), (5, "abcd"), (99, "abcd")],
)
def test_the_earliest_voxels_are_as_many_as_asked_for_and_those_of_the_same_time(count, invaded):
    times = np.array([[3.0, 1.0], [2.0, 2.0], [np.inf, np.inf]])
    found = earliest(times, count)
    assert found.shape == times.shape
    assert "".join(name for name, there in zip("abcdef", found.ravel(), strict=True) if there) == invaded
    assert not earliest(times[:0], 2).size


def test_scores_for_the_table(tmp_path):
    roi = np.array([True, True, True, True, True, False])
    reference = np.array([True, True, False, False, True, True])
    score = score_ranking(BY_HAND, reference, roi)
    assert score.average_precision == average_precision(BY_HAND, reference, roi)
    assert (score.region_voxels, score.reference_voxels, score.reference_outside_voxels) == (5, 3, 1)
    assert score.reference_never_invaded_voxels == 1
    assert score.reason is None
    write_table(tmp_path / "scores.tsv", [ranking_row(score)], RANKING_COLUMNS)


def test_no_reference_is_a_reason_for_the_table_and_an_error_for_the_function(tmp_path):
    reference, roi = np.arange(6) == 5, np.arange(6) < 5
    row = ranking_row(score_ranking(BY_HAND, reference, roi))
    assert np.isnan([row["average_precision"], row["equal_volume_dice"]]).all()
    assert (row["prevalence"], row["reference_voxels"], row["reference_outside_voxels"]) == (0, 0, 1)
    assert "no voxel of the reference" in row["reason"]
    write_table(tmp_path / "scores.tsv", [row], RANKING_COLUMNS)
    with pytest.raises(ImageError, match="no voxel of the reference is in the region"):
        average_precision(BY_HAND, reference, roi)


def test_regions_of_the_two_schemes():
    brain, cavity, start = (np.isin(np.arange(6), which) for which in ([0, 1, 2, 3], [1, 5], [2]))
    assert region_of_interest(brain).tolist() == brain.tolist()
    assert np.flatnonzero(region_of_interest(brain, cavity)).tolist() == [0, 2, 3]
    assert np.flatnonzero(region_of_interest(brain, cavity, start)).tolist() == [0, 3]
    assert brain.sum() == 4, "the brain mask itself stays"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: average_precision(np.array([1.0, np.nan]), np.ones(2, bool), np.ones(2, bool)), "holds NaN"),
        (lambda: score_ranking(np.array([np.nan, 1.0]), np.ones(2, bool), np.ones(2, bool)), "holds NaN"),
        (
            lambda: average_precision(np.zeros(3), np.ones(2, bool), np.ones(3, bool)),
            "reference: has the shape",
        ),
        (
            lambda: average_precision(np.zeros(3), np.ones(3, bool), np.ones(2, bool)),
            "region of interest: has",
        ),
        (lambda: as_ranking(np.array([np.nan])), "density: holds NaN"),
        (lambda: region_of_interest(np.ones(3, bool), np.ones(2, bool)), "cavity: has the shape"),
        (
            lambda: region_of_interest(np.ones(3, bool), start=np.ones(3, bool)),
            "no voxel of the brain is left",
        ),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(ImageError, match=said):
        call()
