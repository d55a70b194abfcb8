"""What is planned for growth: from which sessions, with which files, and what the two targets hold."""

from pathlib import Path

import pytest
from cohorts import facts, labelled, plan, session, write_sheet

READY = {"stripped": "yes", "registered": "ref"}


def course(folder: Path, subject: str = "01", sessions: int = 3, **cells: object) -> list[dict[str, str]]:
    """A subject with a label map in each session, the later ones listed first."""
    days = [120 * k for k in range(sessions)]
    rows = [
        labelled(folder, subject, number=str(k + 1), days=str(day), **cells) for k, day in enumerate(days)
    ]
    return rows[::-1]


def jobs_of(
    folder: Path, rows: list[dict[str, str]], *targets: str, **config: object
) -> dict[str, list[dict]]:
    sheet = write_sheet(folder / "samples.tsv", rows)
    found = facts(folder, sheet, *targets, **config)
    return {rule: [job for job in found["jobs"] if job["rule"] == rule] for rule in found["rules"]}


def test_growth_is_foretold_from_the_first_session_and_judged_by_the_later_ones(tmp_path):
    jobs = jobs_of(tmp_path, course(tmp_path, **READY), "growth")
    (fit,) = jobs["growth_fit"]
    assert fit["wildcards"]["session"] == "1"
    assert sorted(job["wildcards"]["session"] for job in jobs["growth_followup"]) == ["2", "3"]
    restarts = {job["wildcards"]["session"]: job["input"] for job in jobs["growth_evaluate"]}
    assert any("ses-1_space-growth_dseg" in path for path in restarts["2"])
    assert any("ses-2_space-baseline_dseg" in path for path in restarts["3"])
    assert not {"segment", "growth_settings", "growth_diffusion"} & {
        rule for rule, found in jobs.items() if found
    }


def test_the_experiment_takes_the_last_session_of_each_subject_that_has_two(tmp_path):
    rows = [*course(tmp_path, "01"), *course(tmp_path, "02", sessions=2), *course(tmp_path, "03", sessions=1)]
    jobs = jobs_of(tmp_path, rows, "growth_experiment")
    tried = {(job["wildcards"]["subject"], job["wildcards"]["session"]) for job in jobs["growth_settings"]}
    assert tried == {("01", "3"), ("02", "2")}
    assert len(jobs["growth_experiment_cohort"]) == 1
    assert "growth_fit" not in {rule for rule, found in jobs.items() if found}


def test_without_later_sessions_there_is_no_experiment(tmp_path):
    sheet = write_sheet(tmp_path / "samples.tsv", course(tmp_path, sessions=1))
    found = plan(tmp_path, sheet, arguments=("growth_experiment",))
    assert found.status == 1
    assert "no subject has two sessions with a label map; list later sessions, with days" in found.output


def test_a_session_without_a_label_map_is_segmented_first(tmp_path):
    jobs = jobs_of(tmp_path, [session(tmp_path)], "growth")
    assert len(jobs["growth_fit"]) == len(jobs["segment"]) == 1
    assert any(path.endswith("space-ref_dseg.nii.gz") for path in jobs["growth_space"][0]["input"])


def test_a_diffusion_weighted_scan_or_the_tensor_of_an_atlas_is_used(tmp_path):
    for name in ("dwi.nii.gz", "dwi.bval", "dwi.bvec", "tensor.nii.gz"):
        (tmp_path / name).touch()
    with_scan = [labelled(tmp_path, "01", dwi="dwi.nii.gz")]
    jobs = jobs_of(tmp_path, with_scan, "growth")
    assert jobs["growth_diffusion"][0]["params"]["measured"]
    assert any(path.endswith("tensor.nii.gz") for path in jobs["growth_fit"][0]["input"])
    tensor = {"tissue": {"tensor": str(tmp_path / "tensor.nii.gz")}}
    jobs = jobs_of(tmp_path, [labelled(tmp_path, "01")], "growth", growth=tensor)
    assert not jobs["growth_diffusion"][0]["params"]["measured"]


@pytest.mark.parametrize("wanted", [True, False])
def test_growth_is_part_of_everything_only_if_asked_for(tmp_path, wanted):
    rows = [labelled(tmp_path, "01")]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    found = plan(tmp_path, sheet, growth={"in_all": wanted})
    assert ("growth_fit" in found.jobs) is wanted


def test_other_parameters_of_the_fit_repeat_no_registration(tmp_path):
    """What a fit is told is no parameter of the tissue's job."""
    rows = course(tmp_path, **READY)
    first, second = (jobs_of(tmp_path, rows, "growth", growth={"restarts": n}) for n in (10, 20))
    for rule in ("growth_space", "growth_tissue", "growth_followup", "growth_plans"):
        assert [job["params"] for job in first[rule]] == [job["params"] for job in second[rule]]
    assert first["growth_fit"][0]["params"] != second["growth_fit"][0]["params"]
