"""What a region scores, and what absent, missed and false regions do to the summary."""

import math

import numpy as np
import pytest

from gliaflow.evaluate.regions import score_region
from gliaflow.evaluate.scores import Score, spread, summarise
from gliaflow.evaluate.surface import WORST_MM

SPACING = (2.0, 2.0, 5.0)


def masks(truth, found, shape=(10, 10, 10)):
    """Two masks of so many voxels each; they start at the same place."""
    both = np.zeros((2, *shape), dtype=bool)
    for mask, count in zip(both, (truth, found), strict=True):
        mask.ravel()[:count] = True
    return both


def score(truth, found):
    return score_region(*masks(truth, found), SPACING)


def test_a_region_found_by_half_is_sure_but_not_whole():
    half = score(200, 100)
    assert half.dice == pytest.approx(2 * 100 / 300)
    assert (half.sensitivity, half.precision, half.state) == (0.5, 1.0, "present")
    assert (half.truth_ml, half.found_ml) == (pytest.approx(4.0), pytest.approx(2.0))
    assert half.hd95_mm == 2.0


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        (0, 0, ("absent", 1.0, 0.0, None, None)),
        (0, 5, ("false", 0.0, WORST_MM, None, 0.0)),
        (5, 0, ("missed", 0.0, WORST_MM, 0.0, None)),
    ],
)
def test_regions_that_are_not_there_or_not_found(truth, found, expected):
    found = score(truth, found)
    assert (found.state, found.dice, found.hd95_mm, found.sensitivity, found.precision) == expected


def test_a_summary_leaves_out_the_cases_without_the_region_and_counts_them():
    total = summarise([score(10, 10), score(20, 10), score(5, 0), score(0, 0), score(0, 0), score(0, 3)])
    assert total.dice.n == 3
    assert total.dice.median == pytest.approx(2 / 3)
    assert total.dice.mean == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert (total.missed, total.absent, total.false) == (1, 3, 1)
    assert total.median_precision == 1.0, "a missed region has none"
    assert total.median_sensitivity == 0.5


def test_quartiles_are_those_of_numpy_and_the_sd_is_with_n_minus_1():
    values = [0.2, 0.4, 0.9, 0.5]
    described = spread(values)
    assert (described.q1, described.median, described.q3) == tuple(np.percentile(values, (25, 50, 75)))
    assert described.sd == pytest.approx(np.std(values, ddof=1))


def test_nothing_has_no_figures():
    nothing = summarise([score(0, 0)])
    assert nothing.dice.n == 0
    assert all(map(math.isnan, (nothing.dice.mean, nothing.median_hd95_mm, nothing.median_precision)))
    assert math.isnan(spread([1.0]).sd)


def test_a_score_without_volumes_is_absent():
    assert Score(1.0, 0.0, 0.0, 0.0, None, None).state == "absent"
