"""The pieces of the joint objective against cases computed by hand."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sksurv.util import Surv

from gliaflow.habitats.objective import (
    groups_by_medoids,
    joint_loss,
    log_rank_p,
    significance_loss,
    stability_loss,
    two_medoids,
)

CLUSTERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)


@given(CLUSTERS)
def test_stability_is_that_of_the_best_of_all_permutations(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs).T
    brute = min(float((np.array(p)[first] != second).mean()) for p in permutations(range(4)))
    assert stability_loss(first, second) == pytest.approx(brute)


def test_renamed_clusters_are_stable_and_a_moved_voxel_counts() -> None:
    first = np.array([0, 0, 1, 1, 2, 2, 2, 2])
    assert stability_loss(first, np.array([2, 2, 0, 0, 1, 1, 1, 1])) == 0
    assert stability_loss(first, np.array([2, 2, 0, 1, 1, 1, 1, 1])) == 1 / 8


def test_a_smaller_p_lowers_the_loss() -> None:
    assert significance_loss(0.005, 0.05) == pytest.approx(-math.log(10))
    assert significance_loss(0.5, 0.05) == pytest.approx(math.log(10))
    assert math.isfinite(significance_loss(0.0, 0.05))


def test_the_joint_loss_weighs_both() -> None:
    assert joint_loss(0.1, -2.0, 1.0) == 0.1
    assert joint_loss(0.1, -2.0, 0.0) == -2.0
    assert joint_loss(0.1, -2.0, 0.25) == pytest.approx(0.025 - 1.5)


def test_log_rank_of_a_case_by_hand() -> None:
    # times 1, 2 | 3, 4, all with the event: observed 2, expected 1/2 + 1/3, variance 1/4 + 2/9
    outcome = Surv.from_arrays([True] * 4, [1.0, 2.0, 3.0, 4.0])
    chi2 = (2 - 5 / 6) ** 2 / (1 / 4 + 2 / 9)
    assert log_rank_p(outcome, np.array([0, 0, 1, 1])) == pytest.approx(math.erfc(math.sqrt(chi2 / 2)))
    assert log_rank_p(outcome, np.zeros(4, dtype=int)) == 1


def test_two_medoids_are_those_of_a_search_by_hand() -> None:
    rows = np.random.default_rng(3).normal(size=(12, 3))
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    pairs = [(i, j) for i in range(12) for j in range(i + 1, 12)]
    best = min(pairs, key=lambda pair: np.minimum(distance[pair[0]], distance[pair[1]]).sum())
    assert two_medoids(rows) == best
    assert groups_by_medoids(rows, rows[list(best)])[list(best)].tolist() == [0, 1]
