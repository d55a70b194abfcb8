"""Writing and reading tables: TSV with units in the names, and a data dictionary (JSON) beside each."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gliaflow.images import write_bytes
from gliaflow.sidecar import write_json

NAME_COLUMNS: Mapping[str, str] = {
    "cohort": "Cohort of the sample sheet",
    "subject": "Subject of the sample sheet",
    "session": "Session of the sample sheet",
}
"""The columns that name a session."""


def write_table(path: str | Path, rows: Sequence[Mapping[str, Any]], dictionary: Mapping[str, str]) -> None:
    """Write rows as TSV, missing values (None, NaN) empty, and what each column means as JSON beside it.

    Parameters
    ----------
    path
        Ends in ``.tsv``.
    rows
        Each with exactly the columns of the dictionary.
    dictionary
        Column name to its meaning, in the order of the columns.

    Raises
    ------
    ValueError
        A row has other columns.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dictionary), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if set(row) != set(dictionary):
            raise ValueError(f"{path}: a row has the columns {list(row)}, not {list(dictionary)}")
        writer.writerow({column: "" if pd.isna(value) else value for column, value in row.items()})
    write_bytes(path, stream.getvalue().encode())
    write_json(Path(path).with_suffix(".json"), {k: {"Description": v} for k, v in dictionary.items()})


def read_rows(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Read tables into rows, empty cells as None; identifiers stay text."""
    rows: list[dict[str, Any]] = []
    for path in paths:
        table = pd.read_csv(
            path, sep="\t", dtype=dict.fromkeys(("cohort", "subject", "session", "site"), str)
        )
        whole = table.astype(object).where(table.notna(), None)
        rows += [{str(key): value for key, value in row.items()} for row in whole.to_dict("records")]
    return rows
