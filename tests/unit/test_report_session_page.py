"""The page of a session: what it holds, what it lacks, and that nothing in it does harm."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import hypothesis
import nibabel as nib
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image
from session_results import (
    REGIONS,
    SHAPE,
    affine,
    aged,
    benchmark,
    image,
    scans,
    table,
    tumour,
    whole_session,
)

from gliaflow.compare.pages import compare_pages
from gliaflow.images import data_of, new_image, read_image
from gliaflow.report.course import nice_ticks, plot_course
from gliaflow.report.layers import COARSE, EXACT, FINE, Detail, Packed, crop, pack_map, pack_scan, pack_scans
from gliaflow.report.methods import all_references, describe_methods
from gliaflow.report.session_files import SessionFiles
from gliaflow.report.session_page import MOST_BYTES, NIIVUE, PICTURES, WIDEST, write_session_page
from gliaflow.report.viewer import make_viewer
from gliaflow.sidecar import write_json
from gliaflow.status import STATUS_COLUMNS
from gliaflow.tables import write_table

SECTIONS = (
    *("errors", "review", "viewer", "segmentation", "diameters", "course", "uncertainty", "growth"),
    *("predictions", "conversion", "registration", "brain", "methods", "parameters", "software", "run-times"),
)
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}\u202e脑膜瘤" + "x" * 5000
)


class Page(HTMLParser):
    """Tags, the text of each section, and what scripts hold, as a browser reads a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.sections: dict[str, str] = {}
        self.scripts: dict[str, str] = {}
        self._section, self._script = "", None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "section":
            self._section = given["id"]
            self.sections[self._section] = ""
        self._script = given.get("id", f"script {len(self.scripts)}") if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self._section = "" if tag == "section" else self._section

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        elif self._section:
            self.sections[self._section] += f"{data} "


@pytest.fixture
def whole(tmp_path: Path) -> SessionFiles:
    return whole_session(tmp_path)


def page_of(files: SessionFiles, **given: object) -> Page:
    path = files.path("qc", "x").with_name("report.html")
    write_session_page(files, path, **given)
    return Page(path)


def test_a_whole_session_has_every_section_and_nothing_is_said_to_be_missing(whole: SessionFiles) -> None:
    page = page_of(whole)
    assert tuple(page.sections) == SECTIONS
    absent = {name for name, text in page.sections.items() if "There is no" in text}
    assert absent == set()
    assert page.sections["errors"].split() == ["Errors", "None."]
    assert "whole tumour (WT) 10.0 9.00 to 11.0" in " ".join(page.sections["segmentation"].split())


def test_every_picture_says_in_words_what_it_shows(whole: SessionFiles) -> None:
    images = [given for tag, given in page_of(whole).tags if tag == "img"]
    # before and after registration besides
    assert len(images) == len(PICTURES) - 1 + 2
    assert all(len(given["alt"]) > 40 for given in images)
    assert all(given["src"].startswith("data:image/png;base64,") for given in images)


def test_the_page_asks_for_nothing_else(whole: SessionFiles) -> None:
    for tag, given in page_of(whole).tags:
        assert tag not in {"iframe", "object", "embed", "base", "form"} or given.get("id") in (
            "jump",
            "review-bar",
        )
        assert not {"srcset", "action"} & set(given)
        assert given.get("src", "data:").startswith("data:")
        if tag == "link":
            assert given["href"] == "data:,"
        if tag == "a":
            assert given["href"].startswith(("#", "https://doi.org/10."))


def test_the_same_session_gives_the_same_bytes(whole: SessionFiles, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.html", "b.html")]
    for path in paths:
        write_session_page(whole, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    benchmark(whole, "fuse", 99.9)
    write_session_page(whole, paths[1])
    assert paths[0].read_bytes() != paths[1].read_bytes()
    assert compare_pages(*paths) == []
    image(whole, "anat", "space-ref_t1c", np.random.default_rng(0).random(SHAPE))
    write_session_page(whole, paths[1])
    assert compare_pages(*paths) != []


@pytest.mark.parametrize("parts", [(), ("scans",)], ids=["nothing", "scans"])
def test_a_session_that_failed_has_a_page_with_its_errors_and_what_it_lacks(
    tmp_path: Path, parts: tuple[str, ...]
) -> None:
    files = SessionFiles("one", "01", "1", tmp_path)
    if parts:
        scans(files)
    row = dict.fromkeys(STATUS_COLUMNS, "") | {"stage": "segment", "state": "failed", "rule": "segment"}
    row |= {"message": "one/sub-01/ses-1: weights are missing", "advice": "fetch them", "log": "logs/a.log"}
    expected = ["results/one/sub-01/ses-1/seg/sub-01_ses-1_volumes.tsv"]
    page = page_of(files, errors=[row], expected=expected)
    assert tuple(page.sections) == SECTIONS
    for said in ("segment: failed", "weights are missing", "fetch them", "logs/a.log", expected[0]):
        assert said in page.sections["errors"]
    assert "There is no segmentation" in page.sections["segmentation"]
    assert ("viewer-facts" in page.scripts) == bool(parts)


def test_a_session_to_be_looked_at_says_why(tmp_path: Path) -> None:
    files = whole_session(tmp_path, review="WT: members disagree; ET: too large to be believed")
    text = page_of(files).sections["review"]
    assert "A person should look at this session" in text
    assert "WT: members disagree" in text and "ET: too large" in text


def test_the_course_of_a_subject_is_a_table_and_a_plot(tmp_path: Path) -> None:
    first, second = whole_session(tmp_path, "1"), whole_session(tmp_path, "2", growing=2.0)
    page = page_of(second, earlier=[first.path("seg", "features.tsv")])
    assert "1 100 10.0 20.0 30.0" in " ".join(page.sections["course"].split())
    assert "2 200 20.0 40.0 60.0" in " ".join(page.sections["course"].split())
    lines = [given for tag, given in page.tags if tag == "polyline"]
    assert (
        len({given["stroke"] for given in lines}) == len({given["stroke-dasharray"] for given in lines}) == 3
    )


def test_growth_of_an_older_segmentation_is_not_shown(whole: SessionFiles) -> None:
    assert "reaction_diffusion" in page_of(whole).sections["growth"]
    for path in [*whole.folder.glob("growth/*"), whole.path("qc", "growth.png")]:
        aged(path)
    page = page_of(whole)
    assert "There is no growth" in page.sections["growth"]
    assert "time to invasion" not in page.scripts["viewer-facts"]


def test_predictions_stand_beside_what_they_are_worth_and_not_if_they_are_old(whole: SessionFiles) -> None:
    columns = (
        *("cohort", "subject", "session", "task", "quantity", "prediction", "group", "basis", "metric"),
        *("cross_validated", "cross_validated_low", "cross_validated_high", "chance", "p", "marks"),
    )
    values = ("one", "01", "1", "idh", "mutant", 0.81, None, "out of fold", "auc", 0.7, 0.6, 0.8, 0.5, 0.01)
    row = dict(zip(columns, (*values, "outside the range of training"), strict=True))
    path = whole.root / "results" / "one" / "predictions.tsv"
    write_table(path, [row, row | {"subject": "02", "task": "other"}], dict.fromkeys(columns, "a"))
    text = page_of(whole).sections["predictions"]
    for said in ("0.81", "auc 0.7 (0.6 to 0.8)", "0.5", "outside the range of training"):
        assert said in text
    assert "other" not in text
    aged(path)
    assert "None on this page" in page_of(whole).sections["predictions"]


def with_hostile_text(files: SessionFiles, where: str) -> None:
    """Put hostile text where a header, a sheet or a model's package may have put it."""
    labels = files.path("seg", "space-ref_dseg.json")
    said = json.loads(labels.read_text())
    if where == "series":
        text = f"number\tdescription\n1\t{HOSTILE}\n"
        files.path("anat", "desc-found_series.tsv").write_text(text, encoding="utf-8")
    elif where == "header":
        facts = {"Notes": [HOSTILE], "Acquisition": {"EchoTime": HOSTILE}}
        write_json(files.path("anat", "t1c.json"), {"Software": {}, **facts})
    elif where == "reason":
        numbers = {"review": 1, "review_reasons": HOSTILE, "members": 8, "review_score": 0.1}
        table(files, "uncertainty", numbers)
    elif where == "model":
        write_json(labels, said | {"Model": HOSTILE, "Sequences": [HOSTILE]})
    elif where == "software":
        write_json(labels, said | {"Software": {HOSTILE: HOSTILE}})
    elif where == "growth":
        facts = {"Software": {}, "Meaning": HOSTILE, "Parameters": {"model": HOSTILE.replace("/", "")}}
        write_json(files.path("growth", "space-growth_desc-median_invasion.json"), facts)


@pytest.mark.parametrize("where", ["series", "header", "reason", "model", "software", "growth", "error"])
def test_hostile_text_stays_text(tmp_path: Path, where: str) -> None:
    plain, hostile = whole_session(tmp_path / "plain"), whole_session(tmp_path / "hostile")
    with_hostile_text(hostile, where)
    errors = [dict.fromkeys(STATUS_COLUMNS, HOSTILE)] if where == "error" else []
    page = page_of(hostile, errors=errors)
    for tag in ("script", "img", "style", "svg"):
        assert count(page, tag) == count(page_of(plain), tag)
    assert not [names for _, names in page.tags if any(name.startswith("on") for name in names)]
    shown = "".join(page.sections.values())
    assert "脑膜瘤" in shown and "{{ 7*7 }}" in shown


def count(page: Page, tag: str) -> int:
    """How many tags of a kind a page has."""
    return sum(name == tag for name, _ in page.tags)


def test_no_path_of_the_machine_is_told(whole: SessionFiles) -> None:
    write_json(
        whole.path("seg", "space-ref_volumes.json"),
        {"Software": {}, "Parameters": {"weights": "/data/Doe^Jane/weights"}},
    )
    text = "".join(page_of(whole).sections.values())
    assert "(path)" in text
    assert "Doe" not in text and str(whole.root) not in text


def test_the_page_stays_below_its_size_however_large_the_scans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = whole_session(tmp_path)
    large = np.random.default_rng(1).normal(500, 90, (120, 132, 60)).astype(np.float32)
    grid = affine() @ np.diag([1 / 3, 1 / 3, 1 / 2, 1])
    for sequence in ("t1c", "t2f"):
        image(files, "anat", f"space-ref_{sequence}", large, affine=grid)
    image(
        files, "anat", "space-ref_desc-brain_mask", np.ones(large.shape), np.uint8, affine=grid, Parameters={}
    )
    image(files, "seg", "space-ref_dseg", np.zeros(large.shape), np.uint8, affine=grid, Regions=REGIONS)
    image(
        files,
        "seg",
        "space-ref_uncertainty",
        np.zeros((*large.shape, 3)),
        np.uint8,
        affine=grid,
        Regions=REGIONS,
    )
    for most in (6_000_000, 5_000_000, 4_200_000):
        monkeypatch.setattr("gliaflow.report.session_page.MOST_BYTES", most)
        path = tmp_path / "page.html"
        write_session_page(files, path)
        assert 3_000_000 < path.stat().st_size < most
    assert MOST_BYTES == 15_000_000


def test_a_picture_that_is_too_wide_is_made_smaller(whole: SessionFiles) -> None:
    Image.new("RGB", (4000, 1000), "#202020").save(whole.path("qc", "rano.png"))
    images = {given["alt"]: given for tag, given in page_of(whole).tags if tag == "img"}
    (rano,) = [given for alt, given in images.items() if alt.startswith("Bidimensional")]
    assert (rano["width"], rano["height"]) == (str(WIDEST), "400")
    content = base64.b64decode(rano["src"].partition(",")[2])
    assert int.from_bytes(content[16:20], "big") == WIDEST


def test_the_layers_hold_what_the_images_hold(whole: SessionFiles) -> None:
    viewer = make_viewer(whole, 4_000_000)
    assert viewer
    by_title = {layer.title: layer for layer in viewer.layers}
    assert list(by_title) == [
        *("t1c", "t2f", "label map", "uncertainty, whole tumour", "uncertainty, tumour core"),
        *("uncertainty, enhancing tumour", "time to invasion", "plan, margin of 15 mm", "plan of the model"),
        "brain mask",
    ]
    labels = nib.Nifti1Image.from_bytes(gzip.decompress(by_title["label map"].content))
    x, y, z = viewer.facts["offset"]
    nx, ny, nz = labels.shape
    np.testing.assert_array_equal(data_of(labels), tumour()[x : x + nx, y : y + ny, z : z + nz])
    times = by_title["time to invasion"].packed
    truth = data_of(read_image(whole.path("growth", "space-growth_desc-median_invasion.nii.gz")))
    assert (times.codes == 0).tolist() == np.isinf(truth).tolist()


@hypothesis.given(
    st.integers(0, 2**31),
    st.sampled_from([EXACT, FINE]),
    st.floats(1e-3, 1e5),
    st.floats(-1e4, 1e4),
)
def test_a_packed_value_is_within_the_precision_that_is_told(
    seed: int, levels: int, scale: float, shift: float
) -> None:
    values = (scale * np.random.default_rng(seed).random((4, 5, 6)) + shift).astype(np.float32)
    packed = pack_scan(values, np.ones(values.shape, bool), np.eye(4), Detail(levels))
    back = packed.slope * packed.codes.astype(np.float64) + packed.intercept
    slack = 1e-6 * (abs(shift) + scale)
    assert np.abs(back - values).max() <= packed.precision + slack
    read = nib.Nifti1Image.from_bytes(gzip.decompress(packed.nifti()))
    np.testing.assert_allclose(read.get_fdata(), back, atol=packed.precision / 10 + 10 * slack)


def test_whole_numbers_are_kept_exactly_and_windows_are_marked() -> None:
    values = np.arange(1000, dtype=np.float32).reshape(10, 10, 10)
    everywhere = np.ones(values.shape, bool)
    exact = pack_scan(values, everywhere, np.eye(4), Detail(FINE))
    assert (exact.precision, exact.slope) == (0.0, 1.0)
    coarse = pack_scan(values, everywhere, np.eye(4), Detail(COARSE))
    assert coarse.clipped and coarse.codes.dtype == np.uint8
    assert coarse.codes.min() == 1 and coarse.codes.max() == 255
    masked = pack_scan(values, values > 500, np.eye(4), Detail(FINE, masked=True))
    assert masked.sparse and (masked.codes == 0).sum() == 501


def test_of_voxels_that_are_left_out_the_others_stay_where_they_are() -> None:
    values = np.arange(4 * 6 * 2, dtype=np.float32).reshape(4, 6, 2)
    picture = new_image(values, affine())
    box = (slice(1, 4), slice(0, 6), slice(0, 2))
    kept, matrix = crop(picture, values, box, (2, 3, 1))
    assert kept.shape == (2, 2, 2)
    np.testing.assert_allclose(matrix @ (1, 1, 1, 1), affine() @ (3, 3, 1, 1))
    assert kept[1, 1, 1] == values[3, 3, 1]


def test_less_detail_is_taken_until_it_fits() -> None:
    values = np.random.default_rng(2).random((40, 40, 16)).astype(np.float32)
    picture, brain = new_image(values, np.eye(4)), np.ones(values.shape, bool)
    brain[:10] = False
    box = (slice(0, 40), slice(0, 40), slice(0, 16))
    sizes = []
    for budget in (10**6, 45_000, 35_000, 25_000, 4000, 1):
        made, _, detail = pack_scans({"t1c": (picture, values)}, brain, box, budget)
        sizes.append((len(made["t1c"]), detail))
    assert [size for size, _ in sizes] == sorted((size for size, _ in sizes), reverse=True)
    assert sizes[0][1] == Detail() and sizes[-1][1].step == (3, 3, 3)
    assert all(
        size <= budget
        for (size, _), budget in zip(sizes[:-1], (10**6, 45_000, 35_000, 25_000, 4000), strict=True)
    )


def test_a_map_that_is_nowhere_or_constant_can_be_packed() -> None:
    for values in (np.full((2, 2, 2), np.inf), np.full((2, 2, 2), 7.0)):
        packed = pack_map(values, np.eye(4))
        assert isinstance(packed, Packed) and np.isfinite(packed.slope)


def test_methods_are_those_that_the_sidecars_tell(whole: SessionFiles) -> None:
    methods = describe_methods(whole)
    text = " ".join(methods.paragraphs)
    for said in (
        "N4 (SimpleITK 2.5.7), for registration",
        "sequences t2f were registered to t1c",
        "brainnet",
        "tumournet",
    ):
        assert said in text
    assert "without t1n" in text and "reaction-diffusion" in text and "8 of 19" in text
    numbers = [int(n) for found in re.findall(r"\[([\d,]+)\]", text) for n in found.split(",")]
    assert set(numbers) == set(range(1, len(methods.references) + 1))
    first_seen = list(dict.fromkeys(numbers))
    assert first_seen == sorted(first_seen)
    assert not describe_methods(SessionFiles("one", "02", "1", whole.root)).paragraphs


def test_every_reference_has_a_doi() -> None:
    references = all_references().values()
    assert all(re.fullmatch(r"10\.\d{4,5}/\S+", one.doi) for one in references)
    assert len({one.doi for one in references}) == len(references) > 20


def test_the_plot_needs_two_sessions_and_keeps_its_names_apart() -> None:
    row = {"session": "1", "days": None, "wt_volume_ml": 5.0, "tc_volume_ml": 5.1, "et_volume_ml": 4.9}
    assert plot_course([row]) is None
    plot = plot_course([row, row | {"session": "2"}])
    assert plot and plot.x_title == "session"
    ends = sorted(line.end for line in plot.lines)
    assert min(np.diff(ends)) >= 14
    assert all(plot.top <= y <= plot.bottom for line in plot.lines for _, y, _, _ in line.points)


@hypothesis.given(st.floats(0, 1e6))
def test_ticks_reach_the_largest_volume(top: float) -> None:
    ticks = nice_ticks(top)
    assert ticks[0] == 0 and ticks[-1] >= top * (1 - 1e-9)
    assert 2 <= len(ticks) <= 6


def test_the_viewer_is_the_file_that_the_readme_names() -> None:
    told = (NIIVUE.parent / "README.md").read_text()
    assert hashlib.sha256(NIIVUE.read_bytes()).hexdigest() in told
    assert "BSD 2-Clause" in (NIIVUE.parent / "LICENSE").read_text()
    assert not re.search(r"</script|<!--", NIIVUE.read_text(encoding="utf-8"), re.IGNORECASE)
