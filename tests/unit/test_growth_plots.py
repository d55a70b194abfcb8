"""Pictures of growth predictions are small, the same each time, and show what differs.

Golden values: none; what a picture says was looked at. The numbers in it are those of the tables, which
test_growth_ranking, test_growth_plans and test_growth_experiment test.
"""

import numpy as np
import pytest
from PIL import Image

from gliaflow.errors import ConfigError
from gliaflow.growth.experiment import SCHEMES, SETTINGS
from gliaflow.growth.plots import draw_coverage, draw_experiment, draw_precision_recall
from gliaflow.growth.ranking import precision_recall


def experiment_rows(relation, patients=9, schemes=SCHEMES):
    random = np.random.default_rng(0)
    return [
        {"subject": f"{patient:02}", "scheme": scheme, "setting": setting, "fit": fit}
        | {"prediction": 0.4 + 0.02 * patient + relation * fit + random.normal(0, 0.03)}
        for patient in range(patients)
        for scheme in schemes
        for setting, fit in zip(SETTINGS, random.uniform(0.5, 0.9, len(SETTINGS)), strict=True)
    ]


def curve(noise):
    place = np.indices((24, 24, 24)) - 12.0
    distance = np.sqrt((place**2).sum(axis=0))
    times = distance + noise * np.random.default_rng(1).normal(size=distance.shape)
    return precision_recall(np.where(times < 11, times, np.inf), distance < 7, distance < 12)


def coverage_rows(gain, kinds=("enhancing", "any")):
    shares = np.random.default_rng(2).beta(3, 1, (len(kinds), 12))
    return [
        {"cohort": "one", "subject": f"{number:02}", "session": "2", "plan": plan, "recurrence": kind}
        | {"coverage": None if number == 5 else min(1.0, share + more)}
        for kind, of_kind in zip(kinds, shares, strict=True)
        for number, share in enumerate(of_kind)
        for plan, more in (("standard", 0.0), ("model", gain * (number % 4 - 1)))
    ]


PICTURES = {
    "experiment": lambda path: draw_experiment(path, experiment_rows(0.3)),
    "no relation": lambda path: draw_experiment(path, experiment_rows(0.0)),
    "one scheme": lambda path: draw_experiment(path, experiment_rows(0.3, 1, SCHEMES[:1])),
    "curve": lambda path: draw_precision_recall(path, {"diffusion": curve(2.0)}),
    "curves": lambda path: draw_precision_recall(path, {"diffusion": curve(2.0), "eikonal": curve(4.0)}),
    "coverage": lambda path: draw_coverage(path, coverage_rows(0.05), "model"),
    "no gain": lambda path: draw_coverage(path, coverage_rows(0.0), "model"),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, draw in PICTURES.items():
        draw(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("name", ["experiment", "curves", "coverage"])
def test_a_picture_is_small_and_the_same_each_time(name, drawn, tmp_path):
    PICTURES[name](tmp_path / "again.png")
    first, again = (drawn / f"{name}.png").read_bytes(), (tmp_path / "again.png").read_bytes()
    assert first == again
    assert len(first) < 60_000
    assert len(Image.open(tmp_path / "again.png").getcolors()) > 10


def test_other_numbers_give_another_picture(drawn):
    assert len({path.read_bytes() for path in drawn.glob("*.png")}) == len(PICTURES)


def test_what_does_not_exist_leaves_a_picture(tmp_path):
    """Settings without scores, a cohort without a recurrence, a reference that fills the region, or none."""
    empty = [row | {"prediction": None} for row in experiment_rows(0.3, 2)]
    draw_experiment(tmp_path / "experiment.png", empty)
    draw_coverage(tmp_path / "coverage.png", [r | {"coverage": None} for r in coverage_rows(0.1)], "model")
    everywhere = np.ones((2, 2, 2), dtype=bool)
    draw_precision_recall(
        tmp_path / "curve.png", {"all": precision_recall(np.zeros((2, 2, 2)), everywhere, everywhere)}
    )
    draw_precision_recall(tmp_path / "none.png", {})
    assert all(path.stat().st_size > 2_000 for path in tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda path: draw_experiment(path, []), "0 settings: draw 1 to 10"),
        (
            lambda path: draw_precision_recall(path, {f"{k}": curve(1.0) for k in range(5)}),
            "5 curves: draw 4 at most",
        ),
        (lambda path: draw_coverage(path, coverage_rows(0.1), "other"), "plan 'other': has no coverage"),
        (lambda path: draw_coverage(path, coverage_rows(0.1), "model", "other"), "there is no plan 'other'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        draw(tmp_path / "picture.png")
