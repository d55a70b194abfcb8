"""The page of a cohort: what it takes from the tables, and how it stands what they hold."""

import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_files import HOSTILE, make_cohort, make_session, picture, row, write_rows
from PIL import Image

from gliaflow.config.reviews import Decision, Review
from gliaflow.report import cohort_page
from gliaflow.report.cohort_page import lightest, stage_counts, write_cohort_page
from gliaflow.report.cohort_plots import AXIS, LEFT, RIGHT, Point, strip
from gliaflow.report.cohort_sessions import cohort_sessions, counts_of, session_cells, table_rows
from gliaflow.report.page import short
from gliaflow.report.thumbnail import KEYWORD, SIZE, read_thumbnail

EDIT = Decision("edit", Path("x.nii.gz"), "AB", "2026-03-01", "", "review.tsv", 2)
ACCEPT = Decision("accept", None, "CD", "2026-03-31", "", "review.tsv", 3)
REJECT = Decision("reject", None, "AB", "2026-03-31", "moved", "review.tsv", 4)


def test_the_page_of_a_run_in_which_sessions_failed(tmp_path: Path) -> None:
    status = make_cohort(tmp_path, 20)
    page = write_cohort_page("one", status, root=tmp_path)
    assert page == tmp_path / "results/one/index.html"
    text = page.read_text()
    assert "<strong>18</strong> finished" in text
    assert "<strong>2</strong> failed" in text
    assert "image.nii.gz: cut off; copy it again" in text
    assert text.count('src="data:image/webp;base64,') == 18
    assert 'href="sub-P0001/ses-1/qc/report.html"' in text
    assert "sub-P0003/ses-1/qc" not in text


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    pages = []
    for name in ("a", "b"):
        status = make_cohort(tmp_path / name, 12)
        pages.append(write_cohort_page("one", status, root=tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_nothing_that_was_run_is_a_page_too(tmp_path: Path) -> None:
    text = write_cohort_page("one", [row("P1", "segment", "waiting")], root=tmp_path).read_text()
    assert "<strong>1</strong> waiting" in text
    assert "segment is next" in text
    assert 'id="slices"' not in text
    assert "No session has volumes yet" in text


def test_text_from_elsewhere_is_escaped(tmp_path: Path) -> None:
    told = dict.fromkeys(("rule", "message", "advice", "log"), HOSTILE)
    review = Review(Decision("accept", None, HOSTILE, "2026-03-31", HOSTILE, "r.tsv", 2))
    write_rows(
        tmp_path / "results/one/sub-P1/ses-1/seg/sub-P1_ses-1_uncertainty.tsv",
        [{"review": "1", "review_reasons": HOSTILE}],
    )
    write_rows(
        tmp_path / "results/one/predictions.tsv",
        [{"subject": "P1", "session": "1", "task": "../../x", "quantity": HOSTILE, "prediction": HOSTILE}],
    )
    status = [row("P1", "segment"), row("P2", HOSTILE, "failed", **told)]
    text = write_cohort_page("one", status, {("one", "P1", "1"): review}, root=tmp_path).read_text()
    assert text.count("<script>") == text.count("</script>") == 2
    assert "<img src=x" not in text
    assert "49" not in text.split("Predictions</h2>")[1]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00broken", b"a\tb\n\n1", b"wt_volume_ml\nnan\n", b"wt_volume_ml\n" + b"9" * 200_000],
)
def test_a_damaged_table_is_passed_over(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "results/one/sub-P1/ses-1/seg"
    place.mkdir(parents=True)
    (place / "sub-P1_ses-1_volumes.tsv").write_bytes(content)
    (session,) = cohort_sessions("one", [row("P1", "segment")], {}, root=tmp_path)
    assert all(math.isfinite(value) for value in session.numbers.values())
    write_cohort_page("one", [row("P1", "segment")], root=tmp_path)


def test_a_rejected_session_is_last_and_no_longer_predicted(tmp_path: Path) -> None:
    status = make_cohort(tmp_path, 12)
    status = [r for r in status if r["subject"] != "P0002"]
    status.append(row("P0002", "review", "rejected", message="2026-03-31, AB, moved"))
    reviews = {("one", "P0002", "1"): Review(REJECT)}
    sessions = cohort_sessions("one", status, reviews, root=tmp_path)
    assert (sessions[-1].subject, sessions[-1].state, sessions[-1].told) == (
        *("P0002", "rejected"),
        "2026-03-31, AB, moved",
    )
    assert counts_of(sessions)["rejected"] == counts_of(sessions)["reviewed"] == 1
    text = write_cohort_page("one", status, reviews, root=tmp_path).read_text()
    assert ">P0001/1</a>" in text.split('id="predictions"')[1]
    assert ">P0002/1</a>" not in text.split('id="predictions"')[1]


@pytest.mark.parametrize(
    ("review", "decision"),
    [
        (Review(ACCEPT), "accept"),
        (Review(EDIT, EDIT), "edit"),
        (Review(ACCEPT, EDIT), "accept of the edit"),
        (Review(REJECT, EDIT), "reject"),
        (None, ""),
    ],
)
def test_the_decision_that_counts_is_told(tmp_path: Path, review: Review | None, decision: str) -> None:
    reviews = {("one", "P1", "1"): review} if review else {}
    (session,) = cohort_sessions("one", [row("P1", "segment")], reviews, root=tmp_path)
    assert session.decision == decision


def test_numbers_stand_with_their_intervals_and_columns_that_nobody_has_are_left_out(tmp_path: Path) -> None:
    make_session(tmp_path, "P1", seed=3)
    sessions = cohort_sessions("one", [row("P1", "a"), row("P2", "a", "waiting")], {}, root=tmp_path)
    headings, cells = session_cells(sessions)
    names = [heading for heading, _ in headings]
    assert "WT change %" not in names
    by_subject = dict(zip([s.subject for s in sessions], cells, strict=True))
    volume = by_subject["P1"][names.index("WT ml")]
    (written,) = table_rows(tmp_path / "results/one/sub-P1/ses-1/seg/sub-P1_ses-1_volumes.tsv")
    assert volume.value == float(written["wt_volume_ml"])
    assert volume.text == f"{volume.value:.1f}"
    low, high = map(float, volume.note.split("–"))
    assert low < volume.value < high
    assert by_subject["P1"][names.index("Dice ET")].value == pytest.approx(0.87)
    assert {cell.text for cell in by_subject["P2"]} == {""}


def test_stages_are_counted_in_the_order_of_the_workflow() -> None:
    status = [
        row("A", "fuse"),
        row("B", "fuse", "failed"),
        row("A", "convert"),
        row("C", "review", "rejected"),
    ]
    assert stage_counts(status, ["convert", "segment", "fuse"]) == [
        ("convert", [1, 0, 0, 0]),
        ("fuse", [1, 1, 0, 0]),
    ]


def test_small_pictures_beyond_what_the_page_can_carry_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = cohort_sessions("one", make_cohort(tmp_path, 9), {}, root=tmp_path)
    shown = [session for session in sessions if session.thumbnail]
    assert lightest(sessions) == shown
    monkeypatch.setattr(cohort_page, "MOST_THUMBNAIL_BYTES", sum(len(s.thumbnail) for s in shown[:3]))
    assert lightest(sessions) == shown[:3]


def test_a_small_picture_is_read_without_the_large_one(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    url = read_thumbnail(tmp_path / "a.png")
    assert url and url.startswith("data:image/webp;base64,")
    cut = whole.index(b"IDAT") + 40
    (tmp_path / "cut.png").write_bytes(whole[:cut])
    assert read_thumbnail(tmp_path / "cut.png") == url
    assert whole.index(KEYWORD.encode()) < cut
    assert SIZE == 144


@pytest.mark.parametrize("kind", ["absent", "no picture", "none inside", "hostile"])
def test_where_there_is_no_small_picture_there_is_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    if kind == "no picture":
        path.write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    elif kind != "absent":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_text(KEYWORD if kind == "hostile" else "Other", '"><script>')
        Image.new("L", (4, 4)).save(path, pnginfo=info)
    assert read_thumbnail(path) is None


VALUES = st.lists(st.floats(0, 1e5), min_size=1, max_size=60)


@given(VALUES)
def test_every_value_is_drawn_once_and_inside_the_strip(values: list[float]) -> None:
    found = strip("volume", "ml", [Point(f"s{n}", f"p{n}", value) for n, value in enumerate(values)])
    assert found is not None
    assert found.path.count("M") + len(found.outliers) == len(values)
    dots = [part.split("h")[0].split() for part in found.path.split("M")[1:]]
    places = [float(x) for x, _ in dots] + [point.x for point in found.outliers]
    assert all(LEFT - 0.1 <= x <= RIGHT + 0.1 for x in places)
    assert all(0 < float(y) < AXIS for _, y in dots)
    low, median, high = found.box
    assert LEFT - 0.1 <= low <= median <= high <= RIGHT + 0.1
    assert f"median {short(statistics.median(values))} ml" in found.summary or len(values) % 2 == 0


def test_outliers_lie_beyond_one_and_a_half_quartile_ranges_of_roots() -> None:
    values = [float(n) ** 2 for n in (10, 11, 12, 13, 14, 15, 16, 22.1, 3.9)]
    found = strip("v", "", [Point(f"s{v:g}", f"p{v:g}", v) for v in values])
    low, _, high = statistics.quantiles([math.sqrt(v) for v in values], n=4, method="inclusive")
    reach = 1.5 * (high - low)
    beyond = {v for v in values if not low - reach <= math.sqrt(v) <= high + reach}
    assert {point.value for point in found.outliers} == beyond == {22.1**2, 3.9**2}
    assert strip("v", "", [Point("a", "a", -1.0)]) is None
