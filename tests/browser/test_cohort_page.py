"""The page of a cohort in a real browser: sorting, filtering, marks of reviewers, large cohorts."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_files import HOSTILE, make_cohort, make_session, row

from gliaflow.config.reviews import Decision, Review, read_reviews
from gliaflow.config.samples import read_samples
from gliaflow.config.settings import complete_config
from gliaflow.report.cohort_page import write_cohort_page

LIMIT_SECONDS = 3.0
VISIBLE = "#sessions tbody tr:not([hidden])"


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open a page; at the end there was no error and nothing was asked for but the page itself."""
    context = browser.new_context(accept_downloads=True, viewport={"width": 1280, "height": 900})
    troubles: list[str] = []

    def visit(path: Path):
        tab = context.new_page()
        own = path.as_uri()
        tab.on("console", lambda message: troubles.append(f"console {message.type}: {message.text}"))
        tab.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.on(
            "request",
            lambda request: request.url.startswith(("data:", "blob:", own)) or troubles.append(request.url),
        )
        tab.goto(own)
        tab.locator("#shown", has_text="sessions shown").wait_for()
        return tab

    yield visit
    context.close()
    assert troubles == []


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("thirty")
    decision = Decision("accept", None, "AB", "2026-03-31", "clear edges", "review.tsv", 2)
    reviews = {("one", "P0007", "1"): Review(decision)}
    return write_cohort_page("one", make_cohort(root, 30), reviews, root=root)


def column(tab, number: int) -> list[str]:
    return [text.strip() for text in tab.locator(f"{VISIBLE} > :nth-child({number})").all_inner_texts()]


def test_what_failed_is_on_top_with_its_rule_and_what_is_flagged_follows(visit, thirty: Path) -> None:
    tab = visit(thirty)
    states = [text.splitlines()[0] for text in column(tab, 3)]
    assert states == ["failed"] * 3 + ["finished, flagged"] * 3 + ["finished"] * 24
    assert "segment: image.nii.gz: cut off; copy it again" in column(tab, 3)[0]
    assert tab.locator("#attention .scroll tbody tr").count() == 3
    assert tab.locator(".counts").inner_text().split("\n")[:3] == ["30 sessions", "27 finished", "3 failed"]


def test_headings_sort_both_ways_by_number_and_say_so(visit, thirty: Path) -> None:
    tab = visit(thirty)
    heading = tab.locator("#sessions th", has_text="WT ml")
    number = 1 + heading.evaluate("head => head.cellIndex")
    heading.locator("button").focus()
    tab.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    volumes = [float(text.split()[0]) for text in column(tab, number) if text]
    assert len(volumes) == 27
    assert volumes == sorted(volumes)
    tab.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    found = column(tab, number)
    assert [float(text.split()[0]) for text in found[:27]] == volumes[::-1]
    assert found[27:] == ["", "", ""]
    assert tab.locator("#sessions th[aria-sort=ascending], #sessions th[aria-sort=descending]").count() == 1


def test_words_and_states_filter_and_the_number_is_told(visit, thirty: Path) -> None:
    tab = visit(thirty)
    tab.fill("#words", "disagree")
    assert column(tab, 1) == ["P0005", "P0015", "P0025"]
    assert tab.inner_text("#shown") == "3 of 30 sessions shown"
    tab.fill("#words", "accept")
    assert column(tab, 1) == ["P0007"]
    tab.fill("#words", "")
    tab.get_by_label("finished (24)").uncheck()
    assert tab.locator(VISIBLE).count() == 6
    tab.locator("#spread a[href='#sub-P0024_ses-1']").last.press("Enter")
    tab.locator("#shown", has_text="30 of 30 sessions shown").wait_for()


def mark(tab, subject: str, decision: str, **fields: str) -> None:
    block = tab.locator(f".mark[data-subject={subject}]")
    block.locator("select").select_option(decision)
    for name, text in fields.items():
        block.locator(f"input[name={name}]").fill(text)
        block.locator(f"input[name={name}]").press("Tab")


def save(tab, folder: Path) -> Path:
    with tab.expect_download() as waited:
        tab.get_by_text("Save marks as TSV").click()
    waited.value.save_as(folder / waited.value.suggested_filename)
    return folder / waited.value.suggested_filename


def test_marks_are_saved_as_the_table_that_the_workflow_reads(visit, thirty: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "samples.tsv"
    sheet.write_text(
        "cohort\tsubject\tsession\tt1c\n" + "".join(f"one\tP{n:04d}\t1\t{n}.nii.gz\n" for n in range(30))
    )
    (tmp_path / "edited.nii.gz").touch()
    sessions = read_samples([sheet], complete_config({}), check_paths=False)
    tab = visit(thirty)
    mark(tab, "P0003", "reject", comment='=HYPERLINK("http://x")')
    mark(tab, "P0005", "edit", label="edited.nii.gz", comment="+ oedema \t of the \u2028 left side")
    mark(tab, "P0008", "accept")
    mark(tab, "P0009", "reject")
    mark(tab, "P0009", "")
    assert tab.inner_text(".review-bar output") == "3 marks"
    tab.get_by_label("Your initials").fill("A. B.")
    path = save(tab, tmp_path)
    assert path.name.startswith("review_one_AB_20")
    assert '\t"\'=HYPERLINK(""http://x"")"\n' in path.read_text()
    found = {key[1]: review.latest for key, review in read_reviews([path], sessions).items()}
    assert {subject: (d.decision, d.reviewer, d.comment) for subject, d in found.items()} == {
        "P0003": ("reject", "A. B.", '=HYPERLINK("http://x")'),
        "P0005": ("edit", "A. B.", "+ oedema   of the   left side"),
        "P0008": ("accept", "A. B.", ""),
    }
    assert found["P0005"].label == tmp_path / "edited.nii.gz"
    again = visit(thirty)
    assert again.inner_text(".review-bar output") == "3 marks"
    assert again.locator(".mark[data-subject=P0003] input[name=comment]").input_value().startswith("=HYPER")


def test_what_is_missing_is_asked_for_before_anything_is_saved(visit, thirty: Path) -> None:
    tab = visit(thirty)
    told = tab.locator(".review-bar output")
    tab.get_by_text("Save marks as TSV").click()
    assert told.inner_text() == "There are no marks to save"
    mark(tab, "P0005", "edit")
    tab.get_by_text("Save marks as TSV").click()
    assert told.inner_text() == "Write your initials first"
    assert tab.evaluate("document.activeElement.name") == "reviewer"
    tab.keyboard.type("AB")
    tab.keyboard.press("Enter")
    assert told.inner_text() == "one/P0005/1: write the path of the edited label map"
    assert tab.evaluate("document.activeElement.name") == "label"


def test_text_from_elsewhere_stays_text(visit, tmp_path: Path) -> None:
    make_session(tmp_path, "P1")
    told = {"rule": HOSTILE, "message": HOSTILE, "advice": HOSTILE, "log": HOSTILE}
    status = [row("P1", HOSTILE), row("P2", "segment", "failed", **told)]
    review = Review(Decision("accept", None, HOSTILE, "2026-03-31", HOSTILE * 20, "review.tsv", 2))
    tab = visit(write_cohort_page("one", status, {("one", "P1", "1"): review}, root=tmp_path))
    assert tab.locator("script").count() == 2
    assert tab.locator("img[src=x]").count() == 0
    assert HOSTILE in tab.locator("#attention .scroll tbody").text_content()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("zoom", [1, 2])
def test_it_is_read_without_sideways_scrolling_of_the_page_at_twice_the_size(
    visit, thirty: Path, zoom: int
) -> None:
    tab = visit(thirty)
    tab.set_viewport_size({"width": 1280 // zoom, "height": 900 // zoom})
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.locator(".review-bar button[type=submit]").scroll_into_view_if_needed()
    assert tab.locator(".review-bar button[type=submit]").is_visible()


def test_in_print_every_row_is_there_and_nothing_that_is_only_for_the_screen(visit, thirty: Path) -> None:
    tab = visit(thirty)
    tab.emulate_media(media="print")
    assert not tab.locator(".review-bar").is_visible()
    assert not tab.locator("#filters").is_visible()
    assert tab.evaluate("getComputedStyle(document.querySelector('.scroll.tall')).overflow") == "visible"
    assert len(tab.pdf()) > 10_000


def test_every_figure_and_table_says_what_it_is(visit, thirty: Path) -> None:
    tab = visit(thirty)
    assert tab.locator("table:not(:has(caption))").count() == 0
    assert tab.locator("img:not([alt])").count() == 0
    assert tab.locator("svg:not([role=img][aria-label])").count() == 0
    assert tab.locator(".mark select:not([aria-label])").count() == 0
    for part in ("attention", "table", "spread", "slices", "evaluation", "growth", "predictions"):
        assert tab.locator(f"#{part} h2").is_visible()
    assert "auc 0.61 (0.52–0.7)" in tab.locator("#predictions tbody tr").first.inner_text()


def test_a_thousand_sessions_open_and_filter_fast(visit, tmp_path: Path) -> None:
    status = make_cohort(tmp_path, 1000)
    start = time.process_time()
    page = write_cohort_page("one", status, root=tmp_path)
    assert time.process_time() - start < 20
    assert page.stat().st_size < 15e6
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        tab = visit(page)
        seconds.append(time.perf_counter() - start)
    assert tab.locator("#sessions tbody tr").count() == 1000
    # a busy machine is slower; benchmarks/cohort_page.py measures on one that is not
    assert min(seconds) < 2 * LIMIT_SECONDS
    start = time.perf_counter()
    tab.fill("#words", "P0500")
    tab.locator("#sessions th button").first.click()
    assert tab.inner_text("#shown") == "1 of 1000 sessions shown"
    assert time.perf_counter() - start < LIMIT_SECONDS
