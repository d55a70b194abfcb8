"""Which sessions of the sheets a model is trained on."""

from collections.abc import Iterable, Mapping
from typing import Any

from gliaflow.config.mistakes import listing
from gliaflow.config.session import Session
from gliaflow.errors import ConfigError
from gliaflow.nnunet.targets import BRAIN, RATERS
from gliaflow.raters.files import number_of_raters


def training_sessions(
    sessions: Iterable[Session], train: Mapping[str, Any]
) -> tuple[list[Session], list[str]]:
    """Choose the sessions with a label and enough sequences; for brain extraction, whole heads with a mask.

    For the target ``raters`` the label maps of several raters stand for the label.

    Parameters
    ----------
    sessions
        Of all sheets.
    train
        The section of the config: ``target``, ``cohorts``, ``sequences`` and ``sequence_dropout``, above
        which a session needs only one of the sequences.

    Returns
    -------
    tuple
        The sessions, and a line for each labelled one that lacks sequences.

    Raises
    ------
    ConfigError
        A cohort is in no sheet, no session is left, or not all have the same number of raters.
    """
    sessions = list(sessions)
    wanted = set(train["cohorts"] or {entry.cohort for entry in sessions})
    if unknown := wanted - {entry.cohort for entry in sessions}:
        raise ConfigError(f"config, train.cohorts: no sample sheet lists {listing(sorted(unknown), 'or')}")
    there = [entry for entry in sessions if entry.cohort in wanted]
    return (_heads(there), []) if train["target"] == BRAIN else _labelled(there, train)


def is_ready(session: Session, train: Mapping[str, Any], n4: Mapping[str, str]) -> bool:
    """Tell whether a session's files are what the training needs, but for what `train_take` does.

    Parameters
    ----------
    session
        One to train on.
    train
        Its ``target`` and ``sequences``.
    n4
        For each sequence ``registration``, ``apply`` or ``off``.

    Returns
    -------
    bool
        For tumours and raters: stripped NIfTI scans on the atlas grid to which no N4 is applied. For the
        brain: NIfTI scans on the grid of the brain mask.
    """
    if train["target"] == BRAIN:
        shared = session.registered != "none" or len(session.expected) == 1
        return shared and _are_nifti(session, session.expected)
    used = [sequence for sequence in train["sequences"] if sequence in session.expected]
    stripped = session.stripped and session.brain_mask is None and session.registered == "atlas"
    return stripped and _are_nifti(session, used) and all(n4[sequence] != "apply" for sequence in used)


def _heads(sessions: Iterable[Session]) -> list[Session]:
    chosen = [entry for entry in sessions if entry.brain_mask and not entry.stripped]
    if not chosen:
        raise ConfigError(
            "no session is a whole head with a brain mask; fill the column brain_mask of the sample sheet, "
            "and write stripped = no"
        )
    return chosen


def _labelled(sessions: Iterable[Session], train: Mapping[str, Any]) -> tuple[list[Session], list[str]]:
    column = "raters" if train["target"] == RATERS else "label"
    labelled = [entry for entry in sessions if getattr(entry, column)]
    if not labelled:
        wanted = "raters" if column == "raters" else "a label"
        raise ConfigError(f"no session has {wanted}; fill the column {column} of the sample sheet")
    chosen = [entry for entry in labelled if _enough(entry, train)]
    left = [
        f"{'/'.join(entry.key)} has {listing(entry.expected, 'and')} only"
        for entry in labelled
        if entry not in chosen
    ]
    if not chosen:
        needs = listing(train["sequences"], "and")
        raise ConfigError(f"config, train.sequences: no labelled session has {needs}; {left[0]}")
    if column == "raters":
        number_of_raters(chosen)
    return chosen, left


def _enough(entry: Session, train: Mapping[str, Any]) -> bool:
    needed, there = set(train["sequences"]), set(entry.expected)
    return bool(needed & there) if train["sequence_dropout"] > 0 else needed <= there


def _are_nifti(entry: Session, sequences: Iterable[str]) -> bool:
    return all(map(entry.given_as_nifti, sequences))
