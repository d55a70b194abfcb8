"""NIfTI files that a user may give, and those that are refused."""

import nibabel as nib
import numpy as np
import pytest
from dicom_files import head

from gliaflow.config.settings import complete_config
from gliaflow.convert.source import convert_source
from gliaflow.errors import ConversionError

SETTINGS = complete_config({})["convert"]


def convert(path):
    return convert_source(path, key=None, settings=SETTINGS, work=path.parent)


def save(path, data, affine=None, codes=(1, 1)):
    affine = np.diag([1.0, 1.0, 2.0, 1.0]) if affine is None else affine
    image = nib.Nifti1Image(data, affine if any(codes) else None)
    image.header.set_sform(affine, codes[0])
    image.header.set_qform(affine, codes[1])
    image.to_filename(path)
    return path


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii"])
def test_any_orientation_comes_out_in_ras_at_the_same_place(tmp_path, flips, name):
    given = head(angles=(0.1, 0.2, 0.3), flips=flips)
    given.to_filename(tmp_path / name)
    result = convert(tmp_path / name)
    expected = nib.as_closest_canonical(given)
    assert nib.aff2axcodes(result.image.affine) == ("R", "A", "S")
    np.testing.assert_allclose(result.image.affine, expected.affine, atol=1e-5)
    np.testing.assert_array_equal(result.image.get_fdata(), expected.get_fdata())
    assert result.image.get_data_dtype() == np.float32
    assert (result.sidecar, result.notes) == ({}, ())


def test_nothing_of_the_header_is_kept(tmp_path):
    given = head()
    given.header["descrip"] = b"Schmidt Wilhelmine"
    given.header["db_name"] = b"PAT-77812"
    given.to_filename(tmp_path / "scan.nii.gz")
    content = convert(tmp_path / "scan.nii.gz").image.to_bytes()
    assert b"Schmidt" not in content
    assert b"77812" not in content


def test_trailing_axes_of_one_are_dropped(tmp_path):
    data = np.random.default_rng(1).normal(size=(5, 6, 7)).astype(np.float32)
    result = convert(save(tmp_path / "scan.nii.gz", data[..., None, None]))
    np.testing.assert_array_equal(result.image.get_fdata(), data)


def values(shape=(6, 7, 8)):
    return np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)


def with_nan():
    data = values()
    data[2, 3, 4] = np.nan
    return data


@pytest.mark.parametrize(
    ("data", "affine", "codes", "reason"),
    [
        (values((6, 7, 8, 3)), None, (1, 1), r"has shape \(6, 7, 8, 3\), 3 volumes"),
        (values((6, 7)), None, (1, 1), "a picture"),
        (values((6, 7, 1)), None, (1, 1), "an axis of one voxel"),
        (with_nan(), None, (1, 1), "1 voxels are not finite"),
        (np.zeros((6, 7, 8), np.float32), None, (1, 1), "the image is empty"),
        (values(), np.diag([1, 1, 300, 1]), (1, 1), "0.1 to 20 mm is plausible"),
        (values(), np.diag([1e-3, 1e-3, 1e-3, 1]), (1, 1), "0.1 to 20 mm is plausible"),
        (values(), None, (0, 0), "does not say which side is left"),
        (values().astype(np.complex64), None, (1, 1), "colour or complex"),
    ],
)
def test_what_is_refused(tmp_path, data, affine, codes, reason):
    path = save(tmp_path / "scan.nii.gz", data, affine, codes)
    with pytest.raises(ConversionError, match=reason) as caught:
        convert(path)
    assert str(caught.value).startswith(str(path))


def test_colour_is_refused(tmp_path):
    colour = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(ConversionError, match="colour or complex"):
        convert(save(tmp_path / "scan.nii.gz", colour))


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii"])
def test_cut_short_or_no_nifti(tmp_path, name):
    path = save(tmp_path / name, values())
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ConversionError, match="not a whole NIfTI file"):
        convert(path)
    path.write_bytes(b"text")
    with pytest.raises(ConversionError, match="not a whole NIfTI file"):
        convert(path)


def test_qform_at_another_place_is_noted(tmp_path):
    image = nib.Nifti1Image(values(), np.eye(4))
    moved = np.eye(4)
    moved[0, 3] = 5
    image.set_sform(np.eye(4), 1)
    image.set_qform(moved, 1)
    image.to_filename(tmp_path / "scan.nii.gz")
    assert convert(tmp_path / "scan.nii.gz").notes == (
        "sform and qform lie up to 5.0 mm apart; sform was used",
    )


def test_only_qform_is_enough(tmp_path):
    affine = nib.affines.from_matvec(np.diag([1.0, 1.0, 2.0]), [4, 5, 6])
    result = convert(save(tmp_path / "scan.nii.gz", values(), affine, (0, 1)))
    np.testing.assert_allclose(result.image.affine, affine)
