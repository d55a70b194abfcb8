"""Values of a DICOM header as numbers, whatever stands there."""

import math
from collections.abc import Iterable
from typing import Any

from pydicom.multival import MultiValue


def whole_number(value: Any) -> int | None:
    """Return a header value as a whole number, None where it is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def listed(value: Any) -> list[Any]:
    """Return the values of an element, however many it has."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def finite_numbers(values: Iterable[Any]) -> tuple[float, ...]:
    """Return values as numbers, or nothing where one of them is none."""
    try:
        numbers = tuple(map(float, values))
    except (TypeError, ValueError):
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()
