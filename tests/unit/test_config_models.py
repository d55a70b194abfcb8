"""The model table: what is read, chosen, and said about mistakes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gliaflow.config.models import (
    ModelTable,
    brain_model,
    choose_models,
    named_models,
    read_models,
    with_brains_of,
)
from gliaflow.config.schema import FOLDER
from gliaflow.errors import ConfigError
from gliaflow.fuse.postprocess import PostSettings, post_settings

SHA = "0" * 64
BASE = {"name": "one", "kind": "flair_baseline", "sequences": ["t2f"], "regions": ["WT"], "licence": "MIT"}


def table(folder: Path, *models: dict[str, Any], **other: Any) -> Path:
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump({"segmentation": [BASE | model for model in models], **other}))
    return path


def test_the_table_that_comes_with_the_workflow() -> None:
    models = read_models(FOLDER.parent / "models.yaml")
    baseline = next(model for model in models.segmentation if model.name == "flairbaseline")
    bet = next(entry for entry in models.brain_extraction if entry.kind == "hd-bet")
    assert (baseline.name, baseline.kind, baseline.sequences) == ("flairbaseline", "flair_baseline", ("t2f",))
    assert (baseline.regions, baseline.atlas, baseline.licence) == (("WT",), "any", "Apache-2.0")
    assert (baseline.labels, baseline.n4, baseline.gpu, baseline.path) == ("gliaflow", None, False, None)
    assert (baseline.optional, baseline.orientation, baseline.configuration) == ((), "RAS", None)
    assert post_settings(baseline.postprocess).min_component_voxels == 20
    assert (bet.name, bet.sha256, bet.gpu) == ("hd-bet", None, True)
    assert bet.url is not None and bet.url.endswith("release_v1.5.0.zip")


def test_post_processing_that_is_left_out_is_left_to_the_package(tmp_path: Path) -> None:
    (model,) = read_models(table(tmp_path, {"postprocess": {"threshold": {"ET": 0.4}}})).segmentation
    assert model.postprocess["threshold"] == {"WT": None, "TC": None, "ET": 0.4}
    assert post_settings({"fill_holes": True}, model.postprocess).fill_holes
    (plain,) = read_models(table(tmp_path, {})).segmentation
    assert post_settings(plain.postprocess) == PostSettings()


def test_a_path_starts_from_the_table(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (model,) = read_models(table(tmp_path, {"kind": "nnunet", "path": "weights"})).segmentation
    assert model.path == tmp_path / "weights"


def test_a_copy_of_the_table_leads_to_the_models_that_come_with_the_workflow(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    path = table(tmp_path / "copy", {"path": "../resources/labels.tsv"})
    (model,) = read_models(path).segmentation
    assert model.path == FOLDER.parents[1] / "resources" / "labels.tsv"
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "labels.tsv").touch()
    (model,) = read_models(path).segmentation
    assert model.path is not None
    assert model.path.samefile(tmp_path / "resources" / "labels.tsv"), "what lies beside the table goes first"


def test_a_table_may_leave_out_what_finds_the_brain(tmp_path: Path) -> None:
    (tmp_path / "brain.zip").touch()
    shipped = read_models(FOLDER.parent / "models.yaml")
    merged = with_brains_of(read_models(table(tmp_path, {})), shipped)
    assert merged.brain_extraction == shipped.brain_extraction
    assert [model.name for model in merged.segmentation] == ["one"]
    own = {"name": "hd-bet", "licence": "CC0-1.0"}
    merged = with_brains_of(read_models(with_brain(tmp_path, own)), shipped)
    assert [entry.licence for entry in merged.brain_extraction if entry.name == "hd-bet"] == ["CC0-1.0"]


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("")
    assert read_models(tmp_path / "models.yaml") == ModelTable((), ())


CHOICE = [
    ({"t1n", "t1c", "t2w", "t2f"}, None, "four"),
    ({"t1n", "t1c", "t2w", "t2f"}, ["flair", "four"], "flair"),
    ({"t1n", "t1c", "t2w", "t2f"}, [], "four"),
    ({"t1c", "t2f"}, None, "two"),
    ({"t1c", "t2f"}, ["four", "flair"], "flair"),
    ({"t2f"}, None, "flair"),
    ({"t1n", "t2w"}, None, None),
    (set(), None, None),
]


@pytest.mark.parametrize(("sequences", "preferred", "name"), CHOICE)
def test_the_first_model_whose_sequences_are_there(
    tmp_path: Path, sequences: set[str], preferred: list[str] | None, name: str | None
) -> None:
    needs = {"four": ["t1n", "t1c", "t2w", "t2f"], "two": ["t1c", "t2f"], "flair": ["t2f"]}
    models = read_models(table(tmp_path, *({"name": n, "sequences": s} for n, s in needs.items())))
    candidates = named_models(models, preferred) if preferred else models.segmentation
    chosen = choose_models(candidates, sequences)
    assert [model.name for model in chosen] == [name] * bool(name)


def test_in_an_ensemble_every_model_whose_sequences_are_there(tmp_path: Path) -> None:
    needs = {"four": ["t1n", "t1c", "t2w", "t2f"], "two": ["t1c", "t2f"], "flair": ["t2f"]}
    models = read_models(table(tmp_path, *({"name": n, "sequences": s} for n, s in needs.items())))
    chosen = choose_models(models.segmentation, {"t1c", "t2f"}, ensemble=True)
    assert [model.name for model in chosen] == ["two", "flair"]


def test_a_preferred_model_that_is_not_there(tmp_path: Path) -> None:
    models = read_models(table(tmp_path, {}))
    with pytest.raises(ConfigError, match=r"segment\.models: 'onne': .* did you mean one\?"):
        named_models(models, ["onne"])
    with pytest.raises(ConfigError, match="the models there are: none"):
        named_models(ModelTable((), ()), ["onne"])


WRONG = {
    "missing": ({"name": None}, "segmentation (entry 1).name: null: is not text; write letters and digits"),
    "name": ({"name": "my-model"}, "'my-model': is not of the form that is needed; write letters and digits"),
    "unknown-key": ({"license": "MIT"}, "is not a known key; did you mean licence?"),
    "kind": ({"kind": "unet"}, "'unet': is not one of flair_baseline or nnunet"),
    "region": ({"regions": ["ED"]}, "regions (entry 1): 'ED': is not one of WT, TC or ET"),
    "address": (
        {"url": "http://example.org/m.zip", "sha256": SHA},
        "write an address that begins with https://",
    ),
    "checksum": (
        {"url": "https://example.org/m.zip", "sha256": "ABC"},
        "64 characters that sha256sum prints",
    ),
    "no-checksum": ({"url": "https://example.org/m.zip"}, "model one: sha256 is missing"),
    "no-sequence-of-its": (
        {"optional": ["t1n", "t2f"]},
        "model one, optional: t1n: is none of its sequences",
    ),
    "orientation": ({"orientation": "RAX"}, "orientation: 'RAX': is not of the form that is needed"),
    "postprocess": (
        {"postprocess": {"min_voxels": 3}},
        "postprocess.min_voxels: 3: is not a known key; did you mean min_component_voxels?",
    ),
    "two-origins": (
        {"kind": "nnunet", "path": ".", "url": "https://example.org/m.zip", "sha256": SHA},
        "model one: a trained model has either a path or a url",
    ),
    "no-origin": ({"kind": "nnunet"}, "model one: a trained model has either a path or a url"),
    "folder": ({"path": "absent"}, "model one: path leads to {}/absent, which is not there"),
}


@pytest.mark.parametrize(("model", "message"), WRONG.values(), ids=WRONG)
def test_one_mistake_is_one_line(tmp_path: Path, model: dict[str, Any], message: str) -> None:
    path = table(tmp_path, model)
    with pytest.raises(ConfigError) as caught:
        read_models(path)
    assert str(caught.value).startswith(f"{path}, segmentation")
    assert message.replace("{}", str(tmp_path)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("segmentation:\n- {name: one, kind: nnunet}\n")
    with pytest.raises(ConfigError, match=r"^3 mistakes:\n.*licence: null: is missing; write the licence"):
        read_models(tmp_path / "models.yaml")


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"segmentation \(entry 2\)\.name: 'ONE': is taken"):
        read_models(table(tmp_path, {}, {"name": "ONE"}))


BRAIN = {"name": "mybrain", "kind": "nnunet", "licence": "MIT"}


def with_brain(folder: Path, *entries: dict[str, Any]) -> Path:
    """A table with one segmentation model, ``one``, and these entries of brain extraction."""
    return table(folder, {}, brain_extraction=list(entries))


def test_the_network_that_finds_the_brain_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "brain.zip").touch()
    entries = (BRAIN | {"path": "brain.zip", "gpu": True}, {"name": "hd-bet", "licence": "MIT"})
    models = read_models(with_brain(tmp_path, *entries))
    entry = brain_model(models, "mybrain")
    assert (entry.path, entry.gpu, entry.kind) == (tmp_path / "brain.zip", True, "nnunet")
    for name in ("hd-bet", "other"):
        with pytest.raises(ConfigError, match=r"brain_extraction\.model: .*write one of mybrain, or use"):
            brain_model(models, name)
    with pytest.raises(ConfigError, match="add one, or use method: embedded"):
        brain_model(ModelTable((), ()), "mybrain")


WRONG_BRAIN = {
    "no-origin": ({}, "model mybrain: a trained model has either a path or a url"),
    "folder": ({"path": "absent"}, "model mybrain: path leads to {}/absent, which is not there"),
    "no-checksum": ({"url": "https://example.org/m.zip"}, "model mybrain: sha256 is missing"),
    "path-of-hd-bet": (
        {"name": "hd-bet", "kind": "hd-bet", "path": "."},
        "model hd-bet: the weights of hd-bet have no path here; write the folder into preprocess.brain",
    ),
    "kind": ({"kind": "flair_baseline"}, "'flair_baseline': is not one of nnunet or hd-bet"),
    "name": ({"name": "my-brain", "path": "."}, "'my-brain': is not of the form that is needed"),
    "taken": ({"name": "One", "path": "."}, "brain_extraction (entry 1).name: 'One': is taken"),
}


@pytest.mark.parametrize(("entry", "message"), WRONG_BRAIN.values(), ids=WRONG_BRAIN)
def test_one_mistake_of_a_brain_extraction_is_one_line(
    tmp_path: Path, entry: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_models(with_brain(tmp_path, BRAIN | entry))
    assert message.replace("{}", str(tmp_path)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_are_not_looked_for_on_a_compute_node(tmp_path: Path) -> None:
    (model,) = read_models(table(tmp_path, {"path": "absent"}), check_paths=False).segmentation
    assert model.path == tmp_path / "absent"
