"""The demonstration cohort from DICOM to pictures, held against the truth it was made from."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
from conftest import WITHOUT, demo_rows
from workflow import QUICK, REPOSITORY, checksums, holders, run, run_and_kill, text_of_everything, write_sheet

from gliaflow.images import RAS_TO_LPS, data_of, read_image, to_ras, write_image
from gliaflow.labels import REGIONS, region_mask
from gliaflow.preprocess.resample import resample_mask
from gliaflow.preprocess.transforms import centre_of_mass, read_transform
from gliaflow.simulate.truth import read_truth, registration_error_mm
from gliaflow.uncertainty.names import LARGEST

SESSIONS = [(row["subject"], row["session"]) for row in demo_rows()]
ALL = ["t1n", "t1c", "t2w", "t2f"]
SEQUENCES = {"demo02": ["t1c", "t2w", "t2f"]}
SEQUENCES |= {subject: [s for s in ALL if s not in left] for subject, left in WITHOUT.items()}


def folder_of(directory: Path, subject: str, session: str) -> Path:
    return directory / "results" / "demo" / f"sub-{subject}" / f"ses-{session}"


def truth_of(subject: str, session: str):
    folder = REPOSITORY / "demo" / f"sub-{subject}" / f"ses-{session}" / "truth"
    return read_truth(folder), folder


def row_of(path: Path) -> dict[str, str]:
    with path.open() as stream:
        return next(csv.DictReader(stream, delimiter="\t"))


def copy_of_demo02(demo, place: Path) -> None:
    for folder in ("results/demo/sub-demo02", "resources"):
        shutil.copytree(demo[0].directory / folder, place / folder)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.logical_and(first, second).sum() / (first.sum() + second.sum())


def expected_files(subject: str, session: str) -> set[str]:
    """What docs/outputs.md promises for a session."""
    stem, found = f"sub-{subject}_ses-{session}", set()
    for s in SEQUENCES.get(subject, ALL):
        images = [s, f"desc-n4_{s}", f"space-ref_{s}", f"space-{s}_desc-brain_mask"]
        images += [f"space-MNI152_desc-brain_{s}", f"space-MNI152_desc-norm_{s}"]
        found |= {f"anat/{stem}_{i}.{e}" for i in images for e in ("nii.gz", "json")}
        found |= {f"anat/{stem}_from-{s}_to-ref_mode-image_xfm.{e}" for e in ("tfm", "json")}
    masks = [f"space-{s}_desc-brain_mask" for s in ("ref", "MNI152")]
    found |= {f"anat/{stem}_{m}.{e}" for m in masks for e in ("nii.gz", "json")}
    links = ["from-ref_to-MNI152"] + (["from-ref_to-first"] if session == "2" else [])
    found |= {f"anat/{stem}_{link}_mode-image_xfm.{e}" for link in links for e in ("tfm", "json")}
    maps = ["space-MNI152_probseg", "space-MNI152_desc-calibrated_probseg", "space-MNI152_dseg"]
    maps += ["space-ref_dseg", "space-MNI152_uncertainty", "space-ref_uncertainty"]
    maps += [f"space-MNI152_desc-{name.replace('_', '')}_uncertainty" for name in LARGEST]
    found |= {f"seg/{stem}_{m}.{e}" for m in maps for e in ("nii.gz", "json")}
    found |= {
        f"seg/{stem}_{table}.{e}" for table in ("volumes", "uncertainty", "features") for e in ("tsv", "json")
    }
    found |= {f"seg/{stem}_desc-members_uncertainty.json"}
    pictures = ("registration", "brainmask", "segmentation", "uncertainty", "rano")
    found |= {f"qc/{stem}_{p}.png" for p in pictures} | {"qc/report.html"}
    if subject == "demo01":
        found |= {f"anat/{stem}_desc-selected_series.json", f"anat/{stem}_desc-found_series.tsv"}
    return found


def test_one_broken_subject_fails_alone_and_is_named(demo):
    done, _ = demo
    # not 1: others were finished
    assert done.status == 3
    assert "gliaflow: demo/sub-broken/ses-1 t1c:" in done.output
    assert "not a whole NIfTI file" in done.output
    assert "Traceback" not in done.output
    assert not list(folder_of(done.directory, "broken", "1").rglob("*.nii.gz"))


def test_the_status_says_what_is_done_and_what_the_broken_subject_lacks(demo):
    with (demo[0].directory / "results" / "demo" / "status.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    states = {(row["subject"], row["session"]): set() for row in rows}
    for row in rows:
        states[row["subject"], row["session"]].add(row["state"])
    assert all(states[session] == {"done"} for session in SESSIONS)
    (failed,) = [row for row in rows if row["state"] == "failed"]
    assert (failed["subject"], failed["stage"], failed["rule"]) == ("broken", "convert", "convert")
    assert "not a whole NIfTI file" in failed["message"]
    assert states["broken", "1"] == {"failed", "waiting"}
    told = demo[0].output.splitlines()
    assert any(line.split() == ["preprocess", str(len(SESSIONS)), "0", "0", "1"] for line in told)


@pytest.mark.parametrize(("subject", "session"), SESSIONS)
def test_every_promised_file_is_there_and_no_other(demo, subject, session):
    folder = folder_of(demo[0].directory, subject, session)
    assert {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()} == expected_files(
        subject, session
    )


@pytest.mark.parametrize(("subject", "session"), SESSIONS)
def test_sequences_are_registered_below_a_millimetre(demo, subject, session):
    truth, folder = truth_of(subject, session)
    brain = read_image(folder / "brain_mask.nii.gz")
    anat = folder_of(demo[0].directory, subject, session) / "anat"
    for sequence in SEQUENCES.get(subject, ALL):
        path = anat / f"sub-{subject}_ses-{session}_from-{sequence}_to-ref_mode-image_xfm.tfm"
        to_anatomy = truth.to_anatomy["t1c"] @ np.linalg.inv(read_transform(path))
        mean, _ = registration_error_mm(to_anatomy, truth.to_anatomy[sequence], brain)
        print(f"{subject} ses-{session} {sequence}: {mean:.2f} mm")
        assert mean < 1


@pytest.mark.parametrize(("subject", "session"), SESSIONS)
def test_brain_and_tumour_are_where_the_truth_has_them(demo, subject, session):
    truth, folder = truth_of(subject, session)
    results, stem = folder_of(demo[0].directory, subject, session), f"sub-{subject}_ses-{session}"
    brain = read_image(results / "anat" / f"{stem}_space-ref_desc-brain_mask.nii.gz")
    labels = data_of(read_image(results / "seg" / f"{stem}_space-ref_dseg.nii.gz"), np.uint8)
    to_ref = truth.to_anatomy["t1c"]
    true_brain = resample_mask(to_ras(read_image(folder / "brain_mask.nii.gz")), brain, to_ref)
    assert dice(data_of(brain) > 0, data_of(true_brain) > 0) > 0.9
    true_labels = to_ras(read_image(folder / "label.nii.gz"))
    found = {}
    for region in REGIONS:
        whole = region_mask(data_of(true_labels, np.uint8), region).astype(np.uint8)
        moved = resample_mask(type(true_labels)(whole, true_labels.affine), brain, to_ref)
        found[region] = dice(region_mask(labels, region), data_of(moved) > 0)
    print(f"{subject} ses-{session} Dice: {found}")
    assert found["WT"] > 0.7
    assert found["TC"] > 0.5


def test_outputs_name_the_models_that_come_with_the_workflow(demo):
    folder, stem = folder_of(demo[0].directory, "demo01", "1"), "sub-demo01_ses-1"
    said = json.loads((folder / "seg" / f"{stem}_space-ref_dseg.json").read_text())
    assert said["Regions"] == ["WT", "TC", "ET"]
    assert "gliaflowtumour" in json.dumps(said)
    brain = json.loads((folder / "anat" / f"{stem}_space-ref_desc-brain_mask.json").read_text())
    assert brain["Model"] == "gliaflowbrain"
    volumes = row_of(folder / "seg" / f"{stem}_volumes.tsv")
    assert float(volumes["wt_volume_ml"]) > float(volumes["tc_volume_ml"]) > 0


@pytest.mark.parametrize(("subject", "session"), SESSIONS)
def test_features_say_what_the_other_tables_and_the_truth_say(demo, subject, session):
    folder, stem = folder_of(demo[0].directory, subject, session), f"sub-{subject}_ses-{session}"
    features, volumes, unsure = (
        row_of(folder / "seg" / f"{stem}_{name}.tsv") for name in ("features", "volumes", "uncertainty")
    )
    for region in ("wt", "tc", "et"):
        name = f"{region}_volume_ml"
        assert float(features[name]) == pytest.approx(float(volumes[name]), abs=1e-3)
    assert features["wt_volume_low_ml"] == unsure["wt_volume_low_ml"]
    assert (features["wt_t1n_mean"] == "") == ("t1n" not in SEQUENCES.get(subject, ALL))
    assert float(features["wt_rano_longest_mm"]) >= float(features["wt_rano_perpendicular_mm"]) > 0
    assert features["hemisphere"] in {"left", "right", "both"}
    assert (features["wt_volume_change_ml"] == "") == (session == "1")
    assert not [name for name, value in features.items() if value in {"nan", "inf", "None"}]


def test_the_change_since_the_first_session_is_that_of_the_volumes(demo):
    (subject,) = {s for s, number in SESSIONS if number == "2"}
    first, second = (
        row_of(folder_of(demo[0].directory, subject, k) / "seg" / f"sub-{subject}_ses-{k}_features.tsv")
        for k in ("1", "2")
    )
    change = float(second["wt_volume_ml"]) - float(first["wt_volume_ml"])
    assert float(second["wt_volume_change_ml"]) == pytest.approx(change, abs=1e-5)
    assert float(second["days_since_previous"]) == float(second["days"]) - float(first["days"])


def test_nothing_that_identifies_a_person_leaves_the_headers(demo):
    directory = demo[0].directory
    report = run(directory, demo[1], "pictures", "--report", "report.html", config=QUICK)
    assert (directory / "report.html").exists(), report.output
    everything = text_of_everything(directory) | {"screen": demo[0].output.encode()}
    for subject, session in SESSIONS:
        planted = truth_of(subject, session)[0].planted
        assert min(map(len, planted)) > 3
        assert not {value: found for value in planted if (found := holders(everything, value))}


def test_the_bids_validator_has_no_error_to_tell(demo):
    validator = Path(sys.executable).with_name("bids-validator-deno")
    folder = demo[0].directory / "results" / "demo"
    command = [validator, "--ignoreWarnings", "--format", "json", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [(issue["code"], issue["location"]) for issue in issues] == []
    assert done.returncode == 0


@pytest.mark.parametrize("word", ["deidentified", "linked"])
def test_exports_are_what_the_results_are_and_tell_of_nobody(demo, small_sheet, tmp_path, word):
    copy_of_demo02(demo, tmp_path)
    config = {**QUICK, "export": {"dicom_seg": word, "sequences": ["t1c", "t2f"]}}
    done = run(tmp_path, small_sheet, "export", "--rerun-triggers", "mtime", config=config)
    assert done.status == 0, done.output
    assert done.planned()["export_dicom_seg"] == 2
    assert not {"convert", "labels"} & set(done.planned())
    folder, stem = folder_of(tmp_path, "demo02", "1"), "sub-demo02_ses-1"
    labels = read_image(folder / "seg" / f"{stem}_space-ref_dseg.nii.gz")
    volume = hd.seg.segread(folder / "export" / f"{stem}_space-t1c_dseg.dcm").get_volume(
        combine_segments=True
    )
    moved = to_ras(nib.Nifti1Image(volume.array.astype(np.uint8), RAS_TO_LPS @ volume.affine))
    counts = [np.bincount(data_of(image, np.uint8).ravel(), minlength=4)[1:] for image in (labels, moved)]
    assert counts[0].tolist() == counts[1].tolist()
    assert np.abs(centre_of_mass(moved) - centre_of_mass(labels)).max() < 1e-3
    planted = truth_of("demo02", "1")[0].planted
    everything = text_of_everything(tmp_path) | {"screen": done.output.encode()}
    assert not {value: found for value in planted if (found := holders(everything, value))}
    for name in ("labels_itksnap.txt", "labels_slicer.ctbl", "labels_freesurfer.txt"):
        assert "necrotic" in (tmp_path / "results" / "demo" / name).read_text()
    scene = ElementTree.parse(folder / "export" / f"{stem}_scene.mrml")
    names = [node.get("fileName") for node in scene.iter() if node.get("fileName")]
    assert len(names) == 5
    assert all((folder / "export" / name).exists() for name in names)


def test_a_finished_cohort_has_nothing_left_but_the_broken_subject(demo):
    again = run(demo[0].directory, demo[1], "-n", config=QUICK)
    assert again.status == 0, again.output
    assert again.planned()["convert"] == 1
    assert not [line for line in again.output.splitlines() if "wildcards" in line and "subject=demo" in line]


@pytest.fixture(scope="module")
def small_sheet(demo, tmp_path_factory) -> Path:
    """One subject of the demonstration."""
    rows = [row for row in demo_rows() if row["subject"] == "demo02"]
    return write_sheet(tmp_path_factory.mktemp("small") / "samples.tsv", rows)


def test_one_n4_setting_reruns_only_what_depends_on_it(demo, small_sheet):
    config = {**QUICK, "preprocess": {"n4_settings": {"shrink": 5}}}
    planned = run(demo[0].directory, small_sheet, "-n", config=config).planned()
    assert planned["n4"] == 3
    assert not {"simulate", "sort_study", "convert", "atlas"} & set(planned)
    only_end = {**QUICK, "report": {"dpi": 80}}
    assert set(run(demo[0].directory, small_sheet, "-n", config=only_end).planned()) == {
        "all",
        "dataset_description",
        "qc_registration",
        "qc_brain_mask",
        "qc_segmentation",
        "qc_uncertainty",
        "qc_rano",
        "report_session",
        # not there yet: the cohort of the first run has a broken subject
        "features_cohort",
    }


@pytest.mark.slow
def test_killed_and_started_again_ends_with_the_same_bytes(demo, small_sheet, tmp_path):
    directory = tmp_path / "again"
    mask = folder_of(directory, "demo02", "1") / "anat" / "sub-demo02_ses-1_space-ref_desc-brain_mask.nii.gz"
    run_and_kill(directory, small_sheet, mask, config=QUICK)
    run(directory, small_sheet, "--unlock", config=QUICK)
    done = run(directory, small_sheet, config=QUICK)
    assert done.status == 0, done.output
    first, second = checksums(demo[0].directory), checksums(directory)
    # the cohort of the first run has a broken subject, and no table
    del second["results/demo/features.tsv"], second["results/demo/status.tsv"]
    row = row_of(directory / "results" / "demo" / "features.tsv")
    assert row == row_of(folder_of(directory, "demo02", "1") / "seg" / "sub-demo02_ses-1_features.tsv")
    assert len(second) > 25
    assert second == {name: first[name] for name in second}


def test_one_file_can_be_asked_for(demo, small_sheet, tmp_path):
    target = "results/demo/sub-demo02/ses-1/anat/sub-demo02_ses-1_t2f.nii.gz"
    done = run(tmp_path / "one", small_sheet, target, config=QUICK)
    assert done.status == 0, done.output
    assert [str(f.relative_to(tmp_path / "one")) for f in (tmp_path / "one").rglob("*.nii.gz")] == [target]


def noise(image: np.ndarray) -> np.ndarray:
    """A snowflake: what a failed registration or a broken file looks like."""
    return np.random.default_rng(0).random(image.shape) * image.max()


def holed(image: np.ndarray) -> np.ndarray:
    """The image with a few values that are not finite."""
    return np.where(np.arange(image.size).reshape(image.shape) % 1000 == 0, np.nan, image)


@pytest.mark.slow
def test_the_methods_without_training_stay_selectable(demo, small_sheet, tmp_path):
    """And outputs say that only the whole tumour was determined."""
    copy_of_demo02(demo, tmp_path)
    folder, stem = folder_of(tmp_path, "demo02", "1"), "sub-demo02_ses-1"
    volumes = folder / "seg" / f"{stem}_volumes.tsv"
    config = {
        **QUICK,
        "preprocess": {"brain_extraction": {"method": "embedded"}},
        "segment": {"models": ["flairbaseline"]},
    }
    wanted = str(volumes.relative_to(tmp_path))
    done = run(tmp_path, small_sheet, wanted, "--forcerun", "brain_mask", config=config)
    assert done.status == 0, done.output
    brain = json.loads((folder / "anat" / f"{stem}_space-ref_desc-brain_mask.json").read_text())
    assert "nilearn" in brain["Software"]
    said = json.loads((folder / "seg" / f"{stem}_space-ref_dseg.json").read_text())
    assert said["Regions"] == ["WT"]
    assert said["Labels"] == {"2": "whole tumour (its parts were not determined)"}
    row = row_of(volumes)
    assert float(row["wt_volume_ml"]) > 0
    assert row["tc_volume_ml"] == row["et_volume_ml"] == ""


@pytest.mark.parametrize(("wrong", "reason"), [(noise, "next to nothing in common"), (holed, "not finite")])
def test_a_planted_wrong_image_is_caught(demo, small_sheet, tmp_path, wrong, reason):
    copy_of_demo02(demo, tmp_path)
    stem = folder_of(tmp_path, "demo02", "1") / "anat" / "sub-demo02_ses-1"
    planted, target = Path(f"{stem}_desc-n4_t2w.nii.gz"), Path(f"{stem}_from-t2w_to-ref_mode-image_xfm.tfm")
    image = read_image(planted)
    write_image(planted, wrong(data_of(image)), image.affine)
    arguments = (str(target.relative_to(tmp_path)), "--rerun-triggers", "mtime")
    done = run(tmp_path, small_sheet, *arguments, config=QUICK)
    assert done.status != 0
    assert "gliaflow: demo/sub-demo02/ses-1 t2w:" in done.output
    assert reason in done.output
    assert not target.exists()
