"""Dice is the published coefficient, and two empty masks agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import dice as dissimilarity

from gliaflow.errors import ImageError
from gliaflow.evaluate.overlap import dice

MASKS = arrays.arrays(bool, (3, 4, 2))
EMPTY = np.zeros((3, 4, 2), dtype=bool)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [([1, 1, 0, 0], [0, 1, 1, 1], 0.4), ([1, 1, 0, 0], [0, 0, 1, 1], 0), ([0, 1, 1, 0], [0, 1, 1, 0], 1)],
)
def test_dice_golden(first, second, expected):
    assert dice(np.array(first, dtype=bool), np.array(second, dtype=bool)) == expected


@given(MASKS, MASKS)
def test_dice_is_one_less_scipys_dissimilarity_either_way_round(first, second):
    if first.any() or second.any():
        assert dice(first, second) == pytest.approx(1 - dissimilarity(first.ravel(), second.ravel()))
    assert dice(first, second) == dice(second, first)


@given(MASKS, st.integers(0, 23))
def test_two_empty_masks_agree_and_one_empty_mask_does_not(mask, voxel):
    mask.flat[voxel] = True
    assert dice(EMPTY, EMPTY) == 1
    assert dice(mask, EMPTY) == dice(EMPTY, mask) == 0
    assert dice(mask, mask) == 1


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ImageError, match=r"\(3, 4, 2\) and \(3, 4, 1\).*one grid"):
        dice(EMPTY, EMPTY[..., :1])
