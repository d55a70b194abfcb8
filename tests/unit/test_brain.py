"""The brain mask without weights: on heads made from the template, on real heads, and on what is no head."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from gliaflow.checks import check_mask
from gliaflow.errors import ImageError
from gliaflow.images import RAS_TO_LPS, data_of, from_sitk, new_image, read_image
from gliaflow.preprocess.brain import (
    clean_mask,
    extract_brain,
    label_brain,
    log_likelihood_ratio,
    mask_on_grid,
)
from gliaflow.preprocess.head_registration import (
    find_head,
    fit_affine,
    registration_image,
    values_on_grid,
    working_grid,
)
from gliaflow.preprocess.head_template import CONTRASTS, hull_distance, make_head_template

DATA = Path(__file__).parents[3] / "shared" / "data"


def dice(first, second):
    first, second = data_of(first) > 0.5, data_of(second) > 0.5
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def real(path):
    if not (DATA / path).exists():
        pytest.skip(f"the real scan {path} is not beside this checkout")
    return read_image(DATA / path)


@pytest.fixture(scope="module")
def template():
    return make_head_template(list(CONTRASTS))


def posed_head(template, sequence, pitch_degrees, shift, slices=slice(None)):
    """Turn and shift the template's head, with noise and a bias field; also return its true brain."""
    affine = nib.affines.from_matvec(2 * np.eye(3), np.array([-96.0, -130.0, -90.0]) + shift)
    grid = new_image(np.zeros((96, 110, 90)), affine).slicer[:, :, slices]
    pose = sitk.Euler3DTransform()
    pose.SetRotation(np.deg2rad(pitch_degrees), 0.0, 0.05)
    pose.SetTranslation((-(RAS_TO_LPS[:3, :3] @ shift)).tolist())
    pose.SetCenter((RAS_TO_LPS[:3, :3] @ shift).tolist())
    space = working_grid(grid, 2.0)
    rng = np.random.default_rng(4)
    values = 800 * values_on_grid(template.heads[sequence], space, pose, 0.0).T
    values *= np.linspace(0.75, 1.25, values.shape[1])[None, :, None]
    head = new_image(np.abs(values + rng.normal(0, 15, values.shape)), grid.affine)
    brain = values_on_grid(template.distance, space, pose, 99.0).T < 0
    return head, new_image(brain, grid.affine, np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sequence", "pitch", "shift", "slices"),
    [
        ("t2w", 14, [15.0, -20.0, 60.0], slice(None)),
        ("t2f", -12, [0.0, 30.0, -25.0], slice(25, 75)),
    ],
)
def test_a_posed_or_cut_head_gives_its_brain(template, sequence, pitch, shift, slices):
    head, brain = posed_head(template, sequence, pitch, np.array(shift), slices)
    mask = extract_brain({sequence: head}, head)
    assert mask.get_data_dtype() == np.uint8
    assert dice(mask, brain) > 0.95


def test_the_patient_s_mask_agrees_with_a_trained_network():
    """HD-BET's mask of the same image is the reference; BET alone reaches 0.73 to 0.85 on it."""
    image, reference = real("tcga-fg-6692/t1c.nii.gz"), real("tcga-fg-6692/t1c_hd-bet-mask.nii.gz")
    mask = extract_brain({"t1c": image}, image)
    assert dice(mask, reference) > 0.93
    assert 1300 < check_mask(mask, "t1c", like=image) < 1800


@pytest.mark.slow
def test_sequences_together_and_on_another_grid():
    image, reference = real("tcga-fg-6692/t1c.nii.gz"), real("tcga-fg-6692/t1c_hd-bet-mask.nii.gz")
    pair = {"t1n": real("tcga-fg-6692/t1.nii.gz"), "t1c": image}
    assert dice(extract_brain(pair, image), reference) > 0.92


def test_registration_gives_the_same_transform_twice(template):
    head, _ = posed_head(template, "t1n", 0, np.zeros(3))
    image = registration_image(head, "t1n")
    start = sitk.AffineTransform(3)
    start.SetTranslation([6.0, -4.0, 5.0])
    first, second = (fit_affine(image, template, "t1n", start, 1).GetParameters() for _ in range(2))
    assert first == second
    assert np.linalg.norm(first[9:]) < np.linalg.norm([6.0, -4.0, 5.0])


def test_no_sequence():
    with pytest.raises(ImageError, match="at least one of t1n"):
        extract_brain({}, new_image(np.zeros((4, 4, 4)), np.eye(4)))


@pytest.mark.parametrize(
    ("shape", "value", "message"),
    [
        ((60, 60, 3), None, "3 slices"),
        ((60, 60, 20), None, "20 mm"),
        ((60, 60, 60), 7.0, "one value everywhere"),
    ],
)
def test_images_without_a_head(shape, value, message):
    data = np.random.default_rng(1).random(shape) if value is None else np.full(shape, value)
    image = new_image(data, np.eye(4))
    with pytest.raises(ImageError, match=f"t2w: .*{message}"):
        extract_brain({"t2w": image}, image)


def test_an_image_that_never_meets_the_template(template, monkeypatch):
    far = sitk.AffineTransform(3)
    far.SetTranslation([2000.0, 0.0, 0.0])
    monkeypatch.setattr("gliaflow.preprocess.head_registration.start_transforms", lambda head: [far])
    head, _ = posed_head(template, "t1n", 0, np.zeros(3))
    with pytest.raises(ImageError, match="t1n: no head was found"):
        find_head(registration_image(head, "t1n"), template, "t1n")


def test_negative_intensities_do_not_matter(template):
    """A z-scored image is as good as the raw one."""
    head, _ = posed_head(template, "t1n", 0, np.zeros(3))
    shifted = new_image(data_of(head) - 500, head.affine)
    images = [registration_image(image, "t1n") for image in (head, shifted)]
    first, second = (sitk.GetArrayFromImage(image) for image in images)
    assert np.abs(first - second).max() < 0.02


def test_template_shells_follow_the_contrast(template):
    """Dark bone lies between brain and scalp in every sequence; fluid is brighter than brain in T2 alone."""
    distance = sitk.GetArrayFromImage(template.distance)
    brain, fluid, bone, scalp = (
        (distance > low) & (distance < high) for low, high in ((-12, -6), (0, 1.5), (4, 6), (9, 12))
    )
    for sequence, head in template.heads.items():
        values = sitk.GetArrayFromImage(head)
        assert values[bone].mean() < 0.5 * values[scalp].mean()
        assert (values[fluid].mean() > values[brain].mean()) == (sequence == "t2w")


@settings(max_examples=15, deadline=None)
@given(hnp.arrays(bool, (9, 9, 9), elements=st.booleans()))
def test_hull_holds_the_brain(brain):
    brain[4, 4, 4] = True
    padded = np.pad(brain, 10)
    distance = hull_distance(padded, 2.0)
    assert (distance[padded] < 0).all()
    assert (distance != 0).all()
    assert distance[0, 0, 0] > 0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 2.0))
def test_more_evidence_never_removes_brain(seed, more):
    rng = np.random.default_rng(seed)
    ratio, distance = rng.normal(0, 2, (8, 8, 8)), rng.uniform(-20, 20, (8, 8, 8))
    less, brain = label_brain(ratio, distance), label_brain(ratio + more, distance)
    assert (less <= brain).all()
    assert brain[distance < -14].all()
    assert not brain[distance > 9].any()


def test_likelihood_tells_brain_from_bone_and_scalp_in_a_bias_field():
    z, y, x = np.indices((40, 40, 40))
    distance = 2 * (np.sqrt((z - 20.0) ** 2 + (y - 20) ** 2 + (x - 20) ** 2) - 11)
    ideal = np.select([distance < 0, distance < 6], [100.0, 10.0], 250.0)
    seen = z > 3
    ratio = log_likelihood_ratio(ideal * np.linspace(0.8, 1.2, 40), seen, distance, "t1n")
    assert np.isnan(ratio[~seen]).all()
    assert (ratio[seen & (distance < 0)] > 0).mean() > 0.99
    assert (ratio[seen & (distance > 2) & (distance < 12)] < 0).mean() > 0.99


def test_likelihood_of_a_dark_image():
    distance = np.full((10, 10, 10), -10.0)
    with pytest.raises(ImageError, match="t2f: no brain was found"):
        log_likelihood_ratio(np.zeros((10, 10, 10)), np.ones((10, 10, 10), bool), distance, "t2f")


def test_clean_mask_cuts_a_bridge_to_the_eye_and_fills_a_hole():
    mask = np.zeros((50, 50, 50), bool)
    mask[5:35, 5:35, 5:35] = True
    mask[20, 20, 20] = False
    mask[35:40, 20, 20] = True
    mask[40:49, 16:25, 16:25] = True
    brain = clean_mask(mask)
    assert ndimage.label(brain)[1] == 1
    assert brain[20, 20, 20]
    assert not brain[39:].any()
    assert brain[6:34, 6:34, 6:34].all()


def test_clean_mask_of_crumbs():
    with pytest.raises(ImageError, match="no brain was found in this session"):
        clean_mask(np.eye(20, dtype=bool)[None].repeat(3, axis=0))


@settings(max_examples=15, deadline=None)
@given(hnp.arrays(np.uint8, (5, 6, 7), elements=st.integers(0, 1)))
def test_mask_on_its_own_grid_is_itself(data):
    mask = new_image(data, np.diag([-1.0, 2.0, 3.0, 1.0]), np.uint8)
    assert np.array_equal(data_of(mask_on_grid(mask, mask)), data)


def test_mask_on_thick_slices_keeps_its_volume_and_axes():
    z, y, x = np.indices((60, 60, 60))
    ball = new_image(((z - 30) ** 2 + (y - 30) ** 2 + (x - 30) ** 2 < 400), np.eye(4), np.uint8)
    thick = new_image(
        np.zeros((40, 30, 12)), np.array([[0, 2.0, 0, 0], [-1.5, 0, 0, 59], [0, 0, 5, 0], [0, 0, 0, 1]])
    )
    result = mask_on_grid(ball, thick)
    volume = data_of(result).sum() * abs(np.linalg.det(thick.affine[:3, :3]))
    assert result.shape == thick.shape
    assert volume == pytest.approx(data_of(ball).sum(), rel=0.05)


def test_working_grid_spans_the_image_near_ras():
    image = new_image(
        np.zeros((20, 30, 6)), np.array([[0, -1.0, 0, 5], [2.0, 0, 0, 3], [0, 0, 5.5, 1], [0, 0, 0, 1]])
    )
    grid = from_sitk(working_grid(image, 2.0))
    assert nib.aff2axcodes(grid.affine) == ("R", "A", "S")
    corners = np.array([[0, 0, 0], np.array(image.shape) - 1])
    inside = nib.affines.apply_affine(np.linalg.inv(grid.affine) @ image.affine, corners)
    assert (inside > -1e-6).all()
    assert (inside < np.array(grid.shape)).all()
