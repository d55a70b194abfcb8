"""Opening a source: a folder as it is, a zip unpacked so that it can do no harm."""

import lzma
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from gliaflow.errors import ConversionError

MAX_BYTES = 16 * 1024**3
MAX_FILES = 200_000
MAX_RATIO = 200
RATIO_MATTERS_FROM_BYTES = 64 * 1024**2
ENCRYPTED = 0x1
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    RuntimeError,
    OverflowError,
)


@contextmanager
def opened(source: Path, work: Path) -> Iterator[Path]:
    """Give a source as a folder.

    Parameters
    ----------
    source
        A folder, or a ``.zip``.
    work
        Where a zip is unpacked; what was unpacked is removed at the end.

    Raises
    ------
    ConversionError
        Neither a folder nor a zip, or a zip that :func:`unpack` refuses.
    """
    if source.is_dir():
        yield source
    elif not source.exists():
        raise ConversionError(f"{source}: no such file or folder")
    elif source.suffix.lower() != ".zip":
        raise ConversionError(f"{source}: neither a DICOM folder, a .zip of one, nor a NIfTI file")
    else:
        with tempfile.TemporaryDirectory(dir=work, prefix="unzip-") as folder:
            unpack(source, Path(folder))
            yield Path(folder)


def unpack(source: Path, folder: Path, *, max_bytes: int = MAX_BYTES, max_ratio: float = MAX_RATIO) -> None:
    """Unpack the files of a zip into one flat folder under neutral names.

    Parameters
    ----------
    source
        The zip.
    folder
        Where ``000000``, ``000001`` and on go, in the order of the names in the zip.
    max_bytes, max_ratio
        Most bytes that the files may unpack to, and most bytes per packed byte.

    Raises
    ------
    ConversionError
        Not a whole zip, empty, encrypted, too large, or holding a link or a name that leads out.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            members = sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda m: m.filename)
            _check_members(source, members, max_bytes, max_ratio)
            if sum(member.compress_size for member in members) > source.stat().st_size:
                raise ConversionError(f"{source}: the files of the zip overlap; pack it again")
            for index, member in enumerate(members):
                if PurePosixPath(member.filename).name.upper() != "DICOMDIR":
                    with archive.open(member) as packed, (folder / f"{index:06d}").open("wb") as unpacked:
                        shutil.copyfileobj(packed, unpacked)
    except UNREADABLE as error:
        raise ConversionError(f"{source}: not a whole zip that can be read; pack or copy it again") from error


def _check_members(source: Path, members: list[zipfile.ZipInfo], max_bytes: int, max_ratio: float) -> None:
    if not members:
        raise ConversionError(f"{source}: the zip is empty")
    if any(_leads_out(member.filename) for member in members):
        raise ConversionError(f"{source}: the zip holds names that lead out of its folder; pack it again")
    if any(stat.S_ISLNK(member.external_attr >> 16) for member in members):
        raise ConversionError(f"{source}: the zip holds symbolic links; pack the files themselves")
    if any(member.flag_bits & ENCRYPTED for member in members):
        raise ConversionError(f"{source}: the zip is encrypted; unpack it, and name the folder instead")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    too_dense = unpacked > RATIO_MATTERS_FROM_BYTES and unpacked > max_ratio * max(packed, 1)
    if unpacked > max_bytes or too_dense or len(members) > MAX_FILES:
        raise ConversionError(
            f"{source}: the zip would unpack to {len(members)} files of {unpacked / 1e9:.1f} GB from "
            f"{packed / 1e9:.3f} GB; if that is right, unpack it and name the folder instead"
        )


def _leads_out(name: str) -> bool:
    windows = PureWindowsPath(name)
    return bool(windows.drive or windows.root) or ".." in windows.parts or "\0" in name
