"""The table of a cohort by hand for four sessions, against pandas for many, and as it is written."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from gliaflow.errors import ConfigError
from gliaflow.evaluate.bootstrap import Bootstrap, bootstrap_interval
from gliaflow.evaluate.cohort import COHORT_COLUMNS, METRICS, cohort_table
from gliaflow.evaluate.regions import region_rows, score_regions
from gliaflow.evaluate.surface import WORST_MM
from gliaflow.tables import write_table

QUICK = Bootstrap(resamples=100)


def row(state, dice, distance, precision, **more):
    return {"region": "ET", "state": state, "dice": dice, "hd95_mm": distance, "precision": precision, **more}


FOUR = [
    row("present", 0.8, 2.0, 0.75),
    row("missed", 0.0, WORST_MM, None),
    row("absent", 1.0, 0.0, None),
    row("false", 0.0, WORST_MM, 0.0),
]


def picked(table, **wanted):
    (found,) = [each for each in table if all(each[key] == value for key, value in wanted.items())]
    return found


def many(sites=("A", "B2", None), sessions=40):
    random = np.random.default_rng(0)
    rows = []
    for number in range(sessions):
        for region in ("WT", "ET"):
            state = random.choice(["present", "missed", "absent", "false"], p=[0.7, 0.1, 0.1, 0.1])
            dice = {"present": random.uniform(), "missed": 0.0, "absent": 1.0, "false": 0.0}[state]
            share = random.uniform() if state == "present" else float("nan")
            site = sites[number % len(sites)]
            rows.append(
                {"region": region, "state": str(state), "dice": dice, "sensitivity": share, "site": site}
            )
    return rows


def test_four_sessions_by_hand():
    table = cohort_table(FOUR, ["dice", "hd95_mm", "precision"], QUICK)
    every = picked(table, cases="all", metric="dice")
    assert (every["n"], every["mean"], every["median"]) == (4, 0.45, 0.4)
    assert every["sd"] == pytest.approx(math.sqrt((0.35**2 + 2 * 0.45**2 + 0.55**2) / 3))
    assert (every["q1"], every["q3"]) == (0, pytest.approx(0.85))
    there = picked(table, cases="with_region", metric="dice")
    assert (there["n"], there["mean"], there["median"]) == (2, 0.4, 0.4)
    assert picked(table, cases="all", metric="hd95_mm")["mean"] == pytest.approx((2 + 2 * WORST_MM) / 4)
    assert picked(table, cases="with_region", metric="hd95_mm")["mean"] == pytest.approx((2 + WORST_MM) / 2)
    for each in table:
        counts = tuple(each[name] for name in ("sessions", "missed", "absent", "false"))
        assert counts == (4, 1, 2, 1)
        assert (each["scope"], each["site"]) == ("cohort", None)


def test_an_empty_score_does_not_count():
    table = cohort_table(FOUR, ["precision"], QUICK)
    assert [(each["cases"], each["n"], each["mean"]) for each in table] == [
        ("all", 2, 0.375),
        ("with_region", 1, 0.75),
    ]
    nobody = cohort_table([FOUR[1]], ["precision"], QUICK)
    assert {each["n"] for each in nobody} == {0}
    assert all(math.isnan(each["mean"]) for each in nobody)


def test_the_interval_is_the_bootstrap_of_the_mean():
    settings = Bootstrap(confidence=0.8, resamples=300, seed=3)
    found = picked(cohort_table(FOUR, ["dice"], settings), cases="all")
    expected = bootstrap_interval([each["dice"] for each in FOUR], "mean", settings)
    assert (found["mean_low"], found["mean_high"]) == (expected.low, expected.high)


@pytest.mark.parametrize("site", ["A", "B2", None])
@pytest.mark.parametrize("cases", ["all", "with_region"])
def test_many_sessions_are_summarised_as_by_pandas(site, cases):
    rows = many()
    frame = pd.DataFrame(rows)
    frame["site"] = frame["site"].fillna("")
    table = cohort_table(rows, ["dice", "sensitivity"], QUICK)
    for region in ("WT", "ET"):
        chosen = frame[(frame["region"] == region) & (frame["site"] == (site or ""))]
        kept = chosen[chosen["state"].isin(["present", "missed"])] if cases == "with_region" else chosen
        for metric in ("dice", "sensitivity"):
            found = picked(table, scope="site", site=site, region=region, cases=cases, metric=metric)
            described = kept[metric].describe()
            names = {"n": "count", "mean": "mean", "sd": "std", "q1": "25%", "median": "50%", "q3": "75%"}
            for mine, theirs in names.items():
                assert found[mine] == pytest.approx(described[theirs]), mine
            states = chosen["state"].value_counts()
            assert found["absent"] == states.get("absent", 0) + states.get("false", 0)
            assert found["false"] == states.get("false", 0)
            assert found["missed"] == states.get("missed", 0)
            assert found["sessions"] == len(chosen)


def test_the_cohort_comes_first_then_its_sites_by_name_then_the_unknown():
    table = cohort_table(many(("b", None, "A")), ["dice"], QUICK)
    groups = list(dict.fromkeys((each["scope"], each["site"]) for each in table))
    assert groups == [("cohort", None), ("site", "A"), ("site", "b"), ("site", None)]
    assert list(dict.fromkeys(each["region"] for each in table)) == ["WT", "ET"]
    assert len(table) == 4 * 2 * 2


@pytest.mark.parametrize("sites", [("A",), (None,), ("",)])
def test_a_cohort_of_one_site_is_not_repeated(sites):
    assert {each["scope"] for each in cohort_table(many(sites), ["dice"], QUICK)} == {"cohort"}


def test_rows_without_a_column_of_sites_are_a_cohort():
    assert {each["scope"] for each in cohort_table(FOUR, ["dice"], QUICK)} == {"cohort"}


def test_sessions_of_the_sites_add_up_to_those_of_the_cohort():
    table = cohort_table(many(), ["dice"], QUICK)
    for name in ("n", "sessions", "missed", "absent", "false"):
        totals = {
            scope: sum(
                each[name]
                for each in table
                if (each["scope"], each["region"], each["cases"]) == (scope, "ET", "with_region")
            )
            for scope in ("cohort", "site")
        }
        assert totals["cohort"] == totals["site"] > 0, name


def test_what_the_regions_give_makes_a_table_on_disk(tmp_path):
    random = np.random.default_rng(1)
    truth, found = random.integers(0, 4, (2, 6, 6, 6))
    rows = region_rows(score_regions(truth, found, (1.0, 1.0, 1.0), np.ones(truth.shape, bool)))
    write_table(tmp_path / "cohort.tsv", cohort_table(rows, intervals=QUICK), COHORT_COLUMNS)
    table = pd.read_csv(tmp_path / "cohort.tsv", sep="\t")
    assert list(table) == list(COHORT_COLUMNS)
    assert len(table) == 3 * 2 * len(METRICS)
    assert set(json.loads((tmp_path / "cohort.json").read_text())) == set(COHORT_COLUMNS)


def test_no_rows_give_no_table():
    assert cohort_table([], ["dice"]) == []


def test_rows_that_lack_a_column_or_have_no_known_state_are_refused():
    with pytest.raises(ConfigError, match="row 2: lacks dice and iou; add what is missing"):
        cohort_table([{**FOUR[0], "iou": 1.0}, {"region": "ET", "state": "absent"}], ["dice", "iou"])
    with pytest.raises(ConfigError, match="row 1: state: 'found': write present, missed, absent or false"):
        cohort_table([{**FOUR[0], "state": "found"}], ["dice"])
