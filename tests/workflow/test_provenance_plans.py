"""Which jobs tell the provenance of which cohorts, and what a cohort's description is made anew for."""

from pathlib import Path

from cohorts import facts, plan, session, write_sheet


def two_cohorts(folder: Path) -> Path:
    return write_sheet(folder / "samples.tsv", [session(folder), session(folder, cohort="two")])


def test_only_cohorts_with_results_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "out" / "results" / "two").mkdir(parents=True)
    planned = plan(tmp_path, two_cohorts(tmp_path), arguments=("provenance",))
    assert planned.status == 0, planned.output
    assert planned.jobs == {"provenance_cohort": 1, "provenance": 1}


def test_before_any_results_it_is_said_what_to_do(tmp_path: Path) -> None:
    planned = plan(tmp_path, two_cohorts(tmp_path), arguments=("provenance",))
    assert planned.status != 0
    assert "provenance: there are no results yet; run the workflow first" in planned.output


def described(folder: Path, sheet: Path, **config: object) -> dict:
    """What the description of each cohort is made of."""
    jobs = facts(folder, sheet, **config)["jobs"]
    chosen = [job for job in jobs if job["rule"] == "dataset_description"]
    return {job["wildcards"]["cohort"]: job["params"]["facts"] for job in chosen}


def test_a_description_is_of_the_sheets_settings_and_models_of_its_cohort(tmp_path: Path) -> None:
    sheet = two_cohorts(tmp_path)
    first = described(tmp_path, sheet)["one"]
    assert [entry["Name"] for entry in first["sheets"]] == ["samples.tsv"]
    assert {"gliaflowbrain", "gliaflowtumour"} <= {model["Name"] for model in first["models"]}
    assert all(len(model["Sha256"]) == 64 for model in first["models"])
    assert described(tmp_path, sheet, seed=7)["one"]["config_sha256"] != first["config_sha256"]


def test_no_job_of_a_session_knows_of_other_rows(tmp_path: Path) -> None:
    """Else a row more would run it again."""
    short = write_sheet(tmp_path / "short.tsv", [session(tmp_path)])
    longer = write_sheet(tmp_path / "longer.tsv", [session(tmp_path), session(tmp_path, "02")])
    before, after = (facts(tmp_path, sheet)["jobs"] for sheet in (short, longer))
    of_session = [job for job in before if job["wildcards"].get("subject") == "01"]
    known = {tuple(job["output"]): job["params"] for job in after}
    assert len(of_session) > 30
    changed = [
        job["rule"]
        for job in of_session
        if without_sheet(known[tuple(job["output"])]) != without_sheet(job["params"])
    ]
    assert changed == []


def without_sheet(params: dict) -> str:
    """Parameters as text, whatever the sheet is called."""
    return str(params).replace("short.tsv", "longer.tsv")
