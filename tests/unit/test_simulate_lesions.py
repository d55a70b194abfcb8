"""Drawn cases, lesions grown from them, and what they do to the brain and to scans of it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from gliaflow.errors import ConfigError
from gliaflow.images import Array, new_image
from gliaflow.labels import SEQUENCES, label_table, region_mask
from gliaflow.simulate.appearance import RATIOS, Scene, apart, draw_look, render_scan
from gliaflow.simulate.cases import (
    ENHANCING,
    KINDS,
    LABEL_OF,
    LARGEST_CORE_ML,
    NON_ENHANCING,
    Case,
    Focus,
    Tissue,
    draw_case,
    grow_case,
)
from gliaflow.simulate.cohort_files import in_convention, make_stripped_head, take_scan
from gliaflow.simulate.distractors import make_distractors
from gliaflow.simulate.fields import named_rng
from gliaflow.simulate.ground import Ground, make_ground, widen_ventricles
from gliaflow.simulate.lesions import PLACES, arrival, choose_centre, earliest, grow_lesions
from gliaflow.simulate.mass_effect import push_away, radial_profile
from gliaflow.simulate.stripping import strip
from gliaflow.simulate.tumours import region_volumes_ml

EDGE_MM = 3.0
SITE = {sequence: dict.fromkeys(RATIOS, 1.0) for sequence in SEQUENCES}
BALL = Focus("white", 15.0, 20.0, rim_mm=4.0, roughness=0.2)


@pytest.fixture(scope="module")
def ground() -> Ground:
    affine = np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1.0])
    affine[:3, 3] = (-84, -117, -72)
    grid = new_image(np.zeros((57, 68, 56)), affine)
    return make_ground(make_stripped_head(grid, named_rng(3, "head")), named_rng(3, "ground"))


def volume_ml(mask: Array) -> float:
    return float(mask.sum()) * EDGE_MM**3 / 1000


def test_every_tissue_has_a_label_of_the_table():
    assert len(LABEL_OF) == len(Tissue)
    assert set(LABEL_OF.tolist()) == {0, *(label.value for label in label_table())}
    for label in label_table():
        assert LABEL_OF[Tissue[label.name.split()[-1].upper().replace("CORE", "NECROSIS")]] == label.value


@given(seed=st.integers(0, 2**32 - 1), enhancing=st.booleans())
@settings(max_examples=100)
def test_a_case_is_of_its_kind_and_within_bounds(seed, enhancing):
    case = draw_case(named_rng(seed), enhancing=enhancing)
    assert case.kind in (ENHANCING if enhancing else NON_ENHANCING)
    assert 1 <= len(case.foci) <= 8
    for focus in case.foci:
        assert focus.place in PLACES
        assert 0 < focus.core_ml <= LARGEST_CORE_ML
        assert focus.oedema_ml > 0
        shows = (focus.rim_mm > 0 and focus.gaps < 1) or focus.nodules > 0
        assert shows == enhancing
        assert case.push_mm <= max(0.5 * f.radius_mm for f in case.foci)
    assert draw_case(named_rng(seed), enhancing=enhancing) == case


def test_every_kind_is_drawn_and_sizes_spread_widely():
    rng = named_rng(1)
    cases = [draw_case(rng, enhancing=bool(k % 2)) for k in range(600)]
    assert set(Counter(case.kind for case in cases)) == set(KINDS)
    whole = [sum(f.core_ml + f.oedema_ml for f in case.foci) for case in cases]
    assert 35 < np.median(whole) < 80
    assert min(whole) < 1
    assert np.quantile(whole, 0.05) < 12
    assert np.quantile(whole, 0.97) > 150


def test_the_healthy_have_no_lesion_but_may_have_hyperintensities():
    cases = [draw_case(named_rng(k), healthy=True) for k in range(30)]
    assert {(case.kind, case.foci, case.push_mm) for case in cases} == {("healthy", (), 0.0)}
    assert 5 < sum(case.hyperintensities > 0 for case in cases) < 30


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_growth_enlarges_every_focus_and_nothing_else(seed):
    case = draw_case(named_rng(seed))
    grown = grow_case(case, named_rng(seed, "growth"))
    assert replace(grown, foci=case.foci) == case
    for before, after in zip(case.foci, grown.foci, strict=True):
        assert after.core_ml >= 1.15 * before.core_ml
        assert replace(after, core_ml=before.core_ml, oedema_ml=before.oedema_ml) == before


def test_a_lesion_has_the_volumes_that_were_planned(ground):
    _, lesions = grow_lesions(ground, Case("glioblastoma", (BALL,)), named_rng(1))
    assert volume_ml(region_mask(lesions.labels, "TC")) == pytest.approx(15, rel=0.05)
    assert volume_ml(region_mask(lesions.labels, "WT")) == pytest.approx(35, rel=0.05)
    affine = np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1])
    assert region_volumes_ml(lesions.labels, affine)["TC"] == pytest.approx(15, rel=0.05)


def test_a_larger_lesion_is_the_same_one_grown(ground):
    maps = [
        grow_lesions(ground, Case("", (replace(BALL, core_ml=ml, oedema_ml=ml),)), named_rng(2))[1].labels
        for ml in (8.0, 16.0)
    ]
    small, large = (region_mask(labels, "TC") for labels in maps)
    assert large[small].mean() > 0.97


@pytest.mark.parametrize("place", [*PLACES])
def test_a_focus_starts_where_it_was_to_in_tissue(ground, place):
    for seed in range(5):
        centre = choose_centre(ground, place, named_rng(seed))
        voxel = tuple(np.rint((centre - ground.head.affine[:3, 3]) / EDGE_MM).astype(int))
        assert ground.head.brain[voxel]
        assert PLACES[place](ground)[voxel]


def test_a_brain_without_tissue_is_told_of(ground):
    hollow = replace(ground, white=0 * ground.white, grey=0 * ground.grey, csf=1 + 0 * ground.csf)
    with pytest.raises(ConfigError, match="no tissue for a tumour"):
        choose_centre(hollow, "white", named_rng(1))


def test_lesions_lie_in_the_brain_and_oedema_in_tissue_along_white_matter(ground):
    _, lesions = grow_lesions(ground, Case("", (replace(BALL, oedema_ml=60.0),)), named_rng(4))
    oedema = lesions.labels == 2
    assert ground.head.brain[lesions.labels > 0].all()
    assert not ground.ventricles[lesions.labels > 0].any()
    assert ground.csf[oedema].max() < 0.5
    ring = ndimage.binary_dilation(oedema, iterations=3) & (lesions.labels == 0) & (ground.csf < 0.5)
    assert ground.white[oedema].mean() > ground.white[ring].mean() + 0.15


def test_the_margin_of_oedema_runs_from_core_to_rim(ground):
    _, lesions = grow_lesions(ground, Case("", (BALL,)), named_rng(1))
    core, oedema = region_mask(lesions.labels, "TC"), lesions.labels == 2
    assert not lesions.margin[core].any()
    next_to_core = oedema & ndimage.binary_dilation(core)
    assert lesions.margin[next_to_core].mean() < 0.75 * lesions.margin[oedema].mean()
    assert lesions.margin[oedema].max() == 1


@pytest.mark.parametrize(
    ("focus", "values"),
    [
        (BALL, {0, 1, 2, 3}),
        (replace(BALL, rim_mm=0.0, inside=Tissue.SOLID), {0, 1, 2}),
        (replace(BALL, rim_mm=4.0, gaps=1.0, inside=Tissue.CYST), {0, 1, 2}),
        (replace(BALL, rim_mm=50.0), {0, 2, 3}),
        (replace(BALL, inside=Tissue.CAVITY, gaps=0.5), {0, 2, 3, 4}),
        (replace(BALL, rim_mm=0.0, nodules=0.02, inside=Tissue.SOLID), {0, 1, 2, 3}),
        (replace(BALL, core_ml=0.03, oedema_ml=0.03, rim_mm=1.2), {0, 2, 3}),
    ],
    ids=["ring", "without a rim", "mismatch", "solid", "cavity", "patches", "one voxel"],
)
def test_the_labels_are_those_of_the_kind(ground, focus, values):
    _, lesions = grow_lesions(ground, Case("", (focus,)), named_rng(1))
    assert set(np.unique(lesions.labels)) == values


def test_gaps_open_a_ring(ground):
    enhancing = [
        volume_ml(grow_lesions(ground, Case("", (replace(BALL, gaps=gaps),)), named_rng(1))[1].labels == 3)
        for gaps in (0.0, 0.3, 0.6)
    ]
    assert enhancing[0] > 1.15 * enhancing[1] > 1.3 * enhancing[2] > 0


def test_every_focus_is_there(ground):
    places = ("junction", "fossa", "cortex")
    foci = tuple(replace(BALL, place=p, core_ml=1.0, oedema_ml=0.5) for p in places)
    _, lesions = grow_lesions(ground, Case("", foci), named_rng(1))
    assert ndimage.label(region_mask(lesions.labels, "TC"))[1] == 3


def test_arrival_in_one_tissue_is_the_distance():
    start = np.zeros((21, 21, 21), dtype=bool)
    start[10, 10, 10] = True
    time = arrival(np.full(start.shape, 2.0, dtype=np.float32), start, 3.0)
    distance = ndimage.distance_transform_edt(~start, sampling=3.0)
    assert time[10, 10] == pytest.approx(distance[10, 10] / 2)
    assert time == pytest.approx(distance / 2, rel=0.35)
    assert volume_ml(earliest(time, np.ones_like(start), 27.0, EDGE_MM)) == pytest.approx(27.0, rel=0.05)


def test_arrival_goes_round_a_wall():
    speed = np.ones((21, 21, 1), dtype=np.float32)
    speed[10, :15] = 1e-6
    start = np.zeros(speed.shape, dtype=bool)
    start[5, 5] = True
    time = arrival(speed, start, 1.0)
    assert time[15, 5, 0] > 1.8 * 10
    assert time[15, 5, 0] < 30


def test_mass_effect_moves_tissue_away_and_keeps_the_brain(ground):
    centre = choose_centre(ground, "white", named_rng(8))
    pushed = push_away(ground, centre, 18.0, 7.0)
    assert pushed.head.brain is ground.head.brain
    assert not pushed.head.brightness[~ground.head.brain].any()
    far = np.sqrt(((ground.points - centre[:, None, None, None]) ** 2).sum(axis=0)) > 110
    np.testing.assert_allclose(pushed.head.brightness[far], ground.head.brightness[far], atol=0.02)
    assert np.abs(pushed.head.brightness - ground.head.brightness).mean() > 0.001
    assert push_away(ground, centre, 18.0, 0.0) is ground


@given(radius=st.floats(1, 35), push=st.floats(0, 8))
def test_the_push_never_folds(radius, push):
    distance = np.linspace(0, 150, 3000)
    source = distance - min(push, 0.7 * radius) * radial_profile(distance, radius)
    assert (np.diff(source) > 0).all()


def test_ventricles_are_found_and_widened(ground):
    assert 8 < volume_ml(ground.ventricles) < 80
    wide = widen_ventricles(ground, 5.0)
    assert volume_ml(wide.ventricles) > 1.2 * volume_ml(ground.ventricles)
    assert widen_ventricles(ground, 0.0) is ground


def test_distractors_lie_where_they_do_in_patients(ground):
    found = make_distractors(ground, 0.7, named_rng(1))
    for share in (found.hyperintensities, found.vessels, found.plexus, found.dura):
        assert share.dtype == np.float32
        assert 0 <= share.min() < share.max() <= 1
        assert not share[~ground.head.brain].any()
    assert not found.plexus[~ground.ventricles].any()
    assert not found.hyperintensities[ground.white == 0].any()
    assert ground.depth[found.dura > 0].max() < 5
    assert not make_distractors(ground, 0.0, named_rng(1)).hyperintensities.any()
    little = make_distractors(ground, 0.2, named_rng(1)).hyperintensities
    assert found.hyperintensities.sum() > 2 * little.sum()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_realistic_signals_are_ordered_as_radiologists_know_them(seed):
    signals = draw_look(named_rng(seed), SITE).signals
    assert signals["t2f"]["oedema"] > 1.15 * signals["t2f"]["white"]
    assert signals["t2w"]["oedema"] > 1.15 * signals["t2w"]["white"]
    assert signals["t1c"]["enhancing"] > signals["t1n"]["enhancing"]
    assert signals["t2f"]["csf"] < signals["t2f"]["white"]
    assert signals["t2w"]["csf"] > signals["t2w"]["white"]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_random_signals_still_tell_tumour_from_tissue(seed):
    signals = draw_look(named_rng(seed), SITE, randomised=True).signals
    for sequence in ("t2w", "t2f"):
        assert abs(signals[sequence]["oedema"] - signals[sequence]["white"]) >= 0.12
    ratio = signals["t1c"]["white"] / signals["t1n"]["white"]
    assert abs(signals["t1c"]["enhancing"] - ratio * signals["t1n"]["enhancing"]) >= 0.14
    assert min(value for row in signals.values() for value in row.values()) > 0


@given(value=st.floats(0, 3), other=st.floats(0, 3), least=st.floats(0, 1))
def test_values_apart_are_apart_and_not_negative(value, other, least):
    moved = apart(value, other, least)
    assert abs(moved - other) >= least - 1e-9
    assert moved >= 0


def test_random_sessions_differ_more_than_realistic_ones():
    spread = [
        np.std([draw_look(named_rng(k), SITE, randomised=r).signals["t2f"]["grey"] for k in range(60)])
        for r in (False, True)
    ]
    assert spread[1] > 1.3 * spread[0]


def test_a_scan_shows_the_lesion_and_is_black_outside(ground):
    moved, lesions = grow_lesions(ground, Case("", (BALL,), 4.0, 0.3), named_rng(1))
    scene = Scene(moved, lesions, make_distractors(moved, 0.3, named_rng(1)))
    look = replace(draw_look(named_rng(1), SITE), signals=RATIOS_BY_SEQUENCE, fade=0.2, shines_through=0.1)
    scans = {s: render_scan(scene, look, s, named_rng(1, s)) for s in SEQUENCES}
    white = (moved.white > 0.9) & (lesions.labels == 0) & (scene.distractors.hyperintensities == 0)
    for scan in scans.values():
        assert scan.dtype == np.float32
        assert not scan[~ground.head.brain].any()
        assert np.median(scan[white]) == pytest.approx(1, abs=0.1)
    assert np.median(scans["t2f"][lesions.labels == 2]) > 1.4
    assert np.median(scans["t1c"][lesions.labels == 3]) > 1.2
    assert np.median(scans["t1n"][lesions.labels == 3]) < 0.95
    assert np.median(scans["t1c"][lesions.labels == 1]) < 0.8


RATIOS_BY_SEQUENCE = {s: {tissue: row[s] for tissue, row in RATIOS.items()} for s in SEQUENCES}


def test_a_perfect_mask_is_the_brain_and_a_flawed_one_near_it(ground):
    head = ground.head
    np.testing.assert_array_equal(strip(head, 0.0, named_rng(1)).mask, head.brain)
    sizes = []
    for seed in range(12):
        found = strip(head, 2.0, named_rng(seed))
        assert ndimage.label(found.mask)[1] == 1
        np.testing.assert_array_equal(found.rim > 0, found.mask & ~head.brain)
        assert 2 * (found.mask & head.brain).sum() / (found.mask.sum() + head.brain.sum()) > 0.88
        sizes.append(found.mask.sum() / head.brain.sum())
    assert min(sizes) < 0.99
    assert max(sizes) > 1.01


def test_a_scan_is_whole_numbers_from_1_in_the_mask(ground):
    stripping = strip(ground.head, 2.0, named_rng(3))
    image = ground.head.brightness.astype(np.float32)
    for seed in range(4):
        seen = take_scan(image, stripping, 2.0, ground.head.affine, named_rng(seed))
        np.testing.assert_array_equal(seen > 0, stripping.mask)
        assert seen.max() < 32768
        np.testing.assert_array_equal(seen, np.rint(seen))


def test_a_cavity_has_no_value_where_the_convention_knows_none():
    assert in_convention(np.array([3, 4]), "gliaflow").tolist() == [3, 4]
    assert in_convention(np.array([3, 4]), "brats2023").tolist() == [3, 0]
