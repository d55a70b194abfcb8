"""The provenance of a real run, and the comparison of two runs on different places."""

import hashlib
import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from prov.model import ProvActivity, ProvDocument, ProvEntity, ProvGeneration, ProvUsage
from workflow import QUICK, Run, run, write_sheet

from gliaflow.compare.__main__ import main as compare
from gliaflow.status import STATUS_FILES

ANAT = "results/one/sub-01/ses-1/anat/sub-01_ses-1"
TARGETS = (f"{ANAT}_t1c.nii.gz", f"{ANAT}_desc-n4_t1c.nii.gz", "results/one/dataset_description.json")
PERSON = "Doe^Jane"


def scan(folder: Path) -> Path:
    """A head of three shells with noise, in a folder that carries a name."""
    folder.mkdir(parents=True)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 24)] * 3, indexing="ij"))
    radius = np.sqrt((grid**2).sum(axis=0))
    values = np.select([radius < 0.4, radius < 0.7, radius < 0.9], [300, 200, 100], 0)
    noise = np.random.default_rng(1).normal(0, 5, values.shape)
    nib.save(
        nib.Nifti1Image((values + noise).astype(np.float32), np.diag([6, 6, 6, 1])), folder / "t1c.nii.gz"
    )
    return folder / "t1c.nii.gz"


def row(path: Path, subject: str = "01") -> dict[str, str]:
    return {"cohort": "one", "subject": subject, "session": "1", "t1c": str(path)}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A finished run with its provenance, and its sheet."""
    return finished(tmp_path_factory.mktemp("here"))


def finished(folder: Path) -> tuple[Run, Path]:
    given = scan(folder / PERSON)
    sheet = write_sheet(folder / "samples.tsv", [row(given.relative_to(folder))])
    first = run(folder / "out", sheet, *TARGETS, config=QUICK)
    assert first.status == 0, first.output
    second = run(folder / "out", sheet, "provenance", config=QUICK)
    assert second.status == 0, second.output
    return second, sheet


@pytest.fixture(scope="module")
def told(here: tuple[Run, Path]) -> ProvDocument:
    """The provenance, as the prov library reads it."""
    text = (here[0].directory / "results/one/provenance.json").read_text()
    return ProvDocument.deserialize(content=text, format="json")


def test_every_result_is_an_entity_with_its_checksum(here: tuple[Run, Path], told: ProvDocument) -> None:
    entities = {str(entity.identifier): entity for entity in told.get_records(ProvEntity)}
    there = (here[0].directory / "results").rglob("*")
    files = [path for path in there if path.is_file() and path.name not in STATUS_FILES]
    made = {path.relative_to(here[0].directory).as_posix(): path for path in files}
    made.pop("results/one/provenance.json")
    assert set(TARGETS) < set(made)
    for name, path in made.items():
        (checksum,) = entities[f"run:{name}"].get_attribute("gliaflow:sha256")
        assert checksum == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_jobs_are_those_that_ran(told: ProvDocument) -> None:
    jobs = list(told.get_records(ProvActivity))
    rules = sorted(str(rule) for job in jobs for rule in job.get_attribute("gliaflow:rule"))
    assert rules == ["convert", "dataset_description", "n4"]
    assert all(job.get_startTime() <= job.get_endTime() for job in jobs)
    measured = [job for job in jobs if job.get_attribute("gliaflow:seconds")]
    assert len(measured) == 2


def test_what_was_used_and_made_is_told_of(told: ProvDocument) -> None:
    entities = {entity.identifier for entity in told.get_records(ProvEntity)}
    jobs = {job.identifier for job in told.get_records(ProvActivity)}
    ends = [tuple(use.args[:2]) for use in told.get_records(ProvUsage)]
    ends += [(made.args[1], made.args[0]) for made in told.get_records(ProvGeneration)]
    assert len(ends) >= 7
    assert not [pair for pair in ends if pair[0] not in jobs or pair[1] not in entities]
    given = [
        str(e.identifier) for e in told.get_records(ProvEntity) if str(e.identifier).startswith("given:")
    ]
    assert given == ["given:samples.tsv%2C%20one/01/1%2C%20column%20t1c"]


def test_nothing_tells_of_the_machine(here: tuple[Run, Path]) -> None:
    for name in ("provenance.json", "dataset_description.json"):
        text = (here[0].directory / "results/one" / name).read_text()
        assert PERSON not in text
        assert not re.search(r"[\"' ](/|~)", text)


def test_the_description_holds_the_checksum_of_the_sheet(here: tuple[Run, Path]) -> None:
    said = json.loads((here[0].directory / "results/one/dataset_description.json").read_text())
    assert said["SampleSheets"] == [
        {"Name": "samples.tsv", "Sha256": hashlib.sha256(here[1].read_bytes()).hexdigest()}
    ]


def test_nothing_is_left_to_do_and_a_new_row_runs_no_session_again(here: tuple[Run, Path]) -> None:
    finished_run, sheet = here
    targets = (*TARGETS, "provenance")
    again = run(finished_run.directory, sheet, "-n", *targets, config=QUICK)
    assert not again.planned(), again.output
    rows = [row(sheet.parent / PERSON / "t1c.nii.gz"), row(scan(sheet.parent / "other"), "02")]
    (sheet.parent / "more").mkdir()
    longer = write_sheet(sheet.parent / "more" / "samples.tsv", rows)
    after = run(finished_run.directory, longer, "-n", *targets, config=QUICK)
    assert set(after.planned()) == {"dataset_description", "provenance", "provenance_cohort"}, after.output


def test_the_same_run_in_another_place_gives_the_same_results(
    here: tuple[Run, Path], tmp_path: Path, capsys
) -> None:
    there = finished(tmp_path / "there")
    assert compare([str(here[0].directory), str(there[0].directory)]) == 0
    assert capsys.readouterr().out == "Files: 11 the same, 1 not compared.\n"


def test_another_setting_is_what_a_comparison_names(here: tuple[Run, Path], tmp_path: Path, capsys) -> None:
    config = {**QUICK, "preprocess": {"n4_settings": {"shrink": 2}}}
    other = run(tmp_path / "out", here[1], *TARGETS, config=config)
    assert other.status == 0, other.output
    assert compare([str(here[0].directory), str(other.directory)]) == 1
    text = capsys.readouterr().out
    assert f"The differences begin at:\n    {ANAT.removeprefix('results/')}_desc-n4_t1c.nii.gz\n" in text
    assert re.search(r"why: Parameters\.\S*shrink: \d in A, 2 in B", text), text
    assert "ConfigSha256: " in text
