"""Before any job: whether the models that sessions are given to fit the config and the model table."""

from collections.abc import Iterable, Mapping
from typing import Any

from gliaflow.config.mistakes import Mistakes, listing, nearest, show
from gliaflow.config.models import Model
from gliaflow.config.session import Session
from gliaflow.errors import ConfigError
from gliaflow.fetch import sha256_of
from gliaflow.nnunet.manifest import Manifest, differences, read_manifest


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
        where = f"model {model.name}"
        _check_atlas(where, model, config, mistakes)
        _check_n4(where, model, config, mistakes)
        if check_files and model.path:
            _check_files(where, model, config, mistakes)
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


def _check_files(where: str, model: Model, config: Mapping[str, Any], mistakes: Mistakes) -> None:
    assert model.path is not None
    if model.sha256 and model.path.is_dir():
        mistakes.add(
            where, f"{model.path} is a folder, and a sha256 belongs to a .zip", "take the sha256 out"
        )
        return
    if model.sha256 and (found := sha256_of(model.path)) != model.sha256:
        fix = "get the file again, or correct the model table"
        mistakes.add(where, f"{model.path} has the sha256 {found}, not {model.sha256}", fix)
        return
    try:
        manifest = read_manifest(model.path)
    except ConfigError as error:
        mistakes.add(where, str(error))
        return
    if manifest:
        _check_stated(where, model, manifest, config, mistakes)


def _check_stated(
    where: str, model: Model, manifest: Manifest, config: Mapping[str, Any], mistakes: Mistakes
) -> None:
    for key, table, package in differences(model, manifest):
        fix = "write what the package says into the model table"
        mistakes.add(f"{where}, {key}: {show(table)}", f"{model.path} says {show(package)}", fix)
    for sequence, word in manifest.n4.items():
        _check_n4_of(where, sequence, trained=word == "apply", config=config, mistakes=mistakes)
