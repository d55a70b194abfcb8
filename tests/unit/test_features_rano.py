"""Bidimensional diameters against a brute-force search, against ellipsoids, and under flips and turns."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapes import ellipsoid
from skimage.measure import find_contours

from gliaflow.features.rano import bidimensional, measure_lesions, rano_features

IN_PLANE = arrays(bool, (6, 5), elements=st.booleans())
REGIONS = ("WT", "TC", "ET")


def outline(mask: np.ndarray, spacing: tuple[float, float]) -> list[np.ndarray]:
    return [(line - 1) * spacing for line in find_contours(np.pad(mask, 1).astype(float), 0.5)]


def brute_force(mask: np.ndarray, spacing: tuple[float, float]) -> tuple[float, float]:
    """The longest line between points of the outline, and the longest across it on a comb of lines."""
    lines = outline(mask, spacing)
    points = np.concatenate(lines)
    pairs = [(float(np.linalg.norm(a - b)), a, b) for a, b in combinations(points, 2)]
    longest = max(length for length, _, _ in pairs)
    across = 0.0
    for length, a, b in pairs:
        if length > longest * (1 - 1e-9):
            across = max(across, widest_across(lines, (b - a) / length))
    return longest, across


def widest_across(lines: list[np.ndarray], along: np.ndarray) -> float:
    fine = np.concatenate([np.linspace(p, q, 101) for line in lines for p, q in pairwise(line)])
    places, heights = np.rint(fine @ along / 0.01), fine @ np.array([-along[1], along[0]])
    return max(float(np.ptp(heights[places == place])) for place in np.unique(places))


@settings(max_examples=60)
@given(IN_PLANE, st.sampled_from([(1.0, 1.0), (0.9, 0.9), (0.8, 2.0)]))
def test_a_brute_force_search_finds_the_same(mask: np.ndarray, spacing: tuple[float, float]) -> None:
    assume(mask.any())
    found = bidimensional(mask, spacing)
    longest, across = brute_force(mask, spacing)
    assert found.longest_mm == pytest.approx(longest)
    assert found.perpendicular_mm == pytest.approx(across, abs=0.08)


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 77.0])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.5, 3.0), (0.9, 0.9, 5.5)])
def test_an_ellipsoid_has_its_own_diameters(spacing: tuple[float, float, float], angle: float) -> None:
    """On the slice through its centre, within a voxel's diagonal."""
    mask = ellipsoid((30.0, 18.0, 22.0), spacing, angle)
    (lesion,) = measure_lesions(np.where(mask, 2, 0), "WT", spacing, REGIONS)
    voxel = float(np.hypot(*spacing[:2]))
    assert lesion.slice == mask.shape[2] // 2
    assert lesion.diameters.longest_mm == pytest.approx(60, abs=voxel)
    assert lesion.diameters.perpendicular_mm == pytest.approx(36, abs=voxel)


@settings(max_examples=60)
@given(IN_PLANE, st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_flips_and_quarter_turns_change_neither(mask: np.ndarray, turn: tuple[bool, bool, bool]) -> None:
    assume(mask.any())
    spacing = (0.8, 1.7)
    turned = mask[:: -1 if turn[0] else 1, :: -1 if turn[1] else 1]
    second = bidimensional(turned.T if turn[2] else turned, spacing[::-1] if turn[2] else spacing)
    first = bidimensional(mask, spacing)
    assert (second.longest_mm, second.perpendicular_mm) == pytest.approx(
        (first.longest_mm, first.perpendicular_mm)
    )


@settings(max_examples=60)
@given(IN_PLANE)
def test_the_ends_are_as_far_apart_as_said_and_at_a_right_angle(mask: np.ndarray) -> None:
    assume(mask.any())
    size = np.array([0.8, 1.7])
    found = bidimensional(mask, size)
    along, across = ((ends[1] - ends[0]) * size for ends in (found.longest, found.perpendicular))
    assert np.linalg.norm(along) == pytest.approx(found.longest_mm)
    assert np.linalg.norm(across) == pytest.approx(found.perpendicular_mm)
    assert along @ across == pytest.approx(0, abs=1e-6)
    assert found.perpendicular_mm <= found.longest_mm * (1 + 1e-9)


def test_a_voxel_is_as_long_as_it_is() -> None:
    found = bidimensional(np.ones((1, 1), dtype=bool), (2.0, 3.0))
    assert (found.longest_mm, found.perpendicular_mm) == pytest.approx((3, 2))


def rim(broken: bool) -> np.ndarray:
    """A ring of enhancement round a core, 21 voxels wide; two gaps part it in the plane."""
    place = np.hypot(*(np.indices((31, 31)) - 15))
    labels = np.where(place <= 10, 3, 0)
    labels[place <= 7] = 1
    if broken:
        labels[14:17][labels[14:17] == 3] = 1
    return np.repeat(labels[..., np.newaxis], 3, axis=2)


@pytest.mark.parametrize("broken", [False, True])
def test_the_parts_of_a_rim_are_one_lesion(broken: bool) -> None:
    lesions = measure_lesions(rim(broken), "ET", (1.0, 1.0, 1.0), REGIONS)
    assert len(lesions) == 1
    assert lesions[0].diameters.longest_mm == pytest.approx(21, abs=1.5)
    assert lesions[0].diameters.perpendicular_mm == pytest.approx(21, abs=2.5)


def test_without_a_core_each_part_of_the_enhancement_is_a_lesion() -> None:
    lesions = measure_lesions(np.where(rim(True) == 3, 3, 0), "ET", (1.0, 1.0, 1.0), ("WT", "ET"))
    assert len(lesions) == 2


def test_only_measurable_lesions_are_summed() -> None:
    """Boxes of 20 x 12, 30 x 9 and 12 x 10 mm: the second is too narrow."""
    labels = np.zeros((40, 60, 3), dtype=np.uint8)
    labels[2:22, 2:14, 0] = labels[2:32, 20:29, 1] = labels[2:14, 35:45, 2] = 2
    lesions = measure_lesions(labels, "WT", (1.0, 1.0, 1.0), ["WT"])
    found = rano_features(lesions, 15.0)
    assert (len(lesions), found["rano_measurable_lesions"]) == (3, 0)
    assert found["rano_sum_mm2"] == 0
    assert found["rano_longest_mm"] is not None
    found = rano_features(lesions, 10.0)
    measurable = [one for one in lesions if one.diameters.measurable(10.0)]
    assert {one.slice for one in measurable} == {0, 2}
    assert found["rano_sum_mm2"] == pytest.approx(sum(one.diameters.product_mm2 for one in measurable))


def test_small_lesions_and_absent_ones_are_not_measured() -> None:
    labels = np.zeros((9, 9, 3), dtype=np.uint8)
    found = rano_features(measure_lesions(labels, "ET", (1.0, 1.0, 1.0), REGIONS), 10.0)
    assert found["rano_longest_mm"] is None
    assert (found["rano_measurable_lesions"], found["rano_sum_mm2"]) == (0, 0)
    labels[4, 4, 1] = 3
    assert not measure_lesions(labels, "ET", (1.0, 1.0, 1.0), REGIONS, smallest_ml=0.002)
    assert len(measure_lesions(labels, "ET", (1.0, 1.0, 1.0), REGIONS)) == 1


def test_of_pieces_in_a_plane_the_largest_is_measured() -> None:
    """Two legs of one lesion in a plane are not measured as one."""
    labels = np.zeros((30, 30, 2), dtype=np.uint8)
    labels[2:28, 2:28, 1] = 2
    labels[2:6, 2:28, 0] = labels[20:28, 2:28, 0] = 2
    labels[..., 1][6:20] = 0
    labels[4:22, 15, 1] = 2
    (lesion,) = measure_lesions(labels, "WT", (1.0, 1.0, 1.0), ["WT"])
    assert lesion.slice == 1
    labels[..., 1] = 0
    labels[4:22, 15, 1] = 2
    (lesion,) = measure_lesions(labels, "WT", (1.0, 1.0, 1.0), ["WT"])
    assert lesion.slice == 0
    assert lesion.diameters.longest_mm == pytest.approx(np.hypot(26, 7), abs=1)
