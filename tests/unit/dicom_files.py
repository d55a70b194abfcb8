"""DICOM series in the forms that scanners and archives give them; made for the tests of the convert stage."""

import copy
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian

from gliaflow.simulate.dicom import SeriesHeader, StudyHeader, write_series

STUDY = StudyHeader(
    patient_name="Schmidt^Wilhelmine^Li",
    patient_id="PAT-77812",
    birth_date="19570312",
    sex="F",
    study_date="20240229",
    accession_number="ACC998877",
    institution="Sankt Elsewhere Klinikum",
    referring_physician="Quacksalber^Otto",
    uid_seed="tests",
)
SECRETS = (
    "schmidt",
    "wilhelmine",
    "77812",
    "19570312",
    "20240229",
    "998877",
    "elsewhere",
    "quacksalber",
    "1.2.826",
)
T1 = SeriesHeader("AX T1", 3, echo_time_ms=9, repetition_time_ms=500)
LOCALISER = SeriesHeader("LOCALIZER", 1, 5, 20, image_type=("ORIGINAL", "PRIMARY", "M", "LOCALIZER"))


def head(shape=(20, 24, 12), size=(0.9, 1.1, 3.0), angles=(0.0, 0.0, 0.0), flips=(1, 1, 1), seed=0):
    """A random volume with a distinct value at every voxel, so that a wrong axis cannot pass."""
    data = np.random.default_rng(seed).permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    matrix = nib.eulerangles.euler2mat(*angles) @ np.diag(np.multiply(size, flips))
    return nib.Nifti1Image(data, nib.affines.from_matvec(matrix, (-11.0, 7.5, 31.0)))


def series(folder: Path, header: SeriesHeader = T1, image=None, study: StudyHeader = STUDY) -> list[Path]:
    return write_series(head() if image is None else image, folder, header, study)


def numbered(number: int, description: str, **changes) -> SeriesHeader:
    return replace(T1, number=number, description=description, **changes)


def edit(paths: list[Path], **values) -> None:
    """Set elements of every file by keyword."""
    for path in paths:
        header = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(header, keyword, value)
        header.save_as(path)


def compress(paths: list[Path], syntax: str) -> None:
    """Compress the pixels of every file in place."""
    for path in paths:
        header = pydicom.dcmread(path)
        header.compress(syntax, generate_instance_uid=False)
        header.save_as(path)


def deflate(paths: list[Path], syntax: str) -> None:
    for path in paths:
        header = pydicom.dcmread(path)
        header.file_meta.TransferSyntaxUID = syntax
        header.save_as(path)


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return target


def enhanced(paths: list[Path], target: Path) -> Path:
    """Join the slices of a series into one Enhanced MR file, its geometry and times in functional groups."""
    slices = [pydicom.dcmread(path) for path in paths]
    whole: FileDataset = copy.deepcopy(slices[0])
    whole.file_meta.MediaStorageSOPClassUID = whole.SOPClassUID = EnhancedMRImageStorage
    whole.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    whole.SharedFunctionalGroupsSequence = [_shared(slices[0])]
    whole.PerFrameFunctionalGroupsSequence = [_frame(header, i) for i, header in enumerate(slices)]
    whole.NumberOfFrames = len(slices)
    whole.PixelData = b"".join(header.PixelData for header in slices)
    whole.DimensionOrganizationType = "3D"
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "SpacingBetweenSlices",
        "SliceLocation",
        "EchoTime",
        "RepetitionTime",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(whole, keyword)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    whole.save_as(target / "enhanced.dcm")
    return target


def _shared(header: Dataset) -> Dataset:
    group = Dataset()
    group.PlaneOrientationSequence = [_item(ImageOrientationPatient=header.ImageOrientationPatient)]
    group.PixelMeasuresSequence = [
        _item(
            PixelSpacing=header.PixelSpacing,
            SliceThickness=header.SliceThickness,
            SpacingBetweenSlices=header.SpacingBetweenSlices,
        )
    ]
    group.MRTimingAndRelatedParametersSequence = [_item(RepetitionTime=header.RepetitionTime)]
    group.MREchoSequence = [_item(EffectiveEchoTime=float(header.EchoTime))]
    group.PixelValueTransformationSequence = [
        _item(RescaleSlope=header.RescaleSlope, RescaleIntercept=0, RescaleType="US")
    ]
    return group


def _frame(header: Dataset, index: int) -> Dataset:
    group = Dataset()
    group.PlanePositionSequence = [_item(ImagePositionPatient=header.ImagePositionPatient)]
    group.FrameContentSequence = [
        _item(StackID="1", InStackPositionNumber=index + 1, DimensionIndexValues=[1, index + 1])
    ]
    return group


def _item(**values) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
