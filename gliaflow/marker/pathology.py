"""Features of pathology slides that were made elsewhere, as one table for all subjects."""

from pathlib import Path

import numpy as np
import pandas as pd

from gliaflow.config.mistakes import listing
from gliaflow.errors import GliaflowError
from gliaflow.images import Array

MOST_PATCHES = 500
KEYS = ("cohort", "subject")


def read_patches(path: Path, cohort: str, subject: str) -> Array:
    """Return the features of the patches of a subject's slides.

    Parameters
    ----------
    path
        TSV with the columns ``cohort`` and ``subject``, and numbers; a row for each patch, or for a slide.
    cohort, subject
        Of whom.

    Returns
    -------
    ndarray
        float32, shape (patches, features); of more than 500 patches, so many at equal steps. No patches where
        the subject has no row.

    Raises
    ------
    GliaflowError
        A column is missing, no features are there, or a cell of the subject's rows is no finite number.
    """
    where = f"config, predict.networks.pathology: {path}"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if lacking := [column for column in KEYS if column not in table]:
        raise GliaflowError(f"{where}: lacks the column {listing(lacking, 'and')}; write it")
    columns = [str(column) for column in table if column not in KEYS]
    if not columns:
        raise GliaflowError(f"{where}: has no features; add columns with numbers")
    own = table[(table["cohort"] == cohort) & (table["subject"] == subject)]
    numbers = own[columns].apply(pd.to_numeric, errors="coerce")
    wrong = np.argwhere(~np.isfinite(numbers.to_numpy(dtype=float)))
    if len(wrong):
        row, column = own.index[wrong[0, 0]], columns[wrong[0, 1]]
        raise GliaflowError(
            f"{where}, row {row + 2}, {column}: {own.at[row, column]!r} is no number; "
            "write one or take the row out"
        )
    values: Array = numbers.to_numpy(dtype=np.float32)
    if len(values) > MOST_PATCHES:
        values = values[np.linspace(0, len(values) - 1, MOST_PATCHES).astype(int)]
    return values
