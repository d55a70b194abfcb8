"""The label table as other programs read it: ITK-SNAP, 3D Slicer, FreeSurfer."""

from collections.abc import Callable
from pathlib import Path

from gliaflow.images import write_bytes
from gliaflow.labels import Label, label_table

SNAP_HEAD = """\
################################################
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
################################################
    0     0    0    0     0    0   0    "Clear Label"
"""
FREESURFER_HEAD = """\
#No. Label Name:                            R   G   B   A
0    Unknown                                0   0   0   0
"""


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the parts of a colour.

    >>> rgb("#D55E00")
    (213, 94, 0)
    """
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def write_itksnap(path: str | Path) -> None:
    """Write a label description file of ITK-SNAP."""
    _write(path, SNAP_HEAD, _snap_line)


def write_slicer(path: str | Path) -> None:
    """Write a colour table (``.ctbl``) of 3D Slicer."""
    head = f"# Color table file {Path(path).name}\n# {len(label_table()) + 1} values\n0 background 0 0 0 0\n"
    _write(path, head, _slicer_line)


def write_freesurfer(path: str | Path) -> None:
    """Write a colour lookup table of FreeSurfer; its last column is 0 for opaque."""
    _write(path, FREESURFER_HEAD, _freesurfer_line)


def _write(path: str | Path, head: str, line: Callable[[Label], str]) -> None:
    write_bytes(path, (head + "".join(f"{line(label)}\n" for label in label_table())).encode())


def _snap_line(label: Label) -> str:
    red, green, blue = rgb(label.colour)
    return f'{label.value:5d} {red:5d} {green:4d} {blue:4d}     1    1   1    "{label.name}"'


def _slicer_line(label: Label) -> str:
    return f"{label.value} {_one_word(label)} {' '.join(map(str, rgb(label.colour)))} 255"


def _freesurfer_line(label: Label) -> str:
    red, green, blue = rgb(label.colour)
    return f"{label.value:<4d} {_one_word(label):38s} {red:3d} {green:3d} {blue:3d} {0:3d}"


def _one_word(label: Label) -> str:
    return label.name.replace(" ", "_")
