"""A real browser, and a page in it that may neither complain nor ask the network for anything."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")
SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
WITHOUT_GL = ("--disable-gpu", "--disable-3d-apis")
ALLOWED = ("file:", "data:", "blob:")


def chromium() -> str:
    """Debian's chromium."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"no browser is installed (looked for {', '.join(NAMES)})")
    return found


@pytest.fixture(scope="session")
def started() -> Iterator[playwright.Playwright]:
    """Playwright, which starts browsers."""
    with playwright.sync_playwright() as running:
        yield running


def launched(started: playwright.Playwright, *arguments: str) -> Iterator[playwright.Browser]:
    """A browser, closed again at the end."""
    browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox", *arguments])
    yield browser
    browser.close()


def watched(browser: playwright.Browser, **options: object) -> Iterator[playwright.Page]:
    """A page that fails the test on an error in its console and on any request to a network."""
    wrong: list[str] = []
    page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
    page.on("console", lambda said: said.type == "error" and wrong.append(f"console: {said.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("request", lambda asked: asked.url.startswith(ALLOWED) or wrong.append(f"network: {asked.url}"))
    yield page
    page.close()
    assert not wrong


@pytest.fixture(scope="session")
def browser(started: playwright.Playwright) -> Iterator[playwright.Browser]:
    """A browser that draws WebGL without a graphics card."""
    yield from launched(started, *SOFTWARE_GL)


@pytest.fixture
def page(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """An empty page of it."""
    yield from watched(browser)


@pytest.fixture
def zoomed(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """A page of a window of 1280 pixels at 200 % zoom."""
    yield from watched(browser, viewport={"width": 640, "height": 450}, device_scale_factor=2)


@pytest.fixture
def without_webgl(started: playwright.Playwright) -> Iterator[playwright.Page]:
    """A page of a browser that has no WebGL."""
    for browser in launched(started, *WITHOUT_GL):
        yield from watched(browser)
