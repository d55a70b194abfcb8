"""Predictions by both schemes, on brains small enough to know the answer.

In an empty box a tumour from a seed is a ball, and every voxel's order of invasion is its distance: the
average precision on a ball round the seed is 1, and on a ball elsewhere less.
"""

import numpy as np
import pytest

from gliaflow.growth.experiment import BIDIRECTIONAL, FORWARD, SCHEMES
from gliaflow.growth.judge import (
    EXPERIMENT_ROW_COLUMNS,
    FollowedCourse,
    border,
    fit_and_prediction,
    prediction,
)
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.ranking import average_precision
from gliaflow.growth.start import Seed
from gliaflow.growth.tissue import Tissue

SHAPE, CENTRE = (25, 23, 21), (12.0, 11.0, 10.0)
SPACING = (2.0, 2.0, 2.0)
FAST = Parameters(0.5, 0.5, 0.05)
SEED = Seed.at_voxel(CENTRE, SPACING)
DISTANCE = np.linalg.norm(np.indices(SHAPE) - np.reshape(CENTRE, (3, 1, 1, 1)), axis=0)


def box() -> Tissue:
    ones, zeros = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    return Tissue(ones, zeros, zeros, np.ones(SHAPE, bool), SPACING)


def ball(radius: float, value: int = 3) -> np.ndarray:
    return np.where(radius > DISTANCE, value, 0).astype(np.uint8)


def course(restart: np.ndarray | None = None, later: np.ndarray | None = None) -> FollowedCourse:
    first = ball(4)
    return FollowedCourse(
        box(), first, first if restart is None else restart, ball(7) if later is None else later
    )


@pytest.mark.parametrize("model", ["reaction_diffusion", "eikonal"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_ball_that_grows_from_its_middle_is_foretold(scheme, model):
    known = course()
    times = prediction(known, scheme, SEED, FAST, model=model)
    found = average_precision(times, known.later > 0, known.region(scheme))
    assert found > 0.98
    aside = np.roll(known.later, 6, axis=0) > 0
    assert average_precision(times, aside, known.region(scheme)) < found - 0.1


def test_forward_counts_new_growth_only_and_nothing_grows_in_the_cavity():
    restart = ball(6)
    restart[ball(4) > 0] = 4
    known = course(restart)
    assert not known.region(FORWARD)[restart > 0].any()
    assert known.region(BIDIRECTIONAL)[restart == 3].all()
    times = prediction(known, FORWARD, SEED, FAST)
    assert np.isinf(times[restart == 4]).all()
    assert (times[restart == 3] == 0).all()
    assert np.isfinite(times[known.later > 0][restart[known.later > 0] == 0]).all()


def test_what_was_resected_whole_comes_back_from_the_border_of_the_cavity():
    times = prediction(course(ball(5, 4)), FORWARD, SEED, FAST)
    assert (times[border(ball(5) > 0)] == 0).all()
    assert np.isinf(times[ball(5) > 0]).all()


def test_a_resected_brain_leaves_nothing_to_foretell():
    everything = np.full(SHAPE, 4, np.uint8)
    known = course(everything)
    assert np.isinf(prediction(known, FORWARD, SEED, FAST)).all()


def test_each_setting_has_a_row_for_each_scheme():
    rows = fit_and_prediction(course(), "fast", SEED, 0.9, FAST)
    assert [row["scheme"] for row in rows] == [BIDIRECTIONAL, FORWARD]
    assert all(set(row) == set(EXPERIMENT_ROW_COLUMNS) for row in rows)
    assert rows[0]["fit"] == rows[1]["fit"] > 0.98
    nothing = fit_and_prediction(course(later=np.zeros(SHAPE, np.uint8)), "fast", SEED, 0.9, FAST)
    assert all(np.isnan(row["prediction"]) for row in nothing)
