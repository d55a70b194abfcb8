"""Goodness of fit against predictive performance.

Golden values: correlations against scipy's `spearmanr`; the t-test and its interval against the formulas of a
textbook with a tabulated quantile; the values that S8 prints for its settings.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from gliaflow.errors import ConfigError
from gliaflow.growth.experiment import (
    EXPERIMENT_COLUMNS,
    PATIENT_COLUMNS,
    SCHEMES,
    SETTINGS,
    experiment_table,
    patient_correlations,
    settings_for,
)
from gliaflow.tables import write_table

FEW = settings(max_examples=50)
SCORES = st.lists(
    st.tuples(*[st.floats(0, 1).map(lambda score: round(score, 1))] * 2), min_size=3, max_size=7
)


def rows_of(pairs, subject="01", scheme="forward"):
    return [
        {"subject": subject, "scheme": scheme, "setting": f"s{k}", "fit": fit, "prediction": prediction}
        for k, (fit, prediction) in enumerate(pairs)
    ]


def correlated(value, scheme="forward"):
    return {"scheme": scheme, "subject": "01", "settings": 7, "spearman": value, "reason": None}


def test_there_are_seven_settings_with_those_that_s8_tells():
    told = {(p.kappa_white, p.kappa_grey, p.tau) for p in SETTINGS.values()}
    assert len(SETTINGS) == len(told) == 7
    assert {(0.1, 0.01, 0.0), (0.1, 0.02, 0.0), (0.1, 0.1, 10.0)} < told
    assert min(p.kappa_white for p in SETTINGS.values()) == 0.01
    assert {p.rho for p in SETTINGS.values()} == {0.01}


def test_without_a_tensor_no_setting_weighs_one():
    assert settings_for(tensor=True) == dict(SETTINGS)
    assert all(not values.tau for values in settings_for(tensor=False).values())


@FEW
@given(SCORES)
def test_a_patients_correlation_is_that_of_scipy(pairs):
    fit, prediction = np.array(pairs).T
    row = patient_correlations(rows_of(pairs))[0]
    if np.ptp(fit) == 0 or np.ptp(prediction) == 0:
        assert math.isnan(row["spearman"])
        assert "the same for all settings" in row["reason"]
    else:
        assert row["spearman"] == pytest.approx(spearmanr(fit, prediction).statistic, abs=1e-9)
        assert row["reason"] is None


@FEW
@given(SCORES, st.randoms())
def test_the_order_of_settings_is_nothing_and_the_other_way_round_changes_the_sign(pairs, random):
    found = patient_correlations(rows_of(pairs))[0]["spearman"]
    mixed = rows_of(pairs)
    random.shuffle(mixed)
    away = rows_of([(fit, -prediction) for fit, prediction in pairs])
    assert patient_correlations(mixed)[0]["spearman"] == pytest.approx(found, abs=1e-12, nan_ok=True)
    assert patient_correlations(away)[0]["spearman"] == pytest.approx(-found, abs=1e-12, nan_ok=True)


def test_settings_without_a_score_are_left_out(tmp_path):
    pairs = [(0.9, 0.2), (None, 0.9), (0.8, 0.3), (0.7, 0.4), (0.2, float("nan"))]
    row = patient_correlations(rows_of(pairs))[0]
    assert (row["settings"], row["spearman"]) == (3, pytest.approx(-1))
    few = patient_correlations(rows_of(pairs[:3]))[0]
    assert (few["settings"], math.isnan(few["spearman"])) == (2, True)
    assert few["reason"] == "fewer than 3 settings"
    write_table(tmp_path / "patients.tsv", [row, few], PATIENT_COLUMNS)


def test_the_t_test_by_the_formulas(tmp_path):
    """Five values: mean 0.24, standard deviation 0.3209, and t(0.975, 4) = 2.7764 of the tables."""
    values = [0.6, -0.1, 0.5, 0.3, -0.1]
    rows = [correlated(value) for value in [*values, float("nan")]]
    (row,) = table = experiment_table(rows)
    error = np.std(values, ddof=1) / math.sqrt(5)
    assert (row["patients"], row["undefined"], row["n"]) == (6, 1, 5)
    assert row["mean_spearman"] == pytest.approx(0.24)
    assert row["t"] == pytest.approx(0.24 / error)
    assert row["mean_low"] == pytest.approx(0.24 - 2.7764 * error, abs=1e-4)
    assert row["mean_high"] == pytest.approx(0.24 + 2.7764 * error, abs=1e-4)
    write_table(tmp_path / "experiment.tsv", table, EXPERIMENT_COLUMNS)


@pytest.mark.parametrize(("t", "p"), [(2.7764, 0.05), (4.6041, 0.01)])
def test_p_at_tabulated_quantiles(t, p):
    """Values of mean t and standard error 1 with four degrees of freedom."""
    spread = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    values = t + spread / spread.std(ddof=1) * math.sqrt(5)
    (row,) = experiment_table([correlated(value) for value in values])
    assert row["p"] == pytest.approx(p, abs=1e-5)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], []])
def test_too_few_or_equal_correlations_have_no_test(values):
    (row,) = experiment_table([correlated(value) for value in [*values, None]])
    assert all(math.isnan(row[name]) for name in ("t", "p", "mean_low", "mean_high"))
    assert row["mean_spearman"] == pytest.approx(0.5 if values else math.nan, nan_ok=True)
    assert (row["n"], row["undefined"]) == (len(values), 1)


def test_schemes_and_patients_are_kept_apart():
    better = [(0.1, 0.2), (0.2, 0.3), (0.3, 0.4)]
    worse = [(0.1, 0.4), (0.2, 0.3), (0.3, 0.2)]
    rows = [
        *rows_of(worse, "02", "forward"),
        *rows_of(better, "02", "bidirectional"),
        *rows_of(worse, "01", "forward"),
        *rows_of(better, "01", "bidirectional"),
    ]
    patients = patient_correlations(rows)
    found = [(row["scheme"], row["subject"], round(row["spearman"])) for row in patients]
    assert found == [
        ("bidirectional", "02", 1),
        ("bidirectional", "01", 1),
        ("forward", "02", -1),
        ("forward", "01", -1),
    ]
    assert [row["scheme"] for row in experiment_table(patients)] == list(SCHEMES)
    assert [row["scheme"] for row in experiment_table(patients[:2])] == ["bidirectional"]


def test_unrelated_scores_are_rarely_significant():
    """A test of 5 % fires in about 5 % of cohorts without any relation."""
    random = np.random.default_rng(0)
    cohorts = [[row for k in range(8) for row in rows_of(random.random((7, 2)), f"{k}")] for _ in range(150)]
    p = [experiment_table(patient_correlations(rows))[0]["p"] for rows in cohorts]
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.12


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scheme": "sideways"}, "row 1: scheme: 'sideways': write bidirectional or forward"),
        ({"setting": "s1"}, "row 2: 01, forward, s1: is there twice"),
    ],
)
def test_what_is_refused(change, said):
    rows = rows_of([(0.1, 0.2), (0.3, 0.4)])
    rows[0] |= change
    with pytest.raises(ConfigError, match=said):
        patient_correlations(rows)


def test_a_row_without_its_columns_is_refused():
    with pytest.raises(ConfigError, match="row 1: lacks scheme, setting, fit and prediction"):
        patient_correlations([{"subject": "01"}])
