"""Sheets as spreadsheets, editors and strangers leave them: read, or refused by row and column."""

from pathlib import Path

import pytest
from damage import cases, damaged, refusal, written
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.config.participants import read_participants
from gliaflow.config.samples import read_samples
from gliaflow.config.settings import complete_config

CONFIG = complete_config({})
SAMPLES = """\
cohort\tsubject\tsession\tdays\tt1n\tt1c\tdwi\tdicom\tbrain_mask\traters\tstripped\tregistered
one\t01\t1\t0\ta.nii.gz\tb.nii.gz\t\t\tm.nii.gz\tr*.nii\tyes\tref
one\t01\t2\t90\t\tseries=3\t\tstudy\t\t\tno\tnone
one\t02\t1\t\tc.nii.gz\t\t\t\t\t\t\t
"""
PEOPLE = """\
cohort\tsubject\tage\tsex\tsite\tresection\tidh\tsurvival_days\tevent
one\t01\t57.5\tF\tA\tGTR\tmutant\t412\t1
one\t02\t63\tM\tB\tSTR\t\t\t
"""
HOSTILE = st.sampled_from(
    [
        *(
            "; touch x",
            "$(touch x)",
            "`x`",
            "\x00",
            "\x1b[2J",
            '"',
            "'",
            "a\nb",
            "\ufeff",
            "é",
            "\u202e",
            "{0}",
        ),
        *(
            "../" * 40,
            "x" * 300,
            "x" * 140_000,
            "/" * 5000,
            "series=99999999999",
            "~",
            "**/**",
            "[",
            "[!",
            "*",
        ),
        *(
            "nan",
            "inf",
            "-1",
            "1e999",
            "9" * 400,
            "٣",
            "=1+1",
            "None",
            "https://x",
            "\\\\host\\x",
            "%s",
            "/dev/zero",
        ),
    ]
)
CELL = st.one_of(HOSTILE, st.text(max_size=12), st.integers().map(str), st.floats().map(str))


@st.composite
def tables(draw: st.DrawFn, text: str) -> bytes:
    """A table with cells, columns, line ends and encoding changed, and then perhaps its bytes."""
    rows = [line.split("\t") for line in text.splitlines()]
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.sampled_from(rows))
        place = draw(st.integers(0, len(row) - 1))
        change = draw(st.sampled_from(["cell", "cell", "cell", "swap", "drop", "double", "row"]))
        if change == "cell":
            row[place] = draw(CELL)
        elif change == "swap":
            other = draw(st.integers(0, len(row) - 1))
            row[place], row[other] = row[other], row[place]
        elif change == "drop" and len(row) > 1:
            del row[place]
        elif change == "double":
            row.insert(place, row[place])
        else:
            rows.append(list(row))
    joined = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\u2028"])).join(
        "\t".join(row) for row in rows
    )
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"]))
    content = joined.encode(encoding, errors="replace")
    return draw(st.one_of(st.just(content), damaged(content)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sheets")
    for name in ("a.nii.gz", "b.nii.gz", "c.nii.gz", "m.nii.gz", "r1.nii", "study/1"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


@cases(70)
@given(content=tables(SAMPLES))
def test_any_sample_sheet(folder: Path, content: bytes) -> None:
    sheet = written(folder / "samples.tsv", content)
    refusal(lambda: read_samples([sheet], CONFIG), sheet)


@cases(40)
@given(content=tables(PEOPLE))
def test_any_table_of_patients(folder: Path, content: bytes) -> None:
    sessions = read_samples([written(folder / "right.tsv", SAMPLES.encode())], CONFIG)
    table = written(folder / "participants.tsv", content)
    refusal(lambda: read_participants(table, sessions), table)


def test_the_tables_that_are_changed_are_right(folder: Path) -> None:
    sessions = read_samples([written(folder / "right.tsv", SAMPLES.encode())], CONFIG)
    assert len(read_participants(written(folder / "people.tsv", PEOPLE.encode()), sessions)) == 2


def test_thousands_of_unknown_patients_are_told_at_once(folder: Path) -> None:
    """What was probably meant is looked for only for some of them; for all it would take minutes."""
    header = "cohort\tsubject\tsession\tt1n"
    rows = [f"one\tP{n:05d}\t1\t{n}.nii.gz" for n in range(2000)]
    sheet = written(folder / "many.tsv", "\n".join([header, *rows]).encode())
    sessions = read_samples([sheet], CONFIG, check_paths=False)
    people = ["cohort\tsubject", *(f"one\tQ{n:05d}" for n in range(2000))]
    table = written(folder / "strangers.tsv", "\n".join(people).encode())
    said = refusal(lambda: read_participants(table, sessions), table)
    assert said.startswith("2000 mistakes:")


def test_a_huge_cell_is_called_that(folder: Path) -> None:
    sheet = written(folder / "huge.tsv", f"cohort\tsubject\tsession\n{'x' * 140_000}\t1\t1".encode())
    said = refusal(lambda: read_samples([sheet], CONFIG), sheet)
    assert "row 2: has a cell of more than" in said
