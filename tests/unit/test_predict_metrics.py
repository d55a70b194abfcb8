"""The scores, against scikit-learn and scikit-survival."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.util import Surv

from gliaflow.predict.metrics import censoring_of, chance_levels, score_rows

ONE = np.ones((1, 80))


PERSONS = {"cohort": "one", "subject": [f"P{number}" for number in range(80)]}


def class_rows(seed: int = 0, folds: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    outcome = random.integers(0, 2, 80)
    probability = np.clip(0.3 * outcome + random.random(80) * 0.7, 0, 1).round(2)
    columns = {"outcome": outcome, "probability": probability, "called": (probability > 0.5).astype(int)}
    return pd.DataFrame({**columns, **PERSONS, "fold": np.arange(80) % folds})


def survival_rows(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    risk = random.normal(size=80)
    death, last = 1 + random.exponential(400 * np.exp(-risk)), random.uniform(50, 1500, 80)
    rows = pd.DataFrame(
        {
            "time_days": np.ceil(np.minimum(death, last)),
            "event": (death <= last).astype(int),
            "risk": risk,
            "fold": 0,
            **PERSONS,
        }
    )
    low, high = np.ceil(np.quantile(rows["time_days"][rows["event"] == 1], [0.1, 0.9]))
    for time in np.unique(np.ceil(np.linspace(low, high, 8))):
        rows[f"survival_d{time:.0f}"] = np.exp(-time / 500 * np.exp(risk))
    return rows


def value(scores: dict, name: str, at: float | None = None) -> float:
    return float(scores[name, at][0])


def test_scores_of_classes_are_those_of_scikit_learn():
    rows = class_rows()
    truth, called, probability = rows["outcome"], rows["called"], rows["probability"]
    scores = score_rows(rows, ONE)
    assert value(scores, "auc") == pytest.approx(metrics.roc_auc_score(truth, probability))
    assert value(scores, "balanced_accuracy") == pytest.approx(metrics.balanced_accuracy_score(truth, called))
    assert value(scores, "f1") == pytest.approx(metrics.f1_score(truth, called))
    assert value(scores, "kappa") == pytest.approx(metrics.cohen_kappa_score(truth, called))
    assert value(scores, "brier") == pytest.approx(metrics.brier_score_loss(truth, probability))


def test_scores_of_survival_are_those_of_scikit_survival():
    rows = survival_rows()
    outcome = Surv.from_arrays(rows["event"] > 0, rows["time_days"])
    scores, plan = score_rows(rows, ONE), censoring_of(rows)
    harrell = concordance_index_censored(outcome["event"], outcome["time"], rows["risk"])[0]
    assert value(scores, "concordance") == pytest.approx(harrell)
    uno = concordance_index_ipcw(outcome, outcome, rows["risk"], tau=plan.horizon)[0]
    assert value(scores, "concordance_ipcw") == pytest.approx(uno, abs=1e-6)
    aucs, _ = cumulative_dynamic_auc(outcome, outcome, rows["risk"], plan.auc_times)
    assert [value(scores, "time_auc", at) for at in plan.auc_times] == pytest.approx(aucs.tolist(), abs=1e-6)
    alive = rows[[f"survival_d{time:.0f}" for time in plan.times]].to_numpy()
    brier = integrated_brier_score(outcome, outcome, alive, plan.times)
    assert value(scores, "integrated_brier") == pytest.approx(brier, abs=1e-6)


def test_only_pairs_of_one_fold_are_compared():
    """Two folds in perfect order whose scales differ: 1.0, although over both some pairs are wrong."""
    rows = pd.DataFrame({"outcome": [0, 1, 0, 1], "probability": [0.1, 0.2, 0.6, 0.7], "fold": [0, 0, 1, 1]})
    rows = rows.assign(cohort="one", subject=list("abcd"))
    scores = score_rows(rows.assign(called=[0, 0, 1, 1]), np.ones((1, 4)))
    assert value(scores, "auc") == 1.0
    assert metrics.roc_auc_score(rows["outcome"], rows["probability"]) == 0.75


def test_sessions_of_one_subject_are_not_compared_with_each_other():
    """Risk that is noise between subjects, and rises within them as less time is left: chance, no more."""
    rows = survival_rows()
    rows["risk"] = np.random.default_rng(1).permutation(rows["risk"])
    later = rows.assign(time_days=rows["time_days"] - 40, risk=rows["risk"] + 3)
    both = pd.concat([rows, later[later["time_days"] > 0]], ignore_index=True)
    apart = both.assign(subject=range(len(both)))
    ones = np.ones((1, len(both)))
    assert value(score_rows(both, ones), "concordance") < value(score_rows(apart, ones), "concordance")


def test_survival_is_scored_also_where_no_time_lies_between_the_events():
    rows = survival_rows()
    columns = [name for name in rows if name.startswith("survival_d")]
    few = rows[rows["event"] == 0].index[:5].union(rows[rows["event"] == 1].index[:1])
    scores = score_rows(rows.loc[few].drop(columns=columns[1:-1]).reset_index(drop=True), np.ones((1, 6)))
    assert np.isfinite(value(scores, "integrated_brier"))


def test_a_weight_of_two_counts_as_the_row_twice():
    rows, weights = class_rows(), np.ones((1, 80))
    weights[0, :10] = 2
    doubled = pd.concat([rows, rows[:10]], ignore_index=True)
    once, twice = score_rows(rows, weights), score_rows(doubled, np.ones((1, 90)))
    assert {key: v[0] for key, v in once.items()} == pytest.approx({key: v[0] for key, v in twice.items()})


def test_chance_is_what_shuffled_predictions_reach():
    rows, random = class_rows(folds=1), np.random.default_rng(0)
    levels = chance_levels(rows)
    shuffled = []
    for _ in range(400):
        order = random.permutation(80)
        columns = rows[["probability", "called"]].iloc[order].reset_index(drop=True)
        shuffled.append({k: v[0] for k, v in score_rows(rows.assign(**columns), ONE).items()})
    mean = pd.DataFrame(shuffled).mean()
    for name in ("auc", "balanced_accuracy", "f1", "kappa"):
        assert mean[name, None] == pytest.approx(levels[name, None], abs=0.02)
    flat = score_rows(rows.assign(probability=rows["outcome"].mean()), ONE)
    assert value(flat, "brier") == pytest.approx(levels["brier", None])
