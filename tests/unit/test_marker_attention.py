"""MRI and pathology fused by attention: what is read, what a missing side does, and that both are learned."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gliaflow.errors import GliaflowError
from gliaflow.marker.attention_fusion import AttentionFusion
from gliaflow.marker.base import Design, Inputs
from gliaflow.marker.classifier import log_odds, stacked
from gliaflow.marker.dataset import Seen, write_seen
from gliaflow.marker.fit import fit_classifier
from gliaflow.marker.names import WHOLE, split_names
from gliaflow.marker.pathology import MOST_PATCHES, read_patches
from gliaflow.marker.settings import Networks
from gliaflow.marker.steps import Given, write_applied, write_fitted, write_out_of_fold, write_package
from gliaflow.marker.table import image_table
from gliaflow.predict.metrics import score_rows
from gliaflow.predict.package import open_predictor
from gliaflow.predict.score import score_table
from gliaflow.predict.table import read_table
from gliaflow.predict.tasks import Settings, Task
from gliaflow.tables import read_rows, write_table

EDGE, FEATURES = 16, 4
CLASSES = ("astrocytoma", "oligodendroglioma", "glioblastoma")
TASK = Task("type", "subtype", "attention_fusion", (), column="diagnosis", classes=CLASSES)
NETWORKS = Networks(sequences=("t1c",), voxels=EDGE, epochs=8, batch_size=6, learning_rate=3e-3)
FEW = Settings(folds=2, repeats=1, inner_folds=2, resamples=100, permutations=0, least_per_class=10)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cohort(folder: Path, subjects: int = 48, *, slides: float = 1.0) -> Given:
    """Glioblastomas have a bright rim on MRI; the others differ in one feature of half of their patches."""
    random = np.random.default_rng(0)
    grid = np.linalg.norm(np.indices((EDGE,) * 3) - (EDGE - 1) / 2, axis=0)
    sessions, images, people = [], [], []
    for number in range(subjects):
        kind = number % 3
        volume = np.zeros((4, EDGE, EDGE, EDGE), np.float32)
        volume[1] = random.normal(0, 0.5, grid.shape) + 2 * (kind == 2) * ((grid > 3) & (grid < 5))
        patches = random.normal(5, 1, (int(random.integers(5, 12)), FEATURES)).astype(np.float32)
        patches[::2, 0] += 6 * (kind == 1)
        seen = Seen(
            *(volume, np.zeros((4, 2 * EDGE, 2 * EDGE), np.float32), np.arange(4) == 1),
            *(np.where(np.arange(4) == 1, random.normal(), np.nan), float(random.uniform(5, 90)), 2.0),
            patches=patches if random.random() < slides else np.zeros((0, FEATURES), np.float32),
        )
        name = f"P{number:03d}"
        images.append(folder / f"{name}.npz")
        write_seen(images[-1], seen)
        sessions.append({"cohort": "one", "subject": name, "session": "1", "days": None})
        people.append({"cohort": "one", "subject": name, "diagnosis": CLASSES[kind]})
    pd.DataFrame(people).to_csv(folder / "people.tsv", sep="\t", index=False)
    return Given(sessions, images, folder / "people.tsv")


def table(folder: Path) -> Path:
    rows = [["one", "A", 1, 2.5], ["one", "B", 3, 4], ["one", "A", 5, 6]]
    frame = pd.DataFrame(rows, columns=["cohort", "subject", "f1", "f2"])
    frame.to_csv(folder / "slides.tsv", sep="\t", index=False)
    return folder / "slides.tsv"


def test_the_patches_of_a_subject_are_its_rows(tmp_path):
    path = table(tmp_path)
    assert read_patches(path, "one", "A").tolist() == [[1, 2.5], [5, 6]]
    assert read_patches(path, "one", "C").shape == (0, 2)
    many = pd.DataFrame({"cohort": "one", "subject": "A", "f1": range(2000)})
    many.to_csv(path, sep="\t", index=False)
    found = read_patches(path, "one", "A")[:, 0]
    assert len(found) == MOST_PATCHES
    assert (found[0], found[-1]) == (0, 1999)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.replace("subject", "person"), "lacks the column subject"),
        (lambda t: "cohort\tsubject\none\tA\n", "has no features"),
        (lambda t: t.replace("2.5", "high"), "row 2, f2: 'high' is no number"),
        (lambda t: t.replace("6", "inf"), "row 4, f2: 'inf' is no number"),
    ],
)
def test_mistakes_in_the_table_are_told_with_their_row(tmp_path, change, told):
    path = table(tmp_path)
    path.write_text(change(path.read_text().replace("6.0", "6")))
    with pytest.raises(GliaflowError, match=told):
        read_patches(path, "one", "A")


def test_subjects_without_pathology_are_predicted_by_mri_alone_and_padding_is_not_looked_at():
    torch.manual_seed(0)
    network = AttentionFusion(Design(1, EDGE, outputs=3, patch_features=2))
    images, present = torch.randn(2, 1, EDGE, EDGE, EDGE), torch.ones(2, 1)
    own = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    none = np.zeros((0, 2), np.float32)
    both = log_odds(network, Inputs(images, present, stacked([own, none])))
    assert both.shape == (2, 3)
    alone = log_odds(network, Inputs(images[1:], present[1:]))
    assert np.allclose(both[1:], alone, atol=1e-5)
    padded = stacked([own, np.zeros((9, 2), np.float32)])
    assert np.allclose(both[:1], log_odds(network, Inputs(images, present, padded))[:1], atol=1e-5)
    assert not np.allclose(both[:1], log_odds(network, Inputs(images[:1], present[:1])), atol=1e-3)


def test_both_sides_are_learned_and_a_package_marks_who_has_no_pathology(tmp_path):
    given = cohort(tmp_path)
    paths = {name: tmp_path / f"{name}.pt" for name in (*split_names(FEW.folds, 1, ["one"]), WHOLE)}
    for name, path in paths.items():
        write_fitted(given, TASK, FEW, NETWORKS, split=name, path=path, threads=1)
    whole = paths.pop(WHOLE)
    write_out_of_fold(given, TASK, FEW, NETWORKS, checkpoints=paths, path=tmp_path / "left.tsv")
    rows = read_table(tmp_path / "left.tsv", ["called", *(f"probability_{name}" for name in CLASSES)])
    scores = {name: float(value[0]) for (name, _), value in score_rows(rows, np.ones((1, len(rows)))).items()}
    assert scores["auc"] > 0.9
    assert scores["balanced_accuracy"] > 0.75
    told = score_table(rows, pd.DataFrame(), TASK, FEW)
    write_table(tmp_path / "scores.tsv", told, dict.fromkeys(told[0], "a score"))
    made = {"scores": tmp_path / "scores.tsv", "package": tmp_path / "type.zip", "card": tmp_path / "card.md"}
    write_package(given, TASK, FEW, NETWORKS, checkpoint=whole, **made)
    card = (tmp_path / "card.md").read_text()
    assert "which diagnosis a tumour is: astrocytoma, oligodendroglioma or glioblastoma" in card
    assert "and 4 features of pathology (attention_fusion)" in card
    assert open_predictor(made["package"]).manifest["training"]["classes"] == dict.fromkeys(CLASSES, 16)
    (tmp_path / "new").mkdir()
    new = cohort(tmp_path / "new", 6, slides=0.5)
    other = Given([{**session, "cohort": "two"} for session in new.sessions], new.images, None)
    write_applied(other, TASK, made["package"], None, tmp_path / "applied.tsv")
    found = pd.DataFrame(read_rows([tmp_path / "applied.tsv"]))
    assert len(found) == 3 * 6
    assert found.groupby("subject")["prediction"].sum().to_numpy() == pytest.approx(1, abs=1e-4)
    assert 0 < found["marks"].astype(str).str.contains("pathology is missing").sum() < 18
    assert set(found["group"]) <= set(CLASSES)


def test_other_features_of_pathology_than_in_training_are_refused(tmp_path):
    given = cohort(tmp_path, 36)
    short = replace(NETWORKS, epochs=1)
    settings = replace(FEW, least_subjects=20)
    fitted: Any = fit_classifier(
        image_table(given.read(), TASK, settings, ["t1c"]), TASK.model, settings, short
    )
    (tmp_path / "other").mkdir()
    paths = pd.DataFrame({"images": [str(path) for path in given.images]})
    assert fitted.predict(paths).shape == (36, 3)
    wider = replace(fitted.pipeline, design=replace(fitted.pipeline.design, patch_features=9))
    with pytest.raises(GliaflowError, match="4 features of pathology, and the network was trained on 9"):
        wider.predict_proba(paths)
