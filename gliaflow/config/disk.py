"""What exists on disk, asked by one listing per folder: sheets have thousands of rows, disks are far away."""

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

Kind = Literal["file", "folder"]
MOST_SUGGESTIONS = 50
MOST_NAMES = 2000


class Disk:
    """Answers whether paths exist; every folder is listed once and no file is opened."""

    def __init__(self) -> None:
        self._listings: dict[str, dict[str, Kind] | None] = {}
        self._suggestions = 0

    def kind(self, path: str | Path) -> Kind | None:
        """Return whether an absolute path is a file or a folder, or None where there is nothing."""
        folder, name = os.path.split(os.fspath(path))
        names = self._names(folder)
        if name and names is not None:
            return names.get(name)
        return _kind(os.fspath(path))

    def is_empty(self, folder: str | Path) -> bool:
        """Return whether there is nothing in a folder."""
        try:
            with os.scandir(folder) as entries:
                return next(entries, None) is None
        except OSError:
            return False

    def nearest(self, path: Path) -> str | None:
        """Return what exists and was probably meant, as far down as the path exists; None without an idea."""
        if self._suggestions >= MOST_SUGGESTIONS:
            return None
        self._suggestions += 1
        missing = path
        while missing.parent != missing and self.kind(missing.parent) != "folder":
            missing = missing.parent
        names = list(self._names(os.fspath(missing.parent)) or ())
        if len(names) > MOST_NAMES:
            return None
        match = _closest(missing.name, names)
        return os.fspath(missing.parent / match) if match else None

    def _names(self, folder: str) -> dict[str, Kind] | None:
        if folder not in self._listings:
            self._listings[folder] = _list(folder)
        return self._listings[folder]


def _closest(name: str, names: Sequence[str]) -> str | None:
    """Return the most similar name, by what stands before the endings, which make all images look alike."""
    stems = {other: _stem(other) for other in names}
    close = difflib.get_close_matches(_stem(name), set(stems.values()), n=1, cutoff=0.6)
    same = {other.casefold(): other for other in sorted(names) if stems[other] in close}
    match = difflib.get_close_matches(name.casefold(), same, n=1, cutoff=0)
    return same[match[0]] if match else None


def _stem(name: str) -> str:
    return re.sub(r"\.(nii|nii\.gz|zip)$", "", name.casefold())


def _list(folder: str) -> dict[str, Kind] | None:
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: _entry_kind(entry) for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError:
        return None
    return {name: kind for name, kind in found.items() if kind}


def _entry_kind(entry: os.DirEntry[str]) -> Kind | None:
    if entry.is_symlink():
        return _kind(entry.path)
    return "folder" if entry.is_dir() else "file"


def _kind(path: str) -> Kind | None:
    if Path(path).is_dir():
        return "folder"
    return "file" if Path(path).exists() else None
