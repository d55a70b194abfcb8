"""What keeps files of strangers from doing harm; each part has more tests of its own (docs/security.md)."""

import ast
import io
import json
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import skops.io as sio
from dicom_files import T1, deflate, edit, series
from pydicom.uid import DeflatedExplicitVRLittleEndian

from gliaflow.arrays import read_arrays
from gliaflow.config.settings import complete_config
from gliaflow.convert import scan
from gliaflow.convert.archive import unpack
from gliaflow.convert.scan import read_header
from gliaflow.convert.source import convert_source, sort_study
from gliaflow.errors import ConfigError, ConversionError, GliaflowError, ImageError
from gliaflow.fetch import fetch_archive, fetch_file, sha256_of
from gliaflow.habitats.model import load_model
from gliaflow.images import read_image
from gliaflow.predict.package import load_estimator, open_predictor

ROOT = Path(__file__).parents[2]
SETTINGS = complete_config({})["convert"]
UNSAFE_CALLS = {
    "torch.load": "weights_only",
    "np.load": "allow_pickle",
}
FORBIDDEN = re.compile(
    r"^(os\.(system|popen|exec\w*|spawn\w*)|eval|exec|pickle\.loads?|joblib\.load|yaml\.(unsafe_|full_)?load"
    r"|shutil\.unpack_archive|subprocess\.(getoutput|getstatusoutput)|marshal\.loads?|shelve\.open)$"
)
SAFE_YAML = "FASTEST"


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in the code that users run: the name of what is called, the call, and where."""
    for path in sorted([*(ROOT / "gliaflow").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_nothing_is_given_to_a_shell_run_as_code_or_unpickled() -> None:
    found = [(name, where) for name, node, where in calls() if FORBIDDEN.match(name) and not _safe(node)]
    shells = [
        where
        for _, node, where in calls()
        for keyword in node.keywords
        if keyword.arg == "shell" and ast.unparse(keyword.value) != "False"
    ]
    assert (found, shells) == ([], [])


def _safe(node: ast.Call) -> bool:
    return len(node.args) > 1 and ast.unparse(node.args[1]) == SAFE_YAML


def test_files_of_numbers_are_read_without_objects() -> None:
    reading = [(name, node, where) for name, node, where in calls() if name in UNSAFE_CALLS]
    assert len(reading) >= 7
    for name, node, where in reading:
        said = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert said.get(UNSAFE_CALLS[name]) == ("True" if name == "torch.load" else "False"), where


def test_no_rule_has_a_shell_command() -> None:
    files = [ROOT / "Snakefile", *(ROOT / "rules").rglob("*.smk")]
    assert len(files) > 30
    assert not [path for path in files if re.search(r"^\s*(shell|run)\s*:|\bshell\(", path.read_text(), re.M)]


class Marks:
    """Unpickled without care, this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


def test_a_model_of_habitats_with_objects_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    path = npz(tmp_path / "m.npz", facts=np.array([Marks(tmp_path / "ran")], dtype=object))
    with pytest.raises(GliaflowError, match=r"^m\.npz: is no model of habitats"):
        load_model(path, ["a"])
    assert not (tmp_path / "ran").exists()
    with np.load(path, allow_pickle=True) as content:
        content["facts"]
    assert (tmp_path / "ran").exists(), "the test's file is harmless, so it shows nothing"


@pytest.mark.parametrize(
    "facts", ['{"maps": ["a"]}', '{"maps": 3}', "[]", "{", "[" * 5000, '{"maps": ["a"], "strange": 1}']
)
def test_a_model_of_habitats_of_other_content_is_refused(tmp_path: Path, facts: str) -> None:
    path = npz(tmp_path / "m.npz", facts=np.array(facts))
    with pytest.raises(GliaflowError, match=r"^m\.npz: (is no model of habitats|was made of the maps)"):
        load_model(path, ["a"])


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x80\x04K\x01.", pickle.dumps({"a": 1}), b"x" * 99]
)
def test_what_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.npz").write_bytes(content)
    with pytest.raises(GliaflowError, match=r"^m\.npz: is no model of habitats"):
        load_model(tmp_path / "m.npz", ["a"])


def test_an_npz_with_a_byte_changed_is_refused_or_the_same(tmp_path: Path) -> None:
    whole = npz(tmp_path / "whole.npz", a=np.arange(50.0)).read_bytes()
    for place in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 0x41
        (tmp_path / "m.npz").write_bytes(changed)
        try:
            assert set(read_arrays(tmp_path / "m.npz"))
        except (ValueError, OSError):
            continue


def test_an_npz_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "m.npz", a=np.zeros(10**6))
    with pytest.raises(ValueError, match=r"would unpack to 0\.0 GB"):
        read_arrays(tmp_path / "m.npz", most_bytes=10**6)


def skops_with(change: dict[str, object]) -> bytes:
    """A stored array whose description is changed."""
    stored = zipfile.ZipFile(io.BytesIO(sio.dumps(np.arange(3))))
    schema = json.loads(stored.read("schema.json")) | change
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in stored.namelist():
            archive.writestr(name, json.dumps(schema) if name == "schema.json" else stored.read(name))
    return stream.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../../etc/passwd"},
        {"file": None},
        {"__loader__": "JsonNode", "content": "{"},
        {"__loader__": "ObjectNode", "__class__": "Popen", "__module__": "subprocess"},
        {"__loader__": "FunctionNode", "__class__": "system", "__module__": "os"},
        {"__loader__": "nothing"},
        {"protocol": 99},
    ],
)
def test_an_estimator_of_other_content_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^one\.zip: (cannot be read|holds objects of)"):
        load_estimator(skops_with(change), "one.zip")


def test_an_estimator_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gliaflow.predict.package.MOST_BYTES", 100)
    with pytest.raises(ConfigError, match=r"one\.zip: cannot be read \(it would unpack to"):
        load_estimator(sio.dumps(np.arange(300)), "one.zip")


@pytest.mark.parametrize("content", [b"[" * 5000, b"{", b"[]", b"\xff", b'{"format": 1}'])
def test_a_package_whose_manifest_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("predictor.json", content)
    with pytest.raises(ConfigError, match=r"p\.zip, predictor\.json"):
        open_predictor(tmp_path / "p.zip")


@pytest.mark.parametrize("name", ["../predictor.json", "/predictor.json", "a\\b", "C:predictor.json"])
def test_a_package_with_a_name_that_plays_tricks_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr(name, b"{}")
    with pytest.raises(ConfigError, match=r"p\.zip: the entry .* it is not opened"):
        open_predictor(tmp_path / "p.zip")


def test_a_url_that_is_none_is_told(tmp_path: Path) -> None:
    for url in ("https://exa mple.org/\r\nX: y", "https://[::1", "file://nowhere\x00"):
        with pytest.raises(ConfigError, match=r"^tiny: cannot download"):
            fetch_file(url, "0" * 64, tmp_path / "tiny.zip", "tiny")


def test_a_release_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("plans.json", bytes(10**6))
    monkeypatch.setattr("gliaflow.fetch.MOST_BYTES", 10**5)
    with pytest.raises(ConfigError, match="would unpack to"):
        fetch_archive((tmp_path / "a.zip").as_uri(), sha256_of(tmp_path / "a.zip"), tmp_path / "r" / "m", "m")
    assert not (tmp_path / "r" / "m").exists()


def overlapping(path: Path, copies: int) -> Path:
    """A zip whose directory names the same packed bytes again and again."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = np.random.default_rng(0).bytes(20_000)
    body = packed.compress(data) + packed.flush()
    crc, sizes = zlib.crc32(data), (len(body), len(data))
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, crc, *sizes, 1, 0) + b"a" + body
    entry = (
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, crc, *sizes, 1, 0, 0, 0, 0, 0, 0)
        + b"a"
    )
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, copies, copies, len(entry) * copies, len(local), 0)
    path.write_bytes(local + entry * copies + end)
    return path


def test_files_of_a_zip_that_overlap_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    unpack(overlapping(tmp_path / "one.zip", 1), tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 1
    with zipfile.ZipFile(overlapping(tmp_path / "many.zip", 400)) as archive:
        assert len(archive.infolist()) == 400
    with pytest.raises(ConversionError, match=r"many\.zip: the files of the zip overlap"):
        unpack(tmp_path / "many.zip", tmp_path / "out")


def test_a_scan_that_announces_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    header = bytearray(nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).to_bytes())
    struct.pack_into("<3h", header, 42, 30_000, 30_000, 30_000)
    (tmp_path / "a.nii").write_bytes(header)
    with pytest.raises(
        ImageError, match=r"a\.nii: not a whole NIfTI file \(its header announces 54000000000000"
    ):
        read_image(tmp_path / "a.nii")


def test_a_deflated_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = series(tmp_path / "in")
    deflate(paths, DeflatedExplicitVRLittleEndian)
    assert read_header(paths[0]) is not None
    monkeypatch.setattr(scan, "MOST_UNPACKED", 1500)
    with pytest.raises(ConversionError, match=r"unpacks to more than|damaged"):
        read_header(paths[0])


def test_pixels_that_are_announced_beyond_measure_are_refused(tmp_path: Path) -> None:
    edit(series(tmp_path / "in"), Rows=65535, Columns=65535, NumberOfFrames=100_000)
    with pytest.raises(ConversionError, match=r"GB of pixels|do not say where they lie"):
        convert_source(tmp_path / "in", key=None, settings=SETTINGS, work=tmp_path)


@pytest.mark.parametrize("value", ["Schmidt^Wilhelmine", "PAT-77812", "19570312"])
@pytest.mark.parametrize(
    "keyword",
    ["EchoTime", "SeriesNumber", "Rows", "NumberOfFrames", "ImagesInAcquisition", "SamplesPerPixel"],
)
def test_a_name_where_a_number_belongs_is_in_no_error(
    tmp_path: Path, keyword: str, value: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in series(tmp_path / "in", replace(T1, description="AX T1")):
        header = pydicom.dcmread(path)
        tag = pydicom.tag.Tag(keyword)
        kind = pydicom.datadict.dictionary_VR(tag)
        raw = value.encode() + b" " * (len(value) % 2)
        header._dict[tag] = pydicom.dataelem.RawDataElement(tag, kind, len(raw), raw, 0, False, True)
        header.save_as(path)
    said = ""
    for call in (_convert, _sort):
        try:
            said += repr(call(tmp_path / "in", tmp_path))
        except GliaflowError as error:
            said += str(error)
    assert value not in said + "".join(capfd.readouterr())


def _convert(source: Path, work: Path) -> object:
    return convert_source(source, key=None, settings=SETTINGS, work=work).sidecar


def _sort(source: Path, work: Path) -> object:
    return sort_study(source, expect=["t1n"], settings=SETTINGS, work=work).rows
