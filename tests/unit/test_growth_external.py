"""Growth models that run as a command.

Golden values: the arrays that a small program of the test's own writes or finds in its input folder, read and
written by nibabel alone. Then the ways in which such a program fails.
"""

import os
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.external import ExternalModel, run_external
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array

SHAPE = (6, 5, 4)
AFFINE = np.array([[2.0, 0, 0, -5], [0, 2, 0, 7], [0, 0, 3, 1], [0, 0, 0, 1]])
BRAIN = np.zeros(SHAPE, dtype=bool)
BRAIN[1:5, 1:4, 1:3] = True
VALUES = np.linspace(0, 1, BRAIN.size, dtype=np.float32).reshape(SHAPE)
GIVE = """
import shutil, sys
shutil.copytree(sys.argv[3], sys.argv[2], dirs_exist_ok=True)
"""
"""A model that knows its answer: the files in a folder of the test's."""


def brain_tissue() -> Tissue:
    rng = np.random.default_rng(3)
    white = rng.uniform(0.3, 0.6, SHAPE).astype(np.float32) * BRAIN
    grey = 0.4 * BRAIN.astype(np.float32)
    return Tissue(white, grey, BRAIN - white - grey, BRAIN, (2.0, 2.0, 3.0))


TISSUE = brain_tissue()
LABELS = np.zeros(SHAPE, dtype=np.uint8)
LABELS[2, 2, 1:3] = (3, 2)


def changed(place: tuple[int, int, int], value: float) -> Array:
    values = VALUES.copy()
    values[place] = value
    return values


@pytest.fixture
def run(tmp_path):
    """Runs a program that gives images, by name, as they were written by nibabel."""

    def run(
        *images: Array, names: tuple[str, ...] = ("s1.nii.gz",), affine: Array = AFFINE, **changes: object
    ) -> Array:
        number = len(list(tmp_path.glob("run*")))
        folder, made = tmp_path / f"run{number}", tmp_path / f"made{number}"
        for name, values in zip(names, images, strict=False):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(np.asarray(values, dtype=np.float32), affine), made / name)
        program = str(changes.pop("program", GIVE))
        command = (sys.executable, "-I", "-S", "-c", program, "{input}", "{output}", str(made))
        model = ExternalModel(**{"name": "mine", "command": command, **changes})
        log = tmp_path / "logs" / "a.log"
        return run_external(model, TISSUE, LABELS, AFFINE, folder=folder, log=log, name="s1")

    return run


def test_the_model_finds_tissue_and_segmentation_by_the_names_of_the_contract(run, tmp_path):
    run(VALUES)
    folder = tmp_path / "run0" / "input"
    expected = {"gm": TISSUE.grey, "wm": TISSUE.white, "csf": TISSUE.csf, "tumorseg": LABELS}
    assert {path.name for path in folder.iterdir()} == {f"s1-{part}.nii.gz" for part in expected}
    for part, values in expected.items():
        image = nib.load(folder / f"s1-{part}.nii.gz")
        np.testing.assert_array_equal(np.asarray(image.dataobj), values)
        np.testing.assert_allclose(image.affine, AFFINE)


def test_a_density_comes_back_and_is_0_outside_the_brain(run):
    density = run(VALUES)
    np.testing.assert_array_equal(density[BRAIN], VALUES[BRAIN])
    assert not density[~BRAIN].any()
    assert density.dtype == np.float32


def test_a_time_may_be_infinite_and_never_comes_outside_the_brain(run):
    values = 100 * VALUES
    values[2] = np.inf
    times = run(values, gives="time")
    assert np.isinf(times[2]).all()
    assert np.isinf(times[~BRAIN]).all()
    assert times[1, 1, 1] == pytest.approx(100 * (20 + 4 + 1) / 119, rel=1e-5)


def test_another_order_of_the_axes_and_a_fourth_of_one_are_understood(run):
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = SHAPE[0] - 1
    density = run(VALUES[::-1, ..., None], affine=AFFINE @ flip)
    np.testing.assert_array_equal(density[BRAIN], VALUES[BRAIN])


def test_a_density_off_by_rounding_is_clipped(run):
    assert run(changed((2, 2, 2), 1.0009))[2, 2, 2] == 1
    assert run(changed((2, 2, 2), -0.0009))[2, 2, 2] == 0


def test_the_file_may_lie_deeper_and_what_is_printed_is_kept(run, tmp_path):
    program = GIVE + "print('step 1'); print('oops', file=sys.stderr)"
    run(VALUES, names=("a/b.nii",), program=program)
    assert sorted((tmp_path / "logs" / "a.log").read_text().split()) == ["1", "oops", "step"]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            "import sys; print('no licence'); sys.exit(3)",
            r"mine: the command ended with status 3 \(no licence\)",
        ),
        ("import sys; sys.exit(2)", r"status 2 \(it printed nothing\)"),
        ("pass", r"left 0 NIfTI files in .*\(none\); it has to leave one"),
        ("import sys; open(sys.argv[2] + '/a.nii', 'w').write('x')", "not a whole NIfTI file"),
    ],
)
def test_a_program_that_fails_is_told_of(run, program, message):
    with pytest.raises(ImageError, match=message):
        run(program=program)


@pytest.mark.parametrize(
    ("values", "gives", "message"),
    [
        (VALUES[1:], "density", r"s1.nii.gz: lies on another grid: shape \(5, 5, 4\) against \(6, 5, 4\)"),
        (changed((2, 2, 2), np.nan), "density", "1 voxels are not finite"),
        (changed((2, 2, 2), np.inf), "density", "1 voxels are not finite"),
        (changed((2, 2, 2), np.nan), "time", "1 voxels are not finite"),
        (changed((2, 2, 2), -np.inf), "time", "1 voxels are not finite"),
        (
            changed((2, 2, 2), 1.5),
            "density",
            r"density from .* to 1.5 in the brain; a density lies from 0 to 1",
        ),
        (changed((2, 2, 2), -1.0), "time", r"time from -1 .* in the brain; days count from 0"),
        (0 * VALUES, "density", "the image is empty"),
        (np.full(SHAPE, np.inf), "time", "the image is empty"),
        (np.stack([VALUES] * 2, axis=-1), "density", "one 3-D volume is needed"),
    ],
)
def test_an_image_that_cannot_be_is_told_of(run, values, gives, message):
    with pytest.raises(ImageError, match=message):
        run(values, gives=gives)


def test_two_images_and_another_place(run):
    with pytest.raises(ImageError, match=r"left 2 NIfTI files .*\(b.nii, s1.nii.gz\)"):
        run(VALUES, VALUES, names=("s1.nii.gz", "b.nii"))
    with pytest.raises(ImageError, match="lies on another grid"):
        run(VALUES, affine=np.eye(4))


def test_a_model_that_takes_too_long_is_stopped_with_all_that_it_started(run, tmp_path):
    """The program forks, and writes the number of its child."""
    child = tmp_path / "child"
    program = (
        f"import os, time\npid = os.fork()\nif pid: open({str(child)!r}, 'w').write(str(pid))\ntime.sleep(90)"
    )
    with pytest.raises(ImageError, match=r"mine: took more than 0.05 minutes; raise timeout_minutes"):
        run(program=program, timeout_minutes=0.05)
    pid, deadline = int(child.read_text()), time.monotonic() + 30
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended but was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_no_shell_reads_the_command(tmp_path):
    model = ExternalModel("mine", ("run", "--in={input}", "{output}", "; touch", "$(touch x)", "{other}"))
    found = model.arguments(Path("/a b"), Path("/c"))
    assert found == ["run", "--in=/a b", "/c", "; touch", "$(touch x)", "{other}"]


def test_a_program_that_is_not_there(tmp_path):
    model = ExternalModel("mine", ("no-such-program", "{input}", "{output}"))
    with pytest.raises(ConfigError, match=r"mine: 'no-such-program' cannot be run \(No such file"):
        run_external(model, TISSUE, LABELS, AFFINE, folder=tmp_path / "r", log=tmp_path / "a.log", name="s1")


def test_a_folder_of_an_earlier_run_is_not_used(tmp_path):
    (tmp_path / "input").mkdir()
    model = ExternalModel("mine", (sys.executable, "{input}", "{output}"))
    with pytest.raises(ConfigError, match="input: is there already"):
        run_external(model, TISSUE, LABELS, AFFINE, folder=tmp_path, log=tmp_path / "a.log", name="s1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": ()}, r"mine: the command lacks \{input\} and \{output\}"),
        ({"command": ("run", "{input}")}, r"mine: the command lacks \{output\}; write where it belongs"),
        ({"gives": "days"}, "mine: gives: 'days' does not fit; write density or time"),
        ({"timeout_minutes": 0}, "mine: timeout_minutes: 0: write a number above 0"),
        ({"timeout_minutes": float("nan")}, "timeout_minutes: nan"),
    ],
)
def test_a_model_that_cannot_be_is_told_what_to_write(changes, message):
    with pytest.raises(ConfigError, match=message):
        ExternalModel(**{"name": "mine", "command": ("run", "{input}", "{output}"), **changes})
