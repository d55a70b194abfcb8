"""The options of a fusion method, checked."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gliaflow.config.mistakes import Mistakes, listing, nearest, show
from gliaflow.errors import ConfigError
from gliaflow.fuse.raters import Raters
from gliaflow.images import Array

Weights = Mapping[str, float | Mapping[str, float]]


def check_options(method: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Check that a method, whose options are its keyword-only parameters, takes them and lacks none.

    Raises
    ------
    ConfigError
        One is unknown or missing.
    """
    known = {
        name: parameter.default is parameter.empty
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    mistakes = Mistakes()
    for name in sorted(set(options) - set(known)):
        meant = nearest(name, known)
        fix = f"write {meant}" if meant else f"write {listing(known)}" if known else "leave it out"
        mistakes.add(name, f"is no option of {method}", fix)
    for name, needed in known.items():
        if needed and name not in options:
            mistakes.add(name, f"is needed by {method}", f"give {name}")
    mistakes.stop_if_any()


def needs_two(method: str, raters: Raters) -> None:
    """Check that there are two raters or more.

    Raises
    ------
    ConfigError
        There is one only.
    """
    if len(raters.names) < 2:
        raise ConfigError(
            f"method: '{method}': needs two raters or more, but there is only '{raters.names[0]}'; add one, "
            "or write majority"
        )


def check_number(
    name: str, value: Any, *, lowest: float, highest: float = math.inf, whole: bool = False
) -> None:
    """Check an option that is a number.

    Raises
    ------
    ConfigError
        It is none, or out of its range.
    """
    if not is_number(value, lowest, highest) or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        limit = f"from {lowest:g} to {highest:g}" if math.isfinite(highest) else f"of {lowest:g} or more"
        raise ConfigError(f"{name}: {show(value)}: is not possible; write {kind} {limit}")


def is_number(value: Any, lowest: float, highest: float) -> bool:
    """Tell whether a value is a finite number in a range, its ends included."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and math.isfinite(value) and lowest <= value <= highest


def weights_by_part(name: str, given: Weights, raters: Raters, highest: float) -> dict[str, Array]:
    """Read an option with a number for each rater, or for each rater and part.

    Parameters
    ----------
    name
        What the option is called.
    given
        By rater a number from 0 to ``highest``, or such a number for each part (label values as numbers or as
        text); a part that is left out gets 0.
    raters
        Whose names and parts count; further names are of no effect.
    highest
        The largest number.

    Returns
    -------
    dict
        For each part float64, shape (raters,).

    Raises
    ------
    ConfigError
        A rater is missing, a number or a part is not possible, or all raters have 0 in a part that somebody
        marked; all such mistakes at once.
    """
    if not isinstance(given, Mapping):
        fix = f"write a mapping with {listing(raters.names, 'and')}"
        raise ConfigError(f"{name}: {show(given)}: is not possible; {fix}")
    mistakes = Mistakes()
    rows = [
        _row(f"{name}: '{rater}'", given.get(rater), raters.parts, highest, mistakes)
        for rater in raters.names
    ]
    mistakes.stop_if_any()
    weights = {part: np.array([row.get(part, 0) for row in rows], dtype=float) for part in raters.parts}
    for part, values in weights.items():
        if not values.any() and raters.masks(part).any():
            mistakes.add(name, f"all are 0 for {part}", "raise one")
    mistakes.stop_if_any()
    return weights


def _row(
    where: str, given: Any, parts: tuple[str, ...], highest: float, mistakes: Mistakes
) -> Mapping[str, float]:
    row = given if isinstance(given, Mapping) else dict.fromkeys(parts, given)
    row = {str(part): value for part, value in row.items()}
    limit = f"a number from 0 to {highest:g}" if math.isfinite(highest) else "a number of 0 or more"
    fix = f"write {limit}, or one for each of {listing(parts, 'and')}"
    if given is None:
        mistakes.add(where, "is missing", fix)
    elif not set(row) <= set(parts) or not all(is_number(value, 0, highest) for value in row.values()):
        mistakes.add(f"{where}: {show(given)}", "is not possible", fix)
    return row
