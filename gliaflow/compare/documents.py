"""What differs between two JSON files."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gliaflow.sidecar import read_json

SHOWN = 10
LONGEST = 80
ABSENT = object()


def compare_documents(first: Path, second: Path, tolerance: float = 0.0) -> list[str]:
    """Return a line for each value in which two JSON files differ, by its key; order of keys does not count.

    Parameters
    ----------
    first, second
        JSON files.
    tolerance
        The largest difference of two numbers that does not count.

    Raises
    ------
    ValueError
        A file holds no JSON.
    """
    lines = list(differences(read_json(first), read_json(second), tolerance))
    more = [f"and {len(lines) - SHOWN} more values"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def differences(first: Any, second: Any, tolerance: float = 0.0, key: str = "") -> Iterator[str]:
    """Give a line for each value that differs.

    >>> list(differences({"Software": {"torch": "2.13"}}, {"Software": {"torch": "2.12", "cma": "4"}}))
    ["Software.torch: '2.13' in A, '2.12' in B", "Software.cma: absent in A, '4' in B"]
    """
    if isinstance(first, dict) and isinstance(second, dict):
        for name in dict.fromkeys((*first, *second)):
            inner = f"{key}.{name}" if key else name
            yield from differences(first.get(name, ABSENT), second.get(name, ABSENT), tolerance, inner)
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for number, pair in enumerate(zip(first, second, strict=True)):
            yield from differences(*pair, tolerance, f"{key}[{number}]")
    elif not _same(first, second, tolerance):
        yield f"{key or 'content'}: {_shown(first)} in A, {_shown(second)} in B"


def _same(first: Any, second: Any, tolerance: float) -> bool:
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in (first, second)]
    if all(numbers):
        return math.isclose(first, second, rel_tol=0, abs_tol=tolerance)
    return type(first) is type(second) and first == second


def _shown(value: Any) -> str:
    text = "absent" if value is ABSENT else repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
