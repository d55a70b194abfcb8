"""The page of a session as a person uses it, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from session_results import tumour, whole_session

from gliaflow.images import Array, data_of, read_image
from gliaflow.report.layers import COARSE, Detail
from gliaflow.report.session_files import SessionFiles
from gliaflow.report.session_page import write_session_page

READY = "#stage[data-ready]"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> SessionFiles:
    """A session with everything, and one before it."""
    root = tmp_path_factory.mktemp("session")
    first, files = whole_session(root), whole_session(root, "2", growing=2.0)
    write_session_page(files, page_path(files), earlier=[first.path("seg", "features.tsv")])
    return files


def page_path(files: SessionFiles) -> Path:
    return files.folder / "qc" / "report.html"


@pytest.fixture
def viewer(page: Page, session: SessionFiles) -> Page:
    """Its page, with the viewer on the screen."""
    page.goto(page_path(session).as_uri())
    page.locator("#viewer").scroll_into_view_if_needed()
    page.wait_for_selector(READY)
    return page


def voxel(page: Page) -> tuple[int, int, int]:
    """Where the crosshair is."""
    i, j, k = (int(page.locator(f"#voxel-{axis}").input_value()) for axis in "ijk")
    return i, j, k


def go(page: Page, place: tuple[int, int, int]) -> None:
    for axis, index in zip("ijk", place, strict=True):
        page.locator(f"#voxel-{axis}").fill(str(index))
    page.get_by_role("button", name="Go").click()


def read_out(page: Page, layer: str) -> str:
    """What the viewer says of a layer under the crosshair."""
    return page.locator(f'output[data-layer="{layer}"]').inner_text()


def number_of(text: str) -> tuple[float, float]:
    """A value and its precision: ``12.3 ± 0.1 days``."""
    found = re.fullmatch(r"(-?[\d.]+)(?: ± ([\d.e-]+))?(?: .*)?", text)
    assert found, text
    return float(found[1]), float(found[2] or 0)


def values_of(files: SessionFiles, part: str, name: str) -> Array:
    return data_of(read_image(files.path(part, f"{name}.nii.gz")))


def check_read_out(page: Page, files: SessionFiles) -> None:
    """Hold what the viewer says of the voxel under the crosshair against the files."""
    place = voxel(page)
    for sequence in ("t1c", "t2f"):
        value, precision = number_of(read_out(page, sequence))
        truth = values_of(files, "anat", f"space-ref_{sequence}")[place]
        assert abs(value - truth) <= 2 * precision + 1e-6, (sequence, place)
    check_labels(page, files)
    brain = values_of(files, "anat", "space-ref_desc-brain_mask")[place]
    assert read_out(page, "brain mask") == ("inside" if brain else "outside")
    check_times(page, files, place)


def check_labels(page: Page, files: SessionFiles) -> None:
    """The same of label map and uncertainty, which are exact."""
    place = voxel(page)
    assert int(read_out(page, "label map").split()[0]) == tumour()[place]
    unsure = values_of(files, "seg", "space-ref_uncertainty")[place]
    names = ("whole tumour", "tumour core", "enhancing tumour")
    assert [number_of(read_out(page, f"uncertainty, {name}"))[0] for name in names] == unsure.tolist()


def check_times(page: Page, files: SessionFiles, place: tuple[int, int, int]) -> None:
    """The same of the map on the grid of growth, at its voxel nearest to the crosshair."""
    ref = read_image(files.path("anat", "space-ref_t1c.nii.gz"))
    image = read_image(files.path("growth", "space-growth_desc-median_invasion.nii.gz"))
    there = np.linalg.inv(image.affine) @ ref.affine @ (*place, 1)
    i, j, k = np.rint(there[:3]).astype(int)
    truth = data_of(image)[i, j, k]
    said = read_out(page, "time to invasion")
    if np.isinf(truth):
        assert said == "never"
    else:
        value, precision = number_of(said)
        assert abs(value - truth) <= 2 * precision


def picture(page: Page) -> bytes:
    """What the viewer shows."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator("#canvas").screenshot()


def test_the_viewer_opens_when_it_is_looked_at_and_begins_in_the_lesion(
    viewer: Page, session: SessionFiles
) -> None:
    assert tumour()[voxel(viewer)] > 0
    check_read_out(viewer, session)
    assert "R " in viewer.locator("#place").inner_text()
    colours = np.frombuffer(picture(viewer), np.uint8)
    assert colours.size > 20_000


def test_every_layer_is_read_out_as_the_files_have_it(viewer: Page, session: SessionFiles) -> None:
    for place in ((15, 20, 12), (26, 25, 16), (27, 30, 20), (6, 22, 15), (21, 9, 8)):
        go(viewer, place)
        assert voxel(viewer) == place
        check_read_out(viewer, session)


def test_keys_move_the_crosshair_by_a_voxel(viewer: Page, session: SessionFiles) -> None:
    go(viewer, (20, 22, 15))
    viewer.locator("#canvas").focus()
    steps = {"ArrowLeft": (1, 0, 0), "ArrowRight": (-1, 0, 0), "ArrowUp": (0, 1, 0), "ArrowDown": (0, -1, 0)}
    for key, step in {**steps, "PageUp": (0, 0, 1), "PageDown": (0, 0, -1)}.items():
        before = voxel(viewer)
        viewer.keyboard.press(key)
        assert voxel(viewer) == tuple(np.add(before, step)), key
        check_read_out(viewer, session)


def test_a_click_moves_the_crosshair_in_all_slices(viewer: Page, session: SessionFiles) -> None:
    before = voxel(viewer)
    box = viewer.locator("#canvas").bounding_box()
    assert box
    viewer.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.35 * box["height"])
    after = voxel(viewer)
    assert after[:2] != before[:2] and after[2] == before[2]
    check_read_out(viewer, session)
    viewer.get_by_role("button", name="Largest lesion").click()
    assert voxel(viewer) == before


def test_layers_appear_and_fade(viewer: Page) -> None:
    with_labels = picture(viewer)
    labels = viewer.get_by_label("label map", exact=True)
    labels.uncheck()
    bare = picture(viewer)
    assert bare != with_labels
    for layer in ("uncertainty, whole tumour", "time to invasion", "plan, margin of 15 mm"):
        box = viewer.get_by_label(layer, exact=True)
        box.check()
        shown = picture(viewer)
        assert shown != bare, layer
        viewer.get_by_label(f"Opacity of {layer}").fill("10")
        faded = picture(viewer)
        assert faded not in (shown, bare), layer
        box.uncheck()
        assert picture(viewer) == bare, layer
    viewer.get_by_label("t2f", exact=True).check()
    assert picture(viewer) != bare


def test_of_coarse_scans_every_value_that_is_kept_is_the_files(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse = Detail(COARSE, masked=True, step=(2, 2, 1))
    monkeypatch.setattr("gliaflow.report.layers.details", lambda spacing: [coarse])
    files = whole_session(tmp_path)
    write_session_page(files, page_path(files))
    page.goto(page_path(files).as_uri())
    page.locator("#viewer").scroll_into_view_if_needed()
    page.wait_for_selector(READY)
    truth = values_of(files, "anat", "space-ref_t1c")
    said = set()
    for place in ((15, 20, 12), (26, 25, 16), (27, 30, 20), (6, 22, 15), (20, 5, 15)):
        go(page, place)
        kept = voxel(page)
        assert np.abs(np.subtract(kept, place)).max() <= 1
        check_labels(page, files)
        text = read_out(page, "t1c")
        said.add(text[0])
        if text != "not kept":
            value, precision = number_of(text.lstrip("≤≥ "))
            ends = {"≤": truth[kept] <= value + precision, "≥": truth[kept] >= value - precision}
            assert ends.get(text[0], abs(truth[kept] - value) <= 2 * precision), text
    assert "n" in said and said & set("0123456789")


def test_without_webgl_it_says_so_and_the_pictures_stay(without_webgl: Page, session: SessionFiles) -> None:
    without_webgl.goto(page_path(session).as_uri())
    expect(without_webgl.locator("#no-viewer")).to_be_visible()
    expect(without_webgl.locator("#stage")).to_be_hidden()
    assert broken_images(without_webgl) == 0


def broken_images(page: Page) -> int:
    return page.evaluate("() => [...document.images].filter((one) => !one.naturalWidth).length")


def test_at_200_per_cent_nothing_is_cut_off_sideways(zoomed: Page, session: SessionFiles) -> None:
    zoomed.goto(page_path(session).as_uri())
    zoomed.locator("#viewer").scroll_into_view_if_needed()
    zoomed.wait_for_selector(READY)
    assert zoomed.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_in_print_there_are_pictures_and_no_viewer(page: Page, session: SessionFiles) -> None:
    page.goto(page_path(session).as_uri())
    page.emulate_media(media="print")
    for hidden in ("#viewer", "nav", "#flip-button"):
        expect(page.locator(hidden)).to_be_hidden()
    assert page.locator("main img:visible").count() == 8
    assert broken_images(page) == 0
    assert len(page.pdf()) > 20_000


def test_pictures_before_and_after_registration_are_flipped(page: Page, session: SessionFiles) -> None:
    page.goto(page_path(session).as_uri())
    before, after = page.locator("#flip .before"), page.locator("#flip .after")
    expect(after).to_be_visible()
    expect(before).to_be_hidden()
    page.locator("#flip-button").scroll_into_view_if_needed()
    place = after.bounding_box()
    page.locator("#flip-button").press("Enter")
    expect(before).to_be_visible()
    expect(after).to_be_hidden()
    assert before.bounding_box() == place


def test_hostile_text_runs_nothing(page: Page, tmp_path: Path) -> None:
    text = "</script><script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>脑膜瘤" + "x" * 3000
    files = whole_session(tmp_path, review=text)
    files.path("anat", "desc-found_series.tsv").write_text(f"number\tdescription\n1\t{text}\n")
    error = {"stage": text, "state": "failed", "rule": text, "message": text, "advice": text, "log": text}
    write_session_page(files, page_path(files), errors=[error])
    page.goto(page_path(files).as_uri())
    page.locator("#viewer").scroll_into_view_if_needed()
    page.wait_for_selector(READY)
    assert page.evaluate("() => window.hurt === undefined")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#review")).to_contain_text("<script>window.hurt = 1</script>")


def test_a_page_with_nothing_but_an_error_opens(page: Page, tmp_path: Path) -> None:
    files = SessionFiles("one", "03", "1", tmp_path)
    error = dict.fromkeys(("stage", "state", "rule", "message", "advice", "log"), "convert")
    write_session_page(files, page_path(files), errors=[error], expected=["results/one/a.tsv"])
    page.goto(page_path(files).as_uri())
    expect(page.locator("#errors")).to_contain_text("convert")
    page.locator("summary").first.press("Enter")
    expect(page.locator("#errors li")).to_be_visible()


def test_all_is_reached_by_the_keyboard(viewer: Page) -> None:
    reached = set()
    for _ in range(80):
        viewer.keyboard.press("Tab")
        reached.add(viewer.evaluate("() => document.activeElement.id || document.activeElement.type"))
    assert {"canvas", "voxel-i", "home", "radio", "checkbox", "range", "flip-button"} <= reached


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest) -> Iterator[None]:
    """Software draws slowly on a busy machine."""
    expect.set_options(timeout=20_000)
    yield
