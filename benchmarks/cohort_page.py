"""How long the page of a cohort takes to write, how large it is, and how long a browser takes to open it.

    python benchmarks/cohort_page.py [SESSIONS ...]

Tables, pictures and status are generated; a tenth of the sessions failed. Opening is measured in Debian's
chromium until the table can be filtered.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from gliaflow.report.cohort_page import write_cohort_page

REPOSITORY = Path(__file__).parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "unit"))
FEATURES = 560
REPEATS = 3


def opening(page: Path) -> float:
    """Return the median of the seconds until the page can be used."""
    from playwright.sync_api import sync_playwright

    seconds = []
    with sync_playwright() as driver:
        for _ in range(REPEATS):
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            tab = browser.new_page()
            start = time.perf_counter()
            tab.goto(page.as_uri())
            tab.locator("#shown", has_text="sessions shown").wait_for()
            seconds.append(time.perf_counter() - start)
            browser.close()
    return statistics.median(seconds)


def measure(sessions: int) -> None:
    from page_files import make_cohort

    with tempfile.TemporaryDirectory() as work:
        status = make_cohort(Path(work), sessions, features=FEATURES)
        start = time.perf_counter()
        page = write_cohort_page("one", status, root=Path(work))
        written = time.perf_counter() - start
        size = page.stat().st_size / 1e6
        print(
            f"{sessions} sessions: written in {written:.1f} s, {size:.1f} MB, opens in {opening(page):.2f} s"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sessions", nargs="*", type=int, default=[100, 1000])
    for count in parser.parse_args().sessions:
        measure(count)
