"""A session's row: location, change, what is missing, the cohort's table, and the picture."""

import csv
import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shapes import ellipsoid

from gliaflow.errors import ConfigError, ImageError
from gliaflow.features.atlas import atlas_tissue_maps, bundled_ventricles, read_lobe_names, read_lobes
from gliaflow.features.change import change_features, rano_category, rano_change_features
from gliaflow.features.cohort import gather
from gliaflow.features.columns import MEASURED, UNCERTAINTY_COLUMNS, feature_columns
from gliaflow.features.location import AtlasMaps, hemisphere, location_features
from gliaflow.features.rano import bidimensional
from gliaflow.features.session import (
    FeatureSettings,
    Segmented,
    changes,
    growth_features,
    session_features,
    uncertainty_features,
)
from gliaflow.images import Array, data_of, new_image, write_image
from gliaflow.labels import SEQUENCES
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.report.pictures import lesion_planes
from gliaflow.report.rano import draw_rano
from gliaflow.tables import write_table

SHAPE = (40, 44, 40)
AFFINE = np.array([[2.0, 0, 0, -39], [0, 2, 0, -44], [0, 0, 2, -40], [0, 0, 0, 1]])
ALL = ("WT", "TC", "ET")


def atlas(**changes: object) -> AtlasMaps:
    """A box of a brain whose left half is white matter, with a ventricle along its midline."""
    brain = np.ones(SHAPE, dtype=bool)
    white = np.zeros(SHAPE)
    white[:20] = 1
    ventricles = np.zeros(SHAPE, dtype=bool)
    ventricles[19:21, 15:30, 15:25] = True
    facts = {"tissue": {"WM": white, "GM": 1 - white, "CSF": 0 * white}, "ventricles": ventricles}
    return AtlasMaps(AFFINE, brain, **facts | changes)


def tumour(centre: tuple[int, int, int] = (8, 22, 20)) -> Array:
    """Three shells of 2 mm voxels."""
    grid = np.indices(SHAPE)
    far = np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)))
    return np.select([far <= 2, far <= 4, far <= 6], [1, 3, 2], 0).astype(np.uint8)


def row_of(
    labels: Array, regions: tuple[str, ...] = ALL, sequences: tuple[str, ...] = SEQUENCES, **said: object
) -> dict:
    """A whole row, as the script makes it."""
    rng = np.random.default_rng(1)
    images = {s: rng.normal(size=SHAPE).astype(np.float32) for s in sequences}
    own = Segmented(labels, (2.0, 2.0, 2.0), regions)
    row = {"cohort": "c", "subject": "s", "session": "1", "days": None}
    row |= session_features(own, labels, images, atlas(**said), FeatureSettings())
    row |= changes(row, []) | uncertainty_features(dict.fromkeys(UNCERTAINTY_COLUMNS))
    return row | growth_features(None)


def test_a_row_has_exactly_the_columns_of_the_dictionary() -> None:
    assert set(row_of(tumour())) == set(feature_columns())
    lobes = np.where(np.indices(SHAPE)[1] < 22, 1, 2)
    named = {1: "back", 2: "front"}
    row = row_of(tumour(), lobes=lobes, lobe_names=named)
    assert set(row) == set(feature_columns(named.values()))
    assert list(feature_columns())[:4] == ["cohort", "subject", "session", "days"]
    assert row["wt_lobe_back_share"] + row["wt_lobe_front_share"] == pytest.approx(1)
    assert row["lobe"] == "front"


def test_location_is_told_in_millimetres_of_the_atlas() -> None:
    row = row_of(tumour())
    assert [row[f"wt_centre_{axis}_mm"] for axis in "xyz"] == pytest.approx([-23, 0, 0])
    assert (row["hemisphere"], row["wt_left_share"], row["wt_wm_share"]) == ("left", 1, 1)
    assert row["wt_ventricle_distance_mm"] == pytest.approx(2 * (19 - 14))
    assert row_of(tumour((32, 22, 20)))["hemisphere"] == "right"
    across = row_of(tumour((20, 22, 20)))
    assert (across["hemisphere"], across["wt_ventricle_distance_mm"]) == ("both", 0)


def test_the_midline_is_the_brains_not_the_origins() -> None:
    """Some atlases have their origin in a corner."""
    moved = AFFINE.copy()
    moved[0, 3] = 100
    mask = tumour() > 0
    found = location_features(mask, AtlasMaps(moved, np.ones(SHAPE, dtype=bool)))
    assert found["left_share"] == 1
    assert hemisphere(found["left_share"]) == "left"
    assert found["wm_share"] is found["ventricle_distance_mm"] is None


def test_a_region_that_is_absent_has_no_volume_and_no_shape() -> None:
    row = row_of(np.where(tumour() > 0, 2, 0))
    assert (row["et_volume_ml"], row["et_lesions"], row["et_rano_sum_mm2"]) == (0, 0, 0)
    for name in ("sphericity", "centre_x_mm", "rano_longest_mm", "t1c_mean", "largest_lesion_ml"):
        assert row[f"et_{name}"] is None
    assert row["wt_sphericity"] is not None
    empty = row_of(np.zeros(SHAPE, dtype=np.uint8))
    assert (empty["wt_volume_ml"], empty["hemisphere"], empty["lobe"]) == (0, None, None)


def test_a_region_that_was_not_determined_has_nothing() -> None:
    row = row_of(np.where(tumour() > 0, 2, 0).astype(np.uint8), ("WT",))
    assert {value for name, value in row.items() if name.startswith(("tc_", "et_"))} == {None}
    assert (row["oedema_volume_ml"], row["enhancing_volume_ml"]) == (None, None)
    assert row["wt_volume_ml"] > 0


def test_a_sequence_that_is_missing_has_nothing() -> None:
    row = row_of(tumour(), sequences=("t1c",))
    assert {value for name, value in row.items() if "_t2f_" in name} == {None}
    assert row["wt_t1c_mean"] is not None


def test_volumes_add_up() -> None:
    row = row_of(tumour())
    labels = [row[f"{name}_volume_ml"] for name in ("necrotic_core", "oedema", "enhancing")]
    assert sum(labels) == pytest.approx(row["wt_volume_ml"])
    assert row["tc_volume_ml"] == pytest.approx(labels[0] + labels[2])
    assert row["wt_mesh_volume_ml"] == pytest.approx(4 / 3 * math.pi * 12**3 / 1000, rel=0.05)


def test_images_on_another_grid_are_refused() -> None:
    images = {"t1c": np.zeros((3, 3, 3))}
    own = Segmented(tumour(), (2.0, 2.0, 2.0), ALL)
    with pytest.raises(ImageError, match="t1c: has shape"):
        session_features(own, tumour(), images, atlas(), FeatureSettings())


def test_change_needs_what_it_is_made_of() -> None:
    before, now = {"wt_volume_ml": 8.0, "days": 0}, {"wt_volume_ml": 2.0, "days": 100}
    found = change_features("wt", now, [before], 100)
    assert (found["volume_change_ml"], found["volume_change_percent"]) == (-6, -75)
    assert found["volume_doubling_time_days"] == pytest.approx(-50)
    assert change_features("wt", now, [before], None)["volume_doubling_time_days"] is None
    assert set(change_features("wt", now, [], 100).values()) == {None}
    assert set(change_features("wt", now, [{"wt_volume_ml": None}], 100).values()) == {None}
    gone = change_features("wt", {"wt_volume_ml": 0.0}, [before], 100)
    assert (gone["volume_change_percent"], gone["volume_doubling_time_days"]) == (-100, None)


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.integers(1, 2000))
def test_after_a_doubling_time_the_volume_is_twice_as_large(before: float, now: float, days: int) -> None:
    found = change_features("wt", {"wt_volume_ml": now}, [{"wt_volume_ml": before}], days)
    time = found["volume_doubling_time_days"]
    assert (time is None) == (before == now)
    if time is not None:
        assert before * 2 ** (days / time) == pytest.approx(now)


@pytest.mark.parametrize(
    ("earlier", "now", "gone", "category"),
    [
        ([400], 0, True, "CR"),
        ([400], 0, False, "PR"),
        ([400], 200, False, "PR"),
        ([400], 201, False, "SD"),
        ([400], 499, False, "SD"),
        ([400], 500, False, "PD"),
        ([400, 100], 125, False, "PD"),
        ([400, 100], 124, False, "PR"),
        ([400, 0], 150, False, "PD"),
        ([0], 150, False, "PD"),
        ([0], 0, True, None),
        ([0, 300], 0, True, None),
    ],
)
def test_categories_follow_the_sums(
    earlier: list[float], now: float, gone: bool, category: str | None
) -> None:
    assert rano_category(earlier, now, gone=gone) == category
    rows = [{"et_rano_sum_mm2": None}, *({"et_rano_sum_mm2": s} for s in earlier)]
    row = {"et_rano_sum_mm2": now, "et_volume_ml": 0.0 if gone else 1.0}
    found = rano_change_features("et", row, rows)
    assert found["rano_category"] == category
    assert (found["rano_from_first_percent"] is None) == (earlier[0] == 0)


def test_changes_are_those_since_the_last_of_the_earlier_sessions() -> None:
    first, second = row_of(tumour()) | {"days": 0.0}, row_of(tumour()) | {"days": 90.0}
    second["wt_volume_ml"] = 2 * first["wt_volume_ml"]
    found = changes({**second, "days": 180}, [first, second])
    assert (found["days_since_previous"], found["wt_volume_change_ml"]) == (90, 0)
    assert found["wt_rano_category"] == "SD"


def test_growth_that_was_fitted_is_told() -> None:
    best = {"kappa_white_per_rho_mm2": 7.0, "white_grey_ratio": 10.0, "rho_days": 8.0}
    found = growth_features({"seed": {"spread_mm": 2.5}, "fit": {"best": best}})
    assert list(found.values()) == [7.0, 10.0, 8.0, 2.5]
    assert set(growth_features(None).values()) == {None}


def test_the_bundled_atlas_has_tissue_and_two_ventricles() -> None:
    """Each lateral ventricle of the MNI152 is about 9 ml there, and they mirror each other."""
    grid, brain = load_atlas(None, 2)
    maps = atlas_tissue_maps(grid, brain)
    total = sum(data_of(image) for image in maps.values())
    assert total[data_of(brain) > 0].mean() == pytest.approx(1, abs=0.01)
    found = data_of(bundled_ventricles()) > 0
    assert 12_000 < found.sum() < 25_000
    np.testing.assert_array_equal(found, found[::-1])


def lobe_files(folder: Path, names: str) -> tuple[Path, Path]:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[:20], labels[20:, 22:] = 1, 7
    write_image(folder / "lobes.nii.gz", labels, AFFINE, np.uint8)
    (folder / "lobes.tsv").write_text(names)
    return folder / "lobes.nii.gz", folder / "lobes.tsv"


def test_lobes_come_from_a_label_map_and_a_table(tmp_path: Path) -> None:
    files = lobe_files(tmp_path, "index\tname\n1\tLeft half\n")
    labels, names = read_lobes(*files, new_image(np.zeros(SHAPE), AFFINE))
    assert names == {1: "left_half"}
    assert set(np.unique(labels)) == {0, 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("index,name\n1,a\n", "no columns index and name"),
        ("index\tname\nx\ta\n", "'x' is no whole number"),
        ("index\tname\n300\ta\n", "'300' is no whole number from 1 to 255"),
    ],
)
def test_a_bad_table_of_lobes_is_named(tmp_path: Path, text: str, said: str) -> None:
    _, names = lobe_files(tmp_path, text)
    with pytest.raises(ConfigError, match=said):
        read_lobe_names(names)


def test_two_lobes_of_one_name_are_refused(tmp_path: Path) -> None:
    files = lobe_files(tmp_path, "index\tname\n1\tTemporal\n7\ttemporal \n")
    with pytest.raises(ConfigError, match="make them differ"):
        read_lobes(*files, new_image(np.zeros(SHAPE), AFFINE))


def test_a_cohort_is_the_rows_of_its_sessions_as_they_stand(tmp_path: Path) -> None:
    meanings = {"session": "Session", "et_lesions": "Lesions", "hemisphere": "Side"}
    paths = [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    write_table(paths[0], [{"session": "01", "et_lesions": 3, "hemisphere": None}], meanings)
    write_table(paths[1], [{"session": "02", "et_lesions": None, "hemisphere": "left"}], meanings)
    gather(paths, tmp_path / "all.tsv")
    with (tmp_path / "all.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert rows == [
        {"session": "01", "et_lesions": "3", "hemisphere": ""},
        {"session": "02", "et_lesions": "", "hemisphere": "left"},
    ]
    assert (tmp_path / "all.json").read_text() == (tmp_path / "a.json").read_text()
    write_table(paths[1], [{"session": "02"}], {"session": "Session"})
    with pytest.raises(ImageError, match="other columns"):
        gather(paths, tmp_path / "all.tsv")


def draw(path: Path, labels: Array, regions: tuple[str, ...] = ALL) -> np.ndarray:
    image = new_image(np.random.default_rng(0).random(SHAPE), AFFINE)
    mask = new_image(np.ones(SHAPE), AFFINE, np.uint8)
    label_map = new_image(labels, AFFINE, np.uint8)
    said = {"measured": MEASURED, "regions": regions, "measurable_mm": 10.0, "title": "c/sub-s/ses-1"}
    draw_rano({"t1c": image}, label_map, mask, path, **said)
    return np.asarray(Image.open(path).convert("RGB"))


def test_the_picture_has_a_row_for_each_lesion_and_is_the_same_each_time(tmp_path: Path) -> None:
    both, empty = (draw(tmp_path / f"{k}.png", part) for k, part in enumerate((tumour(), 0 * tumour())))
    assert both.shape[0] > empty.shape[0]
    yellow = (both == (0xF0, 0xE4, 0x42)).all(axis=-1)
    assert yellow.sum() > 100
    again = draw(tmp_path / "again.png", tumour())
    assert hashlib.sha256(again.tobytes()).digest() == hashlib.sha256(both.tobytes()).digest()


def test_diameters_are_drawn_where_they_were_measured() -> None:
    """The ends of the longest diameter lie on the outline that the picture has."""
    mask = ellipsoid((20.0, 10.0, 8.0), (2.0, 2.0, 2.0), 30.0)
    image = new_image(mask, np.diag([2.0, 2.0, 2.0, 1.0]), np.uint8)
    axial, _, _ = lesion_planes(image, np.where(mask, 2, 0), mask, 100)
    found = bidimensional(mask[..., axial.index], (2.0, 2.0))
    outline = np.concatenate(axial.outline(mask[...]))
    for end in axial.place(found.longest):
        assert np.linalg.norm(outline - end, axis=1).min() < 2 * axial.pixels_per_mm
    assert np.linalg.norm(np.diff(axial.place(found.longest), axis=0)) == pytest.approx(
        found.longest_mm * axial.pixels_per_mm
    )
