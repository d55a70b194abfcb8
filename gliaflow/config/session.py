"""One session of the sample sheets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gliaflow.files import is_nifti


@dataclass(frozen=True)
class Session:
    """A session: a visit of a subject to the scanner.

    Attributes
    ----------
    cohort, subject, session
        Identifiers, letters and digits only.
    days
        Days since the subject's first scan, or None where the subject has one session.
    sources
        For each sequence that has a cell of its own the absolute path, or the SeriesNumber within ``study``.
    expected
        Every sequence of the session in the order of channels: those of ``sources``, and those that ``study``
        is searched for.
    study
        Folder or .zip of a DICOM study, absolute.
    dwi
        Absolute path of the diffusion-weighted scan, or its SeriesNumber within ``study``.
    brain_mask, label
        Absolute paths of NIfTI files on the grid of the reference.
    raters
        Absolute folder or pattern of several raters' segmentations.
    stripped
        Whether the scans are skull-stripped already.
    registered
        Which grid the scans share already: ``none``, ``ref`` or ``atlas``.
    sheet, row
        Where the session is listed: the sheet as given, and the line in it.
    """

    cohort: str
    subject: str
    session: str
    days: int | None
    sources: Mapping[str, Path | int]
    expected: tuple[str, ...]
    study: Path | None
    dwi: Path | int | None
    brain_mask: Path | None
    label: Path | None
    raters: str | None
    stripped: bool
    registered: str
    sheet: str
    row: int

    @property
    def key(self) -> tuple[str, str, str]:
        """Cohort, subject and session."""
        return self.cohort, self.subject, self.session

    @property
    def reference(self) -> str:
        """The sequence whose grid is ``ref``: t1c, or the first one expected."""
        return "t1c" if "t1c" in self.expected else self.expected[0]

    def given_as_nifti(self, sequence: str) -> bool:
        """Whether a cell names a NIfTI file for a sequence, and not DICOM."""
        source = self.sources.get(sequence)
        return isinstance(source, Path) and is_nifti(source)
