"""What files are by their names, and the files below a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

NIFTI = (".nii", ".nii.gz")


def is_nifti(path: Path) -> bool:
    """Tell by its name whether a path is a NIfTI file."""
    return path.name.lower().endswith(NIFTI)


def files_below(folder: Path, root: Path) -> Iterator[str]:
    """Give every file below a folder, relative to the root; one look at each folder, none at a file."""
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(root)
        yield from ((inside / name).as_posix() for name in names)
