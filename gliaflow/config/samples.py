"""The sample sheets: which sessions there are, and where each scan of a session lies."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gliaflow.config.between import check_between
from gliaflow.config.cells import IMAGE, STUDY, Cells
from gliaflow.config.disk import Disk
from gliaflow.config.mistakes import Mistakes
from gliaflow.config.session import Session
from gliaflow.config.settings import SEQUENCES
from gliaflow.config.sheet import Row, read_sheet

__all__ = ["Session", "read_samples"]


def read_samples(
    sheets: Sequence[Path],
    config: Mapping[str, Any],
    *,
    produced: Callable[[Path], bool] = lambda path: False,
    check_paths: bool = True,
) -> tuple[Session, ...]:
    """Read and check sample sheets.

    Parameters
    ----------
    sheets
        Tab-separated files; relative paths in them start from their folder.
    config
        From ``complete_config``: ``convert.expect``, ``preprocess.stripped`` and ``preprocess.registered``
        stand in for empty cells.
    produced
        Says whether the workflow itself makes a path that does not exist now.
    check_paths
        Whether what the cells lead to has to exist; a cluster job can leave that to the process that sent it.

    Returns
    -------
    tuple of Session
        In the order of the sheets and their rows.

    Raises
    ------
    ConfigError
        Every mistake of every sheet, one line each: sheet, row, column, value, what is wrong, what to write.
    """
    mistakes = Mistakes()
    cells = Cells(Disk() if check_paths else None, produced, mistakes)
    pairs = []
    for sheet in sheets:
        rows = read_sheet(sheet, "samples", mistakes)
        pairs += [(row, _session(row, config, cells)) for row in rows]
    check_between(pairs, mistakes)
    mistakes.stop_if_any()
    return tuple(session for _, session in pairs)


def _session(row: Row, config: Mapping[str, Any], cells: Cells) -> Session:
    given = {name: cells.scan(row, name) for name in SEQUENCES}
    dwi = cells.scan(row, "dwi")
    study = cells.path(row, "dicom", STUDY)
    expect = config["convert"]["expect"] if "dicom" in row.cells else ()
    searched = {name for name in expect if name not in row.cells}
    stripped = row.values.get("stripped")
    days = row.values.get("days")
    session = Session(
        **{key: row.cells.get(key, "") for key in ("cohort", "subject", "session")},
        days=None if days is None else int(days),
        sources={name: source for name, source in given.items() if source is not None},
        expected=tuple(name for name in SEQUENCES if name in searched or given[name] is not None),
        study=study,
        dwi=dwi,
        brain_mask=cells.path(row, "brain_mask", IMAGE),
        label=cells.path(row, "label", IMAGE),
        raters=cells.raters(row),
        stripped=config["preprocess"]["stripped"] if stripped is None else stripped == "yes",
        registered=row.values.get("registered", config["preprocess"]["registered"]),
        sheet=row.sheet,
        row=row.number,
    )
    cells.neighbours(row, dwi)
    _check_row(row, session, cells.mistakes, searched=bool(searched))
    return session


def _check_row(row: Row, session: Session, mistakes: Mistakes, *, searched: bool) -> None:
    wanted = [name for name in SEQUENCES if row.cells.get(name, "none").casefold() != "none"]
    if not wanted and not searched:
        fix = f"fill one of {', '.join(SEQUENCES)} or dicom, or take the row out"
        mistakes.add(row.where(), "has no sequence", fix)
    pinned = isinstance(session.dwi, int) or any(isinstance(s, int) for s in session.sources.values())
    if session.study and wanted and not searched and not pinned:
        fix = "leave dicom empty, or leave the cell of a sequence empty to search for it"
        mistakes.add(row.where("dicom"), "is not used, because every sequence has its own cell", fix)
    if session.study and session.registered != "none":
        what = f"is a study from the scanner, but registered is {session.registered} (its scans share a grid)"
        mistakes.add(row.where("dicom"), what, "write none in the column registered")
