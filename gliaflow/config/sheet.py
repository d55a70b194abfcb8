"""Tab-separated sheets: read as text, cut into rows, and every cell held against its column's schema."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gliaflow.config.mistakes import Mistakes, listing, nearest, shortened, show
from gliaflow.config.schema import Schema, checker, load_schema, violations

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
IDENTIFIER = "^[A-Za-z0-9]+$"
KEYS = ("cohort", "subject", "session")
AS_TABS = "save it as text with tabs between the cells"
AS_UTF8 = 'save it as UTF-8 (in a spreadsheet: "Text, tab-delimited" with the character set UTF-8)'
ALIASES = {
    **dict.fromkeys(("t1", "t1w", "t1pre", "t1_pre", "t1native"), "t1n"),
    **dict.fromkeys(("t1ce", "t1gd", "t1post", "t1_post", "t1contrast", "t1km", "t1wce"), "t1c"),
    **dict.fromkeys(("t2", "t2tse"), "t2w"),
    **dict.fromkeys(("flair", "fla", "t2flair", "t2_flair", "fl"), "t2f"),
    **dict.fromkeys(("patient", "patient_id", "participant", "participant_id", "id"), "subject"),
    **dict.fromkeys(("visit", "timepoint", "time", "session_id", "scan"), "session"),
    **dict.fromkeys(("study", "project", "dataset", "group"), "cohort"),
    **dict.fromkeys(("mask", "brainmask"), "brain_mask"),
    **dict.fromkeys(("seg", "segmentation", "labels"), "label"),
    **dict.fromkeys(("day", "date"), "days"),
    **dict.fromkeys(("gender",), "sex"),
    **dict.fromkeys(("survival", "os", "os_days"), "survival_days"),
    **dict.fromkeys(("death", "dead", "status"), "event"),
}


@dataclass(frozen=True)
class Row:
    """A row of a sheet.

    Attributes
    ----------
    sheet, number
        Path of the sheet as given, and the line in it, counted from 1.
    cells
        The cells that are not empty, by column, without blanks around them.
    values
        The cells that fit their column, as the type that the schema gives.
    """

    sheet: str
    number: int
    cells: Mapping[str, str]
    values: Mapping[str, Any] = field(default_factory=dict)

    def where(self, column: str | None = None) -> str:
        """Say where the row (or one of its cells, with its content) is."""
        keys = "/".join(self.cells[key] for key in KEYS if key in self.cells)
        known = f" ({CONTROL.sub('?', keys)})" if keys else ""
        place = f"{self.sheet}, row {self.number}{known}"
        return f"{place}, column {column}: {show(self.cells.get(column, ''))}" if column else place


def read_sheet(path: Path, name: str, mistakes: Mistakes) -> list[Row]:
    """Read a sheet and hold each cell against the schema of its column.

    Parameters
    ----------
    path
        UTF-8 with or without byte order mark, any line ends; lines without content are passed over.
    name
        Of the schema: ``samples``, ``participants`` or ``reviews``.
    mistakes
        What is wrong is added here.

    Returns
    -------
    list of Row
        Every row whose cells can be told apart, also where some cells are wrong.
    """
    text = _text(path, mistakes)
    records = None if text is None else _records(path, text, mistakes)
    if records is None:
        return []
    if not records:
        mistakes.add(str(path), "is empty", f"write a first line with {_header_of(name)}")
        return []
    columns = _columns(path, *records[0], load_schema(name), mistakes)
    if columns and len(records) == 1:
        mistakes.add(str(path), "has no rows below the first line", "write one row per session or subject")
    rows = [_row(path, number, cells, columns, mistakes) for number, cells in records[1:]] if columns else []
    return [_checked(row, name, mistakes) for row in rows if row is not None]


def identifier_fix(cell: str, otherwise: str) -> str:
    """Say how a cell would read as an identifier.

    >>> identifier_fix("sub-Müller_2", "")
    'write Muller2'
    """
    plain = unicodedata.normalize("NFKD", re.sub(r"^(sub|ses)[-_]", "", cell, flags=re.IGNORECASE))
    proposal = re.sub(r"[^A-Za-z0-9]", "", plain)
    return f"write {proposal}" if proposal else otherwise


def _text(path: Path, mistakes: Mistakes) -> str | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        fix = "check the path in the config (samples, participants, reviews)"
        mistakes.add(str(path), f"no such file (looked for at {path.absolute()})", fix)
    except OSError as error:
        mistakes.add(str(path), f"cannot be read ({error.strerror})", "give a tab-separated text file")
    else:
        return _decoded(path, content, mistakes)
    return None


def _decoded(path: Path, content: bytes, mistakes: Mistakes) -> str | None:
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        mistakes.add(str(path), "is a spreadsheet file, not text", AS_TABS)
        return None
    if content.startswith(UTF16_MARKS):
        mistakes.add(str(path), "is UTF-16, not UTF-8", AS_UTF8)
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistakes.add(f"{path}, row {line}", "has a character that is not UTF-8", AS_UTF8)
        return None


def _records(path: Path, text: str, mistakes: Mistakes) -> list[tuple[int, list[str]]] | None:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
    records = []
    start = 1
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                records.append((start, cells))
            start = reader.line_num + 1
    except csv.Error:
        what = f"has a cell of more than {csv.field_size_limit()} characters"
        fix = "shorten it; a quotation mark that is opened and not closed joins all that follows"
        mistakes.add(f"{path}, row {start}", what, fix)
        return None
    return records


def _columns(
    path: Path, number: int, header: Sequence[str], schema: Schema, mistakes: Mistakes
) -> list[str] | None:
    columns = list(header)
    while columns and not columns[-1]:
        columns.pop()
    where = f"{path}, row {number}"
    if len(columns) == 1 and (found := re.search(r"[,;|]|\s+", columns[0])):
        mistakes.add(where, f"the cells are separated by {show(found[0][0])}, not by tabs", AS_TABS)
        return None
    before = len(mistakes.lines)
    for position, column in enumerate(columns):
        if column not in schema["properties"]:
            place = f"{where}, column {shortened(column) or position + 1}"
            mistakes.add(place, "is not a known column", _rename(column, schema))
        elif column in columns[:position]:
            mistakes.add(f"{where}, column {column}", "there are two columns of this name", "take one out")
    for column in schema["required"]:
        if column not in columns:
            mistakes.add(where, f"the column {column} is missing", f"add it to the first line: {column}")
    return columns if len(mistakes.lines) == before else None


def _rename(column: str, schema: Schema) -> str:
    known = schema["properties"]
    guess = nearest(column, known, ALIASES)
    return f"did you mean {guess}?" if guess else f"the columns are {listing(known, 'and')}"


def _header_of(name: str) -> str:
    return listing(load_schema(name)["properties"], "and")


def _row(
    path: Path, number: int, cells: Sequence[str], columns: Sequence[str], mistakes: Mistakes
) -> Row | None:
    surplus = [cell for cell in cells[len(columns) :] if cell]
    if surplus or len(cells) < len(columns):
        what = f"has {len(cells)} cells, but the first line names {len(columns)} columns"
        fix = "put one tab between two cells, also between empty ones"
        mistakes.add(f"{path}, row {number}", what, fix)
        return None
    return Row(str(path), number, {c: cell for c, cell in zip(columns, cells, strict=False) if cell})


def _checked(row: Row, name: str, mistakes: Mistakes) -> Row:
    values = {c: _typed(cell, load_schema(name)["properties"][c]) for c, cell in row.cells.items()}
    wrong = set(_unprintable(row, mistakes))
    values = {column: value for column, value in values.items() if column not in wrong}
    if wrong or not checker(name).is_valid(values):
        for violation in violations(name, values):
            column = str(violation.path[0])
            if column in wrong:
                continue
            identifier = load_schema(name)["properties"][column].get("pattern") == IDENTIFIER
            fix = identifier_fix(row.cells.get(column, ""), violation.fix) if identifier else violation.fix
            mistakes.add(row.where(column), violation.what, fix)
            values.pop(column, None)
    return Row(row.sheet, row.number, row.cells, values)


def _unprintable(row: Row, mistakes: Mistakes) -> Iterator[str]:
    for column, cell in row.cells.items():
        if CONTROL.search(cell):
            fix = "take it out; a quotation mark that is not closed joins rows"
            mistakes.add(row.where(column), "has a line break or another control character in it", fix)
            yield column


def _typed(cell: str, schema: Schema) -> str | int | float:
    if schema.get("type") in ("integer", "number") and NUMBER.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return cell
