"""Two folders of results compared: every kind of file, what explains a difference, and the exit status."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.compare.__main__ import main
from gliaflow.compare.documents import differences
from gliaflow.compare.images import compare_images, compare_transforms
from gliaflow.compare.tables import compare_tables
from gliaflow.images import write_image
from gliaflow.preprocess.transforms import write_transform
from gliaflow.sidecar import write_json

SCAN, MOVED, LABELS = (
    "sub-01/anat/a_t1c.nii.gz",
    "sub-01/anat/a_space-ref_t1c.nii.gz",
    "sub-01/seg/a_dseg.nii.gz",
)
TABLE = "sub-01/seg/a_volumes.tsv"


def image(path: Path, values: np.ndarray, affine: np.ndarray | None = None, kind: str = "float32") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, values, np.eye(4) if affine is None else affine, kind)
    return path


def ramp() -> np.ndarray:
    return np.arange(60, dtype=np.float32).reshape(3, 4, 5)


def labels() -> np.ndarray:
    values = np.zeros((3, 4, 5), np.uint8)
    values[0], values[1] = 1, 3
    return values


def said(sources: list[str], **software: str) -> dict:
    return {"Sources": sources, "Space": "ref", "Parameters": {"shrink": 4}, "Software": software}


def results(folder: Path) -> Path:
    """A session: a scan, what was made from it, a label map and a table."""
    image(folder / SCAN, ramp())
    image(folder / MOVED, ramp())
    image(folder / LABELS, labels(), kind="uint8")
    run = "results/one/"
    for path, sources in ((SCAN, ["samples.tsv, one/01/1"]), (MOVED, [run + SCAN]), (LABELS, [run + MOVED])):
        write_json(
            folder / path.replace(".nii.gz", ".json"), said(sources, gliaflow="0.1.0", SimpleITK="2.5.7")
        )
    (folder / TABLE).write_text("cohort\tsubject\tsession\twt_volume_ml\none\t01\t1\t12.5\n")
    (folder / "picture.png").write_bytes(b"png")
    return folder


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    return results(tmp_path / "a"), results(tmp_path / "b")


def compare(both: tuple[Path, Path], capsys, *options: str) -> tuple[int, str]:
    status = main([*map(str, both), *options])
    return status, capsys.readouterr().out


def test_the_same_results_are_the_same(both, capsys) -> None:
    assert compare(both, capsys) == (0, "Files: 8 the same.\n")


def test_packing_order_of_keys_and_of_digits_are_no_difference(both, capsys) -> None:
    packed = both[1] / SCAN
    packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()), compresslevel=1, mtime=7))
    sidecar = both[1] / SCAN.replace(".nii.gz", ".json")
    sidecar.write_text(
        '{"Software": {"SimpleITK": "2.5.7", "gliaflow": "0.1.0"}, "Parameters": {"shrink": 4},'
        '"Space": "ref", "Sources": ["samples.tsv, one/01/1"]}'
    )
    (both[1] / TABLE).write_text("cohort\tsubject\tsession\twt_volume_ml\r\none\t01\t1\t12.50\r\n")
    assert compare(both, capsys) == (0, "Files: 8 the same (3 of the same are packed otherwise).\n")


def test_differing_voxels_are_counted_measured_and_explained(both, capsys) -> None:
    values = ramp()
    values[0, 0, :3] += (0.5, 2, 1)
    image(both[1] / SCAN, values)
    image(both[1] / MOVED, values)
    path = SCAN.replace(".nii.gz", ".json")
    write_json(both[1] / path, said(["samples.tsv, one/01/1"], gliaflow="0.1.0", SimpleITK="2.5.6"))
    status, text = compare(both, capsys)
    assert status == 1
    assert f"differs: {SCAN}\n    voxels: 3 of 60 differ (5 %), largest difference 2\n" in text
    assert "    why: Software.SimpleITK: '2.5.7' in A, '2.5.6' in B\n" in text
    assert f"    why: made from {SCAN}, which differs too\n" in text
    assert text.endswith(f"The differences begin at:\n    {SCAN}\nFiles: 5 the same, 3 differ.\n")


def test_a_difference_that_nothing_explains_says_so(both, capsys) -> None:
    image(both[1] / SCAN, ramp() + 1)
    assert "why: its sidecars name the same software, settings and sources" in compare(both, capsys)[1]


def test_label_maps_have_a_dice_for_each_label(both, capsys) -> None:
    values = labels()
    values[0, :2] = 0
    values[2, 0, 0] = 2
    image(both[1] / LABELS, values, kind="uint8")
    status, text = compare(both, capsys)
    assert status == 1
    assert "voxels: 11 of 60 differ" in text
    assert "Dice of label 1: 0.6667, 2: 0.0000, 3: 1.0000" in text


def test_files_of_one_folder_only_are_named(both, capsys) -> None:
    (both[0] / TABLE).unlink()
    (both[1] / "picture.png").unlink()
    status, text = compare(both, capsys)
    assert status == 1
    assert (
        text == f"only in A: picture.png\nonly in B: {TABLE}\nFiles: 6 the same, 1 only in A, 1 only in B.\n"
    )


def test_small_differences_pass_where_they_are_allowed(both, capsys) -> None:
    image(both[1] / SCAN, ramp() + np.float32(1e-3))
    (both[1] / TABLE).write_text("cohort\tsubject\tsession\twt_volume_ml\none\t01\t1\t12.5004\n")
    assert compare(both, capsys)[0] == 1
    assert compare(both, capsys, "--tolerance", "0.01")[0] == 0


def test_files_can_be_passed_over(both, capsys) -> None:
    (both[1] / "picture.png").write_bytes(b"other")
    (both[1] / "provenance.json").write_text("{}")
    status, text = compare(both, capsys)
    assert status == 1
    assert "differs: picture.png\n    bytes differ (3 in A, 5 in B)\n" in text
    assert compare(both, capsys, "--ignore", "*.png") == (0, "Files: 7 the same, 2 not compared.\n")


def test_a_summary_names_no_file(both, capsys) -> None:
    (both[1] / "picture.png").unlink()
    assert compare(both, capsys, "--summary") == (1, "Files: 7 the same, 1 only in A.\n")


def test_a_file_cut_short_is_a_difference(both, capsys) -> None:
    whole = (both[1] / SCAN).read_bytes()
    (both[1] / SCAN).write_bytes(whole[: len(whole) // 2])
    (both[1] / SCAN.replace(".nii.gz", ".json")).write_text("{")
    status, text = compare(both, capsys)
    assert status == 1
    assert text.count("bytes differ, and one cannot be read") == 2


def test_the_folder_of_a_run_stands_for_its_results(tmp_path, capsys) -> None:
    runs = tmp_path / "a", tmp_path / "b"
    for run in runs:
        results(run / "results" / "one")
    (runs[0] / "logs").mkdir()
    (runs[0] / "logs" / "a.log").touch()
    assert compare(runs, capsys)[0] == 0


@pytest.mark.parametrize("missing", [0, 1])
def test_a_folder_that_is_not_there_is_an_error(both, capsys, missing) -> None:
    folders = list(map(str, both))
    folders[missing] = str(both[0] / "nothing")
    assert main(folders) == 2
    assert "nothing: is no folder; name two folders of results" in capsys.readouterr().err


def test_an_empty_folder_is_an_error(both, tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert main([str(both[0]), str(tmp_path / "empty")]) == 2
    assert "holds no file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["a"], ["a", "b", "--tolerance", "-1"], ["a", "b", "--tolerance", "x"]]
)
def test_wrong_arguments_are_an_error(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_it_runs_as_a_module_and_explains_itself() -> None:
    command = [sys.executable, "-m", "gliaflow.compare", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "exit status: 0 the results are the same, 1 they differ, 2 they cannot be compared." in done.stdout


def test_grids_and_types_are_compared(tmp_path) -> None:
    moved = np.eye(4)
    moved[0, 3] = 0.25
    first = image(tmp_path / "a.nii.gz", ramp())
    assert compare_images(first, image(tmp_path / "b.nii.gz", ramp(), moved)) == [
        "affine: largest difference 0.25"
    ]
    assert compare_images(first, image(tmp_path / "c.nii.gz", ramp(), kind="int16")) == [
        "type: float32 in A, int16 in B"
    ]
    cut = compare_images(first, image(tmp_path / "d.nii.gz", ramp()[:2]))
    assert cut == ["shape: (3, 4, 5) in A, (2, 4, 5) in B"]


def test_values_that_are_not_finite_are_told_apart(tmp_path) -> None:
    odd = ramp()
    odd[0, 0, 0], odd[0, 0, 1] = np.nan, np.inf
    first = image(tmp_path / "a.nii.gz", odd)
    assert compare_images(first, image(tmp_path / "b.nii.gz", odd.copy())) == []
    found = compare_images(first, image(tmp_path / "c.nii.gz", ramp()))
    assert found == ["voxels: 2 of 60 differ (3.33 %), 2 where one value is not finite"]


def test_transforms_differ_by_their_matrices(tmp_path) -> None:
    moved = np.eye(4)
    moved[1, 3] = 1e-3
    write_transform(tmp_path / "a.tfm", np.eye(4))
    write_transform(tmp_path / "b.tfm", moved)
    found = compare_transforms(tmp_path / "a.tfm", tmp_path / "b.tfm")
    assert found == ["matrix: largest difference 0.001"]
    assert compare_transforms(tmp_path / "a.tfm", tmp_path / "b.tfm", tolerance=0.01) == []


def tables(folder: Path, first: str, second: str) -> list[str]:
    (folder / "a.tsv").write_text(first)
    (folder / "b.tsv").write_text(second)
    return compare_tables(folder / "a.tsv", folder / "b.tsv")


def test_rows_are_matched_by_their_names_and_cells_told(tmp_path) -> None:
    head = "cohort\tsubject\tsession\tml\n"
    found = tables(
        tmp_path,
        f"{head}one\t01\t1\t5\none\t02\t1\t6\none\t03\t1\t\n",
        f"{head}one\t03\t1\t7\none\t01\t1\t5.0\none\t04\t1\t8\n",
    )
    assert found == [
        "row only in A: one/02/1",
        "row only in B: one/04/1",
        "one/03/1, ml: empty in A, 7 in B",
    ]


def test_rows_without_names_are_matched_by_order_and_columns_told(tmp_path) -> None:
    found = tables(tmp_path, "x\ty\n1\t2\n1\t3\n", "x\tz\n1\t2\n2\t3\n")
    assert found == ["column only in A: y", "column only in B: z", "row 2, x: 1 in A, 2 in B"]


def test_many_cells_are_counted(tmp_path) -> None:
    rows = "".join(f"{n}\n" for n in range(30))
    found = tables(tmp_path, f"x\n{rows}", f"x\n{rows.replace(chr(10), '5' + chr(10))}")
    assert len(found) == 11
    assert found[-1] == "and 20 more cells"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_documents_differ_exactly_where_their_values_do(first, second) -> None:
    def typed(value):
        if isinstance(value, dict):
            return {key: typed(part) for key, part in value.items()}
        return [typed(part) for part in value] if isinstance(value, list) else (type(value).__name__, value)

    assert bool(list(differences(first, second))) == (typed(first) != typed(second))
