"""First-order features and texture against IBSI's digital phantom, and where there is little to measure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapes import phantom

from gliaflow.features.intensity import (
    INTENSITY_MEANINGS,
    discretise,
    histogram_features,
    intensity_features,
)
from gliaflow.features.session import image_features
from gliaflow.features.texture import TEXTURE_MEANINGS, cooccurrence, texture_features

IBSI_INTENSITY = {
    **{"mean": 2.15, "variance": 3.05, "skewness": 1.08, "kurtosis": -0.355, "median": 1, "minimum": 1},
    **{"p10": 1, "p90": 4, "maximum": 6, "interquartile_range": 3, "range": 5, "root_mean_square": 2.77},
    **{"mean_absolute_deviation": 1.55, "robust_mean_absolute_deviation": 1.11},
}
IBSI_HISTOGRAM = {"histogram_entropy_bit": 1.27, "histogram_uniformity": 0.512}
IBSI_TEXTURE = {
    "glcm_joint_maximum": 0.509,
    "glcm_joint_average": 2.15,
    "glcm_joint_variance": 3.13,
    "glcm_joint_entropy_bit": 2.57,
    "glcm_difference_average": 1.38,
    "glcm_difference_variance": 3.21,
    "glcm_difference_entropy_bit": 1.64,
    "glcm_sum_entropy_bit": 2.11,
    "glcm_angular_second_moment": 0.291,
    "glcm_contrast": 5.12,
    "glcm_inverse_difference": 0.688,
    "glcm_inverse_difference_moment": 0.631,
    "glcm_inverse_variance": 0.0574,
    "glcm_correlation": 0.183,
    "glcm_cluster_tendency": 7.41,
    "glcm_cluster_shade": 17.4,
    "glcm_cluster_prominence": 147,
    "glcm_information_correlation_1": -0.0288,
    "glcm_information_correlation_2": 0.269,
}
"""Values of the IBSI reference manual, three digits: sections 3.3, 3.4, and 3.6 for the merged 3-D matrix."""


def three_digits(found: dict[str, float | None]) -> dict[str, float]:
    return {name: float(f"{value:.3g}") for name, value in found.items() if value is not None}


def test_the_digital_phantom_has_the_intensities_of_ibsi() -> None:
    levels = phantom()
    assert three_digits(intensity_features(levels[levels > 0])) == IBSI_INTENSITY
    assert three_digits(histogram_features(levels[levels > 0])) == IBSI_HISTOGRAM
    assert set(IBSI_INTENSITY) == set(INTENSITY_MEANINGS)


def test_the_digital_phantom_has_the_texture_of_ibsi() -> None:
    assert three_digits(texture_features(cooccurrence(phantom(), 6))) == IBSI_TEXTURE
    assert set(IBSI_TEXTURE) == set(TEXTURE_MEANINGS)


def test_the_phantom_keeps_its_levels_in_six_bins() -> None:
    levels = phantom()
    assert discretise(levels[levels > 0], 6).tolist() == levels[levels > 0].tolist()


@given(
    arrays(np.float32, st.integers(2, 30), elements=st.floats(-10, 10, width=32)),
    st.integers(2, 40),
    st.floats(0.5, 4),
    st.floats(-5, 5),
)
def test_levels_are_all_used_and_do_not_depend_on_the_scale(
    values: np.ndarray, bins: int, scale: float, shift: float
) -> None:
    levels = discretise(values, bins)
    assert levels.min() == 1
    assert levels.max() == (bins if values.min() < values.max() else 1)
    moved = discretise(values.astype(float) * scale + shift, bins)
    assert np.abs(moved - levels).max() <= 1


@given(arrays(np.int64, (3, 4, 3), elements=st.integers(0, 4)), st.permutations(range(3)))
def test_flips_and_quarter_turns_change_no_texture(levels: np.ndarray, order: list[int]) -> None:
    first = cooccurrence(levels, 4)
    second = cooccurrence(levels.transpose(order)[::-1, :, ::-1], 4)
    if first is None or second is None:
        assert first is second is None
    else:
        np.testing.assert_allclose(first, second)
        np.testing.assert_allclose(first, first.T)
        assert first.sum() == pytest.approx(1)


def test_a_constant_region_has_no_correlation() -> None:
    found = image_features(np.full((3, 3, 3), 7.0), np.ones((3, 3, 3), dtype=bool), 32)
    assert (found["variance"], found["skewness"], found["kurtosis"], found["glcm_contrast"]) == (0, 0, 0, 0)
    assert found["glcm_correlation"] is None
    assert found["glcm_information_correlation_1"] is None


def test_a_single_voxel_has_intensities_but_no_texture() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[1, 1, 1] = True
    found = image_features(np.full((3, 3, 3), 7.0), mask, 32)
    assert (found["mean"], found["range"], found["histogram_entropy_bit"]) == (7, 0, 0)
    assert all(found[name] is None for name in TEXTURE_MEANINGS)
    assert set(image_features(np.ones((3, 3, 3)), mask & False, 32).values()) == {None}
