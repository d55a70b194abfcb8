"""The files below a folder."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path, root: Path) -> Iterator[str]:
    """Give every file below a folder, relative to the root; one look at each folder, none at a file."""
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(root)
        yield from ((inside / name).as_posix() for name in names)
