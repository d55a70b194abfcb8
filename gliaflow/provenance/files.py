"""What a file is called in the provenance, and its checksum."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gliaflow.fetch import sha256_of

MADE_IN = ("results", "resources", "training", "logs", "benchmarks")
"""The folders that the workflow makes where it runs; what lies elsewhere was given to it."""
KINDS = {
    ".nii.gz": "Image",
    ".nii": "Image",
    ".tsv": "Table",
    ".json": "Document",
    ".png": "Picture",
    ".html": "Page",
    ".tfm": "Transform",
    ".zip": "Package",
}


@dataclass(frozen=True)
class Named:
    """A file or folder: its qualified name, what to call it, and where it is."""

    identifier: str
    label: str
    place: Path


@dataclass
class Namer:
    """Gives each path a name that holds nothing of the machine's folders.

    Attributes
    ----------
    root
        The folder that the workflow ran in; relative paths begin there.
    called
        What to call files that were given, such as their cells of the sample sheet, by their absolute path.
    """

    root: Path
    called: Mapping[str, str]
    absent: dict[str, int] = field(default_factory=dict)

    def __call__(self, path: str) -> Named:
        """Return the name of a path, as Snakemake or a sidecar writes it.

        >>> Namer(Path(), {"/data/Doe/t1": "samples.tsv, a/1/1, column t1n"})("/data/Doe/t1").identifier
        'given:samples.tsv%2C%20a/1/1%2C%20column%20t1n'
        """
        place = self.root / path
        if path in self.called:
            return self._given(self.called[path], place)
        own = self._within(place)
        if own:
            return Named(f"run:{quote(own, safe='/')}", own, place)
        if not place.exists():
            number = self.absent.setdefault(path, len(self.absent) + 1)
            return self._given(f"a file that is there no more, {number}", place)
        return self._given(f"a file with sha256 {checksum(place)[:16]}", place)

    def _given(self, label: str, place: Path) -> Named:
        return Named(f"given:{quote(label, safe='/')}", label, place)

    def _within(self, place: Path) -> str | None:
        """Return the path within the run's folder, where the workflow makes files."""
        whole, root = place.absolute(), self.root.absolute()
        if not whole.is_relative_to(root):
            return None
        parts = whole.relative_to(root).parts
        return "/".join(parts) if parts and parts[0] in MADE_IN and ".." not in parts else None


def kind_of(path: Path) -> str:
    """Return what a file is by its ending; a folder is a ``Folder``.

    >>> kind_of(Path("a_t1c.nii.gz"))
    'Image'
    """
    found = next((kind for ending, kind in KINDS.items() if path.name.endswith(ending)), None)
    return found or ("Folder" if path.is_dir() or not path.suffix else "File")


def checksum(place: Path) -> str:
    """Return the sha256 of a file; of a folder that of the sorted checksums of all files in it."""
    if place.is_file():
        return sha256_of(place)
    inside = sorted(sha256_of(path) for path in place.rglob("*") if path.is_file())
    return hashlib.sha256("\n".join(inside).encode()).hexdigest()
