"""Nested cross-validation: a planted effect is found, none where there is none, and leaks are caught."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from predict_cohorts import QUICK, QUICK_MODELS, cohort, table_of, task, written
from sklearn.model_selection import KFold
from sksurv.metrics import concordance_index_ipcw

from gliaflow.errors import GliaflowError
from gliaflow.predict import nested
from gliaflow.predict.folds import check_apart, repeated_splits, site_splits
from gliaflow.predict.metrics import HEADLINE
from gliaflow.predict.models import MODELS
from gliaflow.predict.names import MODEL_KINDS
from gliaflow.predict.nested import cross_validate, predict_splits, rows_of
from gliaflow.predict.predictor import fit_predictor
from gliaflow.predict.risk_groups import LOG_RANK, first_repeat, group_table
from gliaflow.predict.score import permute, permuted_scores, score_table
from gliaflow.predict.table import training_table

NONE = pd.DataFrame()


@pytest.fixture(autouse=True)
def _quick_models(monkeypatch):
    for name, model in QUICK_MODELS.items():
        monkeypatch.setitem(MODELS, name, model)


def headline(rows: list[dict], kind: str, scheme: str = "cross_validation") -> dict:
    return next(row for row in rows if row["metric"] == HEADLINE[kind] and row["scheme"] == scheme)


def on_new_subjects(folder, table, chosen) -> float:
    """The score of a predictor fitted to all rows, on 2,000 subjects of the same kind."""
    new = training_table(written(folder, *cohort(2000, seed=99)), chosen)
    predicted = fit_predictor(table, chosen.model, QUICK).predict(new.features)
    if chosen.kind == "survival":
        tau = np.quantile(table.outcome["time"][table.outcome["event"]], 0.9)
        return concordance_index_ipcw(new.outcome, new.outcome, predicted, tau=tau)[0]
    first, second = (predicted[new.outcome == number] for number in (1, 0))
    return float((first[:, None] > second[None, :]).mean())


@pytest.mark.parametrize("model", MODEL_KINDS)
def test_a_planted_effect_is_estimated_as_it_holds_for_new_subjects(tmp_path, model):
    chosen = task(model)
    table = table_of(tmp_path, chosen, seed=1)
    row = headline(score_table(cross_validate(table, chosen, QUICK), NONE, chosen, QUICK), chosen.kind)
    assert row["low"] > 0.55
    assert row["low"] <= on_new_subjects(tmp_path, table, chosen) <= row["high"]


@pytest.mark.parametrize("model", MODEL_KINDS)
def test_shuffled_outcomes_give_chance(tmp_path, model):
    chosen = task(model)
    settings = replace(QUICK, repeats=3)
    table = permute(table_of(tmp_path, chosen, seed=2, noise=3), np.random.default_rng(0))
    row = headline(score_table(cross_validate(table, chosen, settings), NONE, chosen, settings), chosen.kind)
    assert row["low"] <= 0.5 <= row["high"]
    assert row["chance"] == 0.5


def test_features_are_selected_within_the_folds(tmp_path):
    """Of 100 features of noise the 10 best on all subjects look good; chosen within the folds they do not."""
    chosen = task("logistic", features=("wt_noise*",))
    table = table_of(tmp_path, chosen, effect=0.0, noise=100, seed=4)
    settings = replace(QUICK, select=10, repeats=3)
    honest = headline(
        score_table(cross_validate(table, chosen, settings), NONE, chosen, settings), chosen.kind
    )
    assert honest["low"] <= 0.5 <= honest["high"]
    strength = table.features.corrwith(pd.Series(table.outcome)).abs()
    leaked = replace(table, features=table.features[strength.nlargest(10).index])
    flattered = headline(
        score_table(cross_validate(leaked, chosen, settings), NONE, chosen, settings), chosen.kind
    )
    assert flattered["low"] > 0.5


def test_predictions_do_not_depend_on_the_rows_that_are_left_out(tmp_path, monkeypatch):
    """Other outcomes of the left-out subjects change nothing; where training sees all rows, they do."""
    chosen = task("logistic")
    table = table_of(tmp_path, chosen, seed=1)
    split = next(repeated_splits(table.strata, table.groups, 5, 1, 0))
    outcome = table.outcome.copy()
    outcome[split.test] = 1 - outcome[split.test]

    def differ() -> bool:
        first, second = (
            predict_splits(t, chosen, QUICK, [split]) for t in (table, table.with_outcome(outcome))
        )
        return not np.array_equal(first["probability"], second["probability"])

    assert not differ()
    monkeypatch.setattr(nested, "rows_of", lambda t, rows: t if rows is split.train else rows_of(t, rows))
    assert differ()


def test_sessions_of_a_subject_that_are_in_two_folds_are_found(tmp_path):
    chosen = task("logistic", sessions="all")
    table = table_of(tmp_path, chosen, sessions=2)
    by_row = list(KFold(5, shuffle=True, random_state=0).split(table.features))
    with pytest.raises(GliaflowError, match="subjects are both fitted to and predicted, such as one/P"):
        check_apart(table.groups, by_row)
    for split in repeated_splits(table.strata, table.groups, 5, 2, 0):
        assert not set(table.groups[split.train]) & set(table.groups[split.test])


def test_every_row_is_left_out_once_in_each_repeat_and_sites_are_left_out_whole(tmp_path):
    chosen = task("discrete_time")
    table = table_of(tmp_path, chosen, sites=2)
    settings = replace(QUICK, repeats=2)
    rows = cross_validate(table, chosen, settings)
    counts = rows.groupby(["scheme", "repeat"])["subject"].nunique().to_dict()
    assert counts == {
        ("cross_validation", 0): 120,
        ("cross_validation", 1): 120,
        ("leave_one_site_out", 0): 120,
    }
    by_site = rows[rows["scheme"] == "leave_one_site_out"]
    assert (by_site["fold"] == by_site["site"]).all()
    scores = score_table(rows, NONE, chosen, settings)
    assert headline(scores, chosen.kind, "leave_one_site_out")["low"] > 0.5


def test_the_same_seed_gives_the_same_predictions(tmp_path):
    chosen = task("cox")
    table = table_of(tmp_path, chosen)
    first, second = (cross_validate(table, chosen, QUICK) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_permutations_move_outcomes_between_subjects_and_tell_chance(tmp_path):
    chosen = task("boosting", sessions="all")
    table = table_of(tmp_path, chosen, subjects=60, sessions=2)
    moved = permute(table, np.random.default_rng(3))
    assert moved.outcome.sum() == table.outcome.sum()
    assert (moved.outcome != table.outcome).any()
    assert (pd.Series(moved.outcome).groupby(moved.groups).nunique() == 1).all()
    null = pd.DataFrame(permuted_scores(table, chosen, QUICK, range(3)))
    again = pd.DataFrame(permuted_scores(table, chosen, QUICK, range(2, 3)))
    pd.testing.assert_frame_equal(null[null["permutation"] >= 2].reset_index(drop=True), again)
    row = headline(score_table(cross_validate(table, chosen, QUICK), null, chosen, QUICK), chosen.kind)
    assert row["p"] == pytest.approx(1 / 4)
    assert row["permutations"] == 3


@pytest.mark.parametrize("model", ["logistic", "cox"])
def test_a_feature_of_one_subject_alone_gives_everybody_the_same(tmp_path, model):
    """Where it is left out the training rows have nothing that varies, which is an answer and no crash."""
    features, people = cohort(60)
    chosen = task(model, ("wt_rare",))
    table = training_table(written(tmp_path, features.assign(wt_rare=features.index == 3), people), chosen)
    rows = cross_validate(table, chosen, QUICK)
    without = rows[rows["fold"] == rows.loc[rows["subject"] == "P0003", "fold"].iloc[0]]
    assert without["probability" if model == "logistic" else "risk"].nunique() == 1


def test_more_inner_folds_than_subjects_of_a_class_are_made_fewer(tmp_path, caplog):
    features, people = cohort(60)
    people["idh"] = ["mutant"] * 6 + ["wildtype"] * 54
    chosen, settings = task("logistic"), replace(QUICK, inner_folds=10, least_per_class=5)
    cross_validate(training_table(written(tmp_path, features, people), chosen), chosen, settings)
    assert "no setting could be judged" not in caplog.text


def test_risk_groups_are_of_subjects_and_judged_by_permutations(tmp_path):
    chosen = task("cox", sessions="all")
    table = table_of(tmp_path, chosen, sessions=2, seed=3)
    rows = first_repeat(cross_validate(table, chosen, QUICK))
    assert not rows.duplicated(["cohort", "subject"]).any()
    chance = pd.DataFrame(permuted_scores(table, chosen, QUICK, range(3)))
    assert (chance["metric"] == LOG_RANK).sum() == 3
    groups = group_table(rows, chance)
    assert sum(group["subjects"] for group in groups) == len(rows)
    assert {group["logrank_p"] for group in groups} == {0.25}
    assert np.isnan(group_table(rows, chance[:0])[0]["logrank_p"])


def test_a_site_of_few_is_not_left_out_by_itself(tmp_path):
    features, people = cohort(60)
    people["site"] = ["small"] * 4 + ["large"] * 28 + ["other"] * 28
    table = training_table(written(tmp_path, features, people), task("cox"))
    sites = {split.fold for split in site_splits(table.strata, table.groups, table.sites, 5)}
    assert sites == {"large", "other"}
