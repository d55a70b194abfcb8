"""A follow-up brought to its baseline.

Golden values: the map found against the motion and the smooth deformation that it was made with; the
Jacobian determinant against that of a stretch; normalised mutual information against its two extremes.
"""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.evaluate.overlap import dice
from gliaflow.growth.followup import (
    NUMBERS,
    FollowUpNumbers,
    FollowUpSettings,
    Scan,
    check_follow_up,
    register_follow_up,
)
from gliaflow.growth.space import growth_grid
from gliaflow.growth.warp import Warp, likeness, widened
from gliaflow.images import data_of, new_image
from gliaflow.simulate.fields import blob, named_rng, smooth_noise, world_points
from gliaflow.simulate.heads import make_brain, template_points

MM = 3.0
CORNER, SHAPE = (-81.0, -114.0, -78.0), (55, 67, 55)
AFFINE = nib.affines.from_matvec(MM * np.eye(3), CORNER)
MOTION = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.06, -0.04, 0.08), (5.0, -3.0, 2.0))
"""Follow-up to baseline: maps a point of the baseline's head to one of the follow-up's."""
LESION = (28.0, -20.0, 24.0)


def shift(points):
    """Smooth deformation in mm, up to 5 mm, shape of the points (3, ...), RAS."""
    waves = np.stack([np.sin(points[(k + 1) % 3] / 22 + k) * np.cos(points[k] / 31) for k in range(3)])
    return 2.2 * waves


def to_follow_up(points):
    """Where points of the baseline's head (3, ...) are in the follow-up's."""
    bent = points + shift(points)
    return np.moveaxis(nib.affines.apply_affine(MOTION, np.moveaxis(bent, 0, -1)), -1, 0)


def from_follow_up(points):
    """The inverse of `to_follow_up`, by fixed-point iteration."""
    straight = np.moveaxis(nib.affines.apply_affine(np.linalg.inv(MOTION), np.moveaxis(points, 0, -1)), -1, 0)
    found = straight
    for _ in range(12):
        found = straight - shift(found)
    return found.astype(np.float32)


@pytest.fixture(scope="module")
def sessions():
    """A generated brain with a tumour, and again: moved, bent, operated on, with a recurrence."""
    points = world_points(AFFINE, SHAPE)
    seen = from_follow_up(points)
    rng = named_rng(5, "follow-up")
    bright, inside = make_brain(template_points(AFFINE, SHAPE, rng), MM)
    voxels = (seen - np.array(CORNER, np.float32)[:, None, None, None]) / MM
    later = ndimage.map_coordinates(bright, voxels, order=1)
    later_inside = ndimage.map_coordinates(inside.astype(np.float32), voxels, order=1) > 0.5
    tumour = (blob(points, LESION, (14, 14, 14)) < 0) & inside
    cavity = (blob(seen, LESION, (12, 12, 12)) < 0) & later_inside
    recurrence = (blob(seen, (28, 0, 30), (9, 9, 9)) < 0) & ~cavity & later_inside
    noise = smooth_noise(SHAPE, (MM,) * 3, 3.0, rng)
    first = np.where(tumour, 1.1, bright) * inside
    second = np.select([cavity, recurrence], [0.1, 1.1], 1.4 * later**0.8 + 0.01 * noise) * later_inside
    return (
        Scan(image(first), mask(inside), mask(3 * tumour)),
        Scan(image(second), mask(later_inside), mask(4 * cavity + 3 * recurrence)),
    )


def image(values):
    return new_image(100 * values, AFFINE)


def mask(values):
    return new_image(values, AFFINE, np.uint8)


@pytest.fixture(scope="module")
def result(sessions):
    return register_follow_up(*sessions)


def healthy_points(sessions, every=400):
    inside = data_of(sessions[0].brain) > 0
    around = data_of(widened(sessions[0].labels, 12)) > 0
    around |= blob(world_points(AFFINE, SHAPE), (28, 0, 30), (16, 16, 16)) < 0
    return nib.affines.apply_affine(AFFINE, np.argwhere(inside & ~around)[::every])


def test_the_deformation_is_found_within_a_millimetre(sessions, result):
    points = healthy_points(sessions)
    truth = to_follow_up(points.T).T
    residual = np.linalg.norm(result.warp.points(points) - truth, axis=1)
    rigid = np.linalg.norm(result.warp.linear.points(points) - truth, axis=1)
    print("RES", residual.mean(), np.percentile(residual, 95), rigid.mean(), result.numbers)
    assert residual.mean() < 1.0
    assert residual.mean() < 0.6 * rigid.mean()


def test_the_rigid_motion_is_found(sessions, result):
    points = healthy_points(sessions)
    truth = nib.affines.apply_affine(MOTION, points)
    # the deformation has no mean of its own to speak of, so that the motion is nearly the best rigid map
    off = result.warp.linear.points(points) - truth
    print("OFF", off.mean(axis=0))
    assert np.linalg.norm(off.mean(axis=0)) < 1.2
    assert result.numbers.rotation_degrees == pytest.approx(6.2, abs=1.0)


def test_the_map_does_not_fold_and_makes_the_scans_alike(result):
    numbers = result.numbers
    assert numbers.jacobian_least > 0.3
    assert numbers.jacobian_most < 2.5
    assert numbers.folded_share == 0
    assert numbers.likeness_before < numbers.likeness_rigid < numbers.likeness_after
    assert numbers.brain_dice > 0.97
    assert 0.5 < numbers.deformation_mean_mm < numbers.deformation_most_mm < 15
    assert check_follow_up(numbers, FollowUpSettings()) == ()


def test_labels_come_to_where_they_were_in_the_baseline(sessions, result):
    points = world_points(AFFINE, SHAPE)
    labels = np.asarray(result.labels.dataobj)
    inside = data_of(sessions[0].brain) > 0
    assert dice(labels == 4, (blob(points, LESION, (12, 12, 12)) < 0) & inside) > 0.85
    assert dice(labels == 3, (blob(points, (28, 0, 30), (9, 9, 9)) < 0) & (labels != 4) & inside) > 0.75
    assert not labels[~inside].any()


def test_a_stretch_has_its_determinant():
    points = np.moveaxis(world_points(AFFINE, SHAPE), 0, -1)
    field = points * (0.1, -0.2, 0.05) * (-1, -1, 1)
    warp = Warp(np.diag([2.0, 1, 1, 1]), new_image(field[..., np.newaxis, :], AFFINE))
    np.testing.assert_allclose(warp.jacobian(), 2 * 1.1 * 0.8 * 1.05, rtol=1e-3)
    np.testing.assert_allclose(warp.points([[10.0, 20, 30]]), [[22, 16, 31.5]], atol=1e-3)
    assert Warp(np.diag([2.0, 1, 1, 1])).jacobian() == pytest.approx(2)
    folded = Warp(np.eye(4), new_image((points * (-1.5, 0, 0) * (-1, -1, 1))[..., np.newaxis, :], AFFINE))
    assert folded.jacobian().max() < 0


def test_likeness_has_its_extremes():
    rng = np.random.default_rng(1)
    first, second = rng.random((2, 40, 40, 40))
    everywhere = np.ones(first.shape, dtype=bool)
    assert likeness(first, first, everywhere) == pytest.approx(2, abs=1e-6)
    assert likeness(first, 3 - 2 * first, everywhere) > 1.8
    assert likeness(first, second, everywhere) == pytest.approx(1, abs=0.01)
    assert likeness(first, second * 0, everywhere) == likeness(first, second, ~everywhere) == 1


def test_lesions_are_widened_in_millimetres():
    spot = np.zeros((21, 21, 21))
    spot[10, 10, 10] = 1
    wide = data_of(widened(new_image(spot, np.diag([1.0, 2, 3, 1])), 6.0)) > 0
    assert [int(wide.any(axis=tuple({0, 1, 2} - {axis})).sum()) for axis in range(3)] == [13, 7, 5]
    assert not data_of(widened(new_image(spot * 0, np.eye(4)), 6.0)).any()


FINE = FollowUpNumbers(1.05, 1.1, 1.2, 0.97, 0.6, 1.6, 0.0, 4.0, 6.0, 1.0, 8.0)


def test_every_number_is_described():
    assert list(NUMBERS) == list(vars(FINE))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"brain_dice": 0.9}, r"brain masks do not agree \(Dice 0\.900, below 0\.94\)"),
        ({"jacobian_least": 0.2}, r"tissue shrinks to 0\.20"),
        ({"jacobian_most": 4.0}, r"tissue grows to 4\.00"),
        ({"deformation_most_mm": 25.0}, r"tissue moves by 25\.0 mm"),
    ],
)
def test_suspicious_follow_ups_are_flagged(change, words):
    (reason,) = check_follow_up(replace(FINE, **change), FollowUpSettings())
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(reason)
    never = FollowUpSettings(**dict.fromkeys(k for k in vars(FollowUpSettings()) if k.startswith("flag_")))
    assert check_follow_up(replace(FINE, **change), never) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"brain_dice": 0.5}, r"Dice 0\.500, below 0\.85"),
        ({"folded_share": 0.02}, r"2\.00% of the brain is folded"),
        ({"likeness_after": 1.01, "likeness_before": 1.0}, r"little in common \(1\.010"),
        (
            {"likeness_after": 1.2, "likeness_before": 1.3},
            r"less like the baseline than before \(1\.200 against 1",
        ),
    ],
)
def test_failed_follow_ups_are_refused(change, words):
    assert check_follow_up(FINE, FollowUpSettings()) == ()
    with pytest.raises(ImageError, match=rf"^the registration of the follow-up failed: .*{words}.*look at"):
        check_follow_up(replace(FINE, **change), FollowUpSettings())


def test_an_empty_brain_is_refused(sessions):
    first, second = sessions
    with pytest.raises(ImageError, match=r"^follow-up: the brain mask is empty"):
        register_follow_up(first, replace(second, brain=mask(np.zeros(SHAPE))))
    assert growth_grid(first.brain, MM).shape < SHAPE
