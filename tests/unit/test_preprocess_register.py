"""A known motion is found again, whatever the contrast and the start."""

import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nilearn.datasets import load_mni152_template

from gliaflow.errors import ImageError
from gliaflow.images import data_of, new_image, to_sitk
from gliaflow.preprocess.keep_registration import keep_registration, register_or_keep
from gliaflow.preprocess.register import (
    Registration,
    mutual_information,
    register,
    register_syn,
    translation,
)
from gliaflow.preprocess.resample import resample
from gliaflow.preprocess.transforms import in_space_of, matrix_to_sitk, read_transform

TWICE = """
import hashlib
from nilearn.datasets import load_mni152_template
from gliaflow.images import data_of, new_image
from gliaflow.preprocess.register import register
template = load_mni152_template(resolution=5)
fixed = new_image(data_of(template), template.affine)
moving = new_image(fixed.get_fdata()[::-1] ** 0.7, fixed.affine)
for _ in range(2):
    print(hashlib.sha256(register(fixed, moving).matrix.tobytes()).hexdigest())
"""


def template(resolution):
    image = load_mni152_template(resolution=resolution)
    return new_image(100 * data_of(image), image.affine)


@pytest.fixture(scope="module")
def brain():
    return template(3)


def motion(angles, shift):
    matrix = translation(np.array(shift))
    matrix[:3, :3] = nib.eulerangles.euler2mat(*angles)
    return matrix


TRUE = motion((0.1, -0.06, 0.12), (5, -4, 6))


def moved(brain, matrix, spacing=(3, 3, 3)):
    """Scan the brain again, moved so that ``matrix`` carries the new scan to it, on a grid of its own."""
    shape = np.ceil(220 / np.array(spacing)).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -110 + np.array([0, -15, 5])
    grid = new_image(np.zeros(shape), affine)
    return resample(brain, grid, np.linalg.inv(matrix), interpolation="bspline")


def inverted(image):
    data = data_of(image)
    return new_image(np.where(data > 0.02 * data.max(), 1.2 * data.max() - data, 0), image.affine)


def largest_error(brain, found, true):
    points = nib.affines.apply_affine(brain.affine, np.argwhere(data_of(brain) > 0))
    difference = nib.affines.apply_affine(found, points) - nib.affines.apply_affine(true, points)
    return np.linalg.norm(difference, axis=1).max()


@pytest.mark.parametrize("contrast", [lambda image: image, inverted])
@pytest.mark.parametrize(("spacing", "tolerance"), [((3, 3, 3), 0.5), ((2, 2, 5), 0.8)])
def test_a_known_motion_is_found_across_contrast_and_slice_thickness(brain, contrast, spacing, tolerance):
    result = register(brain, contrast(moved(brain, TRUE, spacing)))
    assert largest_error(brain, result.matrix, TRUE) < tolerance
    assert result.after > result.before + 0.1


def test_a_rigid_registration_is_rigid(brain):
    linear = register(brain, moved(brain, TRUE)).matrix[:3, :3]
    np.testing.assert_allclose(linear @ linear.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(linear) == pytest.approx(1, abs=1e-5)


def test_an_affine_registration_finds_scale_too(brain):
    true = TRUE @ np.diag([1.06, 0.95, 1.02, 1])
    scan = moved(brain, true)
    assert largest_error(brain, register(brain, scan, kind="affine").matrix, true) < 1
    assert largest_error(brain, register(brain, scan, kind="rigid").matrix, true) > 1.5


def test_a_start_that_is_60_mm_off_is_caught(brain):
    off = translation(np.array([60.0, -40, 50]))
    result = register(brain, in_space_of(moved(brain, TRUE), off))
    assert largest_error(brain, result.matrix, np.linalg.inv(off) @ TRUE) < 0.5


def test_an_aligned_pair_stays(brain):
    result = register(brain, new_image(data_of(brain) ** 0.6, brain.affine))
    assert largest_error(brain, result.matrix, np.eye(4)) < 0.3
    assert result.after > result.before * 0.98


def test_with_one_thread_every_run_gives_the_same_matrix():
    environment = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
    command = [sys.executable, "-c", TWICE]
    first, second = subprocess.check_output(command, env=environment, text=True, timeout=120).split()
    assert first == second


def test_mutual_information_of_an_image_with_itself_is_its_entropy():
    """Two values, half of the image each: ln 2 nats; with an independent image: 0."""
    halves = np.zeros((32, 32, 32))
    halves[16:] = 100
    first, second = (new_image(data, np.diag([4.0, 4, 4, 1])) for data in (halves, halves.transpose(1, 0, 2)))
    itself = mutual_information(first, first, np.eye(4))
    # smoothing by half a voxel makes a third value at the border
    assert np.log(2) <= itself < np.log(2) + 0.4
    assert mutual_information(first, second, np.eye(4)) < 0.02


def test_mutual_information_is_largest_where_the_brains_agree(brain):
    other = inverted(brain)
    likeness = [
        mutual_information(brain, other, translation(np.array([s, 0, 0]))) for s in (0.0, 3.0, 9.0, 30.0)
    ]
    assert likeness == sorted(likeness, reverse=True)
    assert mutual_information(brain, other, translation(np.array([400.0, 0, 0]))) == pytest.approx(0)


def spot(image, centre, radius):
    points = nib.affines.apply_affine(image.affine, np.moveaxis(np.indices(image.shape), 0, -1))
    return np.linalg.norm(points - centre, axis=-1) <= radius


def test_syn_leaves_out_the_tumours():
    fixed = template(4)
    tumour = spot(fixed, (-30, -10, 20), 16)
    grown = new_image(np.where(tumour, 4 * data_of(fixed).max(), data_of(fixed)), fixed.affine)
    without = new_image(np.zeros(fixed.shape), fixed.affine)
    around = new_image(spot(fixed, (-30, -10, 20), 24), fixed.affine)
    size = {
        name: np.linalg.norm(
            data_of(register_syn(fixed, grown, np.eye(4), fixed_tumour=mask, moving_tumour=mask)), axis=-1
        )
        for name, mask in (("masked", around), ("seen", without))
    }
    assert size["masked"].shape == (*fixed.shape, 1)
    assert size["masked"].mean() < size["seen"].mean() / 3
    assert size["seen"].max() > 4


def test_syn_gives_a_field_that_itk_applies_before_the_start():
    fixed = template(4)
    start = motion((0.05, 0, 0), (4, -3, 2))
    points = nib.affines.apply_affine(fixed.affine, np.moveaxis(np.indices(fixed.shape), 0, -1))
    bulge = np.zeros((*fixed.shape, 3))
    bulge[..., 0] = 6 * np.exp(-((points - (0, -20, 10)) ** 2).sum(axis=-1) / (2 * 20**2))
    bent = new_image(
        sitk.GetArrayFromImage(
            sitk.Resample(to_sitk(fixed), to_sitk(fixed), field_transform(bulge, fixed))
        ).T,
        fixed.affine,
    )
    moving = resample(bent, fixed, np.linalg.inv(start))
    none = new_image(np.zeros(fixed.shape), fixed.affine)
    field = register_syn(fixed, moving, start, fixed_tumour=none, moving_tumour=none)
    assert data_of(field).shape == (*fixed.shape, 1, 3)
    vectors, near = data_of(field)[..., 0, :], bulge[..., 0] > 2
    # the bent scan shows at x what the fixed one has at x + bulge
    assert np.linalg.norm(vectors + bulge, axis=-1)[near].mean() < 0.4 * bulge[near][:, 0].mean()
    both = sitk.CompositeTransform([matrix_to_sitk(start), field_transform(vectors, fixed)])
    before, after = (
        np.abs(sitk.GetArrayFromImage(sitk.Resample(to_sitk(moving), to_sitk(fixed), t)).T - data_of(fixed))
        for t in (matrix_to_sitk(start), both)
    )
    assert after[near].mean() < 0.8 * before[near].mean()


def field_transform(vectors, grid):
    image = sitk.GetImageFromArray(vectors.transpose(2, 1, 0, 3).astype(np.float64), isVector=True)
    image.CopyInformation(to_sitk(grid))
    return sitk.DisplacementFieldTransform(image)


def test_scans_in_one_space_already_keep_it(brain):
    result = register_or_keep(brain, inverted(brain), kind="none", seed=1, same_space="the sheet says so")
    np.testing.assert_array_equal(result.matrix, np.eye(4))
    assert result.before == result.after > 0


def test_scans_on_other_grids_are_not_in_one_space(brain):
    with pytest.raises(ImageError, match=r"^the sheet says so, but their grids differ: .*registered = none"):
        register_or_keep(brain, moved(brain, TRUE), kind="none", seed=1, same_space="the sheet says so")


def test_a_registration_is_kept_with_its_figures(tmp_path):
    paths = tmp_path / "a.tfm", tmp_path / "a.json"
    keep_registration(*paths, Registration(TRUE, 0.41234567, 0.8, 0.7), {"kind": "rigid"}, "t2f")
    np.testing.assert_allclose(read_transform(paths[0]), TRUE, atol=1e-8)
    assert '"MutualInformationBefore": 0.412346' in paths[1].read_text()


def test_a_registration_that_failed_is_not_kept(tmp_path):
    paths = tmp_path / "a.tfm", tmp_path / "a.json"
    with pytest.raises(ImageError, match=r"^t2f: registration made the images less alike"):
        keep_registration(*paths, Registration(TRUE, 0.8, 0.5, 0.7), {"kind": "rigid"}, "t2f")
    assert list(tmp_path.iterdir()) == []


def test_noise_is_not_taken_for_a_scan_because_both_fields_of_view_end(tmp_path):
    paths = tmp_path / "a.tfm", tmp_path / "a.json"
    with pytest.raises(ImageError, match=r"next to nothing in common \(mutual information 0\.0050\)"):
        keep_registration(*paths, Registration(TRUE, 0.1, 0.14, 0.005), {"kind": "rigid"}, "t2f")
