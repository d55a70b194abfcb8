"""A label map that was made elsewhere becomes a member in the atlas."""

import numpy as np
import pytest

from gliaflow.errors import ImageError
from gliaflow.images import data_of, new_image
from gliaflow.labels import REGIONS, region_mask
from gliaflow.preprocess.resample import resample
from gliaflow.segment.external import external_member

LABELS = np.zeros((6, 6, 6), dtype=np.uint8)
LABELS[1:5, 1:5, 1:5], LABELS[2:4, 2:4, 2:4] = 2, 4


def member(values: str, matrix: np.ndarray, regions=REGIONS):
    labels, grid = new_image(LABELS, np.eye(4), np.uint8), new_image(np.ones((6, 6, 6)), np.eye(4), np.uint8)
    return external_member(labels, grid, matrix, regions=regions, values=values, name="other")


def test_on_the_atlas_grid_the_regions_are_as_they_are():
    found = member("brats2021", np.eye(4))
    table = np.where(LABELS == 4, 3, LABELS)
    for k, region in enumerate(REGIONS):
        np.testing.assert_array_equal(found.probabilities[..., k], region_mask(table, region))


def test_a_region_is_moved_as_an_image_is():
    shift = np.eye(4)
    shift[0, 3] = 0.5
    (whole,) = np.moveaxis(member("brats2021", shift, ["WT"]).probabilities, -1, 0)
    mask = new_image(region_mask(np.where(LABELS == 4, 3, LABELS), "WT"), np.eye(4))
    np.testing.assert_array_equal(whole, data_of(resample(mask, mask, shift)))
    assert sorted(set(whole[:, 3, 3].tolist())) == [0, 0.5, 1]


def test_a_value_that_is_no_label_is_named():
    with pytest.raises(ImageError, match=r"label values \[4\] are not of the convention 'nnunet'"):
        member("nnunet", np.eye(4))
