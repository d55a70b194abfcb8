"""The cells of a sample sheet that lead to scans: their forms, and whether what they lead to is there."""

import glob
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gliaflow.config.disk import Disk
from gliaflow.config.mistakes import Mistakes
from gliaflow.config.sheet import Row
from gliaflow.files import NIFTI, is_nifti

SERIES = re.compile(r"series=([0-9]{1,9})")
LIKE_SERIES = re.compile(r"series\s*[0-9]*|series\s*[=:#].*", re.IGNORECASE)
NOTHING = {"na", "n/a", "nan", "null", "nil", "-", "--", ".", "?", "missing", "no", "x"}
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class Form:
    """What a path may lead to: files of some suffixes, a folder; and what to say where it does not."""

    suffixes: tuple[str, ...]
    folder: bool
    fix: str


SCAN = Form((*NIFTI, ".zip"), True, "give a DICOM folder, a .zip of one, or a .nii or .nii.gz file")
STUDY = Form(
    (".zip",), True, "give a folder or a .zip of DICOM files; a NIfTI belongs in the column of its sequence"
)
IMAGE = Form(NIFTI, False, "give a .nii or .nii.gz file")
RATERS = Form((), True, "give a folder, or a pattern such as raters/P0042_*.nii.gz")


@dataclass(frozen=True)
class Cells:
    """Reads the cells of rows.

    Attributes
    ----------
    disk
        What exists; None where paths are not to be checked.
    produced
        Whether the workflow itself makes a path that does not exist now.
    mistakes
        What is wrong is added here.
    """

    disk: Disk | None
    produced: Callable[[Path], bool]
    mistakes: Mistakes

    def scan(self, row: Row, column: str) -> Path | int | None:
        """Return the path or the SeriesNumber that a cell gives; None where it is empty, none or wrong."""
        cell = row.values.get(column)
        if cell is None or cell.casefold() == "none":
            return None
        if found := SERIES.fullmatch(cell):
            if "dicom" not in row.cells:
                what = "names a series, but the cell dicom is empty"
                self.mistakes.add(row.where(column), what, "give the study in the column dicom")
            return int(found[1])
        if LIKE_SERIES.fullmatch(cell):
            fix = "write series= and the SeriesNumber without blanks, such as series=7"
            self.mistakes.add(row.where(column), "is not a series number", fix)
            return None
        return self.path(row, column, SCAN)

    def raters(self, row: Row) -> str | None:
        """Return the absolute folder or pattern of several raters' segmentations, None for an empty cell."""
        cell = row.values.get("raters", "")
        pattern = _absolute(row, cell)
        if not glob.has_magic(cell) or (self.disk and self.disk.kind(pattern)):
            folder = self.path(row, "raters", RATERS)
            return os.fspath(folder) if folder else None
        # Path.glob raises an error for a pattern such as a**b, where glob reads it as a*b.
        if self.disk and not self.produced(pattern) and not any(glob.iglob(os.fspath(pattern))):  # noqa: PTH207
            fix = "correct the pattern; * stands for any characters of a name"
            self.mistakes.add(row.where("raters"), f"nothing matches {pattern}", fix)
        return os.fspath(pattern)

    def path(self, row: Row, column: str, form: Form) -> Path | None:
        """Return the absolute path that a cell gives, None for an empty cell; check what it leads to."""
        cell = row.values.get(column)
        if cell is None:
            return None
        path = _absolute(row, cell)
        if set("{}") & set(os.fspath(path)):
            self.mistakes.add(row.where(column), "has { or } in its path", "rename it, or make a link to it")
            return None
        if self.disk and (mistake := self._mistake(self.disk, cell, path, form)):
            self.mistakes.add(row.where(column), *mistake)
        return path

    def neighbours(self, row: Row, dwi: Path | int | None) -> None:
        """Check that a diffusion-weighted NIfTI has its .bval and .bvec beside it."""
        if not self.disk or not isinstance(dwi, Path) or not is_nifti(dwi):
            return
        stem = re.sub(r"\.nii(\.gz)?$", "", dwi.name, flags=re.IGNORECASE)
        beside = [dwi.with_name(stem + suffix) for suffix in (".bval", ".bvec")]
        missing = [path.name for path in beside if not self.disk.kind(path) and not self.produced(path)]
        if missing and self.disk.kind(dwi):
            what = f"{' and '.join(missing)} belong beside it and are not there"
            self.mistakes.add(row.where("dwi"), what, "put them there, or give the DICOM folder")

    def _mistake(self, disk: Disk, cell: str, path: Path, form: Form) -> tuple[str, str] | None:
        kind = disk.kind(path)
        if kind is None:
            return None if self.produced(path) else _missing(disk, cell, path)
        if kind == "folder" and (not form.folder or is_nifti(path)):
            return "is a folder, not a file", form.fix
        if kind == "folder" and disk.is_empty(path):
            return "is an empty folder", form.fix
        if kind == "file" and not path.name.lower().endswith(form.suffixes):
            return "is a file of a kind that is not read here", form.fix
        return None


def _absolute(row: Row, cell: str) -> Path:
    return Path(os.path.normpath(Path(row.sheet).parent.absolute() / cell))


def _missing(disk: Disk, cell: str, path: Path) -> tuple[str, str]:
    if ADDRESS.match(cell):
        return "is an address, not a path", "copy the data to a disk and give the path"
    if cell.casefold() in NOTHING:
        return "is not a path", "write none for a scan that was not made, or leave the cell empty"
    if cell.isdecimal():
        return "is not a path", f"write series={cell} for a series of the study in the column dicom"
    what = f"does not exist (looked for at {path})"
    if "\\" in cell:
        return what, "write / between folders, not \\"
    guess = disk.nearest(path)
    otherwise = "correct the path; a relative one starts from the folder of the sheet"
    return what, f"did you mean {guess}?" if guess else otherwise
