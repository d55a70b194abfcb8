"""Sample sheets: what a right one gives, and what is said about each kind of mistake."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliaflow import labels
from gliaflow.config.disk import Disk
from gliaflow.config.samples import Session, read_samples
from gliaflow.config.settings import SEQUENCES, complete_config
from gliaflow.config.sheet import identifier_fix
from gliaflow.errors import ConfigError

CONFIG = complete_config({})
COLUMNS = "cohort subject session days t1n t1c t2w t2f dwi dicom brain_mask label raters stripped registered"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "t1.nii.gz",
        "T1gd.nii",
        "mask.nii.gz",
        "seg.nii.gz",
        "a.zip",
        "scan.mha",
        "IM001.dcm",
        "b.rar",
    ):
        (tmp_path / name).touch()
    for name in ("dwi.nii.gz", "dwi.bval", "dwi.bvec", "alone.nii.gz", "o;d d$(x) 'n.nii.gz", "P[1].nii.gz"):
        (tmp_path / name).touch()
    for name in ("dicom", "dicom2", "raters"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").touch()
    (tmp_path / "hollow").mkdir()
    (tmp_path / "odd.nii.gz.d").mkdir()
    return tmp_path


def write(folder: Path, *rows: dict[str, str], name: str = "s.tsv", columns: str = COLUMNS) -> Path:
    lines = ["\t".join(columns.split())]
    lines += ["\t".join(row.get(column, "") for column in columns.split()) for row in rows]
    (folder / name).write_bytes(("\n".join(lines) + "\n").encode())
    return folder / name


def row(subject: str = "01", session: str = "1", **cells: str) -> dict[str, str]:
    return {"cohort": "demo", "subject": subject, "session": session, "t1c": "t1.nii.gz", **cells}


def mistakes(*sheets: Path, config: dict = CONFIG) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_samples(sheets, config)
    lines = str(caught.value).splitlines()
    return lines[1:] if lines[0].endswith("mistakes:") else lines


def test_every_form_of_a_cell(folder: Path) -> None:
    sheet = write(
        folder,
        row(
            t1n="none", t1c="series=7", t2w="a.zip", dicom="dicom", dwi="dwi.nii.gz", brain_mask="mask.nii.gz"
        ),
        row(
            "02",
            t1c="",
            t2f="./t1.nii.gz",
            label="seg.nii.gz",
            raters="*.nii.gz",
            stripped="yes",
            registered="ref",
        ),
    )
    first, second = read_samples([sheet], CONFIG)
    assert first.sources == {"t1c": 7, "t2w": folder / "a.zip"}
    assert first.expected == ("t1c", "t2w", "t2f")
    assert (first.study, first.dwi) == (folder / "dicom", folder / "dwi.nii.gz")
    assert (first.brain_mask, first.days, first.stripped) == (folder / "mask.nii.gz", None, False)
    assert (first.reference, first.key) == ("t1c", ("demo", "01", "1"))
    assert (second.expected, second.reference, second.study) == (("t2f",), "t2f", None)
    assert (second.stripped, second.registered, second.row) == (True, "ref", 3)
    assert second.raters == str(folder / "*.nii.gz")


def test_the_config_stands_in_for_empty_cells(folder: Path) -> None:
    settings = {"convert": {"expect": ["t2f"]}, "preprocess": {"stripped": True, "registered": "none"}}
    (session,) = read_samples([write(folder, row(dicom="dicom", stripped=""))], complete_config(settings))
    assert session.expected == ("t1c", "t2f")
    assert session.stripped is True


def test_a_sheet_from_a_spreadsheet_is_read(folder: Path) -> None:
    """Byte order mark, Windows line ends, blanks, quoted cells, empty lines and columns change nothing."""
    plain = write(folder, row(t1c="t1.nii.gz"), row("02", t2f="T1gd.nii", t1c=""))
    lines = plain.read_text().replace("t1.nii.gz", ' "t1.nii.gz" '.strip()).splitlines()
    lines = [
        line + "\t\t" for line in [lines[0], "", lines[1].replace("demo", " demo "), "\t" * 14, lines[2]]
    ]
    other = folder / "excel.tsv"
    other.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    expected = [(s.key, s.sources) for s in read_samples([plain], CONFIG)]
    assert [(s.key, s.sources) for s in read_samples([other], CONFIG)] == expected
    assert [s.row for s in read_samples([other], CONFIG)] == [3, 5]


def test_odd_but_right_paths(folder: Path) -> None:
    rows = [
        row("01", t1c="o;d d$(x) 'n.nii.gz"),
        row("02", t1c=str(folder / "T1gd.nii")),
        row("03", t1c="odd.nii.gz.d"),
    ]
    (folder / "odd.nii.gz.d" / "1").touch()
    first, second, _ = read_samples([write(folder, *rows)], CONFIG)
    assert first.sources["t1c"] == folder / "o;d d$(x) 'n.nii.gz"
    assert second.sources["t1c"] == folder / "T1gd.nii"


def test_paths_start_from_the_folder_of_the_sheet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config").mkdir()
    write(folder / "config", row(t1c="../t1.nii.gz"))
    monkeypatch.chdir(folder)
    (session,) = read_samples([Path("config/s.tsv")], CONFIG)
    assert session.sources == {"t1c": folder / "t1.nii.gz"}
    assert session.sheet == "config/s.tsv"


def test_what_the_workflow_makes_and_unchecked_paths(folder: Path) -> None:
    sheet = write(folder, row(t1c="made.nii.gz", dwi="made_dwi.nii.gz", raters="made*.nii.gz"))
    made = read_samples([sheet], CONFIG, produced=lambda path: path.name.startswith("made"))
    unchecked = read_samples([sheet], CONFIG, check_paths=False)
    assert made == unchecked
    assert len(mistakes(sheet)) == 3


ONE_CELL = {
    "identifier-prefix": (row("sub-01"), "column subject: 'sub-01'", "write 01"),
    "identifier-underscore": (row(cohort="my_co"), "column cohort: 'my_co'", "write myco"),
    "identifier-blank": (row(session="day 1"), "column session: 'day 1'", "write day1"),
    "identifier-letter": (row("Jürg"), "column subject: 'Jürg'", "write Jurg"),
    "identifier-hopeless": (row("--"), "column subject: '--'", "letters and digits only"),
    "cohort-empty": (row(cohort=""), "column cohort: '': is missing", "letters and digits"),
    "subject-empty": (row(""), "column subject: '': is missing", "letters and digits"),
    "session-empty": (row(session=""), "column session: '': is missing", "letters and digits"),
    "days-text": (row(days="first"), "'first': is not a whole number", "number of days"),
    "days-fraction": (row(days="1.5"), "'1.5': is not a whole number", "number of days"),
    "days-negative": (row(days="-3"), "'-3': is less than 0", "0 for the first scan"),
    "no-sequence": (row(t1c="", t2f="none"), "has no sequence", "fill one of t1n"),
    "missing-file": (
        row(t1c="t1.nii"),
        "does not exist (looked for at {}/t1.nii)",
        "did you mean {}/t1.nii.gz?",
    ),
    "missing-case": (row(t1c="t1GD.nii"), "does not exist", "did you mean {}/T1gd.nii?"),
    "missing-folder": (row(t1c="dicm/x/y"), "does not exist", "did you mean {}/dicom?"),
    "missing-strange": (
        row(t1c="0123456789"[::-1] + "x"),
        "does not exist",
        "starts from the folder of the sheet",
    ),
    "backslashes": (row(t1c=r"scans\t1.nii.gz"), "does not exist", "write / between folders"),
    "address": (row(t1c="https://example.org/a.nii.gz"), "is an address", "copy the data"),
    "placeholder": (row(t1n="NA"), "'NA': is not a path", "write none"),
    "bare-number": (row(t1n="7", dicom="dicom"), "'7': is not a path", "write series=7"),
    "braces": (row(t1n="a{b}.nii.gz"), "has { or } in its path", "rename it"),
    "kind-mha": (row(t1c="scan.mha"), "a kind that is not read here", "DICOM folder, a .zip"),
    "kind-single-dicom": (row(t1c="IM001.dcm"), "a kind that is not read here", "DICOM folder"),
    "kind-rar": (row(dicom="b.rar"), "column dicom: 'b.rar': is a file of a kind", ".zip of DICOM files"),
    "study-nifti": (row(t1c="", dicom="t1.nii.gz"), "is a file of a kind", "column of its sequence"),
    "folder-empty": (row(t1c="hollow"), "is an empty folder", "DICOM folder"),
    "same-file-in-columns": (row(t1n="t1.nii.gz"), "is in the column t1n too", "the study in dicom"),
    "same-series-in-columns": (
        row(t1n="series=4", t1c="series=4", dicom="dicom"),
        "column t1n too",
        "its own scan",
    ),
    "series-without-study": (row(t1n="series=7"), "the cell dicom is empty", "in the column dicom"),
    "series-malformed": (row(t1n="series = x", dicom="dicom"), "is not a series number", "such as series=7"),
    "series-without-number": (
        row(t1n="Series 7", dicom="dicom"),
        "is not a series number",
        "such as series=7",
    ),
    "study-not-used": (
        row(t1n="none", t2w="none", t2f="none", dicom="dicom"),
        "is not used",
        "leave dicom empty",
    ),
    "study-registered": (
        row(dicom="dicom", registered="atlas"),
        "registered is atlas",
        "write none in the column",
    ),
    "dwi-alone": (
        row(dwi="alone.nii.gz"),
        "alone.bval and alone.bvec belong beside",
        "give the DICOM folder",
    ),
    "stripped-value": (row(stripped="true"), "'true': is not one of yes or no", "write yes or no"),
    "registered-value": (
        row(registered="MNI"),
        "'MNI': is not one of none, ref or atlas",
        "write none, ref or atlas",
    ),
    "mask-kind": (row(brain_mask="a.zip"), "column brain_mask: 'a.zip': is a file of a kind", ".nii.gz file"),
    "mask-folder": (row(brain_mask="dicom"), "is a folder, not a file", ".nii.gz file"),
    "label-kind": (row(label="scan.mha"), "column label: 'scan.mha': is a file of a kind", ".nii.gz file"),
    "raters-pattern": (row(raters="r_*.nii"), "nothing matches {}/r_*.nii", "correct the pattern"),
    "raters-file": (row(raters="t1.nii.gz"), "is a file of a kind", "give a folder, or a pattern"),
    "control-character": (row(t1c="t1\x07.nii.gz"), "another control character", "take it out"),
    "line-break": (row(t1c='"t1\n.nii.gz"'), r"'t1\n.nii.gz': has a line break", "quotation mark"),
}


@pytest.mark.parametrize(("cells", "what", "fix"), ONE_CELL.values(), ids=ONE_CELL)
def test_one_mistake_is_one_line(folder: Path, cells: dict[str, str], what: str, fix: str) -> None:
    (line,) = mistakes(write(folder, cells))
    assert line.startswith(f"{folder}/s.tsv, row 2")
    problem, _, advice = line.partition("; ")
    assert what.replace("{}", str(folder)) in problem
    assert fix.replace("{}", str(folder)) in advice


BETWEEN_ROWS = {
    "doubled-session": ([row(), row(t1c="T1gd.nii")], "the session is in {}/s.tsv, row 2 already"),
    "case-of-subject": (
        [row("p1"), row("P1", t1c="T1gd.nii")],
        "column subject: 'P1': differs only by case from 'p1'",
    ),
    "days-missing": (
        [row(days="0"), row(session="2", t1c="T1gd.nii")],
        "column days: '': is empty, but the subject",
    ),
    "days-equal": (
        [row(days="0"), row(session="2", t1c="T1gd.nii", days="0")],
        "is also the day of another session",
    ),
    "same-file": ([row(), row("02", t2f="t1.nii.gz", t1c="")], "is in {}/s.tsv, row 2, column t1c too"),
    "same-study": (
        [row(t1c="", dicom="dicom"), row("02", t1c="", dicom="./dicom")],
        "row 2, column dicom too",
    ),
    "same-label": (
        [row(label="seg.nii.gz"), row("02", t1c="T1gd.nii", label="seg.nii.gz")],
        "column label too",
    ),
}


@pytest.mark.parametrize(("rows", "what"), BETWEEN_ROWS.values(), ids=BETWEEN_ROWS)
def test_one_mistake_between_rows_is_one_line(folder: Path, rows: list[dict[str, str]], what: str) -> None:
    (line,) = mistakes(write(folder, *rows))
    assert line.startswith(f"{folder}/s.tsv, row 3 (demo/")
    assert what.replace("{}", str(folder)) in line


def test_a_session_in_two_sheets_names_both(folder: Path) -> None:
    first, second = write(folder, row()), write(folder, row(t1c="T1gd.nii"), name="b.tsv")
    (line,) = mistakes(first, second)
    assert line.startswith(f"{second}, row 2 (demo/01/1): the session is in {first}, row 2 already")


def test_several_sessions_without_days_are_told_each(folder: Path) -> None:
    lines = mistakes(write(folder, row(), row(session="2", t1c="T1gd.nii")))
    assert [line.split(" (")[0].rpartition(" ")[2] for line in lines] == ["2", "3"]


HEADER = "cohort\tsubject\tsession\tt1c\n"
WHOLE_SHEET = {
    "empty": (b"", "is empty"),
    "only-header": (HEADER.encode(), "has no rows below the first line"),
    "commas": (
        b"cohort,subject,session\na,b,c\n",
        "row 1: the cells are separated by ',', not by tabs; save it",
    ),
    "semicolons": (b"cohort;subject;session\na;b;c\n", "separated by ';', not by tabs"),
    "blanks": (b"cohort subject session\na b c\n", "separated by ' ', not by tabs"),
    "latin-1": (
        HEADER.encode() + b"d\t1\t1\tM\xfcller\n",
        "row 2: has a character that is not UTF-8; save it as UTF-8",
    ),
    "utf-16": (HEADER.encode("utf-16"), "is UTF-16, not UTF-8; save it as UTF-8"),
    "spreadsheet": (b"PK\x03\x04...", "is a spreadsheet file, not text"),
    "column-missing": (
        b"cohort\tsubject\tt1c\nd\t1\tx\n",
        "the column session is missing; add it to the first line",
    ),
    "column-unknown": (
        b"cohort\tsubject\tsession\tT1\nd\t1\t1\tx\n",
        "column T1: is not a known column; did you mean t1n?",
    ),
    "column-flair": (
        b"cohort\tsubject\tsession\tFLAIR\nd\t1\t1\tx\n",
        "column FLAIR: is not a known column; did you mean t2f?",
    ),
    "column-typo": (b"cohort\tsubject\tsession\tbrainmsk\nd\t1\t1\tx\n", "did you mean brain_mask?"),
    "column-strange": (b"cohort\tsubject\tsession\tzzz\nd\t1\t1\tx\n", "the columns are cohort, subject"),
    "column-unnamed": (b"cohort\tsubject\tsession\t\tt1c\nd\t1\t1\t\tx\n", "column 4: is not a known column"),
    "column-doubled": (
        b"cohort\tsubject\tsession\tt1c\tt1c\nd\t1\t1\tx\ty\n",
        "there are two columns of this name",
    ),
    "row-short": ((HEADER + "d\t1\t1\n").encode(), "row 2: has 3 cells, but the first line names 4 columns"),
    "row-long": (
        (HEADER + "d\t1\t1\tt1.nii.gz\tx\n").encode(),
        "row 2: has 5 cells, but the first line names 4",
    ),
    "quotation-mark": (
        (HEADER + 'd\t1\t1\t"' + "x" * 140_000).encode(),
        "row 2: has a cell of more than 131072",
    ),
}


@pytest.mark.parametrize(("content", "what"), WHOLE_SHEET.values(), ids=WHOLE_SHEET)
def test_a_wrong_sheet_is_one_line(folder: Path, content: bytes, what: str) -> None:
    (folder / "s.tsv").write_bytes(content)
    (line,) = mistakes(folder / "s.tsv")
    assert line.startswith(f"{folder}/s.tsv")
    assert what in line


def test_a_sheet_that_is_not_there(folder: Path) -> None:
    lines = mistakes(folder / "absent.tsv", folder)
    assert f"absent.tsv: no such file (looked for at {folder}/absent.tsv); check the path" in lines[0]
    assert lines[1].startswith(f"{folder}: cannot be read (Is a directory)")


def test_all_mistakes_of_all_sheets_at_once(folder: Path) -> None:
    first = write(folder, row("sub-01", days="x", stripped="maybe", t1c="absent.nii.gz"))
    second = write(folder, row(t2f="scan.mha"), name="b.tsv")
    third = write(folder, columns="cohort subject", name="c.tsv")
    with pytest.raises(ConfigError, match=r"^6 mistakes:\n"):
        read_samples([first, second, third], CONFIG)


@given(st.text())
def test_a_proposed_identifier_is_one(cell: str) -> None:
    fix = identifier_fix(cell, "nothing")
    assert fix == "nothing" or (fix.removeprefix("write ").isascii() and fix.removeprefix("write ").isalnum())


@given(st.text(alphabet="ab\t\n\r\"';,=/ \u00e9\x00", max_size=60))
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    sheet = tmp_path_factory.getbasetemp() / "fuzz.tsv"
    sheet.write_bytes((HEADER + text).encode())
    try:
        assert all(isinstance(session, Session) for session in read_samples([sheet], CONFIG))
    except ConfigError as error:
        assert str(sheet) in str(error)


def test_ten_thousand_rows(tmp_path: Path) -> None:
    cells = [{name: f"data/{number}/{name}.nii.gz" for name in SEQUENCES} for number in range(10_000)]
    sheet = write(tmp_path, *(row(str(number), **paths) for number, paths in enumerate(cells)))
    start = time.process_time()
    assert len(read_samples([sheet], CONFIG, produced=lambda path: True)) == 10_000
    assert time.process_time() - start < 10


def test_disk_sees_what_is_there(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "dicom")
    (folder / "broken").symlink_to(folder / "nowhere")
    disk = Disk()
    names = ("link", "broken", "t1.nii.gz", "dicom", "absent", "t1.nii.gz/x")
    assert [disk.kind(folder / name) for name in names] == ["folder", None, "file", "folder", None, None]
    assert disk.kind("/") == "folder"


def test_the_sequences_are_those_of_the_labels() -> None:
    assert SEQUENCES == labels.SEQUENCES


def test_the_sheet_that_comes_with_the_workflow() -> None:
    sessions = read_samples(
        [ROOT / "config" / "samples.tsv"], CONFIG, produced=lambda path: "demo" in path.parts
    )
    assert {session.cohort for session in sessions} == {"demo"}
