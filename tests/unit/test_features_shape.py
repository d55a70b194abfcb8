"""Shape against IBSI's digital phantom, against spheres and ellipsoids, and under turns."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapes import ellipsoid, phantom

from gliaflow.features.lesions import find_lesions, lesion_features
from gliaflow.features.shape import SHAPE_MEANINGS, shape_features

IBSI = {
    "mesh_volume_ml": (0.556, 0.004),
    "surface_area_mm2": (388, 3),
    "surface_to_volume_ratio_per_mm": (0.698, 0.004),
    "compactness_1": (0.0411, 0.0003),
    "compactness_2": (0.599, 0.004),
    "sphericity": (0.843, 0.005),
    "maximum_3d_diameter_mm": (13.1, 0.1),
    "major_axis_length_mm": (11.4, 0.1),
    "minor_axis_length_mm": (9.31, 0.06),
    "least_axis_length_mm": (8.54, 0.05),
    "elongation": (0.816, 0.005),
    "flatness": (0.749, 0.005),
}
"""Values and tolerances of the IBSI reference manual, section 3.1."""
SOLID = arrays(bool, (4, 3, 5), elements=st.booleans())
SPACING = (0.9, 1.3, 5.5)


def test_the_digital_phantom_has_the_values_of_ibsi() -> None:
    found = shape_features(phantom() > 0, (2.0, 2.0, 2.0))
    assert set(IBSI) == set(SHAPE_MEANINGS)
    wrong = {k: found[k] for k, (value, tolerance) in IBSI.items() if abs(found[k] - value) > tolerance}
    assert not wrong


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 1.1, 2.0)])
@pytest.mark.parametrize("radii", [(20.0, 20.0, 20.0), (30.0, 20.0, 15.0)])
def test_volume_and_lengths_are_those_of_the_ellipsoid(
    radii: tuple[float, float, float], spacing: tuple[float, float, float]
) -> None:
    """Volume within 1 %, axis lengths by IBSI within 1 % of 4 sqrt(r^2 / 5), diameter within a voxel."""
    found = shape_features(ellipsoid(radii, spacing, 30.0), spacing)
    volume = 4 / 3 * math.pi * math.prod(radii) / 1000
    assert found["mesh_volume_ml"] == pytest.approx(volume, rel=0.01)
    names = ("major", "minor", "least")
    for name, radius in zip(names, radii, strict=True):
        assert found[f"{name}_axis_length_mm"] == pytest.approx(4 * radius / math.sqrt(5), rel=0.01)
    assert found["maximum_3d_diameter_mm"] == pytest.approx(2 * max(radii), abs=max(spacing))
    assert found["elongation"] == pytest.approx(radii[1] / radii[0], abs=0.01)
    assert found["flatness"] == pytest.approx(radii[2] / radii[0], abs=0.01)


@pytest.mark.parametrize("radius", [10.0, 25.0])
def test_a_voxel_sphere_has_the_surface_that_its_steps_have(radius: float) -> None:
    """The mesh of a binary mask keeps its steps: 6 to 11 % more surface than the sphere has."""
    found = shape_features(ellipsoid((radius,) * 3, (1.0, 1.0, 1.0)), (1.0, 1.0, 1.0))
    assert 1.06 < found["surface_area_mm2"] / (4 * math.pi * radius**2) < 1.11
    assert 0.90 < found["sphericity"] < 0.95
    assert found["sphericity"] ** 3 == pytest.approx(found["compactness_2"])


def test_a_box_is_measured_but_for_its_edges() -> None:
    """20 x 30 x 40 mm: faces are exact, edges and corners cut by half a voxel."""
    mask = np.pad(np.ones((20, 30, 40), dtype=bool), 2)
    found = shape_features(mask, (1.0, 1.0, 1.0))
    assert found["mesh_volume_ml"] == pytest.approx(24, rel=0.005)
    assert found["surface_area_mm2"] == pytest.approx(5200, rel=0.03)


@settings(max_examples=50)
@given(SOLID, st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
def test_flips_and_quarter_turns_change_no_length(
    mask: np.ndarray, order: list[int], flips: tuple[bool, bool, bool]
) -> None:
    turned = mask.transpose(order)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    first = shape_features(mask, SPACING)
    second = shape_features(turned, [SPACING[axis] for axis in order])
    kept = [name for name in SHAPE_MEANINGS if "axis" in name or "diameter" in name]
    for name in kept:
        assert second[name] == (None if first[name] is None else pytest.approx(first[name], abs=1e-4))


def test_a_region_that_is_not_there_has_no_shape() -> None:
    found = shape_features(np.zeros((3, 3, 3), dtype=bool), (1.0, 1.0, 1.0))
    assert found == dict.fromkeys(SHAPE_MEANINGS)


def test_a_single_voxel_has_a_mesh_but_no_axes() -> None:
    """The mesh is an octahedron whose corners are half a voxel from the centre."""
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[1, 1, 1] = True
    found = shape_features(mask, (1.0, 2.0, 4.0))
    assert found["mesh_volume_ml"] == pytest.approx(1 * 2 * 4 / 6 / 1000)
    assert found["maximum_3d_diameter_mm"] == pytest.approx(4)
    assert (found["major_axis_length_mm"], found["elongation"], found["flatness"]) == (0, None, None)


@pytest.mark.parametrize(("neighbours", "count"), [(6, 3), (18, 2), (26, 1)])
def test_neighbours_decide_what_is_one_lesion(neighbours: int, count: int) -> None:
    """Three voxels: the second shares an edge with the first, the third a corner with the second."""
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 0] = mask[2, 2, 1] = True
    parts, sizes = find_lesions(mask, 0.1, neighbours=neighbours, smallest_ml=0.0)
    assert parts.max() == len(sizes) == count
    assert sum(sizes) == pytest.approx(0.3)


def test_small_parts_are_not_counted_and_the_others_numbered_without_gaps() -> None:
    mask = np.zeros((9, 1, 1), dtype=bool)
    mask[[0, 2, 3, 5, 7, 8]] = True
    parts, sizes = find_lesions(mask, 1.0, neighbours=26, smallest_ml=2.0)
    assert parts.ravel().tolist() == [0, 0, 1, 1, 0, 0, 0, 2, 2]
    assert sizes == [2, 2]
    assert lesion_features([])["lesions"] == 0
    assert lesion_features([])["largest_lesion_ml"] is None
