"""The features of a cohort: the rows of its sessions under one another."""

import csv
from collections.abc import Sequence
from pathlib import Path

from gliaflow.errors import ImageError
from gliaflow.sidecar import read_json
from gliaflow.tables import write_table


def gather(tables: Sequence[str | Path], path: str | Path) -> None:
    """Write the rows of several tables into one, every cell as it stands, with the first one's dictionary.

    Parameters
    ----------
    tables
        TSV with a JSON beside each, one at least.
    path
        The TSV; its JSON is written beside it.

    Raises
    ------
    ImageError
        A table has other columns than the first.
    """
    meanings = read_json(Path(tables[0]).with_suffix(".json"))
    rows: list[dict[str, str]] = []
    for table in tables:
        with Path(table).open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t")
            if list(reader.fieldnames or ()) != list(meanings):
                raise ImageError(f"{table}: has other columns than {tables[0]}; make it again (--force)")
            rows += list(reader)
    write_table(path, rows, {column: said["Description"] for column, said in meanings.items()})
