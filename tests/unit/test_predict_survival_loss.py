"""The survival loss in discrete time, against a case computed by hand and against finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad
from sksurv.util import Surv

from gliaflow.predict.survival_loss import (
    DiscreteTimeSurvival,
    interval_edges,
    interval_targets,
    survival_loss,
)

EDGES = np.array([0.0, 100.0, 200.0, 300.0])


def test_targets_of_a_death_a_long_and_a_short_follow_up_and_a_late_death():
    time, event = np.array([150, 260, 240, 500]), np.array([True, False, False, True])
    at_risk, died = interval_targets(time, event, EDGES)
    assert at_risk.tolist() == [[1, 1, 0], [1, 1, 1], [1, 1, 0], [1, 1, 1]]
    assert died.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_the_loss_is_that_computed_by_hand():
    """Hazards 0.2, 0.5, 0.1: a death in the second interval, and a subject that lives through all three."""
    hazard = np.array([0.2, 0.5, 0.1])
    logits = np.tile(np.log(hazard / (1 - hazard)), (2, 1))
    at_risk, died = interval_targets(np.array([150, 400]), np.array([True, False]), EDGES)
    loss, _ = survival_loss(logits, at_risk, died)
    by_hand = -(np.log(0.8 * 0.5) + np.log(0.8 * 0.5 * 0.9)) / 2
    assert loss == pytest.approx(by_hand, abs=1e-12)


@given(st.integers(0, 10_000))
def test_the_gradient_is_that_of_the_loss(seed):
    random = np.random.default_rng(seed)
    time, event = random.uniform(1, 400, 6), random.random(6) < 0.6
    targets = interval_targets(time, event, EDGES)

    def loss(values):
        return survival_loss(values.reshape(6, 3), *targets)[0]

    def gradient(values):
        return survival_loss(values.reshape(6, 3), *targets)[1].ravel()

    assert check_grad(loss, gradient, random.normal(size=18)) < 1e-5


def test_the_loss_is_a_sum_over_subjects():
    random = np.random.default_rng(0)
    targets = interval_targets(random.uniform(1, 400, 8), random.random(8) < 0.5, EDGES)
    logits = random.normal(size=(8, 3))
    parts = [survival_loss(logits[s], *(t[s] for t in targets))[0] for s in (slice(0, 4), slice(4, 8))]
    assert survival_loss(logits, *targets)[0] == pytest.approx(np.mean(parts))


def test_without_features_the_model_gives_the_life_table():
    """Of ten, two die in each of two intervals: 0.8 and 0.6 are alive at their ends."""
    time = np.array([10.0, 10, 20, 20, 30, 30, 30, 30, 30, 30])
    event = time < 30
    fitted = DiscreteTimeSurvival(intervals=2, penalty=1.0).fit(
        np.zeros((10, 1)), Surv.from_arrays(event, time)
    )
    assert fitted.edges_.tolist() == interval_edges(time, event, 2).tolist()
    alive = fitted.survival(np.zeros((1, 1)), np.array([0.0, *fitted.edges_[1:], 1000.0]))[0]
    last = [1.0, 0.8, 0.6, 0.6] if len(fitted.edges_) == 3 else [1.0, 0.6, 0.6]
    assert alive == pytest.approx(last, abs=1e-3)


def test_survival_falls_with_time_and_with_risk():
    random = np.random.default_rng(1)
    x = random.normal(size=(200, 1))
    time = 1 + np.ceil(random.exponential(300 * np.exp(-x[:, 0])))
    fitted = DiscreteTimeSurvival(penalty=0.01).fit(x, Surv.from_arrays(np.ones(200, bool), time))
    alive = fitted.survival(np.array([[-1.0], [1.0]]), np.arange(0, 900, 50))
    assert (np.diff(alive, axis=1) <= 0).all()
    assert (alive[0, 1:] > alive[1, 1:]).all()
    assert fitted.score(x, Surv.from_arrays(np.ones(200, bool), time)) > 0.65
