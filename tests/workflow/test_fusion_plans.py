"""What is planned where several models or others' label maps are fused, and where there is a reference."""

from pathlib import Path

import pytest
from cohorts import facts, labelled, plan_of, session, write_sheet


def others(folder: Path, *names: str, subjects: tuple[str, ...] = ("01",)) -> list[dict]:
    """Entries of external label maps, and their files of zero bytes."""
    for name in names:
        for subject in subjects:
            (folder / f"{subject}_1_{name}.nii.gz").touch()
    return [{"name": n, "path": str(folder / f"{{subject}}_{{session}}_{n}.nii.gz")} for n in names]


def test_a_session_is_given_to_one_model_or_to_all_that_take_it(tmp_path: Path) -> None:
    rows = [session(tmp_path), session(tmp_path, "02", sequences=("t1c",))]
    assert plan_of(tmp_path, rows).jobs["segment"] == 2
    planned = plan_of(tmp_path, rows, segment={"ensemble": True})
    assert planned.status == 0, planned.output
    # the FLAIR baseline does not take the second one
    assert (planned.jobs["segment"], planned.jobs["fuse"], planned.jobs["uncertainty"]) == (3, 2, 2)


def test_label_maps_that_were_made_elsewhere_are_fused_with_the_models(tmp_path: Path) -> None:
    external = others(tmp_path, "one", "two", "three")
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path)])
    known = facts(tmp_path, sheet, segment={"external": external}, fuse={"method": "staple"})
    jobs = [job for job in known["jobs"] if job["rule"] in {"segment", "external"}]
    assert sorted(job["rule"] for job in jobs) == ["external"] * 3 + ["segment"]
    (fuse,) = [job for job in known["jobs"] if job["rule"] == "fuse"]
    assert {path for job in jobs for path in job["output"]} < set(fuse["input"])
    assert fuse["params"]["facts"]["Model"] == "gliaflowtumour+one+two+three"


def test_label_maps_alone_need_no_model(tmp_path: Path) -> None:
    external = others(tmp_path, "one", "two")
    planned = plan_of(tmp_path, [session(tmp_path)], segment={"models": [], "external": external})
    assert planned.status == 0, planned.output
    assert (planned.jobs["external"], planned.jobs["labels"]) == (2, 1)
    assert "segment" not in planned.jobs


WRONG = {
    "missing": (
        {"external": [{"name": "one", "path": "x_{subject}.nii.gz"}]},
        {},
        "one: one/01/1: has no file",
    ),
    "model": (
        {"external": [{"name": "flairbaseline", "path": "x.nii"}]},
        {},
        "'flairbaseline': is the name of a",
    ),
    "weights": ({}, {"method": "weighted", "weights": {"two": 1}}, "'two'"),
    "source": ({}, {"method": "source", "source": {"WT": "gliaflowtumour"}}, "fuse.source: "),
}


@pytest.mark.parametrize(("segment", "fuse", "reason"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_fused_stops_the_run_before_any_job(
    tmp_path: Path, segment: dict, fuse: dict, reason: str
) -> None:
    planned = plan_of(tmp_path, [session(tmp_path)], segment=segment, fuse=fuse)
    assert planned.status == 1
    assert reason in planned.output, planned.output
    assert not planned.jobs
    assert "Traceback" not in planned.output


def test_sessions_with_a_reference_are_evaluated_and_so_is_their_cohort(tmp_path: Path) -> None:
    rows = [
        labelled(tmp_path),
        labelled(tmp_path, "02"),
        session(tmp_path, "03"),
        session(tmp_path, cohort="two"),
    ]
    planned = plan_of(tmp_path, rows)
    assert planned.status == 0, planned.output
    assert (planned.jobs["evaluate"], planned.jobs["evaluate_cohort"]) == (2, 1)


def test_a_reference_without_a_segmentation_is_not_evaluated(tmp_path: Path) -> None:
    planned = plan_of(tmp_path, [labelled(tmp_path)], segment={"models": []})
    assert planned.status == 0, planned.output
    assert "evaluate" not in planned.jobs
