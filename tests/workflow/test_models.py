"""Trained models in the model table: what is refused before any job, and who gets which model."""

import zipfile
from pathlib import Path

import pytest
import yaml
from cohorts import facts, plan_of, session, write_sheet

from gliaflow.fetch import sha256_of
from gliaflow.nnunet.manifest import Manifest, label_names, manifest_bytes

FLAIR = {"name": "flairbaseline", "kind": "flair_baseline", "sequences": ["t2f"], "regions": ["WT"]}


def package(path: Path) -> dict:
    """A package that holds its manifest only, which is all that planning reads; its entry in the table."""
    manifest = Manifest(
        name="tiny",
        sequences=("t1c", "t2f"),
        optional=(),
        regions=("WT", "TC", "ET"),
        labels=label_names(),
        atlas="MNI152",
        spacing_mm=(1.0, 1.0, 1.0),
        n4={"t1c": "registration", "t2f": "registration"},
        postprocess={},
        training={},
        cross_validation={},
        licence="CC-BY-4.0",
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gliaflow.json", manifest_bytes(manifest))
    return {
        "name": "tiny",
        "kind": "nnunet",
        "path": path.name,
        "sha256": sha256_of(path),
        "sequences": ["t1c", "t2f"],
        "regions": ["WT", "TC", "ET"],
        "atlas": "MNI152",
        "licence": "CC-BY-4.0",
        "n4": False,
        "gpu": True,
    }


def table(folder: Path, *entries: dict) -> str:
    """A model table; the path of it."""
    content = {"segmentation": [{"licence": "Apache-2.0", **entry} for entry in entries]}
    (folder / "models.yaml").write_text(yaml.safe_dump(content))
    return str(folder / "models.yaml")


@pytest.fixture
def entry(tmp_path: Path) -> dict:
    return package(tmp_path / "tiny.zip")


@pytest.mark.parametrize(
    ("change", "config", "reason"),
    [
        ({"sha256": "0" * 64}, {}, "tiny.zip has the sha256"),
        ({"sequences": ["t1c", "t2w"]}, {}, 'sequences: ["t1c", "t2w"]'),
        ({"optional": ["t1c"]}, {}, 'optional: ["t1c"]'),
        ({"regions": ["WT"]}, {}, 'regions: ["WT"]'),
        ({}, {"preprocess": {"n4": "apply"}}, "was trained without N4-corrected images"),
        ({"atlas": "SRI24"}, {}, "was trained in the atlas SRI24, not MNI152"),
        ({"path": "other.zip"}, {}, "which is not there"),
    ],
)
def test_a_model_that_does_not_fit_stops_the_run_before_any_job(
    tmp_path: Path, entry: dict, change: dict, config: dict, reason: str
) -> None:
    models = table(tmp_path, entry | change)
    planned = plan_of(tmp_path, [session(tmp_path)], models=models, **config)
    assert planned.status == 1
    assert reason in planned.output, planned.output
    assert not planned.jobs
    assert "Traceback" not in planned.output


def test_a_damaged_package_stops_the_run_before_any_job(tmp_path: Path, entry: dict) -> None:
    whole = (tmp_path / "tiny.zip").read_bytes()
    (tmp_path / "tiny.zip").write_bytes(whole[: len(whole) // 2])
    models = table(tmp_path, entry | {"sha256": None})
    planned = plan_of(tmp_path, [session(tmp_path)], models=models)
    assert planned.status == 1
    assert "model tiny" in planned.output


def test_a_model_that_nobody_gets_is_not_looked_at(tmp_path: Path, entry: dict) -> None:
    models = table(tmp_path, FLAIR, entry | {"sha256": "0" * 64})
    assert plan_of(tmp_path, [session(tmp_path)], models=models).status == 0


def test_a_session_that_lacks_a_sequence_of_the_wanted_model_stops_the_run(
    tmp_path: Path, entry: dict
) -> None:
    rows = [session(tmp_path), session(tmp_path, "02", sequences=("t1c",))]
    models = table(tmp_path, FLAIR, entry)
    planned = plan_of(tmp_path, rows, models=models, segment={"models": ["tiny"]})
    assert planned.status == 1
    assert "one/02/1 has t1c; tiny needs t2f" in planned.output
    assert "one/01/1" not in planned.output


def test_a_session_goes_to_the_first_model_whose_sequences_it_has(tmp_path: Path, entry: dict) -> None:
    rows = [session(tmp_path), session(tmp_path, "02", sequences=("t2f",))]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    jobs = facts(tmp_path, sheet, models=table(tmp_path, entry, FLAIR))["jobs"]
    chosen = {job["wildcards"]["subject"]: job for job in jobs if job["rule"] == "segment"}
    assert {subject: job["wildcards"]["model"] for subject, job in chosen.items()} == {
        "01": "tiny",
        "02": "flairbaseline",
    }
    assert chosen["01"]["gpu"] == 1
    assert str(tmp_path / "tiny.zip") in chosen["01"]["input"]


def test_an_optional_sequence_may_be_missing(tmp_path: Path, entry: dict) -> None:
    (tmp_path / "tiny.zip").unlink()
    rows = [session(tmp_path, sequences=("t1c",))]
    optional = entry | {"optional": ["t1c", "t2f"], "path": None, "url": "https://example.org/tiny.zip"}
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    jobs = facts(tmp_path, sheet, models=table(tmp_path, optional))["jobs"]
    (job,) = (job for job in jobs if job["rule"] == "segment")
    images = [path for path in job["input"] if path.endswith("_desc-brain_t1c.nii.gz")]
    assert len(images) == 1
    assert [job["output"] for job in jobs if job["rule"] == "fetch_model"] == [
        ["resources/fetched/models/tiny.zip"]
    ]


def test_a_session_that_failed_in_a_shared_job_is_tried_again_by_itself(tmp_path: Path, entry: dict) -> None:
    rows = [session(tmp_path, f"{k:02}") for k in range(2)]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    failed = tmp_path / "out" / "results" / "one" / "members" / "tiny_batch-0" / "sub-01_ses-1"
    failed.mkdir(parents=True)
    (failed / "failed.txt").write_text("out of memory")
    jobs = facts(tmp_path, sheet, models=table(tmp_path, entry), segment={"sessions_per_job": 2})["jobs"]
    assert [job["wildcards"]["subject"] for job in jobs if job["rule"] == "segment"] == ["01"]


def test_sessions_share_a_loading_where_that_is_asked_for(tmp_path: Path, entry: dict) -> None:
    rows = [session(tmp_path, f"{k:02}") for k in range(5)]
    rows.append(session(tmp_path, "99", sequences=("t1n",)))
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    jobs = facts(tmp_path, sheet, models=table(tmp_path, entry), segment={"sessions_per_job": 2})["jobs"]
    shared = [job for job in jobs if job["rule"] == "segment_shared"]
    assert [len(job["params"]["tasks"]) for job in sorted(shared, key=lambda j: j["wildcards"]["batch"])] == [
        *(2, 2, 1)
    ]
    assert not [job for job in jobs if job["rule"] == "segment"]
    assert all(job["gpu"] == 1 for job in shared)
    members = {path for job in jobs if job["rule"] == "fuse" for path in job["input"] if "batch" in path}
    assert members == {path for job in shared for path in job["output"]}
