"""The folder of a generated cohort: its plan, which says what it holds, and its tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gliaflow.errors import ConfigError
from gliaflow.images import write_bytes
from gliaflow.sidecar import write_json

PLAN_FILE = "plan.json"


def claim_folder(folder: Path, plan: Mapping[str, Any]) -> None:
    """Make a cohort's folder and note its plan there.

    Raises
    ------
    ConfigError
        The folder holds anything else than a cohort of this plan.
    """
    if folder.exists() and not (folder.is_dir() and (_holds(folder, plan) or not any(folder.iterdir()))):
        raise ConfigError(f"{folder}: holds something else than this cohort; give a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PLAN_FILE, plan)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a tab-separated file; what a row does not name is empty."""
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    write_bytes(path, "".join("\t".join(line) + "\n" for line in lines).encode())


def _holds(folder: Path, plan: Mapping[str, Any]) -> bool:
    """Tell whether a folder was made for this plan."""
    try:
        return bool(json.loads((folder / PLAN_FILE).read_text(encoding="utf-8")) == plan)
    except (FileNotFoundError, ValueError):
        return False
