"""The model table: what may segment a session, and where the weights come from."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gliaflow.config.mistakes import Mistakes, listing, nearest, show
from gliaflow.config.schema import FOLDER, complete, load_schema, read_yaml, violations
from gliaflow.config.settings import key_name
from gliaflow.errors import ConfigError

SHIPPED_TABLE = FOLDER.parent / "models.yaml"
"""The model table that comes with the workflow."""


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
    target: str
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
    """What finds the brain; the fields are the keys of the table."""

    name: str
    kind: str
    description: str
    path: Path | None
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
        YAML; for the paths in it see `find_package`.
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
    models = tuple(Model(**_entry(entry, path.parent)) for entry in content["segmentation"])
    weights = tuple(Weights(**_entry(entry, path.parent)) for entry in content["brain_extraction"])
    parts: dict[str, tuple[Model | Weights, ...]] = {"segmentation": models, "brain_extraction": weights}
    for key, entries in parts.items():
        for entry in entries:
            _check_origin(f"{path}, {key}, model {entry.name}", entry, mistakes, check_paths=check_paths)
    _check_names(path, parts, mistakes)
    mistakes.stop_if_any()
    return ModelTable(models, weights)


def with_brains_of(models: ModelTable, other: ModelTable) -> ModelTable:
    """Return a table whose brain extraction also has the entries of another one, unless a name is taken."""
    taken = {model.name for model in models.segmentation} | {entry.name for entry in models.brain_extraction}
    more = tuple(entry for entry in other.brain_extraction if entry.name not in taken)
    return replace(models, brain_extraction=(*models.brain_extraction, *more))


def named_models(models: ModelTable, names: Sequence[str]) -> tuple[Model, ...]:
    """Return the segmentation models of these names, in the order of the names.

    Raises
    ------
    ConfigError
        A name is not in the table.
    """
    by_name = {model.name: model for model in models.segmentation}
    for name in names:
        if name not in by_name:
            guess = nearest(name, by_name)
            known = listing(by_name, "and") if by_name else "none"
            fix = f"did you mean {guess}?" if guess else f"the models there are: {known}"
            raise ConfigError(f"config, segment.models: {name!r}: is not in the model table; {fix}")
    return tuple(by_name[name] for name in names)


def choose_models(
    candidates: Iterable[Model], sequences: AbstractSet[str], *, ensemble: bool = False
) -> tuple[Model, ...]:
    """Return the models that segment a session: the first that takes it, or none.

    Parameters
    ----------
    candidates
        First choice first.
    sequences
        What the session has.
    ensemble
        Whether every model that takes it does.
    """
    takers = tuple(model for model in candidates if model.takes(sequences))
    return takers if ensemble else takers[:1]


def brain_model(models: ModelTable, name: str) -> Weights:
    """Return the entry of the network that finds the brain.

    Raises
    ------
    ConfigError
        The table has no entry of this name, or it is no package.
    """
    networks = {entry.name: entry for entry in models.brain_extraction if entry.kind == "nnunet"}
    if name not in networks:
        known = f"write one of {listing(networks)}, or" if networks else "add one, or"
        raise ConfigError(
            f"config, preprocess.brain_extraction.model: {name!r}: is no package (kind: nnunet) under "
            f"brain_extraction in the model table; {known} use method: embedded"
        )
    return networks[name]


def _entry(entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the fields of an entry: lists as tuples, the path found."""
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return fields | {"path": find_package(entry["path"], folder) if entry["path"] else None}


def find_package(path: str, folder: Path) -> Path:
    """Return where a path of a model table lies.

    Parameters
    ----------
    path
        As written in the table.
    folder
        The table's; what is not there is looked for where the workflow's own table lies, so that a copy of
        that table elsewhere still leads to the models that come with the workflow.
    """
    beside, shipped = (folder / path).absolute(), SHIPPED_TABLE.parent / path
    return shipped.resolve() if shipped.exists() and not beside.exists() else beside


def _check_origin(where: str, model: Model | Weights, mistakes: Mistakes, *, check_paths: bool) -> None:
    if model.kind == "nnunet" and (model.path is None) == (model.url is None):
        mistakes.add(where, "a trained model has either a path or a url", "write one of the two")
    if model.kind == "hd-bet" and model.path:
        fix = "write the folder into preprocess.brain_extraction.weights of the config"
        mistakes.add(where, "the weights of hd-bet have no path here", fix)
    if isinstance(model, Model) and (stray := sorted(set(model.optional) - set(model.sequences))):
        mistakes.add(f"{where}, optional: {listing(stray, 'and')}", "is none of its sequences", "correct it")
    if model.kind != "hd-bet" and model.url and not model.sha256:
        fix = "write the 64 characters that sha256sum prints for the file, in quotation marks"
        mistakes.add(where, "sha256 is missing, and a model that is fetched needs one", fix)
    if check_paths and model.path and not model.path.exists():
        mistakes.add(where, f"path leads to {model.path}, which is not there", "correct the path")


def _check_names(table: Path, parts: Mapping[str, Sequence[Model | Weights]], mistakes: Mistakes) -> None:
    """Check that no name comes twice, whatever its case: fetched files are named after the models."""
    taken = set()
    for key, entries in parts.items():
        for position, entry in enumerate(entries):
            if entry.name.casefold() in taken:
                where = f"{table}, {key} (entry {position + 1}).name: {entry.name!r}"
                mistakes.add(where, "is taken", "write another name")
            taken.add(entry.name.casefold())
