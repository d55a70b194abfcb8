"""What a model package says about itself: ``gliaflow.json``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jsonschema.exceptions import best_match

from gliaflow.config.schema import Checker
from gliaflow.errors import ConfigError
from gliaflow.labels import REGIONS, SEQUENCES, label_table
from gliaflow.nnunet.archive import Archive, open_archive
from gliaflow.nnunet.targets import ANY_SEQUENCE, BRAIN, RATERS, TARGETS, TUMOUR, target_of

FORMAT = 1
MANIFEST = "gliaflow.json"
N4_WORDS = ("registration", "apply", "off")


@dataclass(frozen=True)
class Manifest:
    """What a model is and was trained on.

    Attributes
    ----------
    name
        Of the model.
    sequences
        In the order of the channels; ``any`` alone for a network that takes any one sequence.
    optional
        Which of them may be missing, because the model was trained with sequence dropout.
    regions
        What the model determines, in the order of its heads; ``brain`` alone for brain extraction, and for
        several raters the one region that they mark.
    labels
        Value to name, as :func:`label_names` gives them at the time of the export.
    atlas
        Name of the atlas that it was trained in, or ``any``; ``none`` for brain extraction.
    spacing_mm
        Voxel size that the network works at, along x, y, z.
    n4
        For each sequence ``registration``, ``apply`` or ``off``, as ``preprocess.n4`` of the config.
    postprocess
        Tuned settings; not looked into here.
    training, cross_validation
        Provenance and figures; not looked into here.
    licence
        Of the weights, an SPDX identifier where there is one.
    files
        sha256 of every other file of the package, by its name.
    target
        ``tumour``, ``brain`` for brain extraction, or ``raters`` for the agreement of several raters.
    temperature
        By region, what makes its probabilities mean what they say (`gliaflow.uncertainty.temperature`); none
        for regions that it could not be fitted for.
    """

    name: str
    sequences: tuple[str, ...]
    optional: tuple[str, ...]
    regions: tuple[str, ...]
    labels: Mapping[str, str]
    atlas: str
    spacing_mm: tuple[float, float, float]
    n4: Mapping[str, str]
    postprocess: Mapping[str, Any]
    training: Mapping[str, Any]
    cross_validation: Mapping[str, Any]
    licence: str
    files: Mapping[str, str] = field(default_factory=dict)
    target: str = TUMOUR
    temperature: Mapping[str, float] = field(default_factory=dict)


def _some_of(words: tuple[str, ...], least: int) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(words)}, "minItems": least, "uniqueItems": True}


TEXT = {"type": "string", "minLength": 1}
SPACING = {
    "type": "array",
    "items": {"type": "number", "exclusiveMinimum": 0},
    "minItems": 3,
    "maxItems": 3,
}
PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "format": {"const": FORMAT},
    "name": TEXT,
    "sequences": _some_of((*SEQUENCES, ANY_SEQUENCE), 1),
    "optional": _some_of(SEQUENCES, 0),
    "regions": _some_of((*REGIONS, BRAIN), 1),
    "labels": {"type": "object"},
    "atlas": TEXT,
    "spacing_mm": SPACING,
    "n4": {
        "type": "object",
        "propertyNames": {"enum": list(SEQUENCES)},
        "additionalProperties": {"enum": list(N4_WORDS)},
    },
    "postprocess": {"type": "object"},
    "training": {"type": "object"},
    "cross_validation": {"type": "object"},
    "licence": TEXT,
    "files": {
        "type": "object",
        "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
    "target": {"enum": [*TARGETS, RATERS]},
    "temperature": {
        "type": "object",
        "propertyNames": {"enum": list(REGIONS)},
        "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
    },
}
ADDED = ("target", "temperature")
"""What packages of earlier versions lack."""
SCHEMA = {
    "type": "object",
    "properties": PROPERTIES,
    "required": [key for key in PROPERTIES if key not in ADDED],
    "additionalProperties": False,
}


def label_names(target: str = TUMOUR, raters: int = 0) -> dict[str, str]:
    """Return the names of the label values, as a manifest states them.

    >>> label_names()
    {'1': 'necrotic core', '2': 'oedema', '3': 'enhancing', '4': 'resection cavity'}
    >>> label_names("brain")
    {'1': 'brain'}
    >>> label_names("raters", 2)
    {'1': '1 of 2 raters', '2': '2 of 2 raters'}
    """
    if target == BRAIN:
        return {"1": "brain"}
    if target == RATERS:
        return {str(level): f"{level} of {raters} raters" for level in range(1, raters + 1)}
    return {str(label.value): label.name for label in label_table()}


def read_manifest(path: Path) -> Manifest | None:
    """Read what a model package says about itself, without looking at its weights.

    Parameters
    ----------
    path
        A zip or a folder.

    Returns
    -------
    Manifest or None
        None for a public model, which has no ``gliaflow.json``.

    Raises
    ------
    ConfigError
        The archive or the manifest is refused; see `open_archive` and :func:`parse_manifest`.
    """
    archive = open_archive(path)
    name = manifest_name(archive)
    return None if name is None else parse_manifest(archive.read(name), f"{path}, {name}")


class Stated(Protocol):
    """What a model table says of a model."""

    @property
    def sequences(self) -> tuple[str, ...]:
        """The channels."""
        ...

    @property
    def optional(self) -> tuple[str, ...]:
        """Those that may be missing."""
        ...

    @property
    def regions(self) -> tuple[str, ...]:
        """What it determines."""
        ...

    @property
    def target(self) -> str:
        """What it was trained for."""
        ...

    @property
    def atlas(self) -> str:
        """Where it was trained, or ``any``."""
        ...


def differences(table: Stated, manifest: Manifest) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return where a model table and a manifest differ: the key, and what each of them says.

    Raises
    ------
    ConfigError
        The package finds no tumour.
    """
    check_target(manifest, TUMOUR, manifest.name)
    pairs = [
        ("sequences", table.sequences, manifest.sequences),
        ("optional", tuple(sorted(table.optional)), tuple(sorted(manifest.optional))),
        ("regions", table.regions, manifest.regions),
        ("target", (table.target,), (manifest.target,)),
        ("atlas", (table.atlas,), (table.atlas if table.atlas == "any" else manifest.atlas,)),
    ]
    return [(key, ours, theirs) for key, ours, theirs in pairs if ours != theirs]


def check_target(manifest: Manifest | None, target: str, where: str | Path) -> None:
    """Check that a package was trained for what it is to be used for.

    Parameters
    ----------
    manifest
        Of the package; None for a public model, which finds tumours.
    target
        ``tumour`` or ``brain``; a package of several raters finds tumours.
    where
        The file or the model, for errors.

    Raises
    ------
    ConfigError
        It was trained for something else; says under which key of the model table it belongs.
    """
    found = manifest.target if manifest else TUMOUR
    if target == (TUMOUR if found == RATERS else found):
        return
    if target == BRAIN:
        raise ConfigError(
            f"{where}: is no model of brain extraction; list it under segmentation in the model table, and "
            "name a package that was trained with train.target: brain"
        )
    raise ConfigError(
        f"{where}: is a model of brain extraction and finds no tumour; list it under brain_extraction in the "
        "model table"
    )


def manifest_name(archive: Archive) -> str | None:
    """Return where the manifest lies in an archive, or None; raises ConfigError where there are several."""
    found = [name for name in archive.names() if name.split("/")[-1] == MANIFEST]
    if len(found) > 1:
        raise ConfigError(f"{archive.path}: holds several packages ({', '.join(found)}); name one of them")
    return found[0] if found else None


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return a manifest as the JSON that :func:`parse_manifest` reads.

    Raises
    ------
    ConfigError
        It holds something that JSON has no form for, or that is not finite.
    """
    content = {"format": FORMAT, **{key: _plain(value) for key, value in vars(manifest).items()}}
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"manifest of {manifest.name}: cannot be written as JSON ({error})") from error
    return f"{text}\n".encode()


def check_values(values: Any, schema: Mapping[str, Any], release: int, where: str, advice: str) -> None:
    """Check what a package says of itself against a schema.

    Parameters
    ----------
    values
        As JSON has it.
    schema, release
        What it has to fit, and the ``format`` that is read.
    where, advice
        For the error: the file, and what to do where it does not fit.

    Raises
    ------
    ConfigError
        It is of another format, or does not fit.
    """
    if isinstance(values, dict) and values.get("format") != release:
        raise ConfigError(
            f"{where}: has the format {values.get('format')!r}, and this release reads {release}; "
            "use the release of gliaflow that wrote it"
        )
    wrong = best_match(Checker(schema).iter_errors(values))
    if wrong is not None:
        key = ".".join(map(str, wrong.absolute_path))
        raise ConfigError(f"{where}{key and f', {key}'}: {wrong.message}; {advice}")


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Read and check a manifest.

    Parameters
    ----------
    content
        Of ``gliaflow.json``.
    where
        The file, for errors.

    Raises
    ------
    ConfigError
        It is no JSON, of another format, lacks a key or has a wrong one; its label table is not
        resources/labels.tsv; or a sequence is optional that is no channel.
    """
    values = read_json(content, where)
    check_values(values, SCHEMA, FORMAT, where, "export the model again")
    target = values.get("target", TUMOUR)
    known = label_names(target, len(values["labels"]))
    if values["labels"] != known:
        raise ConfigError(
            f"{where}: wrong label table: the model was exported with {values['labels']}, and "
            f"resources/labels.tsv has {known}; use the release of gliaflow that wrote it"
        )
    _check_one_target(values, target, where)
    if unknown := sorted(set(values["optional"]) - set(values["sequences"])):
        raise ConfigError(
            f"{where}, optional: {', '.join(unknown)} is not among sequences; export the model again"
        )
    lists = {key: tuple(values[key]) for key in ("sequences", "optional", "regions", "spacing_mm")}
    return Manifest(**{key: value for key, value in values.items() if key != "format"} | lists)


def _check_one_target(values: Mapping[str, Any], target: str, where: str) -> None:
    """Check that regions and sequences are those of the target: ``brain`` and ``any`` stand alone.

    Raters mark a single region.
    """
    sequences, regions = values["sequences"], values["regions"]
    takes_any = sequences == [ANY_SEQUENCE] or ANY_SEQUENCE not in sequences
    fitting = {
        TUMOUR: BRAIN not in regions,
        BRAIN: target_of(regions) == BRAIN,
        RATERS: BRAIN not in regions and len(regions) == 1,
    }
    if not fitting[target] or not takes_any:
        raise ConfigError(
            f"{where}: has the target {target}, the regions {regions} and the sequences {sequences}, which "
            "do not go together; export the model again"
        )


def read_json(content: bytes, where: str) -> dict[str, Any]:
    """Return the mapping that a JSON file holds; raises ConfigError where it holds none."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: is not a mapping")
    return values


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
