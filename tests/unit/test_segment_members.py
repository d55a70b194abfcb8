"""Members come back from disk as they were, and what is no probability is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gliaflow.errors import ImageError
from gliaflow.images import new_image, read_image
from gliaflow.segment.members import (
    FAILED,
    check_probabilities,
    keep_members,
    keep_model_facts,
    member_path,
    read_members,
    read_model_facts,
)
from gliaflow.segment.segmenters import Member, dequantise, quantise

SHAPE = (5, 6, 7)
AFFINE = np.diag([1.0, 1, 2, 1])
REGIONS = ["WT", "TC", "ET"]
FACTS = {"regions": REGIONS, "sources": ["a.nii.gz"], "space": "MNI152", "parameters": {"seed": 1}}
PROBABILITIES = arrays.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32))


def brain():
    data = np.zeros(SHAPE)
    data[1:4, 1:5, 1:6] = 1
    return new_image(data, AFFINE, np.uint8)


def maps(count, seed=0):
    rng = np.random.default_rng(seed)
    return [Member(rng.random((*SHAPE, 3)).astype(np.float32), {"Fold": str(k)}) for k in range(count)]


@given(PROBABILITIES)
def test_quantising_loses_at_most_half_a_step_and_never_crosses_one_half(probabilities):
    back = dequantise(quantise(probabilities))
    assert np.abs(back - probabilities).max() <= 1 / 512 + 1e-7
    np.testing.assert_array_equal(back >= 0.5, probabilities >= 0.5)
    np.testing.assert_array_equal(quantise(back), quantise(probabilities))


@given(PROBABILITIES, PROBABILITIES)
def test_quantising_keeps_the_order(first, second):
    lower = np.minimum(first, second)
    assert (quantise(lower) <= quantise(first)).all()


def test_members_are_read_one_by_one_as_written(tmp_path):
    assert keep_members(tmp_path / "members", maps(3), brain(), **FACTS) == 3
    found = list(read_members([tmp_path / "members"], brain()))
    inside = np.asarray(brain().dataobj) > 0
    assert len(found) == 3
    for written, member in zip(maps(3), found, strict=True):
        assert member.dtype == np.float32
        np.testing.assert_allclose(member[inside], written.probabilities[inside], atol=1 / 512 + 1e-6)
        assert member[~inside].max() == pytest.approx(1 / 512)


def test_several_folders_make_one_ensemble(tmp_path):
    for k, folder in enumerate("ab"):
        keep_members(tmp_path / folder, maps(2, seed=k), brain(), **FACTS)
    assert len(list(read_members([tmp_path / "a", tmp_path / "b"], brain()))) == 4
    assert list(read_members([tmp_path / "none"], brain())) == []


def test_each_member_says_what_it_is(tmp_path):
    keep_members(tmp_path, maps(2), brain(), **FACTS)
    content = json.loads(member_path(tmp_path, "2").with_name("member-2_probseg.json").read_text())
    assert content["Member"] == "2"
    assert content["Fold"] == "1"
    assert content["Regions"] == REGIONS
    image = read_image(member_path(tmp_path, "2"))
    assert image.get_data_dtype() == np.uint8
    assert image.shape == (*SHAPE, 3)


def test_members_are_written_as_they_come(tmp_path):
    """The second member fails: the first is there already."""

    def produce():
        yield maps(1)[0]
        assert member_path(tmp_path, "1").exists()
        yield Member(np.full((*SHAPE, 3), 1.5))

    with pytest.raises(ImageError, match=r"member-2_probseg.*no probabilities in \[0, 1\]"):
        keep_members(tmp_path, produce(), brain(), **FACTS)
    assert not member_path(tmp_path, "2").exists()


@pytest.mark.parametrize("value", [1.0001, -0.0001, np.nan, np.inf])
def test_what_is_no_probability_is_refused(tmp_path, value):
    data = np.full((*SHAPE, 3), 0.5)
    data[0, 0, 0, 1] = value
    with pytest.raises(ImageError, match="no probabilities"):
        keep_members(tmp_path, [Member(data)], brain(), **FACTS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 2), (5, 6, 8, 3), (3, *SHAPE)])
def test_another_shape_is_refused(tmp_path, shape):
    with pytest.raises(ImageError, match=r"shape .* not \(5, 6, 7, 3\)"):
        keep_members(tmp_path, [Member(np.zeros(shape))], brain(), **FACTS)


def test_a_member_on_another_grid_is_refused(tmp_path):
    keep_members(tmp_path, maps(1), brain(), **FACTS)
    shifted = AFFINE.copy()
    shifted[0, 3] = 1
    with pytest.raises(ImageError, match=r"member-1_probseg\.nii\.gz: lies on another grid"):
        list(read_members([tmp_path], new_image(np.zeros(SHAPE), shifted)))


@given(PROBABILITIES)
def test_every_probability_is_one_and_no_value_beyond(probabilities):
    path = member_path(Path("members"), "1")
    check_probabilities(path, probabilities, probabilities.shape)
    with pytest.raises(ImageError, match="no probabilities"):
        check_probabilities(path, probabilities + 1.5, probabilities.shape)


def test_what_the_outputs_say_of_the_model_comes_back(tmp_path):
    facts = {"Folds": ["0", "all"], "Members": 16, "Postprocess": {"threshold": {"ET": 0.4}}}
    keep_model_facts(tmp_path, facts)
    assert read_model_facts(tmp_path) == facts


def test_a_session_that_failed_gives_its_reason_and_nothing_else(tmp_path):
    """Even where the facts of an earlier model lie beside it."""
    keep_model_facts(tmp_path, {"Members": 1})
    (tmp_path / FAILED).write_text("sub-01: the voxels are no numbers", encoding="utf-8")
    with pytest.raises(ImageError, match=r"^sub-01: the voxels are no numbers$"):
        read_model_facts(tmp_path)
