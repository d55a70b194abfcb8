"""The DICOM writer: readers of other makers see the image that went in."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import STUDY, T1, head, series
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gliaflow.images import from_sitk
from gliaflow.simulate.dicom import INT16_MAX, quantise


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.2, -0.3, 0.4), (0.0, np.pi / 2, 0.0)])
def test_itk_reads_the_image_that_was_written(tmp_path, angles):
    image = head(angles=angles)
    paths = series(tmp_path, image=image)
    read = from_sitk(sitk.ReadImage([str(path) for path in paths]))
    np.testing.assert_allclose(read.affine, image.affine, atol=1e-4)
    np.testing.assert_allclose(
        read.get_fdata(), image.get_fdata(), atol=0.51 * image.get_fdata().max() / INT16_MAX
    )


def test_same_input_gives_same_bytes(tmp_path):
    first, second = series(tmp_path / "a"), series(tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_uids_are_unique_within_and_between_studies(tmp_path):
    other = replace(STUDY, uid_seed="other")
    headers = [
        pydicom.dcmread(path)
        for folder, header, study in (
            ("a", T1, STUDY),
            ("b", replace(T1, number=4), STUDY),
            ("c", T1, other),
        )
        for path in series(tmp_path / folder, header, study=study)
    ]
    assert len({h.SOPInstanceUID for h in headers}) == len(headers) == 36
    assert len({h.SeriesInstanceUID for h in headers}) == 3
    assert len({h.StudyInstanceUID for h in headers}) == 2
    assert all(h.SOPInstanceUID == h.file_meta.MediaStorageSOPInstanceUID for h in headers)


def test_headers_say_what_was_asked(tmp_path):
    asked = replace(T1, inversion_time_ms=900, contrast_agent="Gadobutrol", acquisition_type="2D")
    header = pydicom.dcmread(series(tmp_path, asked)[0])
    assert (header.EchoTime, header.RepetitionTime, header.InversionTime) == (9, 500, 900)
    assert header.ContrastBolusAgent == "Gadobutrol"
    assert header.MRAcquisitionType == "2D"
    assert header.PatientName == STUDY.patient_name
    plain = pydicom.dcmread(series(tmp_path / "plain")[0])
    assert "InversionTime" not in plain
    assert "ContrastBolusAgent" not in plain


def test_empty_image_stays_empty(tmp_path):
    empty = nib.Nifti1Image(np.zeros((4, 5, 3)), np.eye(4))
    assert not any(pydicom.dcmread(path).pixel_array.any() for path in series(tmp_path, image=empty))


@given(hnp.arrays(np.float64, 20, elements=st.floats(-1e6, 1e6, width=32)))
def test_quantising_loses_at_most_half_a_slope_and_keeps_zero(data):
    voxels, slope = quantise(data)
    assert len(str(slope)) <= 16
    assert np.abs(voxels * float(slope) - data).max() <= 0.5 * float(slope) + np.abs(data).max() * 1e-6
    assert not voxels[data == 0].any()
