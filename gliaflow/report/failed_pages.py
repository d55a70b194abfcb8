"""Pages of sessions that failed: written at the end of a run, and gone as soon as the session goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gliaflow.report.cohort_sessions import OF_FAILED
from gliaflow.report.session_files import SessionFiles
from gliaflow.report.session_page import write_session_page
from gliaflow.status import BROKEN, COMPLETE, by_session

MOST_PAGES = 10
"""How many are written at once: with images one takes some seconds, and a run should end."""

Key = tuple[str, str, str]
Row = Mapping[str, str]


def write_failed_pages(
    status: Sequence[Row], expected: Mapping[Key, Sequence[str]], *, root: Path = Path()
) -> list[Path]:
    """Bring the pages of failed sessions up to date.

    Parameters
    ----------
    status
        Rows of `gliaflow.status.STATUS_COLUMNS`, of any cohorts.
    expected
        By session, the paths of the files that it has when it is finished, relative to ``root``.
    root
        The folder that the workflow runs in.

    Returns
    -------
    list of Path
        The pages that were written, `MOST_PAGES` at most; another call writes more. A page that is younger
        than the logs that it tells of stays as it is.
    """
    written: list[Path] = []
    for key, own in by_session(status).items():
        files = SessionFiles(*key, root)
        page = files.folder / "qc" / OF_FAILED
        logs = [root / row["log"] for row in own if row["state"] == BROKEN]
        if not logs:
            page.unlink(missing_ok=True)
        elif len(written) < MOST_PAGES and not _is_young(page, logs):
            errors = [row for row in own if row["state"] != COMPLETE]
            write_session_page(files, page, expected=expected.get(key, ()), errors=errors)
            written.append(page)
    return written


def _is_young(page: Path, logs: Sequence[Path]) -> bool:
    if not page.is_file():
        return False
    written = page.stat().st_mtime
    return all(log.stat().st_mtime <= written for log in logs if log.is_file())
