"""What is planned for the target train, and what stops it before any job."""

from pathlib import Path

import pytest
from cohorts import facts, plan, session, write_sheet

COLUMNS = "cohort\tsubject\tsite\n"


def labelled(folder: Path, subject: str, **cells) -> dict[str, str]:
    """A row with an empty file as its label."""
    name = f"label_{subject}_{cells.get('number', '1')}.nii.gz"
    (folder / name).touch()
    return session(folder, subject, label=name, **cells)


def planned(folder: Path, rows: list[dict[str, str]], **config: object):
    sheet = write_sheet(folder / "samples.tsv", rows)
    return plan(folder, sheet, arguments=("train",), **config)


@pytest.mark.parametrize(
    ("rows", "train", "reason"),
    [
        ([{}], {}, "no session has a label; fill the column label"),
        ([{"label": "yes"}], {}, "config, train.folds"),
        ([{"label": "yes", "sequences": ("t1c",)}], {}, "no labelled session has t1n, t1c, t2w and t2f"),
        ([{"label": "yes"}], {"cohorts": ["two"]}, "train.cohorts: no sample sheet lists two"),
    ],
)
def test_what_cannot_be_trained_on_is_told_before_any_job(tmp_path, rows, train, reason):
    made = [
        labelled(tmp_path, f"{k}", **{key: value for key, value in row.items() if key != "label"})
        if "label" in row
        else session(tmp_path, f"{k}")
        for k, row in enumerate(rows)
    ]
    found = planned(tmp_path, made, train=train)
    assert found.status == 1
    assert reason in found.output, found.output
    assert "most recent call last" not in found.output


def test_a_training_has_a_job_for_each_fold_and_loss(tmp_path):
    rows = [labelled(tmp_path, f"{k}") for k in range(4)]
    rows.append(labelled(tmp_path, "9", sequences=("t1c",)))
    found = planned(tmp_path, rows, train={"folds": 2, "losses": ["dice_ce", "dice_topk"]})
    assert found.status == 0, found.output
    assert "one/9/1 has t1c only" in found.output
    assert found.jobs["reference_atlas"] == 4
    assert found.jobs["train_fold"] == found.jobs["train_validate"] == 4
    assert not {"segment", "fuse", "normalise"} & set(found.jobs)
    assert {rule for rule, asked in found.resources if asked.get("gpu")} == {"train_fold", "train_validate"}


def test_sessions_of_a_subject_share_its_fold_and_sites_are_spread(tmp_path):
    rows = [labelled(tmp_path, f"{k}", number=f"{n}", days=f"{n}") for k in range(6) for n in (1, 2)]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    table = tmp_path / "people.tsv"
    table.write_text(COLUMNS + "".join(f"one\t{k}\t{'north' if k < 2 else 'south'}\n" for k in range(6)))
    jobs = facts(tmp_path, sheet, "train", participants=str(table), train={"folds": 2})["jobs"]
    (job,) = (job for job in jobs if job["rule"] == "train_dataset")
    cases = job["params"]["cases"]
    assert len(cases) == 12
    folds = {case["subject"]: {c["fold"] for c in cases if c["subject"] == case["subject"]} for case in cases}
    assert all(len(found) == 1 for found in folds.values())
    north = [folds[f"{k}"] for k in range(2)]
    assert sorted(fold for found in north for fold in found) == [0, 1]
    validated = [job for job in jobs if job["rule"] == "train_validate"]
    seen = [{case["name"] for case in job["params"]["cases"]} for job in validated]
    assert not seen[0] & seen[1]
    assert len(seen[0] | seen[1]) == 12
