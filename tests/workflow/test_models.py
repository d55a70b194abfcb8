"""Trained models in the model table: what is refused before any job, and who gets which model."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from cohorts import facts, plan_of, session, write_sheet

from gliaflow.fetch import sha256_of
from gliaflow.nnunet.manifest import Manifest, label_names, manifest_bytes

FLAIR = {"name": "flairbaseline", "kind": "flair_baseline", "sequences": ["t2f"], "regions": ["WT"]}


TINY = Manifest(
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


def write_manifest(path: Path, manifest: Manifest) -> None:
    """A package that holds its manifest only, which is all that planning reads."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gliaflow.json", manifest_bytes(manifest))


def package(path: Path) -> dict:
    """A package, and its entry in the table."""
    write_manifest(path, TINY)
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


def brain_package(path: Path) -> dict:
    """A package for brain extraction, and its entry in the table."""
    labels = label_names("brain")
    changes = {"sequences": ("any",), "regions": ("brain",), "labels": labels, "atlas": "none", "n4": {}}
    write_manifest(path, replace(TINY, name="tinybrain", target="brain", **changes))
    return {"name": "tinybrain", "kind": "nnunet", "path": path.name, "sha256": sha256_of(path)}


def table(folder: Path, *entries: dict, brain: tuple[dict, ...] = ()) -> str:
    """A model table; the path of it."""
    parts = {"segmentation": entries, "brain_extraction": brain}
    licence = {"licence": "Apache-2.0"}
    content = {key: [licence | entry for entry in part] for key, part in parts.items()}
    (folder / "models.yaml").write_text(yaml.safe_dump(content))
    return str(folder / "models.yaml")


@pytest.fixture
def entry(tmp_path: Path) -> dict:
    return package(tmp_path / "tiny.zip")


NAMED = {"segment": {"models": ["tiny"]}}


@pytest.mark.parametrize(
    ("change", "config", "reason"),
    [
        ({"sha256": "0" * 64}, {}, "tiny.zip has the sha256"),
        ({"sequences": ["t1c", "t2w"]}, {}, 'sequences: ["t1c", "t2w"]'),
        ({"optional": ["t1c"]}, {}, 'optional: ["t1c"]'),
        ({"regions": ["WT"]}, {}, 'regions: ["WT"]'),
        ({}, {"preprocess": {"n4": "apply"}, **NAMED}, "was trained without N4-corrected images"),
        ({"atlas": "SRI24"}, NAMED, "was trained in the atlas SRI24, not MNI152"),
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


@pytest.mark.parametrize(
    ("change", "config", "reason"),
    [
        ({"atlas": "SRI24"}, {}, "model tiny: was trained in the atlas SRI24, not MNI152"),
        ({}, {"preprocess": {"n4": "apply"}}, "model tiny: was trained without N4-corrected images"),
    ],
)
def test_a_model_that_nobody_named_is_passed_over_where_the_config_does_not_suit_it(
    tmp_path: Path, entry: dict, change: dict, config: dict, reason: str
) -> None:
    rows = [session(tmp_path), session(tmp_path, "02")]
    planned = plan_of(tmp_path, rows, models=table(tmp_path, entry | change, FLAIR), **config)
    assert planned.status == 0, planned.output
    assert planned.jobs["segment"] == 2
    assert "_model-flairbaseline_" in planned.output
    assert "_model-tiny_" not in planned.output
    assert planned.output.count("These models are passed over") == 1
    assert reason in planned.output


def by_network(name: str = "tinybrain", **keys: object) -> dict:
    return {"preprocess": {"brain_extraction": {"method": "network", "model": name, **keys}}}


def test_the_brain_is_found_by_the_package_of_the_table(tmp_path: Path) -> None:
    """On a CPU unless the table says otherwise; a session that is stripped needs no network."""
    rows = [session(tmp_path), session(tmp_path, "02", stripped="yes")]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    entry = brain_package(tmp_path / "tinybrain.zip")
    for gpu in (False, True):
        models = table(tmp_path, FLAIR, brain=(entry | {"gpu": gpu},))
        jobs = facts(tmp_path, sheet, models=models, **by_network())["jobs"]
        found = {job["wildcards"]["subject"]: job for job in jobs if job["rule"] == "brain_mask"}
        assert found["01"]["input"][-1] == str(tmp_path / "tinybrain.zip")
        said = {"name": "tinybrain", "sha256": entry["sha256"], "gpu": gpu}
        params = found["01"]["params"]
        assert (params["method"], params["model"]) == ("network", said)
        assert (found["01"]["gpu"], found["02"]["gpu"]) == (int(gpu), 0)
        assert str(tmp_path / "tinybrain.zip") not in found["02"]["input"]


def test_the_package_for_brains_is_fetched_where_it_has_an_address(tmp_path: Path) -> None:
    entry = brain_package(tmp_path / "tinybrain.zip") | {"url": "https://example.org/tinybrain.zip"}
    models = table(tmp_path, FLAIR, brain=(entry | {"path": None},))
    planned = plan_of(tmp_path, [session(tmp_path)], models=models, **by_network())
    assert planned.jobs["fetch_model"] == 1, planned.output


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("other", {}, "config, preprocess.brain_extraction.model: 'other': is no package"),
        ("tinybrain", {"sha256": "0" * 64}, "tinybrain.zip has the sha256"),
        ("tinybrain", {"path": "tiny.zip", "sha256": None}, "tiny.zip: is no model of brain extraction"),
    ],
)
def test_a_package_that_finds_no_brain_stops_the_run_before_any_job(
    tmp_path: Path, entry: dict, name: str, change: dict, reason: str
) -> None:
    brain = brain_package(tmp_path / "tinybrain.zip") | change
    planned = plan_of(
        tmp_path, [session(tmp_path)], models=table(tmp_path, FLAIR, brain=(brain,)), **by_network(name)
    )
    assert planned.status == 1
    assert reason in planned.output, planned.output
    assert not planned.jobs
    assert "Traceback" not in planned.output


def test_a_package_for_brains_segments_no_tumour(tmp_path: Path, entry: dict) -> None:
    brain_package(tmp_path / "tinybrain.zip")
    wrong = entry | {"path": "tinybrain.zip", "sha256": None}
    planned = plan_of(tmp_path, [session(tmp_path)], models=table(tmp_path, wrong, FLAIR))
    assert planned.status == 1
    assert "is a model of brain extraction and finds no tumour" in planned.output


def test_a_brain_package_that_nobody_needs_is_not_looked_at(tmp_path: Path) -> None:
    rows = [session(tmp_path, stripped="yes")]
    planned = plan_of(tmp_path, rows, models=table(tmp_path, FLAIR), **by_network())
    assert planned.status == 0, planned.output


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
