"""Snakemake's report holds every result worth seeing."""

from pathlib import Path

import pytest
from cohorts import REPOSITORY, facts, labelled, write_sheet

OF_BIDS = {"dseg.tsv"}
READY = {"stripped": "yes", "registered": "ref"}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory) -> list[dict]:
    """The jobs of a cohort with labels and follow-ups, of which everything is asked for."""
    folder = tmp_path_factory.mktemp("report")
    rows = [
        labelled(folder, subject, number=str(k + 1), days=str(120 * k), **READY)
        for subject in ("01", "02", "03")
        for k in range(2)
    ]
    everything = {name: {"in_all": True} for name in ("growth", "habitats", "export")}
    everything["habitats"]["least_subjects"] = 3
    sheet = write_sheet(folder / "samples.tsv", rows)
    return facts(folder, sheet, **everything)["jobs"]


def outputs(jobs: list[dict], key: str) -> set[str]:
    return {path for job in jobs for path in job[key]}


def test_every_picture_is_in_the_report(jobs):
    """Not so the pages of sessions, of 13 MB each."""
    shown = {path for path in outputs(jobs, "output") if path.endswith(".png")}
    assert len(shown) > 20
    assert shown - outputs(jobs, "reported") == set()


def test_every_table_and_file_of_a_cohort_is_in_the_report(jobs):
    tables = {
        path
        for path in outputs(jobs, "output")
        if path.count("/") == 2
        and path.endswith((".tsv", ".ctbl", ".txt"))
        and Path(path).name not in OF_BIDS
    }
    assert {"results/one/features.tsv", "results/one/evaluation.tsv", "results/one/habitats.tsv"} <= tables
    assert {"results/one/growth_summary.tsv", "results/one/labels_slicer.ctbl"} <= tables
    assert tables - outputs(jobs, "reported") == set()


def test_no_image_of_a_patient_is_in_the_report(jobs):
    assert not [path for path in outputs(jobs, "reported") if path.endswith((".nii.gz", ".dcm"))]


def test_every_caption_is_used():
    rules = "".join(path.read_text() for path in (REPOSITORY / "rules").rglob("*.smk"))
    rules += (REPOSITORY / "Snakefile").read_text()
    prefixed = ("evaluation_", "growth_", "predict_")
    unused = [
        path.stem
        for path in (REPOSITORY / "resources" / "report").glob("*.rst")
        if path.stem not in rules and not path.stem.startswith(prefixed)
    ]
    assert not unused
