"""Faults of machines and people: what is told, and that the next run ends with the same bytes.

docs/reliability.md has a row for each of `FAULTS`; a test below holds both together.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from workflow import REPOSITORY, Run, checksums, command, run, write_sheet

from gliaflow.images import write_image

FAULTS = (
    "a job is killed",
    "snakemake is killed",
    "a job runs out of memory",
    "the disk is full",
    "the results are read-only",
    "a lock is left behind",
    "two runs at once",
    "an input is dated in the future",
    "an intermediate file is removed",
    "an image holds values that are not finite",
    "a scan is cut short",
)
SUBJECTS = ("A", "B")
SEQUENCES = ("t1c", "t2f")
TARGETS = [
    f"results/one/sub-{subject}/ses-1/anat/sub-{subject}_ses-1_desc-n4_{sequence}.nii.gz"
    for subject in SUBJECTS
    for sequence in SEQUENCES
]
GO_ON = ("--keep-going", "--rerun-incomplete", "--retries", "0")
needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")


def scan(path: Path, seed: int) -> None:
    """A noisy ball, 3 mm."""
    grid = np.linalg.norm(np.indices((48, 48, 48)) - 23.5, axis=0)
    noise = np.random.default_rng(seed).normal(0, 5, grid.shape)
    write_image(path, np.where(grid < 20, 100 + noise, np.abs(noise)), np.diag([3.0, 3, 3, 1]))


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects with two scans each."""
    folder = tmp_path_factory.mktemp("scans")
    rows = []
    for number, subject in enumerate(SUBJECTS):
        row = {"cohort": "one", "subject": subject, "session": "1"}
        for k, sequence in enumerate(SEQUENCES):
            scan(folder / f"{subject}_{sequence}.nii.gz", 10 * number + k)
            row[sequence] = str(folder / f"{subject}_{sequence}.nii.gz")
        rows.append(row)
    return write_sheet(folder / "samples.tsv", rows)


@pytest.fixture(scope="module")
def undisturbed(sheet: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checksums of the results of a run that nothing disturbs."""
    done = start(tmp_path_factory.mktemp("undisturbed"), sheet)
    assert done.status == 0, done.output
    return images(done.directory)


def start(directory: Path, sheet: Path, *arguments: str) -> Run:
    return run(directory, sheet, *TARGETS, *GO_ON, *arguments)


def images(directory: Path) -> dict[str, str]:
    return {name: value for name, value in checksums(directory).items() if name.endswith(".nii.gz")}


def ends_well(directory: Path, sheet: Path, undisturbed: dict[str, str]) -> None:
    """The next run completes, with the same bytes, and nothing half-written lies about."""
    done = start(directory, sheet)
    assert done.status == 0, done.output
    assert images(directory) == undisturbed
    assert not list((directory / "results").rglob(".*"))


def begin(directory: Path, sheet: Path) -> subprocess.Popen:
    """Start the workflow and do not wait for it."""
    directory.mkdir(parents=True, exist_ok=True)
    asked = command(directory, sheet, *TARGETS, *GO_ON)
    return subprocess.Popen(
        asked,
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_for(what: Callable[[], object], process: subprocess.Popen) -> object:
    """Wait until something is there; the run must not end before."""
    while not (found := what()):
        assert process.poll() is None, "the run ended before it could be disturbed"
        time.sleep(0.05)
    return found


def job_of(process: subprocess.Popen, script: str) -> psutil.Process | None:
    """A job of the run, by the name of its script."""
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if any(script in word for word in child.cmdline()[1:2]):
                return child
        except psutil.NoSuchProcess:
            continue
    return None


def test_a_job_is_killed(sheet, undisturbed, tmp_path):
    process = begin(tmp_path, sheet)
    job = wait_for(lambda: job_of(process, ".n4.py"), process)
    job.kill()
    output, _ = process.communicate()
    assert process.returncode != 0
    assert "Error in rule n4" in output
    # it is told as failed, the other subject went on
    assert "n4" in (tmp_path / "results" / "one" / "status.tsv").read_text()
    assert 0 < len(images(tmp_path)) < len(undisturbed)
    ends_well(tmp_path, sheet, undisturbed)


def kill(directory: Path, sheet: Path) -> None:
    """Kill a run and all it started, in the middle."""
    process = begin(directory, sheet)
    wait_for(lambda: job_of(process, ".n4.py"), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_snakemake_is_killed_and_leaves_a_lock_behind(sheet, undisturbed, tmp_path):
    kill(tmp_path, sheet)
    locked = start(tmp_path, sheet)
    assert locked.status == 1
    assert "--unlock" in locked.output
    assert "Traceback" not in locked.output
    assert run(tmp_path, sheet, "--unlock").status == 0
    ends_well(tmp_path, sheet, undisturbed)


def test_two_runs_at_once(sheet, undisturbed, tmp_path):
    process = begin(tmp_path, sheet)
    wait_for(lambda: list((tmp_path / ".snakemake" / "locks").glob("*")), process)
    process.send_signal(signal.SIGSTOP)  # it may be shorter than the start of the second
    try:
        second = start(tmp_path, sheet)
        told = run(tmp_path, sheet, "--nolock", "status")
    finally:
        process.send_signal(signal.SIGCONT)
    assert second.status == 1
    assert "cannot be locked" in second.output
    assert told.status == 0, told.output
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert images(tmp_path) == undisturbed
    ends_well(tmp_path, sheet, undisturbed)


def test_a_job_runs_out_of_memory(sheet, undisturbed, tmp_path):
    """The system gives a job no more than it has: an error in its log, no file, and the others go on."""
    process = begin(tmp_path, sheet)
    job = wait_for(lambda: job_of(process, ".n4.py"), process)
    job.rlimit(psutil.RLIMIT_DATA, (2**20, 2**20))
    output, _ = process.communicate()
    assert process.returncode != 0
    assert "Error in rule n4" in output
    assert 0 < len(images(tmp_path)) < len(undisturbed)
    ends_well(tmp_path, sheet, undisturbed)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """A file system of some size."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


@needs_mounts
def test_the_disk_is_full(sheet, undisturbed, tmp_path):
    with small_disk(tmp_path / "disk", "900k"):
        full = start(tmp_path / "disk" / "out", sheet)
        assert full.status != 0
        assert "No space left on device" in full.output
        assert not list((tmp_path / "disk" / "out").rglob("results/**/.*"))
        remount(tmp_path / "disk", "size=100m")
        run(tmp_path / "disk" / "out", sheet, "--unlock")
        ends_well(tmp_path / "disk" / "out", sheet, undisturbed)


@needs_mounts
def test_the_results_are_read_only(sheet, undisturbed, tmp_path):
    with small_disk(tmp_path / "disk", "100m"):
        directory = tmp_path / "disk" / "out"
        (directory / "results").mkdir(parents=True)
        subprocess.run(["mount", "--bind", directory / "results", directory / "results"], check=True)
        try:
            remount(directory / "results", "bind,ro")
            refused = start(directory, sheet)
            assert refused.status != 0
            assert "Read-only file system" in refused.output
        finally:
            subprocess.run(["umount", "-l", directory / "results"], check=True)
        ends_well(directory, sheet, undisturbed)


def test_an_input_is_dated_in_the_future(sheet, undisturbed, tmp_path):
    folder = tmp_path / "scans"
    shutil.copytree(sheet.parent, folder)
    later = time.time() + 3600
    os.utime(folder / "A_t1c.nii.gz", (later, later))
    moved = folder / "samples.tsv"
    moved.write_text(moved.read_text().replace(str(sheet.parent), str(folder)))
    skewed = start(tmp_path / "out", moved)
    assert skewed.status != 0
    assert "could indicate a clock skew problem" in skewed.output
    assert len([name for name in images(tmp_path / "out") if "sub-B" in name]) == 4
    now = time.time()
    os.utime(folder / "A_t1c.nii.gz", (now, now))
    ends_well(tmp_path / "out", moved, undisturbed)


def test_an_intermediate_file_is_removed(sheet, undisturbed, tmp_path):
    ends_well(tmp_path, sheet, undisturbed)
    removed = [name for name in undisturbed if "sub-A" in name and name.endswith("t1c.nii.gz")]
    assert len(removed) == 2
    for name in removed:
        (tmp_path / name).unlink()
    again = start(tmp_path, sheet)
    planned = again.planned()
    assert {rule: planned[rule] for rule in ("convert", "n4")} == {"convert": 1, "n4": 1}
    assert images(tmp_path) == undisturbed


@pytest.mark.parametrize("fault", ["holed", "cut"])
def test_a_wrong_scan_stops_its_subject_alone(sheet, undisturbed, tmp_path, fault):
    folder = tmp_path / "scans"
    shutil.copytree(sheet.parent, folder)
    moved = folder / "samples.tsv"
    moved.write_text(moved.read_text().replace(str(sheet.parent), str(folder)))
    path, good = folder / "A_t1c.nii.gz", (folder / "A_t1c.nii.gz").read_bytes()
    if fault == "cut":
        path.write_bytes(good[: len(good) // 2])
    else:
        data = np.ones((48, 48, 48), np.float32)
        data[::7] = np.nan
        write_image(path, data, np.diag([3.0, 3, 3, 1]))
    wrong = start(tmp_path / "out", moved)
    assert wrong.status != 0
    assert re.search(r"gliaflow: one/sub-A/ses-1 t1c: .*(not a whole NIfTI|not finite)", wrong.output)
    assert "Traceback" not in wrong.output
    assert len([name for name in images(tmp_path / "out") if "sub-B" in name]) == 4
    path.write_bytes(good)
    ends_well(tmp_path / "out", moved, undisturbed)


def test_the_page_tells_of_every_fault():
    rows = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8").splitlines()
    told = [row.split("|")[1].strip() for row in rows if row.startswith("| ")]
    assert not set(FAULTS) - set(told)
