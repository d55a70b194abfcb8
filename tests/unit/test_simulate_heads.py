"""Fields, anatomy, tumours and contrasts of generated heads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from gliaflow.checks import check_mask
from gliaflow.errors import ConfigError
from gliaflow.images import new_image
from gliaflow.labels import region_mask
from gliaflow.simulate.contrasts import MEAN_SIGNAL, add_scanner_effects, render
from gliaflow.simulate.fields import blob, named_rng, signed_distance, smooth_noise, world_points
from gliaflow.simulate.heads import Head, Material, make_head
from gliaflow.simulate.tumours import TumourShape, make_tumour, region_volumes_ml

RESOLUTION_MM = 2.5
SHAPE = TumourShape(side=-1, core_mm=13.0, oedema_mm=14.0)


@pytest.fixture(scope="module")
def head() -> Head:
    return make_head(named_rng(7, "head"), RESOLUTION_MM)


@pytest.fixture(scope="module")
def labels(head):
    return make_tumour(head, SHAPE, named_rng(7, "tumour"))


@given(seed=st.integers(0, 1000), scale=st.floats(3, 60), size=st.integers(5, 20))
@settings(max_examples=25, deadline=None)
def test_noise_is_standardised_and_repeats(seed, scale, size):
    field = smooth_noise((size, 7, 6), (1.0, 2.0, 3.0), scale, named_rng(seed))
    assert field.shape == (size, 7, 6)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, rel=1e-4)
    assert np.array_equal(field, smooth_noise((size, 7, 6), (1.0, 2.0, 3.0), scale, named_rng(seed)))


def test_noise_of_a_larger_scale_is_smoother():
    steps = [
        np.abs(np.diff(smooth_noise((60, 20, 20), (1, 1, 1), scale, named_rng(3)), axis=0)).mean()
        for scale in (2.0, 8.0, 32.0)
    ]
    assert steps[0] > 2 * steps[1] > 4 * steps[2]


def test_named_parts_draw_different_numbers():
    assert named_rng(1, "a").random() != named_rng(1, "b").random() != named_rng(2, "b").random()


def test_world_points_follow_the_affine():
    affine = np.array([[0, 2, 0, 5], [-1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1.0]])
    points = world_points(affine, (3, 4, 5))
    assert points[:, 2, 3, 4] == pytest.approx((affine @ [2, 3, 4, 1])[:3])


def test_distance_to_a_ball_is_that_of_a_ball():
    affine = np.diag([1.5, 1.5, 1.5, 1.0])
    affine[:3, 3] = -30
    ball = blob(world_points(affine, (41, 41, 41)), (0, 0, 0), (20, 20, 20))
    assert np.abs(signed_distance(ball < 0, affine) - ball).max() < 1.5 * np.sqrt(3)


def test_head_is_one_brain_in_skull_in_skin_in_air(head):
    volume = check_mask(
        new_image(head.brain, head.affine, np.uint8), "brain", like=new_image(head.brain, head.affine)
    )
    assert 1200 < volume < 1900
    assert ndimage.label(head.brain)[1] == 1
    middle = tuple(np.argwhere(head.brain).mean(axis=0).astype(int))
    upwards = head.materials[middle[0] + 6, middle[1], middle[2] :]
    brain = head.brain[middle[0] + 6, middle[1], middle[2] :]
    layers = list(dict.fromkeys(upwards[~brain].tolist()))
    wanted = [Material.BONE, Material.MARROW, Material.FAT, Material.SKIN, Material.AIR]
    assert [layer for layer in layers if layer in wanted] == wanted
    faces = (head.materials[0], head.materials[-1], head.materials[:, 0], head.materials[..., -1])
    assert all((face == Material.AIR).all() for face in faces)


def test_tissue_fractions_are_shares_of_the_brain(head):
    fractions = head.tissue_fractions()
    assert fractions.min() >= 0
    assert fractions.sum(axis=0) == pytest.approx(head.brain.astype(float), abs=1e-5)
    csf, grey, white = (np.mean(head.tissue()[head.brain] == value) for value in (1, 2, 3))
    assert 0.05 < csf < 0.25 < white < 0.6
    assert 0.3 < grey < 0.6
    assert not head.tissue()[~head.brain].any()


def test_head_depends_on_its_seed_alone(head):
    again = make_head(named_rng(7, "head"), RESOLUTION_MM)
    assert np.array_equal(again.brightness, head.brightness)
    assert np.array_equal(again.materials, head.materials)
    other = make_head(named_rng(8, "head"), RESOLUTION_MM)
    overlap = 2 * (other.brain & head.brain).sum() / (other.brain.sum() + head.brain.sum())
    assert 0.8 < overlap < 0.985


def test_tumour_lies_whole_in_its_half_of_the_brain(head, labels):
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert head.brain[labels > 0].all()
    assert (world_points(head.affine, labels.shape)[0][region_mask(labels, "TC")] < 5).all()
    assert ndimage.label(labels > 0)[1] == 1
    assert (head.tissue()[labels > 0] != 1).all()


def test_rim_encloses_the_core(labels):
    core = labels == 1
    shell = ndimage.binary_dilation(core) & ~core
    assert np.mean(labels[shell] == 3) > 0.95


def test_oedema_prefers_white_matter(head, labels):
    near = ndimage.binary_dilation(region_mask(labels, "TC"), iterations=4) & ~region_mask(labels, "TC")
    tissue = head.tissue()
    share = [np.mean(labels[near & (tissue == value)] == 2) for value in (2, 3)]
    assert share[1] > share[0] + 0.1


def test_core_has_about_the_wanted_volume_and_grows(head, labels):
    volumes = region_volumes_ml(labels, head.affine)
    assert volumes["ET"] < volumes["TC"] < volumes["WT"]
    assert volumes["TC"] == pytest.approx(4 / 3 * np.pi * 1.3**3, rel=0.5)
    grown = make_tumour(head, TumourShape(-1, 13.0, 20.0), named_rng(7, "tumour"))
    assert np.array_equal(grown == 3, labels == 3)
    assert (grown[labels > 0] > 0).all()
    assert (grown > 0).sum() > 1.2 * (labels > 0).sum()


def test_tumour_that_does_not_fit_is_an_error(head):
    with pytest.raises(ConfigError, match="core of 60 mm does not fit"):
        make_tumour(head, TumourShape(1, 60.0, 5.0), named_rng(1))


@pytest.mark.parametrize("sequence", ["t1n", "t1c", "t2w", "t2f", "dwi", "adc"])
def test_rendered_tissue_has_the_table_s_mean(head, labels, sequence):
    image = render(head, labels, sequence)
    assert image.dtype == np.float32
    inner = ndimage.binary_erosion(labels == 2)
    assert image[inner].mean() == pytest.approx(MEAN_SIGNAL["oedema"][sequence], rel=0.12)
    air = ndimage.binary_erosion((head.materials == Material.AIR) & ~head.brain, iterations=4)
    assert np.abs(image[air]).max() < 1
    white = ndimage.binary_erosion((head.tissue() == 3) & (labels == 0), iterations=2)
    assert image[white].mean() == pytest.approx(MEAN_SIGNAL["white matter"][sequence], rel=0.08)


def test_contrasts_are_those_of_the_sequences(head, labels):
    signal = {sequence: render(head, labels, sequence) for sequence in ("t1n", "t1c", "t2w", "t2f")}
    tissue = np.where(labels > 0, 0, head.tissue())
    mean = {s: [np.median(image[tissue == value]) for value in (1, 2, 3)] for s, image in signal.items()}
    assert mean["t1n"][0] < mean["t1n"][1] < mean["t1n"][2]
    assert mean["t2w"][0] > mean["t2w"][1] > mean["t2w"][2]
    assert mean["t2f"][0] < mean["t2f"][2] < mean["t2f"][1]
    rim = labels == 3
    assert np.median(signal["t1c"][rim]) > 1.5 * np.median(signal["t1n"][rim])
    assert np.median(signal["t2f"][labels == 2]) > 1.5 * mean["t2f"][1]


def test_flair_threshold_finds_the_tumour(head, labels):
    image = render(head, labels, "t2f")
    bright = head.brain & (image > np.quantile(image[head.brain], 0.96))
    whole = labels == 2
    assert 2 * (bright & whole).sum() / (bright.sum() + whole.sum()) > 0.6


def test_noise_of_empty_air_is_rayleigh():
    seen = add_scanner_effects(np.zeros((40, 40, 40), np.float32), (1, 1, 1), named_rng(5), noise=10.0)
    assert seen.min() >= 0
    assert seen.mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.01)


def test_bias_is_smooth_and_mild():
    flat = np.full((60, 60, 40), 1000, np.float32)
    seen = add_scanner_effects(flat, (3, 3, 3), named_rng(5), noise=0.0)
    assert 0.05 < seen.std() / seen.mean() < 0.2
    assert np.abs(np.diff(seen, axis=0)).max() < 30
