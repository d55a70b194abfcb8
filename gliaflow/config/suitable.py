"""Before any job: whether the models that sessions are given to fit the config and the model table."""

from collections.abc import Iterable, Mapping
from typing import Any

from gliaflow.config.mistakes import Mistakes, listing, nearest, show
from gliaflow.config.models import Model, ModelTable, Weights, named_models
from gliaflow.config.session import Session
from gliaflow.errors import ConfigError
from gliaflow.fetch import sha256_of
from gliaflow.nnunet.manifest import Manifest, check_target, differences, read_manifest
from gliaflow.nnunet.targets import BRAIN, TUMOUR


def candidate_models(models: ModelTable, config: Mapping[str, Any]) -> tuple[Model, ...]:
    """Return the models that sessions may be given to, first choice first.

    Parameters
    ----------
    models
        The model table.
    config
        From ``complete_config``. Where ``segment.models`` names models it is these, else those of the table
        that were trained in the config's atlas and for its use of N4.

    Raises
    ------
    ConfigError
        A name is not in the table.
    """
    names = config["segment"]["models"]
    return (
        named_models(models, names)
        if names is not None
        else tuple(m for m in models.segmentation if not misfits(m, config))
    )


def misfits(model: Model, config: Mapping[str, Any]) -> list[str]:
    """Return a line for each setting of the config that the model was not trained for."""
    mistakes = Mistakes()
    _check_atlas(f"model {model.name}", model, config, mistakes)
    _check_n4(f"model {model.name}", model, config, mistakes)
    return mistakes.lines


def check_models(models: Iterable[Model], config: Mapping[str, Any], *, check_files: bool = True) -> None:
    """Check models against the config, and their files against the model table.

    Parameters
    ----------
    models
        Those that sessions are given to.
    config
        From ``complete_config``.
    check_files
        Whether to read the files that are there: a checksum takes about two seconds for each GB.

    Raises
    ------
    ConfigError
        One line for each mistake.
    """
    mistakes = Mistakes()
    for model in models:
        mistakes.lines += misfits(model, config)
        manifest = _checked_package(model, TUMOUR, mistakes) if check_files else None
        if manifest:
            _check_stated(f"model {model.name}", model, manifest, config, mistakes)
    mistakes.stop_if_any()


def check_brain_model(model: Weights) -> None:
    """Check that the package of a brain extraction is the one of the model table, and finds brains.

    Raises
    ------
    ConfigError
        It is another file, is damaged, or was trained for something else.
    """
    mistakes = Mistakes()
    _checked_package(model, BRAIN, mistakes)
    mistakes.stop_if_any()


def check_label_cohorts(labels: str | Mapping[str, str], sessions: Iterable[Session]) -> None:
    """Check that the config's ``labels`` does not misspell a cohort; it may name cohorts of other sheets.

    Raises
    ------
    ConfigError
        It names a cohort that no sheet lists, and one whose labels it would be taken for is not named.
    """
    sessions = list(sessions)
    named = set(labels) if isinstance(labels, Mapping) else set()
    unnamed = {session.cohort for session in sessions if session.label} - named
    mistakes = Mistakes()
    for name in sorted(named - {"default"} - {session.cohort for session in sessions}):
        if guess := nearest(name, unnamed):
            what = f"is a cohort that no sample sheet lists, and {guess} has labels"
            mistakes.add(f"config, labels.{name}", what, f"did you mean {guess}?")
    mistakes.stop_if_any()


def unsegmented(sessions: Iterable[Session], models: Iterable[Model]) -> list[str]:
    """Return a line for each session that none of the models takes: what each of them misses in it."""
    models = list(models)
    left = [s for s in sessions if not any(model.takes(set(s.expected)) for model in models)]
    return [
        "; ".join(
            [
                f"{'/'.join(session.key)} has {listing(session.expected, 'and')}",
                *(f"{model.name} needs {_needs(model, session)}" for model in models),
            ]
        )
        for session in left
    ]


def _needs(model: Model, session: Session) -> str:
    lacks = model.lacks(set(session.expected))
    return listing(lacks, "and") if lacks else listing(model.sequences, "or")


def _check_atlas(where: str, model: Model, config: Mapping[str, Any], mistakes: Mistakes) -> None:
    if model.atlas not in ("any", config["atlas"]["name"]):
        fix = f"set atlas.name to {model.atlas} (with its path), or use another model"
        mistakes.add(where, f"was trained in the atlas {model.atlas}, not {config['atlas']['name']}", fix)


def _check_n4(where: str, model: Model, config: Mapping[str, Any], mistakes: Mistakes) -> None:
    for sequence in model.sequences if model.n4 is not None else ():
        _check_n4_of(where, sequence, trained=bool(model.n4), config=config, mistakes=mistakes)


def _check_n4_of(
    where: str, sequence: str, *, trained: bool, config: Mapping[str, Any], mistakes: Mistakes
) -> None:
    applied = config["preprocess"]["n4"][sequence] == "apply"
    how = "on" if trained else "without"
    what = f"was trained {how} N4-corrected images, and N4 is otherwise for {sequence}"
    fix = f"set preprocess.n4 of {sequence} to {'apply' if trained else 'registration'}"
    if applied != trained and not any(what in line for line in mistakes.lines):
        mistakes.add(where, what, fix)


def _checked_package(model: Model | Weights, target: str, mistakes: Mistakes) -> Manifest | None:
    """Return the manifest of a package that is here and is right; None for a public model."""
    if model.path is None:
        return None
    where = f"model {model.name}"
    if not model.path.exists():
        mistakes.add(where, f"path leads to {model.path}, which is not there", "correct the path")
        return None
    if model.sha256 and model.path.is_dir():
        what = f"{model.path} is a folder, and a sha256 belongs to a .zip"
        mistakes.add(where, what, "take the sha256 out")
        return None
    if model.sha256 and (found := sha256_of(model.path)) != model.sha256:
        fix = "get the file again, or correct the model table"
        mistakes.add(where, f"{model.path} has the sha256 {found}, not {model.sha256}", fix)
        return None
    try:
        manifest = read_manifest(model.path)
        check_target(manifest, target, model.path)
    except ConfigError as error:
        mistakes.add(where, str(error))
        return None
    return manifest


def _check_stated(
    where: str, model: Model, manifest: Manifest, config: Mapping[str, Any], mistakes: Mistakes
) -> None:
    for key, table, package in differences(model, manifest):
        fix = "write what the package says into the model table"
        mistakes.add(f"{where}, {key}: {show(table)}", f"{model.path} says {show(package)}", fix)
    for sequence, word in manifest.n4.items():
        _check_n4_of(where, sequence, trained=word == "apply", config=config, mistakes=mistakes)
