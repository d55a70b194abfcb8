"""Pictures of calibration are small, the same each time, and show what differs."""

import numpy as np
import pytest
from PIL import Image

from gliaflow.uncertainty.plots import draw_counts, draw_reliability


def counts(sharpness):
    """Voxels at every level, inside with a probability that the level overstates."""
    probability = (np.arange(256) + 0.5) / 256
    odds = (probability / (1 - probability)) ** (1 / sharpness)
    voxels = 1000 / (0.02 + probability * (1 - probability))
    inside = voxels * odds / (1 + odds)
    return np.rint(np.stack([voxels - inside, inside], axis=1)).astype(int)


BEFORE = {region: counts(sharpness) for region, sharpness in (("WT", 1.5), ("TC", 2.0), ("ET", 3.0))}
AFTER = {region: counts(1.0) for region in BEFORE}
PICTURES = {
    "one": lambda path: draw_reliability(path, BEFORE),
    "both": lambda path: draw_reliability(path, BEFORE, AFTER),
    "same": lambda path: draw_reliability(path, BEFORE, BEFORE),
    "counts": lambda path: draw_counts(path, BEFORE),
    "other counts": lambda path: draw_counts(path, AFTER),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, draw in PICTURES.items():
        draw(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("name", ["both", "counts"])
def test_a_picture_is_small_and_the_same_each_time(name, drawn, tmp_path):
    PICTURES[name](tmp_path / "again.png")
    first, again = (drawn / f"{name}.png").read_bytes(), (tmp_path / "again.png").read_bytes()
    assert first == again
    assert len(first) < 60_000
    assert len(Image.open(tmp_path / "again.png").getcolors()) > 10


def test_other_numbers_give_another_picture(drawn):
    assert len({path.read_bytes() for path in drawn.glob("*.png")}) == len(PICTURES)


def test_a_region_without_a_voxel_has_an_empty_panel(tmp_path):
    empty = {"WT": BEFORE["WT"], "ET": np.zeros((256, 2), dtype=int)}
    draw_reliability(tmp_path / "reliability.png", empty, empty)
    draw_counts(tmp_path / "counts.png", empty)
    assert (tmp_path / "reliability.png").stat().st_size > 2_000
