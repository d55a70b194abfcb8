"""Whether a folder of results is still what it was."""

import hashlib
from pathlib import Path


def state_of(folder: Path, besides: Path) -> str:
    """Return a checksum of the names, sizes and times of a folder's files; their content is not read.

    Parameters
    ----------
    folder
        May be absent.
    besides
        A file in it that does not count.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p != besides):
        known = path.stat()
        digest.update(f"{path.relative_to(folder)}\t{known.st_size}\t{known.st_mtime_ns}\n".encode())
    return digest.hexdigest()
