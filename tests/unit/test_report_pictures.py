"""Pictures: what is drawn, what is said about it, and that the same input gives the same bytes."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.images import read_image
from gliaflow.report import pictures
from gliaflow.report.pictures import draw_brain_mask, draw_registration, draw_segmentation

DATA = Path(__file__).parents[3] / "shared" / "data" / "tcga-fg-6692"
SOURCES = {"t1n": "t1", "t1c": "t1c"}
SHAPE = (60, 72, 24)
TITLE = "cohort / sub-01 / ses-01"


def affine(tilt=0.15):
    c, s = np.cos(tilt), np.sin(tilt)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.diag([2.5, 2.5, 6.0])
    matrix[:3, 3] = -matrix[:3, :3] @ (np.array(SHAPE) / 2)
    return matrix


def image(data):
    return nib.Nifti1Image(np.ascontiguousarray(data), affine())


def ellipsoid(scale):
    grid = np.indices(SHAPE) - np.reshape(SHAPE, (3, 1, 1, 1)) / 2
    return np.sqrt(((grid / np.reshape(SHAPE, (3, 1, 1, 1))) ** 2).sum(axis=0)) < scale


@pytest.fixture
def session():
    """Return a small session: three sequences on one grid, a brain mask and a label map with two lesions."""
    rng = np.random.default_rng(3)
    brain, head = ellipsoid(0.36), ellipsoid(0.44)
    texture = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2) * 300
    data = {
        name: head * (80 + 20 * n) + brain * (texture + 60) for n, name in enumerate(("t2f", "t1c", "t1n"))
    }
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[34:46, 30:42, 12:16] = 2
    labels[38:42, 34:38, 13:15] = 1
    labels[20:23, 30:33, 8:9] = 3
    images = {name: image(values.astype(np.float32)) for name, values in data.items()}
    return {
        "images": images,
        "reference": images["t1c"],
        "mask": image(brain.astype(np.uint8)),
        "labels": image(labels),
    }


@pytest.fixture
def drawn(monkeypatch):
    """Catch what is handed to the page: its texts and its panels."""
    caught = []

    def catch(page, panels, path, dpi, **others):
        caught.append((page, panels))

    monkeypatch.setattr(pictures, "draw_page", catch)
    return caught


def registration(session, path, **settings):
    given = {"centre": np.zeros(3), "atlas": None, "reference_name": "t1c", **settings}
    draw_registration(
        session["reference"], session["images"], session["mask"], path=path, title=TITLE, **given
    )


def brain_mask(session, path, centre=(0.0, 0.0, 0.0)):
    pairs = {name: (scan, session["mask"]) for name, scan in session["images"].items()}
    draw_brain_mask(pairs, np.array(centre), path, title=TITLE)


def segmentation(session, path, **settings):
    draw_segmentation(session["images"], session["labels"], session["mask"], path, title=TITLE, **settings)


DRAWINGS = [registration, brain_mask, segmentation]


def turned(session, codes):
    """Return the session with its voxels stored in another order, at the same place in the world."""

    def turn(scan):
        here = nib.orientations.io_orientation(scan.affine)
        return scan.as_reoriented(nib.orientations.ornt_transform(here, nib.orientations.axcodes2ornt(codes)))

    return {
        "images": {name: turn(scan) for name, scan in session["images"].items()},
        "reference": turn(session["reference"]),
        "mask": turn(session["mask"]),
        "labels": turn(session["labels"]),
    }


@pytest.mark.parametrize("draw", DRAWINGS)
def test_the_same_input_gives_the_same_bytes_in_any_orientation(draw, session, tmp_path):
    draw(session, tmp_path / "first.png")
    draw(session, tmp_path / "second.png")
    draw(turned(session, "PIL"), tmp_path / "turned.png")
    first = (tmp_path / "first.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert first == (tmp_path / "second.png").read_bytes() == (tmp_path / "turned.png").read_bytes()
    assert b"Software" not in first


@pytest.mark.parametrize("draw", DRAWINGS)
def test_one_sequence_is_enough_and_none_is_an_error(draw, session, tmp_path, drawn):
    draw({**session, "images": {"t1c": session["images"]["t1c"]}}, tmp_path / "one.png")
    page, panels = drawn[0]
    assert sum("t1c" in name for name in (*page.rows, *page.columns)) in (1, 2)
    assert sum(len(row) for row in panels) in (3, 6)
    with pytest.raises(ImageError, match=f"{TITLE}: there is no image"):
        draw({**session, "images": {}}, tmp_path / "none.png")


@pytest.mark.parametrize("draw", DRAWINGS)
def test_another_grid_is_an_error(draw, session, tmp_path):
    session["mask"] = nib.Nifti1Image(np.asarray(session["mask"].dataobj), affine(0.2))
    with pytest.raises(ImageError, match=r"brain mask.*another grid"):
        draw(session, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_registration_has_sequences_in_order_then_the_atlas(session, tmp_path, drawn):
    atlas = ("sri24", session["images"]["t1n"], session["images"]["t1c"])
    registration(session, tmp_path / "x.png", atlas=atlas)
    page, panels = drawn[0]
    assert page.title == TITLE
    assert page.rows == ["t1n", "t1c (reference)", "t2f", "t1c in sri24"]
    assert page.columns == ["axial", "coronal", "sagittal"]
    assert [len(row) for row in panels] == [3] * 4
    assert all("atlas" in text for _, text in page.key)


def test_every_row_has_the_reference_s_contours(session, tmp_path, drawn):
    shifted = nib.Nifti1Image(np.roll(np.asarray(session["images"]["t2f"].dataobj), 6, axis=0), affine())
    session["images"]["t2f"] = shifted
    registration(session, tmp_path / "x.png")
    page, panels = drawn[0]
    assert all("atlas" not in text for _, text in page.key)
    first, last = panels[0][0], panels[-1][0]
    assert [shape.colour for shape in first.shapes] == [pictures.EDGES, pictures.OUTLINE]
    for ours, theirs in zip(first.shapes, last.shapes, strict=True):
        assert ours.lines and all(np.array_equal(a, b) for a, b in zip(ours.lines, theirs.lines, strict=True))
    assert not np.allclose(first.grey, last.grey, atol=0.2)


def test_a_centre_outside_is_said_and_the_nearest_plane_shown(session, tmp_path, drawn):
    brain_mask(session, tmp_path / "x.png", centre=(0.0, 0.0, 900.0))
    page, panels = drawn[0]
    assert panels[0][0].cut.index == SHAPE[2] - 1
    assert sum("outside" in text for _, text in page.key) == 3
    registration(session, tmp_path / "x.png", centre=np.array([0.0, 900.0, 0.0]))
    assert any("outside t1c" in text for _, text in drawn[1][0].key)


def test_tilted_scans_are_named(session, tmp_path, drawn):
    brain_mask(session, tmp_path / "x.png")
    assert drawn[0][0].key[-1][1].endswith("t1n 9°, t1c 9°, t2f 9°.")


def test_segmentation_shows_the_largest_lesion_and_names_its_labels(session, tmp_path, drawn):
    segmentation(session, tmp_path / "x.png")
    page, panels = drawn[0]
    axial, coronal, sagittal = (row[0].cut.index for row in panels)
    assert 34 <= sagittal < 46 and 30 <= coronal < 42 and 12 <= axial < 16
    voxel_ml = 2.5 * 2.5 * 6 / 1000
    assert [text for _, text in page.key] == [
        f"necrotic core: {32 * voxel_ml:.1f} ml",
        f"oedema: {(12 * 12 * 4 - 32) * voxel_ml:.1f} ml",
        "enhancing: 0.34 ml",
        "regions: WT 21.9 ml, TC 1.5 ml, ET 0.34 ml",
    ]
    assert [colour for colour, _ in page.key] == ["#0072B2", "#F0E442", "#D55E00", None]
    assert page.columns[:2] == ["t1n", "t1n with labels"]
    assert not panels[0][0].shapes and panels[0][1].shapes
    np.testing.assert_array_equal(panels[0][0].grey, panels[0][1].grey)


def test_segmentation_of_the_whole_tumour_says_that_its_parts_are_unknown(session, tmp_path, drawn):
    session["labels"] = image((np.asarray(session["labels"].dataobj) > 0).astype(np.uint8) * 2)
    segmentation(session, tmp_path / "x.png", regions=["WT"])
    assert [text for _, text in drawn[0][0].key] == ["whole tumour (its parts were not determined): 21.9 ml"]


def test_no_lesion_is_said_and_the_brain_s_middle_shown(session, tmp_path, drawn):
    session["labels"] = image(np.zeros(SHAPE, dtype=np.uint8))
    segmentation(session, tmp_path / "x.png")
    page, panels = drawn[0]
    assert "no lesion found" in page.description
    assert page.key == [(None, "no lesion found")]
    assert [row[0].cut.index for row in panels] == [12, 36, 30]


def test_a_cavity_without_tumour_is_shown(session, tmp_path, drawn):
    cavity = np.zeros(SHAPE, dtype=np.uint8)
    cavity[25:30, 20:25, 7:9] = 4
    session["labels"] = image(cavity)
    segmentation(session, tmp_path / "x.png")
    page, panels = drawn[0]
    assert (pictures.label_table()[3].colour, "resection cavity: 1.9 ml") in page.key
    assert 7 <= panels[0][0].cut.index < 9


def test_an_unknown_label_is_an_error(session, tmp_path):
    session["labels"] = image(np.full(SHAPE, 7, dtype=np.uint8))
    with pytest.raises(ImageError, match=r"holds \[7\]"):
        segmentation(session, tmp_path / "x.png")


def test_the_smallest_lesion_keeps_its_colour(session, tmp_path):
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[30, 36, 12] = 3
    session["labels"] = image(labels)
    segmentation(session, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    key_top = pixels.shape[0] - 6 * 23
    assert (pixels[:key_top] == [0xD5, 0x5E, 0x00]).all(axis=2).any()


def test_dpi_scales_the_page(session, tmp_path):
    segmentation(session, tmp_path / "small.png")
    segmentation(session, tmp_path / "large.png", dpi=200)
    with Image.open(tmp_path / "small.png") as small, Image.open(tmp_path / "large.png") as large:
        np.testing.assert_allclose(large.size, 2 * np.array(small.size), rtol=0.01)


def test_a_real_session_s_picture_is_small(tmp_path):
    if not DATA.exists():
        pytest.skip(f"real data not present: {DATA}")
    mask = read_image(DATA / "t1c_hd-bet-mask.nii.gz")
    pairs = {
        name: (read_image(DATA / f"{source}.nii.gz"), mask)
        for name, source in [("t1n", "t1"), ("t1c", "t1c")]
    }
    draw_brain_mask(pairs, np.array([0.0, 0.0, 25.0]), tmp_path / "x.png", title=TITLE)
    assert 50_000 < (tmp_path / "x.png").stat().st_size < 600_000
