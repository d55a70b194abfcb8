"""Names of the trainings of a task, which the rules and the jobs share; imports nothing heavy."""

from collections.abc import Iterable

VOLUME, SLICE, GRAPH = "volume", "slice", "graph"
"""What a network may look at."""
WHOLE = "all"
"""The training on all rows, whose network is packed."""


def split_name(repeat: int, fold: str | int, site: str | None = None) -> str:
    """Return the name of a split: its repeat and fold, or the site that is left out.

    >>> split_name(0, 3), split_name(0, "", "Bonn2")
    ('r0f3', 'siteBonn2')
    """
    return f"r{repeat}f{fold}" if site is None else f"site{site}"


def split_names(folds: int, repeats: int, sites: Iterable[str]) -> list[str]:
    """Return the names of all splits; a single site is not left out.

    >>> split_names(2, 1, ["A"])
    ['r0f0', 'r0f1']
    """
    known = sorted(set(sites))
    named = [split_name(repeat, fold) for repeat in range(repeats) for fold in range(folds)]
    return named + [split_name(0, "", site) for site in known if len(known) > 1]
