"""Raters' label maps: found, counted, checked, moved to the atlas like a reference, and taken where ready."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from session_files import make_session

from gliaflow.errors import ConfigError, ImageError
from gliaflow.images import data_of, new_image, read_image, write_image
from gliaflow.preprocess.resample import resample_labels
from gliaflow.raters.atlas import rater_masks, weighed_agreement
from gliaflow.raters.files import number_of_raters, rater_files
from gliaflow.train.cohort import is_ready, training_sessions
from gliaflow.train.take import ready_session, take_sessions

SHAPE = (12, 14, 10)
AFFINE = np.array([[2.0, 0, 0, -12], [0, 2, 0, -14], [0, 0, 2, -10], [0, 0, 0, 1]])
GRID = new_image(np.zeros(SHAPE), AFFINE)
READ = {"convention": "brats2021", "region": "WT"}


def marked(low, high, value=2):
    labels = np.zeros(SHAPE, np.uint8)
    labels[low:high, low:high, low:high] = value
    return labels


def write_raters(folder, *maps, affine=AFFINE):
    folder.mkdir(exist_ok=True)
    paths = [folder / f"rater{k}.nii.gz" for k in range(len(maps))]
    for path, labels in zip(paths, maps, strict=True):
        write_image(path, labels, affine, labels.dtype)
    return paths


def entry(raters, subject="01", **changes):
    return make_session(subject=subject, raters=raters, **changes)


def test_a_folder_and_a_pattern_give_the_images_by_name(tmp_path):
    for name in ("b.nii.gz", "a.NII", "c.txt", "d.nii.gz.part"):
        (tmp_path / name).touch()
    (tmp_path / "e.nii").mkdir()
    assert rater_files(str(tmp_path)) == (tmp_path / "a.NII", tmp_path / "b.nii.gz")
    assert rater_files(str(tmp_path / "b*")) == (tmp_path / "b.nii.gz",)
    assert rater_files(str(tmp_path / "none*")) == ()


def test_every_session_needs_as_many_raters(tmp_path):
    sources = {}
    for subject, number in (("1", 3), ("2", 3), ("3", 2), ("4", 4)):
        sources[subject] = tmp_path / subject
        write_raters(sources[subject], *[marked(2, 4)] * number)
    sessions = {subject: entry(str(source), subject) for subject, source in sources.items()}
    assert number_of_raters([sessions["1"], sessions["2"]]) == 3
    with pytest.raises(
        ConfigError, match="2 of 4 have 3, but one/3/1 has 2 and one/4/1 has 4; correct these"
    ):
        number_of_raters(sessions.values())


def test_one_rater_is_not_several(tmp_path):
    write_raters(tmp_path / "1", marked(2, 4))
    with pytest.raises(
        ConfigError, match=r"1 label map\(s\) .* such as one/01/1; give those of 2 to 100 raters"
    ):
        number_of_raters([entry(str(tmp_path / "1"))])


def test_sessions_with_raters_are_trained_on_whether_they_have_a_label_or_not(tmp_path):
    train = {"target": "raters", "cohorts": None, "sequences": ["t1c"], "sequence_dropout": 0}
    write_raters(tmp_path / "r", marked(2, 4), marked(2, 5))
    source = str(tmp_path / "r")
    sessions = [
        entry(source, "1"),
        entry(None, "2", label=Path("l.nii")),
        entry(source, "3", expected=("t2f",)),
    ]
    chosen, left = training_sessions(sessions, train)
    assert [e.subject for e in chosen] == ["1"]
    assert left == ["one/3/1 has t2f only"]
    with pytest.raises(ConfigError, match="no session has raters; fill the column raters"):
        training_sessions(sessions[1:2], train)
    ready = entry(source, stripped=True, registered="atlas", sources={"t1c": Path("t1c.nii.gz")})
    assert is_ready(ready, train, {"t1c": "off"})
    assert not is_ready(entry(source), train, {"t1c": "off"})


def test_masks_are_the_region_of_each_raters_labels(tmp_path):
    core = np.where(marked(4, 6, 1) == 1, 1, marked(2, 8)).astype(np.uint8)
    paths = write_raters(tmp_path, core, marked(3, 5, 4), np.zeros(SHAPE, np.uint8))
    whole = rater_masks(paths, GRID, GRID, None, **READ)
    assert whole.dtype == bool
    np.testing.assert_array_equal(whole, [core > 0, marked(3, 5) > 0, np.zeros(SHAPE)])
    cores = rater_masks(paths, GRID, GRID, None, convention="brats2021", region="TC")
    np.testing.assert_array_equal(cores, [core == 1, marked(3, 5) > 0, np.zeros(SHAPE)])


def test_raters_are_moved_to_the_atlas_like_a_reference(tmp_path):
    matrix = np.eye(4)
    matrix[:3, 3] = [3, -2, 0.5]
    atlas = new_image(np.zeros((10, 12, 9)), nib.affines.from_matvec(np.diag([2.5] * 3), [-10, -13, -9]))
    maps = [marked(3, 8), marked(4, 9)]
    paths = write_raters(tmp_path, *maps)
    found = rater_masks(paths, GRID, atlas, matrix, **READ)
    expected = [data_of(resample_labels(new_image(m, AFFINE, np.uint8), atlas, matrix)) == 2 for m in maps]
    np.testing.assert_array_equal(found, expected)
    assert found.any(axis=(1, 2, 3)).all()


def test_a_rater_in_another_orientation_is_turned(tmp_path):
    paths = write_raters(tmp_path, marked(3, 8), marked(3, 8))
    lopsided = marked(3, 8)
    lopsided[0, 0, 0] = 2
    turned = new_image(lopsided, AFFINE, np.uint8).as_reoriented([[1, 1], [0, -1], [2, 1]])
    nib.save(turned, paths[1])
    found = rater_masks(paths, GRID, GRID, None, **READ)
    np.testing.assert_array_equal(found[1], lopsided > 0)


@pytest.mark.parametrize(
    ("labels", "shift", "reason"),
    [
        (marked(2, 4), 5.0, r"rater0\.nii\.gz: this rater's label map has shape .* lies on another grid"),
        (marked(2, 4)[:-1], 0.0, r"rater0\.nii\.gz: this rater's label map has shape \(11, 14, 10\)"),
        (
            marked(2, 4, 3),
            0.0,
            r"rater0\.nii\.gz: label values \[3\] are not of .*; correct labels in the config",
        ),
        (marked(2, 4).astype(np.float32) / 4, 0.0, r"rater0\.nii\.gz: holds 0\.5, which is no label"),
    ],
)
def test_a_rater_that_does_not_fit_is_named(tmp_path, labels, shift, reason):
    paths = write_raters(
        tmp_path, labels, affine=nib.affines.from_matvec(AFFINE[:3, :3], AFFINE[:3, 3] + shift)
    )
    with pytest.raises(ImageError, match=reason):
        rater_masks(paths, GRID, GRID, None, **READ)


def test_the_agreement_comes_with_the_weights_that_it_was_made_with():
    masks = np.stack([marked(3, 9) > 0, marked(3, 9) > 0, marked(5, 9) > 0])
    levels, weights = weighed_agreement(masks, "none")
    assert weights is None
    np.testing.assert_array_equal(levels, masks.sum(axis=0))
    levels, weights = weighed_agreement(masks, "simple")
    assert weights[0] == weights[1] > weights[2]
    assert levels[3, 3, 3] == round(3 * sum(weights[:2]) / sum(weights))


@pytest.mark.parametrize("weights", ["none", "simple"])
def test_ready_sessions_are_taken_with_the_agreement_of_their_raters(tmp_path, weights):
    scan = np.zeros(SHAPE)
    scan[1:11, 1:11, 1:9] = 7
    scan[2, 2, 2] = 8
    write_image(tmp_path / "t1c.nii.gz", scan, AFFINE)
    masks = [marked(3, 8), marked(3, 8), marked(4, 7, 4)]
    values = {
        **{"name": "one_01_1", "images": {"t1c": str(tmp_path / "t1c.nii.gz")}, "convention": "brats2021"},
        "raters": [str(path) for path in write_raters(tmp_path / "raters", *masks)],
        **{"region": "WT", "weights": weights},
    }
    take_sessions([ready_session(values)], tmp_path / "taken", new_image(scan, AFFINE))
    label = read_image(tmp_path / "taken" / "one_01_1" / "label.nii.gz")
    assert label.get_data_dtype() == np.uint8
    expected, _ = weighed_agreement(np.stack(masks) > 0, weights)
    np.testing.assert_array_equal(data_of(label, np.uint8), expected)
    assert {path.name for path in (tmp_path / "taken" / "one_01_1").iterdir()} == {
        "label.nii.gz",
        "mask.nii.gz",
    }
