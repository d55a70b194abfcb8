"""The table of the series of a study, free of anything that identifies a person."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gliaflow.convert.scan import Series
from gliaflow.images import write_bytes

COLUMNS: Mapping[str, str] = {
    "key": "First 12 hexadecimal digits of the SHA-256 of SeriesInstanceUID",
    "number": "SeriesNumber",
    "description": "SeriesDescription without personal values",
    "files": "Files that hold its images",
    "slices": "Different slice positions",
    "rows": "Rows of an image",
    "columns": "Columns of an image",
    "te_ms": "EchoTime in ms",
    "tr_ms": "RepetitionTime in ms",
    "ti_ms": "InversionTime in ms",
    "contrast": "Whether it was acquired after contrast agent was given (yes, no)",
    "modality": "Modality",
    "fits": "Sequences whose rule it fits, or why it is no candidate",
    "sequence": "The sequence that it was taken as",
}
IN_ERRORS = ("number", "description", "files", "slices", "te_ms", "tr_ms", "ti_ms", "contrast", "fits")


def series_row(series: Series, fits: str, sequence: str = "") -> dict[str, str]:
    """Return one series as a row of text; missing is empty.

    Parameters
    ----------
    series
        The series.
    fits
        What it fits, or why it is no candidate.
    sequence
        The sequence that it was taken as.
    """
    return {
        "key": series.key,
        "number": "" if series.number is None else str(series.number),
        "description": series.description or series.protocol,
        "files": str(series.n_files),
        "slices": str(series.stack.n_slices),
        "rows": str(series.rows),
        "columns": str(series.columns),
        "te_ms": _time(series.echo_time_ms),
        "tr_ms": _time(series.repetition_time_ms),
        "ti_ms": _time(series.inversion_time_ms),
        "contrast": "yes" if series.contrast else "no",
        "modality": series.modality,
        "fits": fits,
        "sequence": sequence,
    }


def write_series_table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows of :func:`series_row` as TSV."""
    lines = ["\t".join(COLUMNS), *("\t".join(row[column] for column in COLUMNS) for row in rows)]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def text_table(series: Sequence[Series], fits: Mapping[str, str]) -> str:
    """Return series as aligned lines for an error message.

    Parameters
    ----------
    series
        In the order of the lines.
    fits
        By the key of a series, what it fits or why it is no candidate.
    """
    rows = [dict(zip(IN_ERRORS, IN_ERRORS, strict=True)), *(series_row(s, fits[s.key]) for s in series)]
    widths = {column: max(len(row[column]) for row in rows) for column in IN_ERRORS}
    return "\n".join("  ".join(row[c].ljust(widths[c]) for c in IN_ERRORS).rstrip() for row in rows)


def _time(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:g}"
