"""Scanner grids, motion, and the truth about them."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.images import data_of, new_image
from gliaflow.simulate.acquisition import Geometry, acquire, random_motion
from gliaflow.simulate.fields import named_rng, world_points
from gliaflow.simulate.protocols import DISTRACTORS, PROTOCOLS
from gliaflow.simulate.truth import SessionTruth, read_truth, registration_error_mm, write_truth

ORIGIN = (0.0, 0.0, 0.0)


def shifted(*shift: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    return matrix


def cube(edge: int = 21) -> nib.Nifti1Image:
    return new_image(np.ones((edge,) * 3), shifted(*(-(edge // 2),) * 3), np.uint8)


def phantom(signal, size: int = 61) -> nib.Nifti1Image:
    affine = shifted(*(-(size // 2),) * 3)
    return new_image(signal(world_points(affine, (size,) * 3)), affine)


@pytest.mark.parametrize(
    ("plane", "codes"), [("axial", "LPS"), ("coronal", "LIA"), ("sagittal", "PIR")], ids=str
)
def test_grid_lies_as_a_scanner_lays_it(plane, codes):
    geometry = Geometry(plane, (1.0, 1.5, 4.0), (20, 30, 9), tilt_deg=5.0)
    affine = geometry.affine((1.0, 2.0, 3.0))
    assert "".join(nib.aff2axcodes(affine)) == codes
    assert nib.affines.voxel_sizes(affine) == pytest.approx((1.0, 1.5, 4.0))
    assert nib.affines.apply_affine(affine, (9.5, 14.5, 4)) == pytest.approx((1, 2, 3))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_truth_leads_from_the_scan_to_the_anatomy(plane):
    """A bright blob's middle in the scan's world, moved by the truth, is its middle in the anatomy's."""
    middle = np.array([9.0, -6.0, 4.0])
    anatomy = phantom(lambda p: np.exp(-((p - middle[:, None, None, None]) ** 2).sum(axis=0) / 18))
    to_anatomy = random_motion(named_rng(4, plane), (5, 6), (5, 8))
    scan = acquire(anatomy, Geometry(plane, (1.2, 1.2, 3.0), (60, 60, 24), 8.0), (2, 1, -3), to_anatomy)
    weight = data_of(scan, np.float64)
    voxel = [(weight.sum(axis=tuple({0, 1, 2} - {k})) @ np.arange(weight.shape[k])) for k in range(3)]
    seen = nib.affines.apply_affine(scan.affine, np.array(voxel) / weight.sum())
    assert nib.affines.apply_affine(to_anatomy, seen) == pytest.approx(middle, abs=0.05)
    assert np.linalg.norm(seen - middle) > 1


def test_thick_slice_is_the_mean_over_its_thickness():
    sheet = phantom(lambda p: (np.abs(p[2]) < 0.5) * 100.0)
    scan = data_of(acquire(sheet, Geometry("axial", (1, 1, 5.0), (20, 20, 5)), ORIGIN, np.eye(4)))
    assert scan[10, 10] == pytest.approx([0, 0, 20, 0, 0], abs=1e-4)


def test_ramp_keeps_its_values_at_slice_centres():
    ramp = phantom(lambda p: p[2] + 50)
    scan = acquire(ramp, Geometry("axial", (2, 2, 4.0), (10, 10, 8)), ORIGIN, np.eye(4))
    heights = nib.affines.apply_affine(scan.affine, [[5, 5, k] for k in range(8)])[:, 2]
    assert data_of(scan)[5, 5] == pytest.approx(heights + 50, abs=1e-3)


def test_what_lies_beyond_the_anatomy_is_black():
    scan = acquire(
        phantom(lambda p: np.ones_like(p[0])), Geometry("axial", (1, 1, 1), (9, 9, 9)), (200, 0, 0), np.eye(4)
    )
    assert not data_of(scan).any()


@given(seed=st.integers(0, 10_000))
def test_motion_is_rigid_and_within_its_bounds(seed):
    motion = random_motion(named_rng(seed), (2, 6), (2, 8))
    assert motion[:3, :3] @ motion[:3, :3].T == pytest.approx(np.eye(3), abs=1e-12)
    angle = np.rad2deg(np.arccos((np.trace(motion[:3, :3]) - 1) / 2))
    assert 2 - 1e-6 <= angle <= 6 + 1e-6
    assert 2 - 1e-9 <= np.linalg.norm(motion[:3, 3]) <= 8 + 1e-9


def test_series_of_a_study_have_numbers_of_their_own():
    numbers = [s.header.number for s in (*PROTOCOLS["a"].values(), *DISTRACTORS)]
    assert sorted(numbers) == list(range(1, 10))


def test_shift_is_measured_as_its_length():
    assert registration_error_mm(shifted(3, 4, 0), np.eye(4), cube()) == pytest.approx((5, 5))


def test_rotation_is_measured_as_its_chord():
    turned = np.eye(4)
    angle = np.deg2rad(6)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    _, largest = registration_error_mm(turned, np.eye(4), cube())
    assert largest == pytest.approx(2 * np.sin(angle / 2) * np.hypot(10, 10))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_error_is_zero_for_the_truth_and_seen_in_the_anatomy(seed):
    rng = named_rng(seed)
    truth, error = random_motion(rng, (0, 6), (0, 8)), random_motion(rng, (1, 3), (1, 3))
    assert registration_error_mm(truth, truth, cube(5))[1] == pytest.approx(0, abs=1e-9)
    assert registration_error_mm(error @ truth, truth, cube(5)) == pytest.approx(
        registration_error_mm(error, np.eye(4), cube(5))
    )


def test_truth_comes_back_as_written(tmp_path):
    matrices = {name: random_motion(named_rng(1, name), (2, 6), (2, 8)) for name in ("t1n", "t1c")}
    truth = SessionTruth("x", "1", 0, 5, 1.5, matrices, {"WT": 2.5}, ("Planted^Rosalind",))
    write_truth(tmp_path, truth)
    back = read_truth(tmp_path)
    assert back.planted == truth.planted
    assert back.volumes_ml == truth.volumes_ml
    assert all(np.array_equal(back.to_anatomy[name], matrices[name]) for name in matrices)
    assert matrices["t1c"] @ back.between("t1n", "t1c") == pytest.approx(matrices["t1n"])
