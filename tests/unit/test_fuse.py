"""From members to a label map, its volumes, and back to the session's own grid."""

import json

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.errors import ImageError
from gliaflow.fuse.enhancing import EnhancingRule
from gliaflow.fuse.mean import mean_probability
from gliaflow.fuse.postprocess import PostSettings, postprocess
from gliaflow.fuse.to_grid import keep_labels, labels_in_both, labels_on_grid
from gliaflow.fuse.volumes import VOLUME_COLUMNS, measure
from gliaflow.images import data_of, new_image, spacing_of
from gliaflow.labels import REGIONS, region_mask
from gliaflow.segment.segmenters import dequantise, quantise

METHODS = ("mean", "logit_mean")


@given(st.integers(1, 8), st.integers(0, 1000))
def test_the_streamed_mean_is_numpys(count, seed):
    members = np.random.default_rng(seed).random((count, 3, 4, 5, 2)).astype(np.float32)
    mean = mean_probability(iter(members))
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, members.astype(np.float64).mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_many_members_lose_no_precision(method):
    member = np.array([0.1], dtype=np.float32)
    assert mean_probability((member for _ in range(5000)), method) == pytest.approx(member, rel=1e-7)


def test_the_mean_before_the_sigmoid_golden():
    """Odds of 9 and 1 have the geometric mean 3; odds of 1/3 and 1/27 have 1/9."""
    mean = mean_probability([np.array([0.9, 0.25]), np.array([0.5, 1 / 28])], "logit_mean")
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, [0.75, 0.1], rtol=1e-6)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=8))
def test_the_mean_before_the_sigmoid_is_that_of_the_logits(steps):
    probabilities = dequantise(np.array(steps, dtype=np.uint8)).astype(np.float64)
    logits = np.log(probabilities / (1 - probabilities))
    found = mean_probability([np.array([p]) for p in probabilities], "logit_mean")
    np.testing.assert_allclose(found, [1 / (1 + np.exp(-logits.mean()))], rtol=1e-6)
    assert probabilities.min() * 0.999 <= found[0] <= probabilities.max() * 1.001


@pytest.mark.parametrize("method", METHODS)
def test_equal_members_are_their_own_mean(method):
    member = np.random.default_rng(0).uniform(0.01, 0.99, (3, 4)).astype(np.float32)
    np.testing.assert_allclose(mean_probability([member] * 3, method), member, rtol=1e-5)


@pytest.mark.parametrize(("method", "expected"), [("mean", 0.4), ("logit_mean", 1 / (1 + 3**0.5))])
def test_the_mean_leaves_its_members_alone_and_takes_one_at_a_time(method, expected):
    given_out = []

    def members():
        for probability in (0.1, 0.25, 0.5, 0.75):
            given_out.append(np.full((2, 2), probability, dtype=np.float32))
            yield given_out[-1]

    np.testing.assert_allclose(mean_probability(members(), method), np.full((2, 2), expected), rtol=1e-6)
    assert [round(float(member[0, 0]), 2) for member in given_out] == [0.1, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("method", METHODS)
def test_members_that_cannot_be_averaged_are_named(method):
    half = np.full((2, 2), 0.5)
    with pytest.raises(ImageError, match="no ensemble member"):
        mean_probability([], method)
    with pytest.raises(ImageError, match=r"member 2 has shape \(2, 3\), the ones before it \(2, 2\)"):
        mean_probability([half, np.full((2, 3), 0.5)], method)
    with pytest.raises(ImageError, match="member 2"):
        mean_probability([half, np.full((1, 2), 0.5)], method)


def two_lesions():
    labels = np.zeros((10, 10, 10), dtype=np.uint8)
    labels[0:3, 0:3, 0:3] = 2
    labels[1, 1, 1] = 3
    labels[3, 3, 3] = 1
    labels[7, 7, 6:9] = 2
    labels[9, 9, 0:5] = 4
    return labels


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


def volumes(labels, grid):
    voxel_ml = float(np.prod(spacing_of(grid))) / 1000
    return [region_mask(labels, region).sum() * voxel_ml for region in REGIONS]


ON_GRID = {"regions": REGIONS, "settings": PostSettings(), "enhancing_removed": False}


def test_on_the_same_grid_the_labels_are_those_of_the_atlas():
    probability = atlas_probability()
    here = labels_on_grid(probability, cube((48, 48, 48), (1, 1, 1)), np.eye(4), **ON_GRID)
    decoded = postprocess(dequantise(data_of(probability, np.uint8)), REGIONS, PostSettings(), 0.001)
    assert decoded.labels.any()
    np.testing.assert_array_equal(here.labels, decoded.labels)


@settings(max_examples=6, deadline=None)
@given(st.tuples(*[st.floats(-0.8, 0.8)] * 3), st.sampled_from([(1, 1, 1), (0.8, 0.8, 1.5), (1.2, 0.9, 2)]))
def test_volumes_keep_within_3_per_cent_on_a_rotated_grid(angles, spacing):
    probability, own = atlas_probability(), cube((48, 48, 48), (1, 1, 1))
    atlas = volumes(labels_on_grid(probability, own, np.eye(4), **ON_GRID).labels, own)
    matrix = np.eye(4)
    matrix[:3, :3] = nib.eulerangles.euler2mat(*angles)
    target = cube([round(60 / s) for s in spacing], spacing, angles)
    there = labels_on_grid(probability, target, matrix, **ON_GRID)
    assert there.labels.dtype == np.uint8
    assert there.labels.shape == target.shape
    np.testing.assert_allclose(volumes(there.labels, target), atlas, rtol=0.03)


def test_nothing_is_labelled_outside_the_brain():
    target = cube((48, 48, 48), (1, 1, 1))
    brain = data_of(target, np.uint8).copy()
    brain[:24] = 0
    labels = labels_on_grid(
        atlas_probability(), new_image(brain, target.affine, np.uint8), np.eye(4), **ON_GRID
    ).labels
    assert not labels[:24].any()
    assert labels[24:].any()


def test_the_least_size_is_a_volume_not_a_count():
    """A lesion of 520 voxels of 1 ul has 65 of 8 ul: both are kept by 400, both dropped by 700."""
    grid = cube((32, 32, 32), (1, 1, 1))
    ball = soft_ball(grid, (0, 0, 0), 5)
    probability = new_image(quantise(ball)[..., np.newaxis], grid.affine, np.uint8)
    for target in (grid, cube((16, 16, 16), (2, 2, 2))):
        kept, dropped = (
            labels_on_grid(
                probability,
                target,
                np.eye(4),
                regions=["WT"],
                settings=PostSettings(min_component_voxels=least),
                enhancing_removed=False,
            )
            for least in (400, 700)
        )
        assert kept.labels.any()
        assert not dropped.labels.any()
        assert dropped.steps == (("min_component_voxels", np.count_nonzero(kept.labels)),)


@pytest.mark.parametrize("removed", [True, False])
def test_what_was_decided_about_the_enhancing_tumour_in_the_atlas_holds_on_every_grid(removed):
    """The rule's limit lies far above or below the tumour's 4 ml, against what was decided."""
    rule = EnhancingRule("necrosis", limit_ml=0.001 if removed else 100.0)
    target = cube((24, 24, 24), (2, 2, 2))
    here = labels_on_grid(
        atlas_probability(),
        target,
        np.eye(4),
        regions=REGIONS,
        settings=PostSettings(enhancing=rule),
        enhancing_removed=removed,
    )
    assert here.enhancing_removed is removed
    _, core, enhancing = volumes(here.labels, target)
    assert (enhancing == 0) == removed
    assert core > 5, "what was enhancing stays core"


def test_a_limit_between_the_two_grids_volumes_is_decided_in_the_atlas():
    """The tumour's 4.2 ml differ a little between the grids; a limit between them must not split them."""
    atlas, target = atlas_probability(), cube((12, 12, 12), (4, 4, 4))
    in_atlas, in_ref = labels_in_both(atlas, target, np.eye(4), regions=REGIONS, settings=PostSettings())
    sizes = [volumes(r.labels, grid)[2] for r, grid in ((in_atlas, atlas), (in_ref, target))]
    assert sizes[0] != sizes[1]
    rule = EnhancingRule("necrosis", limit_ml=float(np.mean(sizes)))
    decided = labels_in_both(atlas, target, np.eye(4), regions=REGIONS, settings=PostSettings(enhancing=rule))
    assert decided[0].enhancing_removed == decided[1].enhancing_removed == (sizes[0] < sizes[1])


def test_a_label_map_says_what_was_done_to_it(tmp_path):
    atlas, target = atlas_probability(), cube((24, 24, 24), (2, 2, 2))
    rule = EnhancingRule("necrosis", limit_ml=100)
    settings = PostSettings(fill_holes=True, enhancing=rule)
    _, here = labels_in_both(atlas, target, np.eye(4), regions=REGIONS, settings=settings)
    fused = {
        "Sources": ["members"],
        "Parameters": {"method": "mean"},
        "Model": "tiny",
        "Regions": list(REGIONS),
    }
    path = tmp_path / "dseg.nii.gz"
    keep_labels(path, here, target, settings, fused, sources=["probseg"], space="ref")
    said = json.loads((tmp_path / "dseg.json").read_text())
    assert (said["Sources"], said["Space"], said["Model"]) == (["probseg"], "ref", "tiny")
    assert said["Parameters"]["postprocess"]["enhancing"] == {
        "rule": "necrosis",
        "limit_ml": 100,
        "core_ml": 0,
    }
    assert said["VoxelsChanged"]["fill_holes"] == 0
    assert said["VoxelsChanged"]["enhancing"] > 100
    assert said["EnhancingRemoved"] is True
    np.testing.assert_array_equal(data_of(nib.load(path), np.uint8), here.labels)
