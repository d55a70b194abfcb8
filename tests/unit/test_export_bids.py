"""A folder of results is a BIDS derivative: the validator, without the network, has no error to tell."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gliaflow.export.bids import write_bidsignore, write_lookup, write_readme
from gliaflow.images import new_image
from gliaflow.provenance.description import describe_dataset
from gliaflow.results import keep_image, keep_mask
from gliaflow.sidecar import spatial_reference, write_json

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
FACTS = dict.fromkeys(("revision", "config_sha256", "participants", "model_table"))
FACTS |= {"sheets": [], "models": []}
SAID = {"sources": ["sheet"], "parameters": {}}


def errors(folder: Path) -> list[tuple[str, str]]:
    """Code and place of every error that the validator finds, run where there is no network if possible."""
    alone = ["unshare", "--net", "--map-root-user"] if shutil.which("unshare") else []
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = []
    command = [*alone, VALIDATOR, "--format", "json", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    found = [(issue["code"], issue["location"]) for issue in issues if issue["severity"] == "error"]
    assert bool(found) == bool(done.returncode), done.stderr
    return found


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """A cohort with a session of few files."""
    folder = tmp_path / "results" / "one"
    session = folder / "sub-P01" / "ses-1"
    for name in ("anat", "seg", "qc", "growth", "export"):
        (session / name).mkdir(parents=True)
    image = new_image(np.random.default_rng(0).random((60, 60, 60)), np.diag([2.0, 2, 2, 1]))
    inside = np.zeros(image.shape)
    inside[5:55, 5:55, 5:55] = 1
    mask = new_image(inside, image.affine, np.uint8)
    stem = "sub-P01_ses-1"
    for space, name in (("t1c", "t1c"), ("ref", "space-ref_t1c"), ("MNI152", "space-MNI152_desc-norm_t1c")):
        keep_image(session / "anat" / f"{stem}_{name}.nii.gz", image, space=space, **SAID)
    for space in ("t1c", "ref", "MNI152"):
        path = session / "anat" / f"{stem}_space-{space}_desc-brain_mask.nii.gz"
        keep_mask(path, mask, like=image, space=space, **SAID)
    keep_image(session / "seg" / f"{stem}_space-ref_dseg.nii.gz", mask, space="ref", dtype=np.uint8, **SAID)
    for name in (
        *("anat/{}_from-t1c_to-ref_mode-image_xfm.tfm", "anat/{}_desc-selected_series.json"),
        *("seg/{}_volumes.tsv", "seg/{}_desc-members_uncertainty.json", "qc/{}_rano.png", "qc/report.html"),
        *("growth/{}_fit.json", "export/{}_space-t1c_dseg.dcm", "export/{}_scene.mrml"),
    ):
        (session / name.format(stem)).write_text("{}")
    for name in (
        *(
            "features.tsv",
            "features.json",
            "status.tsv",
            "evaluation.tsv",
            "evaluation_dice.png",
            "index.html",
        ),
        *("predictions.tsv", "growth_summary.tsv", "habitats.tsv", "labels_slicer.ctbl", "provenance.json"),
    ):
        (folder / name).write_text("{}")
    write_json(folder / "dataset_description.json", describe_dataset("one", FACTS))
    write_bidsignore(folder / ".bidsignore")
    write_readme(folder / "README", "one")
    write_lookup(folder / "dseg.tsv")
    return folder


def test_the_validator_has_no_error_to_tell(cohort):
    assert errors(cohort) == []


def test_the_validator_does_look(cohort):
    (cohort / "sub-P01" / "ses-1" / "anat" / "sub-P01_ses-1_unheard.nii.gz").write_bytes(b"")
    (cohort / "sub-P01" / "ses-1" / "anat" / "sub-P01_ses-1_space-ref_desc-brain_mask.json").unlink()
    assert {code for code, _ in errors(cohort)} >= {"NOT_INCLUDED", "SIDECAR_KEY_REQUIRED"}


@pytest.mark.parametrize("space", ["t1c", "ref", "MNI152"])
def test_the_image_that_defines_a_grid_is_there(cohort, space):
    image = cohort / "sub-P01" / "ses-1" / "seg" / f"sub-P01_ses-1_space-{space}_dseg.nii.gz"
    assert (cohort / spatial_reference(image, space).removeprefix("bids::")).is_file()


@pytest.mark.parametrize(
    ("path", "space"),
    [
        ("resources/atlas/MNI152_T1w.nii.gz", "MNI152"),
        ("results/c/sub-1/ses-2/growth/sub-1_ses-2_space-baseline_dseg.nii.gz", "baseline"),
        ("a.nii.gz", "ref"),
    ],
)
def test_what_is_of_no_session_or_another_one_has_no_reference(path, space):
    assert spatial_reference(path, space) is None
