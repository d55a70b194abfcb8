"""The 95 % Hausdorff distance against values that can be told by hand, and its symmetry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliaflow.errors import ImageError
from gliaflow.evaluate.surface import WORST_MM, hausdorff95, surface

UNIT = (1.0, 1.0, 1.0)
MASKS = arrays(bool, (5, 6, 4), elements=st.booleans())


def block(low, high, shape=(30, 30, 30)):
    mask = np.zeros(shape, dtype=bool)
    mask[low:high, low:high, low:high] = True
    return mask


def test_a_moved_plane_is_as_far_as_it_was_moved():
    first, second = np.zeros((2, 10, 20, 20), dtype=bool)
    first[2], second[6] = True, True
    assert hausdorff95(first, second, UNIT) == 4
    assert hausdorff95(first, second, (2.5, 1.0, 1.0)) == 10


def test_a_cube_in_a_larger_one_is_as_far_as_the_gap_but_for_the_corners():
    """3 mm over the faces, from outside more at edges (7 % of the surface) and corners (2 %)."""
    distance = hausdorff95(block(5, 25), block(8, 22), UNIT)
    assert distance == pytest.approx(3 * np.sqrt(2))


def test_a_few_far_voxels_do_not_count_but_many_do():
    first = block(5, 25)
    few, many = first.copy(), first.copy()
    few[29, 29, 29] = True
    many[0, :, :] = True
    assert hausdorff95(first, few, UNIT) == 0
    assert hausdorff95(first, many, UNIT) >= 5


def test_the_larger_direction_counts():
    """A part that is missing is seen from one side only."""
    both = np.zeros((40, 10, 10), dtype=bool)
    both[2:6, 2:8, 2:8] = both[30:34, 2:8, 2:8] = True
    one = both.copy()
    one[20:] = False
    assert hausdorff95(both, one, UNIT) > 20
    assert hausdorff95(both, one, UNIT) == hausdorff95(one, both, UNIT)


def test_empty_masks_score_as_in_brats():
    empty, full = np.zeros((4, 4, 4), dtype=bool), np.ones((4, 4, 4), dtype=bool)
    assert hausdorff95(empty, empty, UNIT) == 0
    assert hausdorff95(empty, full, UNIT) == hausdorff95(full, empty, UNIT) == WORST_MM


def test_the_surface_is_the_outer_layer():
    assert surface(block(5, 10)).sum() == 5**3 - 3**3


@given(MASKS, MASKS)
def test_it_is_symmetric_and_0_for_the_same_mask(first, second):
    spacing = (1.0, 0.5, 3.0)
    assert hausdorff95(first, first, spacing) == 0
    assert hausdorff95(first, second, spacing) == hausdorff95(second, first, spacing) >= 0


def test_masks_of_two_grids_are_refused():
    with pytest.raises(ImageError, match=r"\(2, 2, 2\) and \(3, 2, 2\); bring both to one grid"):
        hausdorff95(np.ones((2, 2, 2), bool), np.ones((3, 2, 2), bool), UNIT)
