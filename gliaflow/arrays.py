"""Reading arrays from .npz files that others made: no objects in them are built, no bomb is unpacked."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from gliaflow.images import Array

MOST_BYTES = 1024**3


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
