"""Networks, by the workflow, from images in the results to the table of predictions."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from workflow import Run, run, write_sheet

from gliaflow.images import write_image
from gliaflow.labels import SEQUENCES
from gliaflow.marker.dataset import see, write_seen
from gliaflow.marker.graph import read_graph, see_graph
from gliaflow.marker.pathology import read_patches

pytestmark = pytest.mark.slow

SUBJECTS = 42
DIAGNOSES = ("astrocytoma", "oligodendroglioma", "glioblastoma")
MGMT = {
    **{"name": "mgmt", "kind": "classification", "model": "atlas_graph"},
    **{"column": "mgmt", "positive": "methylated"},
}
TYPE = {
    **{"name": "type", "kind": "subtype", "model": "attention_fusion"},
    **{"column": "diagnosis", "classes": DIAGNOSES},
}
NETWORKS = {
    **{"sequences": ["t1c", "t2f"], "voxels": 16, "spacing_mm": 10, "epochs": 8, "batch_size": 4},
    **{"learning_rate": 0.003, "repeats": 1, "threads": 1},
}
AFFINE = np.array([[5, 0, 0, -77.5], [0, 5, 0, -77.5], [0, 0, 5, -77.5], [0, 0, 0, 1]])
DISTANCE = np.linalg.norm(np.indices((32, 32, 32)) - 15.5, axis=0)
FEW = {"tasks": [MGMT, TYPE], "folds": 2, "permutations": 39, "least_per_class": 10}


@dataclass(frozen=True)
class Cohort:
    """Its folder, sample sheet and config."""

    folder: Path
    sheet: Path
    config: dict

    @property
    def out(self) -> Path:
        """The folder of the workflow."""
        return self.folder / "out"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Subjects with one session; the first lacks t1c. A small atlas, whose graph the workflow has made."""
    folder = tmp_path_factory.mktemp("marker")
    random = np.random.default_rng(0)
    rows, people, slides = [], [], []
    for number in range(SUBJECTS):
        person = {"cohort": "one", "subject": f"P{number:02d}"}
        row = {**person, "session": "1"}
        for sequence in ("t1c", "t2f") if number else ("t2f",):
            row[sequence] = str(folder / f"P{number:02d}_{sequence}.nii.gz")
            Path(row[sequence]).touch()
        rows.append(row)
        mgmt, kind = ("unmethylated", "methylated")[number % 2], number // 2 % 3
        people.append({**person, "mgmt": mgmt, "diagnosis": DIAGNOSES[kind]})
        patches = random.normal(size=(6, 3)) + 3 * np.eye(3)[kind]
        slides += [{**person, **dict(zip("abc", patch, strict=True))} for patch in patches]
    for name, table in (("people", people), ("slides", slides)):
        pd.DataFrame(table).to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    write_image(folder / "small.nii.gz", (DISTANCE < 14) * (20 - DISTANCE), AFFINE)
    config = {
        "participants": str(folder / "people.tsv"),
        "atlas": {"name": "small", "path": str(folder / "small.nii.gz")},
        "predict": {**FEW, "networks": {**NETWORKS, "pathology": str(folder / "slides.tsv")}},
    }
    made = Cohort(folder, write_sheet(folder / "samples.tsv", rows), config)
    first = run(made.out, made.sheet, "resources/atlas/small_graph.npz", config=config)
    assert first.status == 0, first.output
    return made


def write_results(cohort: Cohort) -> None:
    """The results as they are before: the images of all sessions, seen already of all but the first."""
    random = np.random.default_rng(1)
    graph = read_graph(cohort.out / "resources" / "atlas" / "small_graph.npz")
    labels = np.where(DISTANCE < 4, 1, np.where(DISTANCE < 8, 2, 0)).astype(np.uint8)
    brain = DISTANCE < 14
    for number in range(SUBJECTS):
        name, dark = f"P{number:02d}", 1 - number % 2
        there = ("t1c", "t2f") if number else ("t2f",)
        images = {s: random.normal(0, 0.5, DISTANCE.shape) + 1.5 * dark * (labels == 2) for s in there}
        session = cohort.out / "results" / "one" / f"sub-{name}" / "ses-1"
        stem = f"sub-{name}_ses-1_space-small"
        for datatype in ("anat", "seg"):
            (session / datatype).mkdir(parents=True)
        # in the order of the workflow, so that nothing is older than what it is made of
        write_image(session / "anat" / f"{stem}_desc-brain_mask.nii.gz", brain, AFFINE, np.uint8)
        for sequence, image in images.items():
            write_image(session / "anat" / f"{stem}_desc-norm_{sequence}.nii.gz", image, AFFINE)
        write_image(session / "seg" / f"{stem}_dseg.nii.gz", labels, AFFINE, np.uint8)
        if number:
            seen = see(images, labels, brain, (5, 5, 5), voxels=16, spacing_mm=10)
            # the numbers that mark a prediction must not give the outcome away
            changed = {
                "graph": see_graph(images, SEQUENCES, (5, 5, 5), graph),
                "patches": read_patches(cohort.folder / "slides.tsv", "one", name),
                "mean": np.where(seen.present, random.normal(size=4), np.nan),
                "tumour_ml": float(random.uniform(1, 90)),
            }
            write_seen(session / "seg" / f"{stem}_images.npz", replace(seen, **changed))


@pytest.fixture(scope="module")
def predicted(cohort: Cohort) -> Run:
    """The workflow, up to the predictions."""
    write_results(cohort)
    targets = ["results/one/predictions.tsv", "results/predict/mgmt/roc.png"]
    return run(cohort.out, cohort.sheet, *targets, config=cohort.config)


@pytest.fixture(scope="module")
def rows(predicted: Run) -> pd.DataFrame:
    """The table of predictions."""
    return pd.read_csv(predicted.directory / "results" / "one" / "predictions.tsv", sep="\t")


def test_only_what_networks_need_is_run(predicted):
    assert predicted.status == 0, predicted.output
    expected = {"marker_data": 1, "marker_fit": 6, "marker_cross_validate": 2, "marker_chance": 2}
    expected |= {"predict_score_classes": 1, "predict_score_subtypes": 1, "marker_package": 2}
    expected |= {"marker_apply": 2, "predict_apply": 1}
    planned = predicted.planned()
    assert {rule: count for rule, count in planned.items() if rule[-1] != ":"} == expected


def test_the_marker_is_found_and_told_with_its_figures(predicted, rows):
    own = rows[rows["task"] == "mgmt"].reset_index(drop=True)
    assert len(own) == SUBJECTS
    assert (own["cross_validated"] > 0.9).all()
    assert (own["chance"] == 0.5).all()
    assert (own["p"] == 0.025).all()
    assert set(own["basis"]) == {"out of fold"}
    assert own["prediction"][1::2].mean() > 0.7
    assert own["prediction"][::2].mean() < 0.3
    assert "t1c_in_tumour is missing" in own["marks"][0]
    card = (predicted.directory / "results" / "predict" / "mgmt" / "card.md").read_text()
    assert "images (t1c, t2f) of the regions of the atlas" in card


def test_each_subtype_has_its_probability(rows):
    own = rows[rows["task"] == "type"]
    assert len(own) == 3 * SUBJECTS
    assert own.groupby("subject")["prediction"].sum().to_numpy() == pytest.approx(1, abs=1e-4)
    assert (own["cross_validated"] > 0.9).all()
    truth = np.repeat([DIAGNOSES[number // 2 % 3] for number in range(SUBJECTS)], 3)
    assert (own.sort_values(["subject", "quantity"])["group"].to_numpy() == truth).mean() > 0.8


def test_what_is_needed_no_more_is_removed(predicted):
    left = [
        path.name for path in (predicted.directory / "results").rglob("*") if path.suffix in (".npz", ".pt")
    ]
    assert left == []
