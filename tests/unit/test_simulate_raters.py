"""Generated raters: near the truth, different from each other, and of their own habits."""

import numpy as np
import pytest

from gliaflow.evaluate.overlap import dice
from gliaflow.images import Array
from gliaflow.labels import region_mask
from gliaflow.simulate.raters import Raters

SPACING = (2.0, 2.0, 3.0)


@pytest.fixture(scope="module")
def truth() -> Array:
    """A ball of oedema round a core that enhances; 2 x 2 x 3 mm."""
    x, y, z = np.meshgrid(
        *(np.arange(n) * s for n, s in zip((48, 44, 30), SPACING, strict=True)), indexing="ij"
    )
    distance = np.sqrt((x - 46) ** 2 + (y - 44) ** 2 + (z - 45) ** 2)
    return np.select([distance < 12, distance < 18, distance < 30], [1, 3, 2], 0).astype(np.uint8)


def test_raters_are_near_the_truth_and_differ(truth):
    rated = Raters(number=4, seed=3).rate(truth, SPACING, "one")
    assert {labels.dtype for labels in rated} == {np.dtype(np.uint8)}
    whole = [region_mask(labels, "WT") for labels in rated]
    assert all(0.85 < dice(mask, region_mask(truth, "WT")) < 1 for mask in whole)
    pairs = [dice(whole[i], whole[j]) for i in range(4) for j in range(i)]
    assert 0.8 < min(pairs) < max(pairs) < 0.995


def test_the_same_raters_draw_the_same_and_other_borders_elsewhere(truth):
    raters = Raters(seed=3)
    np.testing.assert_array_equal(raters.rate(truth, SPACING, "one"), raters.rate(truth, SPACING, "one"))
    assert (raters.rate(truth, SPACING, "one")[0] != raters.rate(truth, SPACING, "two")[0]).any()
    more = Raters(number=5, seed=3).rate(truth, SPACING, "one")
    np.testing.assert_array_equal(more[:3], raters.rate(truth, SPACING, "one"))


def test_a_habit_holds_in_every_session(truth):
    """Without straying borders a rater draws outside or inside everywhere."""
    raters = Raters(number=6, seed=1, habit_mm=4, border_mm=0)
    first, second = (raters.rate(truth, SPACING, name) for name in ("one", "two"))
    np.testing.assert_array_equal(first, second)
    volumes = [region_mask(labels, "WT").sum() for labels in first]
    assert min(volumes) < region_mask(truth, "WT").sum() < max(volumes)


def test_no_rater_has_what_the_truth_lacks(truth):
    without = np.where(truth == 3, 1, truth)
    assert not any((labels == 3).any() for labels in Raters().rate(without, SPACING, "one"))
    assert not any(labels.any() for labels in Raters().rate(0 * truth, SPACING, "one"))
