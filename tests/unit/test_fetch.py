"""An archive lands whole and checked, or not at all."""

import hashlib
import zipfile

import pytest

from gliaflow.errors import ConfigError
from gliaflow.fetch import fetch_archive, fetch_file, sha256_of

FILES = {
    "release/plans.json": b'{"a": 1}',
    "release/dataset.json": b"{}",
    "release/fold_all/checkpoint_final.pth": bytes(range(256)) * 20,
}


def archive(tmp_path, files=FILES, name="model.zip"):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        for inner, content in files.items():
            stream.writestr(inner, content)
    return path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()


def content_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_refused(tmp_path, url, sha256, reason):
    """Check that nothing is left beside the archive itself."""
    target = tmp_path / "resources" / "hd-bet"
    with pytest.raises(ConfigError, match=rf"^hd-bet: .*{reason}"):
        fetch_archive(url, sha256, target, "hd-bet")
    assert list((tmp_path / "resources").glob("*")) == []


def test_a_file_comes_to_its_place_as_it_is(tmp_path):
    """It need not be an archive, and what is already beside it stays."""
    source = tmp_path / "model.zip"
    source.write_bytes(b"\x00\x01 any content")
    target = tmp_path / "resources" / "models" / "tiny.zip"
    target.parent.mkdir(parents=True)
    (target.parent / "other.zip").write_bytes(b"other")
    target.write_bytes(b"an earlier one")
    fetch_file(source.as_uri(), sha256_of(source).upper(), target, "tiny")
    assert target.read_bytes() == source.read_bytes()
    assert sorted(path.name for path in target.parent.iterdir()) == ["other.zip", "tiny.zip"]


@pytest.mark.parametrize(
    ("url", "sha256", "reason"),
    [
        ("file://{}", "0" * 64, r"has sha256 [0-9a-f]{64}, not 0{64}; nothing was kept"),
        ("file://{}.gone", "0" * 64, "cannot download"),
        ("http://example.org/a.zip", "0" * 64, "neither https: nor file:"),
        ("file://{}", None, "records no sha256"),
        (None, "0" * 64, "records no url"),
    ],
)
def test_a_file_that_is_not_what_was_stated_is_not_kept(tmp_path, url, sha256, reason):
    source, folder = tmp_path / "model.zip", tmp_path / "resources"
    source.write_bytes(b"content")
    folder.mkdir()
    (folder / "tiny.zip").write_bytes(b"an earlier one")
    with pytest.raises(ConfigError, match=rf"^tiny: .*{reason}"):
        fetch_file(url and url.format(source), sha256, folder / "tiny.zip", "tiny")
    assert content_of(folder) == {"tiny.zip": b"an earlier one"}


@pytest.mark.parametrize("inside", ["release/", "", "a/b/"])
def test_the_folder_with_the_plans_comes_to_its_place(tmp_path, inside):
    files = {name.replace("release/", inside): content for name, content in FILES.items()}
    url, sha256 = archive(tmp_path, files)
    fetch_archive(url, sha256, tmp_path / "resources" / "hd-bet", "hd-bet")
    expected = {name.removeprefix("release/"): content for name, content in FILES.items()}
    assert content_of(tmp_path / "resources" / "hd-bet") == expected
    assert [p.name for p in (tmp_path / "resources").iterdir()] == ["hd-bet"]


def test_what_an_earlier_release_left_is_replaced(tmp_path):
    old = tmp_path / "resources" / "hd-bet"
    old.mkdir(parents=True)
    (old / "stale.pth").write_bytes(b"")
    url, sha256 = archive(tmp_path)
    fetch_archive(url, sha256.upper(), old, "hd-bet")
    assert "stale.pth" not in content_of(old)
    assert "plans.json" in content_of(old)


def test_another_checksum_keeps_nothing(tmp_path):
    url, sha256 = archive(tmp_path)
    assert_refused(tmp_path, url, "0" * 64, f"has sha256 {sha256}, not {'0' * 64}; nothing was kept")


def test_another_checksum_leaves_the_release_that_is_there(tmp_path):
    url, sha256 = archive(tmp_path)
    target = tmp_path / "resources" / "hd-bet"
    fetch_archive(url, sha256, target, "hd-bet")
    with pytest.raises(ConfigError, match="nothing was kept"):
        fetch_archive(url, "1" * 64, target, "hd-bet")
    assert "plans.json" in content_of(target)


def test_what_is_not_recorded_is_not_fetched(tmp_path):
    url, sha256 = archive(tmp_path)
    assert_refused(tmp_path, url, None, "records no sha256")
    assert_refused(tmp_path, url, "", "records no sha256")
    assert_refused(tmp_path, None, sha256, "records no url")


@pytest.mark.parametrize("url", ["http://example.org/a.zip", "ftp://example.org/a.zip", "/tmp/a.zip"])
def test_only_safe_ways_are_taken(tmp_path, url):
    assert_refused(tmp_path, url, "0" * 64, "neither https: nor file:")


def test_an_archive_that_is_not_there_is_named(tmp_path):
    url, sha256 = archive(tmp_path)
    assert_refused(tmp_path, url.replace("model", "gone"), sha256, r"cannot download .*gone\.zip")


def test_an_archive_of_something_else_is_refused(tmp_path):
    url, sha256 = archive(tmp_path, {"readme.txt": b"x"})
    assert_refused(tmp_path, url, sha256, "holds no plans.json")
    text = tmp_path / "text.zip"
    text.write_bytes(b"<html>not found</html>")
    assert_refused(tmp_path, text.as_uri(), sha256_of(text), "no whole zip")


def test_names_in_the_archive_cannot_lead_out(tmp_path):
    url, sha256 = archive(tmp_path, {**FILES, "../../../escaped.txt": b"x"})
    fetch_archive(url, sha256, tmp_path / "resources" / "deep" / "hd-bet", "hd-bet")
    assert list(tmp_path.rglob("escaped.txt")) == []


def test_the_checksum_is_that_of_the_published_definition(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
