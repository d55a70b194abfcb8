"""What is planned for several raters: their agreement, the training on it, and what it is compared with."""

import json
import zipfile
from pathlib import Path

import pytest
import yaml
from cohorts import facts, plan, session, write_sheet

from gliaflow.fetch import sha256_of
from gliaflow.nnunet.manifest import Manifest, label_names, manifest_bytes

READY = {"stripped": "yes", "registered": "atlas"}
TRAIN = {"target": "raters", "folds": 2}


def rated(folder: Path, subject: str, *, raters: int = 3, **cells: object) -> dict[str, str]:
    """A row with an empty file for each rater, and one that is no image."""
    place = folder / f"raters_{subject}"
    place.mkdir()
    for rater in range(raters):
        (place / f"rater{rater}.nii.gz").touch()
    (place / "notes.txt").touch()
    return session(folder, subject, raters=place.name, **cells)


def planned(folder: Path, rows: list[dict[str, str]], **train: object):
    sheet = write_sheet(folder / "samples.tsv", rows)
    return plan(folder, sheet, arguments=("train",), train={**TRAIN, **train})


def jobs_of(folder: Path, rows: list[dict[str, str]], **train: object) -> dict[str, list[dict]]:
    """The jobs of a training, by rule."""
    sheet = write_sheet(folder / "samples.tsv", rows)
    jobs = facts(folder, sheet, "train", train={**TRAIN, **train})["jobs"]
    return {rule: [job for job in jobs if job["rule"] == rule] for rule in {job["rule"] for job in jobs}}


def test_the_agreement_of_each_session_is_trained_on(tmp_path):
    rows = [rated(tmp_path, f"{k}") for k in range(4)]
    jobs = jobs_of(tmp_path, rows, rater_region="TC", rater_weights="staple")
    assert len(jobs["raters_atlas"]) == 4
    assert not {"reference_atlas", "train_take", "segment"} & set(jobs)
    first = jobs["raters_atlas"][0]
    assert [path for path in first["input"] if "rater" in Path(path).name] == [
        str(tmp_path / f"raters_{first['wildcards']['subject']}" / f"rater{k}.nii.gz") for k in range(3)
    ]
    assert (first["wildcards"]["region"], first["params"]["weights"]) == ("TC", "staple")
    (dataset,) = jobs["train_dataset"]
    assert dataset["params"]["recipe"]["regions"] == ["TC"]
    for case in dataset["params"]["cases"]:
        assert case["raters"] == 3
        assert case["label"].endswith("_space-MNI152_label-TC_desc-ratersstaple_dseg.nii.gz")
        assert case["label"] in {job["output"][0] for job in jobs["raters_atlas"]}
    (exported,) = jobs["train_export"]
    assert exported["params"]["recipe"]["target"] == "raters"
    assert exported["params"]["recipe"]["rater_weights"] == "staple"
    (tuned,) = jobs["train_tune"]
    assert (tuned["params"]["trials"], tuned["params"]["rule"]) == (0, "none")


def test_raters_of_ready_sessions_are_taken_by_one_job(tmp_path):
    jobs = jobs_of(tmp_path, [rated(tmp_path, f"{k}", **READY) for k in range(3)], rater_weights="simple")
    assert not {"raters_atlas", "resample_atlas"} & set(jobs)
    (take,) = jobs["train_take"]
    task = take["params"]["tasks"][0]
    assert (task["region"], task["weights"], len(task["raters"])) == ("WT", "simple", 3)
    assert set(task["raters"]) <= set(take["input"])
    (dataset,) = jobs["train_dataset"]
    assert {case["raters"] for case in dataset["params"]["cases"]} == {3}


def test_what_other_trainings_are_told_says_nothing_of_raters(tmp_path):
    """Else a finished training would be done again."""
    rows = [rated(tmp_path, f"{k}", label=f"label{k}.nii.gz", **cells) for k, cells in enumerate((READY, {}))]
    for row in rows:
        (tmp_path / row["label"]).touch()
    jobs = jobs_of(tmp_path, rows, target="tumour")
    assert "raters_atlas" not in jobs
    for rule in ("train_take", "train_dataset", "train_validate", "train_export"):
        assert "rater" not in json.dumps([job["params"] for job in jobs[rule]])


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((3, 3, 2), "2 of 3 have 3, but one/2/1 has 2; correct these rows"),
        ((1, 1, 1), "have 1 label map(s) (.nii or .nii.gz) each, such as one/0/1; give those of 2 to 100"),
        ((), "no session has raters; fill the column raters"),
    ],
)
def test_raters_that_do_not_fit_are_told_before_any_job(tmp_path, numbers, reason):
    rows = [rated(tmp_path, f"{k}", raters=number) for k, number in enumerate(numbers)]
    found = planned(tmp_path, rows or [session(tmp_path)])
    assert found.status == 1
    assert reason in found.output, found.output
    assert "most recent call last" not in found.output


def test_a_session_without_raters_is_left_out(tmp_path):
    rows = [rated(tmp_path, "1"), rated(tmp_path, "2"), session(tmp_path, "3")]
    assert planned(tmp_path, rows).jobs["raters_atlas"] == 2


def counting_table(folder: Path, **changes: object) -> str:
    """A model table with a package of three raters, which holds its manifest only."""
    manifest = Manifest(
        **{"name": "raters", "sequences": ("t1c",), "optional": (), "regions": ("ET",), "atlas": "MNI152"},
        **{"labels": label_names("raters", 3), "spacing_mm": (1.0, 1.0, 1.0), "n4": {"t1c": "registration"}},
        **{"postprocess": {}, "training": {}, "cross_validation": {}, "licence": "CC-BY-4.0"},
        **{"target": "raters"} | changes,
    )
    with zipfile.ZipFile(folder / "raters.zip", "w") as archive:
        archive.writestr("gliaflow.json", manifest_bytes(manifest))
    said = {
        **{"sequences": ["t1c"], "regions": ["ET"], "target": manifest.target, "atlas": "MNI152"},
        **{"licence": "CC-BY-4.0", "n4": False},
    }
    file = {"name": "raters", "kind": "nnunet", "path": "raters.zip"}
    table = {"segmentation": [{**file, **said, "sha256": sha256_of(folder / "raters.zip")}]}
    (folder / "models.yaml").write_text(yaml.safe_dump(table))
    return str(folder / "models.yaml")


@pytest.mark.parametrize("shared", [1, 2])
def test_a_model_of_several_raters_gives_agreement_maps_and_scores_where_there_are_raters(tmp_path, shared):
    rows = [rated(tmp_path, "1", raters=4), session(tmp_path, "2")]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    segment = {"sessions_per_job": shared}
    made = [f"results/one/sub-{k}/ses-1/seg/sub-{k}_ses-1" for k in (1, 2)]
    for target, count in (
        (f"{made[0]}_qubiq.tsv", 1),
        (f"{made[1]}_space-MNI152_desc-agreement_dseg.nii.gz", 0),
    ):
        known = facts(tmp_path, sheet, target, models=counting_table(tmp_path), segment=segment)
        jobs = {rule: [job for job in known["jobs"] if job["rule"] == rule] for rule in known["rules"]}
        (decoded,) = jobs["raters_decode"]
        assert decoded["params"]["facts"]["Region"] == "ET"
        assert decoded["params"]["within"] == ("" if shared == 1 else f"sub-{2 - count}_ses-1")
        segmented = jobs["segment" if shared == 1 else "segment_shared"]
        assert decoded["input"][0] == segmented[0]["output"][0]
        assert len(jobs["raters_score"]) == len(jobs["raters_atlas"]) == count
        for job in jobs["raters_atlas"]:
            assert (job["wildcards"]["region"], job["params"]["weights"]) == ("ET", "none")


def test_a_model_that_is_fetched_gives_agreement_maps_in_the_first_run(tmp_path):
    table = Path(counting_table(tmp_path))
    content = yaml.safe_load(table.read_text())
    del content["segmentation"][0]["path"]
    content["segmentation"][0]["url"] = "https://example.org/raters.zip"
    table.write_text(yaml.safe_dump(content))
    sheet = write_sheet(tmp_path / "samples.tsv", [rated(tmp_path, "1")])
    found = plan(tmp_path, sheet, models=str(table))
    assert found.status == 0, found.output
    assert [found.jobs[rule] for rule in ("fetch_model", "raters_decode", "raters_score")] == [1, 1, 1]


def test_a_table_that_does_not_say_that_a_model_counts_raters_is_told(tmp_path):
    table = Path(counting_table(tmp_path))
    table.write_text(table.read_text().replace("target: raters", "target: tumour"))
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, "1")])
    found = plan(tmp_path, sheet, models=str(table))
    assert found.status == 1
    assert "model raters, target" in found.output, found.output
    assert "write what the package says into the model table" in found.output


def test_an_agreement_map_needs_a_model_of_several_raters(tmp_path):
    target = "results/one/sub-1/ses-1/seg/sub-1_ses-1_space-MNI152_desc-agreement_dseg.nii.gz"
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, "1")])
    found = plan(tmp_path, sheet, arguments=(target,))
    assert found.status == 1
    assert "one/1/1 is segmented by no model of several raters; name one in segment.models" in found.output
