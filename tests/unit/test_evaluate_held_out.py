"""Held-out evaluation of tiny models on tiny cases: what is measured is what the workflow gives."""

from pathlib import Path

import numpy as np
import pytest
from brain_files import brain_package
from evaluate_files import tumour_package

from gliaflow.errors import ConfigError, ImageError
from gliaflow.evaluate import held_out, held_out_brain, held_out_tumour
from gliaflow.evaluate.held_out import Evaluation, Options
from gliaflow.evaluate.held_out_brain import BrainCase, CleanHead
from gliaflow.evaluate.held_out_tables import CaseScore, Curve, LimitPoint
from gliaflow.evaluate.held_out_tumour import TumourCase
from gliaflow.evaluate.scores import Score
from gliaflow.images import data_of, new_image, spacing_of
from gliaflow.labels import SEQUENCES, region_mask
from gliaflow.nnunet.targets import BRAIN, TUMOUR

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
SHAPE = (32, 36, 30)


def tumour_case():
    """A brain of noise with a bright tumour; all of it enhances."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[3:-3, 3:-3, 3:-3] = True
    truth = np.zeros(SHAPE, dtype=np.uint8)
    truth[10:20, 10:20, 10:20] = 3
    images = {}
    for number, sequence in enumerate(SEQUENCES):
        noise = np.random.default_rng(number).normal(100, 5, SHAPE)
        images[sequence] = new_image((noise + 100 * (truth > 0)) * mask, AFFINE)
    return TumourCase("sub-001", "solid", images, new_image(mask, AFFINE, np.uint8), truth)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "tiny.zip"
    tumour_package(path, spacing=4.0)
    return held_out_tumour.model_chain(path, mirror=False)


def test_a_tumour_is_segmented_and_scored_region_by_region(chain):
    case = tumour_case()
    labels = chain.labels(case.images, case.mask)
    assert labels.dtype == np.uint8
    rows = held_out_tumour.score_case(case, labels, chain.regions, "model")
    assert [row.region for row in rows] == ["WT", "TC", "ET"]
    assert all(row.score.dice > 0.9 for row in rows)
    assert rows[0].score.truth_ml == pytest.approx(64.0)
    assert held_out_tumour.bad_case(case, case.truth).title == "sub-001: WT 1.00, TC 1.00, ET 1.00"


def test_the_baseline_finds_the_whole_tumour_by_the_same_way(chain):
    case = tumour_case()
    labels = held_out_tumour.baseline_chain().labels(case.images, case.mask)
    assert set(np.unique(labels)) <= {0, 2}
    assert (region_mask(labels, "WT") & (case.truth > 0)).sum() > 500


def test_sequences_are_left_out_in_every_way_that_the_model_allows(chain):
    subsets = chain.subsets()
    assert len(set(subsets)) == 15
    assert subsets[0] == SEQUENCES
    wanted = held_out_tumour.Chain(chain.segmenter, chain.regions, SEQUENCES, optional=("t1n",))
    assert wanted.subsets() == [SEQUENCES, SEQUENCES[1:]]


def test_limits_have_a_point_for_each_value_and_region_and_start_from_the_clean_case(chain):
    case = tumour_case()
    wanted = (
        Curve("thickness", "", (4.0, 12.0)),
        Curve("noise", "", (0.0, 0.9)),
        Curve("sequences", "", tuple(map(held_out_tumour.spelled, (SEQUENCES, ("t2f",))))),
    )
    points = list(held_out_tumour.limit_points(case, chain, wanted, seed=1))
    assert len(points) == 3 * 2 * 3
    first = {p.dice for p in points if p.value in {4.0, 0.0, wanted[2].values[0]}}
    assert len(first) == 1
    noisy = [p.dice for p in points if p.value == 0.9]
    assert max(noisy) < max(first)
    assert points == list(held_out_tumour.limit_points(case, chain, wanted, seed=1))


def test_artefacts_leave_the_background_empty(chain):
    case = tumour_case()
    outside = data_of(case.mask) == 0
    for name, value in (("noise", 0.2), ("thickness", 12.0)):
        for sequence, image in held_out_tumour.WORSE[name](case, value, 1).items():
            assert (data_of(image)[outside] == 0).all()
            assert (data_of(image)[~outside] > 0).all()
            assert not np.array_equal(data_of(image), data_of(case.images[sequence]))


def test_a_package_for_brains_finds_no_tumours(tmp_path):
    brain_package(tmp_path / "brain.zip")
    with pytest.raises(ConfigError, match=r"brain\.zip"):
        held_out_tumour.model_chain(tmp_path / "brain.zip")


def head():
    """A bright ball in air; with lesions it has a dark hole, which the extraction below misses."""
    points = np.indices((40, 40, 40)) - 20
    truth = (points**2).sum(axis=0) < 14**2
    holed = np.where((points**2).sum(axis=0) < 5**2, 0, truth)
    return CleanHead(
        "limits sub-001", "t1c", new_image(500 * truth, AFFINE), new_image(500 * holed, AFFINE), truth
    )


def bright(images, grid):
    """Call bright brain; refuse what holds none."""
    image = data_of(next(iter(images.values())))
    if not (image > 250).any():
        raise ImageError("no brain was found")
    return new_image(image > 250, grid.affine, np.uint8)


def test_a_head_is_cut_at_either_end_and_stays_where_it_is():
    for top in (True, False):
        image, truth = held_out_brain.cropped(head(), 40.0, top=top)
        assert truth.shape == image.shape
        levels = truth.any(axis=(0, 1)).sum()
        assert levels == head().truth.any(axis=(0, 1)).sum() - 10
        centre = image.affine @ [20, 20, truth.shape[2] - 1 if not top else 0, 1]
        assert centre[2] == (39 * 4 if not top else 0)


def test_every_way_of_making_a_head_worse_gives_its_points():
    wanted = held_out_brain.CURVES
    points = list(held_out_brain.limit_points(head(), bright, wanted, seed=3))
    counts = {c.name: len([p for p in points if p.curve == c.name]) for c in wanted}
    assert counts == {c.name: len(c.values) * (2 if c.name == "coverage" else 1) for c in wanted}
    dice = {(p.curve, p.value, p.line): p.dice for p in points}
    assert dice["thickness", 1.0, BRAIN] == dice["noise", 0.0, BRAIN] == 1
    assert dice["noise", 0.2, BRAIN] < 1
    assert dice["coverage", 40.0, held_out_brain.TOP] == 1, "only what is in the field of view counts"
    assert dice["lesions", "one to three", BRAIN] < dice["lesions", "none", BRAIN]


def test_scans_are_scored_alone_and_a_refused_one_finds_nothing():
    truth = head().truth
    images = {"t1n": head().scan, "t2f": new_image(np.zeros(truth.shape), AFFINE)}
    case = BrainCase("realistic sub-001", "realistic", images, truth)
    rows = [row for row, _ in held_out_brain.score_scans(case, bright)]
    assert [(row.kind, row.score.state, row.score.dice) for row in rows] == [
        ("t1n realistic", "present", 1.0),
        ("t2f realistic", "missed", 0.0),
    ]
    session = held_out_brain.score_session(case, bright, held_out_brain.ALL)
    assert (session.case, session.kind) == ("realistic sub-001", "all realistic")
    (plane, _) = held_out_brain.bad_case(case, "t1n", truth).planes
    assert plane.caption == "t1n, axial"


def test_a_brain_package_is_an_extraction(tmp_path):
    brain_package(tmp_path / "brain.zip")
    image = head().scan
    found = held_out_brain.network(tmp_path / "brain.zip", mirror=False)({"t1c": image}, image)
    assert spacing_of(found) == spacing_of(image)
    assert (data_of(found) > 0)[head().truth].mean() > 0.9


def evaluation(target):
    regions, curve = (("WT", "ET"), "noise") if target == TUMOUR else ((BRAIN,), "bias")
    method, baseline = held_out.METHODS[target]
    scores = [
        CaseScore(f"sub-{k}", "t1c realistic", found_by, region, Score(0.8, 2.0, 3.0 * k, 3.0, 0.9, 0.7))
        for k in range(3)
        for found_by in (method, baseline)
        for region in regions
    ]
    points = [LimitPoint(curve, v, r, "sub-1", 0.5) for v in (0.0, 0.1) for r in regions]
    return Evaluation(scores, points, [Curve(curve, curve, (0.0, 0.1))], [])


@pytest.mark.parametrize("target", [TUMOUR, BRAIN])
def test_an_evaluation_becomes_tables_and_pictures(target, tmp_path):
    model = tmp_path / "tiny.zip"
    model.write_bytes(b"weights")
    held_out.write_evaluation(Options(tmp_path, model, subjects=3), target, evaluation(target))
    made = {path.name for path in tmp_path.iterdir()}
    assert {"scores.tsv", "scores.json", "limits.tsv", "limits.json", "summary.md"} <= made
    assert ({"size.png", "noise.png"} if target == TUMOUR else {"kind.png", "bias.png"}) <= made
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith(f"# Held-out scores: {target}\n\ntiny.zip (sha256 `")
    assert "## Against the baseline" in text
    assert "nan" not in text


def test_a_model_that_is_not_there_is_told_in_one_sentence(tmp_path, capsys):
    missing = str(tmp_path / "none.zip")
    for target in (TUMOUR, BRAIN):
        assert held_out.main([target, str(tmp_path / "out"), "--model", missing]) == 1
        error = capsys.readouterr().err
        assert error.startswith(missing)
        assert "Traceback" not in error
        assert not list(Path(tmp_path / "out").iterdir())
