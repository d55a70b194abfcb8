"""Pictures of an evaluation: the same bytes each time, the size asked for, and what they claim to show."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from gliaflow.errors import ConfigError
from gliaflow.evaluate.held_out_figures import COLOURS
from gliaflow.evaluate.plots import (
    draw_dice,
    draw_dice_by_site,
    draw_dice_over_volume,
    draw_qu_brats,
    draw_qubiq,
)
from gliaflow.evaluate.qu_brats import uncertainty_curves


def rows(regions=("ET",), sites=("A", None)):
    """Sessions with Dice and volumes of chance, every fifth without the last region."""
    random = np.random.default_rng(0)
    return [
        {
            "region": region,
            "state": "absent" if region == "ET" and number % 5 == 0 else "present",
            "dice": float(random.uniform(0.2, 1)),
            "truth_ml": float(random.uniform(0.1, 90)),
            "site": sites[number % len(sites)],
        }
        for number in range(20)
        for region in regions
    ]


def curves(regions=("ET",), thresholds=(0, 25, 50, 75, 100)):
    random = np.random.default_rng(0)
    found = {}
    for number, region in enumerate(regions):
        truth, guess, brain = (random.random((6, 6, 6)) < share for share in (0.4, 0.3 + 0.1 * number, 0.9))
        sure = random.uniform(0, 60, truth.shape)
        found[region] = [uncertainty_curves(truth, guess, sure + k, brain, thresholds) for k in (0, 20, 40)]
    return found


ROW_DRAWERS = [draw_dice, draw_dice_by_site, draw_dice_over_volume]
DRAWERS = [(draw, rows) for draw in ROW_DRAWERS] + [(draw_qu_brats, curves)]


def drawn(draw, content, folder, **options):
    path = folder / "drawn.png"
    draw(path, content, **options)
    return path.read_bytes()


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(png, colour):
    """How many pixels are of a colour, whole or as the dots and boxes let white through."""
    wanted = np.array(to_rgb(colour))
    shades = [255 * (share * wanted + 1 - share) for share in (1, 0.7, 0.6, 0.4)]
    away = [np.abs(pixels(png) - shade).max(axis=-1) for shade in shades]
    return int((np.min(away, axis=0) < 14).sum())


@pytest.mark.parametrize(("draw", "content"), DRAWERS)
def test_a_picture_is_the_same_each_time_small_and_in_the_colours_of_the_regions(draw, content, tmp_path):
    first, second = (drawn(draw, content(("WT", "TC", "ET")), tmp_path) for _ in range(2))
    assert first == second
    assert len(first) < 80_000
    assert all(near(first, colour) > 20 for colour in COLOURS[:3])
    assert near(first, COLOURS[3]) < 5


@pytest.mark.parametrize(("draw", "content"), [(draw_dice, rows), (draw_qu_brats, curves)])
def test_twice_the_dots_per_inch_give_twice_the_pixels(draw, content, tmp_path):
    low, high = (pixels(drawn(draw, content(), tmp_path, dpi=dpi)).shape for dpi in (40, 80))
    assert high[:2] == (2 * low[0], 2 * low[1])


@pytest.mark.parametrize("draw", ROW_DRAWERS)
def test_a_session_without_the_region_is_counted_but_not_drawn(draw, tmp_path):
    content = rows()
    before = drawn(draw, content, tmp_path)
    changed = [{**row, "dice": 0.0, "state": "false"} if row["state"] == "absent" else row for row in content]
    assert drawn(draw, changed, tmp_path) == before
    fewer = [row for row in content if row["state"] != "absent"]
    same = draw is draw_dice_over_volume
    assert (drawn(draw, fewer, tmp_path) == before) is same, "the axis names how many there are in all"


@pytest.mark.parametrize("draw", ROW_DRAWERS)
def test_a_missed_region_is_drawn_at_0(draw, tmp_path):
    content = rows(("WT",))
    before = drawn(draw, content, tmp_path)
    missed = [{**content[0], "state": "missed", "dice": 0.0}, *content[1:]]
    assert drawn(draw, missed, tmp_path) != before


@pytest.mark.parametrize("draw", ROW_DRAWERS)
def test_a_region_that_nobody_has_leaves_its_place_empty(draw, tmp_path):
    content = rows(("WT", "TC"))
    assert near(drawn(draw, content, tmp_path), COLOURS[1]) > 20
    content = [{**row, "state": "absent"} if row["region"] == "TC" else row for row in content]
    assert near(drawn(draw, content, tmp_path), COLOURS[1]) < 5


def test_more_sites_and_longer_names_make_a_wider_picture(tmp_path):
    few, many, long = (
        pixels(drawn(draw_dice_by_site, rows(sites=sites), tmp_path)).shape[1]
        for sites in (("A", "B"), ("A", "B", "C"), ("A", "UniversityHospital"))
    )
    assert few < many
    assert few < long


def test_the_curve_of_a_region_without_sessions_is_left_out(tmp_path):
    content = {**curves(("WT",)), "TC": []}
    assert near(drawn(draw_qu_brats, content, tmp_path), COLOURS[1]) < 5


@pytest.mark.parametrize(("draw", "nothing"), [*((draw, []) for draw in ROW_DRAWERS), (draw_qu_brats, {})])
def test_nothing_to_draw_is_refused(draw, nothing, tmp_path):
    with pytest.raises(ConfigError, match="there are none to draw"):
        draw(tmp_path / "none.png", nothing)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("draw", "content"), DRAWERS)
def test_more_regions_than_colours_are_refused(draw, content, tmp_path):
    with pytest.raises(ConfigError, match="regions a, b, c, d and e: draw at most 4 at a time"):
        draw(tmp_path / "many.png", content(tuple("abcde")))


def test_qubiq_is_drawn_from_each_session(tmp_path):
    sessions = [(0.9, 0.8, 0.7), (1.0, 0.6, 0.5)]
    first = drawn(draw_qubiq, sessions, tmp_path, thresholds=(0.1, 0.5, 0.9))
    assert first == drawn(draw_qubiq, sessions, tmp_path, thresholds=(0.1, 0.5, 0.9))
    assert near(first, COLOURS[0]) > 20


@pytest.mark.parametrize("sessions", [[], [(0.9, 0.8), (0.7,)]])
def test_qubiq_without_a_value_for_each_threshold_is_refused(sessions, tmp_path):
    with pytest.raises(ConfigError, match="do not all have 2 values"):
        draw_qubiq(tmp_path / "none.png", sessions, (0.1, 0.9))


def test_curves_of_other_thresholds_are_refused(tmp_path):
    mixed = {**curves(("WT",)), **curves(("TC",), (0, 50, 100))}
    with pytest.raises(ConfigError, match="no or different thresholds"):
        draw_qu_brats(tmp_path / "mixed.png", mixed)
