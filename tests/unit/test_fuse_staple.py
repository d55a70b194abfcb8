"""STAPLE against a plain implementation, what can be counted, and raters of known quality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliaflow.evaluate.overlap import dice
from gliaflow.fuse.fusion import fuse
from gliaflow.images import new_image

LABELS = (1, 2, 3)
SENSITIVITY = {"ann": 0.95, "ben": 0.92, "cat": 0.6, "dan": 0.55, "eve": 0.5}
SPECIFICITY = {"ann": 0.99, "ben": 0.98, "cat": 0.85, "dan": 0.8, "eve": 0.9}
CONFUSED = {
    "ann": [[0.97, 0.01, 0.02, 0], [0.02, 0.9, 0.05, 0.03], [0.05, 0.03, 0.9, 0.02], [0, 0.03, 0.02, 0.95]],
    "ben": [[0.95, 0.02, 0.03, 0], [0.05, 0.85, 0.05, 0.05], [0.05, 0.05, 0.85, 0.05], [0, 0.1, 0, 0.9]],
    "cat": [[0.9, 0.02, 0.08, 0], [0.1, 0.3, 0.1, 0.5], [0.4, 0, 0.55, 0.05], [0, 0.5, 0.1, 0.4]],
    "dan": [[0.85, 0, 0.15, 0], [0.1, 0.3, 0.3, 0.3], [0.5, 0, 0.5, 0], [0.1, 0.4, 0.1, 0.4]],
    "eve": [[0.92, 0.03, 0.03, 0.02], [0.1, 0.4, 0.1, 0.4], [0.45, 0.05, 0.5, 0], [0.1, 0.3, 0.2, 0.4]],
}
"""For each rater the probability of saying 0 to 3 (columns) where 0 to 3 is true (rows)."""


def images(maps):
    return {name: new_image(votes, np.eye(4), np.uint8) for name, votes in maps.items()}


def ball(radius, shape=(24, 24, 24), centre=(11.5, 11.5, 11.5)):
    distances = np.moveaxis(np.indices(shape), 0, -1) - np.array(centre)
    return np.linalg.norm(distances, axis=-1) < radius


def layers():
    """Enhancing tumour in a core in oedema."""
    return np.select([ball(5), ball(7), ball(10)], [3, 1, 2], 0).astype(np.uint8)


def noisy(truth, seed=0):
    """Whole tumours of raters who see and call each voxel by chance."""
    random = np.random.default_rng(seed)
    return {
        name: 2
        * np.where(truth, random.random(truth.shape) < seen, random.random(truth.shape) >= SPECIFICITY[name])
        for name, seen in SENSITIVITY.items()
    }


def confused(truth, seed=0):
    random = np.random.default_rng(seed)
    draws = {name: random.random((*truth.shape, 1)) for name in CONFUSED}
    return {
        name: (draws[name] > np.cumsum(CONFUSED[name], axis=1)[truth][..., :3]).sum(axis=-1)
        for name in CONFUSED
    }


def maximise(votes, classes):
    """STAPLE on votes of shape (raters, voxels): the posterior, and what is said where what is true."""
    said = np.eye(classes)[votes]
    posterior = said.mean(axis=0)
    prior = posterior.mean(axis=0)
    for _ in range(400):
        confusion = [(rater.T @ posterior) / posterior.sum(axis=0) for rater in said]
        joint = prior * np.prod(
            [rater @ matrix for rater, matrix in zip(said, confusion, strict=True)], axis=0
        )
        posterior = joint / joint.sum(axis=1, keepdims=True)
    return posterior, confusion


@pytest.mark.parametrize(("seed", "margin"), [(0, 1), (1, 4)])
def test_regions_are_as_by_plain_expectation_maximisation(seed, margin):
    maps = {name: votes[4:20, 4:20, 4:20] for name, votes in noisy(ball(6), seed).items()}
    result = fuse(images(maps), "staple", LABELS, by="region", margin=margin)
    marked = np.any(list(maps.values()), axis=0)
    assert marked[0].any() and marked[-1].any() and marked[..., -1].any(), "the box is the image"
    box = np.stack([np.pad(votes // 2, margin).ravel() for votes in maps.values()])
    posterior, confusion = maximise(box, 2)
    shape = np.array(marked.shape) + 2 * margin
    inside = posterior[:, 1].reshape(shape)[(slice(margin, -margin),) * 3]
    np.testing.assert_allclose(result.probability[..., 0][marked], inside[marked], atol=1e-5)
    for name, matrix in zip(maps, confusion, strict=True):
        assert result.performance[name]["WT"]["sensitivity"] == pytest.approx(matrix[1, 1], abs=1e-5)
        assert result.performance[name]["WT"]["specificity"] == pytest.approx(matrix[0, 0], abs=1e-5)


def test_labels_are_as_by_plain_expectation_maximisation():
    maps = {name: votes[2:22, 2:22, 2:22] for name, votes in confused(layers()).items()}
    result = fuse(images(maps), "staple", LABELS)
    posterior, confusion = maximise(np.stack([np.pad(votes, 1).ravel() for votes in maps.values()]), 4)
    labels = posterior.argmax(axis=1).reshape(22, 22, 22)[1:-1, 1:-1, 1:-1]
    np.testing.assert_array_equal(result.labels, np.where(np.any(list(maps.values()), axis=0), labels, 0))
    for name, matrix in zip(maps, confusion, strict=True):
        for true in range(4):
            found = [result.performance[name][str(true)][f"says_{said}"] for said in range(4)]
            np.testing.assert_allclose(found, matrix[:, true], atol=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_region_is_found_better_than_by_majority(seed):
    """Three of five are poor; the box has a rim of a voxel in which nobody errs."""
    truth = ball(9)
    maps = images(noisy(truth, seed))
    staple, majority = (fuse(maps, method, LABELS, by="region") for method in ("staple", "majority"))
    assert dice(staple.labels == 2, truth) > 0.97
    assert dice(majority.labels == 2, truth) < 0.93
    background = (~truth).sum() / (26**3 - truth.sum())
    for name, found in staple.performance.items():
        assert found["WT"]["sensitivity"] == pytest.approx(SENSITIVITY[name], abs=0.03)
        false_marks = (1 - SPECIFICITY[name]) * background
        assert found["WT"]["specificity"] == pytest.approx(1 - false_marks, abs=0.01)


def test_planted_labels_are_found_better_than_by_majority():
    truth = layers()
    maps = images(confused(truth))
    staple, majority = (fuse(maps, method, LABELS) for method in ("staple", "majority"))
    for label in LABELS:
        assert (
            dice(staple.labels == label, truth == label)
            > dice(majority.labels == label, truth == label) + 0.03
        )
    for name, rows in CONFUSED.items():
        for true, row in enumerate(rows):
            found = [staple.performance[name][str(true)][f"says_{said}"] for said in range(4)]
            np.testing.assert_allclose(found, row, atol=0.06)
            assert sum(found) == pytest.approx(1, abs=1e-5)


def test_rates_golden():
    """Two mark a cube of 8 voxels, one 4 voxels more and one 4 voxels less; the box has 6 x 4 x 4 voxels."""
    cube = np.zeros((9, 9, 9), dtype=np.uint8)
    cube[2:4, 2:4, 2:4] = 3
    more, less = cube.copy(), cube.copy()
    more[4, 2:4, 2:4] = 3
    less[2] = 0
    result = fuse(images({"a": cube, "b": cube, "more": more, "less": less}), "staple", LABELS, by="region")
    np.testing.assert_array_equal(result.labels, cube)
    for region in ("WT", "TC", "ET"):
        found = {name: result.performance[name][region] for name in result.performance}
        assert found["a"] == found["b"] == {"dice": 1, "sensitivity": 1, "specificity": 1}
        assert found["more"] == {
            "dice": 0.8,
            "sensitivity": 1,
            "specificity": round(1 - 4 / (5 * 4 * 4 - 8), 6),
        }
        assert found["less"] == {"dice": round(2 / 3, 6), "sensitivity": 0.5, "specificity": 1}


def test_of_two_who_mark_more_and_less_neither_is_more_probable():
    """At the start half of the difference d is true; by Bayes g (1 - p) = d / 2N = (1 - g) (1 - q) remain."""
    less, more = np.zeros((2, 7, 4, 3), dtype=np.uint8)
    less[1:3], more[1:6] = 2, 2
    result = fuse(images({"less": less, "more": more}), "staple", LABELS, by="region")
    np.testing.assert_array_equal(result.labels, more)
    assert result.ties == 3 * 12
    assert (result.probability[3:6, ..., 0] == 0.5).all()
    assert result.performance["less"]["WT"]["sensitivity"] == round(24 / (24 + 18), 6)
    assert result.performance["more"]["WT"]["specificity"] == round(1 - 18 / (7 * 6 * 5 - 24 - 18), 6)


def test_a_structure_that_is_tiny_in_its_image_is_not_lost_to_false_marks():
    truth = ball(3)
    maps = {name: votes * ball(6) for name, votes in noisy(truth, 3).items()}
    in_box, in_image = (
        dice(fuse(images(maps), "staple", LABELS, by="region", margin=margin).labels == 2, truth)
        for margin in (1, 10)
    )
    assert in_box > 0.95
    assert in_image < 0.85
    larger = {name: np.pad(votes, 30) for name, votes in maps.items()}
    result = fuse(images(larger), "staple", LABELS, by="region")
    assert dice(result.labels == 2, np.pad(truth, 30)) == in_box


def test_each_region_has_a_box_of_its_own():
    """A tumour of 10 mm with an enhancing part of 2 mm; in the box of the whole, what is fused is another."""
    alone = {name: np.where(votes > 0, 3, 0) * ball(8) for name, votes in noisy(ball(3), 3).items()}
    around = {name: np.where(votes > 0, 3, 2 * ball(11)) for name, votes in alone.items()}
    first, second = (fuse(images(maps), "staple", LABELS, by="region") for maps in (alone, around))
    np.testing.assert_array_equal(first.labels == 3, second.labels == 3)
    assert {n: f["ET"] for n, f in first.performance.items()} == {
        n: f["ET"] for n, f in second.performance.items()
    }


def test_what_nobody_marked_has_no_rates():
    whole = 2 * ball(5).astype(np.uint8)
    for by, absent, kept in (("region", "ET", "WT"), ("label", "3", "2")):
        result = fuse(images({"a": whole, "b": whole}), "staple", LABELS, by=by)
        assert result.performance["a"][absent] == {"dice": 1}
        assert len(result.performance["a"][kept]) > 1


def test_rounds_are_limited():
    maps = images(noisy(ball(8)))
    assert fuse(maps, "staple", LABELS, by="region", max_rounds=1).rounds == 1
    assert 1 < fuse(maps, "staple", LABELS, by="region").rounds < 200


@settings(max_examples=15, deadline=None)
@given(
    st.integers(2, 7).flatmap(lambda raters: arrays(np.uint8, (raters, 12), elements=st.integers(0, 3))),
    st.integers(1, 3),
)
def test_no_votes_make_numbers_that_are_none(maps, margin):
    for by in ("label", "region"):
        named = {f"r{k}": votes.reshape(3, 2, 2) for k, votes in enumerate(maps)}
        result = fuse(images(named), "staple", LABELS, by=by, allow_empty=True, margin=margin)
        rates = [
            rate
            for parts in result.performance.values()
            for found in parts.values()
            for rate in found.values()
        ]
        assert all(0 <= rate <= 1 for rate in rates)
        if by == "region":
            assert np.isfinite(result.probability).all()
