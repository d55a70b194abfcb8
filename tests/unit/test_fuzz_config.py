"""Configs and model tables with anything at any key, and YAML that is made to do harm."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from damage import cases, damaged, refusal, written
from hypothesis import given
from hypothesis import strategies as st

from gliaflow.config.external import check_fusion, external_maps
from gliaflow.config.models import SHIPPED_TABLE, read_models
from gliaflow.config.schema import read_yaml
from gliaflow.config.settings import complete_config

WHOLE = complete_config({})
MODELS = SHIPPED_TABLE.read_bytes()
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.binary(max_size=3),
    st.dates(),
    st.sampled_from(
        [
            10**400,
            -(10**400),
            16**3000,
            float("nan"),
            float("inf"),
            "a\n",
            "\x00",
            "\ud800",
            "{",
            "!!x",
            "[" * 2000,
            "2001-99-99",
            "{cohort.__class__}",
            "{}",
            "1:99:99",
            "0x",
            "x" * 100_000,
            "(" * 300,
            "<<: *a",
            "*a",
            "\x1b[2J",
        ]
    ),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=6), SCALARS), inner, max_size=3),
    ),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every key and entry of a nested value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, sub in inner:
        yield (*path, key)
        yield from places(sub, (*path, key))


def changed(whole: Any, path: tuple[Any, ...], value: Any, key: Any = None) -> Any:
    """A copy of a nested value with another value at one place, and another key beside it."""
    result = copy.deepcopy(whole)
    holder = result
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = value
    if key is not None and isinstance(holder, dict):
        holder[key] = value
    return result


PLACES = sorted(places(WHOLE), key=str)
TABLE = yaml.safe_load(MODELS)
ENTRIES = sorted(places(TABLE), key=str)
MALICE = {
    "aliases": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
    "itself": "samples: &a [*a]\n",
    "nested": "a: " + "[" * 600 + "]" * 600,
    "braces": "a: " + "{a: " * 600 + "}" * 600,
    "python": "a: !!python/object/apply:os.system ['touch {mark}']\n",
    "name": "a: !!python/name:os.system\n",
    "date": "a: 2001-99-99\n",
    "number": f"a: {'9' * 5000}\n",
    "hexadecimal": f"seed: 0x{'f' * 5000}\n",
    "bool": "a: !!bool maybe\n",
    "float": "a: !!float x\n",
    "binary": "a: !!binary é\n",
    "key": "? [a]\n: b\n",
    "several": "a: 1\n---\nb: 2\n",
    "undefined": "a: *b\n",
    "merge": "a: {<<: 3}\n",
    "nul": "a: \x00\n",
}


def used(config: Any) -> None:
    """What every plan does with a config before it looks at files."""
    whole = complete_config(config)
    models = read_models(SHIPPED_TABLE, check_paths=False)
    external_maps(whole, models)
    check_fusion(whole, [], [])


@cases(70)
@given(path=st.sampled_from(PLACES), value=ANYTHING, key=st.one_of(st.none(), SCALARS))
def test_anything_at_any_key_of_the_config(path: tuple[Any, ...], value: Any, key: Any) -> None:
    refusal(lambda: used(changed(WHOLE, path, value, key)), "config, ")


@cases(30)
@given(path=st.sampled_from(ENTRIES), value=ANYTHING, key=st.one_of(st.none(), SCALARS))
def test_anything_at_any_key_of_a_model_table(
    path: tuple[Any, ...], value: Any, key: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = tmp_path_factory.getbasetemp() / "models.yaml"
    try:
        text = yaml.safe_dump(changed(TABLE, path, value, key), allow_unicode=True)
        written(table, text.encode("utf-8", errors="replace"))
    except (yaml.YAMLError, ValueError, TypeError):
        return
    refusal(lambda: read_models(table), table)


@cases(40)
@given(content=damaged(MODELS))
def test_a_model_table_with_bytes_changed(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = written(tmp_path_factory.getbasetemp() / "bytes.yaml", content)
    refusal(lambda: read_models(table), table)


@pytest.mark.parametrize("text", MALICE.values(), ids=MALICE)
def test_yaml_that_is_made_to_do_harm(tmp_path: Path, text: str) -> None:
    mark = tmp_path / "mark"
    table = written(tmp_path / "models.yaml", text.replace("{mark}", str(mark)).encode())
    assert refusal(lambda: read_models(table), table)
    refusal(lambda: complete_config(read_yaml(table)), "")
    assert not mark.exists()


@pytest.mark.parametrize("text", [text for text in MALICE.values() if "!!python" not in text])
def test_a_text_of_the_command_line_that_is_made_to_do_harm(text: str) -> None:
    """Snakemake's command line leaves a text at keys that want none, and it is read as YAML."""
    assert refusal(lambda: complete_config({"atlas": {"resolution": text}}), "config")


def bomb() -> list[Any]:
    value: list[Any] = ["x"]
    for _ in range(40):
        value = [value, value]
    return value


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [bomb(), circle()], ids=["bomb", "circle"])
def test_aliases_that_grow_without_end(value: list[Any]) -> None:
    """Snakemake reads config.yaml itself, by a loader that knows aliases."""
    assert "config" in refusal(lambda: complete_config({"samples": value}), "config")


@pytest.mark.parametrize("key", ["atlas", "segment"])
def test_a_name_does_not_end_in_a_line_break(key: str) -> None:
    """It would become part of a path; a dollar sign in a pattern lets one pass."""
    change = {"atlas": {"name": "own\n", "path": "a.nii.gz"}, "segment": {"models": ["one\n"]}}
    assert refusal(lambda: complete_config({key: change[key]}), f"config, {key}.")
