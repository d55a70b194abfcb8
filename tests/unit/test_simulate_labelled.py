"""Generated cohorts to train on: what is on disk, and what the plan promises."""

import csv
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from gliaflow.checks import check_image, check_mask
from gliaflow.config.participants import read_participants
from gliaflow.config.samples import read_samples
from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError
from gliaflow.images import Array, data_of, new_image, read_image, same_grid
from gliaflow.labels import CONVENTIONS, SEQUENCES, convert_labels, region_mask
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.simulate.cases import ENHANCING, NON_ENHANCING
from gliaflow.simulate.cohort_files import in_convention
from gliaflow.simulate.cohort_plan import CohortPlan, PlannedSession, anatomy_of, plan_subject
from gliaflow.simulate.labelled import main, write_cohort

PLAN = CohortPlan(subjects=2, sessions=2, non_enhancing=0.3, severity=0.0, missing=0.3, seed=4)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """Two subjects with two sessions each, without a session that lacks a sequence."""
    folder = tmp_path_factory.mktemp("labelled") / "cohort"
    write_cohort(folder, replace(PLAN, missing=0.0))
    return folder


def sessions_of(plan: CohortPlan) -> list[PlannedSession]:
    return [session for index in range(1, plan.subjects + 1) for session in plan_subject(plan, index)]


def labels_in(cohort: Path, subject: str, session: str) -> Array:
    return data_of(read_image(cohort / f"sub-{subject}" / f"ses-{session}" / "label.nii.gz"), np.uint8)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_workflow_reads_the_sheet_and_the_participants(cohort):
    sessions = read_samples([cohort / "samples.tsv"], complete_config({}))
    assert [session.key for session in sessions] == [
        *(("generated", "001", "1"), ("generated", "001", "2")),
        *(("generated", "002", "1"), ("generated", "002", "2")),
    ]
    for session in sessions:
        assert session.stripped
        assert session.registered == "atlas"
        assert set(session.sources) == set(SEQUENCES)
        assert session.label == cohort / f"sub-{session.subject}" / f"ses-{session.session}" / "label.nii.gz"
        assert (session.days == 0) if session.session == "1" else (60 <= session.days <= 180)
    people = read_participants(cohort / "participants.tsv", sessions)
    assert [(p.subject, p.site) for p in people] == [("001", "site1"), ("002", "site2")]


def test_every_image_lies_on_the_atlas_s_grid_exactly(cohort):
    atlas, _ = load_atlas(None, 2)
    images = sorted(cohort.glob("sub-*/ses-*/*.nii.gz"))
    assert len(images) == 4 * 5
    for path in images:
        image = read_image(path)
        check_image(image, path, like=atlas)
        np.testing.assert_array_equal(image.affine, atlas.affine)
        assert image.get_data_dtype() == (np.uint8 if path.name == "label.nii.gz" else np.int16)


def test_scans_are_zero_outside_one_brain_that_all_of_them_share(cohort):
    for folder in cohort.glob("sub-*/ses-*"):
        images = [read_image(folder / f"{sequence}.nii.gz") for sequence in SEQUENCES]
        brain = data_of(images[0]) > 0
        check_mask(new_image(brain, images[0].affine, np.uint8), folder, like=images[0])
        assert ndimage.label(brain)[1] == 1
        assert 0.05 < brain.mean() < 0.5
        for image in images:
            np.testing.assert_array_equal(data_of(image) != 0, brain)
        assert brain[data_of(read_image(folder / "label.nii.gz")) > 0].all()


def test_the_brain_lies_in_the_atlas_s(cohort):
    _, mask = load_atlas(None, 2)
    inside = data_of(mask, bool)
    for folder in cohort.glob("sub-*/ses-1"):
        brain = data_of(read_image(folder / "t1n.nii.gz")) > 0
        assert 2 * (brain & inside).sum() / (brain.sum() + inside.sum()) > 0.75


def test_tumours_show_as_radiologists_know_them(cohort):
    """Next to the brain around it, oedema is bright on FLAIR, the core on T2, the rim on T1c alone."""
    for folder in cohort.glob("sub-*/ses-*"):
        scan = {sequence: data_of(read_image(folder / f"{sequence}.nii.gz")) for sequence in SEQUENCES}
        labels = data_of(read_image(folder / "label.nii.gz"), np.uint8)
        around = ndimage.binary_dilation(labels > 0, iterations=5) & (labels == 0) & (scan["t1n"] > 0)
        healthy = {sequence: np.median(image[around]) for sequence, image in scan.items()}
        assert np.median(scan["t2f"][labels == 2]) > 1.15 * healthy["t2f"]
        assert np.median(scan["t2w"][labels == 1]) > 1.05 * healthy["t2w"]
        rim = labels == 3
        if rim.any():
            assert np.median(scan["t1c"][rim]) > 1.1 * healthy["t1c"]
            assert np.median(scan["t1n"][rim]) < healthy["t1n"]


def test_a_label_map_holds_oedema_and_a_core_that_enhances_or_not(cohort):
    enhancing = {s.subject: s.case.kind in ENHANCING for s in sessions_of(PLAN)}
    assert enhancing == {"001": True, "002": False}
    for subject, session in ((s.subject, s.session) for s in sessions_of(PLAN)):
        labels = labels_in(cohort, subject, session)
        values = {0, 1, 2, 3} if enhancing[subject] else {0, 1, 2}
        assert set(np.unique(labels)) == values


def test_a_later_session_shows_the_same_brain_and_a_grown_tumour(cohort):
    for subject in ("001", "002"):
        first, second = (labels_in(cohort, subject, session) for session in "12")
        assert second.astype(bool)[first > 0].mean() > 0.8
        for region in ("WT", "TC"):
            assert region_mask(second, region).sum() > 1.05 * region_mask(first, region).sum()
        brains = [data_of(read_image(cohort / f"sub-{subject}/ses-{s}/t1n.nii.gz")) > 0 for s in "12"]
        np.testing.assert_array_equal(*brains)


def test_a_session_depends_on_its_names_and_the_seed_alone(cohort, tmp_path):
    """With one subject, one session and more sites its bytes are the same; with another seed nothing is."""
    alone = replace(PLAN, subjects=1, sessions=1, sites=5, missing=0.0)
    write_cohort(tmp_path / "alone", alone)
    session = files_in(tmp_path / "alone" / "sub-001")
    assert len(session) == 5
    assert session == {k: v for k, v in files_in(cohort / "sub-001").items() if k.startswith("ses-1")}
    write_cohort(tmp_path / "other", replace(alone, seed=5))
    other = files_in(tmp_path / "other" / "sub-001")
    assert all(other[name] != content for name, content in session.items())


def test_subjects_and_their_contrast_differ(cohort):
    first, second = (
        read_image(cohort / f"sub-{subject}" / "ses-1" / "t1n.nii.gz") for subject in ("001", "002")
    )
    assert same_grid(first, second)
    brains = [data_of(image) > 0 for image in (first, second)]
    assert 0.8 < 2 * (brains[0] & brains[1]).sum() / (brains[0].sum() + brains[1].sum()) < 0.99
    medians = [np.median(data_of(image)[brain]) for image, brain in zip((first, second), brains, strict=True)]
    assert abs(medians[0] / medians[1] - 1) > 0.005


def test_a_missing_sequence_is_an_empty_cell_and_no_file(tmp_path):
    sheet = write_cohort(tmp_path / "c", CohortPlan(subjects=1, missing=1.0))
    (session,) = read_samples([sheet], complete_config({}))
    (lost,) = set(SEQUENCES) - set(session.sources)
    with sheet.open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream, delimiter="\t")
    assert row[lost] == ""
    names = {path.name.removesuffix(".nii.gz") for path in session.label.parent.iterdir()}
    assert names == {*SEQUENCES, "label"} - {lost}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.5, 1.0])
def test_shares_are_kept_at_every_site(share):
    plan = CohortPlan(subjects=60, sessions=2, sites=3, non_enhancing=share, missing=share)
    sessions = sessions_of(plan)
    for name in ("site1", "site2", "site3"):
        here = [session for session in sessions if session.site == name]
        assert len(here) == 40
        assert np.mean([s.case.kind in NON_ENHANCING for s in here]) == pytest.approx(share, abs=0.1)
        assert np.mean([len(s.sequences) < 4 for s in here]) == pytest.approx(share, abs=0.1)
    chosen = [s for s in sessions if len(s.sequences) < 4 and s.case.kind in NON_ENHANCING]
    assert len(chosen) / len(sessions) == pytest.approx(share**2, abs=0.06)


def test_a_session_lacks_one_sequence_at_most_and_each_is_lost_at_times():
    plan = CohortPlan(subjects=80, missing=1.0)
    lost = Counter(frozenset(SEQUENCES) - set(session.sequences) for session in sessions_of(plan))
    assert set(lost) == {frozenset({sequence}) for sequence in SEQUENCES}
    assert min(lost.values()) > 10


def test_shares_change_nothing_else_of_the_plan():
    plain = sessions_of(CohortPlan(subjects=5, sessions=2, non_enhancing=0.0))
    other = sessions_of(CohortPlan(subjects=5, sessions=2, non_enhancing=1.0, missing=1.0, randomised=1.0))
    for one, two in zip(plain, other, strict=True):
        assert (one.subject, one.session, one.days, one.site) == (
            two.subject,
            two.session,
            two.days,
            two.site,
        )
        assert (one.case.hyperintensities, one.case.wider_mm) == (
            two.case.hyperintensities,
            two.case.wider_mm,
        )
        assert one.case.kind in ENHANCING
        assert two.case.kind in NON_ENHANCING
        assert (one.randomised, two.randomised) == (False, True)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_shares_of_healthy_subjects_and_of_random_sessions_are_kept(share):
    sessions = sessions_of(CohortPlan(subjects=60, healthy=share, randomised=share))
    healthy = [session.case.kind == "healthy" for session in sessions]
    assert np.mean(healthy) == pytest.approx(share, abs=0.05)
    assert np.mean([session.randomised for session in sessions]) == pytest.approx(share, abs=0.05)
    assert all((not session.case.foci) == ill for session, ill in zip(sessions, healthy, strict=True))


def test_the_brain_is_that_of_the_anatomy_asked_for():
    subjects = [f"{k:03d}" for k in range(40)]
    found = {
        name: {anatomy_of(CohortPlan(anatomy=name), subject) for subject in subjects}
        for name in ("mixed", "mni152", "colin27")
    }
    assert found == {"mixed": {"mni152", "colin27"}, "mni152": {"mni152"}, "colin27": {"colin27"}}


def test_the_healthy_have_scans_and_an_empty_label_map(tmp_path):
    write_cohort(tmp_path / "c", CohortPlan(subjects=1, healthy=1.0))
    folder = tmp_path / "c" / "sub-001" / "ses-1"
    assert not labels_in(tmp_path / "c", "001", "1").any()
    assert all((folder / f"{sequence}.nii.gz").exists() for sequence in SEQUENCES)


def test_another_process_writes_the_same_bytes(cohort, tmp_path):
    write_cohort(tmp_path / "c", replace(PLAN, subjects=1, sessions=1, missing=0.0), jobs=2)
    first = {name: content for name, content in files_in(cohort / "sub-001").items() if "ses-1" in name}
    assert files_in(tmp_path / "c" / "sub-001") == first


@given(values=st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1), convention=st.sampled_from([*CONVENTIONS]))
def test_every_convention_is_read_back_as_gliaflow_s_own(values, convention):
    labels = np.array(values, dtype=np.uint8)
    np.testing.assert_array_equal(convert_labels(in_convention(labels, convention), convention), labels)


def test_enhancing_is_4_in_the_files_of_brats2021(cohort, tmp_path):
    write_cohort(tmp_path / "c", replace(PLAN, subjects=1, sessions=1, missing=0.0, convention="brats2021"))
    stored = labels_in(tmp_path / "c", "001", "1")
    assert set(np.unique(stored)) == {0, 1, 2, 4}
    np.testing.assert_array_equal(stored == 4, labels_in(cohort, "001", "1") == 3)


def test_the_same_cohort_is_written_again_and_told_of(cohort, tmp_path):
    plan, lines = replace(PLAN, subjects=1, sessions=1), []
    write_cohort(tmp_path / "c", plan)
    before = files_in(tmp_path / "c")
    (tmp_path / "c" / "sub-001" / "ses-1" / "label.nii.gz").write_bytes(b"broken")
    write_cohort(tmp_path / "c", plan, lines.append)
    assert files_in(tmp_path / "c") == before
    assert len(lines) == 1
    assert lines[0].startswith("sub-001/ses-1 of 1 subjects, site1: WT ")


@pytest.mark.parametrize("content", ["{}", "not JSON", None])
def test_a_folder_with_anything_else_is_left_alone(tmp_path, content):
    (tmp_path / "notes.txt").write_text("mine")
    if content is not None:
        (tmp_path / "plan.json").write_text(content)
    before = files_in(tmp_path)
    with pytest.raises(ConfigError, match=r"holds something else than this cohort; give a new or an empty"):
        write_cohort(tmp_path, PLAN)
    with pytest.raises(ConfigError, match=r"notes.txt: holds something else"):
        write_cohort(tmp_path / "notes.txt", PLAN)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subjects": 0}, "subjects: 0 does not fit; write a number from 1"),
        ({"sessions": 0}, "sessions: 0 does not fit"),
        ({"sites": -1}, "sites: -1 does not fit"),
        ({"resolution_mm": 3}, "resolution_mm: 3 does not fit; write 1 or 2"),
        ({"non_enhancing": 1.1}, "non_enhancing: 1.1 does not fit; write a share from 0 to 1"),
        ({"missing": float("nan")}, "missing: nan does not fit"),
        ({"healthy": -0.1}, "healthy: -0.1 does not fit; write a share from 0 to 1"),
        ({"randomised": 2.0}, "randomised: 2.0 does not fit"),
        ({"severity": 2.5}, "severity: 2.5 does not fit; write a number from 0 to 2"),
        ({"anatomy": "mine"}, "anatomy: 'mine' does not fit; write one of mixed, mni152, colin27"),
        ({"convention": "brats"}, "convention: 'brats' does not fit; write one of gliaflow, brats2021"),
        ({"cohort": "my cohort"}, "cohort: 'my cohort' does not fit; write letters and digits"),
        ({"seed": -1}, "seed: -1 does not fit"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_plan_that_cannot_be_is_told_what_to_write(wrong, message):
    with pytest.raises(ConfigError, match=message):
        CohortPlan(**wrong)


def test_the_command_line_writes_a_cohort_or_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path / "c"), "--subjects", "1", "--cohort", "c7", "--non-enhancing", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("sub-001/ses-1 of 1 subjects, site1: WT ")
    assert lines[0].endswith("ET 0.0 ml")
    assert lines[1:] == [f"wrote {tmp_path / 'c' / 'samples.tsv'}"]
    assert main([str(tmp_path / "c"), "--subjects", "2", "--cohort", "c7"]) == 1
    assert main([str(tmp_path / "d"), "--subjects", "0"]) == 1
    assert main([str(tmp_path / "d"), "--jobs", "0"]) == 1
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.endswith("give a new or an empty folder")
    assert second == "subjects: 0 does not fit; write a number from 1"
    assert third == "jobs: 0 does not fit; write a number from 1"
    assert not (tmp_path / "d").exists()


def test_the_help_names_every_option_and_its_default():
    command = [sys.executable, "-m", "gliaflow.simulate.labelled", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in ("jobs", *(field.name.replace("_", "-") for field in fields(CohortPlan))):
        assert f"--{name} " in shown
    assert shown.count("(default:") == 14
