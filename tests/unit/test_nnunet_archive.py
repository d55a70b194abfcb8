"""Names and bytes of a zip or a folder; what could do harm is refused and says why."""

import hashlib
import os
import stat
import struct
import zipfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliaflow.errors import ConfigError
from gliaflow.nnunet import archive as module
from gliaflow.nnunet.archive import open_archive

CONTENT = {
    "plans.json": b"{}",
    "fold_0/checkpoint_final.pth": Random(0).randbytes(2_300_000),
    "a/b/empty": b"",
}


def write_zip(path, entries, compression=zipfile.ZIP_DEFLATED):
    """Write entries, given as pairs of a name or ZipInfo and bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def write_folder(path, content):
    for name, value in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(value)
    return path


def declared(path, changes, name=b"entry", where=b"PK\x01\x02"):
    """Change what a zip's directory says of an entry: offset in its record to the bytes that go there."""
    content = bytearray(path.read_bytes())
    start = content.rindex(where, 0, content.rindex(name))
    for offset, value in changes.items():
        content[start + offset : start + offset + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.fixture(params=["stored", "deflated", "folder"])
def whole(request, tmp_path):
    if request.param == "folder":
        return write_folder(tmp_path / "model", CONTENT)
    method = zipfile.ZIP_STORED if request.param == "stored" else zipfile.ZIP_DEFLATED
    return write_zip(tmp_path / "model.zip", CONTENT.items(), method)


def test_names_and_bytes_are_those_that_were_written(whole):
    archive = open_archive(whole)
    assert archive.path == whole
    assert archive.names() == ("a/b/empty", "fold_0/checkpoint_final.pth", "plans.json")
    for name, content in CONTENT.items():
        assert archive.read(name) == content
        assert archive.sha256(name) == hashlib.sha256(content).hexdigest()
    with pytest.raises(ConfigError, match="holds no other"):
        archive.read("other")


def test_reading_leaves_no_file_behind(whole, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    archive = open_archive(whole)
    for name in archive.names():
        archive.read(name)
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_in_a_zip_are_not_listed(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("fold_0/", b""), ("fold_0/a", b"x")])
    assert open_archive(path).names() == ("fold_0/a",)


def test_what_is_no_archive_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.zip: no such file"):
        open_archive(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("plans")
    with pytest.raises(ConfigError, match=r"text\.zip: is neither a zip nor a folder"):
        open_archive(tmp_path / "text.zip")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "absolute"),
        ("../up", r"leads out .* '\.\.'"),
        ("a/../../up", r"leads out .* '\.\.'"),
        ("a\\b", "backslash"),
        ("C:evil", "drive letter"),
        ("c:/evil", "drive letter"),
        ("./a", "not written plainly"),
        ("a//b", "not written plainly"),
        ("a\nb", "not written plainly"),
    ],
)
def test_names_that_play_tricks_are_refused(tmp_path, name, reason):
    path = write_zip(tmp_path / "a.zip", [("plans.json", b"{}"), (name, b"x")])
    with pytest.raises(ConfigError, match=reason) as caught:
        open_archive(path)
    assert str(caught.value).startswith(f"{path}: the entry {name!r} ")


def test_a_name_with_a_nul_does_not_pass_for_another(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("plans.json_exe", b"x")])
    path.write_bytes(path.read_bytes().replace(b"plans.json_exe", b"plans.json\0exe"))
    assert zipfile.ZipFile(path).namelist() == ["plans.json"]
    with pytest.raises(ConfigError, match="not written plainly"):
        open_archive(path)


@pytest.mark.parametrize(
    ("kind", "reason"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "neither a file nor a folder")]
)
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind, reason):
    entry = zipfile.ZipInfo("fold_0")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    with pytest.raises(ConfigError, match=f"'fold_0' is (a )?{reason}"):
        open_archive(write_zip(tmp_path / "a.zip", [(entry, b"/etc")]))


def test_encrypted_entries_are_refused(tmp_path):
    path = declared(write_zip(tmp_path / "a.zip", [("entry", b"x")]), {8: b"\x01\x00"})
    with pytest.raises(ConfigError, match="'entry' is encrypted"):
        open_archive(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_cannot_be_inflated_in_pieces_are_refused(tmp_path, method):
    path = write_zip(tmp_path / "a.zip", [("entry", b"x")], method)
    with pytest.raises(ConfigError, match="other than deflate"):
        open_archive(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["plans.json", "plans.json/"])
def test_an_entry_that_comes_twice_is_refused(tmp_path, second):
    path = write_zip(tmp_path / "a.zip", [("plans.json", b"{}"), ("a", b""), (second, b"")])
    with pytest.raises(ConfigError, match=r"'plans\.json' comes twice"):
        open_archive(path)


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_too_many_entries_are_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(module, "MAX_ENTRIES", 3)
    for count in (3, 4):
        content = {f"{k}": b"x" for k in range(count)}
        path = (
            write_zip(tmp_path / f"{count}.zip", content.items())
            if kind == "zip"
            else write_folder(tmp_path / f"{count}", content)
        )
        if count == 3:
            assert len(open_archive(path).names()) == 3
        else:
            with pytest.raises(ConfigError, match="more than 3 files and folders"):
                open_archive(path)


def test_a_bomb_is_refused_by_what_it_declares(tmp_path):
    fine = write_zip(tmp_path / "fine.zip", [("entry", b"".join(struct.pack("<I", k) for k in range(9999)))])
    assert open_archive(fine).names() == ("entry",)
    bomb = write_zip(tmp_path / "bomb.zip", [("entry", bytes(1 << 20))])
    with pytest.raises(ConfigError, match="'entry' would unpack to more than 200 times its size"):
        open_archive(bomb)


def test_an_entry_of_more_than_4_gib_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("entry", b"x")
        archive.infolist()[0].file_size = 4 * 1024**3 + 1
    with pytest.raises(ConfigError, match="'entry' would unpack to more than 4 GiB"):
        open_archive(path)


def test_entries_that_overlap_are_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("first", os.urandom(1000)), ("other", b"")], zipfile.ZIP_STORED)
    size = struct.pack("<I", 1000)
    with pytest.raises(ConfigError, match="overlap"):
        open_archive(declared(path, {20: size, 24: size}, b"other"))


@pytest.mark.parametrize("size", [0, 10])
def test_nothing_is_read_past_the_declared_size(tmp_path, monkeypatch, size):
    path = write_zip(tmp_path / "a.zip", [("entry", bytes(range(256)) * 40)])
    declared(path, {24: struct.pack("<I", size)})
    monkeypatch.setattr(module, "BLOCK", 1 << 30)
    given = []
    with pytest.raises(ConfigError, match=r"entry: cannot be read whole \(Bad CRC-32"):
        given.extend(open_archive(path).blocks("entry"))
    assert len(b"".join(given)) <= size


def test_an_entry_shorter_than_declared_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("entry", bytes(range(256)) * 40)])
    declared(path, {24: struct.pack("<I", 256 * 41)})
    with pytest.raises(ConfigError, match="entry: cannot be read whole"):
        open_archive(path).read("entry")


def test_a_zip_inside_does_not_pass_for_the_one_that_is_cut_short(tmp_path):
    inner = write_zip(tmp_path / "inner.zip", [("plans.json", b"other")]).read_bytes()
    path = write_zip(tmp_path / "a.zip", [("inner.zip", inner), ("plans.json", b"{}")], zipfile.ZIP_STORED)
    assert open_archive(path).read("plans.json") == b"{}"
    path.write_bytes(path.read_bytes()[: 30 + len("inner.zip") + len(inner) + 5])
    assert zipfile.ZipFile(path).read("plans.json") == b"other"
    with pytest.raises(ConfigError, match="does not begin with its first entry; it is cut short"):
        open_archive(path)


def test_a_zip_cut_short_is_damaged(tmp_path):
    path = write_zip(tmp_path / "a.zip", CONTENT.items())
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ConfigError, match=r"a\.zip: cannot be read whole .* damaged"):
            open_archive(path)


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_is_refused_or_changes_nothing(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "changed.zip"
    entries = {"plans.json": b'{"a": 1, "b": [1, 2, 3]}', "fold_0/x.pth": b"\0\1\2\3"}
    content = bytearray(write_zip(path, entries.items()).read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        archive = open_archive(path)
        found = {name: archive.read(name) for name in archive.names()}
    except ConfigError:
        return
    assert found.items() <= entries.items()


def test_links_inside_a_folder_are_followed_and_others_refused(tmp_path):
    folder = write_folder(tmp_path / "model", CONTENT)
    (folder / "fold_1").mkdir()
    (folder / "fold_1" / "checkpoint_final.pth").symlink_to("../fold_0/checkpoint_final.pth")
    assert open_archive(folder).read("fold_1/checkpoint_final.pth") == CONTENT["fold_0/checkpoint_final.pth"]
    (tmp_path / "secret").write_text("x")
    refused = {
        "../secret": "leads out",
        "..": "leads out",
        "fold_0": "not to a file",
        "nowhere": "not to a file",
    }
    for target, reason in refused.items():
        (folder / "link").symlink_to(target)
        with pytest.raises(ConfigError, match=f"'link' is a link.* {reason}"):
            open_archive(folder)
        (folder / "link").unlink()


def test_a_folder_that_is_a_link_itself_will_do(tmp_path):
    write_folder(tmp_path / "model", CONTENT)
    (tmp_path / "link").symlink_to("model")
    assert open_archive(tmp_path / "link").read("plans.json") == b"{}"


def test_a_pipe_in_a_folder_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="'pipe' is neither a file nor a folder"):
        open_archive(tmp_path)


def test_a_file_that_went_away_is_named(tmp_path):
    folder = write_folder(tmp_path / "model", CONTENT)
    archive = open_archive(folder)
    Path(folder / "plans.json").unlink()
    with pytest.raises(ConfigError, match=r"plans\.json: cannot be read whole"):
        archive.read("plans.json")
