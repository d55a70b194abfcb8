"""From a network's output to members, from them to agreement maps, and from these to QUBIQ's Dice."""

import json

import numpy as np
import pytest

from gliaflow.errors import ImageError
from gliaflow.fuse.mean import mean_probability
from gliaflow.images import data_of, new_image, read_image, write_image
from gliaflow.nnunet.regions import RegionMap, agreement_labels, region_map
from gliaflow.raters.members import read_levels
from gliaflow.raters.results import keep_agreement, raters_of, score_agreement
from gliaflow.raters.score import QUBIQ_COLUMNS, qubiq_rows
from gliaflow.segment.members import keep_members, keep_model_facts, read_members
from gliaflow.segment.names import FAILED
from gliaflow.segment.nnunet import member_maps
from gliaflow.segment.segmenters import Member, dequantise
from gliaflow.sidecar import write_json

SHAPE = (6, 5, 4)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
MASK = new_image(np.indices(SHAPE)[0] > 0, AFFINE, np.uint8)
INSIDE = np.indices(SHAPE)[0] > 0
HEADS = region_map(agreement_labels("WT", 3), ["WT"], "gliaflow")
ABOUT = {"sources": ["members"], "space": "MNI152", "parameters": {}}


def logits(seed, scale=3.0):
    return (np.random.default_rng(seed).normal(size=(4, *SHAPE)) * scale).astype(np.float32)


def probabilities(*passes):
    """The mean of the class probabilities of some passes, by the definition of softmax."""
    exponentials = np.exp(np.stack(passes).astype(np.float64))
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).mean(axis=0)


def write_members(folder, *passes, heads=HEADS):
    made = [
        Member(np.moveaxis(values, 0, -1), {"Fold": f"{number}", **facts})
        for number, output in enumerate(passes)
        for values, facts in member_maps(output, heads)
    ]
    count = keep_members(folder, made, MASK, regions=["WT"], **ABOUT)
    keep_model_facts(folder, {"Members": count})
    return count


def test_the_members_of_each_pass_are_at_least_one_rater_and_more():
    maps = list(member_maps(logits(0), HEADS))
    shares = probabilities(logits(0))
    assert [facts for _, facts in maps] == [{"AtLeast": level, "Raters": 3} for level in (1, 2, 3)]
    for level, (values, _) in enumerate(maps, start=1):
        np.testing.assert_allclose(values[0], shares[level:].sum(axis=0), atol=1e-5)


def test_other_networks_give_their_regions_as_ever():
    ((values, facts),) = member_maps(logits(0), RegionMap("sigmoid", ((1,), (0,))))
    np.testing.assert_allclose(values, 1 / (1 + np.exp(-logits(0)[[1, 0]])), rtol=1e-5)
    assert facts == {}


def test_the_mean_of_the_members_is_the_expected_agreement(tmp_path):
    """So that fusion, post-processing and the rest need to know nothing of raters."""
    assert write_members(tmp_path, logits(0), logits(1)) == 6
    fused = mean_probability(read_members([tmp_path], MASK))[..., 0]
    expected = np.tensordot(np.arange(4) / 3, probabilities(logits(0), logits(1)), axes=1)
    np.testing.assert_allclose(fused[INSIDE], expected[INSIDE], atol=1 / 256)


def test_levels_are_put_together_from_the_members_of_all_passes(tmp_path):
    write_members(tmp_path, logits(0), logits(1))
    levels = read_levels(tmp_path, MASK)
    shares = probabilities(logits(0), logits(1))
    assert (levels.shape, levels.dtype) == ((3, *SHAPE), np.float32)
    for level in (1, 2, 3):
        at_least = shares[level:].sum(axis=0)
        np.testing.assert_allclose(levels[level - 1][INSIDE], at_least[INSIDE], atol=1 / 256)


def test_both_decoders_are_written_with_what_they_mean(tmp_path):
    write_members(tmp_path / "members", logits(0, 6.0), logits(1, 6.0))
    level, expected = tmp_path / "level.nii.gz", tmp_path / "expected.nii.gz"
    levels = read_levels(tmp_path / "members", MASK)
    keep_agreement(levels, MASK, level=level, expected=expected, Region="WT", **ABOUT)
    shares = probabilities(logits(0, 6.0), logits(1, 6.0))
    first, second = np.sort(shares, axis=0)[::-1][:2]
    clear = INSIDE & (first - second > 0.02)
    assert clear.sum() > 60
    numbers, share = read_image(level), read_image(expected)
    assert numbers.get_data_dtype() == share.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(data_of(numbers)[clear], shares.argmax(axis=0)[clear])
    mean = np.tensordot(np.arange(4) / 3, shares, axes=1)
    np.testing.assert_allclose(dequantise(data_of(share))[INSIDE], mean[INSIDE], atol=1.5 / 256)
    assert not data_of(numbers)[~INSIDE].any()
    assert not data_of(share)[~INSIDE].any()
    said = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("level", "expected")]
    assert [facts["Decoder"] for facts in said] == ["argmax", "expected"]
    assert all((facts["Raters"], facts["Region"]) == (3, "WT") for facts in said)


def test_a_session_that_nobody_marks_is_an_empty_agreement(tmp_path):
    nobody = logits(0)
    nobody[0] = 40
    write_members(tmp_path / "members", nobody)
    paths = {"level": tmp_path / "level.nii.gz", "expected": tmp_path / "expected.nii.gz"}
    keep_agreement(read_levels(tmp_path / "members", MASK), MASK, **paths, **ABOUT)
    assert not any(data_of(read_image(path)).any() for path in paths.values())


def test_members_of_a_model_that_does_not_count_raters_are_refused(tmp_path):
    write_members(tmp_path, logits(0)[:1], heads=RegionMap("sigmoid", ((0,),)))
    with pytest.raises(ImageError, match=r"does not count raters; train one with train\.target: raters"):
        read_levels(tmp_path, MASK)


def test_missing_members_and_those_of_another_grid_are_told(tmp_path):
    write_members(tmp_path, logits(0))
    with pytest.raises(ImageError, match="lies on another grid than the brain mask"):
        read_levels(tmp_path, new_image(np.ones(SHAPE), np.eye(4), np.uint8))
    (tmp_path / "member-3_probseg.nii.gz").unlink()
    with pytest.raises(ImageError, match="members are missing; run the rule segment again"):
        read_levels(tmp_path, MASK)


def test_why_a_session_could_not_be_segmented_is_passed_on(tmp_path):
    (tmp_path / FAILED).write_text("t1c is empty")
    with pytest.raises(ImageError, match="t1c is empty"):
        read_levels(tmp_path, MASK)


def reference(folder, levels, raters):
    write_image(folder / "reference.nii.gz", levels, AFFINE, np.uint8)
    write_json(folder / "reference.json", {"Raters": raters})
    return folder / "reference.nii.gz"


def certain(levels, raters):
    """P(at least c raters) where the number of raters is certain."""
    return np.stack([levels >= level for level in range(1, raters + 1)]).astype(np.float32)


def scored(folder, truth, truth_raters, found, found_raters):
    paths = {"level": folder / "level.nii.gz", "expected": folder / "expected.nii.gz"}
    keep_agreement(certain(found, found_raters), MASK, **paths, **ABOUT)
    return score_agreement(reference(folder, truth, truth_raters), paths["level"], paths["expected"])


def test_a_perfect_prediction_scores_1_also_with_another_number_of_raters(tmp_path):
    truth = np.zeros(SHAPE, np.uint8)
    truth[2:5, 1:4, 1:3], truth[3, 2, 1] = 1, 2
    for raters, found in ((2, truth), (4, 2 * truth)):
        for row in scored(tmp_path, truth, 2, found, raters):
            assert (row["raters"], row["qubiq_dice"], row["qubiq_dice_from_0"]) == (2, 1, 1)
    assert raters_of(tmp_path / "level.nii.gz") == 4


def test_golden_scores(tmp_path):
    """Of 3 raters 2 mark 4 voxels; the model says 3 raters for two of them and none for the others.

    Thresholds 0.1 to 0.6: Dice of 4 voxels with 2 of them, 2 x 2 / 6; 0.7 to 0.9: nothing with 2 voxels, 0.
    """
    truth, found = np.zeros((2, *SHAPE), np.uint8)
    truth[2, 1:5, 1], found[2, 1:3, 1] = 2, 3
    rows = scored(tmp_path, truth, 3, found, 3)
    assert [row["prediction"] for row in rows] == ["level", "expected"]
    for row in rows:
        assert set(row) == set(QUBIQ_COLUMNS)
        assert row["qubiq_dice"] == pytest.approx(6 * (2 / 3) / 9, abs=1e-4)
        assert row["qubiq_dice_from_0"] == pytest.approx((1 + 6 * (2 / 3)) / 10, abs=1e-4)


def test_the_expected_share_may_score_where_the_most_probable_number_is_none():
    """Half the probability on no rater, half on both: nobody by argmax, half of them expected."""
    share = np.full(4, 0.5)
    rows = qubiq_rows(share, {"level": np.zeros(4), "expected": share}, 2)
    level, expected = (row["qubiq_dice"] for row in rows)
    assert (level, expected) == (pytest.approx(4 / 9, abs=1e-4), 1)


def test_maps_of_two_grids_are_not_compared(tmp_path):
    truth = np.ones(SHAPE, np.uint8)
    scored(tmp_path, truth, 2, truth, 2)
    write_image(tmp_path / "reference.nii.gz", truth, np.eye(4), np.uint8)
    paths = [tmp_path / f"{name}.nii.gz" for name in ("reference", "level", "expected")]
    with pytest.raises(ImageError, match=r"level\.nii\.gz: lies on another grid"):
        score_agreement(*paths)
