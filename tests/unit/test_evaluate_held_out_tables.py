"""The tables of a held-out evaluation: who is counted where."""

import csv

import numpy as np
import pytest

from gliaflow.evaluate import held_out_tables as tables
from gliaflow.evaluate.held_out_tables import CaseScore, Curve, LimitPoint
from gliaflow.evaluate.regions import score_regions
from gliaflow.evaluate.scores import Score


def row(case, region, dice, *, method="model", kind="solid", truth_ml=8.0):
    sensitivity = dice if truth_ml else None
    return CaseScore(case, kind, method, region, Score(dice, 1.5, truth_ml, 7.0, sensitivity, 0.9))


ROWS = [
    row("sub-1", "WT", 0.9),
    row("sub-1", "ET", 0.0, truth_ml=0.0),
    row("sub-1", "WT", 0.5, method="plain"),
    row("sub-2", "WT", 0.7, kind="healthy", truth_ml=80.0),
    row("sub-2", "ET", 0.1, truth_ml=0.5),
]


def cells(table):
    """The rows of a Markdown table, each as its cells by the heads."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def test_each_method_and_region_has_a_line_and_absent_regions_are_counted_apart():
    found = {(line["found by"], line["region"]): line for line in cells(tables.by_method(ROWS))}
    assert found["model", "WT"]["mean"] == "0.800"
    assert (found["model", "WT"]["n"], found["model", "WT"]["absent"]) == ("2", "0")
    enhancing = found["model", "ET"]
    assert (enhancing["n"], enhancing["absent"], enhancing["of these false"]) == ("1", "1", "1")
    assert enhancing["SD"] == "", "one case has no standard deviation"


def test_a_comparison_is_of_the_cases_and_regions_that_the_baseline_was_run_on():
    lines = cells(tables.compared(ROWS, "plain"))
    assert [(line["found by"], line["region"], line["median"]) for line in lines] == [
        ("model", "WT", "0.900"),
        ("plain", "WT", "0.500"),
    ]


def test_kinds_and_sizes_are_of_one_method():
    kinds = {(line["kind"], line["region"]) for line in cells(tables.by_kind(ROWS, "model"))}
    assert kinds == {("solid", "WT"), ("solid", "ET"), ("healthy", "WT")}
    sizes = [(line["region"], line["volume"], line["n"]) for line in cells(tables.by_size(ROWS, "model"))]
    assert sizes == [("WT", "5 to 20 ml", "1"), ("WT", "60 ml and more", "1"), ("ET", "below 1 ml", "1")]


def test_the_worst_case_comes_first_and_absent_regions_do_not_count():
    assert list(tables.mean_by_case(ROWS, "model").items()) == [
        ("sub-2", pytest.approx(0.4)),
        ("sub-1", pytest.approx(0.9)),
    ]


@pytest.mark.parametrize(
    ("volume", "name"),
    [(1.0, "1 to 5 ml"), (4.99, "1 to 5 ml"), (59.9, "20 to 60 ml"), (400, "60 ml and more")],
)
def test_a_volume_lies_in_one_range(volume, name):
    assert tables.size_class(volume)[1] == name


def test_limits_have_a_row_for_each_value_in_the_curves_order():
    curve = Curve("noise", "noise", (0.0, 0.1))
    points = [LimitPoint("noise", v, "WT", f"sub-{k}", d) for v, k, d in ((0.1, 1, 0.4), (0.0, 1, 0.8))]
    points += [LimitPoint("noise", 0.0, "WT", "sub-2", 0.6), LimitPoint("other", 0.0, "WT", "sub-2", 0.0)]
    assert cells(tables.limits_table(points, curve)) == [
        {"noise": "0", "WT": "0.700 (0.650 to 0.750)"},
        {"noise": "0.1", "WT": "0.400 (0.400 to 0.400)"},
    ]


def test_files_hold_every_row_and_say_what_their_columns_mean(tmp_path):
    tables.write_scores(tmp_path / "scores.tsv", ROWS)
    tables.write_limits(tmp_path / "limits.tsv", [LimitPoint("noise", 0.1, "WT", "sub-1", 0.5)])
    with (tmp_path / "scores.tsv").open(encoding="utf-8") as stream:
        written = list(csv.DictReader(stream, delimiter="\t"))
    assert len(written) == len(ROWS)
    assert (written[1]["state"], written[1]["sensitivity"]) == ("false", "")
    assert (tmp_path / "scores.json").is_file()
    assert (tmp_path / "limits.tsv").read_text().splitlines()[1] == "noise\t0.1\tWT\tsub-1\t0.5"


def test_what_is_measured_of_a_region_besides_is_left_out(tmp_path):
    """As the evaluation of a model makes its scores: they hold more figures than the table."""
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[2:4, 2:4, 2:4] = 3
    scores = score_regions(labels, labels, (1.0, 1.0, 1.0))
    rows = [CaseScore("sub-1", "solid", "model", region, score) for region, score in scores.items()]
    tables.write_scores(tmp_path / "scores.tsv", rows)
    heads = (tmp_path / "scores.tsv").read_text().splitlines()[0].split("\t")
    assert heads == list(tables.SCORE_COLUMNS)
