"""Each threshold gives its reason, and only then; the score follows the entropy."""

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.errors import ConfigError
from gliaflow.uncertainty.flags import (
    REVIEW_COLUMNS,
    FlagSettings,
    Review,
    flag_settings,
    review,
    review_row,
    review_score,
)
from gliaflow.uncertainty.numbers import RegionNumbers

SURE = RegionNumbers(
    volume_ml=20.0,
    volume_low_ml=19.0,
    volume_high_ml=21.0,
    volume_cv=0.05,
    pairwise_dice=0.95,
    entropy_inside_bit=0.1,
    entropy_border_bit=0.4,
    uncertain_components=0,
    uncertain_components_ml=0.0,
)
ONE_MEMBER = replace(
    SURE,
    volume_low_ml=None,
    volume_high_ml=None,
    volume_cv=None,
    pairwise_dice=None,
    uncertain_components=None,
    uncertain_components_ml=None,
)
EMPTY = replace(SURE, volume_ml=0.0, entropy_inside_bit=None, entropy_border_bit=None, pairwise_dice=1.0)
OFF = dict.fromkeys([field.name for field in fields(FlagSettings) if field.name != "empty"])
LIMITS = FlagSettings(0.8, 0.2, 0.3, 1.0, 300.0, empty=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pairwise_dice": 0.61}, "members disagree (pairwise Dice 0.61, below 0.80)"),
        ({"pairwise_dice": 0.7996}, "members disagree (pairwise Dice 0.7996, below 0.80)"),
        ({"volume_cv": 0.35}, "members' volumes vary (coefficient of variation 0.35, above 0.20)"),
        ({"entropy_inside_bit": 0.52}, "unsure inside (mean entropy 0.52 bit, above 0.30 bit)"),
        ({"uncertain_components_ml": 2.3}, "few members found parts of it (2.30 ml, above 1.00 ml)"),
    ],
)
@pytest.mark.parametrize("region", ["WT", "ET"])
def test_each_reason_is_told_with_its_region_and_numbers(change, reason, region):
    numbers = {"WT": SURE, "ET": SURE} | {region: replace(SURE, **change)}
    assert review(numbers, LIMITS).reasons == (f"{region}: {reason}",)


def test_a_sure_session_is_not_flagged_and_the_limits_themselves_are_allowed():
    at_limits = replace(
        SURE,
        pairwise_dice=0.8,
        volume_cv=0.2,
        entropy_inside_bit=0.3,
        uncertain_components_ml=1.0,
        volume_ml=300.0,
    )
    for numbers in (SURE, at_limits, ONE_MEMBER):
        assert not review({"WT": numbers}, LIMITS).flagged


def test_only_the_whole_tumour_may_be_too_large_or_missing():
    large = replace(SURE, volume_ml=412.0)
    assert review({"WT": large, "TC": large}, LIMITS).reasons == (
        "WT: too large to be believed (412.00 ml, above 300.00 ml)",
    )
    assert review({"WT": EMPTY, "TC": EMPTY, "ET": EMPTY}, LIMITS).reasons == ("nothing was segmented",)
    assert not review({"WT": SURE, "ET": EMPTY}, LIMITS).flagged


def test_one_member_is_flagged_by_what_it_has():
    unsure = replace(ONE_MEMBER, entropy_inside_bit=0.9)
    assert len(review({"WT": unsure}, LIMITS).reasons) == 1


def test_what_is_switched_off_gives_no_reason():
    worst = RegionNumbers(0.0, 0.0, 900.0, 9.0, 0.0, 1.0, 1.0, 9, 900.0)
    assert len(review({"WT": worst}, LIMITS).reasons) == 5
    assert not review({"WT": worst}, flag_settings({**OFF, "empty": False})).flagged
    assert len(review({"WT": worst}, flag_settings(OFF)).reasons) == 1


def test_the_score_is_the_entropy_weighted_by_volume():
    """(30 x 0.1 + 10 x 0.5) / 40 = 0.2; a region that is empty has no part in it."""
    numbers = {
        "WT": replace(SURE, volume_ml=30.0, entropy_inside_bit=0.1),
        "TC": replace(ONE_MEMBER, volume_ml=10.0, entropy_inside_bit=0.5),
        "ET": EMPTY,
    }
    assert review_score(numbers) == pytest.approx(0.2)
    assert review_score({"WT": EMPTY}) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 500), st.floats(0, 1)), min_size=1, max_size=3))
def test_the_score_lies_between_those_of_the_regions(parts):
    numbers = {
        str(k): replace(SURE, volume_ml=ml, entropy_inside_bit=bit) for k, (ml, bit) in enumerate(parts)
    }
    bits = [bit for _, bit in parts]
    assert min(bits) - 1e-9 <= review_score(numbers) <= max(bits) + 1e-9


def test_a_row_says_whether_and_why():
    assert review_row(Review(0.123456, ("WT: a", "ET: b"))) == {
        "review_score": 0.1235,
        "review": 1,
        "review_reasons": "WT: a; ET: b",
    }
    row = review_row(Review(None, ()))
    assert row == {"review_score": None, "review": 0, "review_reasons": None}
    assert list(row) == list(REVIEW_COLUMNS)


def test_settings_keep_their_defaults_and_null_is_never():
    found = flag_settings({"volume_cv_above": None, "volume_above_ml": 250})
    assert found == replace(FlagSettings(), volume_cv_above=None, volume_above_ml=250)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dice_below": 0.8}, "dice_below: 0.8: is not a known key; did you mean pairwise_dice_below?"),
        ({"age": 8}, "age: 8: is not a known key; the keys here are pairwise_dice_below, "),
        ({"pairwise_dice_below": 80}, "pairwise_dice_below: 80: .*write null or a number from 0 to 1"),
        ({"volume_cv_above": -0.1}, "volume_cv_above: -0.1: .*write null or a number from 0$"),
        ({"volume_above_ml": True}, "volume_above_ml: true: is not possible"),
        ({"volume_above_ml": float("nan")}, "volume_above_ml: NaN: is not possible"),
        ({"entropy_above": "high"}, "entropy_above: 'high': is not possible"),
        ({"empty": 1}, "empty: 1: is not possible; write true or false"),
    ],
)
def test_settings_that_are_not_possible_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        flag_settings(values)


def test_a_model_of_the_core_alone_is_judged_by_the_core():
    large = replace(SURE, volume_ml=412.0)
    assert not review({"TC": large}, LIMITS).flagged
    assert review({"TC": EMPTY}, LIMITS).reasons == ("nothing was segmented",)
    assert review({"TC": replace(SURE, volume_cv=0.5)}, LIMITS).reasons[0].startswith("TC: members' volumes")


def test_a_session_without_any_region_is_refused():
    with pytest.raises(ConfigError, match="there is no region to decide by"):
        review({}, LIMITS)
