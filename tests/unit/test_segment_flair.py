"""The FLAIR baseline is the paper's threshold, and finds a planted lesion in any voxel size."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.exposure import equalize_hist

from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError
from gliaflow.images import new_image
from gliaflow.segment.flair_baseline import (
    FlairSettings,
    anomaly_map,
    keep_components,
    open_ball,
    whole_tumour_probability,
)
from gliaflow.segment.segmenters import Entry, load_segmenter

PAPER = FlairSettings(smoothing_mm=0, opening_mm=0, min_component_share=0, fill_holes=False)
LESION = (12, -6, 4)


def brain(spacing=(2.0, 2.0, 2.0), lesion_radius=11.0, noise=8.0):
    """Make a brain of two tissues with a bright ball in it: FLAIR, brain, lesion."""
    shape = [round(110 / s) for s in spacing]
    points = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    x, y, z = np.meshgrid(*points, indexing="ij")
    mask = x**2 + y**2 + z**2 < 48**2
    lesion = (x - LESION[0]) ** 2 + (y - LESION[1]) ** 2 + (z - LESION[2]) ** 2 < lesion_radius**2
    tissue = np.where(np.sin(x / 9) * np.sin(y / 8) > 0, 100.0, 80.0)
    flair = np.where(lesion, 160.0, tissue) + np.random.default_rng(2).normal(0, noise, x.shape)
    return np.where(mask, flair, 0), mask, lesion & mask


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def test_the_anomaly_map_is_the_equalised_histogram_of_the_brain():
    flair, mask, _ = brain()
    expected = equalize_hist(flair, 256, mask=mask)
    found = anomaly_map(flair, mask, (2, 2, 2), 0)
    np.testing.assert_allclose(found[mask], expected[mask], rtol=1e-6)
    assert (found[~mask] == 0).all()
    # equalised values are ranks: a share of the brain is at most as bright
    for q in (0.1, 0.5, 0.9):
        assert (found[mask] <= q).mean() == pytest.approx(q, abs=0.03)


def test_without_its_additions_the_baseline_is_the_papers_method():
    flair, mask, _ = brain()
    bright = mask & (equalize_hist(flair, 256, mask=mask) > 0.96)
    parts, count = ndimage.label(bright)
    kept = [k for k in range(1, count + 1) if (parts == k).sum() >= 20]
    found = whole_tumour_probability(flair, mask, (2, 2, 2), PAPER) >= 0.5
    assert 0 < found.sum() < bright.sum()
    np.testing.assert_array_equal(found, np.isin(parts, kept))


@pytest.mark.parametrize("spacing", [(2, 2, 2), (1.5, 1.5, 4), (3, 3, 3), (4, 2, 2)])
def test_a_planted_lesion_is_found_in_any_voxel_size(spacing):
    flair, mask, lesion = brain(spacing)
    settings = FlairSettings(threshold=1 - 0.9 * lesion.sum() / mask.sum())
    probability = whole_tumour_probability(flair, mask, spacing, settings)
    assert probability.dtype == np.float32
    assert 0 <= probability.min() <= probability.max() <= 1
    assert dice(probability >= 0.5, lesion) > 0.85
    assert (probability[~mask] == 0).all()


@pytest.mark.parametrize("scale", [1e-3, 0.7, 1000])
def test_the_scale_of_the_scanner_does_not_matter(scale):
    flair, mask, _ = brain((3, 3, 3))
    first = whole_tumour_probability(flair, mask, (3, 3, 3), FlairSettings())
    second = whole_tumour_probability(flair * scale, mask, (3, 3, 3), FlairSettings())
    np.testing.assert_allclose(second, first, atol=0.02)
    assert dice(first >= 0.5, second >= 0.5) > 0.98


def test_what_lies_outside_the_brain_does_not_matter():
    flair, mask, _ = brain((3, 3, 3))
    head = np.where(mask, flair, 5000)
    np.testing.assert_array_equal(
        whole_tumour_probability(head, mask, (3, 3, 3), FlairSettings()),
        whole_tumour_probability(flair, mask, (3, 3, 3), FlairSettings()),
    )


def test_a_dark_core_belongs_to_its_lesion():
    flair, mask, lesion = brain((3, 3, 3), lesion_radius=16)
    core = ndimage.binary_erosion(lesion, iterations=3)
    flair = np.where(core, 20, flair)
    shell = lesion & ~core
    threshold = 1 - shell.sum() / mask.sum()
    found = [
        whole_tumour_probability(flair, mask, (3, 3, 3), FlairSettings(threshold, 0, 0, fill_holes=fill))
        >= 0.5
        for fill in (True, False)
    ]
    assert found[0][core].all()
    assert not found[1][core].any()


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_brain_without_anything_stays_empty():
    shape = (10, 10, 10)
    flat = np.full(shape, 50.0)
    assert whole_tumour_probability(flat, np.ones(shape, dtype=bool), (1, 1, 1), PAPER).shape == shape
    dark = np.zeros(shape)
    found = whole_tumour_probability(dark, np.zeros(shape, dtype=bool), (1, 1, 1), FlairSettings())
    np.testing.assert_array_equal(found, 0)


def bar(width_mm, spacing):
    shape = [round(60 / s) for s in spacing]
    mask = np.zeros(shape, dtype=bool)
    half = round(width_mm / spacing[2] / 2)
    mask[:, :, shape[2] // 2 - half : shape[2] // 2 + half] = True
    return mask


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2, 2, 1), (1, 1, 2)])
def test_opening_removes_what_is_thinner_than_the_ball(spacing):
    assert open_ball(bar(12, spacing), spacing, 3).any()
    assert not open_ball(bar(4, spacing), spacing, 3).any()
    thick = bar(12, spacing)
    np.testing.assert_array_equal(open_ball(thick, spacing, 0), thick)


def test_opening_agrees_with_scipys_by_a_ball_of_voxels():
    # the ball of distances in (r, r + 1) that a mask must clear is that of all voxels within r
    mask = ndimage.gaussian_filter(np.random.default_rng(0).random((30, 30, 30)), 2) > 0.51
    mask[[0, -1]] = mask[:, [0, -1]] = mask[:, :, [0, -1]] = False
    offsets = np.indices((5, 5, 5)).reshape(3, -1).T - 2
    ball = (np.linalg.norm(offsets, axis=1) <= 2).reshape(5, 5, 5)
    padded = np.pad(mask, 4)
    expected = ndimage.binary_opening(padded, ball)
    np.testing.assert_array_equal(open_ball(padded, (1, 1, 1), 2), expected)


def test_components_are_kept_by_size_and_share():
    mask = np.zeros((40, 10, 10), dtype=bool)
    mask[0:10, :5, :4] = True
    mask[15:20, :4, :4] = True
    mask[25:27, :3, :3] = True
    mask[30, 0, 0] = mask[31, 1, 0] = True
    sizes = {200, 80, 18, 1}

    def kept(voxels, share):
        result = keep_components(mask, FlairSettings(min_component_voxels=voxels, min_component_share=share))
        parts, _ = ndimage.label(result)
        return set(np.bincount(parts.ravel())[1:].tolist())

    assert kept(0, 0) == sizes
    assert kept(19, 0) == {200, 80}
    assert kept(80, 0) == {200, 80}
    assert kept(81, 0) == {200}
    assert kept(0, 0.41) == {200}
    assert kept(0, 0.05) == {200, 80, 18}
    assert not keep_components(np.zeros_like(mask), FlairSettings()).any()


ENTRY = Entry("flairbaseline", ("t2f",), ("WT",))


def test_the_segmenter_yields_one_member_of_one_region():
    flair, mask, lesion = brain((3, 3, 3))
    affine = np.diag([3.0, 3, 3, 1])
    segmenter = load_segmenter("flair_baseline", ENTRY, {"threshold": 0.97})
    (member,) = segmenter.members({"t2f": new_image(flair, affine)}, new_image(mask, affine, np.uint8))
    assert member.probabilities.shape == (*mask.shape, 1)
    assert member.facts == segmenter.facts == {}
    assert dice(member.probabilities[..., 0] >= 0.5, lesion) > 0.5


def test_a_loaded_segmenter_takes_one_session_after_another():
    affine = np.diag([3.0, 3, 3, 1])
    segmenter = load_segmenter("flair_baseline", ENTRY, {"threshold": 0.97})
    sessions = [brain((3, 3, 3), lesion_radius=radius) for radius in (11, 16, 11)]
    first, other, again = (
        next(segmenter.members({"t2f": new_image(flair, affine)}, new_image(mask, affine, np.uint8)))
        for flair, mask, _ in sessions
    )
    np.testing.assert_array_equal(again.probabilities, first.probabilities)
    assert (other.probabilities != first.probabilities).any()


def test_the_config_holds_the_settings_of_the_baseline_with_the_same_defaults():
    assert FlairSettings(**complete_config({})["segment"]["flair_baseline"]) == FlairSettings()


def test_an_unknown_segmenter_is_named():
    with pytest.raises(ConfigError, match=r"no segmenter of kind 'magic'.*flair_baseline"):
        load_segmenter("magic", ENTRY, {})
