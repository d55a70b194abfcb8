"""From members to a label map, its volumes, and back to the session's own grid."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.errors import ImageError
from gliaflow.fuse.decode import VOLUME_COLUMNS, decode, drop_small, measure
from gliaflow.fuse.mean import mean_probability
from gliaflow.fuse.to_grid import labels_on_grid
from gliaflow.images import data_of, new_image, same_grid, spacing_of
from gliaflow.labels import REGIONS, region_mask
from gliaflow.segment.segmenters import quantise

HALF = dict.fromkeys(REGIONS, 0.5)


@given(st.integers(1, 8), st.integers(0, 1000))
def test_the_streamed_mean_is_numpys(count, seed):
    members = np.random.default_rng(seed).random((count, 3, 4, 5, 2)).astype(np.float32)
    mean = mean_probability(iter(members))
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, members.astype(np.float64).mean(axis=0), rtol=1e-6)


def test_the_mean_leaves_its_members_alone_and_holds_one_at_a_time():
    alive = []

    def members():
        for k in range(4):
            alive.append(np.full((2, 2), k / 4, dtype=np.float32))
            yield alive[-1]

    np.testing.assert_array_equal(mean_probability(members()), np.full((2, 2), 0.375, dtype=np.float32))
    assert [float(member[0, 0]) for member in alive] == [0, 0.25, 0.5, 0.75]


def test_members_that_cannot_be_averaged_are_named():
    with pytest.raises(ImageError, match="no ensemble member"):
        mean_probability([])
    with pytest.raises(ImageError, match=r"member 2 has shape \(2, 3\), the ones before it \(2, 2\)"):
        mean_probability([np.zeros((2, 2)), np.zeros((2, 3))])
    with pytest.raises(ImageError, match="member 2"):
        mean_probability([np.zeros((2, 2)), np.zeros((1, 2))])


def test_decoding_by_thresholds_golden():
    wt_tc_et = [(0.4, 0.9, 0.9), (0.5, 0.4, 0.2), (0.9, 0.6, 0.2), (0.9, 0.6, 0.3), (0.9, 0.1, 0.9)]
    probabilities = np.array(wt_tc_et).reshape(5, 1, 1, 3)
    labels = decode(probabilities, REGIONS, {"WT": 0.5, "TC": 0.6, "ET": 0.3})
    assert labels.ravel().tolist() == [0, 2, 1, 3, 3]
    assert labels.dtype == np.uint8


def test_channels_are_found_by_name_not_by_place():
    probabilities = np.random.default_rng(0).random((4, 4, 4, 3))
    swapped = decode(probabilities[..., ::-1], REGIONS[::-1], HALF)
    np.testing.assert_array_equal(swapped, decode(probabilities, REGIONS, HALF))


def two_lesions():
    labels = np.zeros((10, 10, 10), dtype=np.uint8)
    labels[0:3, 0:3, 0:3] = 2
    labels[1, 1, 1] = 3
    labels[3, 3, 3] = 1
    labels[7, 7, 6:9] = 2
    labels[9, 9, 0:5] = 4
    return labels


def test_small_lesions_are_dropped_whole_and_corners_touch():
    labels = two_lesions()
    np.testing.assert_array_equal(drop_small(labels, 3), labels)
    large = drop_small(labels, 4)
    assert not large[7:9].any()
    assert (large[9, 9, :5] == 4).all(), "a resection cavity is no lesion"
    np.testing.assert_array_equal(large[:6], labels[:6])
    # 27 voxels of a cube and one that touches it by a corner
    np.testing.assert_array_equal(drop_small(labels, 28)[:6], labels[:6])
    assert not drop_small(labels, 29)[:9].any()
    assert drop_small(labels, 29).dtype == np.uint8


def test_volumes_golden():
    assert measure(two_lesions(), 0.5, REGIONS) == {
        "wt_volume_ml": 15.5,
        "tc_volume_ml": 1.0,
        "et_volume_ml": 0.5,
        "wt_components": 2,
    }


def test_a_region_that_was_not_determined_has_no_volume_but_an_empty_one_has_0():
    labels = np.zeros((4, 4, 4), dtype=np.uint8)
    labels[0, 0, 0] = 2
    assert measure(labels, 1.0, ["WT"]) == {
        "wt_volume_ml": 1.0,
        "tc_volume_ml": None,
        "et_volume_ml": None,
        "wt_components": 1,
    }
    assert measure(labels * 0, 1.0, ["WT", "ET"]) == {
        "wt_volume_ml": 0.0,
        "tc_volume_ml": None,
        "et_volume_ml": 0.0,
        "wt_components": 0,
    }
    assert set(measure(labels, 1.0, ["WT"])) <= set(VOLUME_COLUMNS)


def soft_ball(grid, centre, radius):
    points = nib.affines.apply_affine(grid.affine, np.moveaxis(np.indices(grid.shape[:3]), 0, -1))
    return 1 / (1 + np.exp((np.linalg.norm(points - centre, axis=-1) - radius) / 0.7))


def cube(shape, spacing, angles=(0, 0, 0)):
    affine = np.eye(4)
    affine[:3, :3] = nib.eulerangles.euler2mat(*angles) @ np.diag(spacing)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return new_image(np.ones(shape), affine, np.uint8)


def atlas_probability():
    grid = cube((48, 48, 48), (1, 1, 1))
    regions = [soft_ball(grid, (2, 1, -1), radius) for radius in (17, 13, 10)]
    return new_image(quantise(np.stack(regions, axis=-1)), grid.affine, np.uint8)


def volumes(labels):
    voxel_ml = float(np.prod(spacing_of(labels))) / 1000
    return [region_mask(data_of(labels, np.uint8), region).sum() * voxel_ml for region in REGIONS]


ON_GRID = {"regions": REGIONS, "threshold": HALF, "min_component_voxels": 0}


def test_on_the_same_grid_the_labels_are_those_of_the_atlas():
    probability = atlas_probability()
    here = labels_on_grid(probability, cube((48, 48, 48), (1, 1, 1)), np.eye(4), **ON_GRID)
    decoded = decode((data_of(probability) + 0.5) / 256, REGIONS, HALF)
    np.testing.assert_array_equal(data_of(here, np.uint8), decoded)


@settings(max_examples=6, deadline=None)
@given(st.tuples(*[st.floats(-0.8, 0.8)] * 3), st.sampled_from([(1, 1, 1), (0.8, 0.8, 1.5), (1.2, 0.9, 2)]))
def test_volumes_keep_within_3_per_cent_on_a_rotated_grid(angles, spacing):
    probability = atlas_probability()
    atlas = volumes(labels_on_grid(probability, cube((48, 48, 48), (1, 1, 1)), np.eye(4), **ON_GRID))
    matrix = np.eye(4)
    matrix[:3, :3] = nib.eulerangles.euler2mat(*angles)
    target = cube([round(60 / s) for s in spacing], spacing, angles)
    there = labels_on_grid(probability, target, matrix, **ON_GRID)
    assert there.get_data_dtype() == np.uint8
    assert same_grid(there, target)
    np.testing.assert_allclose(volumes(there), atlas, rtol=0.03)


def test_nothing_is_labelled_outside_the_brain():
    target = cube((48, 48, 48), (1, 1, 1))
    brain = data_of(target, np.uint8).copy()
    brain[:24] = 0
    there = labels_on_grid(
        atlas_probability(), new_image(brain, target.affine, np.uint8), np.eye(4), **ON_GRID
    )
    labels = data_of(there, np.uint8)
    assert not labels[:24].any()
    assert labels[24:].any()


def test_the_least_size_is_a_volume_not_a_count():
    """A lesion of 520 voxels of 1 ul has 65 of 8 ul: both are kept by 400, both dropped by 700."""
    grid = cube((32, 32, 32), (1, 1, 1))
    ball = soft_ball(grid, (0, 0, 0), 5)
    probability = new_image(quantise(ball)[..., np.newaxis], grid.affine, np.uint8)
    options = {"regions": ["WT"], "threshold": HALF}
    for target in (grid, cube((16, 16, 16), (2, 2, 2))):
        kept, dropped = (
            data_of(labels_on_grid(probability, target, np.eye(4), min_component_voxels=n, **options)).any()
            for n in (400, 700)
        )
        assert (kept, dropped) == (True, False)
