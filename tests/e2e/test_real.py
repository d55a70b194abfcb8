"""Real scans, where they are at hand: a patient from four raw NIfTIs, and a DICOM series from a scanner."""

import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from workflow import Run, holders, run, text_of_everything, write_sheet

from gliaflow.convert.dicom import dcm2niix_binary
from gliaflow.images import data_of, read_image, to_ras

IDENTIFYING = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "OtherPatientIDs", "AccessionNumber"),
    *(
        "StudyID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "FrameOfReferenceUID",
        "StudyDate",
        "AcquisitionDate",
    ),
    *("InstitutionName", "InstitutionAddress", "ReferringPhysicianName", "PerformingPhysicianName"),
    *("OperatorsName", "DeviceSerialNumber", "StationName"),
)
CONVERTED = "results/c/sub-v/ses-1/anat/sub-v_ses-1_t1n.nii.gz"
PATIENT = {"t1n": "t1", "t1c": "t1c", "t2w": "t2", "t2f": "fla"}


@pytest.fixture(scope="module")
def patient(real_data, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("patient")
    scans = {s: str(real_data / "tcga-fg-6692" / f"{name}.nii.gz") for s, name in PATIENT.items()}
    sheet = write_sheet(folder / "samples.tsv", [{"cohort": "c", "subject": "p", "session": "1", **scans}])
    return run(folder / "out", sheet)


@pytest.fixture(scope="module")
def series(real_data, tmp_path_factory) -> Run:
    """A DICOM series from a scanner, converted and reported; it shows a fruit, so no more is asked for."""
    folder = tmp_path_factory.mktemp("series")
    row = {"cohort": "c", "subject": "v", "session": "1", "t1n": str(real_data / "dicom-t1-head")}
    sheet = write_sheet(folder / "samples.tsv", [row])
    done = run(folder / "out", sheet, CONVERTED)
    run(folder / "out", sheet, CONVERTED, "--report", "report.html")
    return done


def test_the_patient_comes_through(patient):
    assert patient.status == 0, patient.output


def test_brain_mask_agrees_with_hdbet(patient, real_data):
    found = read_image(
        patient.directory / "results/c/sub-p/ses-1/anat/sub-p_ses-1_space-t1c_desc-brain_mask.nii.gz"
    )
    hdbet = to_ras(read_image(real_data / "tcga-fg-6692" / "t1c_hd-bet-mask.nii.gz"))
    first, second = data_of(found) > 0, data_of(hdbet) > 0
    dice = 2 * (first & second).sum() / (first.sum() + second.sum())
    print(f"Dice against HD-BET on t1c: {dice:.3f}")
    assert dice > 0.9


def test_the_right_frontal_lesion_is_marked(patient):
    labels = read_image(patient.directory / "results/c/sub-p/ses-1/seg/sub-p_ses-1_space-MNI152_dseg.nii.gz")
    lesion = data_of(labels) > 0
    centre = nib.affines.apply_affine(labels.affine, np.argwhere(lesion).mean(axis=0))
    assert 20 < centre[0] < 60, "right in the atlas"
    assert centre[1] > 10, "frontal in the atlas"
    assert 10_000 < lesion.sum() < 60_000


def test_the_series_is_what_dcm2niix_makes(series, real_data, tmp_path):
    assert series.status == 0, series.output
    source = str(real_data / "dicom-t1-head")
    subprocess.run([dcm2niix_binary(), "-z", "y", "-o", tmp_path, source], check=True, capture_output=True)
    (path,) = tmp_path.glob("*.nii.gz")
    expected = to_ras(read_image(path))
    found = read_image(series.directory / CONVERTED)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-4)
    np.testing.assert_allclose(data_of(found), data_of(expected), rtol=1e-6)


def identifying_values(folder: Path) -> set[str]:
    header = pydicom.dcmread(next(folder.glob("*.dcm")), stop_before_pixels=True)
    values = {str(header.get(name, "")).strip() for name in IDENTIFYING}
    return {value for value in values if len(value) > 3}


def test_nothing_that_identifies_a_person_leaves_the_header(series, real_data):
    values = identifying_values(real_data / "dicom-t1-head")
    assert values
    everything = text_of_everything(series.directory) | {"screen": series.output.encode()}
    assert "report.html" in everything
    assert not {value: found for value in values if (found := holders(everything, value))}
