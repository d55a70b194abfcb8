"""Why a file differs: what its sidecars say of software, settings, models and sources."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gliaflow.compare.documents import differences
from gliaflow.compare.folders import Compared
from gliaflow.sidecar import read_json, sidecar_path

EXPLAINING = (
    *("Software", "NetworkSoftware", "Parameters", "Sources", "Model", "ModelSha256", "ModelSettings"),
    *("Models", "Fused", "Folds", "Precision", "Postprocess", "Temperature", "Sequences", "Acquisition"),
)
"""The keys of a sidecar that say how a file came about, rather than what is in it."""
UNEXPLAINED = (
    "its sidecars name the same software, settings and sources; another machine, or a step that is not "
    "repeatable"
)


def reasons(first: Path, second: Path, found: Compared) -> dict[str, list[str]]:
    """Return for each differing file that has sidecars what may explain it.

    Parameters
    ----------
    first, second
        The folders.
    found
        What `gliaflow.compare.folders.compare_folders` found.
    """
    told = {}
    for path in found.differing:
        sidecars = read_sidecar(first / path), read_sidecar(second / path)
        if sidecars[0] and sidecars[1]:
            lines = _of_sidecars(*sidecars) + _of_sources(sidecars[0], found.differing)
            told[path] = lines or [UNEXPLAINED]
    return told


def read_sidecar(place: Path) -> Mapping[str, Any]:
    """Return the sidecar of a file; empty for one that has none, or none that can be read."""
    sidecar = sidecar_path(place)
    if sidecar == place or not sidecar.is_file():
        return {}
    try:
        content = read_json(sidecar)
    except ValueError:
        return {}
    return content if isinstance(content, dict) and "Software" in content else {}


def origins(told: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the files in which differences begin: those that were made from nothing that differs."""
    return [path for path, lines in told.items() if not any(line.startswith(FROM) for line in lines)]


FROM = "made from "


def _of_sidecars(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    old, new = ({key: said[key] for key in EXPLAINING if key in said} for said in (first, second))
    return list(differences(old, new))


def _of_sources(said: Mapping[str, Any], differing: Mapping[str, Any]) -> list[str]:
    """Sources are relative to the folder of the run, of which the results compared may be a part."""
    found = [path for source in said.get("Sources", ()) for path in _endings(source) if path in differing]
    return [f"{FROM}{path}, which differs too" for path in found]


def _endings(source: str) -> list[str]:
    parts = source.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
