"""Which sessions a model is trained on."""

from pathlib import Path

import pytest

from gliaflow.config.session import Session
from gliaflow.errors import ConfigError
from gliaflow.train.cohort import training_sessions

ALL = ("t1n", "t1c", "t2w", "t2f")
TRAIN = {"cohorts": None, "sequences": ["t1c", "t2f"], "sequence_dropout": 0}


def entry(subject="01", cohort="one", expected=ALL, label=True):
    fields = {
        **{"cohort": cohort, "subject": subject, "session": "1", "days": None, "sources": {}},
        **{"expected": expected, "study": None, "dwi": None, "brain_mask": None, "raters": None},
        **{"stripped": False, "registered": "none", "sheet": "s.tsv", "row": 2},
    }
    return Session(**fields, label=Path("label.nii.gz") if label else None)


def test_sessions_with_a_label_and_the_sequences_are_chosen():
    sessions = [
        entry("1"),
        entry("2", label=False),
        entry("3", expected=("t1c",)),
        entry("4", expected=("t1c", "t2f")),
    ]
    chosen, left = training_sessions(sessions, TRAIN)
    assert [e.subject for e in chosen] == ["1", "4"]
    assert left == ["one/3/1 has t1c only"]


def test_with_sequence_dropout_one_of_the_sequences_is_enough():
    sessions = [entry("1", expected=("t1c",)), entry("2", expected=("t2w",))]
    chosen, left = training_sessions(sessions, TRAIN | {"sequence_dropout": 0.2})
    assert [e.subject for e in chosen] == ["1"]
    assert left == ["one/2/1 has t2w only"]


def test_only_the_cohorts_that_are_named_are_taken():
    sessions = [entry("1"), entry("1", cohort="two")]
    chosen, _ = training_sessions(sessions, TRAIN | {"cohorts": ["two"]})
    assert [e.cohort for e in chosen] == ["two"]


@pytest.mark.parametrize(
    ("sessions", "change", "reason"),
    [
        ([entry()], {"cohorts": ["tow"]}, "train.cohorts: no sample sheet lists tow"),
        ([entry(label=False)], {}, "no session has a label; fill the column label"),
        ([entry(expected=("t1n",))], {}, "no labelled session has t1c and t2f; one/01/1 has t1n only"),
    ],
)
def test_nothing_to_train_on_is_an_error_that_says_why(sessions, change, reason):
    with pytest.raises(ConfigError, match=reason):
        training_sessions(sessions, TRAIN | change)
