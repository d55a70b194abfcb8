"""Counts, and the figures from them, against scikit-learn on the voxels themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from gliaflow.errors import ConfigError, ImageError
from gliaflow.segment.segmenters import dequantise, quantise
from gliaflow.tables import write_table
from gliaflow.uncertainty.calibration import (
    RELIABILITY_COLUMNS,
    calibration,
    reliability,
    reliability_rows,
)
from gliaflow.uncertainty.counts import level_counts, read_counts, region_of_interest, write_counts

SHAPE = (5, 6, 4)
ALL = np.ones(SHAPE, dtype=bool)
UNIT = (1.0, 1.0, 1.0)


def drawn(size=20000, seed=0, sharpness=1.0):
    """Levels of probabilities, and a truth drawn with them; a sharpness of 2 or more is over-confident."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.5, 2, size)
    truth = rng.random(size) < 1 / (1 + np.exp(-logits))
    return quantise(1 / (1 + np.exp(-sharpness * logits))), truth


def counted(levels, truth):
    return level_counts(levels, truth, np.ones(levels.shape, dtype=bool))


@pytest.mark.parametrize("sharpness", [1.0, 3.0])
@pytest.mark.parametrize("bins", [1, 10, 15, 256])
def test_all_figures_are_those_of_the_voxels(sharpness, bins):
    levels, truth = drawn(sharpness=sharpness)
    probability = dequantise(levels).astype(np.float64)
    figures = calibration(counted(levels, truth), bins)
    assert figures.voxels == len(levels)
    assert figures.frequency == pytest.approx(truth.mean())
    assert figures.brier == pytest.approx(brier_score_loss(truth, probability))
    assert figures.nll == pytest.approx(log_loss(truth, probability))
    table = reliability(counted(levels, truth), bins)
    observed, mean = calibration_curve(truth, probability, n_bins=bins, strategy="uniform")
    there = table.voxels > 0
    np.testing.assert_allclose(table.observed_frequency[there], observed)
    np.testing.assert_allclose(table.mean_probability[there], mean)
    assert figures.ece == pytest.approx(np.average(np.abs(mean - observed), weights=table.voxels[there]))


def test_what_is_calibrated_has_no_error_and_what_is_too_sure_has():
    assert calibration(counted(*drawn(200_000))).ece < 0.005
    assert calibration(counted(*drawn(200_000, sharpness=3.0))).ece > 0.08


def test_errors_in_both_directions_do_not_cancel_between_bins():
    """10 voxels at 0.25 that are never inside, 10 at 0.75 that always are: each is off by a quarter."""
    levels = np.repeat(quantise(np.array([0.25, 0.75])), 10)
    figures = calibration(counted(levels, np.repeat([False, True], 10)))
    assert figures.ece == pytest.approx(0.25, abs=1 / 256)


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint8, (3, *SHAPE)), arrays(bool, (3, *SHAPE)), arrays(bool, (3, *SHAPE)))
def test_counts_of_sessions_add_up(levels, truth, interest):
    each = [level_counts(*session) for session in zip(levels, truth, interest, strict=True)]
    together = level_counts(levels, truth, interest)
    np.testing.assert_array_equal(sum(each), together)
    assert together.sum() == interest.sum()
    assert together[:, 1].sum() == (truth & interest).sum()
    assert together[200, 0] == ((levels == 200) & ~truth & interest).sum()


def test_counts_come_back_from_their_table(tmp_path):
    counts = {"WT": counted(*drawn(seed=1)), "ET": counted(*drawn(seed=2))}
    write_counts(tmp_path / "counts.tsv", counts)
    found = read_counts(tmp_path / "counts.tsv")
    assert list(found) == ["WT", "ET"]
    for region, values in counts.items():
        np.testing.assert_array_equal(found[region], values)
    lines = (tmp_path / "counts.tsv").read_text().splitlines()
    (tmp_path / "cut.tsv").write_text("\n".join(lines[:-1]))
    with pytest.raises(ImageError, match=r"cut.tsv: does not hold each level of ET once"):
        read_counts(tmp_path / "cut.tsv")


def test_without_a_voxel_there_is_no_figure():
    figures = calibration(np.zeros((256, 2), dtype=int))
    assert figures.voxels == 0
    assert (figures.frequency, figures.ece, figures.brier, figures.nll) == (None,) * 4


def test_reliability_rows_are_empty_where_a_bin_is(tmp_path):
    levels = np.full(5, 40, dtype=np.uint8)
    rows = reliability_rows({"WT": counted(levels, np.arange(5) < 2)}, bins=4)
    write_table(tmp_path / "reliability.tsv", rows, RELIABILITY_COLUMNS)
    first, second = (tmp_path / "reliability.tsv").read_text().splitlines()[1:3]
    assert first == "WT\t0.0\t0.25\t5\t0.1582\t0.4"
    assert second == "WT\t0.25\t0.5\t0\t\t"


@settings(max_examples=25, deadline=None)
@given(arrays(bool, SHAPE), arrays(bool, SHAPE), st.sampled_from([0.0, 1.0, 2.2]))
def test_the_region_of_interest_is_what_lies_near_the_tumour(truth, found, margin):
    spacing, brain = (1.0, 0.7, 2.0), np.random.default_rng(3).random(SHAPE) < 0.8
    points = np.argwhere(ALL) * spacing
    tumour = np.argwhere(truth | found) * spacing
    distance = np.linalg.norm(points[:, None] - tumour[None], axis=-1).min(axis=1, initial=np.inf)
    expected = (distance <= margin).reshape(SHAPE) & brain
    np.testing.assert_array_equal(region_of_interest(truth, found, brain, spacing, margin), expected)


def test_a_margin_is_10_mm_where_nothing_else_is_said():
    truth = np.zeros((41, 3, 3), dtype=bool)
    truth[20, 1, 1] = True
    interest = region_of_interest(truth, np.zeros_like(truth), np.ones_like(truth), UNIT)
    assert interest[:, 1, 1].nonzero()[0].tolist() == list(range(10, 31))


def test_bad_input_is_refused():
    levels, truth = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool)
    with pytest.raises(ImageError, match="bring all to one grid"):
        level_counts(levels, truth[1:], ALL)
    with pytest.raises(ImageError, match="bring all to one grid"):
        region_of_interest(truth, truth, ALL[1:], UNIT)
    with pytest.raises(ImageError, match="type float64; quantise them"):
        level_counts(levels.astype(float), truth, ALL)
    with pytest.raises(ImageError, match=r"shape \(15, 2\), not \(256, 2\)"):
        calibration(np.zeros((15, 2)))
    for bins in (0, 257):
        with pytest.raises(ConfigError, match=f"bins: {bins}: .*from 1 to 256"):
            calibration(np.zeros((256, 2)), bins)
