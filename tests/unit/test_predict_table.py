"""The training table: what is joined, what is refused with which numbers, features that know too much."""

import pandas as pd
import pytest
from predict_cohorts import QUICK, cohort, task, written

from gliaflow.errors import GliaflowError
from gliaflow.predict.leaks import check_values
from gliaflow.predict.table import check_enough, training_table


def refusal(folder, features, people, chosen) -> str:
    with pytest.raises(GliaflowError) as caught:
        table = training_table(written(folder, features, people), chosen)
        check_enough(table, chosen, QUICK)
        check_values(table, chosen)
    return str(caught.value)


def test_the_first_session_of_each_subject_is_taken_and_unknown_outcomes_are_counted(tmp_path):
    features, people = cohort(60, sessions=2)
    people.loc[:4, "idh"] = None
    shuffled = features.sample(frac=1, random_state=0)
    table = training_table(
        written(tmp_path, shuffled, people), task("logistic", ("wt_*", "hemisphere", "age"))
    )
    assert set(table.keys["session"]) == {"1"}
    assert len(table.keys) == 55
    assert table.left_out == {"no idh": 5}
    assert table.categorical == ["hemisphere"]
    assert table.outcome.sum() == (people["idh"] == "mutant").sum()


def test_survival_counts_from_the_session(tmp_path):
    features, people = cohort(60, sessions=2)
    table = training_table(written(tmp_path, features, people), task("cox", sessions="all"))
    assert table.left_out == {"survival_days not after the session": (people["survival_days"] <= 90).sum()}
    days = people.set_index("subject")["survival_days"][table.keys["subject"]].to_numpy()
    assert (table.outcome["time"] == days - 90 * (table.keys["session"] == "2")).all()


def test_survival_of_a_first_session_that_is_not_the_first_scan_counts_from_it_too(tmp_path):
    features, people = cohort(60)
    table = training_table(written(tmp_path, features.assign(days=200), people), task("cox"))
    assert table.left_out == {"survival_days not after the session": (people["survival_days"] <= 200).sum()}
    days = people.set_index("subject")["survival_days"][table.keys["subject"]].to_numpy()
    assert (table.outcome["time"] == days - 200).all()


def test_blanks_in_the_patients_data_are_read_as_the_checker_reads_them(tmp_path):
    features, people = cohort(60)
    plain = training_table(written(tmp_path, features, people), task("logistic"))
    people["idh"] += " "
    people.loc[0, "idh"] = "  "
    people.loc[60] = [" "] * len(people.columns)
    table = training_table(
        written(tmp_path, features, people.rename(columns={"idh": "idh "})), task("logistic")
    )
    assert table.left_out == {"no idh": 1}
    assert (table.outcome == plain.outcome[1:]).all()


def test_those_who_lack_a_region_are_not_taken_for_one_person(tmp_path):
    features, people = cohort(120)
    zeros = {f"wt_part{number}": features["wt_signal"] * (features.index > 10) for number in range(4)}
    chosen = task("logistic", ("wt_part*",))
    check_values(training_table(written(tmp_path, features.assign(**zeros), people), chosen), chosen)


@pytest.mark.parametrize(
    ("model", "subjects", "told"),
    [
        ("logistic", 30, "too few subjects: 30 subjects"),
        ("cox", 30, "too few subjects: 30 subjects"),
        ("cox", 120, "too few events: 120 subjects, 110 without the event, 10 with the event; 15 are needed"),
        ("logistic", 120, "there is one class only: 120 subjects, 120 other, 0 mutant"),
    ],
)
def test_too_few_subjects_events_or_classes_are_refused_with_the_numbers(tmp_path, model, subjects, told):
    features, people = cohort(subjects)
    if subjects == 120:
        people["event"], people["idh"] = [1] * 10 + [0] * 110, "wildtype"
    assert told in refusal(tmp_path, features, people, task(model))


def test_features_that_are_not_there_empty_or_the_same_are_refused(tmp_path):
    features, people = cohort(60)
    features = features.assign(wt_empty=None, wt_same=3.0)
    text = refusal(tmp_path, features, people, task("logistic", ("wt_*", "wt_empty", "wt_same")))
    assert "feature wt_empty: is missing in every row" in text
    assert "feature wt_same: is the same in every row (3.0)" in text
    text = refusal(tmp_path, features, people, task("logistic", ("wt_signl", "et_*")))
    assert "'wt_signl': is not there; did you mean wt_signal?" in text
    assert "'et_*': is not there" in text


def test_features_that_only_a_pattern_names_are_left_out_where_they_tell_nothing(tmp_path):
    features, people = cohort(60)
    features = features.assign(wt_change_ml=None)
    table = training_table(written(tmp_path, features, people), task("logistic"))
    assert "wt_change_ml" not in table.features
    assert "every feature is missing or the same" in refusal(
        tmp_path, features, people, task("logistic", ("wt_change*",))
    )


@pytest.mark.parametrize(
    "name", ["idh", "survival_days", "event", "site", "subject", "days", "idh_probability"]
)
def test_features_that_are_outcomes_or_identifiers_by_name_are_refused(tmp_path, name):
    features, people = cohort(60)
    features["idh_probability"] = 0.5
    assert repr(name) in refusal(tmp_path, features, people, task("logistic", ("wt_*", name)))


def test_another_marker_may_be_a_feature(tmp_path):
    features, people = cohort(60)
    people["mgmt"] = ["methylated", "unmethylated"] * 30
    table = training_table(
        written(tmp_path, features, people), task("logistic", ("wt_signal", "mgmt", "sex"))
    )
    assert list(table.features) == ["wt_signal", "mgmt", "sex"]


@pytest.mark.parametrize("model", ["logistic", "cox"])
def test_a_feature_that_was_made_from_outcomes_is_refused_by_its_values(tmp_path, model):
    features, people = cohort(120)
    outcome = people["idh"].eq("mutant") * 1.0 if model == "logistic" else people["survival_days"]
    features["wt_made"] = outcome + 0.01 * features["wt_noise1"]
    assert "feature wt_made: gives the outcome away" in refusal(tmp_path, features, people, task(model))


def test_a_word_that_was_made_from_outcomes_is_refused(tmp_path):
    features, people = cohort(120)
    features["grade"] = people["idh"].map({"mutant": "low", "wildtype": "high"})
    assert "feature grade: gives the outcome away" in refusal(
        tmp_path, features, people, task("logistic", ("wt_*", "grade"))
    )


def test_one_person_under_two_names_is_found(tmp_path):
    features, people = cohort(60)
    numbers = [column for column in features if column.startswith("wt_")]
    features.loc[7, numbers] = features.loc[3, numbers]
    text = refusal(tmp_path, features, people, task("logistic", ("wt_signal", "wt_noise1", "wt_noise2")))
    assert "one/P0003 and one/P0007: have the same measurements" in text


def test_an_infinite_number_is_refused(tmp_path):
    features, people = cohort(60)
    features.loc[2, "wt_signal"] = float("inf")
    with pytest.raises(GliaflowError, match="wt_signal is infinite in a row"):
        written(tmp_path, features, people)


def test_a_table_without_subjects_is_refused(tmp_path):
    pd.DataFrame({"cohort": ["one"], "session": ["1"]}).to_csv(tmp_path / "f.tsv", sep="\t", index=False)
    features, people = cohort(60)
    with pytest.raises(GliaflowError, match="lacks the column subject"):
        written(tmp_path, features.drop(columns="subject"), people)
