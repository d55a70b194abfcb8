"""What is planned for the target train, and what stops it before any job."""

from pathlib import Path

import pytest
from cohorts import REPOSITORY, facts, plan, session, write_sheet

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


READY = {"stripped": "yes", "registered": "atlas"}
PREPARING = {
    "convert",
    "n4",
    "coregister",
    "brain_mask",
    "register_atlas",
    "resample_atlas",
    "reference_atlas",
}


def test_stripped_sessions_on_the_atlas_grid_are_taken_by_one_job(tmp_path):
    rows = [labelled(tmp_path, f"{k}", **READY) for k in range(4)]
    found = planned(tmp_path, rows, train={"folds": 2})
    assert found.status == 0, found.output
    assert found.jobs["train_take"] == found.jobs["atlas"] == 1
    assert not PREPARING & set(found.jobs)


def test_only_what_is_not_ready_is_prepared(tmp_path):
    rows = [labelled(tmp_path, f"{k}", **(READY if k < 3 else {"stripped": "yes"})) for k in range(4)]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    jobs = facts(tmp_path, sheet, "train", train={"folds": 2})["jobs"]
    count = {rule: sum(job["rule"] == rule for job in jobs) for rule in ("train_take", "reference_atlas")}
    assert count == {"train_take": 1, "reference_atlas": 1}
    (dataset,) = (job for job in jobs if job["rule"] == "train_dataset")
    taken = [path for path in dataset["input"] if path.startswith("training/")]
    assert taken == ["training/trained/taken"]
    assert len(dataset["input"]) == 1 + 4 + 1
    first, *_, last = dataset["params"]["cases"]
    assert first["label"] == "training/trained/taken/one_0_1/label.nii.gz"
    assert first["images"]["t1c"] == str(tmp_path / "one_0_1_t1c.nii.gz")
    assert "taken" not in last
    assert last["label"].startswith("results/one/sub-3/")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"preprocess": {"n4": "apply"}}, None),
        ({"train": {"folds": 2, "folds_trained": 3}}, "train.folds_trained: 3: is more than train.folds, 2"),
    ],
)
def test_what_keeps_sessions_from_being_taken(tmp_path, config, message):
    rows = [labelled(tmp_path, f"{k}", **READY) for k in range(2)]
    found = planned(tmp_path, rows, **{"train": {"folds": 2}} | config)
    assert (message or "") in found.output
    assert found.status == (1 if message else 0), found.output
    assert "train_take" not in found.jobs


def test_the_first_folds_alone_are_trained_and_looked_at(tmp_path):
    rows = [labelled(tmp_path, f"{k}", **READY) for k in range(6)]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    jobs = facts(tmp_path, sheet, "train", train={"folds": 3, "folds_trained": 1})["jobs"]
    assert [job["wildcards"]["fold"] for job in jobs if job["rule"] == "train_fold"] == ["0"]
    (tuned,) = (job for job in jobs if job["rule"] == "train_tune")
    assert [case["fold"] for case in tuned["params"]["cases"]] == [0, 0]
    (dataset,) = (job for job in jobs if job["rule"] == "train_dataset")
    assert len(dataset["params"]["cases"]) == 6


def head(folder: Path, subject: str, **cells) -> dict[str, str]:
    """A row with an empty file as its brain mask."""
    (folder / f"mask_{subject}.nii.gz").touch()
    return session(folder, subject, brain_mask=f"mask_{subject}.nii.gz", **cells)


def test_each_sequence_of_a_head_is_a_case_in_the_fold_of_its_subject(tmp_path):
    rows = [
        head(tmp_path, "1", registered="ref"),
        head(tmp_path, "2", sequences=("t2f",)),
        head(tmp_path, "3", sequences=("t1c", "t2f")),
        session(tmp_path, "4"),
    ]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    train = {"target": "brain", "folds": 3, "sequence_dropout": 0.5}
    jobs = facts(tmp_path, sheet, "train", train=train)["jobs"]
    rules = [job["rule"] for job in jobs]
    assert rules.count("train_take") == 1
    assert rules.count("convert") == rules.count("brain_mask_native") == 2
    assert not {"resample_atlas", "register_atlas", "atlas", "reference_atlas"} & set(rules)
    (take,) = (job for job in jobs if job["rule"] == "train_take")
    tasks = {task["name"]: task for task in take["params"]["tasks"]}
    assert tasks["one_1_1_t2w"]["image"] == str(tmp_path / "one_1_1_t2w.nii.gz")
    assert tasks["one_2_1_t2f"]["mask"] == str(tmp_path / "mask_2.nii.gz")
    assert tasks["one_3_1_t1c"]["image"].startswith("results/one/sub-3/")
    assert take["params"]["spacing_mm"] == 2.0
    (dataset,) = (job for job in jobs if job["rule"] == "train_dataset")
    cases = dataset["params"]["cases"]
    assert {case["name"] for case in cases} == set(tasks)
    assert len(cases) == 7
    assert len({case["fold"] for case in cases if case["subject"] == "1"}) == 1
    (validated, *_) = (job for job in jobs if job["rule"] == "train_validate")
    assert validated["params"]["leave_out"] == []


def test_heads_without_masks_cannot_be_trained_on(tmp_path):
    found = planned(tmp_path, [session(tmp_path)], train={"target": "brain"})
    assert found.status == 1
    assert "no session is a whole head with a brain mask; fill the column brain_mask" in found.output


@pytest.mark.parametrize(("model", "row"), [("brain", head), ("tumour", labelled)])
def test_the_recipes_of_the_default_models_train_from_nothing(tmp_path, model, row):
    ready = {"registered": "ref"} if model == "brain" else READY
    sheet = write_sheet(tmp_path / "samples.tsv", [row(tmp_path, f"{k}", **ready) for k in range(12)])
    recipe = REPOSITORY / "config" / "recipes" / f"{model}.yaml"
    found = plan(tmp_path, sheet, recipes=[recipe], arguments=("train",), participants=None)
    assert found.status == 0, found.output
    assert found.jobs["train_fold"] == found.jobs["train_take"] == 1
    assert f"training/gliaflow{model}/folds/dice_ce/fold_0/checkpoint_final.pth" in found.output


def test_the_recipe_of_the_shipped_brain_model_goes_on_from_another(tmp_path):
    sheet = write_sheet(
        tmp_path / "samples.tsv", [head(tmp_path, f"{k}", registered="ref") for k in range(12)]
    )
    recipe = REPOSITORY / "config" / "recipes" / "brain_further.yaml"
    start = {"start": "resources/models/gliaflowbrain.zip"}
    found = plan(tmp_path, sheet, recipes=[recipe], arguments=("train",), participants=None, train=start)
    assert found.status == 0, found.output
    assert "training/gliaflowbrainfurther/folds/dice_ce/fold_0/checkpoint_final.pth" in found.output
