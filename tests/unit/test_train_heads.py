"""Heads to learn brain extraction from: on cubic voxels, each with its mask."""

import numpy as np
import pytest

from gliaflow.errors import ImageError
from gliaflow.images import data_of, read_image, same_grid, spacing_of, write_image
from gliaflow.train.heads import labelled_head, take_heads

SHAPE, AFFINE = (30, 36, 12), np.diag([-2.0, 2.0, 5.0, 1.0])


def written(folder, *, mask_shape=SHAPE, empty=False):
    rng = np.random.default_rng(0)
    mask = np.zeros(mask_shape, np.uint8)
    mask[8:22, 8:28, 3:9] = 0 if empty else 1
    values = rng.normal(100, 10, SHAPE)
    values[8:22, 8:28, 3:9] += 200
    write_image(folder / "t1c.nii.gz", values, AFFINE)
    write_image(folder / "mask.nii.gz", mask, AFFINE, np.uint8)
    paths = {"image": str(folder / "t1c.nii.gz"), "mask": str(folder / "mask.nii.gz")}
    return labelled_head({"name": "one_01_1_t1c", **paths})


def test_a_head_and_its_mask_lie_on_one_cubic_grid(tmp_path):
    take_heads([written(tmp_path)], tmp_path / "taken", 3.0)
    image, label = (read_image(tmp_path / f"taken/one_01_1_t1c/{name}.nii.gz") for name in ("any", "label"))
    assert same_grid(image, label)
    np.testing.assert_allclose(spacing_of(image), 3.0, atol=1e-5)
    inside = data_of(label) > 0
    assert inside.sum() * 27 == pytest.approx(14 * 20 * 6 * 20, rel=0.15)
    assert data_of(image)[inside].mean() > data_of(image)[~inside].mean() + 100
    assert label.get_data_dtype() == np.uint8


def test_a_mask_on_another_grid_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"mask\.nii\.gz: the mask has shape .* write registered = none"):
        take_heads([written(tmp_path, mask_shape=(30, 36, 13))], tmp_path / "taken", 3.0)


def test_an_empty_mask_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"mask\.nii\.gz: every voxel has the value 0"):
        take_heads([written(tmp_path, empty=True)], tmp_path / "taken", 3.0)
