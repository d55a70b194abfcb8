"""The lesion-wise scores against a plain version of their definition, and cases that can be told by hand.

The plain version dilates by shifting the whole image, labels by scikit-image, goes through lesions one by one
on the whole image, and measures all pairs of surface voxels.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from skimage.measure import label

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate.lesionwise import (
    LESION_COLUMNS,
    PRESETS,
    LesionSettings,
    lesion_preset,
    lesion_rows,
    score_lesions,
)

UNIT = (1.0, 1.0, 1.0)
FEW = settings(max_examples=40, deadline=None)
MASKS = arrays(bool, (7, 6, 5), elements=st.sampled_from([False, False, False, False, True]))
SETTINGS = st.builds(
    LesionSettings,
    dilation=st.integers(0, 2),
    min_mm3=st.sampled_from([0.0, 2.0, 8.0]),
    connectivity=st.sampled_from([6, 18, 26]),
    dilation_connectivity=st.sampled_from([6, 18, 26]),
)


def block(*boxes, shape=(40, 20, 20)):
    """A mask of boxes, each from a corner with a size."""
    mask = np.zeros(shape, dtype=bool)
    for (x, y, z), size in boxes:
        mask[x : x + size, y : y + size, z : z + size] = True
    return mask


def shifted(mask, step):
    padded = np.pad(mask, 1)
    return np.roll(padded, step, (0, 1, 2))[1:-1, 1:-1, 1:-1]


def neighbours(mask, most_axes):
    """The mask and all voxels that differ from one of it by 1 along at most so many axes."""
    steps = [s for s in itertools.product((-1, 0, 1), repeat=3) if np.count_nonzero(s) <= most_axes]
    return np.any([shifted(mask, step) for step in steps], axis=0)


def edge(mask, spacing):
    steps = [s for s in itertools.product((-1, 0, 1), repeat=3) if np.count_nonzero(s) == 1]
    return np.argwhere(mask & ~np.all([shifted(mask, step) for step in steps], axis=0)) * spacing


def plain_hd95(first, second, spacing):
    pairs = cdist(edge(first, spacing), edge(second, spacing))
    return max(np.percentile(pairs.min(axis=1), 95), np.percentile(pairs.min(axis=0), 95))


def plain_lesionwise(truth, found, spacing, chosen):
    """Dice and HD95 of what counts: lesions in no order, then false components."""
    rank = {6: 1, 18: 2, 26: 3}
    dilated = truth
    for _ in range(chosen.dilation):
        dilated = neighbours(dilated, rank[chosen.dilation_connectivity])
    around = label(dilated, connectivity=rank[chosen.connectivity])
    components = label(found, connectivity=rank[chosen.connectivity])
    scores, hit = [], set()
    for number in range(1, around.max() + 1):
        lesion = truth & (around == number)
        touching = set(components[around == number].tolist()) - {0}
        hit |= touching
        if lesion.sum() * np.prod(spacing) <= chosen.min_mm3:
            continue
        matched = np.isin(components, list(touching))
        if not touching:
            scores.append((0.0, chosen.penalty_mm))
            continue
        dice = 2 * (lesion & matched).sum() / (lesion.sum() + matched.sum())
        scores.append((dice, plain_hd95(lesion, matched, spacing)))
    scores += [(0.0, chosen.penalty_mm)] * (components.max() - len(hit))
    return scores


@FEW
@given(MASKS, MASKS, SETTINGS, st.sampled_from([UNIT, (1.0, 0.5, 3.0)]))
def test_any_masks_score_as_in_the_plain_version(truth, found, chosen, spacing):
    score = score_lesions(truth, found, spacing, chosen)
    expected = plain_lesionwise(truth, found, spacing, chosen)
    got = [(lesion.dice, lesion.hd95_mm) for lesion in score.lesions if lesion.counted]
    np.testing.assert_allclose(sorted(got), sorted(expected), rtol=1e-9)
    if expected:
        assert score.dice == pytest.approx(np.mean([dice for dice, _ in expected]))
        assert score.hd95_mm == pytest.approx(np.mean([distance for _, distance in expected]))
    else:
        assert (score.dice, score.hd95_mm) == (1, 0)


@pytest.mark.parametrize("preset", PRESETS)
def test_several_lesions_score_as_in_the_plain_version(preset):
    truth = block(((2, 2, 2), 6), ((12, 2, 2), 4), ((30, 12, 12), 5), ((2, 16, 16), 1), ((20, 14, 3), 3))
    found = block(((3, 2, 2), 6), ((31, 12, 12), 3), ((20, 2, 14), 2), ((36, 4, 4), 4))
    score = score_lesions(truth, found, UNIT, PRESETS[preset])
    expected = plain_lesionwise(truth, found, UNIT, PRESETS[preset])
    assert score.dice == pytest.approx(np.mean([dice for dice, _ in expected]))
    assert score.hd95_mm == pytest.approx(np.mean([distance for _, distance in expected]))
    assert score.count("false") == 2


def test_a_found_a_missed_and_a_false_lesion_by_hand():
    truth = block(((2, 2, 2), 4), ((20, 2, 2), 4))
    found = block(((2, 2, 2), 4), ((34, 10, 10), 2))
    score = score_lesions(truth, found, UNIT)
    assert score.dice == pytest.approx(1 / 3)
    assert score.hd95_mm == pytest.approx(2 * 374 / 3)
    assert [lesion.state for lesion in score.lesions] == ["found", "missed", "false"]
    assert [(lesion.truth_ml, lesion.found_ml) for lesion in score.lesions] == [
        (0.064, 0.064),
        (0.064, 0),
        (0, 0.008),
    ]
    assert [score.count(state) for state in ("found", "missed", "false")] == [1, 1, 1]


@pytest.mark.parametrize(("gap", "lesions"), [(5, 1), (6, 1), (7, 2)])
def test_lesions_are_one_when_their_dilations_touch(gap, lesions):
    """Three voxels from each side bridge a gap of 6: the dilations lie side by side."""
    truth = block(((2, 5, 5), 4), ((6 + gap, 5, 5), 4))
    assert len(score_lesions(truth, truth, UNIT).lesions) == lesions


def test_the_dilation_counts_voxels_not_mm():
    truth = block(((2, 5, 5), 4), ((12, 5, 5), 4))
    for spacing in (UNIT, (0.1, 1.0, 1.0), (30.0, 1.0, 1.0)):
        assert len(score_lesions(truth, truth, spacing).lesions) == 1


def test_a_component_near_a_lesion_belongs_to_it_without_any_overlap():
    truth, near, far = block(((2, 5, 5), 4)), block(((8, 5, 5), 4)), block(((9, 5, 5), 4))
    (lesion,) = score_lesions(truth, near, UNIT).lesions
    assert (lesion.state, lesion.dice, lesion.components) == ("found", 0, 1)
    assert lesion.hd95_mm == pytest.approx(6)
    assert [lesion.state for lesion in score_lesions(truth, far, UNIT).lesions] == ["missed", "false"]


def test_one_component_over_two_lesions_counts_for_both():
    truth = block(((2, 5, 5), 4), ((20, 5, 5), 4))
    found = np.zeros_like(truth)
    found[2:24, 5:9, 5:9] = True
    score = score_lesions(truth, found, UNIT)
    assert [lesion.dice for lesion in score.lesions] == [pytest.approx(2 * 64 / (64 + 352))] * 2
    assert score.count("false") == 0


@pytest.mark.parametrize(("size", "counted"), [(3, False), (4, True)])
def test_a_small_lesion_does_not_count_and_what_touches_it_is_not_false(size, counted):
    """27 and 64 mm3; the limit is 50."""
    truth = block(((5, 5, 5), size))
    score = score_lesions(truth, truth, UNIT)
    assert [lesion.counted for lesion in score.lesions] == [counted]
    assert (score.dice, score.hd95_mm, score.count("false")) == (1, 0, 0)
    missed = score_lesions(truth, np.zeros_like(truth), UNIT)
    assert (missed.dice, missed.hd95_mm) == ((0, 374) if counted else (1, 0))


def test_a_lesion_of_just_the_limit_does_not_count():
    settings = LesionSettings(min_mm3=8)
    for spacing, counted in ((UNIT, False), ((1.0, 1.0, 1.01), True)):
        (lesion,) = score_lesions(block(((5, 5, 5), 2)), block(), spacing, settings).lesions
        assert lesion.counted is counted


def test_a_small_false_component_counts():
    truth, found = block(((2, 2, 2), 4)), block(((2, 2, 2), 4), ((30, 12, 12), 1))
    assert score_lesions(truth, found, UNIT).dice == 0.5


def test_nothing_there_and_nothing_found_is_perfect():
    empty = block()
    score = score_lesions(empty, empty, UNIT)
    assert (score.dice, score.hd95_mm, score.lesions) == (1, 0, ())
    false = score_lesions(empty, block(((2, 2, 2), 2)), UNIT)
    assert (false.dice, false.hd95_mm, false.count("false")) == (0, 374, 1)


@FEW
@given(MASKS, MASKS, SETTINGS, st.permutations(range(3)), st.sampled_from(range(3)))
def test_flips_and_swapped_axes_change_nothing(truth, found, chosen, axes, flip):
    moved = [np.flip(mask, flip).transpose(axes) for mask in (truth, found)]
    spacing = (1.0, 0.5, 3.0)
    before = score_lesions(truth, found, spacing, chosen)
    after = score_lesions(*moved, tuple(spacing[axis] for axis in axes), chosen)
    assert (after.dice, after.hd95_mm) == pytest.approx((before.dice, before.hd95_mm))


@FEW
@given(MASKS, SETTINGS)
def test_the_truth_itself_is_perfect(truth, chosen):
    score = score_lesions(truth, truth, UNIT, chosen)
    assert (score.dice, score.hd95_mm) == (1, 0)
    assert score.count("missed") == score.count("false") == 0


def test_rows_have_the_columns_of_the_table():
    truth = block(((2, 2, 2), 4))
    (row,) = lesion_rows(score_lesions(truth, truth, UNIT))
    assert list(row) == list(LESION_COLUMNS)


def test_presets_are_those_of_the_challenges():
    table = {name: (chosen.dilation, chosen.min_mm3) for name, chosen in PRESETS.items()}
    assert table == {"gli": (3, 50), "ssa": (3, 50), "ped": (3, 50), "men": (1, 50), "met": (1, 2)}
    assert {chosen.penalty_mm for chosen in PRESETS.values()} == {374}
    assert lesion_preset("men") is PRESETS["men"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lesion_preset("glioma"), "'glioma' is not known; write gli, ssa, ped, men or met"),
        (lambda: LesionSettings(connectivity=8), "connectivity: 8: write 6, 18 or 26"),
        (lambda: LesionSettings(dilation=-1), "dilation: -1: write a number that is 0 or more"),
    ],
)
def test_settings_that_are_not_possible_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ImageError, match="bring both to one grid"):
        score_lesions(block(), block(shape=(2, 2, 2)), UNIT)
