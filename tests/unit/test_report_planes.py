"""Planes: letters tell the truth in every orientation, outlines lie where the mask ends."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from gliaflow.errors import ImageError
from gliaflow.report.planes import (
    VIEWS,
    Cut,
    bounding_box,
    cuts,
    head_box,
    nearest_voxel,
    position,
    tilt,
    volume,
    window,
)

CODES = ["".join(codes) for axes in permutations(("RL", "AP", "SI")) for codes in product(*axes)]


def whole(shape):
    return tuple(slice(0, n) for n in shape)


def rotation(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1.0]])


def planted(spacing=(1.0, 1.2, 3.0)):
    """Return a RAS image with one bright block at its right, anterior, superior corner."""
    data = np.zeros((20, 24, 14), dtype=np.float32)
    data[16:19, 19:23, 10:13] = 1
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-7, 11, -20]
    return nib.Nifti1Image(data, rotation(12) @ affine)


def oriented(image, codes):
    here = nib.orientations.io_orientation(image.affine)
    there = nib.orientations.axcodes2ornt(codes)
    return image.as_reoriented(nib.orientations.ornt_transform(here, there))


@pytest.mark.parametrize("codes", CODES)
def test_the_right_anterior_superior_corner_lies_where_the_letters_say(codes):
    image = volume(oriented(planted(), codes))
    for cut in cuts(image, (17, 21, 11), whole(image.shape), 2.0):
        picture = cut.picture(np.asarray(image.dataobj))
        row, column = np.unravel_index(picture.argmax(), picture.shape)
        at_left, at_top = column < picture.shape[1] / 2, row < picture.shape[0] / 2
        assert picture.max() > 0.9
        assert at_left == (cut.view.left in "RAS")
        assert at_top == (cut.view.top in "RAS")


def test_views_follow_the_radiological_convention():
    edges = {view.name: (view.left, view.right, view.top, view.bottom) for view in VIEWS}
    assert edges == {
        "axial": ("R", "L", "A", "P"),
        "coronal": ("R", "L", "S", "I"),
        "sagittal": ("A", "P", "S", "I"),
    }


def test_a_plane_is_cut_at_the_voxel_asked_for():
    data = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    image = nib.Nifti1Image(data.astype(np.float32), np.eye(4))
    axial, coronal, sagittal = cuts(image, (1, 2, 3), whole(data.shape), 1.0)
    np.testing.assert_array_equal(axial.extract(data), [[23, 11], [19, 7], [15, 3]])
    np.testing.assert_array_equal(coronal.extract(data)[0], [23, 11])
    np.testing.assert_array_equal(sagittal.extract(data)[:, 0], [23, 22, 21, 20])


def test_voxels_become_square():
    image = planted(spacing=(1.0, 1.0, 5.5))
    axial, coronal, _ = cuts(image, (0, 0, 0), whole(image.shape), 2.0)
    assert axial.picture(np.asarray(image.dataobj)).shape == (48, 40)
    assert coronal.picture(np.asarray(image.dataobj)).shape == (154, 40)


def test_an_outline_lies_midway_between_inner_and_outer_voxels():
    mask = np.zeros((10, 12, 8), dtype=bool)
    mask[3:7, 2:9, 3:5] = True
    (outline,) = Cut(VIEWS[0], 3, whole(mask.shape), (1.0, 2.0, 3.0), 2.0).outline(mask)
    # A voxel is 2 pixels wide and 4 high; the picture's left is the last voxel, its top too.
    np.testing.assert_allclose(outline.min(axis=0), [3 * 2 - 0.5, 3 * 4 - 0.5])
    np.testing.assert_allclose(outline.max(axis=0), [7 * 2 - 0.5, 10 * 4 - 0.5])


def signed_area(line):
    x, y = line.T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def test_a_hole_winds_against_its_surrounding():
    mask = np.zeros((20, 20, 3), dtype=bool)
    mask[2:18, 2:18] = True
    mask[8:12, 8:12] = False
    outer, hole = Cut(VIEWS[0], 1, whole(mask.shape), (1.0, 1.0, 1.0), 1.0).outline(mask)
    assert signed_area(outer) * signed_area(hole) < 0


@given(
    place=st.tuples(*[st.integers(0, 4)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 8.0)] * 3),
    view=st.sampled_from(VIEWS),
)
@settings(max_examples=60, deadline=None)
def test_the_smallest_lesion_is_outlined_even_at_the_border(place, spacing, view):
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[place] = True
    cut = Cut(view, place[view.axis], whole(mask.shape), spacing, 1.5)
    (outline,) = cut.outline(mask)
    row, column = np.argwhere(cut.extract(mask))[0]
    middle = (np.array([column, row]) + 0.5) * cut.voxel[::-1] - 0.5
    assert (outline.min(axis=0) < middle).all() and (middle < outline.max(axis=0)).all()
    np.testing.assert_array_equal(outline[0], outline[-1])


def test_an_empty_mask_has_no_outline():
    assert Cut(VIEWS[0], 1, whole((4, 4, 4)), (1, 1, 1), 1.0).outline(np.zeros((4, 4, 4), dtype=bool)) == []


def test_an_edge_is_found_to_a_fraction_of_a_pixel():
    x = np.arange(60)
    data = np.broadcast_to((x >= 25)[:, None, None], (60, 60, 3)).astype(np.float32)
    cut = Cut(VIEWS[0], 1, whole(data.shape), (1.0, 1.0, 1.0), 2.0)
    lines = cut.edges(data, np.ones(data.shape, dtype=bool))
    assert lines
    # The step lies between voxels 24 and 25; voxel 59 is the leftmost.
    np.testing.assert_allclose(np.vstack(lines)[:, 0], (60 - 25) * 2 - 0.5, atol=0.2)


def test_edges_stay_inside_the_mask_and_a_flat_image_has_none():
    noise = gaussian_filter(np.random.default_rng(1).normal(size=(60, 60, 3)).astype(np.float32), 3)
    cut = Cut(VIEWS[0], 1, whole(noise.shape), (1.0, 1.0, 1.0), 2.0)
    inside = np.zeros(noise.shape, dtype=bool)
    inside[15:45, 15:45] = True
    points = np.vstack(cut.edges(noise, inside))
    assert points.min() > 30 and points.max() < 89
    assert cut.edges(np.ones_like(noise), inside) == []
    assert cut.edges(noise, np.zeros_like(inside)) == []


def test_a_point_outside_is_moved_to_the_border_and_reported():
    image = nib.Nifti1Image(np.zeros((10, 10, 5), dtype=np.float32), np.diag([-1.0, 2.0, 3.0, 1.0]))
    assert nearest_voxel(image, np.array([-4.2, 9.0, 6.0])) == ((4, 4, 2), True)
    assert nearest_voxel(image, np.array([4.0, 99.0, 6.0])) == ((0, 9, 2), False)


def test_the_position_is_that_of_the_plane_in_the_world():
    image = nib.Nifti1Image(np.zeros((10, 10, 10), dtype=np.float32), np.diag([1.0, 1.0, 4.0, 1.0]))
    image.affine[:3, 3] = [-8, 3, -30]
    found = [position(image, cut) for cut in cuts(image, (2, 4, 6), whole(image.shape), 1.0)]
    assert found == ["I 6 mm", "A 7 mm", "L 6 mm"]


def test_tilt_is_the_angle_to_the_scanner():
    assert tilt(nib.Nifti1Image(np.zeros((2, 2, 2)), rotation(17))) == pytest.approx(17)
    assert tilt(nib.Nifti1Image(np.zeros((2, 2, 2)), np.diag([-1.0, 1.0, 5.0, 1.0]))) == 0


def ball(shape, centre, radius, spacing):
    grid = np.stack(
        np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    )
    return np.linalg.norm(grid - np.reshape(centre, (3, 1, 1, 1)), axis=0) < radius


def test_the_head_is_found_in_noisy_air():
    spacing = (1.0, 1.0, 4.0)
    head = ball((160, 160, 40), (70, 85, 80), 50, spacing)
    noise = np.abs(np.random.default_rng(0).normal(0, 20, head.shape))
    data = (head * 400 + noise).astype(np.float32)
    box = head_box(data, spacing)
    for found, true, size in zip(box, bounding_box(head, spacing, 0), spacing, strict=True):
        assert true.start - 12 / size <= found.start <= true.start
        assert true.stop <= found.stop <= true.stop + 12 / size


def test_the_neck_is_left_out_and_an_empty_image_shown_whole():
    data = np.zeros((60, 60, 200), dtype=np.float32)
    data[10:50, 10:50, 5:190] = 100
    brain = np.zeros(data.shape, dtype=bool)
    brain[15:45, 15:45, 130:185] = True
    assert head_box(data, (1.0, 1.0, 1.0), brain)[2].start == 130 - 45
    assert head_box(data, (1.0, 1.0, 1.0))[2].start < 5
    assert head_box(np.zeros_like(data), (1.0, 1.0, 1.0)) == whole(data.shape)


def test_the_window_is_that_of_the_inside():
    data = np.concatenate([np.arange(1001.0), np.full(5000, 1e6)])
    assert window(data, data < 2000) == pytest.approx((10, 995))
    low, high = window(np.full(10, 3.0), np.ones(10, dtype=bool))
    assert low == 3 and high > low


def test_a_series_of_volumes_is_refused_but_one_volume_in_four_dimensions_is_not():
    assert volume(nib.Nifti1Image(np.zeros((3, 4, 5, 1), dtype=np.float32), np.eye(4))).shape == (3, 4, 5)
    with pytest.raises(ImageError, match="3-D"):
        volume(nib.Nifti1Image(np.zeros((3, 4, 5, 2), dtype=np.float32), np.eye(4)))
