"""A planted bias field is removed, and the contrast between tissues stays."""

import nibabel as nib
import numpy as np
import pytest

from gliaflow.images import data_of, from_sitk, new_image, same_grid, to_sitk
from gliaflow.preprocess.bias import BIAS_METHODS, correct_bias, head_mask, shrink_factors

CONTRAST = 0.6


def phantom(shape=(36, 42, 36), spacing=(4.0, 4.0, 4.0)):
    """Make an ellipsoid of two tissues under a smooth field: image, the two tissues, and the field."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -np.array(spacing) * (np.array(shape) - 1) / 2
    x, y, z = np.moveaxis(nib.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1)), -1, 0)
    radius = np.sqrt(x**2 + (y / 1.2) ** 2 + (z / 0.9) ** 2)
    head = radius < 55
    dark = (radius < 35) & (np.sin(x / 8) * np.sin(y / 9) * np.sin(z / 7) > 0)
    field = np.exp(0.35 * x / 60 - 0.25 * y * z / 3600 + 0.2 * (y / 60) ** 2)
    noise = np.random.default_rng(0).normal(0, 1, shape)
    values = np.where(head, np.where(dark, 100 * CONTRAST, 100) * field + noise, np.abs(noise))
    return new_image(values, affine), (dark, head & ~dark), field


def variation(image, tissue):
    values = data_of(image)[tissue]
    return values.std() / values.mean()


@pytest.mark.parametrize(("shape", "spacing"), [((36, 42, 36), (4, 4, 4)), ((64, 72, 22), (2.2, 2.2, 6))])
@pytest.mark.parametrize("method", BIAS_METHODS)
def test_a_planted_field_is_removed(method, shape, spacing):
    image, tissues, field = phantom(shape, spacing)
    corrected = correct_bias(image, method=method)
    assert corrected.get_data_dtype() == np.float32
    assert same_grid(corrected, image)
    for tissue in tissues:
        assert variation(corrected, tissue) < variation(image, tissue) / 3
    dark, bright = (data_of(corrected)[tissue].mean() for tissue in tissues)
    assert dark / bright == pytest.approx(CONTRAST, rel=0.02)
    found = data_of(image)[tissues[1]] / data_of(corrected)[tissues[1]]
    assert np.corrcoef(np.log(found), np.log(field[tissues[1]]))[0, 1] > 0.98


def test_an_image_without_a_field_stays_as_it_is():
    image, tissues, field = phantom()
    flat = new_image(np.where(tissues[0] | tissues[1], data_of(image) / field, 0), image.affine)
    change = data_of(correct_bias(flat))[tissues[1]] / data_of(flat)[tissues[1]]
    assert change.std() < 0.01


def test_the_head_mask_is_the_head_with_its_holes():
    image, tissues, _ = phantom()
    head = tissues[0] | tissues[1]
    data = data_of(image).copy()
    data[17:19, 20:22, 17:19] = 0
    mask = data_of(from_sitk(head_mask(to_sitk(new_image(data, image.affine))))) > 0
    assert (mask != head).mean() < 0.002
    assert mask[17:19, 20:22, 17:19].all()


@pytest.mark.parametrize(
    ("shape", "spacing", "factors"),
    [
        ((240, 240, 155), (1, 1, 1), [4, 4, 4]),
        ((512, 512, 24), (0.5, 0.5, 6), [4, 4, 1]),
        ((256, 256, 60), (1, 1, 2), [4, 4, 2]),
        ((24, 256, 256), (5, 1, 1), [1, 4, 4]),
        ((20, 20, 20), (1, 1, 1), [2, 2, 2]),
        ((6, 6, 6), (1, 1, 1), [1, 1, 1]),
    ],
)
def test_thick_slices_and_small_images_are_shrunk_less(shape, spacing, factors):
    image = nib.Nifti1Image(np.zeros(shape, dtype=np.uint8), np.diag([*spacing, 1.0]))
    assert shrink_factors(image, 4) == factors


def test_a_method_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        correct_bias(phantom()[0], method="guess")
