"""A label map as DICOM Segmentation on the slices of the series that it was made from."""

import hashlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from gliaflow import __version__
from gliaflow.errors import ImageError
from gliaflow.export.source import Source
from gliaflow.images import Array, data_of, same_grid, to_ras, whole_file
from gliaflow.labels import label_table, meaning
from gliaflow.preprocess.resample import resample_nearest

UID_SPACE = uuid.UUID("6f1c7f0e-54a8-5f0a-9f5b-0a6a3a2f7d11")
DAY, CLOCK = "19700101", "000000"
"""No date leaves the headers, and none of today may stand in a result; DICOM wants one."""
LONGEST = 64
SERIES_NUMBER = 9000
METHOD = "Only geometry and UIDs are taken from source headers"
NEOPLASM = Code("108369006", "SCT", "Neoplasm")
TARGET = Code("228792002", "SCT", "CTV")


@dataclass(frozen=True)
class Segment:
    """One structure of a DICOM-SEG: its value in the label map, name, kind and colour (``#RRGGBB``)."""

    value: int
    name: str
    category: Code
    kind: Code
    colour: str


@dataclass(frozen=True)
class Owner:
    """Whose a segmentation is: subject and session of the sheet."""

    subject: str
    session: str


@dataclass(frozen=True)
class Content:
    """What a segmentation is, and what made it.

    Attributes
    ----------
    segments
        What the values mean; each becomes a segment, numbered from 1, whether any voxel has it or not.
    description
        What viewers call the series.
    algorithm, version, facts, family
        Name and version of the algorithm, its parameters, and of which kind it is (DICOM's CID 7162).
    edited
        Whether a person changed what the algorithm made, which DICOM calls semiautomatic.
    """

    segments: tuple[Segment, ...]
    description: str
    algorithm: str
    version: str
    facts: Mapping[str, str]
    family: Code = codes.DCM.ArtificialIntelligence
    edited: bool = False


def uid_of(*parts: str) -> str:
    """Return a UID that stands for some texts: the same for the same ones, and telling none of them.

    >>> uid_of("a", "b") == uid_of("a", "b") != uid_of("ab")
    True
    """
    return f"2.25.{uuid.uuid5(UID_SPACE, chr(0).join(parts)).int}"


def deidentified(source: Source) -> Source:
    """Return a source under other UIDs; who does not have the original ones cannot tell which they were."""
    return replace(
        source,
        study=uid_of("source", source.study),
        series=uid_of("source", source.series),
        frame_of_reference=uid_of("source", source.frame_of_reference or source.series),
        instances=tuple(uid_of("source", uid) for uid in source.instances),
    )


def label_segments(regions: Sequence[str]) -> tuple[Segment, ...]:
    """Return the segments of a label map for which some regions were determined.

    >>> [(s.value, s.name, s.kind.meaning) for s in label_segments(["WT"])]
    [(2, 'whole tumour (its parts were not determined)', 'Neoplasm')]
    """
    labels, said = {label.value: label for label in label_table()}, meaning(regions)
    return tuple(
        Segment(
            value=int(value),
            name=name,
            category=codes.SCT.MorphologicallyAbnormalStructure,
            kind=Code(*labels[int(value)].code) if name == labels[int(value)].name else NEOPLASM,
            colour=labels[int(value)].colour,
        )
        for value, name in said.items()
    )


def plan_segments(name: str, colour: str) -> tuple[Segment, ...]:
    """Return the one segment of a plan: the volume that radiotherapy would treat."""
    return (Segment(1, name, codes.SCT.SpatialAndRelationalConcept, TARGET, colour),)


def on_source(
    image: nib.Nifti1Image, source: Source, native: nib.Nifti1Image, matrix: Array, name: str
) -> Array:
    """Give every pixel of a series the label that a map or mask has at its centre.

    Parameters
    ----------
    image
        Shape (x, y, z), integers.
    source
        The series.
    native
        What the series was converted to: the two have to lie on the same voxels.
    matrix
        (4, 4), from the space of ``image`` to that of the series.
    name
        What errors call the series.

    Returns
    -------
    Array
        uint8, shape (slices, rows, columns), in the order of the source.

    Raises
    ------
    ImageError
        The series is another one than was converted.
    """
    grid = source.grid
    if not same_grid(to_ras(grid), native, tolerance=min(source.spacing)):
        raise ImageError(
            f"{name}: its slices do not lie where those lay that were converted; have it converted again"
        )
    return np.ascontiguousarray(data_of(resample_nearest(image, grid, matrix), np.uint8).T)


def make_dicom_seg(slices: Array, source: Source, content: Content, owner: Owner) -> Segmentation:
    """Make a binary DICOM Segmentation; the same input gives the same bytes.

    Parameters
    ----------
    slices
        uint8, shape (slices, rows, columns), from `on_source`.
    source
        The series that it refers to, under the UIDs that are to be written.
    content, owner
        What it is, and whose.

    Raises
    ------
    ImageError
        The label map holds a value that no segment has.
    """
    values = [segment.value for segment in content.segments]
    unknown = set(np.unique(slices).tolist()) - {0, *values}
    if unknown:
        raise ImageError(f"{content.description}: label values {sorted(unknown)} are not among {values}")
    order = np.argsort(source.frames, kind="stable") if source.multi_frame else np.arange(len(slices))
    masks = np.stack([slices[order] == value for value in values], axis=-1).astype(np.uint8)
    voxels = hashlib.sha256(slices.tobytes()).hexdigest()
    own = (source.series, owner.subject, owner.session, content.description)
    logging.getLogger("highdicom").setLevel(logging.WARNING)
    made = Segmentation(
        source_images=headers_of(source),
        pixel_array=masks,
        segmentation_type="BINARY",
        segment_descriptions=_descriptions(content, owner, own),
        series_instance_uid=uid_of("series", *own),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("instance", *own, voxels, content.algorithm, content.version),
        instance_number=1,
        manufacturer="gliaflow",
        manufacturer_model_name="gliaflow",
        software_versions=__version__,
        device_serial_number="0",
        content_label="SEGMENTATION",
        content_description=content.description[:LONGEST],
        content_creator_name="gliaflow^",
        content_date=DAY,
        content_time=CLOCK,
        series_description=content.description[:LONGEST],
        # all frames of an empty segmentation, which has to have one
        omit_empty_frames=bool(masks.any()),
    )
    _say_whose(made, owner)
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid_of("dimensions", *own)
    return made


def write_dicom_seg(path: str | Path, made: Segmentation) -> None:
    """Write a DICOM Segmentation whole or not at all."""
    with whole_file(path) as partial:
        made.save_as(partial, enforce_file_format=True)


def _say_whose(made: Segmentation, owner: Owner) -> None:
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence"):
        if keyword in made:
            delattr(made, keyword)
    made.PatientID, made.PatientName = owner.subject, f"{owner.subject}^"
    made.StudyDescription = f"session {owner.session}"[:LONGEST]
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = METHOD
    made.LongitudinalTemporalInformationModified = "REMOVED"


def _descriptions(content: Content, owner: Owner, own: Sequence[str]) -> list[SegmentDescription]:
    algorithm = hd.AlgorithmIdentificationSequence(
        name=content.algorithm[:LONGEST],
        family=content.family,
        version=content.version[:LONGEST],
        source="gliaflow",
        parameters=dict(content.facts),
    )
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=segment.name[:LONGEST],
            segmented_property_category=segment.category,
            segmented_property_type=segment.kind,
            algorithm_type="SEMIAUTOMATIC" if content.edited else "AUTOMATIC",
            algorithm_identification=algorithm,
            tracking_uid=uid_of("tracking", *own, segment.name),
            tracking_id=f"{owner.subject} {owner.session} {segment.name}"[:LONGEST],
            anatomic_regions=[codes.SCT.Brain],
            display_color=hd.color.CIELabColor.from_string(segment.colour),
        )
        for number, segment in enumerate(content.segments, start=1)
    ]


def headers_of(source: Source) -> list[Dataset]:
    """Return headers of the series anew, with its geometry and UIDs only.

    Nothing is copied, so nothing that identifies a person can come along.
    """
    if source.multi_frame:
        return [_multi_frame(source)]
    headers = []
    for uid, position in zip(source.instances, source.positions, strict=True):
        header = _header(source, uid)
        header.ImagePositionPatient = _decimals(position)
        header.ImageOrientationPatient = _decimals(source.orientation)
        header.PixelSpacing = _decimals(source.spacing)
        header.SliceThickness, header.SpacingBetweenSlices = _thickness(source)
        headers.append(header)
    return headers


def _header(source: Source, uid: str) -> Dataset:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = source.sop_class, uid
    header.StudyInstanceUID, header.SeriesInstanceUID = source.study, source.series
    header.FrameOfReferenceUID = source.frame_of_reference or uid_of("frame", source.series)
    header.PositionReferenceIndicator = None
    header.Modality = "MR"
    header.Rows, header.Columns = source.rows, source.columns
    header.PatientID = header.PatientName = header.PatientBirthDate = header.PatientSex = None
    header.AccessionNumber = header.StudyID = header.StudyDate = header.StudyTime = None
    return header


def _multi_frame(source: Source) -> Dataset:
    header = _header(source, source.instances[0])
    header.NumberOfFrames = len(source.frames)
    thickness, between = _thickness(source)
    measures = hd.PixelMeasuresSequence(_decimals(source.spacing), thickness, between)
    orientation = hd.PlaneOrientationSequence("PATIENT", _decimals(source.orientation))
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = measures, orientation
    header.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for index in np.argsort(source.frames, kind="stable"):
        frame = Dataset()
        frame.PlanePositionSequence = hd.PlanePositionSequence("PATIENT", _decimals(source.positions[index]))
        frames.append(frame)
    header.PerFrameFunctionalGroupsSequence = frames
    return header


def _thickness(source: Source) -> tuple[float, float]:
    """Return how thick slices are taken to be, and how far apart they lie along their normal, in mm."""
    normal = np.cross(source.orientation[:3], source.orientation[3:])
    steps = np.diff(source.positions @ normal)
    between = float(format(float(np.median(steps)), ".10g"))
    return between, between


def _decimals(values: Any) -> list[float]:
    """Return numbers with as many digits as DICOM's decimal strings hold."""
    return [float(format(float(value), ".10g")) for value in values]
