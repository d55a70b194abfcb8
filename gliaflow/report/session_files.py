"""The files that a session has so far, whether it was finished or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliaflow.labels import SEQUENCES
from gliaflow.sidecar import read_json
from gliaflow.tables import read_rows


@dataclass(frozen=True)
class SessionFiles:
    """The results of one session.

    Attributes
    ----------
    cohort, subject, session
        Its names.
    root
        The folder that the workflow runs in.

    Examples
    --------
    >>> SessionFiles("demo", "01", "2").path("seg", "volumes.tsv").as_posix()
    'results/demo/sub-01/ses-2/seg/sub-01_ses-2_volumes.tsv'
    """

    cohort: str
    subject: str
    session: str
    root: Path = Path()

    @property
    def name(self) -> str:
        """What a session is called in errors and headings."""
        return f"{self.cohort}/sub-{self.subject}/ses-{self.session}"

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        return f"sub-{self.subject}_ses-{self.session}"

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.root / "results" / self.cohort / f"sub-{self.subject}" / f"ses-{self.session}"

    def path(self, part: str, ending: str) -> Path:
        """Return the path of a file in ``anat``, ``seg``, ``growth`` or ``qc``, there or not."""
        return self.folder / part / f"{self.stem}_{ending}"

    def there(self, part: str, ending: str) -> Path | None:
        """Return the path of a file that is there."""
        path = self.path(part, ending)
        return path if path.is_file() else None

    def found(self, part: str, pattern: str) -> dict[str, Path]:
        """Return files by what stands for the one ``*`` of a pattern, sorted by it."""
        before, after = f"{self.stem}_{pattern}".split("*")
        paths = sorted((self.folder / part).glob(f"{self.stem}_{pattern}"))
        return {path.name[len(before) : len(path.name) - len(after)]: path for path in paths}

    def document(self, part: str, ending: str) -> Mapping[str, Any]:
        """Return the content of a JSON file, empty where there is none."""
        path = self.there(part, ending)
        return read_json(path) if path else {}

    def rows(self, part: str, ending: str) -> list[dict[str, Any]]:
        """Return the rows of a table, none where there is none."""
        path = self.there(part, ending)
        return read_rows([path]) if path else []

    def row(self, part: str, ending: str) -> dict[str, Any]:
        """Return the first row of a table, empty where there is none."""
        return next(iter(self.rows(part, ending)), {})

    def sequences(self, pattern: str = "{sequence}.nii.gz") -> dict[str, Path]:
        """Return an image of each sequence that has it, in the order of channels."""
        paths = {s: self.there("anat", pattern.format(sequence=s)) for s in SEQUENCES}
        return {sequence: path for sequence, path in paths.items() if path}

    @property
    def atlas(self) -> str:
        """The name of the atlas that the session was registered to; empty where it was not."""
        spaces = [name for name in self.found("anat", "from-ref_to-*_mode-image_xfm.tfm") if name != "first"]
        return spaces[0] if spaces else ""

    @property
    def regions(self) -> Sequence[str]:
        """The regions that its segmentation determined."""
        return self.document("seg", "space-ref_dseg.json").get("Regions", ())

    def since_segmentation(self, path: Path) -> Path | None:
        """Return a file that is there and not older than the label map, from which it was made."""
        labels = self.there("seg", "space-ref_dseg.nii.gz")
        if not path.is_file() or (labels and path.stat().st_mtime < labels.stat().st_mtime):
            return None
        return path
