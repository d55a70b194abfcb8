"""The page of a session: everything that a person needs to trust its results, or not to."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gliaflow.report.page import write_page
from gliaflow.report.session_files import SessionFiles


def write_session_page(
    files: SessionFiles,
    path: str | Path,
    *,
    expected: Iterable[str] = (),
    errors: Sequence[Mapping[str, str]] = (),
    earlier: Sequence[Path] = (),
    rano: Mapping[str, Any] | None = None,
) -> None:
    """Write the page of a session from what there is of it, finished or not.

    Parameters
    ----------
    files
        The session. What it lacks is left out of the page, and named there.
    path
        The page, one file that works offline, of 15 MB at most.
    expected
        The paths of the files that it has when it is finished, relative to ``files.root``.
    errors
        Its rows of `gliaflow.status.STATUS_COLUMNS` whose state is not ``done``; none where all went well.
    earlier
        The tables of features of the subject's earlier sessions, in their order.
    rano
        ``neighbours``, ``smallest_lesion_ml`` and ``measurable_mm`` of the config's section ``features``; None
        takes the defaults.

    Examples
    --------
    The page of a session that failed, at the end of a run::

        own = [row for row in rows if row["subject"] == entry.subject and row["state"] != "done"]
        files = SessionFiles(entry.cohort, entry.subject, entry.session)
        write_session_page(files, page, expected=session_outputs(entry), errors=own)
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_page(path, "session.html", files=files, errors=errors)
