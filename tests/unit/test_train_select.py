"""The better loss of each fold, the table of the cross-validation, and what the card says of it."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunet_files import manifest

from gliaflow.tables import write_table
from gliaflow.train.card import missing_text, model_card, table, tuning_text
from gliaflow.train.select import (
    CV_COLUMNS,
    MISSING_COLUMNS,
    cv_table,
    missing_table,
    read_scores,
    select_losses,
)
from gliaflow.train.validate import SCORE_COLUMNS

PUBLISHED = {
    0: {"dice_ce": (0.8647, 0.9134, 0.9242), "dice_topk": (0.8701, 0.9213, 0.9327)},
    1: {"dice_ce": (0.8781, 0.9225, 0.9341), "dice_topk": (0.8614, 0.9162, 0.9211)},
    2: {"dice_ce": (0.8806, 0.9299, 0.9416), "dice_topk": (0.8624, 0.9014, 0.9243)},
    3: {"dice_ce": (0.8812, 0.9243, 0.9416), "dice_topk": (0.8753, 0.9174, 0.9361)},
    4: {"dice_ce": (0.8723, 0.9145, 0.9289), "dice_topk": (0.8613, 0.9042, 0.9217)},
}
"""Mean Dice of ET, TC and WT by fold and loss (BrainLes 2021, S36)."""


def score(fold, loss, dice, *, case="a", region="WT", missing=""):
    """A row of the scores."""
    values = {"case": case, "fold": fold, "loss": loss, "missing": missing, "region": region, "dice": dice}
    return {**values, "predicted_ml": 1.0, "reference_ml": 1.0}


def published():
    return pd.DataFrame(
        score(fold, loss, value, case=f"{fold}", region=region)
        for loss in ("dice_ce", "dice_topk")
        for fold, losses in PUBLISHED.items()
        for region, value in zip(("ET", "TC", "WT"), losses[loss], strict=True)
    )


def test_the_published_choice_of_losses():
    """DiceTopK wins the first fold by a mean of 0.9080 to 0.9008, DiceCE the other four."""
    scores = published()
    assert select_losses(scores) == {0: "dice_topk", **dict.fromkeys((1, 2, 3, 4), "dice_ce")}
    first = scores[scores["fold"] == 0].groupby("loss")["dice"].mean().round(4)
    assert first.to_dict() == {"dice_ce": 0.9008, "dice_topk": 0.908}


def test_the_first_loss_wins_a_tie():
    for order in (["dice_topk", "dice_ce"], ["dice_ce", "dice_topk"]):
        scores = pd.DataFrame(score(fold, loss, 0.5) for loss in order for fold in (1, 0))
        assert select_losses(scores) == dict.fromkeys((0, 1), order[0])
        assert list(select_losses(scores)) == [0, 1]


def test_scores_of_missing_sequences_select_nothing():
    rows = [score(0, "dice_ce", 0.8), score(0, "dice_topk", 0.7)]
    rows += [score(0, "dice_ce", 0.0, missing="t1c"), score(0, "dice_topk", 1.0, missing="t1c")]
    assert select_losses(pd.DataFrame(rows)) == {0: "dice_ce"}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6))
def test_no_fold_is_given_the_worse_loss(pairs):
    rows = [
        score(k, loss, dice)
        for k, pair in enumerate(pairs)
        for loss, dice in zip(("dice_ce", "dice_topk"), pair, strict=True)
    ]
    chosen = select_losses(pd.DataFrame(rows))
    for k, (first, second) in enumerate(pairs):
        assert chosen[k] == ("dice_topk" if second > first else "dice_ce")


def test_the_table_of_the_cross_validation_golden():
    rows = [score(0, "dice_ce", dice, case=f"{dice}") for dice in (0.9, 0.2, 0.7)]
    rows += [score(0, "dice_topk", 0.5), score(0, "dice_ce", 0.0, missing="t1c")]
    assert cv_table(pd.DataFrame(rows), {0: "dice_topk"}) == [
        {
            **{"fold": 0, "loss": "dice_ce", "region": "WT", "sessions": 3},
            **{"dice_mean": 0.6, "dice_median": 0.7, "dice_min": 0.2, "selected": "no"},
        },
        {
            **{"fold": 0, "loss": "dice_topk", "region": "WT", "sessions": 1},
            **{"dice_mean": 0.5, "dice_median": 0.5, "dice_min": 0.5, "selected": "yes"},
        },
    ]


def test_what_a_missing_sequence_costs_is_counted_where_it_was_there():
    """Session b has no t1c: it counts neither in the mean without t1c nor in the one before."""
    rows = [score(0, "dice_ce", 0.9, case="a"), score(1, "dice_topk", 0.1, case="b")]
    rows += [score(0, "dice_ce", 0.6, case="a", missing="t1c"), score(0, "dice_topk", 1.0, case="a")]
    rows += [score(0, "dice_ce", 0.8, case="a", missing="t2f")]
    rows += [score(1, "dice_topk", 0.2, case="b", missing="t2f"), score(1, "dice_ce", 1.0, case="b")]
    assert missing_table(pd.DataFrame(rows), {0: "dice_ce", 1: "dice_topk"}) == [
        {"missing": "", "region": "WT", "sessions": 2, "dice_mean": 0.5, "dice_lost": 0.0},
        {"missing": "t1c", "region": "WT", "sessions": 1, "dice_mean": 0.6, "dice_lost": 0.3},
        {"missing": "t2f", "region": "WT", "sessions": 2, "dice_mean": 0.5, "dice_lost": 0.0},
    ]


def test_scores_are_read_as_they_were_written(tmp_path):
    first = [score(0, "dice_ce", 0.9), score(0, "dice_ce", 0.8, missing="t1c")]
    second = [score(1, "dice_ce", 1.0, case="NA")]
    for name, rows in (("first", first), ("second", second)):
        write_table(tmp_path / f"{name}.tsv", rows, SCORE_COLUMNS)
    found = read_scores([str(tmp_path / f"{name}.tsv") for name in ("first", "second")])
    assert found.to_dict("records") == [*first, *second]


def test_the_rows_have_the_columns_of_their_dictionaries():
    scores, chosen = published(), select_losses(published())
    assert all(list(row) == list(CV_COLUMNS) for row in cv_table(scores, chosen))
    assert all(list(row) == list(MISSING_COLUMNS) for row in missing_table(scores, chosen))


TUNED = {
    "threshold": {"WT": 0.45, "ET": 0.6},
    "enhancing": {"rule": "necrosis", "limit_ml": 0.2, "core_ml": 0.0},
    "before": {"WT": 0.9, "ET": 0.7},
    "after": {"WT": 0.91, "ET": 0.74},
    "honest": {"WT": 0.9, "ET": 0.73},
    "used": {"WT": True, "ET": False},
}


def test_the_card_says_what_tuning_brings():
    text = tuning_text({"table": [], "tuning": TUNED})
    assert "(rule necrosis, limit_ml 0.2, core_ml 0.0)" in text
    assert "| WT | 0.45 | 0.9 | 0.91 | 0.9 | yes |" in text.splitlines()
    assert "| ET | 0.6 | 0.7 | 0.74 | 0.73 | no, 0.5 instead |" in text.splitlines()
    without = tuning_text({"tuning": {**TUNED, "honest": {}}})
    assert "| ET | 0.6 | 0.7 | 0.74 |  | no, 0.5 instead |" in without.splitlines()


@pytest.mark.parametrize("figures", [{}, {"tuning": {}}, {"tuning": None}])
def test_without_tuning_the_card_is_silent_about_it(figures):
    assert tuning_text(figures) == ""


def test_a_table_has_a_line_for_each_row_under_its_head():
    assert table([]) == "none"
    lines = table([{"a": 1, "b": ""}, {"a": 0.5, "b": "x"}]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", "| 1 |  |", "| 0.5 | x |"]


def test_the_card_states_what_a_user_needs():
    tiny = replace(manifest(), cross_validation={"tuning": TUNED})
    scores, chosen = published(), select_losses(published())
    rows = missing_table(scores, chosen)
    card = model_card(tiny, "", cv_table(scores, chosen), rows)
    assert card.startswith("# tiny\n\nA brain-tumour segmentation model.\n")
    lines = card.splitlines()
    assert "| inputs, in this order | t1c, t2f |" in lines
    assert "| may be missing | t1c |" in lines
    assert "| grid | atlas SRI24, 1 x 1 x 1 mm |" in lines
    assert "| licence | CC-BY-4.0 |" in lines
    assert "| epochs | 1 |" in lines
    assert "| 0 | dice_topk | ET | 1 | 0.8701 | 0.8701 | 0.8701 | yes |" in lines
    assert "(N4: t1c registration, t2f off)" in card
    heads = [line for line in lines if line.startswith("## ")]
    assert heads == ["## Trained on", "## Cross-validation", "## Missing sequences", "## Limits"]
    assert missing_text(rows) in card


def test_a_card_of_a_model_that_needs_all_its_sequences_and_was_not_tuned():
    plain = replace(manifest(), optional=(), cross_validation={})
    card = model_card(plain, "Glioma before surgery", [], [])
    assert "| may be missing | none |" in card.splitlines()
    assert "Glioma before surgery" in card
    assert "## Missing sequences" not in card
    assert "Tuned" not in card


def test_the_card_says_first_where_the_data_come_from():
    tiny = replace(manifest(), training={"data": "Generated brains.", "epochs": 1})
    card = model_card(tiny, "", [], [])
    assert "## Trained on\n\nGenerated brains.\n\n| setting | value |" in card
    assert "| data |" not in card


def test_the_card_says_on_how_many_sessions_its_table_stands():
    rows = [{"fold": 0, "region": "WT", "sessions": 3}, {"fold": 0, "region": "TC", "sessions": 3}]
    training = {"sessions": 30, "sessions_held_out": 3, "folds": 10}
    card = model_card(replace(manifest(), training=training), "", rows, [])
    assert "Dice of 3 of the 30 sessions, of fold 0, whose subjects the network had not seen" in card
    whole = training | {"sessions_held_out": 30, "folds": 1}
    assert "Dice of 30 of the 30 sessions, whose" in model_card(
        replace(manifest(), training=whole), "", rows, []
    )


def test_the_card_of_one_fold_says_that_its_tuning_flatters():
    tiny = replace(manifest(), cross_validation={"tuning": TUNED | {"honest": {}}})
    assert "One fold alone was held out: the values were tuned on the sessions" in model_card(
        tiny, "", [], []
    )


def test_the_card_of_brain_extraction_speaks_of_heads():
    changes = {"sequences": ("any",), "optional": (), "regions": ("brain",), "target": "brain", "n4": {}}
    training = {"sessions": 4, "sessions_held_out": 2, "folds": 2}
    rows = [{"fold": 1, "region": "brain", "sessions": 7}]
    card = model_card(replace(manifest(), **changes, training=training, atlas="none"), "", rows, [])
    assert card.startswith("# tiny\n\nA brain-extraction model.\n")
    assert "| grid | the scan's own space, 1 x 1 x 1 mm |" in card
    assert "| input | a whole head, any one sequence" in card
    assert "Dice of 2 of the 4 sessions (7 scans, each by itself), of fold 1, whose" in card
