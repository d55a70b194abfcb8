"""Tensors of a diffusion-weighted scan, and of an atlas, on the growth grid.

Golden values: directions and anisotropy against those of the tensors that the scan was made from by the
Stejskal-Tanner equation; FA against its formula; turned tensors against a turn of the grid's axes.
"""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from nilearn.datasets import load_mni152_template

from gliaflow.errors import ImageError
from gliaflow.growth.dwi import (
    Dwi,
    fit_tensor,
    patient_diffusion,
    read_dwi,
    register_dwi,
    world_directions,
)
from gliaflow.growth.tensors import (
    atlas_diffusion,
    carry_tensor,
    matrices,
    nearest_rotation,
    normalised,
    parts_of,
    read_tensor,
)
from gliaflow.growth.tissue import Tissue
from gliaflow.growth.warp import Warp
from gliaflow.images import data_of, new_image, write_image
from gliaflow.preprocess.resample import resample

EIGENVALUES = np.array([1.7e-3, 0.4e-3, 0.3e-3])
GRID = nib.affines.from_matvec(3 * np.eye(3), (-30, -40, -20))
SHAPE = (16, 18, 12)
MOTION = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.3, -0.2, 0.25), (3, -2, 4))
"""Scan to reference: maps a point of the reference to one of the scan."""


def anisotropy(values):
    """FA by its formula (Basser and Pierpaoli 1996)."""
    return np.sqrt(1.5 * ((values - values.mean()) ** 2).sum() / (values**2).sum())


def gradients(count=24, b=1000.0, seed=1):
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.concatenate([[0, 0], np.full(count, b)]), np.concatenate([np.zeros((2, 3)), directions])


def fibre(direction):
    """Make a tensor with a principal direction, mm^2/s."""
    frame = np.linalg.svd(np.asarray(direction, dtype=float)[None])[2]
    return frame.T @ np.diag(EIGENVALUES) @ frame


def scan(tensor, affine, shape=(20, 20, 16), seed=1):
    """Scan a head whose tensor is the same everywhere; return signals, b-values and FSL's directions."""
    values, world = gradients(seed=seed)
    signal = 800 * np.exp(-values * np.einsum("vi,ij,vj->v", world, tensor, world))
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    columns = world @ axes
    if np.linalg.det(axes) > 0:
        columns[:, 0] *= -1
    return new_image(np.broadcast_to(signal, (*shape, len(values))), affine), values, columns


def write(folder, image, values, columns, rows=True):
    nib.save(image, folder / "dwi.nii.gz")
    np.savetxt(folder / "dwi.bval", values[None], fmt="%g")
    np.savetxt(folder / "dwi.bvec", columns.T if rows else columns)
    return folder / "dwi.nii.gz"


def degrees(first, second):
    return np.degrees(np.arccos(np.clip(np.abs((first * second).sum(axis=-1)), 0, 1)))


AFFINES = {
    "left-handed": nib.affines.from_matvec(np.diag([-4.0, 4, 4]), (40, -42, -30)),
    "right-handed": nib.affines.from_matvec(np.diag([4.0, 4, 4]), (-38, -42, -30)),
    "oblique": nib.affines.from_matvec(
        nib.eulerangles.euler2mat(-0.2, 0.15, 0.3) @ np.diag([4.0, 4, 4]), (-30, -48, -32)
    ),
    "other axes": nib.affines.from_matvec(np.array([[0, 0, 4.0], [-4, 0, 0], [0, 4, 0]]), (-38, 42, -30)),
}


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("rows", [True, False])
def test_a_known_direction_is_found_after_a_known_turn(tmp_path, affine, rows):
    in_scan = np.array([0.8, 0.5, -0.33])
    in_scan /= np.linalg.norm(in_scan)
    dwi = read_dwi(write(tmp_path, *scan(fibre(in_scan), affine), rows=rows))
    brain = new_image(np.ones((6, 6, 6)), nib.affines.from_matvec(2 * np.eye(3), (-5, -5, -3)), np.uint8)
    found = patient_diffusion(dwi, MOTION, brain)
    expected = MOTION[:3, :3].T @ in_scan
    assert degrees(found.direction, expected).max() < 2
    np.testing.assert_allclose(found.anisotropy, anisotropy(EIGENVALUES), atol=0.02)
    np.testing.assert_allclose(found.tensor[..., [0, 3, 5]].sum(axis=-1), 1, atol=1e-5)
    turned = MOTION[:3, :3].T @ fibre(in_scan) @ MOTION[:3, :3] / EIGENVALUES.sum()
    np.testing.assert_allclose(matrices(found.tensor[3, 3, 3]), turned, atol=0.01)
    Tissue(
        np.ones((6, 6, 6), np.float32),
        *np.zeros((2, 6, 6, 6), np.float32),
        np.ones((6, 6, 6), bool),
        (2.0, 2.0, 2.0),
        found.anisotropy,
        found.tensor,
    )


def test_fsls_first_axis_points_the_other_way_in_right_handed_images():
    """The convention in words: flip x of the vectors unless the affine's determinant is negative."""
    left, right = np.diag([-2.0, 2, 2, 1]), np.diag([2.0, 2, 2, 1])
    for vector, in_left, in_right in (
        ((0.6, 0.8, 0), (-0.6, 0.8, 0), (-0.6, 0.8, 0)),
        ((0, 0.6, 0.8), (0, 0.6, 0.8), (0, 0.6, 0.8)),
    ):
        np.testing.assert_allclose(world_directions(np.array([vector]), left)[0], in_left)
        np.testing.assert_allclose(world_directions(np.array([vector]), right)[0], in_right)


def test_the_unweighted_volume_is_registered(tmp_path):
    template = load_mni152_template(resolution=4)
    reference = new_image(100 * data_of(template), template.affine)
    motion = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, -0.05, 0.12), (5, -3, 4))
    moved = data_of(resample(reference, reference, np.linalg.inv(motion)))
    inverted = np.where(moved > 2, 130 - moved, 0)
    values, directions = gradients(6)
    volumes = inverted[..., np.newaxis] * np.where(values > 0, 0.4, 1)
    dwi = Dwi(new_image(volumes, reference.affine), values, directions, "dwi.nii.gz")
    np.testing.assert_allclose(data_of(dwi.unweighted), inverted, atol=1e-4)
    found = register_dwi(dwi, reference).matrix
    points = np.array([[40.0, -20, 30], [-50, 10, 0], [0, 40, -20]])
    off = nib.affines.apply_affine(found, points) - nib.affines.apply_affine(motion, points)
    assert np.linalg.norm(off, axis=1).max() < 1


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (4, 3, 3), elements=st.floats(-1, 1)))
def test_any_tensor_becomes_one_of_trace_one(values):
    tensors = (values @ values.swapaxes(-1, -2) + 0.01 * np.eye(3)).reshape(4, 1, 1, 3, 3)
    brain = np.ones((4, 1, 1), dtype=bool)
    found = normalised(parts_of(tensors), brain)
    eigenvalues = np.linalg.eigvalsh(matrices(found.tensor))
    assert eigenvalues.min() > 0
    np.testing.assert_allclose(eigenvalues.sum(axis=-1), 1, atol=1e-5)
    assert found.anisotropy.min() >= 0
    assert found.anisotropy.max() <= 1
    np.testing.assert_allclose(np.linalg.norm(found.direction, axis=-1), 1, atol=1e-5)


def test_where_nothing_is_known_tissue_is_isotropic():
    tensor = np.zeros((4, 1, 1, 6))
    tensor[0] = parts_of(fibre((1, 0, 0)))
    tensor[1] = parts_of(np.diag([1e-3, 1e-3, -2e-4]))
    brain = np.array([True, True, True, False]).reshape(4, 1, 1)
    found = normalised(tensor, brain)
    np.testing.assert_allclose(found.tensor[2, 0, 0], [1 / 3, 0, 0, 1 / 3, 0, 1 / 3], atol=1e-6)
    assert found.anisotropy[:, 0, 0] == pytest.approx([anisotropy(EIGENVALUES), 0.7, 0, 0], abs=0.02)
    assert not found.direction[2:].any()


def one_tensor(tensor):
    return new_image(np.broadcast_to(parts_of(tensor), (*SHAPE, 6)), GRID)


def test_a_displacement_that_turns_is_the_same_as_a_matrix_that_does():
    tensor = one_tensor(fibre((0.3, 0.9, -0.3)))
    brain = new_image(np.ones(SHAPE), GRID, np.uint8)
    turn = nib.eulerangles.euler2mat(0.2, 0.1, -0.15)
    centre = nib.affines.apply_affine(GRID, (np.array(SHAPE) - 1) / 2)
    points = nib.affines.apply_affine(GRID, np.moveaxis(np.indices(SHAPE), 0, -1))
    shift = (points - centre) @ (turn - np.eye(3)).T * (-1, -1, 1)
    middle = (slice(5, 11), slice(6, 12), slice(4, 8))
    within = np.zeros(SHAPE, dtype=bool)
    within[middle] = True
    by_field = Warp(np.eye(4), new_image(shift[..., np.newaxis, :], GRID))
    by_matrix = Warp(nib.affines.from_matvec(turn, centre - turn @ centre))
    first, second = (carry_tensor(tensor, brain, warp, within)[middle] for warp in (by_field, by_matrix))
    expected = parts_of(turn.T @ fibre((0.3, 0.9, -0.3)) @ turn)
    np.testing.assert_allclose(first, np.broadcast_to(expected, first.shape), atol=2e-6)
    np.testing.assert_allclose(second, first, atol=2e-6)
    np.testing.assert_allclose(by_field.jacobian()[middle], 1, atol=1e-4)


def test_stretching_turns_no_tensor():
    tensor = one_tensor(fibre((0.6, 0, 0.8)))
    brain = new_image(np.ones(SHAPE), GRID, np.uint8)
    within = np.zeros(SHAPE, dtype=bool)
    within[7:9, 8:10, 5:7] = True
    carried = carry_tensor(tensor, brain, Warp(np.diag([1.3, 0.8, 1.1, 1])), within)
    expected = np.broadcast_to(fibre((0.6, 0, 0.8)), (8, 3, 3))
    np.testing.assert_allclose(matrices(carried[within]), expected, atol=1e-6)
    assert not carried[~within].any()
    np.testing.assert_allclose(nearest_rotation(np.diag([1.3, 0.8, -1.1])), np.diag([1, 1, -1.0]), atol=1e-12)


def test_both_orders_of_a_tensor_file_are_read(tmp_path):
    parts = np.arange(1, 7.0)
    plain = new_image(np.broadcast_to(parts, (4, 4, 4, 6)), GRID)
    nib.save(plain, tmp_path / "plain.nii.gz")
    rows = new_image(np.broadcast_to(parts[[0, 1, 3, 2, 4, 5]], (4, 4, 4, 1, 6)), GRID)
    rows.header.set_intent("symmetric matrix", (3,))
    nib.save(rows, tmp_path / "rows.nii.gz")
    for name in ("plain", "rows"):
        image = read_tensor(tmp_path / f"{name}.nii.gz")
        np.testing.assert_array_equal(data_of(image)[2, 1, 3], parts)


def test_an_atlas_tensor_comes_to_the_patient(tmp_path):
    nib.save(one_tensor(fibre((0, 1, 0))), tmp_path / "tensor.nii.gz")
    brain = new_image(np.ones((5, 5, 5)), nib.affines.from_matvec(3 * np.eye(3), (-12, -20, -8)), np.uint8)
    turn = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.4, 0, 0), (0, 0, 0))
    found = atlas_diffusion(tmp_path / "tensor.nii.gz", brain, Warp(turn))
    assert degrees(found.direction, turn[:3, :3].T @ (0, 1, 0)).max() < 0.1
    nowhere = Warp(nib.affines.from_matvec(np.eye(3), (500, 0, 0)))
    with pytest.raises(ImageError, match="there is none in the brain"):
        atlas_diffusion(tmp_path / "tensor.nii.gz", brain, nowhere)


def test_files_that_are_no_tensors_are_refused(tmp_path):
    write_image(tmp_path / "three.nii.gz", np.ones((4, 4, 4, 3)), np.eye(4))
    write_image(tmp_path / "nan.nii.gz", np.full((4, 4, 4, 6), np.nan), np.eye(4))
    with pytest.raises(ImageError, match=r"three\.nii\.gz: has shape \(4, 4, 4, 3\); a tensor image has 6"):
        read_tensor(tmp_path / "three.nii.gz")
    with pytest.raises(ImageError, match=r"nan\.nii\.gz: holds values that are not finite"):
        read_tensor(tmp_path / "nan.nii.gz")


@pytest.fixture
def good(tmp_path):
    image, values, columns = scan(fibre((1, 0, 0)), AFFINES["left-handed"], shape=(4, 4, 4))
    return write(tmp_path, image, values, columns), values, columns


def test_missing_files_are_named(good, tmp_path):
    path, _, _ = good
    (tmp_path / "dwi.bvec").unlink()
    with pytest.raises(
        ImageError, match=r"dwi\.bvec: no such file; dwi\.nii\.gz needs its \.bval and \.bvec"
    ):
        read_dwi(path)
    (tmp_path / "dwi.bval").write_text("a b c\n")
    with pytest.raises(ImageError, match=r"dwi\.bval: is no table of numbers"):
        read_dwi(path)


def test_scans_that_no_tensor_fits_are_refused(good, tmp_path):
    path, values, columns = good

    def refused(words, new_values=values, new_columns=columns):
        np.savetxt(tmp_path / "dwi.bval", new_values[None])
        np.savetxt(tmp_path / "dwi.bvec", new_columns.T)
        with pytest.raises(ImageError, match=words):
            read_dwi(path)

    refused("holds 25 b-values and dwi.bvec 26 directions, but the image has 26 volumes", values[:-1])
    refused("holds 26 b-values and dwi.bvec 25 directions", new_columns=columns[:-1])
    refused("no volume is unweighted", np.maximum(values, 700))
    refused("b-values that are not possible", values - 5)
    refused("direction of volume 3 has the length 0", new_columns=columns * 0)
    refused("direction of volume 3 has the length 0.5", new_columns=columns * 0.5)
    refused("fewer than 6 directions", np.where(np.arange(26) < 7, values, 0))
    refused("fewer than 6 directions", new_columns=columns[np.r_[:6, [2] * 20]])
    write_image(tmp_path / "dwi.nii.gz", np.ones((4, 4, 4)), np.eye(4))
    refused("has several volumes")


def test_a_scan_of_somewhere_else_is_refused(good):
    dwi = read_dwi(good[0])
    brain = new_image(np.ones((5, 5, 5)), nib.affines.from_matvec(3 * np.eye(3), (900, 0, 0)), np.uint8)
    with pytest.raises(ImageError, match="no signal where the brain is"):
        patient_diffusion(dwi, np.eye(4), brain)
    assert fit_tensor(dwi, np.ones((4, 4, 4), dtype=bool)).shape == (4, 4, 4, 6)
