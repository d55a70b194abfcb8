"""The other side of the brain: midplane, one-sided lesions, and the tissue opposite to them.

Golden values: planes against the reflections that they were made from, shares of balls against the formula of
a spherical cap; the tissue in a lesion against that of the symmetric brain before there was one.
"""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.datasets import load_mni152_template
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.growth.mirror import (
    REFLECTION,
    Mirror,
    Sides,
    check_one_sided,
    contralateral_tissue,
    find_mirror,
    lesion_weight,
    midplane,
    mirrored,
    sides,
)
from gliaflow.growth.space import carry_image
from gliaflow.growth.tissue_maps import tissue_maps
from gliaflow.growth.warp import Warp
from gliaflow.images import data_of, new_image
from gliaflow.preprocess.resample import resample
from gliaflow.simulate.fields import blob, world_points

AFFINE = nib.affines.from_matvec(4 * np.eye(3), (-90, -126, -72))
SHAPE = (46, 56, 48)
POINTS = world_points(AFFINE, SHAPE)
EXACT = Mirror(REFLECTION, Warp(), np.array([1.0, 0, 0]), 0.0)


def mask(values):
    return new_image(values, AFFINE, np.uint8)


def ball(centre, radius):
    return mask(blob(POINTS, centre, (radius,) * 3) < 0)


@pytest.fixture(scope="module")
def symmetric():
    """A symmetric T1 brain and its mask on 4 mm."""
    template = load_mni152_template(resolution=4)
    image = resample(new_image(100 * data_of(template), template.affine), ball((0, 0, 0), 9), np.eye(4))
    both = (data_of(image) + data_of(resample(mirrored(image, REFLECTION), image, np.eye(4)))) / 2
    brain = ndimage.binary_fill_holes(both > 15)
    return new_image(both * brain, AFFINE), mask(brain)


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(-20, 20), st.tuples(*[st.floats(-9, 9)] * 2))
def test_a_plane_is_found_from_its_reflection_even_with_a_glide(yaw, roll, offset, glide):
    normal = nib.eulerangles.euler2mat(yaw, 0, roll)[:, 0]
    normal *= np.sign(normal[0])
    along = np.linalg.svd(normal[None])[2][1:]
    reflection = nib.affines.from_matvec(
        np.eye(3) - 2 * np.outer(normal, normal), 2 * offset * normal + glide @ along
    )
    found = midplane(reflection, np.array([3.0, -7, 11]))
    np.testing.assert_allclose(found[0], normal, atol=1e-6)
    assert found[1] == pytest.approx(offset, abs=1e-6)


def test_a_mirror_image_shows_every_point_at_its_reflection():
    image = new_image(np.random.default_rng(1).random(SHAPE), AFFINE)
    other = mirrored(image, REFLECTION)
    assert nib.aff2axcodes(other.affine) == ("R", "A", "S")
    point = nib.affines.apply_affine(AFFINE, (10, 20, 30)) * (-1, 1, 1)
    x, y, z = np.rint(nib.affines.apply_affine(np.linalg.inv(other.affine), point)).astype(int)
    assert data_of(other)[x, y, z] == data_of(image)[10, 20, 30]


def test_the_midplane_of_a_turned_brain_is_found_in_spite_of_a_tumour(symmetric):
    image, brain = symmetric
    turn = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.15, 0, -0.08), (6, -3, 4))
    tumour = ball((35, 10, 20), 18)
    sick = new_image(np.where(data_of(tumour) > 0, 130, data_of(image)), AFFINE)
    turned, where = (resample(i, image, turn) for i in (sick, brain))
    mirror = find_mirror(turned, mask(data_of(where) > 0.5), tumour, deformable=False)
    # the matrix maps points of the turned brain to those of the upright one, whose midplane is x = 0
    np.testing.assert_allclose(mirror.normal, turn[0, :3], atol=np.sin(np.radians(1)))
    assert mirror.offset == pytest.approx(-turn[0, 3], abs=1)
    points = nib.affines.apply_affine(np.linalg.inv(turn), [[30.0, -20, 10], [-44, 8, 0]])
    expected = nib.affines.apply_affine(np.linalg.inv(turn), [[-30.0, -20, 10], [44, 8, 0]])
    np.testing.assert_allclose(mirror.partner(points), expected, atol=2)


def test_a_lesion_is_divided_by_the_plane():
    found = sides(ball((30, 0, 0), 20), EXACT)
    assert found.left_ml == 0
    assert found.right_ml == pytest.approx(4 / 3 * np.pi * 8, rel=0.06)
    assert check_one_sided(ball((-30, 0, 0), 20), EXACT).smaller_share == 0
    # the plane cuts a cap of a quarter of the height off: h^2 (3 r - h) / (4 r^3)
    half = sides(ball((12, 0, 0), 24), EXACT)
    assert half.smaller_share == pytest.approx(12**2 * (3 * 24 - 12) / (4 * 24**3), abs=0.03)
    assert Sides(0, 0).smaller_share == 0


def test_lesions_across_the_midline_or_on_both_sides_are_refused_with_their_shares():
    across = ball((6, 0, 0), 24)
    with pytest.raises(
        ImageError, match=r"not one-sided: 3\d% of it \(\d+\.\d ml\) lies left and 6\d% .*atlas"
    ):
        check_one_sided(across, EXACT)
    twice = mask(data_of(ball((30, 0, 0), 16)) + data_of(ball((-36, 10, 0), 12)))
    with pytest.raises(ImageError, match=r"5% at most may lie on the smaller side"):
        contralateral_tissue(
            tissue_maps(*np.ones((2, *SHAPE)), None, np.ones(SHAPE, bool)), twice, twice, EXACT
        )
    assert check_one_sided(across, EXACT, most=0.5).smaller_share > 0.3


def test_a_lesion_gets_the_tissue_opposite_to_it():
    inside = blob(POINTS, (0, 0, 0), (70, 80, 60)) < 0
    white = (blob(POINTS * np.array([-1, 1, 1])[:, None, None, None], (30, 0, 0), (24, 30, 20)) < 0) | (
        blob(POINTS, (30, 0, 0), (24, 30, 20)) < 0
    )
    truth = tissue_maps(white * 1.0, ~white * 1.0, None, inside)
    lesion = ball((30, 10, 0), 16)
    sick = tissue_maps(np.where(data_of(lesion) > 0, 0, truth.white), truth.grey, None, inside)
    healed = contralateral_tissue(sick, mask(inside), lesion, EXACT)
    grown = contralateral_tissue(truth, mask(inside), lesion, EXACT)
    np.testing.assert_allclose(healed.white[data_of(lesion) > 0], truth.white[data_of(lesion) > 0], atol=0.01)
    np.testing.assert_allclose(grown.stack(), truth.stack(), atol=0.01)
    assert healed.stack().sum(axis=0).max() <= 1 + 1e-5
    far = lesion_weight(lesion, 3.0) == 0
    np.testing.assert_array_equal(healed.white[far], sick.white[far])


def test_where_the_counterpart_is_lesion_too_the_estimate_stays():
    inside = np.ones(SHAPE, dtype=bool)
    lesion = ball((10, 0, 0), 16)
    both = (data_of(lesion) > 0) & (np.abs(POINTS[0]) < 2)
    marked = tissue_maps(np.where(POINTS[0] < -1, 1.0, 0.25), np.zeros(SHAPE), None, inside)
    found = contralateral_tissue(marked, mask(inside), lesion, EXACT, most=0.5)
    np.testing.assert_allclose(found.white[both], marked.white[both], atol=1e-5)
    assert found.white[data_of(ball((20, 0, 0), 5)) > 0].min() == pytest.approx(1, abs=1e-5)


def test_sides_that_differ_are_matched_by_the_deformation(symmetric):
    image, brain = symmetric

    def pushed_mm(points):
        """How far forward the left side is pushed in one place, where the right one is not."""
        return 8 * np.exp(-((points - (-36, -14, 16)) ** 2).sum(axis=-1) / (2 * 22**2))

    field = np.zeros((*SHAPE, 1, 3), dtype=np.float32)
    field[..., 0, 1] = pushed_mm(np.moveaxis(POINTS, 0, -1))
    bent = carry_image(image, image, Warp(np.eye(4), new_image(field, AFFINE)))
    lesion = ball((40, 34, 16), 9)
    rng = np.random.default_rng(4)
    points = np.array([36, -14, 16]) + rng.uniform(-14, 14, (60, 3))
    truth = points * (-1, 1, 1)
    for _ in range(20):
        truth = points * (-1, 1, 1) + pushed_mm(truth)[:, np.newaxis] * (0, 1, 0)
    matched = find_mirror(bent, brain, lesion)
    rigid = replace(matched, warp=matched.warp.linear)
    off = [np.linalg.norm(m.partner(points) - truth, axis=1).mean() for m in (rigid, matched)]
    assert off[1] < 0.7 * off[0]


def test_an_empty_brain_is_refused(symmetric):
    image, _ = symmetric
    with pytest.raises(ImageError, match=r"^the brain mask is empty"):
        find_mirror(image, mask(np.zeros(SHAPE)), mask(np.zeros(SHAPE)))
    assert not lesion_weight(mask(np.zeros(SHAPE)), 3.0).any()
