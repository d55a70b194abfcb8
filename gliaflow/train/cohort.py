"""Which sessions of the sheets a model is trained on."""

from collections.abc import Iterable, Mapping
from typing import Any

from gliaflow.config.mistakes import listing
from gliaflow.config.session import Session
from gliaflow.errors import ConfigError


def training_sessions(
    sessions: Iterable[Session], train: Mapping[str, Any]
) -> tuple[list[Session], list[str]]:
    """Choose the sessions with a label and enough sequences.

    Parameters
    ----------
    sessions
        Of all sheets.
    train
        The section of the config: ``cohorts``, ``sequences`` and ``sequence_dropout``, above which a session
        needs only one of the sequences.

    Returns
    -------
    tuple
        The sessions, and a line for each labelled one that lacks sequences.

    Raises
    ------
    ConfigError
        A cohort is in no sheet, or no session is left.
    """
    sessions = list(sessions)
    wanted = set(train["cohorts"] or {entry.cohort for entry in sessions})
    if unknown := wanted - {entry.cohort for entry in sessions}:
        raise ConfigError(f"config, train.cohorts: no sample sheet lists {listing(sorted(unknown), 'or')}")
    labelled = [entry for entry in sessions if entry.label and entry.cohort in wanted]
    if not labelled:
        raise ConfigError("no session has a label; fill the column label of the sample sheet")
    chosen = [entry for entry in labelled if _enough(entry, train)]
    left = [
        f"{'/'.join(entry.key)} has {listing(entry.expected, 'and')} only"
        for entry in labelled
        if entry not in chosen
    ]
    if not chosen:
        needs = listing(train["sequences"], "and")
        raise ConfigError(f"config, train.sequences: no labelled session has {needs}; {left[0]}")
    return chosen, left


def _enough(entry: Session, train: Mapping[str, Any]) -> bool:
    needed, there = set(train["sequences"]), set(entry.expected)
    return bool(needed & there) if train["sequence_dropout"] > 0 else needed <= there
