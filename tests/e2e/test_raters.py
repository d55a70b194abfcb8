"""Several raters: from their label maps to a package that counts them, and to agreement in a new session."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from workflow import Run, run

from gliaflow.images import data_of, read_image, write_image
from gliaflow.labels import region_mask
from gliaflow.nnunet.model import open_model
from gliaflow.segment.segmenters import dequantise
from gliaflow.simulate.labelled import CohortPlan, write_cohort

pytestmark = pytest.mark.slow

RATERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "generous": lambda tumour: ndimage.binary_dilation(tumour, iterations=2),
    "careful": ndimage.binary_erosion,
    "shifted": lambda tumour: np.roll(tumour, 1, axis=0),
}
CONFIG = {
    "atlas": {"resolution": 2},
    "preprocess": {"n4": "off"},
    "segment": {"tta": False},
    "train": {
        **{"name": "tiny", "target": "raters", "sequences": ["t2f"], "folds": 2, "folds_trained": 1},
        **{"patch_size": [32, 32, 32], "batch_size": 2, "base_features": 8, "max_features": 16},
        **{"encoder_convolutions": 1, "decoder_convolutions": 1, "epochs": 2, "iterations": 25},
        **{
            "validation_iterations": 1,
            "optimiser": "adamw",
            "learning_rate": 0.005,
            "augmentation": "spatial",
        },
    },
}


def rated_cohort(folder: Path, **plan: object) -> Path:
    """A generated cohort with one sequence, each label map replaced by those of three simulated raters."""
    sheet = write_cohort(folder, CohortPlan(resolution_mm=2, **plan))
    with sheet.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for row in rows:
        label = read_image(folder / row["label"])
        row["raters"] = f"raters/{row['subject']}"
        (folder / row["raters"]).mkdir(parents=True)
        for name, rate in RATERS.items():
            marked = rate(region_mask(data_of(label, np.uint8), "WT"))
            write_image(folder / row["raters"] / f"{name}.nii.gz", 2 * marked, label.affine, np.uint8)
        row.update(label="", t1n="", t1c="", t2w="")
    sheet.write_text("\n".join(["\t".join(rows[0]), *("\t".join(r.values()) for r in rows)]) + "\n")
    return sheet


def votes(folder: Path, subject: str) -> np.ndarray:
    """How many of a subject's raters mark each voxel."""
    paths = (folder / "raters" / subject).iterdir()
    return np.sum([data_of(read_image(path), np.uint8) > 0 for path in paths], axis=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`snakemake train` with the target raters."""
    folder = tmp_path_factory.mktemp("raters")
    sheet = rated_cohort(folder / "cohort", subjects=3, seed=3)
    return run(folder / "out", sheet, "train", config=CONFIG)


def training(done: Run) -> Path:
    return done.directory / "training" / "tiny"


def test_the_raters_become_a_package_that_counts_them(trained):
    assert trained.status == 0, trained.output
    files = open_model(training(trained) / "tiny.zip")
    assert files.manifest is not None
    assert (files.manifest.target, files.manifest.regions) == ("raters", ("WT",))
    assert files.manifest.labels == {str(k): f"{k} of 3 raters" for k in (1, 2, 3)}
    assert (files.manifest.training["raters"], files.manifest.training["rater_weights"]) == (3, "none")
    assert files.dataset["labels"] == {"background": 0, "1": 1, "2": 2, "3": 3}
    assert "how many of 3 raters mark WT" in (training(trained) / "model_card.md").read_text()


def test_what_was_trained_on_is_the_number_of_raters(trained):
    labels = sorted((training(trained) / "nnUNet_raw" / "Dataset001_tiny" / "labelsTr").iterdir())
    assert len(labels) == 3
    for path in labels:
        expected = votes(trained.directory.parent / "cohort", path.name.split("_")[1])
        np.testing.assert_array_equal(data_of(read_image(path), np.uint8), expected)
        assert set(np.unique(expected)) == {0, 1, 2, 3}


def test_the_cross_validation_is_qubiqs(trained):
    with (training(trained) / "cross_validation.tsv").open() as stream:
        (row,) = csv.DictReader(stream, delimiter="\t")
    assert (row["region"], row["selected"]) == ("WT", "yes")
    assert 0 <= float(row["dice_min"]) <= float(row["dice_mean"]) <= 1


@pytest.fixture(scope="module")
def segmented(trained, tmp_path_factory) -> Run:
    """A new session of three raters, segmented with the package and compared with them."""
    folder = tmp_path_factory.mktemp("new")
    sheet = rated_cohort(folder / "cohort", subjects=1, seed=11, cohort="new")
    config = {**CONFIG, "models": str(training(trained) / "models.yaml")}
    return run(folder / "out", sheet, str(seg("qubiq.tsv")), str(seg("volumes.tsv")), config=config)


def seg(name: str) -> Path:
    return Path("results/new/sub-001/ses-1/seg", f"sub-001_ses-1_{name}")


def voxels(done: Run, path: Path) -> np.ndarray:
    return data_of(read_image(done.directory / path), np.uint8)


def test_a_new_session_gets_agreement_maps(trained, segmented):
    assert segmented.status == 0, segmented.output
    level = voxels(segmented, seg("space-MNI152_desc-agreement_dseg.nii.gz"))
    share = voxels(segmented, seg("space-MNI152_desc-agreement_probseg.nii.gz"))
    assert set(np.unique(level)) <= {0, 1, 2, 3}
    assert share.max() > 0
    said = json.loads(
        (segmented.directory / seg("space-MNI152_desc-agreement_dseg.json")).read_text(encoding="utf-8")
    )
    assert (said["Raters"], said["Region"], said["Model"], said["Decoder"]) == (3, "WT", "tiny", "argmax")
    fused = voxels(segmented, seg("space-MNI152_probseg.nii.gz"))[..., 0]
    brain = voxels(
        segmented, Path("results/new/sub-001/ses-1/anat/sub-001_ses-1_space-MNI152_desc-brain_mask.nii.gz")
    )
    np.testing.assert_allclose(dequantise(fused)[brain > 0], dequantise(share)[brain > 0], atol=1 / 256)
    assert not list(segmented.directory.rglob("*member-*")), "members are temporary"


def test_a_new_session_is_compared_with_its_raters(segmented):
    anat = Path("results/new/sub-001/ses-1/anat/sub-001_ses-1_space-MNI152_label-WT_desc-raters_dseg.nii.gz")
    reference = voxels(segmented, anat)
    np.testing.assert_array_equal(reference, votes(segmented.directory.parent / "cohort", "001"))
    with (segmented.directory / seg("qubiq.tsv")).open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["prediction"] for row in rows] == ["level", "expected"]
    for row in rows:
        assert row["raters"] == "3"
        assert 0 <= float(row["qubiq_dice"]) <= float(row["qubiq_dice_from_0"]) <= 1
        assert float(row["qubiq_dice_from_0"]) == pytest.approx(
            (9 * float(row["qubiq_dice"]) + 1) / 10, abs=2e-4
        )
