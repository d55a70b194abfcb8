"""Intervals against all possible draws of three values, a plain bootstrap in a loop, and how often they hold.

The bias-corrected interval is compared with Efron's formulas written out, the correlation with scipy's.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr

from gliaflow.errors import ConfigError
from gliaflow.evaluate.bootstrap import (
    Bootstrap,
    Interval,
    bootstrap_correlation,
    bootstrap_interval,
    rank_correlation,
)

QUICK = Bootstrap(resamples=150)
FEW = settings(max_examples=25, deadline=None)
NUMBERS = st.lists(st.floats(-100, 100).map(lambda value: round(value, 3)), min_size=2, max_size=12)
MANY = Bootstrap(resamples=20_000)
SKEWED = np.random.default_rng(4).exponential(1.0, 25)


@pytest.mark.parametrize(("statistic", "function"), [("mean", np.mean), ("median", np.median)])
@pytest.mark.parametrize("confidence", [0.5, 0.8])
def test_three_values_have_the_interval_of_all_27_draws(statistic, function, confidence):
    values = [0.1, 0.5, 0.7]
    every = [function(draw) for draw in itertools.product(values, repeat=3)]
    ends = np.quantile(every, ((1 - confidence) / 2, (1 + confidence) / 2), method="inverted_cdf")
    found = bootstrap_interval(values, statistic, Bootstrap(confidence, resamples=20_000))
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-9)
    assert found.estimate == pytest.approx(function(values))


def draws_in_a_loop(function, repeats=4000):
    random = np.random.default_rng(9)
    return np.array([function(random.choice(SKEWED, len(SKEWED))) for _ in range(repeats)])


@pytest.mark.parametrize(("statistic", "function"), [("mean", np.mean), ("median", np.median)])
def test_the_percentile_interval_is_that_of_a_plain_loop(statistic, function):
    found = bootstrap_interval(SKEWED, statistic, MANY)
    expected = np.quantile(draws_in_a_loop(function), (0.025, 0.975))
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.05)


def test_the_corrected_interval_is_that_of_efrons_formulas():
    drawn, estimate = draws_in_a_loop(np.mean), SKEWED.mean()
    left_out = np.array([np.delete(SKEWED, k).mean() for k in range(len(SKEWED))])
    away = left_out.mean() - left_out
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    bias = norm.ppf((drawn < estimate).mean())
    shifted = bias + norm.ppf([0.025, 0.975])
    expected = np.quantile(drawn, norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    found = bootstrap_interval(SKEWED, "mean", Bootstrap(resamples=20_000, method="bca"))
    plain = bootstrap_interval(SKEWED, "mean", MANY)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.05)
    assert found.high > plain.high + 0.03, "a skewed sample is corrected upwards"


def test_nine_in_ten_intervals_hold_the_true_mean():
    random = np.random.default_rng(1)
    intervals = [bootstrap_interval(random.normal(3, 2, 40), "mean", Bootstrap(0.9, 300)) for _ in range(200)]
    held = np.mean([interval.low < 3 < interval.high for interval in intervals])
    assert 0.82 < held < 0.96


@FEW
@given(NUMBERS)
def test_the_ends_enclose_the_mean_lie_among_the_values_and_follow_shift_and_scale(values):
    found = bootstrap_interval(values, "mean", QUICK)
    moved = bootstrap_interval([3 + 2 * value for value in values], "mean", QUICK)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert (moved.low, moved.high) == pytest.approx((3 + 2 * found.low, 3 + 2 * found.high), abs=1e-6)


@FEW
@given(NUMBERS, st.sampled_from(["mean", "median"]), st.sampled_from(["percentile", "bca"]))
def test_the_same_seed_gives_the_same_interval_and_more_confidence_a_wider_one(values, statistic, method):
    narrow, wide = (Bootstrap(confidence, 200, method, seed=5) for confidence in (0.8, 0.95))
    found = bootstrap_interval(values, statistic, narrow)
    assert found == bootstrap_interval(values, statistic, narrow)
    wider = bootstrap_interval(values, statistic, wide)
    assert wider.low <= found.low <= found.high <= wider.high


def test_another_seed_gives_another_interval():
    one, other = (bootstrap_interval(SKEWED, "mean", Bootstrap(seed=seed)) for seed in (1, 2))
    assert one.estimate == other.estimate
    assert one != other


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_equal_values_have_an_interval_without_width(method):
    assert bootstrap_interval([1.0] * 6, "mean", Bootstrap(method=method)) == Interval(1, 1, 1)


def test_too_few_values_have_no_interval():
    none, one = bootstrap_interval([]), bootstrap_interval([0.5])
    assert all(map(math.isnan, vars(none).values()))
    assert one.estimate == 0.5
    assert math.isnan(one.low)
    assert math.isnan(one.high)


@FEW
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_the_correlation_is_that_of_scipy(pairs):
    first, second = np.array(pairs, dtype=float).T
    assume(np.ptp(first) > 0 and np.ptp(second) > 0)
    found = bootstrap_correlation(first, second, QUICK)
    assert found.estimate == pytest.approx(spearmanr(first, second).statistic)
    assert -1 - 1e-9 <= found.low <= found.high <= 1 + 1e-9
    rising = bootstrap_correlation(np.exp(first), second, QUICK)
    assert vars(rising) == pytest.approx(vars(found)), "ranks do not change"


def test_the_interval_of_a_correlation_is_that_of_a_plain_loop():
    random = np.random.default_rng(2)
    first = random.normal(size=30)
    second = first + random.normal(size=30)
    draws = (random.integers(0, 30, 30) for _ in range(2000))
    expected = np.quantile([spearmanr(first[d], second[d]).statistic for d in draws], (0.025, 0.975))
    found = bootstrap_correlation(first, second)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.05)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_draws_without_a_correlation_are_left_out(method):
    """One draw in three lacks the pair that differs; of the others all are listed."""
    first, second = np.array([0.0, 0, 0, 1]), np.array([0.2, 0.1, 0.9, 0.3])
    draws = [list(draw) for draw in itertools.product(range(4), repeat=4)]
    every = [float(rank_correlation(first[draw], second[draw])) for draw in draws]
    ends = np.quantile([value for value in every if not math.isnan(value)], (0.25, 0.75))
    found = bootstrap_correlation(first, second, Bootstrap(0.5, 20_000, method))
    assert found.estimate == pytest.approx(spearmanr(first, second).statistic)
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-9)
    assert np.isnan(every).mean() > 0.3


def test_what_is_always_the_same_has_no_correlation():
    for pairs in (([1, 1, 1], [1, 2, 3]), ([], [])):
        assert all(map(math.isnan, vars(bootstrap_correlation(*pairs)).values()))
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3.0)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bootstrap(method="basic"), "bootstrap: method: 'basic': write percentile or bca"),
        (lambda: Bootstrap(confidence=95), "bootstrap: confidence: 95: write a share such as 0.95"),
        (lambda: Bootstrap(resamples=0), "bootstrap: resamples: 0: write a number such as 2000"),
        (lambda: bootstrap_interval([1.0], "mode"), "bootstrap: statistic: 'mode': write mean or median"),
    ],
)
def test_settings_that_are_not_possible_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_values_that_are_no_pairs_are_refused():
    with pytest.raises(ValueError, match="2 and 1 values are no pairs"):
        bootstrap_correlation([1.0, 2.0], [1.0])
