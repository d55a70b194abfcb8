"""Folds keep subjects whole, share the sites out evenly, and follow from the seed."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.errors import ConfigError
from gliaflow.train.splits import make_folds

SUBJECTS = st.tuples(st.sampled_from(["north", "south"]), st.integers(0, 99).map("P{:02d}".format))
COHORTS = st.dictionaries(SUBJECTS, st.sampled_from(["A", "B", "C", "D"]), min_size=7, max_size=60)
FOLDS = st.integers(2, 7)
SEEDS = st.integers(0, 2**32 - 1)


def spread(folds_of_some, folds):
    sizes = Counter(folds_of_some)
    return max(sizes[k] for k in range(folds)) - min(sizes[k] for k in range(folds))


@given(COHORTS, FOLDS, SEEDS)
def test_folds_are_even_at_every_site_and_over_all(sites, folds, seed):
    dealt = make_folds(sites, folds, seed)
    assert list(dealt) == list(sites)
    assert set(dealt.values()) == set(range(folds)), "no fold is empty"
    assert spread(dealt.values(), folds) <= 1
    for site in set(sites.values()):
        assert spread((dealt[subject] for subject in sites if sites[subject] == site), folds) <= 1


@given(COHORTS, FOLDS, SEEDS, st.randoms())
def test_neither_the_order_of_the_subjects_nor_a_second_call_changes_the_folds(sites, folds, seed, random):
    shuffled = list(sites.items())
    random.shuffle(shuffled)
    assert make_folds(dict(shuffled), folds, seed) == make_folds(sites, folds, seed)


@given(COHORTS, FOLDS, SEEDS, st.lists(st.integers(1, 4), min_size=60, max_size=60))
def test_no_subject_is_on_both_sides_when_sessions_take_its_fold(sites, folds, seed, counts):
    dealt = make_folds(sites, folds, seed)
    sessions = [(s, f"ses-{k}") for s, count in zip(sites, counts, strict=False) for k in range(count)]
    for fold in range(folds):
        held_out = {subject for subject, _ in sessions if dealt[subject] == fold}
        trained_on = {subject for subject, _ in sessions if dealt[subject] != fold}
        assert held_out
        assert trained_on
        assert not held_out & trained_on


def test_sites_of_one_subject_go_to_different_folds():
    dealt = make_folds({f"P{k}": f"site {k}" for k in range(5)}, folds=5, seed=3)
    assert dealt == {"P0": 0, "P1": 1, "P2": 2, "P3": 3, "P4": 4}


def test_another_seed_gives_other_folds_of_a_big_cohort():
    sites = {("north", f"P{k:03d}"): "AB"[k % 2] for k in range(100)}
    assert len({tuple(make_folds(sites, 5, seed).values()) for seed in range(20)}) == 20


def test_who_is_with_whom_is_left_to_chance():
    """Of 20 subjects in 2 folds, two given ones share a fold with probability 9/19."""
    sites = {f"P{k:02d}": "A" for k in range(20)}
    together = [
        len({make_folds(sites, 2, seed)[name] for name in ("P00", "P01")}) == 1 for seed in range(400)
    ]
    assert np.mean(together) == pytest.approx(9 / 19, abs=0.1)


@pytest.mark.parametrize(
    ("subjects", "folds", "message"),
    [
        (9, 1, "train.folds: 1: is too few"),
        (9, 0, "train.folds: 0: is too few"),
        (4, 5, "train.folds: 5: is more than the 4 labelled subjects; write fewer"),
        (0, 2, "train.folds: 2: is more than the 0"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(subjects, folds, message):
    with pytest.raises(ConfigError, match=message):
        make_folds({f"P{k}": "A" for k in range(subjects)}, folds, seed=0)


def test_as_many_folds_as_subjects_leave_one_out():
    assert sorted(make_folds({f"P{k}": "A" for k in range(4)}, 4, seed=1).values()) == [0, 1, 2, 3]
