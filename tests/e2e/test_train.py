"""From a labelled cohort to a model package, and from the package to segmentations of new subjects."""

import csv
import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from workflow import REPOSITORY, Run, run

from gliaflow.images import data_of, read_image
from gliaflow.nnunet.model import open_model
from gliaflow.sidecar import read_json
from gliaflow.simulate.labelled import CohortPlan, write_cohort

pytestmark = pytest.mark.slow
SEQUENCES = ("t1c", "t2f")
RECIPE = {
    "sequences": list(SEQUENCES),
    "patch_size": [32, 32, 32],
    "batch_size": 2,
    "base_features": 8,
    "max_features": 32,
    "epochs": 3,
    "iterations": 20,
    "validation_iterations": 2,
    "checkpoint_epochs": 1,
    "dropout": 0.1,
    "sequence_dropout": 0.2,
}
CONFIG = {
    "atlas": {"resolution": 2},
    "preprocess": {"n4": "off"},
    "labels": {"default": "gliaflow", "generated": "brats2021"},
    "train": {"name": "tiny", "folds": 2, "losses": ["dice_ce", "dice_topk"], "tuning_trials": 30, **RECIPE},
    "segment": {"tta": False},
}


def cohort(folder: Path, **plan: object) -> Path:
    """A generated cohort whose sheet names two sequences only, so that less has to be prepared."""
    sheet = write_cohort(folder, CohortPlan(resolution_mm=2, **plan))
    with sheet.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    lines = [
        "\t".join("" if name in ("t1n", "t2w") else value for name, value in row.items()) for row in rows
    ]
    sheet.write_text("\n".join(["\t".join(rows[0]), *lines]) + "\n", encoding="utf-8")
    return sheet


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`snakemake train` on a small cohort: four subjects of two sites, one of them scanned twice."""
    folder = tmp_path_factory.mktemp("train")
    sheet = cohort(folder / "cohort", subjects=4, sessions=2, sites=2, seed=3, convention="brats2021")
    keep = [line for k, line in enumerate(sheet.read_text().splitlines()) if k < 3 or "\t1\t" in line[:30]]
    sheet.write_text("\n".join(keep) + "\n")
    config = {**CONFIG, "participants": str(sheet.with_name("participants.tsv"))}
    return run(folder / "out", sheet, "train", config=config)


def training(done: Run) -> Path:
    return done.directory / "training" / "tiny"


def test_a_sheet_becomes_a_package(trained):
    assert trained.status == 0, trained.output
    files = open_model(training(trained) / "tiny.zip")
    assert files.folds == ("0", "1")
    assert files.manifest is not None
    assert files.manifest.sequences == files.manifest.optional == SEQUENCES
    assert files.manifest.training["sessions"] == 5
    assert files.manifest.training["subjects"] == 4
    assert not {"optimizer_state", "logging"} & set(files.checkpoint("0"))
    assert files.manifest.training["patch_size"] == [32, 32, 32]
    assert (training(trained) / "tiny.zip").stat().st_size < 2e6


def test_stock_nnunet_loads_the_unpacked_package(trained, tmp_path):
    with zipfile.ZipFile(training(trained) / "tiny.zip") as package:
        package.extractall(tmp_path)
    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(tmp_path), None)
    assert len(predictor.list_of_parameters) == 2


def test_nothing_of_the_subjects_is_in_the_package(trained):
    with zipfile.ZipFile(training(trained) / "tiny.zip") as package:
        content = b"".join(package.read(name) for name in package.namelist())
    assert b"generated_0" not in content
    assert str(trained.directory).encode() not in content


def test_no_subject_is_on_both_sides(trained):
    with (training(trained) / "sessions.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    folds = {row["subject"]: {r["fold"] for r in rows if r["subject"] == row["subject"]} for row in rows}
    assert len(rows) == 5
    assert all(len(found) == 1 for found in folds.values())
    sites = {fold: sorted({r["site"] for r in rows if r["fold"] == fold}) for fold in ("0", "1")}
    assert sites == {"0": ["site1", "site2"], "1": ["site1", "site2"]}
    raw = training(trained) / "nnUNet_raw" / "Dataset001_tiny" / "splits.json"
    for split in read_json(raw)["splits"]:
        assert not {name.split("_")[1] for name in split["train"]} & {n.split("_")[1] for n in split["val"]}


def test_each_fold_takes_the_better_loss_and_what_missing_sequences_cost_is_told(trained):
    with (training(trained) / "cross_validation.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for fold in ("0", "1"):
        means = {
            loss: np.mean([float(r["dice_mean"]) for r in rows if (r["fold"], r["loss"]) == (fold, loss)])
            for loss in ("dice_ce", "dice_topk")
        }
        chosen = {r["loss"] for r in rows if r["fold"] == fold and r["selected"] == "yes"}
        assert chosen == {max(means, key=means.__getitem__)}
    with (training(trained) / "missing_sequences.tsv").open() as stream:
        assert {r["missing"] for r in csv.DictReader(stream, delimiter="\t")} == {"", "t1c", "t2f"}


@pytest.fixture(scope="module")
def segmented(trained, tmp_path_factory) -> Run:
    """New subjects, segmented with the package: one with both sequences, one without FLAIR."""
    folder = tmp_path_factory.mktemp("new")
    sheet = cohort(folder / "cohort", subjects=2, seed=11, cohort="new")
    with sheet.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    rows[1]["t2f"] = ""
    sheet.write_text("\n".join(["\t".join(rows[0]), *("\t".join(r.values()) for r in rows)]) + "\n")
    config = {**CONFIG, "models": str(training(trained) / "models.yaml")}
    config["segment"] = {"tta": True, "mc_dropout": 2, "folds": [0], "sessions_per_job": 2}
    targets = [
        f"results/new/sub-{row['subject']}/ses-1/seg/sub-{row['subject']}_ses-1_volumes.tsv" for row in rows
    ]
    return run(folder / "out", sheet, *targets, config=config)


def dseg(done: Run, subject: str, space: str) -> Path:
    return (
        done.directory
        / "results/new"
        / f"sub-{subject}/ses-1/seg/sub-{subject}_ses-1_space-{space}_dseg.nii.gz"
    )


def test_new_subjects_are_segmented_with_the_package(trained, segmented):
    assert segmented.status == 0, segmented.output
    assert segmented.planned()["segment_shared"] == 1
    tuned = read_json(training(trained) / "postprocess.json")["postprocess"]
    for subject, missing in (("001", []), ("002", ["t2f"])):
        said = json.loads(
            dseg(segmented, subject, "MNI152")
            .with_name(dseg(segmented, subject, "MNI152").name.replace(".nii.gz", ".json"))
            .read_text()
        )
        assert said["Model"] == "tiny"
        assert said["Regions"] == ["WT", "TC", "ET"]
        assert said["MissingSequences"] == missing
        assert said["Members"] == 16
        assert said["Precision"] == "bfloat16"
        assert said["Parameters"]["postprocess"]["threshold"] == tuned["threshold"]
        labels = data_of(read_image(dseg(segmented, subject, "ref")), np.uint8)
        assert set(np.unique(labels)) <= {0, 1, 2, 3}
    assert not list(segmented.directory.rglob("*member-*")), "members are temporary"


TRAIN_FOLD = """
import sys, json
from pathlib import Path
from gliaflow.train.fold import train_fold
from gliaflow.train.recipe import recipe_from
root, out, recipe = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
out.mkdir(parents=True, exist_ok=True)
train_fold(root / "nnUNet_preprocessed" / "Dataset001_tiny", out / "work", out,
           splits=root / "nnUNet_raw" / "Dataset001_tiny" / "splits.json",
           fold=0, loss="dice_ce", recipe=recipe_from(recipe, 1), threads=1)
"""


def start(root: Path, out: Path, recipe: dict) -> subprocess.Popen:
    command = [sys.executable, "-c", TRAIN_FOLD, str(root), str(out), json.dumps(recipe)]
    return subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


def test_a_killed_training_goes_on_from_its_checkpoint_and_ends_the_same(trained, tmp_path):
    root, recipe = training(trained), {**RECIPE, "iterations": 12}
    undisturbed = start(root, tmp_path / "whole", recipe)
    killed = start(root, tmp_path / "killed", recipe)
    while not (found := list((tmp_path / "killed").rglob("checkpoint_latest.pth"))):
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.02)
    time.sleep(0.5)
    killed.send_signal(signal.SIGKILL)
    before = torch.load(found[0], weights_only=False)["current_epoch"]
    assert "Epoch 0" in killed.communicate()[0]
    again = finish(start(root, tmp_path / "killed", recipe))
    assert f"Resumes after epoch {before - 1}" in again
    assert f"\nEpoch {before - 1}\n" not in again.replace(": Epoch", "\nEpoch")
    finish(undisturbed)
    first, second = (
        torch.load(tmp_path / name / "checkpoint_final.pth", weights_only=False)["network_weights"]
        for name in ("whole", "killed")
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not (tmp_path / "killed" / "work").exists()


def test_a_training_with_other_settings_does_not_go_on_from_an_old_checkpoint(trained, tmp_path):
    root, recipe = training(trained), {**RECIPE, "iterations": 4, "epochs": 3}
    process = start(root, tmp_path, recipe)
    while not list(tmp_path.rglob("checkpoint_latest.pth")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.kill()
    process.communicate()
    output = finish(start(root, tmp_path, {**recipe, "epochs": 2}))
    assert "Resumes" not in output


def test_a_finished_training_has_nothing_left_to_do(trained):
    sheet = trained.directory.parent / "cohort" / "samples.tsv"
    config = {**CONFIG, "participants": str(sheet.with_name("participants.tsv"))}
    again = run(trained.directory, sheet, "train", "-n", config=config)
    assert "Nothing to be done" in again.output, again.output
    config["train"] = {**CONFIG["train"], "tuning_trials": 40}
    planned = run(trained.directory, sheet, "train", "-n", config=config).planned()
    assert set(planned) == {"train_tune", "train_export", "train"}
