"""What is planned for features: their inputs, the order of a subject's sessions, and what the config adds."""

from pathlib import Path

import pytest
from cohorts import facts, labelled, plan, session, write_sheet


def jobs_of(folder: Path, rows: list[dict[str, str]], **config: object) -> dict[str, list[dict]]:
    found = facts(folder, write_sheet(folder / "samples.tsv", rows), **config)
    return {rule: [job for job in found["jobs"] if job["rule"] == rule] for rule in found["rules"]}


def by_session(jobs: list[dict]) -> dict[str, list[str]]:
    return {job["wildcards"]["session"]: job["input"] for job in jobs}


def test_a_session_is_compared_with_all_earlier_ones_by_days(tmp_path: Path) -> None:
    days = {"c": "180", "a": "0", "b": "90"}
    jobs = jobs_of(tmp_path, [session(tmp_path, number=n, days=d) for n, d in days.items()])
    earlier = {
        number: [path.split("/")[3] for path in inputs if path.endswith("_features.tsv")]
        for number, inputs in by_session(jobs["features"]).items()
    }
    assert earlier == {"a": [], "b": ["ses-a"], "c": ["ses-a", "ses-b"]}
    assert {job["wildcards"]["session"]: job["params"]["days"] for job in jobs["features"]} == {
        "a": 0,
        "b": 90,
        "c": 180,
    }


def test_the_table_of_a_cohort_takes_every_segmented_session(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    rows = [session(tmp_path, "01"), session(tmp_path, "02")]
    jobs = jobs_of(tmp_path, rows)
    (cohort,) = jobs["features_cohort"]
    assert sorted(path.split("/")[2] for path in cohort["input"]) == ["sub-01", "sub-02"]
    assert cohort["output"] == ["results/one/features.tsv", "results/one/features.json"]


@pytest.mark.parametrize("wanted", [True, False])
def test_growth_is_a_feature_only_where_it_is_part_of_everything(tmp_path: Path, wanted: bool) -> None:
    jobs = jobs_of(tmp_path, [labelled(tmp_path)], growth={"in_all": wanted})
    assert any(path.endswith("_fit.json") for path in jobs["features"][0]["input"]) is wanted
    assert bool(jobs["growth_fit"]) is wanted


def test_another_atlas_has_what_the_config_names_and_no_more(tmp_path: Path) -> None:
    files = {
        name: str(tmp_path / name) for name in ("sri24.nii.gz", "vent.nii.gz", "lobes.nii.gz", "lobes.tsv")
    }
    for path in files.values():
        Path(path).touch()
    atlas = {"name": "SRI24", "path": files["sri24.nii.gz"]}
    rows = [session(tmp_path)]
    config = {"atlas": atlas, "segment": {"models": ["flairbaseline"]}}
    jobs = jobs_of(tmp_path, rows, **config)
    assert not jobs["features_atlas"]
    assert len(jobs["features"]) == 1
    lobes = {"labels": files["lobes.nii.gz"], "names": files["lobes.tsv"]}
    features = {"ventricles": files["vent.nii.gz"], "lobes": lobes}
    jobs = jobs_of(tmp_path, rows, **config, features=features)
    (made,) = jobs["features_atlas"]
    assert [Path(path).name for path in made["output"]] == [
        "SRI24_label-ventricles_mask.nii.gz",
        "SRI24_label-ventricles_mask.json",
    ]
    names = {Path(path).name for path in jobs["features"][0]["input"]}
    assert {"SRI24_label-ventricles_mask.nii.gz", "lobes.nii.gz", "lobes.tsv"} <= names
    assert not any("label-WM" in name for name in names)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"neighbours": 8}, "features.neighbours"),
        ({"lobes": {"labels": "lobes.nii.gz"}}, "features.lobes"),
        ({"ventricles": "nowhere.nii.gz"}, "features.ventricles"),
        ({"lobes": {"labels": "nowhere.nii.gz", "names": "nowhere.tsv"}}, "features.lobes.labels"),
    ],
)
def test_a_mistake_in_the_settings_is_told_before_anything_starts(
    tmp_path: Path, features: dict, said: str
) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path)])
    planned = plan(tmp_path, sheet, features=features)
    assert planned.status == 1
    assert f"config, {said}" in planned.output
