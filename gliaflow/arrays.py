"""Arrays in .npz files: written whole; read without building objects or unpacking a bomb."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gliaflow.images import Array, write_bytes

MOST_BYTES = 1024**3


def write_arrays(path: Path, arrays: Mapping[str, npt.ArrayLike], *, packed: bool = True) -> None:
    """Write arrays as .npz, whole or not at all; the same arrays give the same bytes.

    Raises
    ------
    ValueError
        One holds objects.
    """
    stream = io.BytesIO()
    write = np.savez_compressed if packed else np.savez
    write(stream, allow_pickle=False, **arrays)
    write_bytes(path, stream.getvalue())


def read_arrays(path: Path, *, most_bytes: int = MOST_BYTES) -> dict[str, Array]:
    """Return every array of a .npz file.

    Parameters
    ----------
    path
        The file.
    most_bytes
        To which it may unpack.

    Raises
    ------
    ValueError
        It is no whole .npz, holds objects, or would unpack to more.
    OSError
        It cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as content:
            size = sum(entry.file_size for entry in content.infolist())
        if size > most_bytes:
            raise ValueError(f"it would unpack to {size / 1e9:.1f} GB")
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(str(error)) from error
