"""Label maps that were made elsewhere and enter the fusion: the entries of ``segment.external``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliaflow.config.mistakes import Mistakes, listing, show
from gliaflow.config.models import ModelTable
from gliaflow.config.session import Session
from gliaflow.config.settings import REGIONS


@dataclass(frozen=True)
class External:
    """Where the label maps of one origin lie; the fields are the keys of ``segment.external``."""

    name: str
    path: str
    labels: str
    space: str
    regions: tuple[str, ...]

    def file(self, session: Session) -> str:
        """Return the path of a session's file, as the config writes it."""
        return self.path.format(cohort=session.cohort, subject=session.subject, session=session.session)


def external_maps(config: Mapping[str, Any], models: ModelTable) -> tuple[External, ...]:
    """Return the external label maps of a config.

    Parameters
    ----------
    config
        From ``complete_config``.
    models
        The model table, whose names are taken.

    Raises
    ------
    ConfigError
        A name comes twice or is a model's.
    """
    entries = config["segment"]["external"]
    found = [External(**{**e, "regions": tuple(r for r in REGIONS if r in e["regions"])}) for e in entries]
    taken = {model.name.casefold() for model in models.segmentation}
    mistakes = Mistakes()
    for number, entry in enumerate(found, start=1):
        if entry.name.casefold() in taken:
            where = f"config, segment.external (entry {number}).name: {entry.name!r}"
            mistakes.add(where, "is the name of a model or of another entry", "write another name")
        taken.add(entry.name.casefold())
    mistakes.stop_if_any()
    return tuple(found)


def check_external_files(
    external: Iterable[External],
    sessions: Iterable[Session],
    find: Callable[[str], Path],
    produced: Callable[[Path], bool],
) -> None:
    """Check that every session has its file of every origin.

    Parameters
    ----------
    external, sessions
        What to look for.
    find
        Tells where a path of the config lies.
    produced
        Whether the workflow itself makes a path.

    Raises
    ------
    ConfigError
        One line for each file that is not there.
    """
    mistakes = Mistakes()
    sessions = list(sessions)
    for entry in external:
        for session in sessions:
            path = find(entry.file(session))
            if not path.is_file() and not produced(path):
                where = f"config, segment.external, {entry.name}: {'/'.join(session.key)}"
                mistakes.add(
                    where, f"has no file (looked for at {path})", "put it there, or correct the path"
                )
    mistakes.stop_if_any()


def check_fusion(config: Mapping[str, Any], names: Iterable[str], regions: Iterable[str]) -> None:
    """Check that the settings of the fusion name what there is to fuse, and all of it.

    Parameters
    ----------
    config
        From ``complete_config``.
    names
        Of the models that sessions are given to, and of the external label maps.
    regions
        What any of them determines.

    Raises
    ------
    ConfigError
        One line for each name that there is not, and for what a method needs and lacks.
    """
    fuse, known, regions = config["fuse"], sorted(set(names)), list(regions)
    mistakes = Mistakes()
    for key, methods in NEEDED.items():
        given, where = fuse[key], f"config, fuse.{key}"
        for name in given.values() if key == "source" else given:
            if name not in known:
                fix = f"write {listing(known)}" if known else "nothing is segmented"
                mistakes.add(f"{where}: {show(name)}", "is not among what is fused", fix)
        missing = [name for name in (regions if key == "source" else known) if name not in given]
        if fuse["method"] in methods and not given:
            mistakes.add(f"config, fuse.method: {fuse['method']}", f"needs fuse.{key}", f"fill in fuse.{key}")
        elif fuse["method"] in methods and missing:
            mistakes.add(f"{where}: {listing(missing, 'and')}", "has no entry", "add one")
    mistakes.stop_if_any()


NEEDED: Mapping[str, tuple[str, ...]] = {
    "weights": ("weighted", "weighted_mean"),
    "scores": ("score_weighted",),
    "source": ("source",),
}
"""The keys of ``fuse`` with names in them, and the methods that need each."""
