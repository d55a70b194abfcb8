"""The atlas is a stripped brain on a regular grid, or it is refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from gliaflow.errors import ImageError
from gliaflow.images import data_of, new_image, read_image, same_grid, write_nifti
from gliaflow.preprocess.atlas import load_atlas

SRI24 = Path(__file__).parents[3] / "shared" / "data" / "atlas" / "sri24_t1_brain.nii.gz"


def stripped(tmp_path, affine=None, hole=False, fourth=False):
    """Write a ball of 1100 ml on 5 mm voxels."""
    radius = np.linalg.norm(np.moveaxis(np.indices((36, 38, 36)), 0, -1) - [17, 18, 17], axis=-1)
    data = np.where(radius < 12.8, 100 - radius, 0)
    if hole:
        data[radius < 3] = 0
    image = new_image(
        data[..., np.newaxis] if fourth else data, np.diag([5.0, 5, 5, 1]) if affine is None else affine
    )
    write_nifti(tmp_path / "atlas.nii.gz", image)
    return tmp_path / "atlas.nii.gz", data


def test_the_bundled_brain_has_its_mask():
    brain, mask = load_atlas(None, resolution=4)
    np.testing.assert_allclose(nib.affines.voxel_sizes(brain.affine), 4)
    assert nib.aff2axcodes(brain.affine) == ("R", "A", "S")
    assert same_grid(brain, mask)
    assert (brain.get_data_dtype(), mask.get_data_dtype()) == (np.float32, np.uint8)
    assert (data_of(brain)[data_of(mask) == 0] == 0).all()
    # MNI152's brain measures about 1.9 l
    assert data_of(mask).sum() * 0.064 == pytest.approx(1880, rel=0.05)


def test_an_atlas_by_path_is_turned_to_right_anterior_superior(tmp_path):
    path, data = stripped(tmp_path, np.diag([-5.0, -5, 5, 1]))
    brain, _ = load_atlas(path)
    assert nib.aff2axcodes(brain.affine) == ("R", "A", "S")
    np.testing.assert_allclose(data_of(brain), data[::-1, ::-1], rtol=1e-6)


def test_dark_ventricles_are_inside_the_mask(tmp_path):
    path, data = stripped(tmp_path, hole=True)
    _, mask = load_atlas(path)
    assert data[17, 18, 17] == 0
    assert data_of(mask)[17, 18, 17] == 1


def test_one_volume_with_a_fourth_axis_will_do(tmp_path):
    path, data = stripped(tmp_path, fourth=True)
    assert len(read_image(path).shape) == 4
    np.testing.assert_allclose(data_of(load_atlas(path)[0]), data, rtol=1e-6)


def test_a_head_is_no_stripped_atlas(tmp_path):
    data = np.random.default_rng(0).random((36, 38, 36)) + 0.1
    write_nifti(tmp_path / "head.nii.gz", new_image(data, np.diag([5.0, 5, 5, 1])))
    with pytest.raises(
        ImageError, match=r"head\.nii\.gz: is no skull-stripped brain .*give a stripped atlas"
    ):
        load_atlas(tmp_path / "head.nii.gz")


def test_several_volumes_are_no_atlas(tmp_path):
    write_nifti(tmp_path / "a.nii.gz", new_image(np.ones((8, 8, 8, 2)), np.diag([5.0, 5, 5, 1])))
    with pytest.raises(ImageError, match="one 3-D volume is needed"):
        load_atlas(tmp_path / "a.nii.gz")


def test_sri24_will_do():
    if not SRI24.exists():
        pytest.skip(f"{SRI24.name} is not there")
    brain, mask = load_atlas(SRI24)
    assert brain.shape == mask.shape == (240, 240, 155)
    assert 1300 < data_of(mask).sum() / 1000 < 1800
