"""How networks see and learn: the section ``predict.networks`` of the config; imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gliaflow.predict.tasks import Settings


@dataclass(frozen=True)
class Networks:
    """The fields are keys of ``predict.networks``, explained in config/README.md."""

    sequences: tuple[str, ...] = ("t1n", "t1c", "t2w", "t2f")
    voxels: int = 64
    spacing_mm: float = 2.0
    epochs: int = 60
    batch_size: int = 8
    learning_rate: float = 3e-4
    sequence_dropout: float = 0.1
    repeats: int = 3
    frozen_weights: str | None = None
    regions: str | None = None
    connections: str | None = None
    pathology: str | None = None


def networks_of(values: Mapping[str, Any]) -> Networks:
    """Return the settings that the section ``predict.networks`` holds.

    >>> networks_of({"sequences": ["t2f"], "runtime_minutes": 10}).sequences
    ('t2f',)
    """
    known = {field.name for field in fields(Networks)}
    chosen = {key: value for key, value in values.items() if key in known}
    return Networks(**{**chosen, "sequences": tuple(chosen.get("sequences", Networks.sequences))})


def repeated(settings: Settings, networks: Networks) -> Settings:
    """Return the settings of predictors with the number of repeats of networks, which cost more."""
    return replace(settings, repeats=networks.repeats)
