"""Longitudinal cohorts: what is on disk, and what the truth beside it promises.

Golden values: label maps against the borders of the densities written beside them; where a point lies in the
first session against the formula of `Displacement`, reckoned by hand; days between scans against Fisher's
speed.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from gliaflow.checks import check_image
from gliaflow.config.participants import read_participants
from gliaflow.config.samples import read_samples
from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError
from gliaflow.growth.solver import simulate
from gliaflow.growth.start import Seed
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array, data_of, read_image, spacing_of
from gliaflow.labels import SEQUENCES, region_mask
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.simulate import longitudinal
from gliaflow.simulate.course import (
    PLACES,
    SESSIONS,
    Course,
    Stage,
    draw_course,
    grow_course,
    healthy_tissue,
)
from gliaflow.simulate.displacement import Displacement, moved, moved_labels
from gliaflow.simulate.fields import named_rng, smooth_noise
from gliaflow.simulate.ground import Ground
from gliaflow.simulate.heads import Head
from gliaflow.simulate.longitudinal import LongitudinalPlan, main, write_cohort

PLAN = LongitudinalPlan(subjects=1, severity=0.0, anatomy="mni152", seed=3)
QUICK = Course("white", 6.0, 2.5, 4.0, 0.02, 1.0, 20, 9.0)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """One subject, with a small tumour that grows fast."""
    folder = tmp_path_factory.mktemp("longitudinal") / "cohort"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(longitudinal, "draw_course", lambda _: QUICK)
        write_cohort(folder, PLAN)
    return folder


def truth_of(cohort: Path) -> dict:
    return json.loads((cohort / "sub-001" / "truth" / "truth.json").read_text())


def image_in(cohort: Path, session: str, name: str) -> Array:
    return data_of(read_image(cohort / "sub-001" / f"ses-{session}" / f"{name}.nii.gz"))


def labels_in(cohort: Path, session: str, name: str = "label") -> Array:
    return image_in(cohort, session, name).astype(np.uint8)


def tissue_in(cohort: Path) -> Tissue:
    folder = cohort / "sub-001" / "truth"
    images = {name: read_image(folder / f"{name}.nii.gz") for name in ("white", "grey", "csf")}
    shares = {name: data_of(image) for name, image in images.items()}
    brain = sum(shares.values()) > 0.5
    return Tissue(**shares, brain=brain, spacing=spacing_of(images["white"]))


def test_the_workflow_reads_the_sheet_and_the_participants(cohort):
    sessions = read_samples([cohort / "samples.tsv"], complete_config({}))
    assert [session.session for session in sessions] == list(SESSIONS)
    truth = truth_of(cohort)
    for session in sessions:
        assert (session.stripped, session.registered) == (True, "atlas")
        assert set(session.sources) == set(SEQUENCES)
        assert session.label.exists()
        assert session.days == truth["sessions"][session.session]["days"]
    days = [session.days for session in sessions]
    assert days[0] == 0 < days[1] < days[2]
    (person,) = read_participants(cohort / "participants.tsv", sessions)
    assert person.resection in {"GTR", "STR"}


def test_every_image_lies_on_the_atlas_s_grid(cohort):
    atlas, _ = load_atlas(None, 2)
    images = sorted(cohort.rglob("*.nii.gz"))
    assert len(images) == 3 * (5 + 2) + 3
    for path in images:
        check_image(read_image(path), path, like=atlas)


def test_label_maps_follow_the_borders_of_the_density(cohort):
    """Necrosis, enhancement and oedema by the densities of truth.json, and a cavity only after surgery."""
    borders = truth_of(cohort)["density_borders"]
    for session in SESSIONS:
        density = image_in(cohort, session, "truth/density")
        labels = labels_in(cohort, session, "truth/label_first")
        expected = np.zeros(labels.shape, dtype=np.uint8)
        expected[density >= borders["oedema"]] = 2
        expected[density >= borders["core"]] = 3
        expected[density >= borders["necrosis"]] = 1
        np.testing.assert_array_equal(labels[labels != 4], expected[labels != 4])
        assert (labels == 4).any() == (session != "preop")
        assert not density[labels == 4].any()


def test_the_first_session_is_grown_from_the_seed_with_the_known_parameters(cohort):
    truth, tissue = truth_of(cohort), tissue_in(cohort)
    image = read_image(cohort / "sub-001" / "truth" / "white.nii.gz")
    seed = Seed(tuple(np.subtract(truth["seed_mm"], image.affine[:3, 3]).tolist()))
    days = truth["sessions"]["preop"]["onset_days"]
    grown = simulate(tissue, seed, Course(**truth["course"]).parameters, days=days)
    np.testing.assert_allclose(grown.density, image_in(cohort, "preop", "truth/density"), atol=0.02)


def test_surgery_takes_the_core_and_the_tumour_comes_back_around_the_cavity(cohort):
    first, second, third = (labels_in(cohort, session, "truth/label_first") for session in SESSIONS)
    core = region_mask(first, "TC")
    assert (second[core] == 4).mean() > 0.8
    np.testing.assert_array_equal(second == 4, third == 4)
    assert region_mask(third, "TC").sum() > 1.2 * region_mask(second, "TC").sum()
    assert region_mask(third, "TC").sum() * 0.008 >= 1.0
    assert ndimage.binary_dilation(third == 4, iterations=2)[region_mask(third, "TC")].any()


def test_the_table_tells_the_truth(cohort):
    table = pd.read_csv(cohort / "truth.tsv", sep="\t", dtype={"subject": str})
    assert list(table.columns) == list(json.loads((cohort / "truth.json").read_text()))
    (row,) = table.to_dict("records")
    truth = truth_of(cohort)
    assert [row[f"seed_{axis}_mm"] for axis in "xyz"] == pytest.approx(truth["seed_mm"])
    assert row["kappa_white_mm2_per_day"] == pytest.approx(2.5**2 * 0.02)
    assert row["kappa_grey_mm2_per_day"] == pytest.approx(2.5**2 * 0.02 / 4)
    assert (row["rho_per_day"], row["postop_days"]) == (0.02, 20)
    assert row["recurrence_days"] == truth["sessions"]["recurrence"]["days"]
    cavity = labels_in(cohort, "recurrence", "truth/label_first") == 4
    assert row["cavity_ml"] == pytest.approx(cavity.sum() * 0.008)


def test_a_later_session_lies_where_its_displacement_says(cohort):
    """The label map, moved back by the displacement of truth.json, is that of the first session."""
    affine = read_image(cohort / "sub-001" / "ses-preop" / "label.nii.gz").affine
    np.testing.assert_array_equal(labels_in(cohort, "preop"), labels_in(cohort, "preop", "truth/label_first"))
    for session in SESSIONS[1:]:
        known = truth_of(cohort)["sessions"][session]
        names = ("to_first", "centre_mm", "radius_mm", "sunk_mm")
        displacement = Displacement(**{name: known[name] for name in names})
        labels, first = labels_in(cohort, session), labels_in(cohort, session, "truth/label_first")
        points = np.argwhere(ndimage.binary_erosion(labels == 4)).T
        world = affine[:3, :3] @ points + affine[:3, 3:]
        back = np.linalg.inv(affine[:3, :3]) @ (displacement.points(world) - affine[:3, 3:])
        # a voxel's centre may come to lie just beyond the border
        assert (first[tuple(np.rint(back).astype(int))] == 4).mean() > 0.97
        assert 0.3 < np.abs(displacement.points(world) - world).max() < 8
        assert (labels == 4).sum() < (first == 4).sum()


def test_scans_show_the_cavity_as_fluid_and_are_0_outside_the_brain(cohort):
    labels = labels_in(cohort, "recurrence")
    scans = {sequence: image_in(cohort, "recurrence", sequence) for sequence in SEQUENCES}
    inside = ndimage.binary_erosion(labels == 4)
    healthy = (labels == 0) & (scans["t1n"] > 0)
    assert np.median(scans["t2w"][inside]) > 1.3 * np.median(scans["t2w"][healthy])
    assert np.median(scans["t1n"][inside]) < np.median(scans["t1n"][healthy])
    brains = [scan > 0 for scan in scans.values()]
    for brain in brains:
        np.testing.assert_array_equal(brain, brains[0])
    assert 0.05 < brains[0].mean() < 0.5


def test_points_are_displaced_as_reckoned_by_hand():
    """At the border of a cavity of 10 mm tissue sank by 2 mm; farther out by 2 exp(-1), 18 mm away."""
    shift = ((1.0, 0, 0, 5.0), (0, 1.0, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1.0))
    displacement = Displacement(to_first=shift, centre_mm=(5.0, 0.0, 0.0), radius_mm=10.0, sunk_mm=2.0)
    points = displacement.points(np.array([[10.0, 28.0, 0.0], [0, 0, 5.0], [0, 0, 0]]))
    expected = [[17.0, 33 + 2 * np.exp(-1), 5.0], [0, 0, 6.0], [0, 0, 0]]
    np.testing.assert_allclose(points, expected)


def test_a_shift_by_whole_voxels_moves_values_and_labels_exactly():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    shift = ((1.0, 0, 0, 2.0), (0, 1.0, 0, 0), (0, 0, 1.0, -4.0), (0, 0, 0, 1.0))
    voxels = Displacement(to_first=shift).voxels(affine, (6, 5, 7))
    labels = np.random.default_rng(1).integers(0, 5, (6, 5, 7)).astype(np.uint8)
    expected = np.zeros_like(labels)
    expected[:-1, :, 2:] = labels[1:, :, :-2]
    np.testing.assert_array_equal(moved_labels(labels, voxels), expected)
    np.testing.assert_allclose(moved(labels, voxels, 1), expected, atol=1e-5)


def test_what_is_drawn_stays_in_its_ranges_and_tells_the_days():
    for number in range(40):
        course = draw_course(named_rng(number, "course"))
        parameters = course.parameters
        assert course.place in PLACES
        assert 6 <= course.core_ml <= 50
        assert np.sqrt(parameters.kappa_white / parameters.rho) == pytest.approx(course.width_mm)
        assert parameters.kappa_white / parameters.kappa_grey == pytest.approx(course.ratio)
        speed = 2 * np.sqrt(parameters.kappa_white * parameters.rho)
        assert course.later_days * speed == pytest.approx(course.reach_mm, abs=speed)


def small_ground() -> Ground:
    """A ball of white matter with fluid in its middle, 3 mm voxels."""
    shape, affine = (24, 24, 24), np.diag([3.0, 3.0, 3.0, 1.0])
    distance = np.linalg.norm(np.indices(shape) - 11.5, axis=0)
    brain, fluid = distance < 11, distance < 2
    white = (brain & ~fluid).astype(np.float32)
    csf = fluid.astype(np.float32)
    head = Head(affine, white, brain, np.ones(shape, np.uint8), np.zeros(shape, np.float32))
    noise = {"outline": smooth_noise(shape, (3.0,) * 3, 9.0, named_rng(1, "noise"))}
    return Ground(head, csf, 0 * white, white, (11 - distance) * 3, fluid, noise)


def test_nothing_grows_into_the_cavity_and_no_recurrence_is_too_small_to_show():
    ground = small_ground()
    slow = replace(QUICK, core_ml=4.0, reach_mm=0.5, margin_mm=3.0)
    first, second, third = grow_course(ground, slow, Seed((18.0, 33.0, 33.0)))
    assert (first.density > 0.6).sum() * 0.027 == pytest.approx(4.0, abs=0.3)
    assert not third.density[third.cavity].any()
    assert (third.density > 0.6).sum() * 0.027 >= 1.0
    assert (third.days - second.days) % slow.later_days == 0
    assert third.onset_days - first.onset_days == third.days
    left = healthy_tissue(ground).resected(third.cavity)
    assert not (left.domain & third.cavity).any()
    np.testing.assert_allclose((left.white + left.grey + left.csf)[ground.head.brain], 1)


def test_a_plan_that_cannot_be_is_told_what_to_write(tmp_path, capsys):
    for wrong in (
        {"subjects": 0},
        {"resolution_mm": 3},
        {"severity": 3.0},
        {"anatomy": "mine"},
        {"seed": -1},
    ):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))}: .* does not fit; write"):
            replace(PLAN, **wrong)
    assert main([str(tmp_path / "c"), "--subjects", "0"]) == 1
    assert capsys.readouterr().err == "subjects: 0 does not fit; write a number from 1\n"
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds something else than this cohort"):
        write_cohort(tmp_path, PLAN)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_subject_depends_on_its_name_and_the_seed_alone(cohort, tmp_path, monkeypatch):
    """In a larger cohort the same subject has the same seed, and its first session the same bytes."""
    monkeypatch.setattr(longitudinal, "draw_course", lambda _: QUICK)
    plan = replace(PLAN, subjects=7, sites=3)
    subject, truth = longitudinal.make_subject(plan, 1), truth_of(cohort)
    assert longitudinal.world_of(subject) == pytest.approx(truth["seed_mm"])
    onset = truth["sessions"]["preop"]["onset_days"]
    density = image_in(cohort, "preop", "truth/density")
    stage = Stage("preop", 0, onset, density, np.zeros(density.shape, dtype=bool))
    longitudinal.write_session(tmp_path, plan, subject, stage, Displacement())
    for path in sorted(tmp_path.rglob("*.nii.gz")):
        assert path.read_bytes() == (cohort / path.relative_to(tmp_path)).read_bytes()
