"""Each way to a brain mask gives 0 and 1 on the grid of the reference, or says why it cannot."""

import numpy as np
import pytest

from gliaflow.config.schema import load_schema
from gliaflow.errors import ConfigError, ImageError
from gliaflow.images import data_of, new_image, read_image, same_grid, write_nifti
from gliaflow.preprocess import brain_mask
from gliaflow.preprocess.brain_mask import METHODS, BrainScans, find_brain

SHAPE = (12, 14, 10)
AFFINE = np.diag([2.0, 2, 3, 1])
INSIDE = np.zeros(SHAPE, dtype=bool)
INSIDE[2:10, 3:12, 2:8] = True


def scans(data=None, **options):
    reference = new_image(np.where(INSIDE, 50.0, 0) if data is None else data, AFFINE)
    return BrainScans({"t1c": reference}, reference, **options)


def given_mask(tmp_path, data, affine=AFFINE):
    write_nifti(tmp_path / "mask.nii.gz", new_image(data, affine))
    return tmp_path / "mask.nii.gz"


def assert_mask(found, expected):
    mask = found.mask
    assert mask.get_data_dtype() == np.uint8
    assert same_grid(mask, scans().reference)
    np.testing.assert_array_equal(data_of(mask), expected)


def test_a_given_mask_is_taken_with_any_value_above_0(tmp_path):
    path = given_mask(tmp_path, INSIDE * 255)
    assert_mask(find_brain("given", scans(given=path)), INSIDE)


def test_a_given_mask_is_turned_to_the_orientation_of_the_reference(tmp_path):
    flipped = AFFINE @ np.diag([-1.0, 1, 1, 1])
    flipped[0, 3] = 2 * (SHAPE[0] - 1)
    path = given_mask(tmp_path, INSIDE[::-1], flipped)
    assert read_image(path).affine[0, 0] < 0
    assert_mask(find_brain("given", scans(given=path)), INSIDE)


def test_a_given_mask_on_another_grid_is_refused(tmp_path):
    shifted = AFFINE.copy()
    shifted[2, 3] = 3
    for data, affine in ((INSIDE, shifted), (INSIDE[:-1], AFFINE)):
        path = given_mask(tmp_path, data, affine)
        with pytest.raises(ImageError, match=r"mask\.nii\.gz: the mask has shape .* on the grid of t1c"):
            find_brain("given", scans(given=path))


def test_a_given_mask_that_is_gone_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.nii\.gz: no such file"):
        find_brain("given", scans(given=tmp_path / "gone.nii.gz"))


def test_a_stripped_scan_is_its_own_mask_with_holes_filled():
    data = np.where(INSIDE, 50.0, 0)
    data[5, 6, 4] = 0
    data[3, 4, 3] = -2
    assert_mask(find_brain("stripped", scans(data)), INSIDE)


def test_a_whole_head_is_not_stripped():
    data = np.random.default_rng(0).random(SHAPE) + 0.1
    with pytest.raises(ImageError, match="write stripped = no"):
        find_brain("stripped", scans(data))


def test_hd_bet_without_weights_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="has no weights of HD-BET"):
        find_brain("hd-bet", scans(weights=tmp_path))


def test_a_method_gets_the_scans_of_the_session(monkeypatch):
    seen = []

    def extract(images, reference, *rest, **options):
        seen.append((images, reference))
        return new_image(INSIDE, reference.affine, np.uint8)

    monkeypatch.setattr(brain_mask, "extract_brain", extract)
    session = scans()
    found = find_brain("embedded", session)
    assert_mask(found, INSIDE)
    assert found.facts == {"software": ["SimpleITK", "nilearn"]}
    assert seen == [(session.images, session.reference)]


def test_the_methods_are_those_of_the_config():
    methods = load_schema("config")["properties"]["preprocess"]["properties"]["brain_extraction"]
    assert set(METHODS) == {"given", "stripped", *methods["properties"]["method"]["enum"]}
