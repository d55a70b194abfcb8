"""Cohorts of whole heads: what lies in them, and that the same seed gives the same bytes."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from gliaflow.config.mistakes import Mistakes
from gliaflow.config.sheet import read_sheet
from gliaflow.errors import ConfigError
from gliaflow.images import data_of, read_image, same_grid
from gliaflow.masks import largest_part
from gliaflow.simulate.fields import signed_distance
from gliaflow.simulate.heads import Head, Material, make_head
from gliaflow.simulate.whole_heads import (
    CLOSED_MM,
    FLUID_IN_MASK_MM,
    HeadPlan,
    brain_mask,
    main,
    surroundings,
    write_heads,
)

PLAN = HeadPlan(subjects=2, scans=2, resolution_mm=4.0, seed=3)


def bytes_of(folder: Path) -> dict[str, str]:
    return {p.name: sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("*.nii.gz"))}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_heads(tmp_path_factory.mktemp("heads") / "cohort", PLAN).parent


@pytest.fixture(scope="module")
def head() -> Head:
    return make_head(np.random.default_rng(4), 3.0, "colin27")


def test_scans_and_mask_share_a_grid(cohort: Path) -> None:
    for subject in sorted(cohort.glob("sub-*")):
        mask = read_image(subject / "brain_mask.nii.gz")
        scans = sorted(subject.glob("t*.nii.gz"))
        volume_ml = data_of(mask).sum() * 4.0**3 / 1000
        assert len(scans) == PLAN.scans
        assert all(same_grid(read_image(scan), mask) for scan in scans)
        assert 800 < volume_ml < 1900


def test_the_sheet_is_one_that_the_workflow_reads(cohort: Path) -> None:
    mistakes = Mistakes()
    rows = read_sheet(cohort / "samples.tsv", "samples", mistakes)

    mistakes.stop_if_any()
    assert [row.cells["registered"] for row in rows] == ["ref"] * PLAN.subjects


def test_a_subject_does_not_depend_on_how_many_others_there_are(cohort: Path, tmp_path: Path) -> None:
    more = HeadPlan(subjects=3, scans=2, resolution_mm=4.0, seed=3)
    write_heads(tmp_path / "more", more, jobs=2)

    for subject in ("sub-0001", "sub-0002"):
        assert bytes_of(tmp_path / "more" / subject) == bytes_of(cohort / subject)


def test_another_seed_gives_other_heads(cohort: Path, tmp_path: Path) -> None:
    write_heads(tmp_path / "other", HeadPlan(subjects=1, scans=2, resolution_mm=4.0, seed=4))

    assert bytes_of(tmp_path / "other" / "sub-0001") != bytes_of(cohort / "sub-0001")


def test_a_folder_of_something_else_is_left_alone(cohort: Path) -> None:
    with pytest.raises(ConfigError, match="holds something else"):
        write_heads(cohort, HeadPlan(subjects=9))


@pytest.mark.parametrize(
    "options", [{"subjects": 0}, {"scans": 5}, {"severity": 3.0}, {"cohort": "a b"}, {"resolution_mm": 9.0}]
)
def test_values_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        HeadPlan(**options)


def test_the_command_line_says_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "x"), "--scans", "7"]) == 1
    assert "scans: 7" in capsys.readouterr().err


def test_colin27_is_a_whole_head(head: Head) -> None:
    volume_ml = head.brain.sum() * head.resolution_mm**3 / 1000
    shares = head.tissue_fractions()[:, head.brain].mean(axis=1)

    assert 1000 < volume_ml < 1700
    assert set(np.unique(head.materials)) >= {Material.AIR, Material.BONE, Material.FAT, Material.MUSCLE}
    assert (shares > (0.03, 0.3, 0.2)).all()


def test_bone_and_fluid_lie_round_the_brain_of_colin27(head: Head) -> None:
    depth = signed_distance(head.brain, head.affine)
    upper = np.arange(head.brain.shape[2]) * head.resolution_mm + head.affine[2, 3] > 10
    near = (depth > 1) & (depth < 7) & upper
    kinds = np.bincount(head.materials[near], minlength=len(Material)) / near.sum()

    assert kinds[Material.BONE] + kinds[Material.CSF] + kinds[Material.MARROW] > 0.6
    assert kinds[Material.AIR] < 0.02


def test_the_mask_takes_in_the_fluid_that_lies_on_the_brain_and_has_no_gaps() -> None:
    head = make_head(np.random.default_rng(4), 1.5, "mni152")
    layers = surroundings(head, np.random.default_rng(1))
    mask = brain_mask(head, layers)
    fluid = (layers == Material.CSF) & (signed_distance(head.brain, head.affine) < FLUID_IN_MASK_MM)
    taken = mask & ~head.brain

    assert mask[head.brain].all()
    assert fluid.any()
    assert mask[fluid].mean() > 0.99
    assert signed_distance(head.brain, head.affine)[taken].max() < FLUID_IN_MASK_MM + 2 * CLOSED_MM
    assert 0 < taken.sum() < 0.2 * head.brain.sum()
    assert (largest_part(mask) == mask).all()
