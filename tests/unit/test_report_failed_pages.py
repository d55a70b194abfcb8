"""Pages of sessions that failed: written once, of a bounded number, and gone when the session goes on."""

import os
from pathlib import Path

import pytest
from page_files import HOSTILE, row

from gliaflow.report import failed_pages
from gliaflow.report.failed_pages import write_failed_pages

LOG = "logs/segment/one/{}.log"


def failed(root: Path, subject: str, message: str = "too dark") -> dict[str, str]:
    log = root / LOG.format(subject)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(message)
    os.utime(log, (1000, 1000))
    told = {"rule": "segment", "message": message, "advice": "copy it again", "log": LOG.format(subject)}
    return row(subject, "segment", "failed", **told)


def page_of(root: Path, subject: str) -> Path:
    return root / "results" / "one" / f"sub-{subject}" / "ses-1" / "qc" / "failed.html"


def test_a_failed_session_has_a_page_that_says_what_happened_and_what_is_missing(tmp_path: Path) -> None:
    rows = [failed(tmp_path, "A", HOSTILE), row("A", "features", "waiting", advice="waits for segment")]
    written = write_failed_pages(
        [*rows, row("B", "segment")], {("one", "A", "1"): ["results/x"]}, root=tmp_path
    )
    assert written == [page_of(tmp_path, "A")]
    text = written[0].read_text()
    assert "copy it again" in text
    assert "waits for segment" in text
    assert "<code>results/x</code>" in text
    assert "alert(1)</script>" not in text
    assert not page_of(tmp_path, "B").exists()


def test_a_page_is_written_again_only_for_a_younger_log_and_removed_when_the_session_goes_on(
    tmp_path: Path,
) -> None:
    rows = [failed(tmp_path, "A")]
    assert write_failed_pages(rows, {}, root=tmp_path)
    assert not write_failed_pages(rows, {}, root=tmp_path)
    os.utime(page_of(tmp_path, "A"), (999, 999))
    assert write_failed_pages(rows, {}, root=tmp_path)
    write_failed_pages([row("A", "segment")], {}, root=tmp_path)
    assert not page_of(tmp_path, "A").exists()


def test_a_run_in_which_many_failed_ends_soon_and_the_next_writes_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_pages, "MOST_PAGES", 2)
    rows = [failed(tmp_path, name) for name in "ABC"]
    assert write_failed_pages(rows, {}, root=tmp_path) == [page_of(tmp_path, name) for name in "AB"]
    assert write_failed_pages(rows, {}, root=tmp_path) == [page_of(tmp_path, "C")]
