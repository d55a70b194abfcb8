"""The rows of a task of images: sessions, the file that networks see, and how usual each is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from gliaflow.config.mistakes import listing
from gliaflow.errors import GliaflowError
from gliaflow.labels import SEQUENCES
from gliaflow.marker.dataset import read_seen
from gliaflow.predict.leaks import check_values
from gliaflow.predict.names import IMAGES
from gliaflow.predict.table import KEYS, Table, check_enough, training_table, with_people
from gliaflow.predict.tasks import Settings, Task

VOLUME, PATCHES = "tumour_volume_ml", "pathology_patches"


def image_sessions(
    sessions: Sequence[Mapping[str, Any]], images: Sequence[Path], participants: Path | None
) -> pd.DataFrame:
    """Return a row for each session with images, as `gliaflow.predict.table.read_sessions` does for features.

    Parameters
    ----------
    sessions
        ``cohort``, ``subject``, ``session`` and ``days`` (None where not known) of each.
    images
        The file of `gliaflow.marker.dataset.write_seen` of each.
    participants
        The table of patients' data, None where there is none.

    Returns
    -------
    DataFrame
        With the mean intensity of each sequence in the tumour (NaN where it is missing), the volume of the
        tumour, how many patches of pathology there are, and the column `IMAGES`.
    """
    rows: list[dict[str, Any]] = []
    for session, path in zip(sessions, images, strict=True):
        seen = read_seen(path, ())
        means = {summary(name): float(mean) for name, mean in zip(SEQUENCES, seen.mean, strict=True)}
        own = {VOLUME: seen.tumour_ml, **means, PATCHES: len(seen.patches), IMAGES: str(path)}
        rows.append({**session, **own})
    columns = [*KEYS, "days", VOLUME, *map(summary, SEQUENCES), PATCHES, IMAGES]
    return with_people(pd.DataFrame(rows, columns=columns), participants)


def summary(sequence: str) -> str:
    """Return the name of the column with the mean intensity of a sequence in the tumour."""
    return f"{sequence}_in_tumour"


def image_table(sessions: pd.DataFrame, task: Task, settings: Settings, sequences: Sequence[str]) -> Table:
    """Return the rows of a task whose outcome is known, checked as tables of features are.

    The features are what a prediction is marked by; the network looks at the files of the column `IMAGES`.

    Parameters
    ----------
    sessions
        From `image_sessions`.
    task, settings
        What is predicted, and how.
    sequences
        Those that the network takes; a session that has none of them is left out.

    Raises
    ------
    GliaflowError
        Too few rows, a sequence that no session has, one person under two names, ...
    """
    columns = [summary(name) for name in sequences]
    some = sessions[columns].notna().any(axis=1)
    wanted = replace(task, features=(VOLUME, *columns, IMAGES))
    table = training_table(sessions[some].reset_index(drop=True), wanted)
    if not some.all():
        left = {**table.left_out, f"have none of {listing(sequences, 'and')}": int((~some).sum())}
        table = replace(table, left_out=left)
    missing = [name for name in sequences if len(table.keys) and table.features[summary(name)].isna().all()]
    if missing:
        raise GliaflowError(
            f"predict, task {task.name}: no session has {listing(missing, 'and')}; "
            "take it out of predict.networks.sequences"
        )
    check_enough(table, task, settings)
    check_values(table, task)
    return table


def only_numbers(table: Table) -> Table:
    """Return a table without the column `IMAGES`, which no package tells of."""
    return replace(table, features=table.features.drop(columns=IMAGES))
