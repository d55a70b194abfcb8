"""Which jobs are planned for which cohort: the exact number of jobs of every rule."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from cohorts import (
    REPOSITORY,
    dicom,
    facts,
    labelled,
    plan,
    plan_of,
    session,
    snakemake,
    write_sheet,
)

Rows = list[dict[str, str]]
PER_SEQUENCE = ["convert", "n4", "coregister", "brain_mask_native"]
PER_SEQUENCE += ["resample_ref", "resample_atlas", "normalise"]
PER_SESSION = ["brain_mask", "register_atlas", "brain_mask_atlas", "qc_registration", "qc_brain_mask"]
PER_SESSION += ["report_session"]
PER_SEGMENTED = ["segment", "fuse", "labels", "qc_segmentation", "uncertainty", "review", "qc_uncertainty"]
PER_SEGMENTED += ["features", "qc_rano"]
NO_MODEL = "No model takes these sessions; they are preprocessed, not segmented:"


def jobs(*sequences: int, segmented: int | None = None, cohorts: int = 1, **changes: int) -> dict[str, int]:
    """Jobs for sessions with so many sequences each; every session is segmented unless said otherwise."""
    expected = dict.fromkeys(PER_SEQUENCE, sum(sequences))
    expected |= dict.fromkeys(PER_SESSION, len(sequences))
    expected |= dict.fromkeys(PER_SEGMENTED, len(sequences) if segmented is None else segmented)
    expected |= {"atlas": 1, "all": 1, "dataset_description": cohorts}
    expected |= {"features_atlas": 1, "features_cohort": cohorts} if segmented != 0 else {}
    expected |= changes
    return {rule: count for rule, count in expected.items() if count}


@dataclass(frozen=True)
class Case:
    name: str
    rows: Callable[[Path], Rows]
    expected: dict[str, int]
    config: Callable[[Path], dict] = field(default=lambda folder: {})


def preprocess(**settings: object) -> Callable[[Path], dict]:
    return lambda folder: {"preprocess": settings}


def own_atlas(folder: Path) -> dict:
    (folder / "sri24.nii.gz").touch()
    return {"atlas": {"name": "SRI24", "path": str(folder / "sri24.nii.gz")}}


def two_sessions(folder: Path) -> Rows:
    """The later one listed first: the days give the order."""
    return [session(folder, number="b", days="90"), session(folder, number="a", days="0")]


def every_form(folder: Path) -> Rows:
    """One session of a folder, an archive, a file and a study; one of a study alone."""
    mixed = session(folder, sequences=("t2w",), t1n=dicom(folder, "t1n"), t1c=dicom(folder, "t1c.zip"))
    other = {"cohort": "one", "subject": "02", "session": "1", "dicom": dicom(folder, "other.zip")}
    return [mixed | {"dicom": dicom(folder, "study")}, other]


CASES = [
    Case("four sequences", lambda f: [session(f)], jobs(4)),
    Case("no t1n", lambda f: [session(f, sequences=("t1c", "t2w", "t2f"))], jobs(3)),
    Case("no t1c", lambda f: [session(f, sequences=("t1n", "t2w", "t2f"))], jobs(3)),
    Case("only t2f", lambda f: [session(f, sequences=("t2f",))], jobs(1)),
    Case("two sessions", two_sessions, jobs(4, 4, register_session=1)),
    Case(
        "two sessions, syn",
        two_sessions,
        jobs(4, 4, register_session=1, register_session_syn=1),
        preprocess(longitudinal="syn"),
    ),
    Case("folder, zip, study and NIfTI", every_form, jobs(4, 4, sort_study=2)),
    Case(
        "a study with fewer sequences expected",
        lambda f: [{**session(f, sequences=()), "dicom": dicom(f, "study")}],
        jobs(2, sort_study=1),
        lambda folder: {"convert": {"expect": ["t1c", "t2f"]}},
    ),
    Case("n4 off", lambda f: [session(f)], jobs(4, n4=0), preprocess(n4="off")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_kind_of_cohort_has_exactly_its_jobs(case: Case, tmp_path: Path) -> None:
    planned = plan_of(tmp_path, case.rows(tmp_path), **case.config(tmp_path))
    assert planned.status == 0, planned.output
    assert planned.jobs == case.expected
    assert NO_MODEL not in planned.output


def baseline(folder: Path) -> str:
    """A model table with the training-free baseline only, whatever else comes with the workflow."""
    entry = {"name": "flairbaseline", "kind": "flair_baseline", "sequences": ["t2f"], "regions": ["WT"]}
    (folder / "baseline.yaml").write_text(yaml.safe_dump({"segmentation": [entry | {"licence": "MIT"}]}))
    return str(folder / "baseline.yaml")


def test_a_session_that_no_model_takes_is_preprocessed_and_named(tmp_path: Path) -> None:
    """Another session of the cohort is segmented nevertheless."""
    rows = [session(tmp_path), session(tmp_path, "02", sequences=("t1n", "t1c", "t2w"))]
    planned = plan_of(tmp_path, rows, models=baseline(tmp_path))
    assert planned.jobs == jobs(4, 3, segmented=1), planned.output
    assert f"{NO_MODEL}\none/02/1 has t1n, t1c and t2w; flairbaseline needs t2f\n" in planned.output


def test_cohorts_in_two_sheets_share_one_run_and_one_atlas(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = write_sheet(tmp_path / "first.tsv", [session(tmp_path)])
    second = write_sheet(tmp_path / "other" / "second.tsv", [session(tmp_path / "other", cohort="two")])
    planned = plan(tmp_path, first, second)
    assert planned.status == 0, planned.output
    assert planned.jobs == jobs(4, 4, cohorts=2)


def test_one_file_plans_only_what_it_needs(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path), session(tmp_path, "02")])
    target = "results/one/sub-02/ses-1/anat/sub-02_ses-1_space-ref_t2f.nii.gz"
    planned = plan(tmp_path, sheet, arguments=(target,))
    assert planned.jobs == {"convert": 2, "n4": 2, "coregister": 1, "resample_ref": 1}, planned.output


def test_three_hundred_sessions_are_planned(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, f"{n:03}") for n in range(300)])
    planned = plan(tmp_path, sheet, arguments=("--quiet", "rules"))
    assert planned.jobs == jobs(*[4] * 300), planned.output[-2000:]


def test_no_header_is_read_while_planning(tmp_path: Path) -> None:
    """A pipe that nobody writes to stops whoever opens it: the run would hang."""
    rows = every_form(tmp_path)
    for place in ("t1n", "study"):
        (tmp_path / place / "IM0001").unlink()
        os.mkfifo(tmp_path / place / "IM0001")
    assert plan_of(tmp_path, rows).jobs == jobs(4, 4, sort_study=2)


def hdbet(weights: Path) -> dict:
    return {"preprocess": {"brain_extraction": {"method": "hd-bet", "weights": str(weights)}}}


def fill_weights(folder: Path) -> Path:
    """A folder that has the files of HD-BET's release, all empty."""
    (folder / "fold_all").mkdir(parents=True)
    for name in ("plans.json", "dataset.json", "fold_all/checkpoint_final.pth"):
        (folder / name).touch()
    return folder


def table_with_checksum(folder: Path, repository: Path) -> str:
    """The table of models with a checksum for HD-BET's weights."""
    table = yaml.safe_load((repository / "config" / "models.yaml").read_text(encoding="utf-8"))
    weights = next(entry for entry in table["brain_extraction"] if entry["name"] == "hd-bet")
    assert weights["sha256"] is None
    weights["sha256"] = "a" * 64
    (folder / "models.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    return str(folder / "models.yaml")


def test_hdbet_without_weights_stops_before_any_job(tmp_path: Path) -> None:
    planned = plan_of(tmp_path, [session(tmp_path)], **hdbet(tmp_path / "nowhere"))
    assert planned.status != 0
    assert planned.jobs == {}
    assert f"{tmp_path / 'nowhere'}: has no weights of HD-BET" in planned.output
    assert "Traceback (most recent call last)" not in planned.output


def test_hdbet_with_weights_asks_for_a_gpu(tmp_path: Path) -> None:
    """Only where the brain has to be found: not for the session that is stripped."""
    rows = [session(tmp_path), session(tmp_path, "02", stripped="yes")]
    planned = plan_of(tmp_path, rows, **hdbet(fill_weights(tmp_path / "weights")))
    assert planned.jobs == jobs(4, 4), planned.output
    on_gpu = [rule for rule, asked in planned.resources if asked.get("gpu")]
    assert on_gpu == ["brain_mask"]


def test_hdbet_weights_with_a_checksum_are_fetched(tmp_path: Path, repository: Path) -> None:
    config = {"preprocess": {"brain_extraction": {"method": "hd-bet"}}}
    models = table_with_checksum(tmp_path, repository)
    planned = plan_of(tmp_path, [session(tmp_path)], models=models, **config)
    assert planned.jobs == jobs(4, fetch_hdbet=1), planned.output


def trained_model(folder: Path, **keys: object) -> dict:
    """A config with one trained model, for t1c and t2f, of which a session may lack t1c."""
    (folder / "weights").mkdir()
    entry = {"name": "tiny", "kind": "nnunet", "sequences": ["t1c", "t2f"], "optional": ["t1c"]}
    entry |= {"path": "weights", "regions": ["WT", "TC", "ET"], "licence": "MIT", **keys}
    (folder / "tiny.yaml").write_text(yaml.safe_dump({"segmentation": [entry]}))
    return {"models": str(folder / "tiny.yaml")}


def test_each_session_is_fused_from_its_own_folder_of_a_shared_job(tmp_path: Path) -> None:
    """Three sessions of a cohort make two jobs of at most two; the other cohort has a job of its own."""
    rows = [*[session(tmp_path, f"{n:02}") for n in range(3)], session(tmp_path, cohort="two")]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    config = {"segment": {"sessions_per_job": 2}, **trained_model(tmp_path)}
    found = facts(tmp_path, sheet, **config)["jobs"]
    made = {
        path: [task["name"] for task in job["params"]["tasks"]]
        for job in found
        if job["rule"] == "segment_shared"
        for path in job["output"]
    }
    assert sorted(made.values()) == [["sub-00_ses-1", "sub-01_ses-1"], ["sub-01_ses-1"], ["sub-02_ses-1"]]
    for job in (job for job in found if job["rule"] == "fuse"):
        assert job["wildcards"]["cohort"] in job["input"][0]
        (source,) = job["params"]["sources"]
        assert source["within"] in made[job["input"][0]]
        assert job["wildcards"]["subject"] in source["within"]


def test_the_baseline_shares_no_loading(tmp_path: Path) -> None:
    rows = [session(tmp_path), session(tmp_path, "02")]
    planned = plan_of(tmp_path, rows, segment={"sessions_per_job": 9}, models=baseline(tmp_path))
    assert planned.jobs == jobs(4, 4), planned.output


def test_a_model_is_given_the_sequences_that_are_there(tmp_path: Path) -> None:
    rows = [session(tmp_path), session(tmp_path, "02", sequences=("t2w", "t2f"))]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    post = {"postprocess": {"threshold": {"ET": 0.4}}}
    config = trained_model(tmp_path, **post) | FILL_HOLES
    found = facts(tmp_path, sheet, **config)["jobs"]
    (whole,), (fewer,) = select(found, "segment", "01"), select(found, "segment", "02")
    assert (whole["params"]["inputs"], fewer["params"]["inputs"]) == (["t1c", "t2f"], ["t2f"])
    (fuse,) = select(found, "fuse", "02")
    said = fuse["params"]["facts"]
    assert (said["Sequences"], said["MissingSequences"]) == (["t2f"], ["t1c"])
    (labels,) = select(found, "labels", "02")
    of_model, of_config = labels["params"]["postprocess"]
    assert (of_model["threshold"]["ET"], of_model["fill_holes"]) == (0.4, None)
    assert (of_config["threshold"]["ET"], of_config["fill_holes"]) == (None, True)


TRAINING = {"train_dataset": 1, "train_plan": 1, "train_preprocess": 1, "train_select": 1, "train_tune": 1}
TRAINING |= {"train_export": 1, "train": 1}


def training(*sequences: int, folds: int, losses: int = 1, **changes: int) -> dict[str, int]:
    """Jobs of a training on sessions with so many sequences each: nothing of them but what it looks at."""
    per_sequence = dict.fromkeys(["convert", "n4", "coregister", "resample_atlas"], sum(sequences))
    steps = ["brain_mask", "register_atlas", "brain_mask_atlas", "reference_atlas"]
    per_fold = dict.fromkeys(["train_fold", "train_validate"], folds * losses)
    per_session = dict.fromkeys(steps, len(sequences))
    return {**per_sequence, **per_session, **per_fold, **TRAINING, "atlas": 1} | changes


def test_a_training_plans_every_fold_of_every_loss(tmp_path: Path) -> None:
    rows = [*[labelled(tmp_path, f"0{n}") for n in range(3)], session(tmp_path, "unlabelled")]
    rows.append(labelled(tmp_path, "fewer", sequences=("t1c", "t2f")))
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    config = {"train": {"folds": 3, "losses": ["dice_ce", "dice_topk"]}}
    planned = plan(tmp_path, sheet, arguments=("train",), **config)
    assert planned.jobs == training(4, 4, 4, folds=3, losses=2), planned.output
    on_gpu = {rule for rule, asked in planned.resources if asked.get("gpu")}
    assert on_gpu == {"train_fold", "train_validate"}


def test_a_training_for_missing_sequences_takes_sessions_that_lack_some(tmp_path: Path) -> None:
    rows = [labelled(tmp_path), labelled(tmp_path, "fewer", sequences=("t1c", "t2f"))]
    rows += [labelled(tmp_path, "other", sequences=("t2w",)), labelled(tmp_path, "01", cohort="two")]
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    chosen = {"sequences": ["t1c", "t2f"], "cohorts": ["one"], "folds": 2, "sequence_dropout": 0.3}
    planned = plan(tmp_path, sheet, arguments=("train",), train=chosen)
    counts = training(4, 2, folds=2, resample_atlas=4)
    assert planned.jobs == counts, planned.output


@pytest.fixture(scope="module")
def planned_jobs(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The jobs of a cohort of odd sessions, with their inputs and parameters."""
    folder = tmp_path_factory.mktemp("odd")
    rows = [
        *two_sessions(folder),
        session(folder, "noT1c", sequences=("t1n", "t2w", "t2f")),
        session(folder, "ref", registered="ref"),
        session(folder, "atlas", registered="atlas"),
        session(folder, "stripped", stripped="yes"),
        session(folder, "given", brain_mask="brain.nii.gz"),
    ]
    (folder / "brain.nii.gz").touch()
    config = {
        "preprocess": {
            "n4": {"default": "registration", "t2w": "apply", "t2f": "off"},
            "brain_extraction": {"method": "embedded"},
        },
        **own_atlas(folder),
    }
    return facts(folder, write_sheet(folder / "samples.tsv", rows), **config)["jobs"]


@pytest.mark.parametrize("subject", ["noT1c", "ref", "atlas", "stripped", "given"])
def test_odd_sessions_have_exactly_their_jobs(planned_jobs: list[dict], subject: str) -> None:
    """What a session brings along changes what its jobs do, never which there are; N4 is off for t2f."""
    found = Counter(job["rule"] for job in planned_jobs if job["wildcards"].get("subject") == subject)
    count = 3 if subject == "noT1c" else 4
    assert found == jobs(count, n4=count - 1, cohorts=0, atlas=0, features_atlas=0, all=0)


def select(planned_jobs: list[dict], rule: str, subject: str = "01", **wildcards: str) -> list[dict]:
    wanted = {"subject": subject, **wildcards}.items()
    return [job for job in planned_jobs if job["rule"] == rule and wanted <= job["wildcards"].items()]


def kinds(planned_jobs: list[dict], rule: str, subject: str) -> set[str]:
    return {job["params"]["kind"] for job in select(planned_jobs, rule, subject)}


def names(job: dict) -> list[str]:
    """What a job reads, without the folders and the subject."""
    return [path.rsplit("/", 1)[-1].split("_", 2)[-1] for path in job["input"]]


def test_the_reference_is_t1c_or_the_first_sequence(planned_jobs: list[dict]) -> None:
    assert {names(job)[0] for job in select(planned_jobs, "coregister", "01")} == {"desc-n4_t1c.nii.gz"}
    assert {names(job)[0] for job in select(planned_jobs, "coregister", "noT1c")} == {"desc-n4_t1n.nii.gz"}


def test_scans_that_share_a_grid_are_not_registered(planned_jobs: list[dict]) -> None:
    assert kinds(planned_jobs, "coregister", "01") == {"none", "rigid"}
    assert len([j for j in select(planned_jobs, "coregister", "01") if j["params"]["kind"] == "none"]) == 2
    for subject in ("ref", "atlas"):
        assert kinds(planned_jobs, "coregister", subject) == {"none"}
    assert kinds(planned_jobs, "register_atlas", "atlas") == {"none"}
    assert kinds(planned_jobs, "register_atlas", "ref") == {"rigid"}


def test_the_brain_comes_from_the_sheet_where_it_is_given(planned_jobs: list[dict]) -> None:
    found = {j["wildcards"]["subject"]: j for j in planned_jobs if j["rule"] == "brain_mask"}
    methods = {subject: job["params"]["method"] for subject, job in found.items()}
    assert methods == {
        **dict.fromkeys(("01", "noT1c", "ref", "atlas"), "embedded"),
        "stripped": "stripped",
        "given": "given",
    }
    assert found["given"]["input"][-1].endswith("/brain.nii.gz")
    assert all("brain.nii.gz" not in names(job) for subject, job in found.items() if subject != "given")


def test_n4_reaches_what_the_config_says(planned_jobs: list[dict]) -> None:
    """Registration sees the corrected copy unless N4 is off; the results only where it is applied."""
    moving = {j["wildcards"]["sequence"]: names(j)[1] for j in select(planned_jobs, "coregister", "ref")}
    resampled = {
        j["wildcards"]["sequence"]: names(j)[0] for j in select(planned_jobs, "resample_atlas", "ref")
    }
    assert moving["t1n"] == "desc-n4_t1n.nii.gz"
    assert moving["t2f"] == "t2f.nii.gz"
    assert resampled == {
        "t1n": "t1n.nii.gz",
        "t1c": "t1c.nii.gz",
        "t2w": "desc-n4_t2w.nii.gz",
        "t2f": "t2f.nii.gz",
    }


def test_later_sessions_follow_the_first_by_days(planned_jobs: list[dict]) -> None:
    (between,) = select(planned_jobs, "register_session")
    assert between["wildcards"]["session"] == "b"
    assert ["ses-a" in path for path in between["input"]] == [True, False, True, False]
    (first,) = select(planned_jobs, "register_atlas", session="a")
    (later,) = select(planned_jobs, "register_atlas", session="b")
    assert any(path.endswith("SRI24_T1w.nii.gz") for path in first["input"])
    assert not any(path.endswith("SRI24_T1w.nii.gz") for path in later["input"])
    assert any("ses-a" in path and "to-SRI24" in path for path in later["input"])


def test_an_own_atlas_is_read_from_its_path(planned_jobs: list[dict]) -> None:
    (atlas,) = [job for job in planned_jobs if job["rule"] == "atlas"]
    assert [Path(path).name for path in atlas["input"]] == ["sri24.nii.gz"]
    assert all("MNI152" not in path for job in planned_jobs for path in job["output"])


PICTURES = {"qc_registration", "qc_brain_mask", "qc_segmentation", "qc_uncertainty", "qc_rano"}
TABLES = {"features", "features_cohort"}
ENDS = {"report_session", "all"}
REVIEW = {"uncertainty": {"review": {"entropy_above": 0.7}}}
FILL_HOLES = {"segment": {"postprocess": {"fill_holes": True}}}
FILES_OF_N4_ON = {
    *("n4", "coregister", "brain_mask", "brain_mask_native", "resample_ref", "register_atlas"),
    *("brain_mask_atlas", "resample_atlas", "normalise", "segment", "fuse", "labels"),
    *("uncertainty", "review"),
    *PICTURES,
    *TABLES,
    *ENDS,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder where Snakemake takes a cohort for finished, all outputs being there, and its sheet."""
    folder = tmp_path_factory.mktemp("finished")
    sheet = write_sheet(folder / "samples.tsv", [session(folder)])
    models = baseline(folder)
    for path in (path for job in facts(folder, sheet, models=models)["jobs"] for path in job["output"]):
        place = folder / "out" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir() if path.endswith("members") else place.touch()
    place = ("--directory", folder / "out", "--config", f"samples=['{sheet}']", f"models={models}")
    touched = snakemake("--touch", "--cores", "1", *place)
    assert touched.status == 0, touched.output
    return folder, sheet


@pytest.mark.parametrize(
    ("config", "rerun"),
    [
        ({}, set()),
        ({"preprocess": {"n4_settings": {"shrink": 5}}}, FILES_OF_N4_ON),
        ({"report": {"dpi": 80}}, PICTURES | ENDS),
        (FILL_HOLES, PICTURES | TABLES | ENDS | {"labels", "review"}),
        (REVIEW, TABLES | ENDS | {"review", "qc_uncertainty"}),
        ({"features": {"bins": 16}}, TABLES | ENDS),
        ({"segment": {"tta": False}, "train": {"epochs": 9}, "labels": "nnunet"}, set()),
    ],
    ids=[
        *("nothing changed", "an n4 setting", "a report setting", "post-processing", "a limit of the review"),
        "a setting of the features",
        "of no model in use",
    ],
)
def test_a_changed_setting_reruns_what_depends_on_it(
    finished: tuple[Path, Path], config: dict, rerun: set[str]
) -> None:
    planned = plan(*finished, models=baseline(finished[0]), **config)
    assert planned.status == 0, planned.output
    assert set(planned.jobs) == rerun, planned.output


def test_a_relative_sheet_is_found_where_the_command_is_typed(tmp_path: Path) -> None:
    typed = tmp_path / "here"
    typed.mkdir()
    write_sheet(typed / "mine.tsv", [session(typed)])
    place = ["--directory", "out", "--snakefile", REPOSITORY / "Snakefile", "--config", "samples=[mine.tsv]"]
    command = ["env", f"PWD={typed}", sys.executable, "-m", "snakemake", "-n", "--cores", "1", *place]
    done = subprocess.run(command, cwd=typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_later_sessions_on_the_atlas_grid_are_not_registered(tmp_path: Path) -> None:
    state = {"registered": "atlas", "stripped": "yes"}
    rows = [session(tmp_path, number=n, days=d, **state) for n, d in (("1", "0"), ("2", "90"))]
    planned = plan_of(tmp_path, rows)
    assert planned.status == 0, planned.output
    assert "register_session" not in planned.jobs
    assert planned.jobs["register_atlas"] == 2


def test_syn_leaves_out_sessions_without_a_segmentation(tmp_path: Path) -> None:
    rows = [
        session(tmp_path, number="1", days="0", sequences=("t1c",)),
        session(tmp_path, number="2", days="9"),
    ]
    planned = plan_of(tmp_path, rows, preprocess={"longitudinal": "syn"}, models=baseline(tmp_path))
    assert planned.status == 0, planned.output
    assert "register_session_syn" not in planned.jobs
    assert planned.jobs["segment"] == 1


def test_a_sequence_that_a_session_lacks_cannot_be_asked_for(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "samples.tsv", [session(tmp_path, sequences=("t1c", "t2f"))])
    target = "results/one/sub-01/ses-1/anat/sub-01_ses-1_t1n.nii.gz"
    planned = plan(tmp_path, sheet, arguments=(target,))
    assert planned.status != 0
    assert "one/01/1 has no t1n" in planned.output
