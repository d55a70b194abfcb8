"""The config and its schema: defaults, the forms of a value, and what is said about mistakes."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.config.mistakes import Mistakes, check_key, nearest, show
from gliaflow.config.schema import FOLDER, Checker, complete, load_schema, read_yaml
from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError
from gliaflow.fuse.postprocess import PostSettings

NAMES = ("config", "samples", "participants", "models")


def keys_of(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}/{name}", part
        yield from keys_of(part, f"{path}/{name}")
        yield from keys_of(part.get("items", {}), f"{path}/{name}/*")


OPEN = {"config/labels"}
KEYS = {f"{name}{path}": part for name in NAMES for path, part in keys_of(load_schema(name))}


def mistakes(config: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        complete_config(config)
    lines = str(caught.value).splitlines()
    return lines[1:] if lines[0].endswith("mistakes:") else lines


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_closed(name: str) -> None:
    Checker.check_schema(load_schema(name))
    closed = {key: part for key, part in KEYS.items() if key not in OPEN}
    parts = [load_schema(name), *(part for key, part in closed.items() if key.startswith(f"{name}/"))]
    parts += [part["items"] for part in parts if "items" in part]
    assert all(part["additionalProperties"] is False for part in parts if "properties" in part)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_explained_and_its_example_is_right(key: str) -> None:
    part = KEYS[key]
    assert part["description"].strip().endswith(".") and part["fix"] and part["examples"]
    assert [e for value in part["examples"] for e in Checker(part).iter_errors(complete(part, value))] == []
    if part["default"] is not None:
        assert list(Checker(part).iter_errors(complete(part, part["default"]))) == []


def test_the_config_that_comes_with_the_workflow_holds_the_defaults() -> None:
    shipped = read_yaml(FOLDER.parent / "config.yaml")
    assert complete_config(shipped) == complete_config({})
    assert list(shipped) == [key for key in complete_config({}) if key in shipped]


def test_defaults_are_not_shared_between_calls() -> None:
    complete_config({})["convert"]["expect"].clear()
    assert complete_config({})["convert"]["expect"] == ["t1n", "t1c", "t2w", "t2f"]


N4 = {
    "registration": "registration registration registration registration",
    "apply": "apply apply apply apply",
    "off": "off off off off",
    "'off'": "off off off off",
    "{default: apply, t2f: off}": "apply apply apply off",
    "{default: off, t1c: registration}": "off registration off off",
    "{t1n: apply}": "apply registration registration registration",
}


@pytest.mark.parametrize(("text", "words"), N4.items(), ids=N4)
def test_n4_as_yaml_reads_it(text: str, words: str) -> None:
    settings = complete_config({"preprocess": {"n4": yaml.safe_load(text)}})
    assert list(settings["preprocess"]["n4"].values()) == words.split()


LABELS = {
    "brats2021": "brats2021",
    "{old: brats2021}": {"old": "brats2021", "default": "gliaflow"},
    "{default: brats2023, old: brats2021}": {"default": "brats2023", "old": "brats2021"},
}


@pytest.mark.parametrize(("text", "read"), LABELS.items(), ids=LABELS)
def test_what_label_values_mean_is_one_word_or_one_for_each_cohort(text: str, read: Any) -> None:
    assert complete_config({"labels": yaml.safe_load(text)})["labels"] == read


def test_what_post_processing_leaves_open_is_null() -> None:
    """Null is left to the model; only what is given goes before it."""
    config = complete_config({"segment": {"postprocess": {"threshold": {"ET": 0.4}}}})
    given = config["segment"]["postprocess"]
    assert given["threshold"] == {"WT": None, "TC": None, "ET": 0.4}
    others = {**given, **given["enhancing"], "threshold": None, "enhancing": None}
    assert set(others.values()) == {None}
    assert set(given) == {field.name for field in fields(PostSettings)}


@pytest.mark.parametrize("name", ["config", "models"])
def test_a_part_that_schemas_share_stands_in_each_of_them(name: str) -> None:
    shared = load_schema("postprocess")
    there = load_schema(name)["properties"]["segment" if name == "config" else "segmentation"]
    part = there.get("items", there)["properties"]["postprocess"]
    assert part["properties"] == shared["properties"]
    assert (part["description"] == shared["description"]) == (name == "config"), "a key beside it wins"
    assert "include" not in part


def test_no_schema_is_left_to_be_included() -> None:
    def includes(node: Any) -> Iterator[Any]:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        if isinstance(node, dict) and isinstance(node.get("include"), str):
            yield node
        for part in inner:
            yield from includes(part)

    assert [found for name in NAMES for found in includes(load_schema(name))] == []


def test_short_forms_and_empty_sections() -> None:
    settings = complete_config({"samples": "my.tsv", "preprocess": None, "convert": {"rules": None}})
    assert settings["samples"] == ["my.tsv"]
    assert settings["preprocess"] == complete_config({})["preprocess"]
    assert settings["convert"]["rules"]["t1c"]["contrast"] is True


def test_one_key_of_a_rule_leaves_the_others() -> None:
    rules = complete_config({"convert": {"rules": {"t2f": {"ti_ms": [1500, 3000]}}}})["convert"]["rules"]
    default = complete_config({})["convert"]["rules"]
    assert rules["t2f"] == default["t2f"] | {"ti_ms": [1500, 3000]}
    assert rules["t1n"] == default["t1n"]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "samples": st.lists(st.sampled_from(["a.tsv", "b.tsv"]), min_size=1, unique=True),
            "seed": st.integers(0, 2**32 - 1),
            "segment": st.fixed_dictionaries(
                {"postprocess": st.fixed_dictionaries({"min_component_voxels": st.integers(0, 99)})}
            ),
            "labels": st.sampled_from(["nnunet", {"old": "brats2021"}, {"default": "brats2023"}]),
            "preprocess": st.fixed_dictionaries({"n4": st.sampled_from(["apply", False, {"t1n": "off"}])}),
        },
    )
)
def test_completing_twice_is_completing_once_and_keeps_what_was_given(config: dict[str, Any]) -> None:
    once = complete_config(config)
    assert complete_config(once) == once
    assert once["seed"] == config.get("seed", 42)
    assert once["samples"] == config.get("samples", ["config/samples.tsv"])


WRONG = {
    "unknown-key": ({"sample": []}, "config, sample: []: is not a known key; did you mean samples?"),
    "unknown-strange": ({"atlas": {"zzz": 1}}, "the keys here are name, path and resolution"),
    "unknown-in-n4": (
        {"preprocess": {"n4": {"t2fl": "off"}}},
        "n4.t2fl: 'off': is not a known key; did you mean t2f?",
    ),
    "type": ({"seed": "abc"}, "config, seed: 'abc': is not a whole number; write a whole number such as 42"),
    "boolean-number": ({"seed": True}, "seed: true: is not a whole number"),
    "not-finite": ({"convert": {"max_slice_gap": float("nan")}}, "max_slice_gap: NaN: is not a number"),
    "choice": (
        {"fuse": {"method": "stapel"}},
        "config, fuse.method: 'stapel': is not one of mean, logit_mean, weighted_mean",
    ),
    "choice-or-null": (
        {"segment": {"postprocess": {"enhancing": {"rule": "drop"}}}},
        "segment.postprocess.enhancing.rule: 'drop': is not one of none, empty, necrosis, next_class or null",
    ),
    "without-whole-tumour": ({"train": {"regions": ["TC"]}}, "write WT and, where wanted, TC and ET"),
    "labels": ({"labels": "brats"}, "labels: 'brats': is not of the form that is needed; write gliaflow"),
    "labels-of-a-cohort": (
        {"labels": {"default": "gliaflow", "old": "brats2020"}},
        "labels.old: 'brats2020': is not one of gliaflow, brats2021",
    ),
    "n4-word": (
        {"preprocess": {"n4": "bananas"}},
        "'bananas': is not of the form that is needed; write registration",
    ),
    "n4-true": (
        {"preprocess": {"n4": True}},
        "n4: true: is not allowed here; write registration, apply or off",
    ),
    "too-small": (
        {"preprocess": {"n4_settings": {"shrink": 0}}},
        "shrink: 0: is less than 1; write a whole number",
    ),
    "too-large": ({"report": {"dpi": 5000}}, "dpi: 5000: is more than 600"),
    "on-the-limit": (
        {"segment": {"postprocess": {"threshold": {"ET": 1}}}},
        "segment.postprocess.threshold.ET: 1: is not less than 1; write a number between 0 and 1",
    ),
    "empty-list": ({"samples": []}, "samples: []: has too few entries, 1 at least"),
    "entry": (
        {"convert": {"expect": ["t1n", "flair"]}},
        "convert.expect (entry 2): 'flair': is not one of t1n, t1c",
    ),
    "twice": ({"convert": {"expect": ["t1n", "t1n"]}}, "names something twice"),
    "order": (
        {"preprocess": {"normalisation": {"percentiles": [99, 1]}}},
        "[99, 1]: is not in ascending order",
    ),
    "regex": ({"convert": {"exclude": ["("]}}, "(entry 1): '(': is not a regular expression"),
    "atlas-name": ({"atlas": {"name": "my atlas"}}, "atlas.name: 'my atlas': is not of the form"),
    "atlas-space": ({"atlas": {"name": "ref"}}, "names of other spaces"),
    "atlas-of-a-sequence": ({"atlas": {"name": "T1c"}}, "names of other spaces"),
    "atlas-without-name": ({"atlas": {"path": "a.nii.gz"}}, "is the name of the bundled atlas"),
    "atlas-without-path": ({"atlas": {"name": "SRI24"}}, "is not bundled, and atlas.path is empty"),
    "atlas-file": ({"atlas": {"path": "brain.mgz"}}, "write the path of a .nii or .nii.gz file"),
    "section": ({"segment": []}, "segment: []: is not a mapping of keys; write a mapping such as"),
    "histogram": (
        {"preprocess": {"normalisation": {"method": "histogram"}}},
        "reference: null: histogram needs",
    ),
    "growth-model": (
        {"growth": {"model": "eikonol"}},
        "growth.model: 'eikonol': is neither a known model nor one of growth.external; did you mean eikonal?",
    ),
    "growth-model-of-nothing": (
        {"growth": {"model": "zzz", "external": [{"name": "mine", "command": ["a"]}]}},
        "growth.external; write reaction_diffusion, eikonal or mine",
    ),
    "growth-model-of-a-taken-name": (
        {"growth": {"external": [{"name": "eikonal", "command": ["a"]}]}},
        "growth.external: 'eikonal': is a model of the workflow's own; rename it",
    ),
    "densities-alike": (
        {"growth": {"core_density": 0.25}},
        "growth.oedema_density: 0.25: is not below growth.core_density (0.25); lower it, or raise the other",
    ),
    "densities-upside-down": (
        {"growth": {"oedema_density": 0.7}},
        "growth.oedema_density: 0.7: is not below growth.core_density (0.6)",
    ),
}


@pytest.mark.parametrize(("config", "message"), WRONG.values(), ids=WRONG)
def test_one_mistake_is_one_line(config: dict[str, Any], message: str) -> None:
    (line,) = mistakes(config)
    assert line.startswith("config, ")
    assert message in line


def test_a_growth_model_from_elsewhere_is_known_by_its_name() -> None:
    growth = {"model": "mine", "external": [{"name": "mine", "command": ["python", "model.py"]}]}
    assert complete_config({"growth": growth})["growth"]["model"] == "mine"


def test_all_mistakes_at_once() -> None:
    assert len(mistakes({"seed": -1, "fuse": {"method": "x"}, "report": {"dpi": 1}, "foo": 1})) == 4


def test_yaml_mistakes_name_the_file_and_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\nb: [\nc: }")
    (tmp_path / "b.yaml").write_bytes(b"a: M\xfcller")
    for name, message in (
        ("a", r"a\.yaml, line 3: is not YAML"),
        ("b", "is not UTF-8"),
        ("c", "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_yaml(tmp_path / f"{name}.yaml")


def test_words_of_messages() -> None:
    assert len(show("x" * 1000)) < 120
    assert nearest("qqqq", ["t1n"]) is None
    Mistakes().stop_if_any()
    check_key("WT", 0.5, ["WT", "TC"])
    with pytest.raises(ConfigError, match=r"^threshold\.wt: 0\.5: is not a known key; did you mean WT\?$"):
        check_key("wt", 0.5, ["WT", "TC"], "threshold.")
    with pytest.raises(ConfigError, match=r"^here: wrong$"):
        Mistakes(["here: wrong"]).stop_if_any()


def test_the_start_of_a_job_loads_no_heavy_library() -> None:
    modules = "settings, samples, models, participants"
    heavy = "{'numpy', 'pandas', 'nibabel', 'torch'}"
    code = f"import sys; from gliaflow.config import {modules}; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "set()"


def test_texts_of_the_command_line_are_read_as_what_the_schema_wants():
    given = {
        "atlas": {"resolution": "2"},
        "preprocess": {"stripped": "true", "n4_settings": {"iterations": ["20", "10"]}},
        "convert": {"rules": {"t1n": {"contrast": "false", "te_ms": ["1", "20.5"]}}},
        "segment": {"models": "null"},
    }
    config = complete_config(given)
    assert config["atlas"]["resolution"] == 2
    assert config["preprocess"]["stripped"] is True
    assert config["preprocess"]["n4_settings"]["iterations"] == [20, 10]
    assert config["convert"]["rules"]["t1n"]["te_ms"] == [1, 20.5]
    assert config["segment"]["models"] is None


def test_a_text_that_is_no_number_is_still_a_mistake():
    with pytest.raises(ConfigError, match=r"atlas\.resolution: 'two'"):
        complete_config({"atlas": {"resolution": "two"}})
