"""Margins, a model's plans and their coverage of recurrences.

Golden values: a margin against the distance to each voxel of the core written out; a margin round a barrier
against the length of the way round the edge of a wall, and against graph distances by scikit-image; a
model's plan against a sort by time, distance and place; coverage and its table reckoned by hand, its
intervals against the interval of the paired differences.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.graph import MCP_Geometric

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.bootstrap import Bootstrap, bootstrap_interval
from gliaflow.growth.coverage import (
    COVERAGE_COLUMNS,
    COVERAGE_TABLE_COLUMNS,
    coverage,
    coverage_pairs,
    coverage_rows,
    coverage_table,
)
from gliaflow.growth.margins import model_plan, plan_core, plan_region, standard_plan
from gliaflow.growth.ranking import as_ranking
from gliaflow.tables import NAME_COLUMNS, write_table

FEW = settings(max_examples=30)
SHAPE = (7, 6, 5)
EVERYWHERE = np.ones(SHAPE, dtype=bool)
MASKS = arrays(bool, SHAPE).filter(lambda mask: mask.any())
SPACINGS = st.tuples(*[st.sampled_from([0.9, 1.0, 2.5, 5.5])] * 3)
MARGINS = st.floats(0, 12).map(lambda mm: round(mm, 2))
TIMES = arrays(np.float32, SHAPE, elements=st.sampled_from([0.0, 1.0, 3.0, 9.0, np.inf]))
UNIT = (1.0, 1.0, 1.0)


def point(shape, *where):
    mask = np.zeros(shape, dtype=bool)
    mask[where] = True
    return mask


@FEW
@given(MASKS, MASKS, SPACINGS, MARGINS)
def test_the_standard_plan_is_all_within_a_distance_in_mm(core, brain, spacing, margin_mm):
    within = brain | core
    voxels = np.indices(SHAPE).reshape(3, -1).T * spacing
    nearest = np.array([np.linalg.norm(voxels[core.ravel()] - voxel, axis=1).min() for voxel in voxels])
    expected = within & (nearest <= margin_mm + 1e-3).reshape(SHAPE)
    assert (standard_plan(core, within, spacing, margin_mm) == expected).all()


@pytest.mark.parametrize("around", [False, True])
@FEW
@given(core=MASKS, brain=MASKS, margins=st.tuples(MARGINS, MARGINS).map(sorted))
def test_a_wider_margin_holds_a_narrower_one_and_all_of_the_core_in_the_brain(core, brain, margins, around):
    if not (core & brain).any():
        return
    spacing = (1.0, 2.0, 0.9)
    narrow, wide = (standard_plan(core, brain, spacing, mm, around_barriers=around) for mm in margins)
    assert not (narrow & ~wide).any()
    assert not (core & brain & ~narrow).any()
    assert not (wide & ~brain).any()


@FEW
@given(core=MASKS, brain=MASKS, axis=st.integers(0, 2))
def test_a_flip_flips_the_plan(core, brain, axis):
    """By the straight line; fast marching breaks ties by the order of the voxels."""

    def plan(core, brain):
        return standard_plan(core, brain, (1.0, 2.0, 0.9), 3.0)

    brain = brain | core
    assert (plan(np.flip(core, axis), np.flip(brain, axis)) == np.flip(plan(core, brain), axis)).all()


def test_spacings_of_single_precision_keep_what_lies_on_the_margin():
    core = point((31, 1, 1), 15, 0, 0)
    assert standard_plan(core, np.ones_like(core), (0.99999994, 1, 1), 10).sum() == 21
    assert standard_plan(core, np.ones_like(core), (1.0000001, 1, 1), 10).sum() == 21


@pytest.fixture(scope="module")
def walled():
    """A core 4 mm before a thin wall that ends above it: the other side is reached over its edge only."""
    shape = (41, 31, 3)
    wall = np.zeros(shape, dtype=bool)
    wall[20, :21] = True
    core = np.zeros(shape, dtype=bool)
    core[14:17, 13:16] = True
    return core, wall


def test_a_straight_margin_jumps_over_a_barrier_and_a_way_does_not(walled):
    core, wall = walled
    within = plan_region(np.ones_like(wall), core, wall)
    straight = standard_plan(core, within, UNIT, 9.0)
    around = standard_plan(core, within, UNIT, 9.0, around_barriers=True)
    assert straight[22, 14, 1]
    assert not around[21:, :18].any()
    assert (around[:20] == straight[:20]).mean() > 0.99
    assert not (around & ~straight).any()
    assert not (straight & wall).any()


@pytest.mark.parametrize("away", [1, 4, 8])
def test_the_way_round_an_edge_has_its_length(walled, away):
    """From the core's corner (16, 15) over the wall's end (20, 21) and down to the height of the core."""
    core, wall = walled
    within = plan_region(np.ones_like(wall), core, wall)
    target = (20 + away, 18, 1)
    length = math.hypot(4, 6) + math.hypot(away, 3)
    assert not standard_plan(core, within, UNIT, length - 1.0, around_barriers=True)[target]
    assert standard_plan(core, within, UNIT, length + 1.5, around_barriers=True)[target]


def test_the_way_lies_between_the_straight_line_and_steps_on_a_graph():
    """Steps to the 26 neighbours are longer than the way by 13 % at most."""
    rng = np.random.default_rng(0)
    within = rng.random((24, 24, 12)) > 0.1
    core = np.zeros_like(within)
    core[10:14, 10:14, 5:8] = True
    within |= core
    costs = np.where(within, 1.0, np.inf)
    steps, _ = MCP_Geometric(costs, fully_connected=True).find_costs(np.argwhere(core))
    for margin_mm in (4.0, 8.0):
        plan = standard_plan(core, within, UNIT, margin_mm, around_barriers=True)
        assert not ((steps <= margin_mm - 1.5) & ~plan).any()
        assert not (plan & (steps > 1.13 * margin_mm + 1.5)).any()


def test_what_no_way_leads_to_is_not_in_the_plan():
    core = point((9, 3, 3), slice(0, 2))
    within = plan_region(np.ones_like(core), core, point((9, 3, 3), 4))
    straight = standard_plan(core, within, UNIT, 50.0)
    assert np.flatnonzero(straight.any(axis=(1, 2))).tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    around = standard_plan(core, within, UNIT, 50.0, around_barriers=True)
    assert np.flatnonzero(around.any(axis=(1, 2))).tolist() == [0, 1, 2, 3]


def test_a_core_that_fills_its_region_is_the_plan():
    core = np.ones((3, 3, 3), dtype=bool)
    assert standard_plan(core, core, UNIT, 15.0, around_barriers=True).all()


def test_barriers_are_taken_from_the_brain_but_never_from_the_core():
    brain, core, barriers = (np.isin(np.arange(6), which) for which in ([1, 2, 3, 4], [0, 2], [2, 3]))
    assert np.flatnonzero(plan_region(brain, core, barriers)).tolist() == [1, 2, 4]
    assert np.flatnonzero(plan_region(brain, core)).tolist() == [1, 2, 3, 4]


@FEW
@given(TIMES, MASKS, MASKS, SPACINGS, st.data())
def test_the_models_plan_is_exactly_as_large_and_takes_earliest_nearest_first(
    times, within, core, spacing, data
):
    count = data.draw(st.integers(1, int(within.sum())))
    plan = model_plan(times, count, within, core, spacing)
    voxels = np.indices(SHAPE).reshape(3, -1).T * spacing
    distance = np.array([np.linalg.norm(voxels[core.ravel()] - voxel, axis=1).min() for voxel in voxels])
    order = sorted(np.flatnonzero(within), key=lambda v: (times.flat[v], round(distance[v] / 1e-3), v))
    assert np.flatnonzero(plan.mask).tolist() == sorted(order[:count])
    assert plan.never_invaded_voxels == np.isinf(times[plan.mask]).sum()
    last = times[plan.mask].max()
    split = (within & ~plan.mask & (times == last)).any()
    assert plan.tied_voxels == (split and (times[plan.mask] == last).sum())


@FEW
@given(TIMES, MASKS, st.data())
def test_a_models_plan_follows_the_order_only(times, within, data):
    count = data.draw(st.integers(1, int(within.sum())))
    plan = model_plan(times, count, within, within)
    assert (model_plan(np.sqrt(times) + 3, count, within, within).mask == plan.mask).all()


def test_a_map_of_yes_and_no_is_filled_up_from_the_core():
    """As PREDICT-GBM does with a binary prediction: the voxels next to it."""
    core = point((21, 21, 21), 10, 10, 10)
    within = np.ones_like(core)
    ball = standard_plan(core, within, UNIT, 6.0)
    density = standard_plan(core, within, UNIT, 3.0).astype(float)
    plan = model_plan(as_ranking(density), int(ball.sum()), within, core)
    assert (plan.mask == ball).all()
    assert plan.never_invaded_voxels == ball.sum() - density.sum()


def test_a_plan_does_not_depend_on_the_order_in_memory():
    times, core = np.random.default_rng(0).integers(0, 3, SHAPE).astype(float), point(SHAPE, 3, 3, 2)
    plan = model_plan(times, 80, EVERYWHERE, core).mask
    assert (model_plan(np.asfortranarray(times), 80, np.asfortranarray(EVERYWHERE), core).mask == plan).all()


def test_coverage_patterns_and_volumes_by_hand(tmp_path):
    """Ten enhancing voxels, ten of oedema, five of cavity; of 2 mm^3."""
    labels = np.repeat([3, 2, 4, 0], [10, 10, 5, 15]).reshape(4, 5, 2)
    plans = {f"first{count}": (np.arange(40) < count).reshape(labels.shape) for count in (1, 2, 8, 9, 20, 40)}
    rows = coverage_rows(plans, labels, (1.0, 1.0, 2.0))
    found = {(row["plan"], row["recurrence"]): (row["coverage"], row["pattern"]) for row in rows}
    assert found["first1", "enhancing"] == (0.1, "distant")
    assert found["first2", "enhancing"] == (0.2, "marginal")
    assert found["first8", "enhancing"] == (0.8, "marginal")
    assert found["first9", "enhancing"] == (0.9, "in-field")
    assert found["first9", "any"] == (0.45, "marginal")
    assert found["first20", "any"] == found["first40", "any"] == (1.0, "in-field")
    row = next(row for row in rows if (row["plan"], row["recurrence"]) == ("first9", "any"))
    volumes = (row["recurrence_ml"], row["missed_voxels"], row["missed_ml"], row["plan_ml"])
    assert volumes == (0.04, 11, 0.022, 0.018)
    write_table(tmp_path / "coverage.tsv", rows, COVERAGE_COLUMNS)


@FEW
@given(MASKS, MASKS, MASKS)
def test_more_plan_covers_no_less(plan, more, recurrence):
    small, large = coverage(plan, recurrence), coverage(plan | more, recurrence)
    assert small.share <= large.share
    assert small.missed_voxels == (recurrence & ~plan).sum()
    assert coverage(recurrence, recurrence).share == 1


def rows_of(plan, enhancing, any_=None):
    return [
        {
            **dict.fromkeys(COVERAGE_COLUMNS),
            **{"cohort": "one", "subject": f"{number:02}", "session": "2"},
            **{"plan": plan, "recurrence": kind, "coverage": share},
        }
        for kind, shares in (("enhancing", enhancing), ("any", any_ or []))
        for number, share in enumerate(shares)
    ]


NOTHING = float("nan")
FIRST = [0.5, 0.9, 1.0, None, 0.1, NOTHING]
SECOND = [0.7, 0.9, 0.9, None, 0.5]


def test_the_table_of_a_cohort_by_hand(tmp_path):
    """The sixth session has a standard plan only."""
    rows = rows_of("model", SECOND, [0.5]) + rows_of("standard", FIRST, [0.4])
    table = coverage_table(rows)
    by_plan = {(row["recurrence"], row["plan"]): row for row in table}
    assert [key for key in by_plan if key[0] == "enhancing"] == [
        ("enhancing", "standard"),
        ("enhancing", "model"),
    ]
    model, standard = by_plan["enhancing", "model"], by_plan["enhancing", "standard"]
    assert (model["sessions"], model["without_recurrence"], model["n"], model["pairs"]) == (5, 1, 4, 4)
    assert (standard["sessions"], standard["without_recurrence"], standard["n"]) == (6, 2, 4)
    assert (model["mean"], standard["mean"]) == pytest.approx((0.75, 0.625))
    assert model["difference"] == pytest.approx(0.125)
    assert (model["better"], model["worse"]) == (2, 1)
    assert (model["in_field"], model["marginal"], model["distant"]) == (2, 2, 0)
    assert (standard["in_field"], standard["marginal"], standard["distant"]) == (2, 1, 1)
    assert (standard["pairs"], math.isnan(standard["difference"])) == (0, True)
    assert by_plan["any", "model"]["difference"] == pytest.approx(0.1)
    write_table(tmp_path / "table.tsv", table, COVERAGE_TABLE_COLUMNS)


def test_the_interval_is_that_of_the_paired_differences():
    random = np.random.default_rng(2)
    first = random.random(30).tolist()
    second = [0.9 * share + 0.05 for share in first]
    settings = Bootstrap(0.9, 500, seed=4)
    table = coverage_table(rows_of("standard", first) + rows_of("model", second), intervals=settings)
    row = table[1]
    expected = bootstrap_interval([b - a for a, b in zip(first, second, strict=True)], "mean", settings)
    assert (row["difference_low"], row["difference_high"]) == (expected.low, expected.high)
    assert row["difference_high"] - row["difference_low"] < 0.2 * (row["mean_high"] - row["mean_low"])


def test_pairs_have_both_plans_and_a_recurrence():
    rows = rows_of("standard", FIRST) + rows_of("model", SECOND)
    assert coverage_pairs(rows, "enhancing", "model") == [(0.5, 0.7), (0.9, 0.9), (1.0, 0.9), (0.1, 0.5)]
    assert coverage_pairs(rows, "any", "model") == []


def test_no_recurrence_has_no_coverage_and_no_pattern():
    found = coverage(EVERYWHERE, ~EVERYWHERE)
    assert (math.isnan(found.share), found.missed_voxels, found.pattern) == (True, 0, None)


def test_the_core_has_no_oedema():
    assert np.flatnonzero(plan_core(np.arange(5))).tolist() == [1, 3, 4]


CORE = point(SHAPE, 3, 3, 2)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (
            lambda: standard_plan(CORE, EVERYWHERE, UNIT, -1.0),
            ConfigError,
            "margin_mm: -1.0: is not possible",
        ),
        (lambda: standard_plan(CORE, EVERYWHERE, UNIT, math.nan), ConfigError, "margin_mm: nan"),
        (lambda: standard_plan(~EVERYWHERE, EVERYWHERE, UNIT), ImageError, "no necrosis"),
        (lambda: standard_plan(CORE, ~CORE, UNIT), ImageError, "no necrosis, enhancing tumour or cavity"),
        (lambda: standard_plan(CORE, EVERYWHERE[1:], UNIT), ImageError, "within: has the shape"),
        (lambda: plan_region(EVERYWHERE, CORE, CORE[1:]), ImageError, "barriers: has the shape"),
        (lambda: model_plan(np.zeros(SHAPE), 211, EVERYWHERE), ImageError, "211 voxels cannot be taken"),
        (lambda: model_plan(np.zeros(SHAPE), 0, EVERYWHERE), ImageError, "0 voxels cannot be taken"),
        (lambda: model_plan(np.full(SHAPE, np.nan), 9, EVERYWHERE), ImageError, "holds NaN"),
        (lambda: model_plan(np.zeros(SHAPE), 9, EVERYWHERE, CORE[1:]), ImageError, "core: has the shape"),
        (lambda: coverage(CORE, CORE[1:]), ImageError, "bring both to one grid"),
        (lambda: coverage_table(rows_of("model", [0.5])), ConfigError, "there is no plan 'standard'"),
        (
            lambda: coverage_table(rows_of("standard", [0.5]) * 2),
            ConfigError,
            "row 2: one 00 2, plan standard",
        ),
        (
            lambda: coverage_table([dict.fromkeys(NAME_COLUMNS)]),
            ConfigError,
            "lacks plan, recurrence and cov",
        ),
    ],
)
def test_what_is_refused(call, error, said):
    with pytest.raises(error, match=said):
        call()
