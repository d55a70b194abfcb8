"""What the page of a session waits for."""

from pathlib import Path

import pytest
from cohorts import facts, session, write_sheet


def page_jobs(folder: Path, **config: object) -> dict[tuple[str, str], list[str]]:
    """The inputs of each page: of a subject with two sessions, and of one that no model takes."""
    rows = [session(folder, number="1", days="0"), session(folder, number="2", days="90")]
    rows.append(session(folder, "02", sequences=("t1n",)))
    found = facts(folder, write_sheet(folder / "samples.tsv", rows), **config)
    pages = [job for job in found["jobs"] if job["rule"] == "report_session"]
    return {(job["wildcards"]["subject"], job["wildcards"]["session"]): job["input"] for job in pages}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[str]]:
    return page_jobs(tmp_path_factory.mktemp("pages"))


def test_every_session_has_a_page_that_waits_for_no_other_subject(
    pages: dict[tuple[str, str], list[str]],
) -> None:
    assert set(pages) == {("01", "1"), ("01", "2"), ("02", "1")}
    for (subject, number), inputs in pages.items():
        assert inputs
        elsewhere = [p for p in inputs if not p.startswith(f"results/one/sub-{subject}/ses-{number}/")]
        expected = ["results/one/sub-01/ses-1/seg/sub-01_ses-1_features.tsv"] if number == "2" else []
        assert elsewhere == expected


@pytest.mark.parametrize("in_all", [False, True])
def test_a_page_waits_for_growth_where_that_is_part_of_everything(tmp_path: Path, in_all: bool) -> None:
    grown = {
        key: {Path(path).name for path in inputs if "growth" in path or "followup" in path}
        for key, inputs in page_jobs(tmp_path, growth={"in_all": in_all}).items()
    }
    plans = ("margin15_mask", "margin20_mask", "model_mask", "median_invasion")
    made = {f"sub-01_ses-1_space-growth_desc-{name}.nii.gz" for name in plans} | {"sub-01_ses-1_growth.png"}
    assert grown["01", "1"] == (made if in_all else set())
    assert ("sub-01_ses-2_followup.png" in grown["01", "2"]) is in_all
