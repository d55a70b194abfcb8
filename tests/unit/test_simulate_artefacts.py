"""The faults of a scan: what each does, and that they are the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.images import Array
from gliaflow.simulate.artefacts import Artefacts, apply_artefacts, random_artefacts, thicken

SPACING = (2.0, 2.0, 2.0)


def a_scan() -> Array:
    scan = np.zeros((24, 26, 28), dtype=np.float32)
    scan[4:20, 4:22, 4:24] = 100
    return scan


def spoiled(**faults: float | tuple[float, float]) -> Array:
    return apply_artefacts(a_scan(), SPACING, replace(Artefacts(), **faults), np.random.default_rng(3))


def test_without_faults_a_scan_stays_as_it_is() -> None:
    assert np.array_equal(spoiled(), a_scan())


def test_no_severity_draws_no_faults() -> None:
    drawn = random_artefacts(np.random.default_rng(1), severity=0)

    assert np.array_equal(apply_artefacts(a_scan(), SPACING, drawn, np.random.default_rng(1)), a_scan())


def test_the_same_seed_draws_the_same_scan() -> None:
    first, again = (
        apply_artefacts(a_scan(), SPACING, random_artefacts(rng), rng)
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )

    assert np.array_equal(first, again)


@given(seed=st.integers(0, 10_000), severity=st.floats(0, 2))
def test_a_spoiled_scan_is_finite_and_not_negative(seed: int, severity: float) -> None:
    rng = np.random.default_rng(seed)
    seen = apply_artefacts(a_scan(), SPACING, random_artefacts(rng, severity), rng)

    assert seen.shape == a_scan().shape
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    assert seen.min() >= 0


def test_noise_has_the_standard_deviation_asked_for() -> None:
    inside = spoiled(noise=0.05)[6:18, 6:20, 6:22]

    assert inside.std() == pytest.approx(5, rel=0.1)


def test_a_bias_changes_no_background() -> None:
    seen = spoiled(bias=0.2)

    assert (seen[a_scan() == 0] == 0).all()
    assert seen[a_scan() > 0].std() > 5


def test_thick_slices_keep_what_lies_within_them() -> None:
    line = np.zeros((1, 1, 60), dtype=np.float32)
    line[..., 30] = 6
    thick = thicken(line, 5.0, 2, np.random.default_rng(1))

    assert thick.sum() == pytest.approx(6, rel=1e-5)
    assert np.average(np.arange(60), weights=thick[0, 0]) == pytest.approx(30, abs=2.5)
    assert thick.max() < 1.3


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_lie_across_any_axis(axis: int) -> None:
    seen = spoiled(slice_mm=8.0, slice_axis=axis)
    changed = np.unique(np.argwhere(np.abs(seen - a_scan()) > 1)[:, axis])

    assert len(changed) > 0
    assert np.array_equal(np.moveaxis(seen, axis, 0)[12], np.moveaxis(a_scan(), axis, 0)[12])


def test_what_is_cut_off_is_zero() -> None:
    seen = spoiled(cut_mm=(12.0, 10.0))

    assert (seen[:, :, :6] == 0).all()
    assert (seen[:, :, -5:] == 0).all()
    assert np.array_equal(seen[:, :, 6:-5], a_scan()[:, :, 6:-5])


def test_a_ghost_lies_beside_the_head() -> None:
    seen = spoiled(ghost=0.1, ghost_axis=1)

    assert seen[12, 1, 12] > 0 or seen[12, 24, 12] > 0
    assert seen.sum() == pytest.approx(a_scan().sum(), rel=1e-4)
