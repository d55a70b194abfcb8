"""Images keep their place in the world on disk, in SimpleITK and in ANTs."""

import gzip
import itertools
import os
import stat
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.errors import ImageError
from gliaflow.images import (
    count_voxels,
    data_of,
    from_sitk,
    new_image,
    read_image,
    same_grid,
    spacing_of,
    to_ants,
    to_ras,
    to_sitk,
    write_bytes,
    write_image,
)

SHAPE = (4, 5, 6)


@st.composite
def affines(draw):
    angles = [draw(st.floats(-3.1, 3.1)) for _ in range(3)]
    spacing = [draw(st.floats(0.3, 6)) * draw(st.sampled_from([1, -1])) for _ in range(3)]
    axes = draw(st.sampled_from(list(itertools.permutations(range(3)))))
    affine = np.eye(4)
    affine[:3, :3] = (nib.eulerangles.euler2mat(*angles) @ np.diag(spacing))[:, axes]
    affine[:3, 3] = [draw(st.floats(-300, 300)) for _ in range(3)]
    return affine


def numbered(dtype=np.float32):
    return np.arange(np.prod(SHAPE), dtype=dtype).reshape(SHAPE)


def world_of_values(image):
    """Map each value to where it lies, so that two images compare however their voxels are ordered."""
    voxels = np.argwhere(np.ones(image.shape[:3], dtype=bool))
    points = nib.affines.apply_affine(image.affine, voxels)
    return points[np.argsort(data_of(image).ravel())]


def test_the_same_array_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.nii.gz", numbered(), np.eye(4))
    first, second = ((tmp_path / f"{name}.nii.gz").read_bytes() for name in ("a", "b"))
    assert first == second
    assert first[4:8] == bytes(4), "the gzip header holds a time"
    assert first[3] == 0, "the gzip header holds a file name"


@settings(max_examples=40)
@given(affines())
def test_on_disk_axes_point_right_anterior_superior_and_no_value_moves(tmp_path_factory, affine):
    path = tmp_path_factory.mktemp("ras") / "a.nii.gz"
    write_image(path, numbered(), affine)
    image = read_image(path)
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    np.testing.assert_allclose(
        world_of_values(image), world_of_values(new_image(numbered(), affine)), atol=1e-3
    )


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_the_header_on_disk_says_what_the_file_is(tmp_path, dtype):
    write_image(tmp_path / "a.nii.gz", numbered(), np.diag([1.0, 2.0, 3.0, 1.0]), dtype)
    header = nib.load(tmp_path / "a.nii.gz").header
    assert header.get_data_dtype() == dtype
    assert header.get_xyzt_units()[0] == "mm"
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert header.get_slope_inter() == (None, None)
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-5)


def test_a_4d_image_keeps_its_channels_when_it_is_flipped(tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
    write_image(tmp_path / "a.nii.gz", data, np.diag([-1.0, 1, 1, 1]), np.uint8)
    np.testing.assert_array_equal(data_of(read_image(tmp_path / "a.nii.gz"), np.uint8), data[::-1])


def test_a_write_that_fails_keeps_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    write_bytes(path, b"old")

    def half(self, content):
        with self.open("wb") as stream:
            stream.write(content[: len(content) // 2])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="no space"):
        write_bytes(path, b"new content")
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]
    assert path.read_bytes() == b"old"


def test_the_umask_decides_who_may_read(tmp_path):
    before = os.umask(0o027)
    try:
        write_image(tmp_path / "a.nii.gz", numbered(), np.eye(4))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.nii.gz").stat().st_mode) == 0o640


def test_files_that_are_no_whole_nifti_are_named(tmp_path):
    whole = tmp_path / "whole.nii.gz"
    write_image(whole, np.random.default_rng(0).random((20, 20, 20)), np.eye(4))
    damaged = {
        "cut.nii.gz": whole.read_bytes()[:-4000],
        "cut.nii": gzip.decompress(whole.read_bytes())[:-4000],
        "text.nii.gz": gzip.compress(b"not an image" * 100),
        "plain.nii.gz": b"not gzip either",
        "empty.nii": b"",
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=f"{name}: not a whole NIfTI file"):
            read_image(tmp_path / name)
    with pytest.raises(ImageError, match=r"gone\.nii\.gz: no such file"):
        read_image(tmp_path / "gone.nii.gz")


def test_voxels_are_counted_from_the_header(tmp_path):
    whole = tmp_path / "whole.nii.gz"
    write_image(whole, np.zeros((20, 30, 40)), np.eye(4))
    assert count_voxels(whole) == 24000
    announced = nib.Nifti1Header()
    announced.set_data_shape((30000, 30000, 30000))
    (tmp_path / "bomb.nii").write_bytes(announced.binaryblock + b"\0" * 100)
    (tmp_path / "text.nii.gz").write_bytes(b"no image")
    (tmp_path / "empty.nii.gz").touch()
    for name in ("bomb.nii", "text.nii.gz", "empty.nii.gz", "gone.nii.gz"):
        assert count_voxels(tmp_path / name) == 0


@given(affines(), st.tuples(st.floats(0, 3), st.floats(0, 4), st.floats(0, 5)))
def test_simpleitk_and_ants_place_a_voxel_where_nibabel_does(affine, voxel):
    image = new_image(numbered(), affine)
    expected = nib.affines.apply_affine(affine, voxel) * [-1, -1, 1]
    itk = to_sitk(image).TransformContinuousIndexToPhysicalPoint(voxel)
    np.testing.assert_allclose(itk, expected, atol=1e-3)
    there = ants.transform_index_to_physical_point(to_ants(image), [int(v) for v in voxel])
    whole = nib.affines.apply_affine(affine, [int(v) for v in voxel]) * [-1, -1, 1]
    np.testing.assert_allclose(there, whole, atol=1e-3)


@given(affines())
def test_simpleitk_and_back_changes_nothing(affine):
    image = new_image(numbered(), affine)
    back = from_sitk(to_sitk(image))
    np.testing.assert_allclose(back.affine, image.affine, atol=1e-4)
    np.testing.assert_array_equal(data_of(back), data_of(image))


def test_values_reach_simpleitk_and_ants_by_the_same_index():
    image = new_image(numbered(), np.eye(4))
    assert to_sitk(image)[1, 2, 3] == data_of(image)[1, 2, 3]
    assert to_sitk(image, np.uint8).GetPixelID() == sitk.sitkUInt8
    np.testing.assert_array_equal(to_ants(image).numpy(), data_of(image))


@given(affines())
def test_reorienting_twice_is_reorienting_once(affine):
    once = to_ras(new_image(numbered(), affine))
    np.testing.assert_array_equal(to_ras(once).affine, once.affine)
    assert sorted(spacing_of(once)) == pytest.approx(sorted(np.linalg.norm(affine[:3, :3], axis=0)))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (np.zeros((4, 4)), True),
        (0.009 * np.eye(4, k=3), True),
        (0.011 * np.eye(4, k=3), False),
        # 0.0001 mm of voxel size is 0.02 mm at the far corner of 200 voxels
        (np.diag([0.0001, 0, 0, 0]), False),
        (np.diag([0.00004, 0, 0, 0]), True),
    ],
)
def test_two_grids_are_the_same_when_their_corners_are(change, same):
    data = np.zeros((200, 3, 3))
    assert same_grid(new_image(data, np.eye(4)), nib.Nifti1Image(data, np.eye(4) + change)) is same


def test_grids_of_another_shape_differ_and_channels_do_not_count():
    image = new_image(np.zeros((4, 4, 4)), np.eye(4))
    assert not same_grid(image, new_image(np.zeros((4, 4, 5)), np.eye(4)))
    assert same_grid(image, new_image(np.zeros((4, 4, 4, 3)), np.eye(4)))
