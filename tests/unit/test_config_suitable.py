"""Before any job: whether models fit the config, their files the model table, and sessions the models."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from brain_files import brain_package
from hypothesis import given
from hypothesis import strategies as st
from nnunet_files import DATASET, PLANS, checkpoint, manifest, public_files, write_files
from session_files import make_session

from gliaflow.config.models import Model, ModelTable, Weights, read_models
from gliaflow.config.schema import FOLDER
from gliaflow.config.session import Session
from gliaflow.config.settings import complete_config
from gliaflow.config.suitable import (
    candidate_models,
    check_brain_model,
    check_label_cohorts,
    check_models,
    misfits,
    unsegmented,
)
from gliaflow.errors import ConfigError
from gliaflow.labels import SEQUENCES
from gliaflow.nnunet.package import write_package

TINY = Model(
    name="tiny",
    kind="nnunet",
    description="",
    path=None,
    url=None,
    sha256=None,
    sequences=("t1c", "t2f"),
    optional=("t1c",),
    regions=("WT", "TC", "ET"),
    target="tumour",
    atlas="any",
    labels="gliaflow",
    orientation="RAS",
    configuration=None,
    postprocess={},
    licence="MIT",
    n4=None,
    gpu=False,
)
SETS = st.sets(st.sampled_from(SEQUENCES))


def mistakes(*models: Model, **preprocess: Any) -> list[str]:
    """The lines about these models; none where they fit."""
    try:
        check_models(models, complete_config({"preprocess": preprocess}))
    except ConfigError as error:
        lines = str(error).splitlines()
        return lines[1:] if lines[0].endswith("mistakes:") else lines
    return []


def session(*expected: str, subject: str = "01") -> Session:
    """A session that has these sequences."""
    return make_session(expected=expected, subject=subject)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model whose package and entry agree."""
    path = tmp_path_factory.mktemp("package") / "tiny.zip"
    sha256 = write_package(
        path, manifest(), plans=PLANS, dataset=DATASET, checkpoints={"0": checkpoint()}, card="card"
    )
    return replace(TINY, path=path, sha256=sha256, atlas="SRI24")


@pytest.mark.parametrize(
    ("have", "takes", "lacks"),
    [
        ({"t1c", "t2f"}, True, ()),
        ({"t2f"}, True, ()),
        ({"t2f", "t1n", "t2w"}, True, ()),
        ({"t1c"}, False, ("t2f",)),
        ({"t1n", "t2w"}, False, ("t2f",)),
        (set(), False, ("t2f",)),
    ],
)
def test_a_model_takes_sessions_that_lack_what_is_optional(
    have: set[str], takes: bool, lacks: tuple[str, ...]
) -> None:
    assert (TINY.takes(have), TINY.lacks(have)) == (takes, lacks)


def test_a_model_whose_sequences_are_all_optional_takes_any_one_of_them() -> None:
    model = replace(TINY, optional=TINY.sequences)
    assert model.takes({"t1c"})
    assert model.takes({"t2f"})
    assert not model.takes({"t1n"}), "none of its sequences is there"
    assert not model.takes(set())


@given(SETS, SETS, SETS, SETS)
def test_a_sequence_more_never_hinders_a_model(
    needed: set[str], optional: set[str], have: set[str], more: set[str]
) -> None:
    model = replace(TINY, sequences=tuple(needed), optional=tuple(optional & needed))
    assert model.takes(have | more) or not model.takes(have)
    assert set(model.lacks(have | more)) <= set(model.lacks(have)) <= needed - optional


def test_a_model_of_another_atlas_is_told() -> None:
    (line,) = mistakes(replace(TINY, atlas="SRI24"))
    assert line == (
        "model tiny: was trained in the atlas SRI24, not MNI152; "
        "set atlas.name to SRI24 (with its path), or use another model"
    )
    assert mistakes(replace(TINY, atlas="MNI152"), TINY) == []


@pytest.mark.parametrize(
    ("trained", "n4", "told"),
    [
        (True, {"default": "apply", "t1n": "off"}, []),
        (True, {"default": "apply", "t2f": "registration"}, ["t2f to apply"]),
        (True, "off", ["t1c to apply", "t2f to apply"]),
        (False, {"default": "apply", "t2f": "off"}, ["t1c to registration"]),
        (False, {"default": "off", "t1n": "apply", "t1c": "registration"}, []),
        (None, "apply", []),
    ],
)
def test_n4_against_the_training_is_told_for_each_sequence_of_the_model(
    trained: bool | None, n4: Any, told: list[str]
) -> None:
    lines = mistakes(replace(TINY, n4=trained), n4=n4)
    assert [line.partition("set preprocess.n4 of ")[2] for line in lines] == told
    assert all(("without" in line) == (trained is False) for line in lines)


def names(models: ModelTable, **config: Any) -> list[str]:
    """Who may be given sessions."""
    return [model.name for model in candidate_models(models, complete_config(config))]


def test_models_of_another_atlas_or_n4_are_passed_over_unless_they_are_named() -> None:
    here = replace(TINY, name="here", atlas="MNI152")
    there, raw = replace(TINY, name="there", atlas="SRI24"), replace(TINY, name="raw", n4=False)
    models = ModelTable((there, raw, here, TINY), ())
    assert names(models) == ["raw", "here", "tiny"]
    assert names(models, preprocess={"n4": "apply"}) == ["here", "tiny"]
    assert names(models, atlas={"name": "SRI24", "path": "sri24.nii.gz"}) == ["there", "raw", "tiny"]
    assert names(models, segment={"models": ["there", "here"]}) == ["there", "here"]
    assert names(ModelTable((there,), ())) == []
    (line,) = misfits(there, complete_config({}))
    assert line.startswith("model there: was trained in the atlas SRI24, not MNI152")
    with pytest.raises(ConfigError, match=r"'thre': .* did you mean there\?"):
        names(models, segment={"models": ["thre"]})


def test_mistakes_of_several_models_are_told_together() -> None:
    lines = mistakes(replace(TINY, atlas="SRI24", n4=True), replace(TINY, name="other", atlas="SRI24"))
    assert [line.split(":")[0] for line in lines] == ["model tiny"] * 3 + ["model other"]


def test_a_package_that_agrees_with_its_entry_fits(package: Model) -> None:
    config = complete_config({"atlas": {"name": "SRI24", "path": "sri24.nii.gz"}})
    check_models([package, replace(package, atlas="any", sha256=None)], config)


def test_another_file_than_the_table_states_is_told_alone(package: Model) -> None:
    (line,) = mistakes(replace(package, sha256="0" * 64, atlas="any", regions=("WT",)))
    assert line.startswith(f"model tiny: {package.path} has the sha256 {package.sha256}, not {'0' * 64}; get")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sequences": ("t2f", "t1c")}, 'sequences: ["t2f", "t1c"]: {} says ["t1c", "t2f"]'),
        ({"optional": ()}, 'optional: []: {} says ["t1c"]'),
        ({"regions": ("WT",)}, 'regions: ["WT"]: {} says ["WT", "TC", "ET"]'),
        ({"atlas": "MNI152"}, 'atlas: ["MNI152"]: {} says ["SRI24"]'),
    ],
)
def test_an_entry_that_says_something_else_than_its_package_is_told(
    package: Model, change: dict[str, Any], told: str
) -> None:
    (line,) = mistakes(replace(package, **({"atlas": "any"} | change)))
    assert (
        line == f"model tiny, {told.format(package.path)}; write what the package says into the model table"
    )


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "notes.txt").write_text("no zip")
    (broken,) = mistakes(replace(TINY, path=tmp_path / "broken.zip"))
    (notes,) = mistakes(replace(TINY, path=tmp_path / "notes.txt"))
    assert broken.startswith(f"model tiny: {tmp_path}/broken.zip: cannot be read whole")
    assert notes == f"model tiny: {tmp_path}/notes.txt: is neither a zip nor a folder"


def test_of_a_public_model_in_a_folder_nothing_is_looked_at_and_it_has_no_checksum(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "model", public_files({"0": b"not looked at"}))
    assert mistakes(replace(TINY, path=folder, sha256=None)) == []
    (line,) = mistakes(replace(TINY, path=folder, sha256="0" * 64))
    assert "is a folder, and a sha256 belongs to a .zip; take the sha256 out" in line


def test_n4_of_each_sequence_is_held_against_the_package(package: Model) -> None:
    corrected = {"default": "registration", "t2f": "apply"}
    (line,) = mistakes(replace(package, atlas="any", n4=None), n4=corrected)
    assert "without N4-corrected images, and N4 is otherwise for t2f; set preprocess.n4 of t2f" in line


def test_files_are_not_read_on_a_compute_node(tmp_path: Path) -> None:
    model = replace(TINY, path=tmp_path / "absent.zip", sha256="0" * 64, atlas="SRI24")
    with pytest.raises(ConfigError, match=r"^model tiny: was trained in the atlas SRI24[^\n]*$"):
        check_models([model], complete_config({}), check_files=False)


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """A brain extraction whose package and entry agree."""
    path = tmp_path_factory.mktemp("brain") / "mybrain.zip"
    sha256 = brain_package(path)
    return Weights("mybrain", "nnunet", "", path, None, sha256, "MIT", gpu=False)


def test_a_package_for_brains_is_none_for_tumours_and_the_other_way_round(
    brain: Weights, package: Model
) -> None:
    check_brain_model(brain)
    check_brain_model(replace(brain, sha256=None))
    (line,) = mistakes(replace(TINY, path=brain.path))
    assert line.startswith(f"model tiny: {brain.path}: is a model of brain extraction and finds no tumour")
    with pytest.raises(ConfigError, match=r"^model mybrain: .*tiny\.zip: is no model of brain extraction"):
        check_brain_model(replace(brain, path=package.path, sha256=None))


def test_another_package_for_brains_than_the_table_states_is_told(brain: Weights, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"^model mybrain: .* has the sha256 {brain.sha256}, not 0000"):
        check_brain_model(replace(brain, sha256="0" * 64))
    with pytest.raises(ConfigError, match=r"is a folder, and a sha256 belongs to a \.zip"):
        check_brain_model(replace(brain, path=tmp_path))


def test_a_package_that_is_yet_to_be_fetched_is_not_looked_for(brain: Weights) -> None:
    check_brain_model(replace(brain, path=None, url="https://example.org/mybrain.zip"))


def test_the_models_that_come_with_the_workflow_are_what_their_table_says() -> None:
    models = read_models(FOLDER.parent / "models.yaml")
    check_models(models.segmentation, complete_config({}))
    for entry in models.brain_extraction:
        if entry.kind == "nnunet":
            check_brain_model(entry)


def test_what_each_model_misses_in_a_session_is_told() -> None:
    both = replace(TINY, optional=())
    any_of = replace(TINY, name="anyof", optional=TINY.sequences)
    sessions = [session("t1n", "t2w"), session("t1c", "t2f", subject="02"), session("t1c", subject="03")]
    assert unsegmented(sessions, [both]) == [
        "one/01/1 has t1n and t2w; tiny needs t1c and t2f",
        "one/03/1 has t1c; tiny needs t2f",
    ]
    assert unsegmented(sessions, iter([both, any_of])) == [
        "one/01/1 has t1n and t2w; tiny needs t1c and t2f; anyof needs t1c or t2f"
    ]
    assert unsegmented([session("t2f")], [TINY]) == []
    assert unsegmented([session("t2f")], []) == ["one/01/1 has t2f"]


def test_a_misspelt_cohort_of_label_values_is_told():
    labelled = replace(session("t1c"), label=Path("label.nii.gz"), cohort="hospitalA")
    check_label_cohorts("brats2021", [labelled])
    check_label_cohorts({"default": "gliaflow", "hospitalA": "brats2021"}, [labelled])
    other = {"default": "gliaflow", "trainingcohort": "brats2021"}
    check_label_cohorts(other, [labelled])
    wrong = {"default": "gliaflow", "hopsitalA": "brats2021"}
    check_label_cohorts(wrong, [replace(labelled, label=None)])
    with pytest.raises(ConfigError, match=r"labels\.hopsitalA: .*did you mean hospitalA\?"):
        check_label_cohorts(wrong, [labelled])
