"""Zips that do what they should, and those that are refused before anything is written."""

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from gliaflow.convert.archive import opened, unpack
from gliaflow.errors import ConversionError


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_files_come_out_under_neutral_names(tmp_path):
    source = pack(tmp_path / "a.zip", {"SCHMIDT/1/x.dcm": b"1", "DICOMDIR": b"d", "SCHMIDT/2/x.dcm": b"2"})
    with opened(source, tmp_path) as folder:
        content = [path.read_bytes() for path in sorted(folder.iterdir())]
        assert not any("schmidt" in str(path).lower() for path in folder.rglob("*"))
    assert content == [b"1", b"2"]
    assert not folder.exists()


def test_a_folder_is_itself(tmp_path):
    with opened(tmp_path, tmp_path) as folder:
        assert folder == tmp_path
    assert tmp_path.exists()


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "C:\\evil", "..\\evil", "\\\\host\\evil"]
)
def test_names_that_lead_out_are_refused(tmp_path, name):
    source = pack(tmp_path / "a.zip", {"good": b"1", name: b"2"})
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ConversionError, match="lead out of its folder"):
        unpack(source, target)
    assert not list(target.iterdir())


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ConversionError, match="symbolic links"):
        unpack(tmp_path / "a.zip", tmp_path)


def test_encrypted_is_refused(tmp_path):
    source = pack(tmp_path / "a.zip", {"x": b"1"})
    content = bytearray(source.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", content, content.index(signature) + offset, 1)
    source.write_bytes(content)
    with pytest.raises(ConversionError, match="encrypted"):
        unpack(source, tmp_path)


@pytest.mark.parametrize("limits", [{"max_bytes": 10**6}, {"max_ratio": 100}])
def test_bombs_are_refused_before_unpacking(tmp_path, limits):
    pack(tmp_path / "a.zip", {"zeros": bytes(65 * 1024**2)})
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ConversionError, match=r"would unpack to 1 files of 0\.1 GB"):
        unpack(tmp_path / "a.zip", target, **limits)
    assert not list(target.iterdir())


def test_empty_and_broken(tmp_path):
    with pytest.raises(ConversionError, match="the zip is empty"):
        unpack(pack(tmp_path / "empty.zip", {}), tmp_path)
    whole = pack(tmp_path / "cut.zip", {"x": bytes(range(256)) * 40})
    whole.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(ConversionError, match="not a whole zip"):
        unpack(whole, tmp_path)
    damaged = pack(tmp_path / "damaged.zip", {"x": bytes(range(256)) * 40})
    content = bytearray(damaged.read_bytes())
    content[60:90] = bytes(30)
    damaged.write_bytes(content)
    with pytest.raises(ConversionError, match="not a whole zip"):
        unpack(damaged, tmp_path)


def test_what_is_neither_folder_nor_zip(tmp_path):
    (tmp_path / "scan.rar").write_bytes(b"x")
    for name, reason in (("scan.rar", "neither a DICOM folder"), ("absent", "no such file")):
        with pytest.raises(ConversionError, match=reason), opened(tmp_path / name, tmp_path):
            pass
