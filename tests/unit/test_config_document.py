"""The page that explains the config is made from the schemas."""

from pathlib import Path

import pytest

from gliaflow.config import document
from gliaflow.config.schema import load_schema


def test_the_page_in_the_repository_is_current() -> None:
    assert document.main(["--check"]) == 0, "run python -m gliaflow.config.document"


def test_a_page_that_is_not_current_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(document, "TARGET", tmp_path / "README.md")
    assert document.main(["--check"]) == 1
    assert "is not current" in capsys.readouterr().err
    assert document.main([]) == 0
    assert document.main(["--check"]) == 0


def test_every_column_and_key_is_on_the_page() -> None:
    page = document.page()
    names = [name for schema in ("samples", "participants") for name in load_schema(schema)["properties"]]
    config = load_schema("config")["properties"]
    names += [f"{key}.{name}" for key, part in config.items() for name in part.get("properties", {})]
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_every_line_of_a_table_has_five_cells() -> None:
    tables = document.page().partition("## Keys of config.yaml")[2]
    lines = [line for line in tables.splitlines() if line.startswith("| `")]
    counts = {line.replace(document.BAR, "").count("|") for line in lines if "scans/P01" not in line}
    assert counts <= {6, 3}
    assert len(lines) > 80
