"""What differs between two tables, cell by cell."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

SHOWN = 10
KEYS = ("cohort", "subject", "session", "task", "model", "region", "lesion", "method")
"""The columns that name a row, where a table has them."""
Row = Mapping[str, str]
Rows = Mapping[tuple[str, ...], Row]


def compare_tables(first: Path, second: Path, tolerance: float = 0.0) -> list[str]:
    """Return lines on the columns, rows and cells in which two tables differ.

    Parameters
    ----------
    first, second
        TSV with a header. Rows are matched by the columns that name them (``KEYS``), else by their order.
    tolerance
        The largest difference of two numbers that does not count.
    """
    tables = read_table(first), read_table(second)
    columns = [list(table[0]) if table else [] for table in tables]
    lines = _only(columns[0], columns[1], "column")
    shared = [column for column in columns[0] if column in columns[1]]
    keys = key_columns(tables, shared)
    rows = by_key(tables[0], keys), by_key(tables[1], keys)
    lines += _only([_called(key) for key in rows[0]], [_called(key) for key in rows[1]], "row")
    cells = [cell for key in rows[0] if key in rows[1] for cell in _cells(rows, key, shared, tolerance)]
    more = [f"and {len(cells) - SHOWN} more cells"] if len(cells) > SHOWN else []
    return lines + cells[:SHOWN] + more


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a table as text; a short row is filled with empty cells."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [{str(k): v or "" for k, v in row.items()} for row in csv.DictReader(stream, delimiter="\t")]


def key_columns(tables: Sequence[Sequence[Row]], shared: Sequence[str]) -> list[str]:
    """Return the columns that name the rows of both tables; none where they do not tell rows apart."""
    keys = [column for column in shared if column in KEYS]
    unique = all(len({tuple(row[k] for k in keys) for row in rows}) == len(rows) for rows in tables)
    return keys if keys and unique else []


def by_key(rows: Sequence[Row], keys: Sequence[str]) -> Rows:
    """Return rows by the cells that name them, or by their number, from 1."""
    if not keys:
        return {(f"row {number}",): row for number, row in enumerate(rows, start=1)}
    return {tuple(row[key] for key in keys): row for row in rows}


def same_cell(first: str, second: str, tolerance: float = 0.0) -> bool:
    """Tell whether two cells hold the same text, or numbers that differ by no more than the tolerance.

    >>> same_cell("1.0", "1"), same_cell("1.0", "1.1"), same_cell("1.0", "1.1", 0.2), same_cell("", "0")
    (True, False, True, False)
    """
    if first == second:
        return True
    try:
        return math.isclose(float(first), float(second), rel_tol=0, abs_tol=tolerance)
    except ValueError:
        return False


def _cells(
    rows: tuple[Rows, Rows], key: tuple[str, ...], columns: Sequence[str], tolerance: float
) -> list[str]:
    pairs = [(column, rows[0][key][column], rows[1][key][column]) for column in columns]
    return [
        f"{_called(key)}, {column}: {a or 'empty'} in A, {b or 'empty'} in B"
        for column, a, b in pairs
        if not same_cell(a, b, tolerance)
    ]


def _only(first: Sequence[str], second: Sequence[str], what: str) -> list[str]:
    found = []
    for side, names, others in (("A", first, second), ("B", second, first)):
        missing = [name for name in names if name not in set(others)]
        if missing:
            rest = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            found.append(f"{what} only in {side}: {', '.join(missing[:SHOWN])}{rest}")
    return found


def _called(key: tuple[str, ...]) -> str:
    return "/".join(key)
