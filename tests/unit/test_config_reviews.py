"""The reviews: what reviewers decided."""

from pathlib import Path

import pytest
from session_files import make_session

from gliaflow.config.reviews import REVIEW_COLUMNS, read_reviews, review_facts
from gliaflow.errors import ConfigError

SESSIONS = [make_session(subject=name) for name in ("01", "02", "03")]


def row(subject: str = "01", decision: str = "accept", **cells: str) -> dict[str, str]:
    known = {"cohort": "one", "subject": subject, "session": "1", "decision": decision, "date": "2026-03-31"}
    return {**known, "reviewer": "AB", **cells}


def write(folder: Path, *rows: dict[str, str], name: str = "review.tsv") -> Path:
    lines = [REVIEW_COLUMNS, *([cells.get(column, "") for column in REVIEW_COLUMNS] for cells in rows)]
    (folder / name).write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return folder / name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.nii.gz", "b.nii.gz"):
        (tmp_path / name).touch()
    return tmp_path


def test_decisions_are_read_and_an_apostrophe_before_a_formula_is_taken_off(folder: Path) -> None:
    rows = [row(comment="'=1+1", reviewer="'@AB"), row("02", "edit", label="a.nii.gz"), row("03", "reject")]
    found = read_reviews([write(folder, *rows)], SESSIONS)
    assert {key[1]: review.latest.decision for key, review in found.items()} == {
        "01": "accept",
        "02": "edit",
        "03": "reject",
    }
    first, second, third = found.values()
    assert (first.latest.comment, first.latest.reviewer, first.edit) == ("=1+1", "@AB", None)
    assert second.edit and second.edit.label == folder / "a.nii.gz"
    assert [review.rejected for review in (first, second, third)] == [False, False, True]
    assert review_facts(second.edit) == {"Decision": "edit", "Reviewer": "AB", "Date": "2026-03-31"}


def test_no_review_is_no_decision() -> None:
    assert read_reviews([], SESSIONS) == {}


@pytest.mark.parametrize("turned", [False, True])
def test_the_later_date_wins_in_whatever_order_rows_and_files_stand(folder: Path, turned: bool) -> None:
    files = [
        write(folder, row(decision="reject", date="2026-01-01"), name="first.tsv"),
        write(folder, row(decision="accept", date="2026-02-01"), name="second.tsv"),
    ]
    found = read_reviews(files[::-1] if turned else files, SESSIONS)
    assert found["one", "01", "1"].latest.decision == "accept"


def test_an_edit_stays_in_use_when_it_is_accepted_later_and_gives_way_to_a_later_edit(folder: Path) -> None:
    edited = row(decision="edit", label="a.nii.gz", date="2026-01-01")
    accepted = row(date="2026-02-01", reviewer="CD")
    found = read_reviews([write(folder, accepted, edited)], SESSIONS)["one", "01", "1"]
    assert (found.latest.reviewer, found.edit and found.edit.label) == ("CD", folder / "a.nii.gz")
    again = row(decision="edit", label="b.nii.gz", date="2026-03-01")
    found = read_reviews([write(folder, accepted, edited, again)], SESSIONS)["one", "01", "1"]
    assert found.edit and found.edit.label == folder / "b.nii.gz"


WRONG = {
    "unknown-session": (
        [row("04")],
        "row 2 (one/04/1): the session is in no sample sheet; did you mean one/0",
    ),
    "unknown-cohort": ([row(cohort="zz")], "row 2 (zz/01/1): the session is in no sample sheet; correct it"),
    "decision": (
        [row(decision="ok")],
        "column decision: 'ok': is not one of accept, edit or reject; write accept, edit or reject",
    ),
    "no-decision": ([row(decision="")], "column decision: '': is missing; write accept, edit or reject"),
    "no-date": ([row(date="")], "column date: '': is missing; write year-month-day"),
    "date": ([row(date="31.03.2026")], "column date: '31.03.2026': is not of the form that is needed"),
    "no-such-day": ([row(date="2026-02-30")], "column date: '2026-02-30': is no day of the calendar"),
    "edit-without-label": ([row(decision="edit")], "column label: '': is empty, but the decision is edit"),
    "label-without-edit": ([row(label="a.nii.gz")], "is not used, because the decision is accept"),
    "label-not-there": ([row(decision="edit", label="c.nii.gz")], "column label: 'c.nii.gz': does not exist"),
    "label-of-another-kind": (
        [row(decision="edit", label="review.tsv")],
        "is a file of a kind",
    ),
    "label-twice": (
        [row(decision="edit", label="a.nii.gz"), row("02", "edit", label="./a.nii.gz")],
        "row 3 (one/02/1), column label: './a.nii.gz': is the label map of another session too",
    ),
    "contradiction": (
        [row(), row(decision="reject")],
        "row 3 (one/01/1): 'reject' contradicts 'accept'",
    ),
    "two-files": (
        [row(decision="edit", label="a.nii.gz"), row(decision="edit", label="b.nii.gz")],
        "column label: 'b.nii.gz': is another file than on the same day",
    ),
    "line-break": ([row(comment='"a\nb"')], "column comment: 'a\\nb': has a line break"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_told_with_its_place_and_what_to_write(folder: Path, name: str) -> None:
    rows, message = WRONG[name]
    path = write(folder, *rows)
    with pytest.raises(ConfigError) as error:
        read_reviews([path], SESSIONS)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_every_mistake_of_every_file_is_told_at_once(folder: Path) -> None:
    first = write(folder, row("04"), row(decision="edit"), name="first.tsv")
    second = write(folder, row(decision="maybe"), name="second.tsv")
    with pytest.raises(ConfigError, match=r"^3 mistakes:") as error:
        read_reviews([first, second], SESSIONS)
    assert "first.tsv, row 2" in str(error.value)
    assert "second.tsv, row 2" in str(error.value)


def test_a_job_of_a_cluster_leaves_the_files_to_the_process_that_sent_it(tmp_path: Path) -> None:
    path = write(tmp_path, row(decision="edit", label="elsewhere.nii.gz"))
    found = read_reviews([path], SESSIONS, check_paths=False)["one", "01", "1"]
    assert found.edit and found.edit.label == tmp_path / "elsewhere.nii.gz"
