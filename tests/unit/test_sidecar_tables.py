"""Sidecars, tables and kept images: what is written beside the data, and what is refused."""

import json
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest

from gliaflow.errors import ImageError
from gliaflow.images import data_of, new_image, read_image
from gliaflow.results import keep_image
from gliaflow.sidecar import sidecar_path, software_versions, write_json, write_sidecar
from gliaflow.tables import write_table

FACTS = {"sources": ["sub-01/anat/a.nii.gz"], "space": "ref", "parameters": {"shrink": 4}}


@pytest.mark.parametrize(
    ("image", "sidecar"),
    [
        ("x/a_T1w.nii.gz", "x/a_T1w.json"),
        ("x.y/a.nii", "x.y/a.json"),
        ("sub-1.5/b_dseg.nii.gz", "sub-1.5/b_dseg.json"),
    ],
)
def test_the_sidecar_lies_beside_its_image(image, sidecar):
    assert sidecar_path(image).as_posix() == sidecar


def test_a_sidecar_says_sources_space_parameters_and_software(tmp_path):
    write_sidecar(tmp_path / "a.nii.gz", **FACTS, software=["nibabel", "scipy"], Checks={"mask_ml": 1400})
    content = json.loads((tmp_path / "a.json").read_text())
    assert content == {
        "Sources": ["sub-01/anat/a.nii.gz"],
        "Space": "ref",
        "Parameters": {"shrink": 4},
        "Software": {name: version(name) for name in ("gliaflow", "numpy", "nibabel", "scipy")},
        "Checks": {"mask_ml": 1400},
    }
    first = (tmp_path / "a.json").read_bytes()
    write_sidecar(tmp_path / "a.nii.gz", **FACTS, software=["nibabel", "scipy"], Checks={"mask_ml": 1400})
    assert (tmp_path / "a.json").read_bytes() == first


def test_software_that_is_not_installed_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        software_versions("a-package-that-nobody-made")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_holds_no_value_that_others_cannot_read(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": value})
    assert list(tmp_path.iterdir()) == []


def test_json_keeps_letters_as_they_are(tmp_path):
    write_json(tmp_path / "a.json", {"site": "Zürich"})
    assert "Zürich" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_a_table_reads_back_with_missing_as_missing(tmp_path):
    dictionary = {"subject": "Subject", "wt_volume_ml": "Volume in ml", "note": "Free text"}
    rows = [
        {"subject": "001", "wt_volume_ml": 12.345, "note": "two\twords"},
        {"subject": "002", "wt_volume_ml": None, "note": 'say "no"\nmore'},
        {"note": None, "wt_volume_ml": 0.0, "subject": "003"},
    ]
    write_table(tmp_path / "t.tsv", rows, dictionary)
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t", dtype={"subject": str})
    assert list(table.columns) == list(dictionary)
    assert table["subject"].tolist() == ["001", "002", "003"]
    np.testing.assert_array_equal(table["wt_volume_ml"], [12.345, np.nan, 0.0])
    assert table["note"].tolist()[:2] == ["two\twords", 'say "no"\nmore']
    assert json.loads((tmp_path / "t.json").read_text()) == {
        name: {"Description": text} for name, text in dictionary.items()
    }
    assert b"\r" not in (tmp_path / "t.tsv").read_bytes()


def test_a_table_without_rows_has_its_header(tmp_path):
    write_table(tmp_path / "t.tsv", [], {"subject": "Subject", "days": "Days"})
    assert (tmp_path / "t.tsv").read_bytes() == b"subject\tdays\n"


def test_a_column_without_meaning_is_refused(tmp_path):
    with pytest.raises(ValueError, match="secret"):
        write_table(tmp_path / "t.tsv", [{"subject": "1", "secret": 2}], {"subject": "Subject"})
    assert list(tmp_path.iterdir()) == []


def test_a_kept_image_has_its_sidecar(tmp_path):
    image = new_image(np.random.default_rng(0).random((4, 4, 4)), np.eye(4))
    keep_image(tmp_path / "a.nii.gz", image, like=image, **FACTS)
    np.testing.assert_array_equal(data_of(read_image(tmp_path / "a.nii.gz")), data_of(image))
    assert json.loads((tmp_path / "a.json").read_text())["Space"] == "ref"


def test_a_wrong_image_is_not_kept(tmp_path):
    image = new_image(np.full((4, 4, 4), np.nan), np.eye(4))
    with pytest.raises(ImageError, match="not finite"):
        keep_image(tmp_path / "a.nii.gz", image, **FACTS)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_lesion_mask_is_kept_where_that_is_right(tmp_path):
    image = new_image(np.zeros((4, 4, 4)), np.eye(4), np.uint8)
    keep_image(tmp_path / "a.nii.gz", image, dtype=np.uint8, constant_ok=True, **FACTS)
    assert read_image(tmp_path / "a.nii.gz").get_data_dtype() == np.uint8
