"""Pictures of a held-out evaluation are small and the same each time; planes go where the errors are."""

import numpy as np
import pytest
from PIL import Image

from gliaflow.evaluate.held_out_figures import draw_categories, draw_curve, draw_sizes, running_median
from gliaflow.evaluate.held_out_tables import CaseScore, Curve, LimitPoint
from gliaflow.evaluate.scores import Score
from gliaflow.evaluate.worst_cases import AXIAL, SAGITTAL, BadCase, draw_worst, outlined

NUMBERS = Curve("noise", "noise", (0.0, 0.1, 0.2))
WORDS = Curve("sequences", "sequences", ("t1n t1c", "t1n"))
POINTS = [
    LimitPoint(curve.name, value, line, str(case), 0.9 - 0.1 * k - 0.02 * case)
    for curve in (NUMBERS, WORDS)
    for k, value in enumerate(curve.values)
    for line in ("WT", "TC", "ET")
    for case in range(4)
]
SCORES = [
    CaseScore(str(k), "solid", "model", region, Score(0.5, 2.0, volume, 1.0, 0.5, 0.5))
    for k, volume in enumerate((0.0, 0.3, 4.0, 50.0))
    for region in ("WT", "ET")
]
SPACING = (2.0, 2.0, 4.0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: draw_curve(path, POINTS, NUMBERS),
        lambda path: draw_categories(path, POINTS, WORDS),
        lambda path: draw_sizes(path, SCORES, "model"),
    ],
    ids=["curve", "categories", "sizes"],
)
def test_a_picture_is_small_and_the_same_each_time(draw, tmp_path):
    for name in ("first", "second"):
        draw(tmp_path / f"{name}.png")
    first, second = ((tmp_path / f"{name}.png").read_bytes() for name in ("first", "second"))
    assert first == second
    assert len(first) < 60_000
    assert len(Image.open(tmp_path / "first.png").getcolors()) > 10


def test_a_running_median_ignores_what_lies_apart():
    values = np.ones(60)
    values[::10] = 0
    assert (running_median(values) == 1).all()


def scan():
    image = np.zeros((20, 24, 16), dtype=np.float32)
    image[4:16, 4:20, 3:13] = np.random.default_rng(0).uniform(50, 100, (12, 16, 10))
    truth = np.zeros(image.shape, dtype=bool)
    truth[6:12, 8:14, 4:10] = True
    found = truth.copy()
    found[6:12, 8:14, 8] = False
    return image, truth, found


@pytest.mark.parametrize("view", [AXIAL, SAGITTAL])
def test_a_plane_shows_both_outlines_where_they_differ(view):
    image, truth, found = scan()
    plane = outlined("t1c", image, (truth, found), SPACING, view)
    assert plane.truth
    assert plane.grey.min() >= 0
    assert plane.grey.max() <= 1
    assert bool(plane.found) is (view is SAGITTAL), "in the axial plane with most errors nothing was found"


def test_a_plane_without_errors_goes_through_the_lesion():
    image, truth, _ = scan()
    plane = outlined("t1c", image, (truth, truth), SPACING)
    assert plane.truth
    assert plane.found


def test_ten_cases_make_a_picture_of_less_than_400_kb(tmp_path):
    image, truth, found = scan()
    planes = tuple(outlined(name, image, (truth, found), SPACING) for name in ("t1c", "t2f"))
    draw_worst(tmp_path / "worst.png", [BadCase(f"sub-{k}: WT 0.5", planes) for k in range(10)], "The worst")
    assert 5_000 < (tmp_path / "worst.png").stat().st_size < 400_000
    draw_worst(tmp_path / "none.png", [], "The worst")
    assert not (tmp_path / "none.png").exists()
