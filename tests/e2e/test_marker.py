"""A network, by the workflow, from images in the results to the table of predictions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from workflow import Run, run, write_sheet

from gliaflow.images import write_image
from gliaflow.marker.dataset import see, write_seen

SUBJECTS = 40
MGMT = {
    **{"name": "mgmt", "kind": "classification", "model": "median_slice"},
    **{"column": "mgmt", "positive": "methylated"},
}
NETWORKS = {
    **{"sequences": ["t1c", "t2f"], "voxels": 16, "spacing_mm": 2, "epochs": 8, "batch_size": 4},
    **{"learning_rate": 0.003, "repeats": 1, "threads": 1},
}
FEW = {"tasks": [MGMT], "folds": 2, "permutations": 39, "networks": NETWORKS}


def prepared(folder: Path) -> tuple[Path, Path, Path]:
    """Sheets, and results as they are before: the images of all sessions, seen already of all but the first.

    Returns sample sheet, table of patients' data, and the folder of the workflow.
    """
    random, out, rows, people = np.random.default_rng(0), folder / "out", [], []
    grid = np.linalg.norm(np.indices((32, 32, 32)) - 15.5, axis=0)
    labels = np.where(grid < 4, 1, np.where(grid < 8, 2, 0)).astype(np.uint8)
    for number in range(SUBJECTS):
        name, positive = f"P{number:02d}", number % 2
        there = ["t1c", "t2f"] if number else ["t1c"]
        row = {"cohort": "one", "subject": name, "session": "1"}
        images = {}
        for sequence in there:
            raw = folder / f"{name}_{sequence}.nii.gz"
            raw.touch()
            row[sequence] = str(raw)
            images[sequence] = random.normal(0, 0.5, grid.shape) + 1.5 * (1 - positive) * (labels == 2)
        rows.append(row)
        people.append({"cohort": "one", "subject": name, "mgmt": ("unmethylated", "methylated")[positive]})
        session = out / "results" / "one" / f"sub-{name}" / "ses-1"
        stem = f"sub-{name}_ses-1_space-MNI152"
        for datatype in ("anat", "seg"):
            (session / datatype).mkdir(parents=True)
        # in the order of the workflow, so that nothing is older than what it is made of
        write_image(session / "anat" / f"{stem}_desc-brain_mask.nii.gz", labels > 0, np.eye(4), np.uint8)
        for sequence, image in images.items():
            write_image(session / "anat" / f"{stem}_desc-norm_{sequence}.nii.gz", image, np.eye(4))
        write_image(session / "seg" / f"{stem}_dseg.nii.gz", labels, np.eye(4), np.uint8)
        if number:
            seen = see(images, labels, labels > 0, (1, 1, 1), voxels=16, spacing_mm=2)
            # the numbers that mark a prediction must not give the outcome away
            write_seen(session / "seg" / f"{stem}_images.npz", unusual(seen, random))
    pd.DataFrame(people).to_csv(folder / "people.tsv", sep="\t", index=False)
    return write_sheet(folder / "samples.tsv", rows), folder / "people.tsv", out


def unusual(seen, random):
    """The same images, with numbers drawn at random."""
    mean = np.where(seen.present, random.normal(size=4), np.nan)
    return type(seen)(**{**vars(seen), "mean": mean, "tumour_ml": float(random.uniform(1, 90))})


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The workflow, up to the predictions."""
    sheet, people, out = prepared(tmp_path_factory.mktemp("marker"))
    targets = ["results/one/predictions.tsv", "results/predict/mgmt/roc.png"]
    config = {"participants": str(people), "predict": FEW}
    return run(out, sheet, *targets, config=config)


def test_only_what_networks_need_is_run(predicted):
    assert predicted.status == 0, predicted.output
    expected = {"marker_data": 1, "marker_fit": 3, "marker_cross_validate": 1, "marker_chance": 1}
    expected |= {"predict_score_classes": 1, "marker_package": 1, "marker_apply": 1, "predict_apply": 1}
    planned = predicted.planned()
    assert {rule: count for rule, count in planned.items() if rule[-1] != ":"} == expected


def test_the_marker_is_found_and_told_with_its_figures(predicted):
    rows = pd.read_csv(predicted.directory / "results" / "one" / "predictions.tsv", sep="\t")
    assert len(rows) == SUBJECTS
    assert (rows["cross_validated"] > 0.9).all()
    assert (rows["chance"] == 0.5).all()
    assert (rows["p"] == 0.025).all()
    assert set(rows["basis"]) == {"out of fold"}
    assert rows["prediction"][1::2].mean() > 0.7
    assert rows["prediction"][::2].mean() < 0.3
    assert "t2f_in_tumour is missing" in rows["marks"][0]
    card = (predicted.directory / "results" / "predict" / "mgmt" / "card.md").read_text()
    assert "images (t1c, t2f) of the tumour, 16 voxels of 2 mm an edge" in card


def test_what_is_needed_no_more_is_removed(predicted):
    left = [path.name for path in predicted.directory.rglob("*") if path.suffix in (".npz", ".pt")]
    assert left == []
