"""From tissue and label map to what a model foretells, and fit.json read back."""

import json
from pathlib import Path

import numpy as np
import pytest

from gliaflow.errors import ImageError
from gliaflow.growth.fits import (
    MODELS,
    FitSettings,
    FittedGrowth,
    days_ahead,
    foretell,
    judged_predictions,
    notes_of,
    read_fit,
    regions_of,
)
from gliaflow.growth.judge import FollowedCourse
from gliaflow.growth.names import OWN_MODELS
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.tissue import Tissue

SHAPE, CENTRE, EDGE = (20, 18, 18), (9.0, 9.0, 8.0), 3.0
DISTANCE = EDGE * np.linalg.norm(np.indices(SHAPE) - np.reshape(CENTRE, (3, 1, 1, 1)), axis=0)
LABELS = np.select([DISTANCE < 8, DISTANCE < 14], [3, 2], 0).astype(np.uint8)
QUICK = {"restarts": 2, "evaluations": 20, "ensemble": 2, "reach_mm": 8.0}


def brain() -> Tissue:
    ones, zeros = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    return Tissue(ones, zeros, zeros, np.ones(SHAPE, bool), (EDGE, EDGE, EDGE))


def foretold(folder: Path, model: str = "reaction_diffusion"):
    settings = FitSettings(model=model, **QUICK)
    found = foretell(brain(), LABELS, np.diag([EDGE] * 3 + [1]), settings, seed=1, log=folder / "log")
    (folder / "fit.json").write_text(json.dumps(found.record, allow_nan=False))
    return found, read_fit(folder / "fit.json")


def test_the_config_knows_every_model():
    assert tuple(MODELS) == OWN_MODELS


@pytest.mark.parametrize("model", MODELS)
def test_a_ball_was_begun_in_its_middle_and_grows_outwards(model, tmp_path):
    found, fitted = foretold(tmp_path, model)
    assert np.linalg.norm(np.array(fitted.seed.position) - EDGE * np.array(CENTRE)) < 2
    assert (found.times.low <= found.times.high).all()
    near, far = found.times.median[DISTANCE < 8].max(), found.times.median[DISTANCE > 16].min()
    assert near < far
    assert fitted.model == model
    assert (found.density is not None) is (model == "reaction_diffusion")
    if found.density is not None:
        assert found.density[DISTANCE < 5].min() > 0.6
        assert found.density[DISTANCE > 20].max() < 0.25


def test_what_one_scan_does_not_tell_is_said(tmp_path):
    _, fitted = foretold(tmp_path)
    lines = notes_of(fitted)
    assert lines[0].startswith("Dice of the fit: ")
    assert "rho" in lines[-1].split(": ")[1].split(", ")


def test_a_model_without_seed_has_no_forward_map():
    course = FollowedCourse(brain(), LABELS, LABELS, LABELS)
    fitted = FittedGrowth("mine", None, None, {})
    assert list(judged_predictions(course, np.zeros(SHAPE, np.float32), fitted)) == ["bidirectional"]
    assert notes_of(fitted) == []


def test_a_label_map_without_tumour_is_refused():
    assert set(regions_of(LABELS)) == {"TC", "WT"}
    with pytest.raises(ImageError, match="no tumour; look at the segmentation"):
        regions_of(np.full(SHAPE, 4, np.uint8))


def test_the_days_ahead_are_those_of_fishers_front():
    """2 sqrt(0.09 x 0.01) = 0.06 mm/day."""
    assert days_ahead(Parameters(0.09, 0.01, 0.01), 60) == pytest.approx(1000)
