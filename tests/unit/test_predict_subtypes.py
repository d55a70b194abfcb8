"""Several classes: a planted effect is found, none where there is none, and every table tells each class."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from predict_cohorts import QUICK, QUICK_MODELS, written
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, roc_auc_score

from gliaflow.errors import GliaflowError
from gliaflow.predict.apply import predictions
from gliaflow.predict.card import predictor_card
from gliaflow.predict.metrics import chance_levels, score_rows
from gliaflow.predict.models import MODELS
from gliaflow.predict.nested import OF_CLASS, cross_validate, out_of_fold_columns
from gliaflow.predict.package import manifest_of, open_predictor, write_predictor
from gliaflow.predict.predictor import calibrate_classes, fit_predictor
from gliaflow.predict.score import permute, permuted_scores, score_table
from gliaflow.predict.steps import Judged, write_scores
from gliaflow.predict.table import check_enough, training_table
from gliaflow.predict.tasks import Task
from gliaflow.tables import write_table

CLASSES = ("astrocytoma", "oligodendroglioma", "glioblastoma")
KEYS = {"column": "diagnosis", "classes": CLASSES}
NONE = pd.DataFrame()


@pytest.fixture(autouse=True)
def _quick_models(monkeypatch):
    for name, model in QUICK_MODELS.items():
        monkeypatch.setitem(MODELS, name, model)


def task(model: str = "logistic", features: tuple[str, ...] = ("wt_*",)) -> Task:
    return Task("type", "subtype", model, features, **KEYS)


def sessions(folder: Path, subjects: int = 150, effect: float = 1.5, seed: int = 0) -> pd.DataFrame:
    """Three classes, half of the subjects the third; two features tell them apart, three do not."""
    random = np.random.default_rng(seed)
    kind = random.choice(3, subjects, p=[0.25, 0.25, 0.5])
    people = pd.DataFrame({"cohort": "one", "subject": [f"P{k:04d}" for k in range(subjects)]})
    features = people.assign(session="1", days=0)
    places = effect * np.array([[0, 0], [2, 0], [1, 2]])
    for number, column in enumerate(random.normal(size=(2, subjects)) + places[kind].T):
        features[f"wt_signal{number}"] = column
    for number in range(3):
        features[f"wt_noise{number}"] = random.normal(size=subjects)
    return written(folder, features, people.assign(diagnosis=np.array(CLASSES)[kind]))


def table_of(folder: Path, **keys: float):
    return training_table(sessions(folder, **keys), task())


@pytest.mark.parametrize("model", ["logistic", "boosting"])
def test_a_planted_effect_is_found_and_shuffled_classes_give_chance(tmp_path, model):
    chosen, table = task(model), table_of(tmp_path)
    found = score_table(cross_validate(table, chosen, QUICK), NONE, chosen, QUICK)
    rows = {row["metric"]: row for row in found}
    assert rows["auc"]["low"] > 0.85
    assert rows["balanced_accuracy"]["low"] > 1 / 3 == rows["balanced_accuracy"]["chance"]
    assert rows["brier"]["estimate"] < rows["brier"]["chance"]
    shuffled, settings = permute(table, np.random.default_rng(0)), replace(QUICK, repeats=2)
    null = {
        row["metric"]: row
        for row in score_table(cross_validate(shuffled, chosen, settings), NONE, chosen, settings)
    }
    for metric in ("auc", "balanced_accuracy", "kappa"):
        assert null[metric]["low"] <= null[metric]["chance"] <= null[metric]["high"]


def test_scores_are_those_of_scikit_learn(tmp_path):
    table = table_of(tmp_path)
    rows = cross_validate(table, task(), replace(QUICK, folds=2))
    rows = rows.assign(fold="0")
    found = {name: float(v[0]) for (name, _), v in score_rows(rows, np.ones((1, len(rows)))).items()}
    told = rows[[f"{OF_CLASS}{name}" for name in CLASSES]].to_numpy()
    truth, called = rows["outcome"], rows["called"]
    assert told.sum(axis=1) == pytest.approx(1)
    order = np.argsort(CLASSES)
    auc = roc_auc_score(truth, told[:, order], multi_class="ovr", labels=np.array(CLASSES)[order])
    assert found["auc"] == pytest.approx(auc)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, called))
    assert found["kappa"] == pytest.approx(cohen_kappa_score(truth, called))
    assert found["f1_micro"] == pytest.approx(f1_score(truth, called, average="micro"))
    once = np.zeros((1, len(rows)))
    once[0, :40] = 2
    doubled = pd.concat([rows[:40], rows[:40]])
    part = score_rows(rows, once)["kappa", None][0]
    assert part == pytest.approx(cohen_kappa_score(doubled["outcome"], doubled["called"]))
    levels = chance_levels(rows)
    shares = truth.value_counts(normalize=True)
    assert levels["brier", None] == pytest.approx((shares * (1 - shares)).sum() / 2)


def test_calibration_makes_probabilities_fit():
    """Log probabilities that are three times too sure are drawn back to what they are worth."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    outcome = np.array([random.choice(3, p=row) for row in shares])
    slope, offsets = calibrate_classes(3 * logits, outcome, np.full(3, 1 / 3))
    assert slope == pytest.approx(1 / 3, rel=0.1)
    assert np.ptp(offsets) < 0.2


def test_a_package_gives_each_class_its_probability_beside_the_figures(tmp_path):
    table, chosen = table_of(tmp_path), task()
    out_of_fold = cross_validate(table, chosen, QUICK)
    scores = score_table(out_of_fold, NONE, chosen, QUICK)
    predictor = fit_predictor(table, "logistic", QUICK)
    manifest = manifest_of(table, chosen, QUICK, predictor, scores)
    write_predictor(tmp_path / "type.zip", manifest, predictor, predictor_card(manifest))
    package = open_predictor(tmp_path / "type.zip")
    assert np.array_equal(package.predictor.predict(table.features), predictor.predict(table.features))
    (tmp_path / "new").mkdir()
    new = sessions(tmp_path / "new", subjects=40, seed=3).drop(columns="diagnosis").assign(cohort="two")
    rows = pd.DataFrame(predictions(new, chosen, package))
    assert len(rows) == 3 * 40
    assert set(rows["quantity"]) == {f"diagnosis is {name}" for name in CLASSES}
    assert rows.groupby("subject")["prediction"].sum().to_numpy() == pytest.approx(1)
    assert set(rows["metric"]) == {"auc"}
    known = pd.DataFrame(predictions(sessions(tmp_path), chosen, package, out_of_fold))
    assert set(known["basis"]) == {"out of fold"}
    means = out_of_fold.groupby("subject")[f"{OF_CLASS}glioblastoma"].mean()
    of_class = known[known["quantity"] == "diagnosis is glioblastoma"].set_index("subject")["prediction"]
    assert of_class.to_dict() == pytest.approx(means.to_dict())


def test_scores_and_pictures_are_written_from_the_table(tmp_path):
    table, chosen = table_of(tmp_path, subjects=90), task()
    rows = cross_validate(table, chosen, QUICK)
    columns = out_of_fold_columns("subtype", rows.columns)
    assert {"outcome", "called", f"{OF_CLASS}astrocytoma"} <= set(columns)
    write_table(tmp_path / "left.tsv", rows.to_dict("records"), columns)
    chance = list(permuted_scores(table, chosen, QUICK, range(2)))
    write_table(tmp_path / "chance.tsv", chance, dict.fromkeys(chance[0], "a score"))
    pictures = [tmp_path / f"{name}.png" for name in ("confusion", "reliability", "chance")]
    made = Judged(tmp_path / "scores.tsv", tmp_path / "all.tsv", None, pictures)
    write_scores(tmp_path / "left.tsv", [tmp_path / "chance.tsv"], chosen, QUICK, made, dpi=50)
    scores = pd.read_csv(tmp_path / "scores.tsv", sep="\t").set_index("metric")
    assert scores.loc["auc", "p"] == pytest.approx(1 / 3)
    assert all(path.stat().st_size > 1000 for path in pictures)


def test_another_diagnosis_is_left_out_and_counted_and_a_small_class_is_refused(tmp_path):
    whole = sessions(tmp_path)
    whole.loc[:3, "diagnosis"] = "meningioma"
    table = training_table(whole, task())
    assert table.left_out == {"another diagnosis than the classes": 4}
    whole.loc[whole["diagnosis"] == "astrocytoma", "diagnosis"] = "meningioma"
    with pytest.raises(GliaflowError, match=r"too few subjects of a class: .* 0 astrocytoma, "):
        check_enough(training_table(whole, task()), task(), QUICK)


def test_what_defines_the_diagnosis_is_no_feature(tmp_path):
    whole = sessions(tmp_path).assign(idh="mutant")
    with pytest.raises(GliaflowError, match="'idh': is an identifier, the outcome or lies in the future"):
        training_table(whole, task(features=("idh",)))
