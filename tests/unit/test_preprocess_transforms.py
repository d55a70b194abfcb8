"""A matrix, its ITK file and the images it carries mean the same motion."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.errors import ImageError
from gliaflow.images import data_of, new_image
from gliaflow.preprocess.resample import resample
from gliaflow.preprocess.transforms import (
    centre_of_mass,
    in_space_of,
    matrix_to_sitk,
    read_transform,
    sitk_to_matrix,
    write_transform,
)

TO_LPS = np.array([-1, -1, 1])
ANGLES = st.tuples(*[st.floats(-3, 3)] * 3)
POINTS = st.tuples(*[st.floats(-150, 150)] * 3)


def motion(angles, shift, scale=(1, 1, 1)):
    matrix = np.eye(4)
    matrix[:3, :3] = nib.eulerangles.euler2mat(*angles) @ np.diag(scale)
    matrix[:3, 3] = shift
    return matrix


@st.composite
def matrices(draw):
    return motion(draw(ANGLES), draw(POINTS), draw(st.tuples(*[st.floats(0.7, 1.4)] * 3)))


def bump(centre, shape=(24, 26, 22)):
    """Make a smooth blob of 2 mm voxels around a point (RAS+ mm)."""
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = -np.array(shape) + 1
    points = nib.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))
    return new_image(np.exp(-((points - centre) ** 2).sum(axis=-1) / (2 * 4.0**2)), affine)


@settings(max_examples=40)
@given(matrices())
def test_writing_and_reading_keep_the_matrix(tmp_path_factory, matrix):
    path = tmp_path_factory.mktemp("transform") / "from-t2f_to-ref_mode-image_xfm.tfm"
    write_transform(path, matrix)
    np.testing.assert_allclose(read_transform(path), matrix, atol=2e-9)
    first = path.read_bytes()
    write_transform(path, read_transform(path))
    assert path.read_bytes() == first


@settings(max_examples=40)
@given(matrices(), POINTS)
def test_itk_reads_the_file_as_the_map_from_target_points_to_source_points(tmp_path_factory, matrix, point):
    path = tmp_path_factory.mktemp("transform") / "a.tfm"
    write_transform(path, matrix)
    expected = nib.affines.apply_affine(matrix, point) * TO_LPS
    there = sitk.ReadTransform(str(path)).TransformPoint((np.array(point) * TO_LPS).tolist())
    np.testing.assert_allclose(there, expected, atol=1e-6)
    np.testing.assert_allclose(
        matrix_to_sitk(matrix).TransformPoint((np.array(point) * TO_LPS).tolist()), expected, atol=1e-6
    )


def test_no_motion_has_a_file_without_negative_zeros(tmp_path):
    write_transform(tmp_path / "a.tfm", np.eye(4))
    assert "Parameters: 1.0 0.0 0.0 0.0 1.0 0.0 0.0 0.0 1.0 0.0 0.0 0.0\n" in (tmp_path / "a.tfm").read_text()


@given(matrices(), POINTS, POINTS)
def test_a_centre_of_rotation_is_resolved(matrix, centre, point):
    transform = matrix_to_sitk(matrix)
    transform.SetCenter(centre)
    lps = np.array(point) * TO_LPS
    np.testing.assert_allclose(
        nib.affines.apply_affine(sitk_to_matrix(transform), point) * TO_LPS,
        transform.TransformPoint(lps.tolist()),
        atol=1e-9,
    )


def test_files_that_hold_no_single_linear_transform_are_refused(tmp_path):
    field = sitk.DisplacementFieldTransform(sitk.Image([4, 4, 4], sitk.sitkVectorFloat64))
    both = sitk.CompositeTransform([sitk.AffineTransform(3), sitk.TranslationTransform(3, (1, 2, 3))])
    sitk.WriteTransform(field, str(tmp_path / "field.tfm"))
    sitk.WriteTransform(both, str(tmp_path / "both.tfm"))
    (tmp_path / "text.tfm").write_text("1 0 0 0\n0 1 0 0\n")
    for name in ("field.tfm", "both.tfm", "text.tfm", "gone.tfm"):
        with pytest.raises(ImageError, match=f"{name}: not a linear ITK transform"):
            read_transform(tmp_path / name)


def test_a_blob_is_carried_to_where_the_inverse_leads_its_point():
    """The matrix maps target points to source points, so an image moves by its inverse."""
    matrix = motion((0.2, -0.1, 0.3), (3, -5, 4))
    carried = resample(bump((4, -6, 5)), bump((0, 0, 0)), matrix)
    expected = nib.affines.apply_affine(np.linalg.inv(matrix), (4, -6, 5))
    np.testing.assert_allclose(centre_of_mass(carried), expected, atol=0.05)


def test_transforms_compose_from_the_left():
    a_to_b, b_to_c = motion((0.3, 0, 0), (4, 0, 0)), motion((0, 0, -0.4), (0, -3, 2))
    image, grid = bump((3, 2, -4)), bump((0, 0, 0))
    in_two_steps = resample(resample(image, grid, a_to_b), grid, b_to_c)
    at_once = resample(image, grid, a_to_b @ b_to_c)
    wrong = resample(image, grid, b_to_c @ a_to_b)
    np.testing.assert_allclose(centre_of_mass(at_once), centre_of_mass(in_two_steps), atol=0.1)
    assert np.linalg.norm(centre_of_mass(wrong) - centre_of_mass(at_once)) > 1


@settings(max_examples=20, deadline=None)
@given(ANGLES, st.tuples(*[st.floats(-20, 20)] * 3))
def test_placing_an_image_by_its_affine_is_resampling_without_loss(angles, shift):
    matrix = motion(angles, shift)
    image, grid = bump((2, -3, 4)), bump((0, 0, 0))
    placed = in_space_of(image, matrix)
    np.testing.assert_array_equal(data_of(placed), data_of(image))
    np.testing.assert_allclose(
        data_of(resample(placed, grid, np.eye(4))), data_of(resample(image, grid, matrix)), atol=1e-4
    )


@given(st.tuples(*[st.floats(-8, 8)] * 3))
def test_the_centre_of_mass_is_that_of_the_blob(centre):
    np.testing.assert_allclose(centre_of_mass(bump(centre)), centre, atol=0.15)


def test_values_below_zero_weigh_nothing():
    data = np.zeros((5, 5, 5))
    data[1, 2, 3], data[4, 4, 4] = 2, -5
    np.testing.assert_allclose(centre_of_mass(new_image(data, np.diag([2.0, 2, 2, 1]))), [2, 4, 6])
