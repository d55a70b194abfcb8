"""HD-BET's way of finding the brain, with a network of a few weights in the place of the published one."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from brain_files import bright_network
from nnunet_files import architecture, make_plans

from gliaflow.errors import ConfigError
from gliaflow.images import data_of, new_image, same_grid
from gliaflow.preprocess.hdbet import extract_with_hdbet
from gliaflow.preprocess.hdbet_weights import CHECKPOINT, check_weights, missing_weights

PLANS = make_plans(architecture([2, 4]), channels=1, patch=32, spacing=3.0, masked=False)
DATASET = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "brain": 1},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


class Opens:
    """Unpickled without care, this makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    (folder / CHECKPOINT).parent.mkdir()
    (folder / "plans.json").write_text(json.dumps(PLANS))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    save(folder, network_weights=bright_network(PLANS, 2).state_dict())
    return folder


def save(folder, **changes):
    content = {
        "network_weights": {},
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(content | changes, folder / CHECKPOINT)


@pytest.fixture
def broken(release, tmp_path):
    """Copy all but the checkpoint."""
    (tmp_path / CHECKPOINT).parent.mkdir()
    for name in ("plans.json", "dataset.json"):
        (tmp_path / name).write_bytes((release / name).read_bytes())
    return tmp_path


def head(shape=(40, 48, 22), spacing=(3.0, 3.0, 6.0)):
    """Make a bright box, off centre along every axis, in dark noise."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-50, -80, 20)
    data = np.random.default_rng(0).normal(10, 1, shape)
    data[5:25, 20:44, 8:20] += 90
    return new_image(data, affine)


def test_a_mask_comes_on_the_grid_of_the_image(release):
    image = head()
    mask = extract_with_hdbet(image, release)
    assert same_grid(mask, image)
    assert mask.get_data_dtype() == np.uint8
    found, box = data_of(mask) > 0, data_of(image) > 50
    assert 2 * (found & box).sum() / (found.sum() + box.sum()) > 0.9


def test_the_same_image_gives_the_same_mask(release):
    first, second = (data_of(extract_with_hdbet(head(), release)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("gone", ["plans.json", "dataset.json", str(CHECKPOINT)])
def test_weights_that_are_missing_are_named_with_what_to_do(broken, gone):
    save(broken)
    assert missing_weights(broken) == []
    check_weights(broken)
    (broken / gone).unlink()
    assert missing_weights(broken) == [gone]
    with pytest.raises(ConfigError) as caught:
        extract_with_hdbet(head(), broken)
    message = str(caught.value)
    assert message.startswith(f"{broken}: ")
    assert gone in message
    for advice in (
        "preprocess.brain_extraction.weights",
        "snakemake --cores 1 fetch_hdbet",
        "method: embedded",
    ):
        assert advice in message


def test_a_checkpoint_that_would_run_code_is_refused(broken):
    mark = broken / "ran"
    save(broken, logging=Opens(mark))
    with pytest.raises(ConfigError, match=r"checkpoint_final\.pth: .*holds code"):
        extract_with_hdbet(head(), broken)
    assert not mark.exists()
    torch.load(broken / CHECKPOINT, weights_only=False)
    assert mark.exists(), "the test's checkpoint is harmless, so it shows nothing"


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_named(release, broken, content):
    whole = (release / CHECKPOINT).read_bytes()
    (broken / CHECKPOINT).write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ConfigError, match=r"checkpoint_final\.pth: is damaged"):
        extract_with_hdbet(head(), broken)


def test_weights_of_another_network_are_refused(broken):
    save(broken, trainer_name="nnUNetTrainerOfSomeone")
    with pytest.raises(ConfigError, match=r"fold all: the weights do not fit"):
        extract_with_hdbet(head(), broken)


def test_an_image_of_another_orientation_will_do(release):
    image = head()
    flipped = nib.Nifti1Image(data_of(image)[::-1].copy(), image.affine @ np.diag([-1.0, 1, 1, 1]))
    mask = extract_with_hdbet(flipped, release)
    assert same_grid(mask, flipped)
    box = data_of(flipped) > 50
    assert (data_of(mask) > 0)[box].mean() > 0.9
