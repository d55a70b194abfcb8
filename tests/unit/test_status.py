"""What is told of every session: from files that are there and from the last lines of logs."""

import os
from pathlib import Path

import pytest

from gliaflow.errors import ImageError
from gliaflow.job import job
from gliaflow.status import (
    DATA,
    KILLED,
    PROGRAM,
    TRACEBACK,
    cohort_status,
    exit_status,
    summary,
    write_status,
)
from gliaflow.tables import read_rows

STAGES = {
    "convert": "convert",
    "brain_mask": "preprocess",
    "segment": "segment",
    "features_cohort": "features",
}
NAMES = ("A", "B", "C")


def wanted() -> dict:
    """Three sessions with an image and a label map each, and a table of the cohort."""
    made = {
        ("one", name, "1"): {
            "preprocess": [f"results/one/sub-{name}/anat/image.nii.gz"],
            "segment": [f"results/one/sub-{name}/seg/{part}" for part in ("dseg.nii.gz", "volumes.tsv")],
        }
        for name in NAMES
    }
    return made | {("one", "", ""): {"features": ["results/one/features.tsv"]}}


def make(root: Path, *names: str) -> None:
    for path in (
        path for key, stages in wanted().items() if key[1] in names for s in stages.values() for path in s
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def log(root: Path, rule: str, name: str, text: str) -> Path:
    path = root / "logs" / rule / "one" / f"sub-{name}_ses-1.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def states(root: Path, **keys: float) -> dict[tuple[str, str], dict[str, str]]:
    rows = cohort_status(wanted(), STAGES, root=root, **keys)
    return {(row["subject"], row["stage"]): row for row in rows}


def test_what_is_there_is_done_and_what_was_not_begun_waits(tmp_path):
    make(tmp_path, "A")
    (tmp_path / "results/one/sub-B/seg").mkdir(parents=True)
    (tmp_path / "results/one/sub-B/seg/dseg.nii.gz").touch()
    found = {key: row["state"] for key, row in states(tmp_path).items()}
    assert found == {
        **{("A", "preprocess"): "done", ("A", "segment"): "done"},
        **{(name, stage): "waiting" for name in "BC" for stage in ("preprocess", "segment")},
        ("", "features"): "waiting",
    }


def test_an_error_is_told_with_its_line_and_what_waits_for_it(tmp_path):
    make(tmp_path, "A")
    log(
        tmp_path,
        "convert",
        "B",
        "reading\nERROR one/sub-B/ses-1 t1c: scan.nii.gz: cut off; copy it\n",
    )
    found = states(tmp_path)
    broken = found["B", "convert"]
    assert broken["state"] == "failed"
    assert broken["message"] == "one/sub-B/ses-1 t1c: scan.nii.gz: cut off; copy it"
    assert broken["advice"] == DATA
    assert broken["log"] == "logs/convert/one/sub-B_ses-1.log"
    assert found["B", "segment"]["advice"] == "waits for convert of convert"
    assert ("C", "convert") not in found
    assert exit_status(found.values()) == 3


def test_an_error_of_the_program_and_a_job_that_was_killed_have_other_advice(tmp_path):
    log(
        tmp_path,
        "brain_mask",
        "A",
        f"{TRACEBACK}:\n  x\nERROR one/sub-A/ses-1: KeyError\n",
    )
    log(tmp_path, "segment", "B", "epoch 1\n")
    found = states(tmp_path)
    assert found["A", "preprocess"]["advice"] == PROGRAM
    assert (found["B", "segment"]["state"], found["B", "segment"]["advice"]) == ("failed", KILLED)
    assert found["B", "segment"]["message"] == "epoch 1"
    assert exit_status(found.values()) == 1


def test_a_log_without_an_end_that_is_younger_than_the_run_is_of_a_job_that_runs(tmp_path):
    path = log(tmp_path, "segment", "A", "half\n")
    os.utime(path, (1000, 1000))
    assert states(tmp_path, since=999.0)["A", "segment"]["state"] == "running"
    assert states(tmp_path, since=1001.0)["A", "segment"]["state"] == "failed"


def test_steps_of_a_failed_group_that_never_began_wait(tmp_path):
    """Snakemake makes an empty log for each, and removes what others of the group had made."""
    for rule, said in (("convert", ""), ("brain_mask", ""), ("segment", "ERROR one/sub-B/ses-1: broken\n")):
        log(tmp_path, rule, "B", said)
    for rule, said in (("convert", "BEGIN x\nDONE x\n"), ("brain_mask", "BEGIN x\n"), ("segment", "")):
        log(tmp_path, rule, "C", said)
    found = states(tmp_path)
    assert ("B", "convert") not in found
    assert (found["B", "segment"]["state"], found["B", "segment"]["message"]) == (
        "failed",
        "one/sub-B/ses-1: broken",
    )
    assert (found["B", "preprocess"]["state"], found["B", "preprocess"]["advice"]) == (
        "waiting",
        "waits for segment of segment",
    )
    killed = found["C", "preprocess"]
    assert (killed["state"], killed["message"], killed["advice"]) == ("failed", "", KILLED)
    assert (found["C", "segment"]["state"], found["C", "segment"]["advice"]) == (
        "waiting",
        "waits for brain_mask of preprocess",
    )


def test_two_jobs_that_were_killed_are_both_told(tmp_path):
    for rule in ("brain_mask", "segment"):
        log(tmp_path, rule, "B", "BEGIN x\n")
    found = states(tmp_path)
    assert {found["B", stage]["advice"] for stage in ("preprocess", "segment")} == {KILLED}


def test_where_no_job_of_a_session_began_the_first_is_told(tmp_path):
    for rule in ("brain_mask", "segment"):
        log(tmp_path, rule, "B", "")
    assert states(tmp_path)["B", "preprocess"]["advice"] == KILLED


def test_what_an_old_log_tells_is_forgotten_where_the_files_are_there(tmp_path):
    make(tmp_path, *NAMES, "")
    log(tmp_path, "segment", "A", "ERROR one/sub-A/ses-1: it was so before\n")
    assert {row["state"] for row in states(tmp_path).values()} == {"done"}


def test_a_file_that_all_need_and_nobody_has_is_told_for_each_that_waits(tmp_path):
    make(tmp_path, "A")
    place = tmp_path / "logs" / "convert" / "atlas.log"
    place.parent.mkdir(parents=True)
    place.write_text("ERROR atlas: no brain\n")
    found = states(tmp_path)
    assert found["B", "convert"]["message"] == "atlas: no brain"
    assert ("A", "convert") not in found


def test_jobs_end_their_logs_so_that_it_is_known(tmp_path):
    for name, error in (("A", None), ("B", ImageError("a.nii.gz: is empty; copy it again"))):
        path = log(tmp_path, "segment", name, "")
        pid = os.fork()
        if not pid:
            try:
                with job(str(path), f"one/sub-{name}/ses-1"):
                    print("working")
                    if error:
                        raise error
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    assert (tmp_path / "logs/segment/one/sub-A_ses-1.log").read_text() == (
        "BEGIN one/sub-A/ses-1\nworking\nDONE one/sub-A/ses-1\n"
    )
    found = states(tmp_path)
    assert found["A", "segment"]["state"] == "waiting"
    assert found["B", "segment"]["message"] == "one/sub-B/ses-1: a.nii.gz: is empty; copy it again"


def test_the_table_and_the_summary(tmp_path):
    make(tmp_path, "A")
    log(tmp_path, "segment", "B", "ERROR one/sub-B/ses-1: too dark\nand too small\n")
    rows = cohort_status(wanted(), STAGES, root=tmp_path)
    write_status(tmp_path / "status.tsv", rows)
    read = read_rows([tmp_path / "status.tsv"])
    assert [row["state"] for row in read] == [row["state"] for row in rows]
    told = summary(rows)
    assert "  segment         1       1        0        1" in told
    assert "  sub-B/ses-1: segment: one/sub-B/ses-1: too dark" in told


def test_a_rejected_session_is_listed_as_such_and_counts_for_nothing(tmp_path):
    make(tmp_path, "B")
    log(tmp_path, "segment", "A", "ERROR one/sub-A/ses-1: too dark\n")
    plan = {key: {} if key[1] == "A" else stages for key, stages in wanted().items()}
    rows = cohort_status(plan, STAGES, root=tmp_path, rejected={("one", "A", "1"): "2026-03-31, AB, moved"})
    (own,) = [row for row in rows if row["subject"] == "A"]
    assert (own["stage"], own["state"], own["message"]) == ("review", "rejected", "2026-03-31, AB, moved")
    assert exit_status(rows) == 3
    assert exit_status([own]) == 1
    told = summary(rows)
    assert "  rejected by reviewers: 1" in told
    assert "  segment         1       0        0        1" in told
    write_status(tmp_path / "status.tsv", rows)


@pytest.mark.parametrize("subjects", [3000])
def test_a_large_cohort_is_looked_through_folder_by_folder(tmp_path, subjects, monkeypatch):
    """As many looks at the file system as there are folders, not files."""
    many = {
        ("one", f"P{k:05d}", "1"): {"segment": [f"results/one/sub-P{k:05d}/seg/{n}.nii.gz" for n in range(9)]}
        for k in range(subjects)
    }
    (tmp_path / "results/one/sub-P00000/seg").mkdir(parents=True)
    looks = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda place: looks.append(place) or walk(place))
    assert len(cohort_status(many, STAGES, root=tmp_path)) == subjects
    assert len(looks) == 1
