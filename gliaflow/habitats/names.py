"""What the config says of habitats, checked before any job; imports nothing heavy."""

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

from gliaflow.errors import ConfigError

SESSION_FIELDS = ("cohort", "subject", "session")


def check_habitats(settings: Mapping[str, Any], sequences: Sequence[str], participants: bool) -> None:
    """Stop where keys of ``habitats`` do not go together.

    Parameters
    ----------
    settings
        The section of the config.
    sequences
        Names that further maps must not have.
    participants
        Whether there are patients' data.

    Raises
    ------
    ConfigError
        Fewer than two maps, a name twice, a path with another field than those of a session, a range upside
        down, or outcomes that are wanted and missing, or that would flatter a prediction.
    """
    names = [entry["name"] for entry in settings["further"]]
    where = "config, habitats"
    for entry in settings["further"]:
        fields = _fields(entry["path"])
        if fields is None or (wrong := sorted(fields - set(SESSION_FIELDS))):
            what = "has a brace without its other" if fields is None else f"has the field {wrong[0]!r}"
            raise ConfigError(
                f"{where}.further, {entry['name']}: {entry['path']!r} {what}; write {{cohort}}, {{subject}} "
                "and {session} only"
            )
    if len({*names, *sequences}) < len(names) + len(sequences):
        raise ConfigError(f"{where}.further: a name is there twice, or is that of a sequence; write another")
    if (number := len(names) + len(settings["maps"])) < 2:
        raise ConfigError(f"{where}.maps: {number} map is named with those of further; 2 are needed at least")
    for key in ("number", "quantile"):
        low, high = settings[key]
        if low > high:
            raise ConfigError(f"{where}.{key}: {low} is above {high}; write the smaller one first")
    fitted_to_outcomes = settings["alpha"] < 1 and not settings["model"]
    if fitted_to_outcomes and not participants:
        raise ConfigError(
            f"{where}.alpha is {settings['alpha']:g}, but there are no patients' data with survival; "
            "name them in participants, or write 1"
        )
    if fitted_to_outcomes and settings["in_predict"]:
        raise ConfigError(
            f"{where}.in_predict: with alpha {settings['alpha']:g} the habitats are chosen by survival, and "
            "a prediction from them would look better than it is; write alpha: 1, or name a model of other "
            "patients"
        )


def _fields(path: str) -> set[str] | None:
    """Return the names in braces, None where braces do not match."""
    try:
        return {name for _, name, _, _ in Formatter().parse(path) if name is not None}
    except ValueError:
        return None


def check_sessions(subjects: int, lacking: Mapping[str, Sequence[str]], needed: int) -> None:
    """Stop where too few subjects have every map, with the numbers.

    Parameters
    ----------
    subjects
        How many have.
    lacking
        By session what it lacks; empty for one that has all.
    needed
        How many are needed.

    Raises
    ------
    ConfigError
        There are fewer.

    Examples
    --------
    >>> check_sessions(1, {"one/01/1": [], "one/02/1": ["t2f"]}, needed=1)
    """
    if subjects >= needed:
        return
    without = {name: what for name, what in lacking.items() if what}
    shown = "; ".join(f"{name} lacks {', '.join(what)}" for name, what in list(without.items())[:5])
    raise ConfigError(
        f"habitats: {subjects} subjects have every map of habitats.maps and further, {needed} are needed; "
        f"{len(without)} of {len(lacking)} segmented sessions lack one{f' ({shown})' if shown else ''}; "
        "name other maps, add subjects, or lower habitats.least_subjects"
    )
