"""The dataset that nnU-Net trains on: its regions mean our labels, and what does not fit is named."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

from gliaflow.errors import ImageError
from gliaflow.images import data_of, read_image, write_image
from gliaflow.labels import encode, region_labels, region_mask
from gliaflow.nnunet.regions import region_map
from gliaflow.train.dataset import Case, case_of, make_splits, session_rows, write_dataset

SHAPE = (4, 5, 6)
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
SEQUENCES = ("t1c", "t2f")
REGIONS = [("WT",), ("WT", "TC"), ("WT", "ET"), ("WT", "TC", "ET")]


def labels_of(*values):
    """A label map with these labels in its first voxels."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels.flat[: len(values)] = values
    return labels


def make_case(folder, name="one_01_1", *, sequences=SEQUENCES, labels=None, affine=AFFINE, fold=0):
    images = {sequence: folder / f"{name}_{sequence}.nii.gz" for sequence in sequences}
    for k, path in enumerate(images.values(), start=1):
        write_image(path, np.full(SHAPE, float(k)), AFFINE)
    label = folder / f"{name}_dseg.nii.gz"
    write_image(label, labels_of(1, 2, 3) if labels is None else labels, affine, np.uint8)
    return Case(name, images, label, folder / "mask.nii.gz", fold)


def written(folder, cases, regions=("WT", "TC", "ET")):
    """The folder of the dataset and its description."""
    raw = folder / "raw" / "Dataset001_tiny"
    write_dataset(raw, cases, sequences=SEQUENCES, regions=regions)
    return raw, json.loads((raw / "dataset.json").read_text(encoding="utf-8"))


def nested(values):
    """Logits of the regions that a row of labels has."""
    return lambda regions: np.stack([np.where(region_mask(values, r), 5.0, -5.0) for r in regions])


@pytest.mark.parametrize("regions", REGIONS)
def test_nnunet_reads_the_regions_as_ours_and_paints_our_labels(tmp_path, regions):
    _, description = written(tmp_path, [make_case(tmp_path)], regions)
    manager = LabelManager(description["labels"], description["regions_class_order"])
    assert manager.has_regions
    assert manager.num_segmentation_heads == len(regions)
    assert [set(region) for region in manager.foreground_regions] == [set(region_labels(r)) for r in regions]
    truth = np.array([0, 1, 2, 3], dtype=np.uint8).reshape(4, 1, 1)
    painted = manager.convert_logits_to_segmentation(nested(truth)(regions))
    np.testing.assert_array_equal(painted, encode({r: region_mask(truth, r) for r in regions}))


def test_all_three_regions_give_the_whole_label_map_again(tmp_path):
    _, description = written(tmp_path, [make_case(tmp_path)])
    manager = LabelManager(description["labels"], description["regions_class_order"])
    truth = np.random.default_rng(0).integers(0, 4, SHAPE)
    painted = manager.convert_logits_to_segmentation(nested(truth)(("WT", "TC", "ET")))
    np.testing.assert_array_equal(painted, truth)


def test_nnunet_finds_every_image_and_label(tmp_path):
    cases = [make_case(tmp_path), make_case(tmp_path, "two_b_1")]
    raw, description = written(tmp_path, cases)
    assert description["channel_names"] == {"0": "t1c", "1": "t2f"}
    assert description["numTraining"] == 2
    found = get_filenames_of_train_images_and_targets(str(raw), description)
    assert list(found) == ["one_01_1", "two_b_1"]
    for case in cases:
        paths = [Path(path).resolve() for path in found[case.name]["images"]]
        assert paths == [case.images[sequence] for sequence in SEQUENCES]
        label = read_image(found[case.name]["label"])
        np.testing.assert_array_equal(data_of(label, np.uint8), labels_of(1, 2, 3))
        np.testing.assert_array_equal(label.affine, AFFINE)


def test_images_are_written_relative_so_that_the_folder_can_be_moved(tmp_path):
    _, description = written(tmp_path, [make_case(tmp_path)])
    paths = description["dataset"]["one_01_1"]
    assert paths["images"] == ["../../one_01_1_t1c.nii.gz", "../../one_01_1_t2f.nii.gz"]
    assert paths["label"] == "labelsTr/one_01_1.nii.gz"


def test_a_resection_cavity_is_background(tmp_path):
    raw, _ = written(tmp_path, [make_case(tmp_path, labels=labels_of(4, 1, 4, 2, 3))])
    label = read_image(raw / "labelsTr" / "one_01_1.nii.gz")
    assert label.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(data_of(label, np.uint8), labels_of(0, 1, 0, 2, 3))


def test_zeros_stand_in_for_a_missing_sequence(tmp_path):
    cases = [make_case(tmp_path), make_case(tmp_path, "one_02_1", sequences=("t2f",))]
    raw, description = written(tmp_path, cases)
    found = get_filenames_of_train_images_and_targets(str(raw), description)["one_02_1"]["images"]
    missing, there = map(read_image, found)
    assert not data_of(missing).any()
    assert missing.shape == there.shape
    np.testing.assert_array_equal(missing.affine, there.affine)
    assert (data_of(there) == 1).all()


def test_where_nothing_is_missing_no_zeros_are_written(tmp_path):
    raw, _ = written(tmp_path, [make_case(tmp_path)])
    names = {path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file()}
    assert names == {"dataset.json", "splits.json", "labelsTr/one_01_1.nii.gz"}


def test_a_label_map_on_another_grid_is_named(tmp_path):
    case = make_case(tmp_path, affine=nib.affines.from_matvec(AFFINE[:3, :3], [1, 0, 0]))
    with pytest.raises(ImageError, match=rf"^{case.label}: lies on another grid than the images of one_01_1"):
        written(tmp_path, [case])


@pytest.mark.parametrize("values", [(), (4, 4)])
def test_a_brain_without_tumour_is_an_example_too_but_not_the_only_one(tmp_path, values, caplog):
    case = make_case(tmp_path, labels=labels_of(*values))
    raw, _ = written(tmp_path, [make_case(tmp_path, "one_02_1"), case])
    assert not data_of(read_image(raw / "labelsTr" / f"{case.name}.nii.gz")).any()
    assert f"{case.name}: the label marks no tumour" in caplog.text
    with pytest.raises(ImageError, match="no label marks a tumour"):
        written(tmp_path / "alone", [case])


def test_the_same_cases_give_the_same_bytes(tmp_path):
    def content(folder):
        cases = [make_case(tmp_path), make_case(tmp_path, "one_02_1", sequences=("t1c",), fold=1)]
        raw, _ = written(folder, cases)
        return {path.relative_to(raw): path.read_bytes() for path in raw.rglob("*") if path.is_file()}

    (tmp_path / "again").mkdir()
    first, second = content(tmp_path), content(tmp_path / "again")
    del first[Path("dataset.json")], second[Path("dataset.json")]
    assert len(first) == 4
    assert first == second


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20))
def test_every_case_is_left_out_of_the_fold_that_it_has_and_of_no_other(folds):
    cases = [Case(f"c{k}", {}, Path("label"), Path("mask"), fold) for k, fold in enumerate(folds)]
    splits = make_splits(cases)
    assert len(splits) == len(set(folds))
    everyone = {case.name for case in cases}
    for fold, split in zip(sorted(set(folds)), splits, strict=True):
        assert split["val"] == [case.name for case in cases if case.fold == fold]
        assert set(split["train"]) == everyone - set(split["val"])
    assert sorted(name for split in splits for name in split["val"]) == sorted(everyone)


def test_the_splits_lie_beside_the_dataset(tmp_path):
    cases = [make_case(tmp_path, f"one_0{k}_1", fold=k % 2) for k in range(3)]
    raw, _ = written(tmp_path, cases)
    assert json.loads((raw / "splits.json").read_text()) == {"splits": make_splits(cases)}


def test_a_case_is_made_of_what_a_rule_knows_of_a_session():
    values = {"name": "one_01_1", "images": {"t1c": "a.nii.gz"}, "label": "b.nii.gz", "fold": "3"}
    values["mask"] = "c.nii.gz"
    expected = Case("one_01_1", {"t1c": Path("a.nii.gz")}, Path("b.nii.gz"), Path("c.nii.gz"), 3)
    assert case_of({**values, "cohort": "one", "site": "north"}) == expected


def test_an_image_that_was_taken_stands_for_the_one_of_the_sheet(tmp_path):
    (tmp_path / "t2f.nii.gz").touch()
    images = {"t1c": "/scans/t1c.nii.gz", "t2f": "/scans/t2f.nii.gz"}
    values = {"name": "one_01_1", "images": images, "label": "b.nii.gz", "mask": None, "fold": 0}
    case = case_of({**values, "taken": str(tmp_path)})
    assert case.images == {"t1c": Path("/scans/t1c.nii.gz"), "t2f": tmp_path / "t2f.nii.gz"}
    assert case.mask is None


def test_the_sessions_of_several_cases_are_listed_once():
    session = {"cohort": "one", "subject": "01", "session": "1", "site": "north", "fold": 2}
    cases = [{**session, "name": f"one_01_1_{sequence}"} for sequence in SEQUENCES]
    assert session_rows([*cases, {**cases[0], "subject": "02"}]) == [session, {**session, "subject": "02"}]


def brain_dataset(folder, labels):
    """The description of a dataset of two heads."""
    heads = [make_case(folder, f"one_01_1_{k}", sequences=("any",), labels=labels, fold=k) for k in range(2)]
    raw = folder / "raw" / "Dataset001_head"
    write_dataset(raw, heads, sequences=("any",), regions=("brain",))
    return raw, json.loads((raw / "dataset.json").read_text(encoding="utf-8"))


def test_the_brain_is_one_region_with_a_sigmoid(tmp_path):
    raw, description = brain_dataset(tmp_path, labels_of(1, 1, 0, 1))
    manager = LabelManager(description["labels"], description["regions_class_order"])
    assert manager.has_regions
    assert manager.num_segmentation_heads == 1
    assert description["channel_names"] == {"0": "any"}
    assert region_map(description, ["brain"], "gliaflow").heads == ((0,),)
    assert region_map(description, ["brain"], "gliaflow").activation == "sigmoid"
    painted = manager.convert_logits_to_segmentation(np.array([[[[5.0, -5.0]]]]))
    assert painted.tolist() == [[[1, 0]]]
    label = data_of(read_image(raw / "labelsTr" / "one_01_1_0.nii.gz"), np.uint8)
    np.testing.assert_array_equal(label, labels_of(1, 1, 0, 1))


def test_heads_without_any_brain_are_told(tmp_path):
    with pytest.raises(ImageError, match="no label marks a brain; look at the column brain_mask"):
        brain_dataset(tmp_path, labels_of())
