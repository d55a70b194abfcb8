"""Writing an image as a DICOM series, as a scanner would: one MR file per slice."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import DSfloat, format_number_as_ds

from gliaflow.images import RAS_TO_LPS, Array, data_of

INT16_MAX = 32767
CLOCK = "120000"


@dataclass(frozen=True)
class SeriesHeader:
    """What the headers of a series say of its acquisition; times in milliseconds."""

    description: str
    number: int
    echo_time_ms: float
    repetition_time_ms: float
    inversion_time_ms: float | None = None
    contrast_agent: str | None = None
    acquisition_type: str = "3D"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "M", "ND")


@dataclass(frozen=True)
class StudyHeader:
    """What the headers of a study say of the (invented) person and place; dates as YYYYMMDD.

    ``uid_seed`` decides every UID: one seed, one study.
    """

    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    study_date: str
    accession_number: str
    institution: str
    referring_physician: str
    uid_seed: str


def write_series(
    image: nib.Nifti1Image, folder: Path, series: SeriesHeader, study: StudyHeader
) -> list[Path]:
    """Write an image as MR Image Storage files, one per slice along its third voxel axis.

    Parameters
    ----------
    image
        Shape (x, y, z), any orientation, finite.
    folder
        Where the files ``IM0001.dcm`` and on go; made where absent.
    series, study
        Header values; the same values and image give the same bytes.

    Returns
    -------
    list of Path
        The files in slice order. Voxels are signed 16 bit with a rescale slope: they come back within half
        a slope, and zero comes back as zero.
    """
    folder.mkdir(parents=True, exist_ok=True)
    voxels, slope = quantise(data_of(image, np.float64))
    paths = []
    for index in range(image.shape[2]):
        header = slice_header(image, index, series, study)
        header.RescaleSlope, header.RescaleIntercept = slope, decimal(0)
        header.PixelData = np.ascontiguousarray(voxels[:, :, index].T).tobytes()
        path = folder / f"IM{index + 1:04d}.dcm"
        header.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def quantise(data: Array) -> tuple[Array, DSfloat]:
    """Return values as little-endian int16, and the slope that scales them back.

    >>> voxels, slope = quantise(np.array([-1.0, 0.0, 2.0]))
    >>> voxels.tolist(), float(slope)
    ([-16383, 0, 32767], 6.1037018952e-05)
    """
    slope = decimal(float(np.abs(data).max()) / INT16_MAX or 1.0)
    voxels = np.clip(np.rint(data / float(slope)), -INT16_MAX, INT16_MAX)
    return voxels.astype("<i2"), slope


def decimal(value: float) -> DSfloat:
    """Return a number as a DICOM decimal string of at most 16 characters."""
    return DSfloat(format_number_as_ds(float(value)))


def uid(study: StudyHeader, *parts: object) -> UID:
    """Return the UID that belongs to a part of a study, the same on every call."""
    return generate_uid(entropy_srcs=[study.uid_seed, *map(str, parts)])


def slice_header(image: nib.Nifti1Image, index: int, series: SeriesHeader, study: StudyHeader) -> FileDataset:
    """Return the whole header of one slice, without its pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = uid(study, "instance", series.number, index)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID = MRImageStorage
    header.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    header.SeriesInstanceUID = uid(study, "series", series.number)
    header.InstanceNumber = index + 1
    add_study(header, study)
    add_acquisition(header, series)
    add_geometry(header, image, index)
    return header


def add_study(header: Dataset, study: StudyHeader) -> None:
    """Add the person, the place and the day."""
    header.PatientName = study.patient_name
    header.PatientID = study.patient_id
    header.PatientBirthDate = study.birth_date
    header.PatientSex = study.sex
    header.AccessionNumber = study.accession_number
    header.InstitutionName = study.institution
    header.ReferringPhysicianName = study.referring_physician
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = header.ContentDate = study.study_date
    header.StudyTime = header.SeriesTime = header.AcquisitionTime = header.ContentTime = CLOCK
    header.StudyID = "1"
    header.StudyInstanceUID = uid(study, "study")
    header.FrameOfReferenceUID = uid(study, "frame")
    header.PositionReferenceIndicator = ""


def add_acquisition(header: Dataset, series: SeriesHeader) -> None:
    """Add what the scanner did."""
    header.Modality = "MR"
    header.Manufacturer = "gliaflow"
    header.SeriesDescription = header.ProtocolName = series.description
    header.SeriesNumber = series.number
    header.AcquisitionNumber = 1
    header.ImageType = list(series.image_type)
    header.MRAcquisitionType = series.acquisition_type
    header.ScanningSequence = "SE" if series.inversion_time_ms is None else "IR"
    header.SequenceVariant = "NONE"
    header.ScanOptions = ""
    header.MagneticFieldStrength = decimal(3)
    header.EchoTime = decimal(series.echo_time_ms)
    header.RepetitionTime = decimal(series.repetition_time_ms)
    if series.inversion_time_ms is not None:
        header.InversionTime = decimal(series.inversion_time_ms)
    if series.contrast_agent is not None:
        header.ContrastBolusAgent = series.contrast_agent
    header.EchoTrainLength = 1
    header.PatientPosition = "HFS"


def add_geometry(header: Dataset, image: nib.Nifti1Image, index: int) -> None:
    """Add where a slice lies, in DICOM's left, posterior, superior millimetres, and its pixel format."""
    affine = RAS_TO_LPS @ image.affine
    size = np.linalg.norm(affine[:3, :3], axis=0)
    along_i, along_j = (affine[:3, :3] / size).T[:2]
    position = affine[:3, 3] + affine[:3, 2] * index
    header.Columns, header.Rows = image.shape[:2]
    header.PixelSpacing = [decimal(size[1]), decimal(size[0])]
    header.SliceThickness = header.SpacingBetweenSlices = decimal(size[2])
    header.ImageOrientationPatient = [decimal(cosine) for cosine in (*along_i, *along_j)]
    header.ImagePositionPatient = [decimal(coordinate) for coordinate in position]
    header.SliceLocation = decimal(float(position @ np.cross(along_i, along_j)))
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit = 15
    header.PixelRepresentation = 1
