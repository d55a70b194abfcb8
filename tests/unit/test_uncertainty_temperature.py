"""A planted temperature is found again, and scaling by it does what it says and nothing to masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from gliaflow.errors import ImageError
from gliaflow.segment.segmenters import dequantise, quantise
from gliaflow.tables import write_table
from gliaflow.uncertainty.calibration import calibration
from gliaflow.uncertainty.counts import level_counts
from gliaflow.uncertainty.temperature import (
    RECALIBRATION_COLUMNS,
    apply_temperature,
    fit_temperature,
    recalibrate,
    recalibration_rows,
    scale_counts,
    temperature_table,
)

TEMPERATURES = st.floats(0.1, 10)


def drawn(sharpness, size=200_000, seed=0):
    """Levels and truth; the probabilities are right once their logits are divided by the sharpness."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.3, 1.2, size)
    return quantise(expit(sharpness * logits)), rng.random(size) < expit(logits)


def counted(levels, truth):
    return level_counts(levels, truth, np.ones(levels.shape, dtype=bool))


@pytest.mark.parametrize("planted", [0.6, 1.0, 1.5, 2.5])
def test_a_planted_temperature_is_found(planted):
    counts = counted(*drawn(planted))
    found = fit_temperature(counts)
    assert found == pytest.approx(planted, rel=0.03)
    after = calibration(scale_counts(counts, found))
    assert after.ece < 0.01
    if planted > 1.2:
        before = calibration(counts)
        assert before.ece > 5 * after.ece
        assert before.nll > after.nll
        assert before.brier > after.brier


def test_the_temperature_is_the_slope_of_a_logistic_regression():
    levels, truth = drawn(2.0, size=20_000)
    levels, truth = levels[levels > 0], truth[levels > 0]
    logits = logit(dequantise(levels).astype(np.float64))[:, None]
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(logits, truth)
    assert fit_temperature(counted(levels, truth)) == pytest.approx(1 / model.coef_.item(), rel=1e-3)


def test_no_other_temperature_is_more_likely():
    levels, truth = drawn(1.7, size=5_000, seed=3)
    levels, truth = levels[levels > 0], truth[levels > 0]
    logits = logit(dequantise(levels).astype(np.float64))
    best = minimize(lambda t: log_loss(truth, expit(logits / t[0])), [1.0], method="Nelder-Mead")
    assert fit_temperature(counted(levels, truth)) == pytest.approx(best.x[0], rel=1e-3)


@settings(max_examples=50, deadline=None)
@given(TEMPERATURES)
def test_scaling_never_falls_and_moves_no_level_over_even_odds(temperature):
    table = temperature_table(temperature)
    assert table.dtype == np.uint8
    assert (np.diff(table.astype(int)) >= 0).all()
    np.testing.assert_array_equal(table >= 128, np.arange(256) >= 128)
    assert table[0] == 0


def test_a_temperature_of_1_changes_nothing_and_others_do_what_the_formula_says():
    np.testing.assert_array_equal(temperature_table(1.0), np.arange(256))
    probability = (np.arange(1, 256) + 0.5) / 256
    for temperature in (0.5, 3.0):
        odds = (probability / (1 - probability)) ** (1 / temperature)
        np.testing.assert_allclose(
            dequantise(temperature_table(temperature)[1:]), odds / (1 + odds), atol=1 / 512 + 1e-6
        )


@settings(max_examples=20, deadline=None)
@given(TEMPERATURES, st.integers(0, 9))
def test_scaled_counts_are_the_counts_of_the_scaled_map(temperature, seed):
    levels, truth = drawn(1.0, size=500, seed=seed)
    scaled = apply_temperature(levels[:, None], [temperature])[:, 0]
    np.testing.assert_array_equal(scale_counts(counted(levels, truth), temperature), counted(scaled, truth))


def test_each_region_of_a_map_has_its_own_temperature():
    levels = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 2), dtype=np.uint8)
    scaled = apply_temperature(levels, [1.0, 2.0])
    np.testing.assert_array_equal(scaled[..., 0], levels[..., 0])
    np.testing.assert_array_equal(scaled[..., 1], temperature_table(2.0)[levels[..., 1]])
    assert (scaled[..., 1] != levels[..., 1]).any()
    np.testing.assert_array_equal(scaled >= 128, levels >= 128)


def test_each_fold_is_scaled_by_the_temperature_of_the_others():
    folds = {k: counted(*drawn(s, size=20_000, seed=k)) for k, s in enumerate((1.5, 2.0, 3.0))}
    found = recalibrate(folds)
    for k in folds:
        others = [counts for name, counts in folds.items() if name != k]
        assert found.by_fold[k] == fit_temperature(sum(others))
    honest = sum(scale_counts(folds[k], found.by_fold[k]) for k in folds)
    assert found.after == calibration(honest)
    np.testing.assert_array_equal(found.counts, honest)
    total = sum(folds.values())
    assert found.before == calibration(total)
    assert found.temperature == fit_temperature(total)
    flattering = calibration(scale_counts(total, found.temperature))
    assert flattering.nll < found.after.nll < found.before.nll


def test_one_fold_is_scaled_by_its_own_temperature_and_the_row_says_so(tmp_path):
    counts = counted(*drawn(2.0))
    several = recalibrate({k: counted(*drawn(2.0, seed=k)) for k in range(2)})
    one = recalibrate({"all": counts})
    assert one.by_fold == {}
    assert one.after == calibration(scale_counts(counts, one.temperature))
    rows = recalibration_rows({"WT": one, "ET": several})
    assert [row["cross_fitted"] for row in rows] == [0, 1]
    assert rows[0]["ece_before"] == pytest.approx(one.before.ece, abs=1e-6)
    assert rows[0]["nll_after"] == pytest.approx(one.after.nll, abs=1e-6)
    write_table(tmp_path / "temperature.tsv", rows, RECALIBRATION_COLUMNS)


def test_separable_predictions_come_to_the_end_of_the_range():
    levels = np.array([10, 100, 200, 250], dtype=np.uint8)
    assert fit_temperature(counted(levels, levels > 128)) == pytest.approx(0.1, rel=1e-3)
    assert fit_temperature(counted(levels, levels < 128)) == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize("truth", [True, False])
def test_a_temperature_needs_both_kinds_of_voxels(truth):
    levels = np.arange(1, 256, dtype=np.uint8)
    with pytest.raises(ImageError, match="both inside and outside"):
        fit_temperature(counted(levels, np.full(255, truth)))


def test_no_fold_and_other_maps_are_refused():
    with pytest.raises(ImageError, match="needs out-of-fold predictions"):
        recalibrate({})
    with pytest.raises(ImageError, match="2 temperatures"):
        apply_temperature(np.zeros((2, 2, 2, 3), np.uint8), [1.0, 2.0])
    with pytest.raises(ImageError, match="type float32"):
        apply_temperature(np.zeros((2, 2, 2, 1), np.float32), [1.0])
