"""Where the images of a DICOM series lie, and their UIDs: all that an export takes of headers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

from gliaflow.convert.archive import opened
from gliaflow.convert.dicom import check_series
from gliaflow.convert.header_values import finite_numbers, listed
from gliaflow.convert.privacy import quiet_pydicom
from gliaflow.convert.scan import NOT_READABLE, Series, scan_folder
from gliaflow.convert.source import chosen_series
from gliaflow.errors import ConversionError
from gliaflow.images import RAS_TO_LPS, Array, new_image

KEYWORDS = (
    *("SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("PixelSpacing", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
UID_FORM = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class Source:
    """A series as a stack of slices; nothing in it tells whose it is but the UIDs.

    Attributes
    ----------
    sop_class, study, series, frame_of_reference
        UIDs. A frame of reference that the headers lack is empty.
    instances
        SOPInstanceUID of the file of each slice; all the same where one file holds them.
    frames
        For each slice the number of its frame in the file, from 1.
    positions
        Shape (slices, 3), ImagePositionPatient in mm, in the order of their places.
    orientation
        Shape (6,), ImageOrientationPatient: directions of growing column and row index.
    spacing
        Distance of rows and of columns in mm.
    rows, columns
        Size of a slice.
    """

    sop_class: str
    study: str
    series: str
    frame_of_reference: str
    instances: tuple[str, ...]
    frames: tuple[int, ...]
    positions: Array
    orientation: Array
    spacing: tuple[float, float]
    rows: int
    columns: int

    @property
    def multi_frame(self) -> bool:
        """Whether one file holds all slices."""
        return len(set(self.instances)) == 1

    @property
    def affine(self) -> Array:
        """(4, 4), from column, row and slice index to RAS+ mm."""
        between_rows, between_columns = self.spacing
        lps = np.eye(4)
        lps[:3, 0] = self.orientation[:3] * between_columns
        lps[:3, 1] = self.orientation[3:] * between_rows
        lps[:3, 2] = (self.positions[-1] - self.positions[0]) / (len(self.positions) - 1)
        lps[:3, 3] = self.positions[0]
        return RAS_TO_LPS @ lps

    @property
    def grid(self) -> nib.Nifti1Image:
        """An empty image on the grid of the slices, shape (columns, rows, slices)."""
        return new_image(np.zeros((self.columns, self.rows, len(self.positions))), self.affine, np.uint8)


def read_source(scan: Path, *, key: str | None, settings: Mapping[str, Any], work: Path) -> Source:
    """Read the headers of the series that a scan was converted from.

    Parameters
    ----------
    scan
        A DICOM folder, or a ``.zip`` of one.
    key
        The key of a series of a study, from `gliaflow.convert.source.sort_study`; None where there is
        one series.
    settings
        Section ``convert`` of the config: ``max_slice_gap``, ``min_slices``.
    work
        Where a zip is unpacked for the while.

    Raises
    ------
    ConversionError
        The series is no longer there, is not one whole volume of evenly spaced slices, or has no UIDs.
    """
    with opened(scan, work) as folder:
        series = chosen_series(scan_folder(folder, str(scan)), key, str(scan), settings["min_slices"])
        check_series(series, str(scan), settings["max_slice_gap"])
        return source_of(series, str(scan))


def source_of(series: Series, name: str) -> Source:
    """Read what an export needs of a series whose files are in place; errors call it ``name``."""
    first = series.instances[0]
    if len({instance.uid for instance in series.instances}) > 1 and series.multi_frame:
        raise ConversionError(
            f"{name}: several multi-frame files make one volume, which DICOM-SEG cannot refer to; export the "
            "series again as one file, or as one file for each slice"
        )
    places = [
        (position, instance.uid, frame)
        for instance in series.instances
        for frame, position in enumerate(instance.positions, start=1)
    ]
    orientation = np.array(first.orientations[0])
    normal = np.cross(orientation[:3], orientation[3:])
    places.sort(key=lambda place: float(np.dot(place[0], normal)))
    with quiet_pydicom():
        try:
            header = pydicom.dcmread(first.path, stop_before_pixels=True, specific_tags=list(KEYWORDS))
            source = Source(
                sop_class=str(header.SOPClassUID),
                study=str(header.StudyInstanceUID),
                series=str(header.SeriesInstanceUID),
                frame_of_reference=str(header.get("FrameOfReferenceUID") or ""),
                instances=tuple(uid for _, uid, _ in places),
                frames=tuple(frame for _, _, frame in places),
                positions=np.array([position for position, _, _ in places]),
                orientation=orientation,
                spacing=_spacing(header),
                rows=series.rows,
                columns=series.columns,
            )
            _check_uids(source)
        except NOT_READABLE:
            raise ConversionError(
                f"{name}: its headers lack UIDs that tell its study and images, or how far its pixels are "
                "apart; export the series again"
            ) from None
    return source


def _check_uids(source: Source) -> None:
    """Raise ValueError where a UID is none: what stands there instead may be anything, a name too."""
    if UID(source.sop_class).type != "SOP Class":
        raise ValueError("no class of images")
    uids = {source.study, source.series, source.frame_of_reference, *source.instances} - {""}
    if not all(UID_FORM.fullmatch(uid) for uid in uids):
        raise ValueError("no UID")


def _spacing(header: Dataset) -> tuple[float, float]:
    """Return PixelSpacing, which enhanced files hold in a functional group."""
    groups = [
        item
        for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
        for item in (header.get(keyword) or [])[:1]
    ]
    measures = [item for group in groups for item in group.get("PixelMeasuresSequence", [])]
    found = (finite_numbers(listed(place.get("PixelSpacing"))) for place in (header, *measures))
    between_rows, between_columns = next(filter(None, found), (0.0, 0.0))
    if min(between_rows, between_columns) <= 0:
        raise ValueError(f"pixels {between_rows} and {between_columns} mm apart")
    return between_rows, between_columns
