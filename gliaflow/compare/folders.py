"""Two folders of results, file by file."""

import filecmp
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from gliaflow.compare.documents import compare_documents
from gliaflow.compare.images import compare_images, compare_transforms
from gliaflow.compare.pages import compare_pages
from gliaflow.compare.tables import compare_tables
from gliaflow.errors import ConfigError, ImageError
from gliaflow.files import files_below

COMPARED: Mapping[str, Callable[[Path, Path, float], list[str]]] = {
    ".nii.gz": compare_images,
    ".nii": compare_images,
    ".tsv": compare_tables,
    ".json": compare_documents,
    ".tfm": compare_transforms,
    ".html": compare_pages,
}
"""By ending what looks into two files whose bytes differ; of other files only that is told."""
TIMED = "provenance.json"
"""Says when each job ran, so that no two runs have the same."""


@dataclass(frozen=True)
class Compared:
    """What was found.

    Attributes
    ----------
    same
        Paths whose content is the same.
    repacked
        Those among ``same`` whose bytes differ nevertheless.
    differing
        By path the lines that say how.
    only_first, only_second
        Paths that only one folder has.
    passed_over
        Paths that were not compared.
    """

    same: list[str] = field(default_factory=list)
    repacked: list[str] = field(default_factory=list)
    differing: dict[str, list[str]] = field(default_factory=dict)
    only_first: list[str] = field(default_factory=list)
    only_second: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)

    @property
    def alike(self) -> bool:
        """Whether nothing differs."""
        return not (self.differing or self.only_first or self.only_second)


def compare_folders(
    first: Path, second: Path, *, tolerance: float = 0.0, ignored: Sequence[str] = ()
) -> Compared:
    """Compare two folders file by file.

    Parameters
    ----------
    first, second
        Folders of results.
    tolerance
        The largest difference of voxels, cells and other numbers that does not count.
    ignored
        Patterns of paths to pass over, such as ``*.png``.

    Raises
    ------
    ConfigError
        A folder is not there, or holds no file.
    """
    paths = files_of(first), files_of(second)
    found = Compared()
    for path in sorted({*paths[0], *paths[1]}):
        if Path(path).name == TIMED or any(fnmatch(path, pattern) for pattern in ignored):
            found.passed_over.append(path)
        elif path not in paths[1]:
            found.only_first.append(path)
        elif path not in paths[0]:
            found.only_second.append(path)
        else:
            _compare(found, path, first / path, second / path, tolerance)
    return found


def results_in(folder: Path) -> Path:
    """Return the results of a folder that the workflow ran in; another folder is returned as it is."""
    inside = folder / "results"
    return inside if inside.is_dir() else folder


def files_of(folder: Path) -> set[str]:
    """Return the paths of a folder's files, relative to it.

    Raises
    ------
    ConfigError
        It is not there, or holds no file.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is no folder; name two folders of results")
    paths = {path for path in files_below(folder, folder) if (folder / path).is_file()}
    if not paths:
        raise ConfigError(f"{folder}: holds no file; name a folder of results")
    return paths


def compare_files(first: Path, second: Path, tolerance: float = 0.0) -> list[str]:
    """Return lines on how two files differ whose bytes do; empty where that is all."""
    compare = next((found for ending, found in COMPARED.items() if first.name.endswith(ending)), None)
    if compare is None:
        return [f"bytes differ ({first.stat().st_size} in A, {second.stat().st_size} in B)"]
    try:
        return compare(first, second, tolerance)
    except (ImageError, ValueError) as error:
        return [f"bytes differ, and one cannot be read: {error}"]


def _compare(found: Compared, path: str, first: Path, second: Path, tolerance: float) -> None:
    if filecmp.cmp(first, second, shallow=False):
        found.same.append(path)
        return
    lines = compare_files(first, second, tolerance)
    if lines:
        found.differing[path] = lines
    else:
        found.same.append(path)
        found.repacked.append(path)
