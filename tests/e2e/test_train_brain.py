"""From whole heads with brain masks to a package of brain extraction."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from balls import CONFIG, write_heads, write_subject
from workflow import Run, run

from gliaflow.errors import ConfigError
from gliaflow.images import data_of, read_image
from gliaflow.nnunet.manifest import differences
from gliaflow.nnunet.model import open_model
from gliaflow.nnunet.weights import read_checkpoint
from gliaflow.preprocess.head_grid import to_head_grid

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`snakemake train` on two heads: one with two sequences, one with a single one."""
    folder = tmp_path_factory.mktemp("brain")
    return run(folder / "out", write_heads(folder), "train", config=CONFIG)


def training(done: Run) -> Path:
    return done.directory / "training" / "head"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_one_job_takes_every_head(trained):
    assert trained.status == 0, trained.output
    assert trained.planned()["train_take"] == 1
    assert not {"convert", "brain_mask", "resample_atlas"} & set(trained.planned())
    cases = sorted(path.name for path in (training(trained) / "taken").glob("balls_*"))
    assert cases == ["balls_1_1_t1c", "balls_1_1_t2f", "balls_2_1_t2f"]
    assert len(rows_of(training(trained) / "sessions.tsv")) == 2


def test_the_package_says_what_it_is(trained):
    files = open_model(training(trained) / "head.zip")
    assert files.folds == ("0", "1")
    manifest = files.manifest
    assert manifest is not None
    assert (manifest.target, manifest.sequences, manifest.regions) == ("brain", ("any",), ("brain",))
    assert manifest.spacing_mm == (4.0, 4.0, 4.0)
    assert files.dataset["labels"] == {"background": 0, "brain": [1, 2]}
    assert (manifest.training["subjects"], manifest.training["sessions"]) == (2, 2)


def test_every_scan_is_scored_by_itself(trained):
    rows = rows_of(training(trained) / "cross_validation.tsv")
    assert {row["region"] for row in rows} == {"brain"}
    assert sorted(row["sessions"] for row in rows) == ["1", "2"]


def test_the_card_and_the_model_table_name_brain_extraction(trained):
    card = (training(trained) / "model_card.md").read_text(encoding="utf-8")
    assert "A brain-extraction model." in card
    assert "## Trained on\n\nBalls in balls.\n" in card
    assert "2 of the 2 sessions (3 scans, each by itself)" in card
    table = yaml.safe_load((training(trained) / "models.yaml").read_text(encoding="utf-8"))
    assert table["brain_extraction"][0]["name"] == "head"
    assert table["brain_extraction"][0]["path"] == "head.zip"
    assert "head" not in {entry["name"] for entry in table["segmentation"]}


def test_the_ensemble_runs_on_a_head_grid(trained, tmp_path):
    from gliaflow.nnunet.predict import Ensemble, inference_from, voxels_of

    files = open_model(training(trained) / "head.zip")
    settings = {"tta": False, "step": 0.5, "cpu_precision": "float32"}
    ensemble = Ensemble(files, inference_from(settings, 1, gpu=False))
    write_subject(tmp_path, "3", ("t1c",), "none")
    head = to_head_grid(read_image(tmp_path / "3_t1c.nii.gz"), files.manifest.spacing_mm[0])
    logits, record = ensemble.mean_logits(*voxels_of([head]))
    placed = ensemble.placed(torch.sigmoid(torch.from_numpy(logits)).numpy(), record)
    assert placed.shape == (1, *head.shape[::-1])
    assert np.isfinite(placed).all()
    assert data_of(head).std() > 0


def test_segmentation_refuses_the_package(trained):
    manifest = open_model(training(trained) / "head.zip").manifest
    with pytest.raises(ConfigError, match="head: is a model of brain extraction and finds no tumour"):
        differences(None, manifest)


def test_a_later_training_starts_from_the_weights_of_the_package(trained, tmp_path):
    package = tmp_path / "first.zip"
    package.write_bytes((training(trained) / "head.zip").read_bytes())
    sheet = trained.directory.parent / "samples.tsv"
    train = {**CONFIG["train"], "start": str(package), "learning_rate": 0.0001}
    target = "training/head/folds/dice_ce/fold_0/checkpoint_final.pth"
    done = run(trained.directory, sheet, target, config={**CONFIG, "train": train})
    assert done.status == 0, done.output
    assert done.planned()["train_fold"] == 1
    assert "train_preprocess" not in done.planned()
    log = trained.directory / "logs" / "train_fold" / "head_dice_ce_fold-0.log"
    assert "starts from the weights of fold 0 of first.zip" in log.read_text(encoding="utf-8")
    before = open_model(package).checkpoint("0")["network_weights"]
    after = read_checkpoint(trained.directory / target, target)["network_weights"]
    assert all(torch.allclose(before[name], after[name], atol=1e-2) for name in before)
