"""The table of patients' data."""

from pathlib import Path

import pytest

from gliaflow.config.participants import Participant, read_participants
from gliaflow.config.samples import Session, read_samples
from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError

CONFIG = Path(__file__).parents[2] / "config"
COLUMNS = ("cohort", "subject", "age", "sex", "site", "idh", "survival_days", "event")


@pytest.fixture
def sessions(tmp_path: Path) -> tuple[Session, ...]:
    sheet = tmp_path / "samples.tsv"
    sheet.write_text("cohort\tsubject\tsession\tt1c\ndemo\t01\t1\ta.nii.gz\ndemo\t02\t1\tb.nii.gz\n")
    return read_samples([sheet], complete_config({}), check_paths=False)


def write(folder: Path, *rows: dict[str, str]) -> Path:
    lines = ["\t".join(COLUMNS)] + ["\t".join(row.get(column, "") for column in COLUMNS) for row in rows]
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n")
    return folder / "participants.tsv"


def row(subject: str = "01", **cells: str) -> dict[str, str]:
    return {"cohort": "demo", "subject": subject, **cells}


def test_cells_become_values(tmp_path: Path, sessions: tuple[Session, ...]) -> None:
    cells = {"age": "61.4", "sex": "F", "site": "B", "idh": "mutant", "survival_days": "412", "event": "0"}
    known = Participant("demo", "01", 61.4, "F", "B", idh="mutant", survival_days=412.0, event=0)
    assert read_participants(write(tmp_path, row(**cells), row("02")), sessions) == (
        known,
        Participant("demo", "02"),
    )


def test_the_table_that_comes_with_the_workflow() -> None:
    sessions = read_samples([CONFIG / "samples.tsv"], complete_config({}), check_paths=False)
    participants = read_participants(CONFIG / "participants.tsv", sessions)
    assert {participant.subject for participant in participants} == {session.subject for session in sessions}


WRONG = {
    "age": ([row(age="old")], "column age: 'old': is not a number; write years"),
    "age-range": ([row(age="1957")], "column age: '1957': is more than 120"),
    "sex": ([row(sex="female")], "column sex: 'female': is not one of F, M or O"),
    "event": ([row(event="dead", survival_days="9")], "column event: 'dead': is not a whole number"),
    "event-range": ([row(event="2", survival_days="9")], "column event: '2': is more than 1"),
    "event-alone": ([row(event="1")], "column survival_days: '': is empty, but event is given"),
    "survival-alone": ([row(survival_days="1")], "column event: '': is empty, but survival_days is given"),
    "subject-unknown": ([row("011")], "column subject: '011': is in no sample sheet; did you mean 01?"),
    "subject-strange": ([row("zz")], "column subject: 'zz': is in no sample sheet; take the row out"),
    "cohort-unknown": (
        [row(cohort="demos")],
        "column cohort: 'demos': is in no sample sheet; did you mean demo?",
    ),
    "subject-prefix": (
        [row("sub-01")],
        "column subject: 'sub-01': is not of the form that is needed; write 01",
    ),
    "doubled": ([row(), row()], "row 3 (demo/01): the subject is in row 2 already"),
}


@pytest.mark.parametrize(("rows", "message"), WRONG.values(), ids=WRONG)
def test_one_mistake_is_one_line(
    tmp_path: Path, sessions: tuple[Session, ...], rows: list[dict[str, str]], message: str
) -> None:
    table = write(tmp_path, *rows)
    with pytest.raises(ConfigError) as caught:
        read_participants(table, sessions)
    assert str(caught.value).startswith(f"{table}, row")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_mistakes_at_once(tmp_path: Path, sessions: tuple[Session, ...]) -> None:
    with pytest.raises(ConfigError, match=r"^4 mistakes:\n"):
        read_participants(write(tmp_path, row(age="-1", sex="x"), row("03"), row("02", event="1")), sessions)
