"""Which sessions a model is trained on."""

from pathlib import Path

import pytest
from session_files import make_session

from gliaflow.errors import ConfigError
from gliaflow.train.cohort import is_ready, training_sessions

ALL = ("t1n", "t1c", "t2w", "t2f")
TRAIN = {"target": "tumour", "cohorts": None, "sequences": ["t1c", "t2f"], "sequence_dropout": 0}


BRAIN = TRAIN | {"target": "brain"}
N4 = dict.fromkeys(ALL, "registration")


def entry(subject="01", cohort="one", expected=ALL, label=True, **changes):
    fields = {"cohort": cohort, "subject": subject, "expected": expected}
    return make_session(**fields | {"label": Path("label.nii.gz") if label else None} | changes)


def ready(**changes):
    """A stripped session on the atlas grid."""
    sources = {sequence: Path(f"{sequence}.nii.gz") for sequence in ALL}
    return entry(**{"stripped": True, "registered": "atlas", "sources": sources} | changes)


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


def test_a_stripped_session_of_nifti_files_on_the_atlas_grid_is_ready():
    assert is_ready(ready(), TRAIN, N4)
    assert is_ready(ready(), TRAIN, N4 | {"t1n": "apply"})


@pytest.mark.parametrize(
    "change",
    [
        {"stripped": False},
        {"registered": "ref"},
        {"brain_mask": Path("mask.nii.gz")},
        {"sources": {"t1c": Path("t1c.zip"), "t2f": Path("t2f.nii")}},
        {"sources": {"t1c": 7, "t2f": Path("t2f.nii")}},
    ],
)
def test_a_session_that_needs_preparation_is_not_ready(change):
    assert not is_ready(ready(**change), TRAIN, N4)


def test_a_session_whose_scans_are_to_be_corrected_is_not_ready():
    assert not is_ready(ready(), TRAIN, N4 | {"t2f": "apply"})


def test_whole_heads_with_a_brain_mask_are_chosen_for_brain_extraction():
    mask = Path("mask.nii.gz")
    sessions = [
        entry("1", label=False, brain_mask=mask),
        entry("2", brain_mask=mask, stripped=True),
        entry("3"),
    ]
    chosen, left = training_sessions(sessions, BRAIN)
    assert [e.subject for e in chosen] == ["1"]
    assert left == []
    with pytest.raises(ConfigError, match="no session is a whole head with a brain mask"):
        training_sessions(sessions[1:], BRAIN)


def test_a_head_is_ready_where_its_scans_lie_on_the_grid_of_the_mask():
    head = {"stripped": False, "brain_mask": Path("mask.nii.gz")}
    assert is_ready(ready(**head, registered="ref"), BRAIN, N4 | {"t2f": "apply"})
    assert not is_ready(ready(**head, registered="none"), BRAIN, N4)
    assert is_ready(ready(**head, registered="none", expected=("t2f",)), BRAIN, N4)
