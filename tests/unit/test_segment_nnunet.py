"""A model of coarser voxels than the atlas: resampled as nnU-Net does, back on the session's grid."""

import copy
import shutil

import numpy as np
import pytest
from nnunet_files import CLOSE, DATASET, DEVICE, PLANS, checkpoint, manifest
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from gliaflow.fetch import sha256_of
from gliaflow.images import new_image
from gliaflow.nnunet.package import write_package
from gliaflow.segment.nnunet import NnunetSegmenter
from gliaflow.segment.segmenters import Entry

SETTINGS = {"tta": False, "step": 0.5, "cpu_precision": "float32"}
SHAPE = (46, 52, 38)


@pytest.fixture(scope="module")
def coarse(tmp_path_factory):
    """A package whose network works at 2 mm, and its folder unpacked."""
    plans = copy.deepcopy(PLANS)
    plans["configurations"]["3d_fullres"]["spacing"] = [2.0, 2.0, 2.0]
    path = tmp_path_factory.mktemp("coarse") / "coarse.zip"
    facts = manifest(spacing_mm=(2.0, 2.0, 2.0), optional=("t1c", "t2f"), atlas="MNI152")
    content = {"plans": plans, "dataset": DATASET, "checkpoints": {"0": checkpoint()}, "card": "card"}
    write_package(path, facts, **content)
    shutil.unpack_archive(path, path.parent / "folder")
    return path


def session():
    """A brain of 1 mm voxels, off centre, its mask, and its two sequences."""
    grid = np.indices(SHAPE).transpose(1, 2, 3, 0)
    brain = np.linalg.norm(grid - np.array([20, 28, 17]), axis=-1) < 16
    noise = np.random.default_rng(0).normal(100, 20, (2, *SHAPE))
    images = {s: new_image(noise[k] * brain, np.eye(4)) for k, s in enumerate(("t1c", "t2f"))}
    return images, new_image(brain, np.eye(4), np.uint8)


def test_a_model_of_2_mm_segments_an_atlas_of_1_mm_as_nnunet_itself(coarse):
    images, mask = session()
    entry = Entry(
        "coarse",
        ("t1c", "t2f"),
        ("WT", "TC", "ET"),
        optional=("t1c", "t2f"),
        path=coarse,
        sha256=sha256_of(coarse),
        atlas="MNI152",
    )
    (member,) = NnunetSegmenter(entry, SETTINGS).members(images, mask)
    assert member.probabilities.shape == (*SHAPE, 3)
    predictor = nnUNetPredictor(use_mirroring=False, device=DEVICE, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(coarse.parent / "folder"), ("0",))
    voxels = np.stack([np.asarray(image.dataobj, np.float32).T for image in images.values()])
    facts = {"spacing": [1.0, 1.0, 1.0]}
    expected = predictor.predict_single_npy_array(voxels, facts, None, None, True)[1]
    np.testing.assert_allclose(member.probabilities, expected.T, atol=CLOSE)
