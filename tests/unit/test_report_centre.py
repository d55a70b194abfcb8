"""The planes of a picture go through the largest lesion, or the brain."""

import nibabel as nib
import numpy as np
import pytest

from gliaflow.images import new_image
from gliaflow.report.centre import view_centre

AFFINE = np.array([[-2.0, 0, 0, 30], [0, 2, 0, -20], [0, 0, 3, -10], [0, 0, 0, 1]])
SHAPE = (20, 20, 20)


def image_of(*boxes):
    data = np.zeros(SHAPE, dtype=np.uint8)
    for value, box in boxes:
        data[box] = value
    return new_image(data, AFFINE, np.uint8)


BRAIN = image_of((1, np.s_[4:15, 4:15, 4:15]))
LARGE = np.s_[5:8, 5:8, 5:8]
SMALL = np.s_[12:14, 12:14, 12:14]


@pytest.mark.parametrize("labels", [None, image_of()])
def test_without_a_lesion_it_is_the_middle_of_the_brain(labels):
    np.testing.assert_allclose(view_centre(BRAIN, labels), nib.affines.apply_affine(AFFINE, [9, 9, 9]))


def test_it_is_the_middle_of_the_largest_lesion_not_between_two():
    labels = image_of((2, LARGE), (3, SMALL))
    np.testing.assert_allclose(view_centre(BRAIN, labels), nib.affines.apply_affine(AFFINE, [6, 6, 6]))


def test_a_lesion_counts_by_its_voxels_not_by_its_label_values():
    labels = image_of((1, LARGE), (4, SMALL), (3, np.s_[6, 6, 6]))
    np.testing.assert_allclose(view_centre(BRAIN, labels), nib.affines.apply_affine(AFFINE, [6, 6, 6]))
