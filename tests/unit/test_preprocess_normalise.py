"""Normalised intensities do not depend on the scanner's scale, and errors say why there are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.errors import ImageError
from gliaflow.preprocess.normalise import normalise

RNG = np.random.default_rng(5)
IMAGE = RNG.gamma(3, 50, (12, 12, 12))
MASK = RNG.random((12, 12, 12)) > 0.4
REFERENCE = np.where(RNG.random((10, 10, 10)) > 0.5, RNG.normal(600, 30, (10, 10, 10)), 0)


@pytest.mark.parametrize("method", ["zscore", "percentile", "histogram"])
def test_outside_the_brain_is_0_and_the_image_is_left_alone(method):
    before = IMAGE.copy()
    result = normalise(IMAGE, MASK, method=method, reference=REFERENCE)
    assert result.dtype == np.float32
    assert (result[~MASK] == 0).all()
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(IMAGE, before)


def test_zscore_has_mean_0_and_deviation_1():
    inside = normalise(IMAGE, MASK)[MASK]
    assert inside.mean() == pytest.approx(0, abs=1e-6)
    assert inside.std() == pytest.approx(1, abs=1e-6)


def test_golden_values():
    """The values 0 to 100: mean 50, variance (101^2 - 1) / 12 = 850, percentiles 10 and 90."""
    image = np.arange(101.0).reshape(101, 1, 1)
    mask = np.ones(image.shape, dtype=bool)
    np.testing.assert_allclose(
        normalise(image, mask).ravel(), (np.arange(101) - 50) / np.sqrt(850), rtol=1e-6
    )
    scaled = normalise(image, mask, method="percentile", percentiles=(10, 90)).ravel()
    np.testing.assert_allclose(scaled[[0, 10, 30, 50, 90, 100]], [0, 0, 0.25, 0.5, 1, 1], atol=1e-6)


@given(st.floats(1e-3, 1e4), st.floats(-1e4, 1e4), st.sampled_from(["zscore", "percentile", "histogram"]))
def test_the_scale_of_the_scanner_does_not_matter(slope, offset, method):
    first = normalise(IMAGE, MASK, method=method, reference=REFERENCE)
    second = normalise(slope * IMAGE + offset, MASK, method=method, reference=REFERENCE)
    np.testing.assert_allclose(second, first, rtol=1e-4, atol=1e-4 * np.abs(first).max())


@given(st.floats(0, 1e6))
def test_what_lies_outside_the_brain_does_not_matter(value):
    changed = np.where(MASK, IMAGE, value)
    for method in ("zscore", "percentile", "histogram"):
        np.testing.assert_array_equal(
            normalise(changed, MASK, method=method, reference=REFERENCE),
            normalise(IMAGE, MASK, method=method, reference=REFERENCE),
        )


def test_percentile_cuts_to_0_and_1():
    inside = normalise(IMAGE, MASK, method="percentile")[MASK]
    assert (inside.min(), inside.max()) == (0, 1)
    assert (inside == 0).mean() == pytest.approx(0.01, abs=0.005)
    assert (inside == 1).mean() == pytest.approx(0.01, abs=0.005)


def test_histogram_has_the_values_of_the_reference_in_the_order_of_the_image():
    inside = normalise(IMAGE, MASK, method="histogram", reference=REFERENCE)[MASK]
    wanted = REFERENCE[REFERENCE > 0]
    for q in (5, 25, 50, 75, 95):
        assert np.percentile(inside, q) == pytest.approx(np.percentile(wanted, q), abs=3)
    assert (np.diff(inside[np.argsort(IMAGE[MASK])]) >= 0).all()


@pytest.mark.parametrize(
    ("image", "mask", "options", "reason"),
    [
        (IMAGE, np.zeros_like(MASK), {}, "only 0 voxels in the mask"),
        (IMAGE, np.arange(12**3).reshape(MASK.shape) < 99, {}, "only 99 voxels in the mask"),
        (np.full(MASK.shape, 7.0), MASK, {}, "every voxel in the mask has the value 7"),
        (IMAGE, MASK, {"method": "histogram"}, "needs preprocess.normalisation.reference"),
        (
            np.where(np.arange(12**3).reshape(MASK.shape) == 900, 9.0, 2.0),
            np.ones_like(MASK),
            {"method": "percentile"},
            "both 2; widen them",
        ),
    ],
)
def test_what_cannot_be_normalised_is_said(image, mask, options, reason):
    with pytest.raises(ImageError, match=reason):
        normalise(image, mask, **options)
