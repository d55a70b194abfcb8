"""Reading from a zip or a folder, where nothing is unpacked and what could do harm is refused; and adding."""

import hashlib
import os
import re
import stat
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from gliaflow.errors import ConfigError

MAX_ENTRIES = 10_000
MAX_BYTES = 4 * 1024**3
MAX_RATIO = 200
BLOCK = 1 << 20
ENCRYPTED = 0x1 | 0x40 | 0x2000
DATE = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644 << 16
UNIX = 3
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
)


def add_file(package: zipfile.ZipFile, name: str, content: bytes, *, deflate: bool = True) -> None:
    """Add a file to a zip that is open for writing; the same content gives the same bytes on any day."""
    entry = zipfile.ZipInfo(name, DATE)
    entry.create_system, entry.external_attr = UNIX, READABLE
    entry.compress_type = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    package.writestr(entry, content)


class Archive(ABC):
    """The files of a zip or a folder, by their names in it; made by :func:`open_archive`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Return the names of the files, relative, with ``/`` between their parts, sorted."""

    @abstractmethod
    def _blocks(self, name: str) -> Iterator[bytes]:
        """Give the content of a file that there is, in pieces."""

    def blocks(self, name: str) -> Iterator[bytes]:
        """Give the content of a file in pieces of at most 1 MiB.

        Raises
        ------
        ConfigError
            There is no such file, or it cannot be read whole.
        """
        if name not in self.names():
            raise ConfigError(f"{self.path}: holds no {name}")
        with _readable(f"{self.path}, {name}"):
            yield from self._blocks(name)

    def read(self, name: str) -> bytes:
        """Return the content of a file; raises what :meth:`blocks` raises."""
        return b"".join(self.blocks(name))

    def sha256(self, name: str) -> str:
        """Return the sha256 of a file as 64 hex digits; raises what :meth:`blocks` raises."""
        digest = hashlib.sha256()
        for block in self.blocks(name):
            digest.update(block)
        return digest.hexdigest()


def open_archive(path: Path) -> Archive:
    """Look into a zip or a folder.

    Parameters
    ----------
    path
        A zip file or a folder.

    Returns
    -------
    Archive
        Its files; directories in it are not listed.

    Raises
    ------
    ConfigError
        There is no such file; it is neither zip nor folder, or a damaged zip; an entry has a name that is not
        plain and relative, comes twice, is a link (in a folder: a link that leads out of it), is encrypted,
        overlaps others or would unpack to too much; or there are more than 10 000 entries.
    """
    if path.is_dir():
        return _Folder(path)
    if not path.exists():
        raise ConfigError(f"{path}: no such file or folder; correct the path")
    with _readable(path), path.open("rb") as stream:
        looks_like_zip = stream.read(2) == b"PK"
    if not looks_like_zip:
        raise ConfigError(f"{path}: is neither a zip nor a folder")
    return _Zip(path)


class _Zip(Archive):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with _readable(path), zipfile.ZipFile(path) as content:
            entries = content.infolist()
        _check_zip(path, entries)
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}
        self._names = tuple(sorted(self._entries))

    def names(self) -> tuple[str, ...]:
        return self._names

    def _blocks(self, name: str) -> Iterator[bytes]:
        entry = self._entries[name]
        left = entry.file_size
        with zipfile.ZipFile(self.path) as content, content.open(entry) as stream:
            while left:
                block = stream.read(min(BLOCK, left))
                if not block:
                    raise EOFError("it ends early")
                left -= len(block)
                yield block
            # the checksum is looked at when the end is met, for which an entry of no bytes has to be read too
            stream.read(1)


class _Folder(Archive):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with _readable(path):
            files = list(_walk(path))
        self._names = tuple(sorted(file.relative_to(path).as_posix() for file in files))

    def names(self) -> tuple[str, ...]:
        return self._names

    def _blocks(self, name: str) -> Iterator[bytes]:
        with (self.path / name).open("rb") as stream:
            while block := stream.read(BLOCK):
                yield block


def _check_zip(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    _check_count(path, len(entries))
    for entry in entries:
        reason = _reason_against(entry)
        if reason:
            raise ConfigError(f"{path}: the entry {entry.orig_filename!r} {reason}; it is not opened")
    name, times = Counter(e.filename.rstrip("/") for e in entries).most_common(1)[0] if entries else ("", 1)
    if times > 1:
        raise ConfigError(f"{path}: the entry {name!r} comes twice; it is not opened")
    if min((entry.header_offset for entry in entries), default=0) != 0:
        # where a zip is cut short, the end of a checkpoint in it, itself a zip, passes for its own end
        raise ConfigError(f"{path}: does not begin with its first entry; it is cut short, so fetch it again")
    if sum(entry.compress_size for entry in entries) > path.stat().st_size:
        raise ConfigError(
            f"{path}: its entries overlap, which unpacks a small file to a huge one; it is not opened"
        )


def _reason_against(entry: zipfile.ZipInfo) -> str | None:
    """Say what is wrong with an entry, by what the zip's directory declares of it."""
    name = entry.orig_filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    reasons = {
        "has an absolute name": name.startswith("/"),
        "has a name with a backslash": "\\" in name,
        "has a name with a drive letter": bool(re.match("[A-Za-z]:", name)),
        "has a name that leads out of the archive by '..'": ".." in name.split("/"),
        "has a name that is not written plainly": str(PurePosixPath(name)) != name.removesuffix("/")
        or not name.isprintable(),
        "is a symbolic link": kind == stat.S_IFLNK,
        "is neither a file nor a folder": kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK),
        "is encrypted": bool(entry.flag_bits & ENCRYPTED),
        "is compressed by a method other than deflate": entry.compress_type not in METHODS,
        f"would unpack to more than {MAX_BYTES / 1024**3:g} GiB": entry.file_size > MAX_BYTES,
        f"would unpack to more than {MAX_RATIO} times its size": entry.file_size
        > MAX_RATIO * entry.compress_size,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _walk(folder: Path) -> Iterator[Path]:
    """Give the files of a folder; links to files inside it count as files."""
    inside = folder.resolve()
    count = 0
    for parent, folders, files in os.walk(folder, onerror=_raise):
        count += len(folders) + len(files)
        _check_count(folder, count)
        for path in (Path(parent) / name for name in (*folders, *files)):
            where = f"{folder}: {path.relative_to(folder).as_posix()!r}"
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise ConfigError(
                    f"{where} is a link that leads out of the folder; copy the file itself there"
                )
            if path.is_symlink() and not path.is_file():
                raise ConfigError(f"{where} is a link, but not to a file; copy what it stands for there")
            if path.is_file():
                yield path
            elif not path.is_dir():
                raise ConfigError(f"{where} is neither a file nor a folder; take it out")


def _check_count(path: Path, count: int) -> None:
    if count > MAX_ENTRIES:
        raise ConfigError(
            f"{path}: holds more than {MAX_ENTRIES} files and folders; name the model's own folder or zip"
        )


def _raise(error: OSError) -> None:
    raise error


@contextmanager
def _readable(where: Path | str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise ConfigError(
            f"{where}: cannot be read whole ({error}); it is damaged, so copy or fetch it again"
        ) from error
