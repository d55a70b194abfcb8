"""The tasks of the config: mistakes, and what is refused before any job."""

import pytest

from gliaflow.config.participants import Participant
from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError
from gliaflow.predict.tasks import check_outcomes

IDH = {
    "name": "idh",
    "kind": "classification",
    "model": "logistic",
    "column": "idh",
    "positive": "mutant",
    "features": ["wt_*"],
}
TYPE = {
    **{"name": "type", "kind": "subtype", "model": "logistic", "features": ["wt_*"], "column": "diagnosis"},
    "classes": ["astrocytoma", "oligodendroglioma", "glioblastoma"],
}
SURVIVAL = {"name": "os", "kind": "survival", "model": "cox", "features": ["wt_*", "age"]}


def completed(*tasks: dict, **keys: object) -> dict:
    return complete_config({"participants": "people.tsv", "predict": {"tasks": list(tasks), **keys}})[
        "predict"
    ]


def mistakes(*tasks: dict, **keys: object) -> str:
    with pytest.raises(ConfigError) as caught:
        completed(*tasks, **keys)
    return str(caught.value)


def test_tasks_that_are_right_are_completed():
    first, second = completed(IDH, SURVIVAL)["tasks"]
    assert first["sessions"] == "first"
    assert (second["time"], second["event"], second["package"]) == ("survival_days", "event", None)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ({**IDH, "model": "cox"}, "is no model for classification; write logistic"),
        ({**SURVIVAL, "model": "logistic"}, "is no model for survival"),
        ({**IDH, "positive": None}, "classification needs it"),
        ({**IDH, "positive": "mutated"}, "is no value of idh; did you mean mutant?"),
        ({**IDH, "column": "idh1"}, "is no column of the patients' data; did you mean idh?"),
        ({**IDH, "features": []}, "names no feature"),
        ({**SURVIVAL, "column": "idh"}, "survival is told by time and event"),
        ({**IDH, "classes": ["mutant", "wildtype"]}, "has classes, which classification does not take"),
        ({**TYPE, "classes": ["glioblastoma"]}, "subtype needs it; write three values or more"),
        ({**TYPE, "classes": ["glioma", "astrocytoma", "other"]}, "is no value of diagnosis"),
        ({**TYPE, "positive": "other"}, "has positive, which subtype does not take"),
        ({**TYPE, "model": "median_slice"}, "is no model for subtype"),
        ({**IDH, "kind": "regression"}, "is not one of classification, subtype or survival"),
    ],
)
def test_mistakes_in_a_task_are_told(task, told):
    assert told in mistakes(task)


def test_names_that_come_twice_small_classes_and_missing_patients_data_are_told():
    assert "names another task too" in mistakes(IDH, {**SURVIVAL, "name": "IDH"})
    assert "is less than predict.folds (10)" in mistakes(IDH, folds=10, least_per_class=5)
    with pytest.raises(ConfigError, match="participants is null"):
        complete_config({"predict": {"tasks": [IDH]}})


def test_a_package_needs_neither_features_nor_patients_data():
    task = {"name": "idh", "kind": "classification", "package": "idh.zip"}
    assert complete_config({"predict": {"tasks": [task]}})["predict"]["tasks"][0]["model"] is None


def people(mutants: int, others: int, events: int = 30) -> list[Participant]:
    words = ["mutant"] * mutants + ["wildtype"] * others
    return [
        Participant("one", f"P{k}", idh=word, survival_days=100.0, event=int(k < events))
        for k, word in enumerate(words)
    ]


@pytest.mark.parametrize(
    ("task", "given", "told"),
    [
        (IDH, people(10, 40), "50 subjects, 40 other, 10 mutant; 15 are needed"),
        (IDH, people(0, 50), "there is one class only: 50 subjects, 50 other, 0 mutant"),
        (IDH, people(10, 10), "too few subjects: 20 subjects"),
        (SURVIVAL, people(25, 25, events=7), "50 subjects, 43 without the event, 7 with the event"),
        ({**IDH, "cohorts": ["oen"]}, people(25, 25), "'oen': is in no sample sheet; did you mean one?"),
    ],
)
def test_too_few_outcomes_are_refused_before_any_job(task, given, told):
    with pytest.raises(ConfigError) as caught:
        check_outcomes(completed(task), given, ["one"])
    assert told in str(caught.value)


def test_enough_outcomes_pass():
    check_outcomes(completed(IDH, SURVIVAL), people(25, 25), ["one"])
