"""Packages of predictors, applying them, and what is written beside each prediction."""

import io
import json
import zipfile
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import skops.io as sio
from predict_cohorts import QUICK, QUICK_MODELS, cohort, table_of, task, written

from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.predict.apply import BY_PACKAGE, NO_BETTER, OUT_OF_FOLD, PREDICTION_COLUMNS, predictions
from gliaflow.predict.card import predictor_card
from gliaflow.predict.models import MODELS
from gliaflow.predict.names import MODEL_KINDS
from gliaflow.predict.nested import cross_validate
from gliaflow.predict.package import load_estimator, manifest_of, open_predictor, write_predictor
from gliaflow.predict.plots import draw_chance, draw_kaplan_meier, draw_reliability, draw_roc
from gliaflow.predict.predictor import fit_predictor
from gliaflow.predict.score import score_table

FEATURES = ("wt_signal", "wt_noise0", "hemisphere", "age")
SCORE = {"scheme": "cross_validation", "time_days": None, "low": 0.7, "high": 0.9, "chance": 0.5, "p": 0.01}
SCORE |= {"estimate": 0.8, "subjects": 120, "rows": 120, "permutations": 200}


@pytest.fixture(autouse=True)
def _quick_models(monkeypatch):
    for name, model in QUICK_MODELS.items():
        monkeypatch.setitem(MODELS, name, model)


def packed(folder, model="logistic", **score):
    """A package in a folder, and its task and table."""
    chosen = task(model, FEATURES)
    table = table_of(folder, chosen, seed=1)
    predictor = fit_predictor(table, model, QUICK)
    metric = "auc" if chosen.kind == "classification" else "concordance_ipcw"
    manifest = manifest_of(table, chosen, QUICK, predictor, [{**SCORE, "metric": metric, **score}])
    path = folder / "one.zip"
    write_predictor(path, manifest, predictor, predictor_card(manifest))
    return path, chosen, table, predictor


@pytest.mark.parametrize("model", MODEL_KINDS)
def test_a_package_predicts_as_before_and_the_same_fit_gives_the_same_bytes(tmp_path, model):
    path, _, table, predictor = packed(tmp_path, model)
    opened = open_predictor(path)
    assert np.array_equal(opened.predictor.predict(table.features), predictor.predict(table.features))
    if opened.predictor.kind == "survival":
        alive = opened.predictor.survival(table.features, np.array([100.0, 400.0]))
        assert np.array_equal(alive, predictor.survival(table.features, np.array([100.0, 400.0])))
        assert (alive[:, 0] >= alive[:, 1]).all()
    before = path.read_bytes()
    packed(tmp_path, model)
    assert path.read_bytes() == before


def test_the_card_and_the_manifest_state_the_figures_and_no_person(tmp_path):
    path, *_ = packed(tmp_path)
    with zipfile.ZipFile(path) as content:
        card, manifest = (content.read(name).decode() for name in ("card.md", "predictor.json"))
    assert "| 0.800 | 0.700 | 0.900 | 0.500 | 0.010 |" in card
    assert "P0001" not in card + manifest
    assert json.loads(manifest)["training"]["subjects"] == 120


def rewrite(path, name, change):
    with zipfile.ZipFile(path) as content:
        files = {entry: content.read(entry) for entry in content.namelist()}
    files[name] = change(files[name])
    with zipfile.ZipFile(path, "w") as content:
        for entry, data in files.items():
            content.writestr(entry, data)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("estimator.skops", lambda data: data + b"x", "is not the file that was packed"),
        ("predictor.json", lambda data: b"{", "is not JSON"),
        ("predictor.json", lambda data: data.replace(b'"format": 1', b'"format": 9'), "has the format 9"),
        (
            "predictor.json",
            lambda data: data.replace(b'"model": "logistic"', b'"model": "cox"'),
            "is no model for",
        ),
    ],
)
def test_a_package_that_was_changed_is_refused(tmp_path, name, change, told):
    path, *_ = packed(tmp_path)
    rewrite(path, name, change)
    with pytest.raises(ConfigError, match=told):
        open_predictor(path)


def test_objects_of_other_types_are_not_built():
    content = sio.dumps(Fraction(1, 2))
    with pytest.raises(ConfigError, match="holds objects of fractions"):
        load_estimator(content, "one.zip")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_estimator(io.BytesIO(b"no archive").getvalue(), "one.zip")


def applied(folder, path, chosen, left_out=None, **changes):
    features, people = cohort(6, seed=5)
    features["cohort"] = people["cohort"] = "two"
    for column, value in changes.items():
        target = people if column == "age" else features
        target.loc[0, column] = value
    return predictions(written(folder, features, people), chosen, open_predictor(path), left_out)


def test_every_prediction_stands_beside_its_figures(tmp_path):
    path, chosen, *_ = packed(tmp_path)
    rows = applied(tmp_path, path, chosen)
    assert len(rows) == 6
    assert all(set(row) == set(PREDICTION_COLUMNS) for row in rows)
    for row in rows:
        figures = [
            row[key]
            for key in ("cross_validated", "cross_validated_low", "cross_validated_high", "chance", "p")
        ]
        assert figures == [0.8, 0.7, 0.9, 0.5, 0.01]
        assert 0 < row["prediction"] < 1
    assert rows[0]["quantity"] == "idh is mutant"


@pytest.mark.parametrize(
    ("column", "value", "mark"),
    [
        ("wt_signal", 50.0, "wt_signal is 50, outside"),
        ("wt_signal", None, "wt_signal is missing"),
        ("hemisphere", "middle", "hemisphere is middle, which training never had"),
        ("hemisphere", None, "hemisphere is missing"),
        ("age", 119, "age is 119, outside"),
    ],
)
def test_subjects_unlike_the_training_data_are_marked(tmp_path, column, value, mark):
    path, chosen, *_ = packed(tmp_path)
    plain, changed = applied(tmp_path, path, chosen), applied(tmp_path, path, chosen, **{column: value})
    assert mark in changed[0]["marks"]
    assert mark not in (plain[0]["marks"] or "")
    assert changed[1]["marks"] == plain[1]["marks"]


@pytest.mark.parametrize("score", [{"low": 0.45}, {"p": 0.2}])
def test_a_predictor_no_better_than_chance_marks_all_its_predictions(tmp_path, score):
    path, chosen, *_ = packed(tmp_path, **score)
    assert all(NO_BETTER in row["marks"] for row in applied(tmp_path, path, chosen))
    with zipfile.ZipFile(path) as content:
        assert "It does no better than chance." in content.read("card.md").decode()


def test_who_was_trained_on_gets_the_out_of_fold_prediction(tmp_path):
    path, chosen, table, _ = packed(tmp_path, "cox")
    rows = cross_validate(table, chosen, replace(QUICK, repeats=2))
    sessions = written(tmp_path, *cohort(120, seed=1))
    found = predictions(sessions, chosen, open_predictor(path), rows)
    assert {row["basis"] for row in found} == {OUT_OF_FOLD}
    mean = rows.groupby("subject")["survival_d365"].mean()
    assert [row["prediction"] for row in found] == pytest.approx(mean[[r["subject"] for r in found]].tolist())
    bare = predictions(sessions, chosen, open_predictor(path))
    assert {row["basis"] for row in bare} == {BY_PACKAGE}
    assert all("was in the training data" in row["marks"] for row in bare)


def test_a_package_whose_features_are_not_there_or_without_figures_is_refused(tmp_path):
    path, chosen, *_ = packed(tmp_path)
    features, people = cohort(6)
    sessions = written(tmp_path, features.drop(columns="wt_noise0"), people)
    with pytest.raises(GliaflowError, match="this cohort has no column wt_noise0"):
        predictions(sessions, chosen, open_predictor(path))
    with pytest.raises(GliaflowError, match="states no cross-validated auc"):
        packed(tmp_path, metric="f1")


@pytest.mark.parametrize("model", ["logistic", "cox"])
def test_the_pictures_are_drawn_and_the_same_each_time(tmp_path, model):
    chosen = task(model)
    table = table_of(tmp_path, chosen, sites=2)
    rows = cross_validate(table, chosen, QUICK)
    scores = score_table(rows, pd.DataFrame(), chosen, QUICK)
    null = pd.DataFrame({"permutation": [0], "metric": ["auc"], "time_days": [None], "value": [0.5]})
    path = tmp_path / "picture.png"
    drawings = [
        lambda: draw_reliability(path, rows, 365, 60),
        lambda: draw_chance(path, null, scores, chosen.kind, 60),
        lambda: (
            draw_roc(path, rows, scores, 60)
            if model == "logistic"
            else draw_kaplan_meier(path, rows, null, 60)
        ),
    ]
    for draw in drawings:
        draw()
        first = path.read_bytes()
        draw()
        assert first.startswith(b"\x89PNG")
        assert path.read_bytes() == first
