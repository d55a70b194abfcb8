"""A generated longitudinal cohort, from scans to growth, plans, follow-ups and the experiment of S8."""

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from workflow import Run, run

from gliaflow.evaluate.overlap import dice
from gliaflow.growth.space import carry_image
from gliaflow.images import data_of, new_image, read_image
from gliaflow.simulate.longitudinal import LongitudinalPlan, write_cohort

pytestmark = pytest.mark.slow
SUBJECTS = ("001", "002")
PLAN = LongitudinalPlan(subjects=2, seed=5, severity=0.2, resolution_mm=2, cohort="grown")
SETTINGS = {
    "slow": {"kappa_white": 0.01, "kappa_grey": 0.01},
    "contrast5": {"kappa_white": 0.1, "kappa_grey": 0.02},
    "uniform": {"kappa_white": 0.1, "kappa_grey": 0.1},
}
GROWTH = {
    **{"resolution_mm": 2, "restarts": 2, "evaluations": 40, "ensemble": 3, "reach_mm": 20},
    **{"settings": SETTINGS, "margins_mm": [15, 20]},
}
CONFIG = {
    "atlas": {"resolution": 2},
    "preprocess": {"n4": "off"},
    "growth": GROWTH,
    "evaluate": {"resamples": 200},
}
COPY_OF_TUMOUR = """
import sys, pathlib, nibabel
tumour = nibabel.load(next(pathlib.Path(sys.argv[1]).glob("*-tumorseg.nii.gz")))
density = nibabel.Nifti1Image((tumour.get_fdata() > 0) * 0.8, tumour.affine)
nibabel.save(density, sys.argv[2] + "/density.nii.gz")
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """Both targets on the cohort, and its sheet."""
    folder = tmp_path_factory.mktemp("growth")
    sheet = write_cohort(folder / "cohort", PLAN, jobs=2)
    return run(folder / "out", sheet, "growth", "growth_experiment", config=CONFIG), sheet


def growth_file(done: Run, subject: str, session: str, name: str) -> Path:
    folder = done.directory / "results" / "grown" / f"sub-{subject}" / f"ses-{session}" / "growth"
    return folder / f"sub-{subject}_ses-{session}_{name}"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def truth_of(sheet: Path, subject: str) -> dict:
    return json.loads((sheet.parent / f"sub-{subject}" / "truth" / "truth.json").read_text())


def test_every_step_ends(grown):
    done, _ = grown
    assert done.status == 0, done.output[-3000:]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_tissue_is_that_of_the_brain(grown, subject):
    done, sheet = grown
    for name, label in (("white", "WM"), ("grey", "GM")):
        true = read_image(sheet.parent / f"sub-{subject}" / "truth" / f"{name}.nii.gz")
        found = read_image(growth_file(done, subject, "preop", f"space-growth_label-{label}_probseg.nii.gz"))
        assert dice(data_of(found) > 0.5, data_of(carry_image(true, found)) > 0.5) > 0.6


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_seed_is_near_where_the_tumour_began(grown, subject):
    done, sheet = grown
    fit = json.loads(growth_file(done, subject, "preop", "fit.json").read_text())
    grid = read_image(growth_file(done, subject, "preop", "space-growth_dseg.nii.gz"))
    found = grid.affine[:3, 3] + np.array(fit["fit"]["best"]["position"])
    away = math.dist(found, truth_of(sheet, subject)["seed_mm"])
    print(f"{subject}: seed {away:.1f} mm off, Dice {fit['fit']['residual']}")
    # tissue is estimated from the scan, voxels have 2 mm, and the searches are short
    assert away < 8
    assert all(0 <= value < 0.35 for value in fit["fit"]["residual"].values())
    assert not fit["fit"]["identifiable"]["rho"]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_plans_have_one_volume_and_lie_in_the_brain(grown, subject):
    done, _ = grown
    names = ("brain", "margin15", "margin20", "model")
    paths = [growth_file(done, subject, "preop", f"space-growth_desc-{name}_mask.nii.gz") for name in names]
    brain, standard, wider, model = (data_of(read_image(path)) > 0 for path in paths)
    assert standard.sum() == model.sum() < wider.sum()
    assert all((plan & ~brain).sum() == 0 for plan in (standard, wider, model))


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("session", ["postop", "recurrence"])
def test_follow_ups_lie_on_the_first_session(grown, subject, session):
    done, sheet = grown
    true = read_image(sheet.parent / f"sub-{subject}" / f"ses-{session}" / "truth" / "label_first.nii.gz")
    found = read_image(growth_file(done, subject, session, "space-baseline_dseg.nii.gz"))
    lesion = carry_image(new_image(data_of(true) > 0, true.affine), found)
    assert dice(data_of(found) > 0, data_of(lesion) > 0.5) > 0.7
    assert (done.directory / "results/grown" / f"sub-{subject}/ses-{session}/qc").is_dir()


def test_the_predictions_are_better_than_chance_and_scored_by_both_schemes(grown):
    done, _ = grown
    rows = rows_of(done.directory / "results/grown/growth_ranking.tsv")
    assert {row["scheme"] for row in rows} == {"bidirectional", "forward"}
    assert {(row["subject"], row["session"]) for row in rows} == {
        (subject, session) for subject in SUBJECTS for session in ("postop", "recurrence")
    }
    for row in rows:
        curves = growth_file(done, row["subject"], row["session"], "precision.png")
        assert curves.stat().st_size > 1000
        if row["average_precision"] and row["session"] == "recurrence":
            assert float(row["average_precision"]) > 2 * float(row["prevalence"])


def test_plans_are_compared_over_the_cohort(grown):
    done, _ = grown
    rows = rows_of(done.directory / "results/grown/growth_summary.tsv")
    assert {row["plan"] for row in rows} == {"margin15", "margin20", "model"}
    assert {row["recurrence"] for row in rows} == {"enhancing", "any"}
    for row in rows:
        assert int(row["sessions"]) == 4
        assert int(row["n"]) + int(row["without_recurrence"]) == 4
    assert (done.directory / "results/grown/growth_coverage.png").stat().st_size > 1000


def test_the_experiment_has_every_setting_and_both_schemes(grown):
    done, _ = grown
    folder = done.directory / "results/grown"
    rows = rows_of(folder / "growth_settings.tsv")
    assert len(rows) == len(SUBJECTS) * len(SETTINGS) * 2
    assert all(0 < float(row["fit"]) <= 1 for row in rows)
    table = rows_of(folder / "growth_experiment.tsv")
    assert [row["scheme"] for row in table] == ["bidirectional", "forward"]
    assert all(int(row["patients"]) == len(SUBJECTS) for row in table)
    assert (folder / "growth_experiment.png").stat().st_size > 1000


def test_a_finished_cohort_has_nothing_left_to_do(grown):
    done, sheet = grown
    again = run(done.directory, sheet, "growth", "growth_experiment", "-n", config=CONFIG)
    assert "Nothing to be done" in again.output, again.output[-2000:]


def test_a_model_from_elsewhere_is_judged_like_the_own(grown, tmp_path):
    done, sheet = grown
    script = tmp_path / "model.py"
    script.write_text(COPY_OF_TUMOUR)
    external = [{"name": "mine", "command": [sys.executable, str(script), "{input}", "{output}"]}]
    config = CONFIG | {"growth": GROWTH | {"model": "mine", "external": external}}
    other = run(done.directory, sheet, "growth", config=config)
    assert other.status == 0, other.output[-3000:]
    assert json.loads(growth_file(done, "001", "preop", "fit.json").read_text())["model"] == "mine"
    rows = rows_of(done.directory / "results/grown/growth_ranking.tsv")
    assert {row["scheme"] for row in rows} == {"bidirectional"}
