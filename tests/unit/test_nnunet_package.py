"""A model package is read as it was written, nnU-Net can use it, and what was tampered with is refused."""

import copy
import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from random import Random

import pytest
import torch
from nnunet_files import (
    CONFIGURATION,
    DATASET,
    OLD_CONFIGURATION,
    PLANS,
    SEQUENCES,
    RunsCode,
    checkpoint,
    manifest,
    public_files,
    read_zip,
    weights,
    write_files,
    write_zip,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.model_sharing import model_export
from nnunetv2.utilities import file_path_utilities

from gliaflow.errors import ConfigError
from gliaflow.fetch import sha256_of
from gliaflow.labels import REGIONS
from gliaflow.labels import SEQUENCES as ALL_SEQUENCES
from gliaflow.nnunet.package import FORMAT, open_model, read_manifest, write_package

FOLDS = {"0": checkpoint(0), "1": checkpoint(1)}
NESTED = "Dataset001_Tiny/nnUNetTrainer__nnUNetPlans__3d_fullres/"


def write(path, checkpoints=FOLDS, plans=PLANS, dataset=DATASET, **changes):
    return write_package(
        path, manifest(**changes), plans=plans, dataset=dataset, checkpoints=checkpoints, card="# Tiny\n"
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "tiny.zip"
    write(path)
    return path


def rewritten(package, path, changes):
    """Copy a package with some files changed, or left out where None stands for the content."""
    files = read_zip(package) | changes
    return write_zip(path, {name: content for name, content in files.items() if content is not None})


def restated(package, path, **changes):
    """Copy a package with another manifest."""
    content = json.loads(read_zip(package)["gliaflow.json"]) | changes
    stated = {key: value for key, value in content.items() if value is not ...}
    return rewritten(package, path, {"gliaflow.json": json.dumps(stated).encode()})


def relisted(package, path, changes):
    """Copy a package with files changed and their checksums corrected, as someone would who means it."""
    files = {**read_zip(package), **changes}
    stated = json.loads(files["gliaflow.json"])
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in stated["files"]}
    content = stated | {"files": sums}
    return write_zip(path, files | {"gliaflow.json": json.dumps(content).encode()})


def same_weights(found, seed):
    expected = weights(seed)
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


def test_a_package_is_read_as_it_was_written(package):
    model = open_model(package, sha256=sha256_of(package))
    assert model.path == package
    assert (model.plans, model.dataset) == (PLANS, DATASET)
    assert (model.configuration, model.folds) == (CONFIGURATION, ("0", "1"))
    assert replace(model.manifest, files={}) == manifest()
    assert read_manifest(package) == model.manifest
    for seed, fold in enumerate(model.folds):
        found = model.checkpoint(fold)
        assert same_weights(found["network_weights"], seed)
        assert found["init_args"] == {"configuration": CONFIGURATION}
        assert found["inference_allowed_mirroring_axes"] == (0, 1, 2)
    with pytest.raises(ConfigError, match=r"tiny\.zip: has no fold 2; it has 0, 1"):
        model.checkpoint("2")


def test_the_same_input_gives_the_same_bytes(package, tmp_path):
    files = {fold: tmp_path / f"{fold}.pth" for fold in reversed(FOLDS)}
    for fold, path in files.items():
        path.write_bytes(FOLDS[fold])
    sums = {write(tmp_path / "again.zip"), write(tmp_path / "other.zip", files), sha256_of(package)}
    assert len(sums) == 1
    assert write(tmp_path / "third.zip", licence="MIT") not in sums
    assert sorted(path.name for path in tmp_path.glob("*.zip")) == ["again.zip", "other.zip", "third.zip"]


def test_a_package_holds_what_nnunet_needs_and_no_optimiser(package):
    with zipfile.ZipFile(package) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    assert [entry.filename for entry in entries] == [
        "dataset.json",
        "fold_0/checkpoint_final.pth",
        "fold_1/checkpoint_final.pth",
        "gliaflow.json",
        "model_card.md",
        "plans.json",
    ]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    for entry in entries:
        stored = entry.filename.endswith(".pth")
        assert entry.compress_type == (zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    files = read_zip(package)
    assert files["model_card.md"] == b"# Tiny\n"
    assert b"momentum" not in files["fold_0/checkpoint_final.pth"]
    listed = json.loads(files["gliaflow.json"])
    assert listed["format"] == FORMAT == 1
    assert set(listed["files"]) == set(files) - {"gliaflow.json"}


@pytest.mark.parametrize("public", [False, True])
def test_nnunet_itself_loads_the_unpacked_package(package, tmp_path, public):
    write_files(tmp_path, public_files(FOLDS) if public else read_zip(package))
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(tmp_path), (0, 1))
    assert [same_weights(found, seed) for seed, found in enumerate(predictor.list_of_parameters)] == [
        True
    ] * 2
    assert predictor.allowed_mirroring_axes == (0, 1, 2)
    found = open_model(tmp_path)
    assert found.folds == ("0", "1")
    assert found.dataset == predictor.dataset_json
    assert found.plans == predictor.plans_manager.plans


def test_the_package_can_be_used_as_a_folder(package, tmp_path):
    write_files(tmp_path / "deeper", read_zip(package))
    model = open_model(tmp_path)
    assert model.manifest == read_manifest(package)
    assert same_weights(model.checkpoint("1")["network_weights"], 1)
    (tmp_path / "deeper" / "fold_1" / "checkpoint_final.pth").write_bytes(FOLDS["0"])
    with pytest.raises(ConfigError, match="was changed after the export"):
        model.checkpoint("1")
    with pytest.raises(ConfigError, match="was changed after the export"):
        open_model(tmp_path)


def exported(results, path, monkeypatch):
    """Export the model below a results folder as nnU-Net does."""
    for module in (model_export, file_path_utilities):
        monkeypatch.setattr(module, "nnUNet_results", str(results))
    trained = results / NESTED
    for fold in FOLDS:
        write_files(trained / f"fold_{fold}", {"progress.png": b"png", "validation/summary.json": b"{}"})
    model_export.export_pretrained_model("Dataset001_Tiny", str(path), (CONFIGURATION,), folds=(0, 1))
    return path


def test_a_public_model_is_read_from_a_folder_and_from_an_export(tmp_path, monkeypatch):
    files = public_files(FOLDS)
    above = write_files(tmp_path / "results", {NESTED + name: content for name, content in files.items()})
    export = exported(above, tmp_path / "export.zip", monkeypatch)
    assert NESTED + "plans.json" in read_zip(export)
    for path in (above, above / NESTED, export, write_zip(tmp_path / "flat.zip", files)):
        model = open_model(path)
        assert model.manifest is None
        assert read_manifest(path) is None
        assert (model.configuration, model.folds) == (CONFIGURATION, ("0", "1"))
        assert same_weights(model.checkpoint("1")["network_weights"], 1)


def test_the_best_checkpoint_stands_in_for_a_final_one(tmp_path):
    folds = ["fold_0/checkpoint_best.pth", "fold_0/checkpoint_final.pth", "fold_1/checkpoint_best.pth"]
    contents = [FOLDS["1"], FOLDS["0"], FOLDS["1"]]
    other = {
        "fold_2/checkpoint_latest.pth": b"",
        "fold_x/checkpoint_final.pth": b"",
        "fold_03/checkpoint_final.pth": b"",
    }
    files = public_files({}) | dict(zip(folds, contents, strict=True)) | other
    model = open_model(write_files(tmp_path, files))
    assert model.folds == ("0", "1")
    assert [same_weights(model.checkpoint(fold)["network_weights"], int(fold)) for fold in "01"] == [
        True,
        True,
    ]


def test_folds_are_ordered_by_number_and_all_comes_last(tmp_path):
    files = public_files(dict.fromkeys(["all", "10", "2", "0"], b""))
    assert open_model(write_files(tmp_path, files)).folds == ("0", "2", "10", "all")


def two_configurations():
    return PLANS | {"configurations": PLANS["configurations"] | {"2d": {"inherits_from": CONFIGURATION}}}


def test_one_of_several_models_is_chosen_by_its_configuration(tmp_path):
    folds = {"3d_fullres": FOLDS["0"], "2d": checkpoint(1, init_args={"configuration": "2d"})}
    for configuration, content in folds.items():
        files = public_files({"all": content}, two_configurations())
        write_files(tmp_path / f"nnUNetTrainer__nnUNetPlans__{configuration}", files)
    for seed, configuration in enumerate(folds):
        model = open_model(tmp_path, configuration=configuration)
        assert model.configuration == configuration
        assert same_weights(model.checkpoint("all")["network_weights"], seed)
    with pytest.raises(
        ConfigError, match=r"__2d, nnUNetTrainer__nnUNetPlans__3d_fullres, and several of them fit"
    ):
        open_model(tmp_path)
    with pytest.raises(ConfigError, match="none of them is of the configuration 3d_lowres"):
        open_model(tmp_path, configuration="3d_lowres")


def test_the_checkpoint_says_what_the_folder_does_not(tmp_path):
    files = public_files({"0": checkpoint(init_args={"configuration": "2d"})}, two_configurations())
    path = write_zip(tmp_path / "flat.zip", files)
    assert open_model(path).configuration == "2d"
    model = open_model(path, configuration=CONFIGURATION)
    with pytest.raises(ConfigError, match="was trained with the configuration 2d, not 3d_fullres"):
        model.checkpoint("0")
    with pytest.raises(
        ConfigError, match=r"plans\.json: has no configuration 3d_lowres; it has 3d_fullres, 2d"
    ):
        open_model(path, configuration="3d_lowres")


def test_a_model_from_before_nnunet_2_3_is_opened(tmp_path):
    plans = PLANS | {"configurations": {CONFIGURATION: OLD_CONFIGURATION}}
    assert open_model(write_files(tmp_path, public_files(FOLDS, plans))).plans == plans


def test_the_checksum_of_the_whole_file_comes_first(package, tmp_path):
    assert open_model(package, sha256=sha256_of(package).upper()).folds == ("0", "1")
    content = bytearray(package.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(
        ConfigError, match=rf"a\.zip: has sha256 \w+, not {sha256_of(package)}; it is damaged"
    ):
        open_model(tmp_path / "a.zip", sha256=sha256_of(package))
    (tmp_path / "b.zip").write_text("no zip at all")
    with pytest.raises(ConfigError, match=r"b\.zip: has sha256"):
        open_model(tmp_path / "b.zip", sha256=sha256_of(package))
    with pytest.raises(ConfigError, match="is a folder, and a sha256 belongs to a zip"):
        open_model(tmp_path, sha256=sha256_of(package))
    with pytest.raises(ConfigError, match=r"c\.zip: no such file"):
        open_model(tmp_path / "c.zip", sha256=sha256_of(package))


def test_a_changed_byte_is_found_without_the_checksum(package, tmp_path):
    path, whole, random = tmp_path / "a.zip", package.read_bytes(), Random(0)
    with zipfile.ZipFile(package) as archive:
        starts = {
            entry.filename: entry.header_offset + 30 + len(entry.filename) for entry in archive.infolist()
        }
        sizes = {entry.filename: entry.compress_size for entry in archive.infolist()}
    for name, start in starts.items():
        for _ in range(5):
            content = bytearray(whole)
            content[start + random.randrange(sizes[name] * 3 // 4)] ^= random.randrange(1, 256)
            path.write_bytes(content)
            with pytest.raises(ConfigError, match=rf"a\.zip, {name}: cannot be read whole"):
                open_model(path)


@pytest.mark.parametrize(
    "name", ["plans.json", "dataset.json", "model_card.md", "fold_0/checkpoint_final.pth"]
)
def test_a_file_that_was_exchanged_is_found_by_its_own_checksum(package, tmp_path, name):
    content = read_zip(package)[name]
    path = rewritten(package, tmp_path / "a.zip", {name: content[:-1] + bytes([content[-1] ^ 1])})
    with pytest.raises(ConfigError, match=rf"a\.zip, {name}: has another sha256 than the manifest lists"):
        open_model(path)


@pytest.mark.parametrize("name", ["plans.json", "model_card.md", "fold_1/checkpoint_final.pth"])
def test_a_missing_file_is_named(package, tmp_path, name):
    with pytest.raises(ConfigError, match=rf"a\.zip: lacks what its manifest lists \({name}\)"):
        open_model(rewritten(package, tmp_path / "a.zip", {name: None}))


@pytest.mark.parametrize("name", ["fold_2/checkpoint_final.pth", "setup.py", "deeper/plans.json"])
def test_an_extra_file_is_named(package, tmp_path, name):
    with pytest.raises(ConfigError, match=rf"a\.zip: holds what its manifest does not list \({name}\)"):
        open_model(rewritten(package, tmp_path / "a.zip", {name: b"{}"}))


def test_a_package_cut_short_is_damaged(package, tmp_path):
    for share in (0.001, 0.2, 0.5, 0.8, 0.99):
        (tmp_path / "a.zip").write_bytes(package.read_bytes()[: int(package.stat().st_size * share)])
        for opener in (open_model, read_manifest):
            with pytest.raises(ConfigError, match=r"a\.zip: .*(damaged|cut short)"):
                opener(tmp_path / "a.zip")


def test_a_path_that_leads_out_is_refused(package, tmp_path):
    path = rewritten(package, tmp_path / "a.zip", {"../evil": b"x"})
    with pytest.raises(ConfigError, match=r"'\.\./evil' has a name that leads out"):
        open_model(path)
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("public", [False, True])
def test_a_checkpoint_that_would_run_code_is_refused_and_runs_nothing(package, tmp_path, public):
    evil = checkpoint(network_weights={"a": RunsCode(tmp_path / "ran")})
    path = tmp_path / "a.zip"
    if public:
        write_zip(path, public_files({"0": evil}))
    else:
        relisted(package, path, {"fold_0/checkpoint_final.pth": evil})
    model = open_model(path)
    with pytest.raises(ConfigError, match=r"a\.zip, fold_0/checkpoint_final\.pth: holds code"):
        model.checkpoint("0")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("name", ["subprocess.Popen", "os.system"])
def test_plans_that_name_something_else_than_a_network_are_refused(package, tmp_path, name, public):
    plans = copy.deepcopy(PLANS)
    plans["configurations"][CONFIGURATION]["architecture"]["network_class_name"] = name
    path = tmp_path / "a.zip"
    if public:
        write_zip(path, public_files(FOLDS, plans))
    else:
        relisted(package, path, {"plans.json": json.dumps(plans).encode()})
    with pytest.raises(ConfigError, match=rf"plans\.json, .*network_class_name: '{name}' .* not run"):
        open_model(path)


def test_another_label_table_is_refused(package, tmp_path):
    labels = {"1": "necrotic core", "2": "oedema", "4": "enhancing"}
    path = restated(package, tmp_path / "a.zip", labels=labels)
    for opener in (open_model, read_manifest):
        with pytest.raises(ConfigError, match=r"gliaflow\.json: wrong label table: .*'4': 'enhancing'"):
            opener(path)
    dataset = DATASET | {"labels": {"background": 0, "WT": [1, 2, 4], "TC": [1, 4], "ET": [4]}}
    path = relisted(package, tmp_path / "b.zip", {"dataset.json": json.dumps(dataset).encode()})
    with pytest.raises(ConfigError, match=r"dataset\.json: wrong label table: WT is made of"):
        open_model(path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"format": 2}, "has the format 2, and this release reads 1"),
        ({"format": ...}, "has the format None"),
        ({"name": ...}, "'name' is a required property"),
        ({"name": 3}, "name: 3 is not of type 'string'"),
        ({"author": "x"}, "'author' was unexpected"),
        ({"sequences": []}, "sequences: "),
        ({"sequences": ["t1c", "t1c"]}, "sequences: "),
        ({"sequences": ["t1c", "flair"]}, r"sequences\.1: 'flair' is not one of"),
        ({"sequences": "t1c"}, "sequences: 't1c' is not of type 'array'"),
        ({"sequences": ["t2f", "t1c"]}, r"channel_names is \['t1c', 't2f'\]"),
        ({"optional": ["t1n"]}, "optional: t1n is not among sequences"),
        ({"regions": ["WT", "NCR"]}, r"regions\.1: 'NCR' is not one of"),
        ({"labels": []}, "labels: "),
        ({"spacing_mm": [1, 1]}, "spacing_mm: "),
        ({"spacing_mm": [1, 1, 0]}, r"spacing_mm\.2: "),
        ({"spacing_mm": [1, 1, float("nan")]}, r"spacing_mm\.2: "),
        ({"spacing_mm": [1, 1, float("inf")]}, r"spacing_mm\.2: "),
        ({"spacing_mm": [1, 1, True]}, r"spacing_mm\.2: "),
        ({"n4": {"t1c": "yes"}}, r"n4\.t1c: 'yes' is not one of"),
        ({"n4": {"flair": "off"}}, "n4: 'flair' is not one of"),
        ({"postprocess": None}, "postprocess: None is not of type 'object'"),
        ({"training": []}, "training: "),
        ({"cross_validation": 0.9}, "cross_validation: "),
        ({"licence": ""}, "licence: "),
        ({"files": {"plans.json": "abc"}}, r"files\.plans\.json: 'abc' does not match"),
        ({"files": {}}, "holds what its manifest does not list"),
    ],
)
def test_a_manifest_with_a_mistake_is_named(package, tmp_path, changes, named):
    with pytest.raises(ConfigError, match=rf"a\.zip.*{named}"):
        open_model(restated(package, tmp_path / "a.zip", **changes))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("name", ["gliaflow.json", "plans.json", "dataset.json"])
def test_json_that_is_none_is_named(package, tmp_path, name, content):
    path = tmp_path / "a.zip"
    files = read_zip(package) if name == "gliaflow.json" else public_files(FOLDS)
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in (files | {name: content}).items():
            archive.writestr(key, value)
    with pytest.raises(ConfigError, match=rf"a\.zip, {name}: is not (JSON|a mapping)"):
        open_model(path)


def test_what_is_no_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no plans\.json; it is no model"):
        open_model(write_zip(tmp_path / "a.zip", {"readme.txt": b"x"}))
    with pytest.raises(ConfigError, match=r"holds no dataset\.json"):
        open_model(write_zip(tmp_path / "b.zip", {"plans.json": json.dumps(PLANS).encode()}))
    with pytest.raises(ConfigError, match=r"has no fold_<k>/checkpoint_final\.pth"):
        open_model(write_zip(tmp_path / "c.zip", public_files({})))


def test_two_packages_in_one_folder_are_not_guessed_between(package, tmp_path):
    for name in ("first", "second"):
        write_files(tmp_path / name, read_zip(package))
    with pytest.raises(
        ConfigError, match=r"several packages \(first/gliaflow\.json, second/gliaflow\.json\)"
    ):
        open_model(tmp_path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"checkpoints": {}}, "name at least one"),
        ({"checkpoints": {"00": FOLDS["0"]}}, r"the folds are \['00'\]"),
        ({"checkpoints": {"0/..": FOLDS["0"]}}, "the folds are"),
        ({"checkpoints": {"0": b"x"}}, r"fold_0/checkpoint_final\.pth: is damaged"),
        (
            {"checkpoints": {"0": FOLDS["0"], "1": checkpoint(init_args={"configuration": "2d"})}},
            "fold_1/.* another",
        ),
        ({"labels": {"1": "tumour"}}, "wrong label table"),
        ({"sequences": SEQUENCES[::-1]}, "channel_names is"),
        ({"sequences": ALL_SEQUENCES}, "channel_names is"),
        ({"dataset": DATASET | {"channel_names": ["t1c", "t2f", "t1n"]}}, "channel_names is"),
        ({"dataset": DATASET | {"labels": {"background": 0, "WT": [1, 2, 3]}}}, "wrong label table: WT|TC"),
        ({"plans": {}}, "has no configurations"),
        ({"training": {"loss": float("nan")}}, "cannot be written as JSON"),
        ({"training": {"paths": {1, 2}}}, "cannot be written as JSON"),
    ],
)
def test_a_package_that_could_not_be_opened_is_not_written(tmp_path, changes, named):
    with pytest.raises(ConfigError, match=named):
        write(tmp_path / "a.zip", **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_package_for_some_regions_and_by_labels_is_possible(tmp_path):
    labels = {"background": 0, "NCR": 1, "ED": 2, "ET": 3}
    for number, regions in enumerate([REGIONS, ("WT",), ("ET", "WT")]):
        path = tmp_path / f"{number}.zip"
        write(path, dataset=DATASET | {"labels": labels}, regions=regions)
        assert open_model(path).manifest.regions == tuple(regions)


def test_reading_a_manifest_needs_no_torch(package):
    program = (
        "import sys; from pathlib import Path; from gliaflow.nnunet.package import read_manifest;"
        f"print(read_manifest(Path({str(package)!r})).name, {{'torch', 'nnunetv2'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tiny", "set()"]
