"""What a user sees of a wrong sheet, config or model table: every mistake at once, before any job."""

from collections.abc import Iterator
from pathlib import Path

from cohorts import Planned, dicom, plan, plan_of, session, settings, snakemake, write_sheet

SHEET = "samples.tsv, row"


def bad_rows(folder: Path) -> Iterator[dict[str, str]]:
    """Rows with one mistake each, from row 2 on; those of subjects 14 to 17 are wrong together."""
    (folder / "scan.mha").touch()
    (folder / "study.nii.gz").touch()
    (folder / "dwi.nii.gz").touch()
    (folder / "hollow").mkdir()
    (folder / "folder.nii.gz").mkdir()
    yield session(folder, "sub_01")
    yield session(folder, "02", t2f="one_02_1_t2f.nii")
    yield session(folder, "03", t1c="https://example.org/t1c.nii.gz")
    yield session(folder, "04", t1n="NA")
    yield session(folder, "05", t1n="7")
    yield session(folder, "06", t1n="series=7")
    yield session(folder, "07", sequences=("t2w",), t1n="series 7", dicom=dicom(folder, "study"))
    yield session(folder, "08", t1n="scan.mha")
    yield session(folder, "09", t1n="hollow")
    yield session(folder, "10", t1n="folder.nii.gz")
    yield session(folder, "11", stripped="true")
    yield session(folder, "12", registered="yes")
    yield session(folder, "13", days="-3")
    yield session(folder, "14", sequences=("t1c",))
    yield session(folder, "14", sequences=("t2f",))
    yield session(folder, "15", number="1", days="0")
    yield session(folder, "15", number="2")
    yield session(folder, "16", number="1", days="0")
    yield session(folder, "16", number="2", days="0")
    yield session(folder, "A")
    yield session(folder, "a")
    yield session(folder, "18", sequences=())
    yield session(folder, "19", sequences=(), dicom="study.nii.gz")
    yield session(folder, "20", dwi="dwi.nii.gz")
    yield session(folder, "21", label="labels/21.nii.gz")
    yield session(folder, "22", raters="raters/*.nii.gz")
    yield session(folder, "23", brain_mask="scan.mha")
    yield session(folder, "24", t1n=r"C:\data\t1.nii.gz")
    yield session(folder, "25", t1n="one_25_1_t1c.nii.gz")
    yield session(folder, "26", registered="ref", sequences=("t2w",), dicom=dicom(folder, "other"))


CELLS = [
    ("2 (one/sub_01/1), column subject: 'sub_01'", "; write 01"),
    ("3 (one/02/1), column t2f: 'one_02_1_t2f.nii'", "; did you mean "),
    ("4 (one/03/1), column t1c: 'https://example.org/t1c.nii.gz'", "copy the data to a disk"),
    ("5 (one/04/1), column t1n: 'NA'", "write none for a scan that was not made"),
    ("6 (one/05/1), column t1n: '7'", "write series=7"),
    ("7 (one/06/1), column t1n: 'series=7'", "give the study in the column dicom"),
    ("8 (one/07/1), column t1n: 'series 7'", "such as series=7"),
    ("9 (one/08/1), column t1n: 'scan.mha'", "give a DICOM folder, a .zip of one, or a .nii"),
    ("10 (one/09/1), column t1n: 'hollow'", "is an empty folder"),
    ("11 (one/10/1), column t1n: 'folder.nii.gz'", "is a folder, not a file"),
    ("12 (one/11/1), column stripped: 'true'", "write yes or no"),
    ("13 (one/12/1), column registered: 'yes'", "write none, ref or atlas"),
    ("14 (one/13/1), column days: '-3'", "write a whole number of days"),
    ("16 (one/14/1)", "row 15 already; take one row out"),
    ("18 (one/15/2), column days: ''", "write the days since the subject's first scan"),
    ("20 (one/16/2), column days: '0'", "row 19); correct one"),
    ("22 (one/a/1), column subject: 'a'", "write both alike, or rename one"),
    ("23 (one/18/1)", "fill one of t1n, t1c, t2w, t2f or dicom"),
    ("24 (one/19/1), column dicom: 'study.nii.gz'", "a NIfTI belongs in the column of its sequence"),
    ("25 (one/20/1), column dwi: 'dwi.nii.gz'", "dwi.bval and dwi.bvec belong beside it"),
    ("26 (one/21/1), column label: 'labels/21.nii.gz'", "correct the path"),
    ("27 (one/22/1), column raters: 'raters/*.nii.gz'", "correct the pattern"),
    ("28 (one/23/1), column brain_mask: 'scan.mha'", "give a .nii or .nii.gz file"),
    (r"29 (one/24/1), column t1n: 'C:\\data\\t1.nii.gz'", "write / between folders"),
    ("30 (one/25/1), column t1c: 'one_25_1_t1c.nii.gz'", "give every column its own scan"),
    ("31 (one/26/1), column dicom: 'other'", "write none in the column registered"),
]
HEADER = b"cohort\tsubject\tsession\tt1c"
SHEETS = {
    "comma.tsv": (b"cohort,subject,session,t1c\n", ", row 1: the cells are separated by ','"),
    "renamed.tsv": (
        b"cohort\tsubject\tsession\tflair\n",
        ", row 1, column flair: is not a known column; did you mean t2f?",
    ),
    "doubled.tsv": (HEADER + b"\tt1c\n", ", row 1, column t1c: there are two columns"),
    "lacking.tsv": (b"cohort\tsubject\tt1c\n", ", row 1: the column session is missing"),
    "bare.tsv": (HEADER, ": has no rows below the first line"),
    "short.tsv": (
        HEADER + b"\none\t01\t1\n",
        ", row 2: has 3 cells, but the first line names 4",
    ),
    "empty.tsv": (b"", ": is empty; write a first line"),
    "excel.tsv": (b"PK\x03\x04", ": is a spreadsheet file, not text"),
    "utf16.tsv": ("cohort".encode("utf-16"), ": is UTF-16, not UTF-8"),
    "latin.tsv": (
        HEADER + b"\none\tM\xfcller",
        ", row 2: has a character that is not UTF-8",
    ),
}
CONFIG = {
    "atlas": {"name": "my atlas", "resolution": 3},
    "seed": "abc",
    "sead": 1,
    "preprocess": {"n4": "on", "n4_settings": {"shrink": 0}, "normalisation": {"method": "z"}},
    "segment": {"postprocess": {"threshold": {"WT": 2}}, "step": 0},
    "train": {"regions": ["TC"]},
}
KEYS = [
    ("atlas.name: 'my atlas'", "write letters and digits only"),
    ("atlas.resolution: 3", "write 1 or 2"),
    ("preprocess.n4: 'on'", "write registration, apply or off"),
    ("preprocess.n4_settings.shrink: 0", "write a whole number from 1 to 8"),
    ("preprocess.normalisation.method: 'z'", "write zscore, percentile or histogram"),
    ("sead: 1", "did you mean seed?"),
    ("seed: 'abc'", "write a whole number"),
    ("segment.postprocess.threshold.WT: 2", "write a number between 0 and 1"),
    ("segment.step: 0", "write a number above 0 and at most 1"),
    ('train.regions: ["TC"]', "write WT and, where wanted, TC and ET"),
]
MODELS = """\
segmentation:
  - {name: my model, kind: flair_baseline, description: d, sequences: [flair], regions: [WT], licence: MIT}
  - {name: other, kind: nope, description: d, sequences: [t2f], regions: [WT], licence: MIT}
  - {name: third, kind: nnunet, sequences: [t2f], regions: [WT], licence: MIT, postprocess: {holes: true}}
"""
ENTRIES = [
    ("segmentation (entry 1).name: 'my model'", "write letters and digits only"),
    ("segmentation (entry 1).sequences (entry 1): 'flair'", "write some of t1n, t1c, t2w and t2f"),
    ("segmentation (entry 2).kind: 'nope'", "write flair_baseline or nnunet"),
    ("segmentation (entry 3).postprocess.holes: true", "did you mean fill_holes?"),
]


def assert_stopped(planned: Planned) -> None:
    """Nothing was planned, and the user sees sentences, not a crash."""
    assert planned.status == 1
    assert planned.jobs == {}
    assert "Traceback (most recent call last)" not in planned.output


def assert_told(planned: Planned, expected: list[tuple[str, str]]) -> None:
    """Each mistake has one line, which says where it is and what to do, and no other line is there."""
    assert_stopped(planned)
    lines = [line for line in planned.output.splitlines() if any(where in line for where, _ in expected)]
    missing = [pair for pair in expected if not any(all(part in line for part in pair) for line in lines)]
    assert not missing, planned.output
    assert f"\n{len(expected)} mistakes:\n" in planned.output


def test_every_wrong_cell_of_a_sheet_is_told_at_once(tmp_path: Path) -> None:
    planned = plan_of(tmp_path, list(bad_rows(tmp_path)))
    assert_told(planned, [(f"{tmp_path}/{SHEET} {where}", fix) for where, fix in CELLS])


def test_every_unreadable_sheet_is_told_at_once(tmp_path: Path) -> None:
    for name, (content, _) in SHEETS.items():
        (tmp_path / name).write_bytes(content)
    planned = plan(tmp_path, *[tmp_path / name for name in SHEETS], tmp_path / "nowhere.tsv")
    expected = [(f"{tmp_path}/{name}", what) for name, (_, what) in SHEETS.items()]
    assert_told(planned, [*expected, (f"{tmp_path}/nowhere.tsv", ": no such file")])


def test_mistakes_between_sheets_name_both(tmp_path: Path) -> None:
    first = write_sheet(tmp_path / "first.tsv", [session(tmp_path)])
    same = session(tmp_path, sequences=(), t2w="one_01_1_t1c.nii.gz")
    second = write_sheet(tmp_path / "second.tsv", [same])
    planned = plan(tmp_path, first, second)
    expected = [(f"{second}, row 2 (one/01/1): the session is in {first}, row 2 already", "take one row out")]
    again = f"{second}, row 2 (one/01/1), column t2w: 'one_01_1_t1c.nii.gz': is in {first}, row 2, column t1c"
    assert_told(planned, [*expected, (again, "give every session its own scans")])


def test_every_wrong_key_of_the_config_is_told_at_once(tmp_path: Path) -> None:
    planned = plan_of(tmp_path, [session(tmp_path)], **CONFIG)
    assert_told(planned, [(f"config, {where}", fix) for where, fix in KEYS])


def test_every_wrong_entry_of_the_model_table_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(MODELS)
    planned = plan_of(tmp_path, [session(tmp_path)], models=str(tmp_path / "models.yaml"))
    assert_told(planned, [(f"{tmp_path}/models.yaml, {where}", fix) for where, fix in ENTRIES])


def test_a_model_that_is_not_in_the_table_is_told(tmp_path: Path) -> None:
    planned = plan_of(tmp_path, [session(tmp_path)], segment={"models": ["flairbase"]})
    assert_stopped(planned)
    assert "config, segment.models: 'flairbase': is not in the model table; did you mean" in planned.output


TABLE = """\
segmentation:
  - {name: four, kind: nnunet, path: model, sequences: [t1n, t1c, t2w, t2f], regions: [WT], licence: MIT}
  - {name: pair, kind: nnunet, path: model, sequences: [t1c, t2f], optional: [t1c], regions: [WT], licence: x}
  - {name: last, kind: flair_baseline, sequences: [t1n], regions: [WT], licence: MIT}
"""


def table(folder: Path, changes: str = "") -> str:
    """A table of three models; ``changes`` stand in the entry of the second."""
    (folder / "model").mkdir()
    (folder / "models.yaml").write_text(TABLE.replace("optional:", f"{changes} optional:"))
    return str(folder / "models.yaml")


def test_sessions_that_no_wanted_model_takes_are_told_with_what_each_needs(tmp_path: Path) -> None:
    """The model `last` would take them, but is not wanted."""
    rows = [
        session(tmp_path),
        session(tmp_path, "02", sequences=("t1n", "t2w")),
        session(tmp_path, "03", sequences=("t1n", "t1c", "t2w")),
    ]
    planned = plan_of(tmp_path, rows, models=table(tmp_path), segment={"models": ["pair", "four"]})
    assert_stopped(planned)
    told = planned.output[planned.output.index("no model of segment.models") :].splitlines()[:3]
    assert told == [
        "no model of segment.models takes these sessions:",
        "one/02/1 has t1n and t2w; pair needs t2f; four needs t1c and t2f",
        "one/03/1 has t1n, t1c and t2w; pair needs t2f; four needs t2f",
    ]
    assert "or set segment.models to null to preprocess them only" in planned.output


def test_models_that_do_not_fit_the_config_are_told_at_once(tmp_path: Path) -> None:
    """Only those that a session is given to: the model `four` is wrong too, but nothing is given to it."""
    models = table(tmp_path, "atlas: SRI24, n4: true,")
    text = Path(models).read_text().replace("t2w, t2f], ", "t2w, t2f], atlas: SRI24, ")
    Path(models).write_text(text)
    named = {"models": ["four", "pair"]}
    rows = [session(tmp_path, sequences=("t1c", "t2f"))]
    planned = plan_of(tmp_path, rows, models=models, segment=named)
    expected = [
        ("model pair: was trained in the atlas SRI24, not MNI152", "set atlas.name to SRI24"),
        ("N4-corrected images, and N4 is otherwise for t1c", "set preprocess.n4 of t1c to apply"),
        ("N4-corrected images, and N4 is otherwise for t2f", "set preprocess.n4 of t2f to apply"),
    ]
    assert_told(planned, expected)


def test_a_file_of_a_session_that_no_sheet_lists_is_told(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path)])
    target = "results/one/sub-99/ses-1/anat/sub-99_ses-1_t1n.nii.gz"
    planned = plan(tmp_path, sheet, arguments=(target,))
    assert_stopped(planned)
    assert "no sample sheet lists one/99/1" in planned.output


def test_an_atlas_that_is_not_there_is_told(tmp_path: Path) -> None:
    planned = plan_of(tmp_path, [session(tmp_path)], atlas={"name": "own", "path": "nowhere.nii.gz"})
    assert_stopped(planned)
    assert f"{tmp_path}/out/nowhere.nii.gz" in planned.output


def test_a_number_on_the_command_line_is_a_number(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path)])
    chosen = settings([sheet], {"preprocess": {"n4_settings": {"shrink": 5}, "stripped": True}})
    planned = snakemake("-n", "--cores", "1", "--directory", tmp_path / "out", "--config", *chosen)
    assert planned.status == 0, planned.output
