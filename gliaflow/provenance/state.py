"""Whether a folder of results is still what it was."""

import hashlib
from collections.abc import Collection
from pathlib import Path


def state_of(folder: Path, besides: Collection[str] = ()) -> str:
    """Return a checksum of the names, sizes and times of a folder's files; their content is not read.

    Parameters
    ----------
    folder
        May be absent.
    besides
        Names of files that do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in besides):
        known = path.stat()
        digest.update(f"{path.relative_to(folder)}\t{known.st_size}\t{known.st_mtime_ns}\n".encode())
    return digest.hexdigest()
