"""The model table: what may segment a session, and where the weights come from."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliaflow.config.mistakes import Mistakes, listing, nearest, show
from gliaflow.config.schema import complete, load_schema, read_yaml, violations
from gliaflow.config.settings import key_name
from gliaflow.errors import ConfigError


@dataclass(frozen=True)
class Model:
    """A model that segments tumours; the fields are the keys of the table."""

    name: str
    kind: str
    description: str
    path: Path | None
    url: str | None
    sha256: str | None
    sequences: tuple[str, ...]
    optional: tuple[str, ...]
    regions: tuple[str, ...]
    atlas: str
    labels: str
    orientation: str
    configuration: str | None
    postprocess: Mapping[str, Any]
    licence: str
    n4: bool | None
    gpu: bool

    def takes(self, sequences: AbstractSet[str]) -> bool:
        """Tell whether a session's sequences are enough: at least one, and all but the optional ones."""
        return bool(sequences & set(self.sequences)) and not self.lacks(sequences)

    def lacks(self, sequences: AbstractSet[str]) -> tuple[str, ...]:
        """Return the sequences that the model needs and a session does not have."""
        return tuple(s for s in self.sequences if s not in sequences and s not in self.optional)


@dataclass(frozen=True)
class Weights:
    """The weights of a brain extraction; the fields are the keys of the table."""

    name: str
    description: str
    url: str | None
    sha256: str | None
    licence: str
    gpu: bool


@dataclass(frozen=True)
class ModelTable:
    """The model table, each part in the order of preference."""

    segmentation: tuple[Model, ...]
    brain_extraction: tuple[Weights, ...]


def read_models(path: Path, *, check_paths: bool = True) -> ModelTable:
    """Read and check a model table.

    Parameters
    ----------
    path
        YAML; a model's package or folder is relative to it.
    check_paths
        Whether the models' files have to exist.

    Raises
    ------
    ConfigError
        One line for each mistake: entry, key, value, what is wrong, what to write.
    """
    content = complete(load_schema("models"), read_yaml(path) or {})
    mistakes = Mistakes()
    for violation in violations("models", content):
        where = f"{path}, {key_name(violation.path)}: {show(violation.value)}"
        mistakes.add(where, violation.what, violation.fix)
    mistakes.stop_if_any()
    models = tuple(_model(entry, path.parent) for entry in content["segmentation"])
    _check_origins(path, models, mistakes, check_paths=check_paths)
    for key in ("segmentation", "brain_extraction"):
        _check_names(f"{path}, {key}", [entry["name"] for entry in content[key]], mistakes)
    mistakes.stop_if_any()
    return ModelTable(models, tuple(Weights(**entry) for entry in content["brain_extraction"]))


def choose_model(
    models: ModelTable, sequences: AbstractSet[str], preferred: Sequence[str] | None = None
) -> Model | None:
    """Return the first model whose sequences are all there, or None.

    Parameters
    ----------
    models
        The model table, whose segmentation models are asked.
    sequences
        What the session has.
    preferred
        Names, first choice first; None or empty stands for all models in the table's order.

    Raises
    ------
    ConfigError
        A preferred name is not in the table.
    """
    by_name = {model.name: model for model in models.segmentation}
    for name in preferred or ():
        if name not in by_name:
            guess = nearest(name, by_name)
            known = listing(by_name, "and") if by_name else "none"
            fix = f"did you mean {guess}?" if guess else f"the models there are: {known}"
            raise ConfigError(f"config, segment.models: {name!r}: is not in the model table; {fix}")
    candidates = [by_name[name] for name in preferred] if preferred else models.segmentation
    return next((model for model in candidates if model.takes(sequences)), None)


def _model(entry: Mapping[str, Any], folder: Path) -> Model:
    path = (folder / entry["path"]).absolute() if entry["path"] else None
    lists = {key: tuple(entry[key]) for key in ("sequences", "optional", "regions")}
    return Model(**{**entry, **lists, "path": path})


def _check_origins(table: Path, models: Sequence[Model], mistakes: Mistakes, *, check_paths: bool) -> None:
    for model in models:
        where = f"{table}, segmentation, model {model.name}"
        if model.kind == "nnunet" and (model.path is None) == (model.url is None):
            mistakes.add(where, "a trained model has either a path or a url", "write one of the two")
        if stray := sorted(set(model.optional) - set(model.sequences)):
            mistakes.add(
                f"{where}, optional: {listing(stray, 'and')}", "is none of its sequences", "correct it"
            )
        if model.url and not model.sha256:
            fix = "write the 64 characters that sha256sum prints for the file, in quotation marks"
            mistakes.add(where, "sha256 is missing, and a model that is fetched needs one", fix)
        if check_paths and model.path and not model.path.exists():
            mistakes.add(where, f"path leads to {model.path}, which is not there", "correct the path")


def _check_names(where: str, names: Sequence[str], mistakes: Mistakes) -> None:
    folded = [name.casefold() for name in names]
    for position, name in enumerate(names):
        if name.casefold() in folded[:position]:
            mistakes.add(f"{where} (entry {position + 1}).name: {name!r}", "is taken", "write another name")
