"""Reading the headers of a folder into a table of its image series."""

import hashlib
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID

from gliaflow.convert.archive import opened
from gliaflow.convert.description import contrast_given, normal_text
from gliaflow.convert.geometry import Stack, stack_of
from gliaflow.convert.header_values import finite_numbers, listed, whole_number
from gliaflow.convert.privacy import PERSONAL_KEYWORDS, personal_values, quiet_pydicom, scrub
from gliaflow.errors import ConversionError

KEY_LENGTH = 12
LONGEST_TEXT = 200
LONG_NUMBER = 6
LARGEST_IMAGE = 65_535
MOST_UNPACKED = 1024**3
MOST_PACKED = 1032
"""Deflate packs no more bytes into one."""
BLOCK = 1 << 20
NO_PREAMBLE = 132
NOT_READABLE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    RecursionError,
    NotImplementedError,
    struct.error,
    zlib.error,
    BytesLengthException,
)
"""What pydicom and the conversion of its values raise on damaged files; the messages quote header values."""
KEYWORDS = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "ProtocolName",
    "Modality",
    "ImageType",
    "InstanceNumber",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "NumberOfFrames",
    "ImagesInAcquisition",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


@dataclass(frozen=True)
class Instance:
    """One DICOM image file: where it is, and where its frames lie (none where the header does not say)."""

    path: Path
    uid: str
    shape: tuple[int, int]
    n_frames: int
    positions: tuple[tuple[float, ...], ...]
    orientations: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Series:
    """One image series; what ``repr`` shows is free of anything that identifies a person.

    Attributes
    ----------
    key
        First 12 hexadecimal digits of the SHA-256 of its SeriesInstanceUID.
    number
        SeriesNumber, or None.
    description, protocol
        SeriesDescription and ProtocolName without personal values.
    echo_time_ms, repetition_time_ms, inversion_time_ms
        Of the first file, None where its header has none.
    contrast
        Whether it was acquired after contrast agent was given.
    modality, image_type
        Modality and ImageType.
    rows, columns, n_files, n_images
        Size of an image, and how many files and images (frames) there are.
    stack
        Where its images lie.
    multi_frame, colour
        Whether its files hold several frames, and several samples per pixel.
    n_copies
        Files left out because they repeat another (same SOPInstanceUID and place).
    n_announced
        ImagesInAcquisition, 0 where the header has none.
    texts
        Description and protocol in normal form, for matching only.
    instances, personal
        Its files, and the values to keep out of everything that is written.
    """

    key: str
    number: int | None
    description: str
    protocol: str
    echo_time_ms: float | None
    repetition_time_ms: float | None
    inversion_time_ms: float | None
    contrast: bool
    modality: str
    image_type: tuple[str, ...]
    rows: int
    columns: int
    n_files: int
    n_images: int
    stack: Stack
    multi_frame: bool
    colour: bool
    n_copies: int
    n_announced: int
    texts: tuple[str, str] = field(repr=False)
    instances: tuple[Instance, ...] = field(repr=False)
    personal: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class Study:
    """The image series of a folder, how many files are no DICOM images, and how many are damaged DICOM."""

    series: tuple[Series, ...]
    n_other_files: int
    n_damaged_files: int


def scan_study(source: Path, work: Path) -> Study:
    """Read the headers of a DICOM folder, or of a zip of one.

    Parameters
    ----------
    source
        A folder, searched with its subfolders, or a ``.zip``.
    work
        Where a zip is unpacked for the while.

    Returns
    -------
    Study
        Series in the order of their numbers. The files of a zip no longer exist.

    Raises
    ------
    ConversionError
        There is no DICOM image.
    """
    with opened(source, work) as folder:
        return scan_folder(folder, name=str(source))


def scan_folder(folder: Path, name: str) -> Study:
    """Do what :func:`scan_study` does for a folder that errors call ``name``."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.upper() != "DICOMDIR")
    if not paths:
        raise ConversionError(f"{name}: the folder is empty")
    found: dict[str, list[tuple[Path, Dataset]]] = defaultdict(list)
    n_damaged = 0
    with quiet_pydicom():
        for path in paths:
            try:
                header = read_header(path)
            except ConversionError:
                n_damaged += 1
                continue
            if header is not None:
                found[str(header.SeriesInstanceUID)].append((path, header))
        try:
            personal = frozenset[str]().union(*(personal_values(files[0][1]) for files in found.values()))
            series = [series_of(uid, files, personal) for uid, files in found.items()]
        except NOT_READABLE:
            raise ConversionError(
                f"{name}: the headers of at least one of its series hold what DICOM does not allow; export "
                "it again"
            ) from None
    n_other = len(paths) - n_damaged - sum(map(len, found.values()))
    if not series:
        raise ConversionError(
            f"{name}: holds no DICOM image ({n_other} other files, {n_damaged} damaged DICOM files)"
        )
    return Study(tuple(sorted(series, key=_order)), n_other, n_damaged)


def read_header(path: Path) -> Dataset | None:
    """Read what the series table needs of a file, or None where it is no DICOM image.

    Raises
    ------
    ConversionError
        It starts as DICOM files do, but cannot be read, ends within its header, or says no possible size.
    """
    try:
        _check_packed(path)
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*KEYWORDS, *PERSONAL_KEYWORDS])
        (
            list(header.file_meta),
            list(header),
        )  # pydicom converts values, and fails, only when they are looked at
    except InvalidDicomError:
        return None
    except NOT_READABLE as error:
        if path.stat().st_size == 0:
            return None
        raise ConversionError(f"{path}: damaged DICOM file") from error
    if "SeriesInstanceUID" in header and "Rows" in header:
        _check_size(path, header)
        return header
    if _says_image(header):
        raise ConversionError(f"{path}: DICOM file that ends within its header")
    return None


def _check_packed(path: Path) -> None:
    """Refuse a deflated file that unpacks to more than 1 GiB; pydicom unpacks it whole."""
    if path.stat().st_size * MOST_PACKED <= MOST_UNPACKED:
        return
    meta = read_file_meta_info(path)
    if not meta.TransferSyntaxUID.is_deflated:
        return
    unpacker, count = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as stream:
        stream.seek(NO_PREAMBLE + 12 + meta.FileMetaInformationGroupLength)
        while block := unpacker.unconsumed_tail or stream.read(BLOCK):
            count += len(unpacker.decompress(block, BLOCK))
            if count > MOST_UNPACKED:
                raise ConversionError(f"{path}: unpacks to more than {MOST_UNPACKED / 1024**3:g} GiB")


def _check_size(path: Path, header: Dataset) -> None:
    for keyword in ("Rows", "Columns"):
        if not 0 < (whole_number(header.get(keyword)) or 0) <= LARGEST_IMAGE:
            raise ConversionError(f"{path}: DICOM file whose {keyword} is no possible number")


def _says_image(header: FileDataset) -> bool:
    """Tell whether a file without Rows should have been an image, by its class or as even that is lost."""
    kind = header.file_meta.get("MediaStorageSOPClassUID")
    return not isinstance(kind, UID) or kind.name.endswith("Image Storage")


def series_of(uid: str, files: Sequence[tuple[Path, Dataset]], personal: frozenset[str]) -> Series:
    """Sum up the files of one SeriesInstanceUID."""
    first = files[0][1]
    instances = tuple({(i.uid, i.positions): i for i in map(instance_of, *zip(*files, strict=True))}.values())
    description, protocol = text_of(first, "SeriesDescription"), text_of(first, "ProtocolName")
    groups = _groups(first)
    return Series(
        key=hashlib.sha256(uid.encode()).hexdigest()[:KEY_LENGTH],
        number=_series_number(first, personal),
        description=scrub(description, personal)[:LONGEST_TEXT],
        protocol=scrub(protocol, personal)[:LONGEST_TEXT],
        echo_time_ms=_number(groups, ("EchoTime", "EffectiveEchoTime")),
        repetition_time_ms=_number(groups, ("RepetitionTime",)),
        inversion_time_ms=_number(groups, ("InversionTime", "InversionTimes")),
        contrast=contrast_given(_agent(first), description or protocol),
        modality=scrub(text_of(first, "Modality"), personal)[:LONGEST_TEXT],
        image_type=tuple(str(value).upper() for value in listed(first.get("ImageType"))),
        rows=int(first.Rows),
        columns=int(first.Columns),
        n_files=len(instances),
        n_images=sum(instance.n_frames for instance in instances),
        stack=_stack(instances),
        multi_frame=any(instance.n_frames > 1 for instance in instances),
        colour=(whole_number(first.get("SamplesPerPixel")) or 1) > 1,
        n_copies=len(files) - len(instances),
        n_announced=whole_number(first.get("ImagesInAcquisition")) or 0,
        texts=(normal_text(description), normal_text(protocol)),
        instances=instances,
        personal=personal,
    )


def instance_of(path: Path, header: Dataset) -> Instance:
    """Read where the frames of one file lie, from its plain header or its functional groups."""
    frames = header.get("PerFrameFunctionalGroupsSequence") or [header]
    positions = (_vector(frame, header, "PlanePositionSequence", "ImagePositionPatient") for frame in frames)
    orientations = (
        _vector(frame, header, "PlaneOrientationSequence", "ImageOrientationPatient") for frame in frames
    )
    placed = [(p, o) for p, o in zip(positions, orientations, strict=True) if len(p) == 3 and len(o) == 6]
    return Instance(
        path=path,
        uid=str(header.get("SOPInstanceUID") or path),
        shape=(int(header.Rows), int(header.Columns)),
        n_frames=whole_number(header.get("NumberOfFrames")) or 1,
        positions=tuple(position for position, _ in placed),
        orientations=tuple(orientation for _, orientation in placed),
    )


def text_of(header: Dataset, keyword: str) -> str:
    """Return a header value as text, empty where it is absent."""
    value = header.get(keyword)
    return "" if value is None else str(value)


def _series_number(header: Dataset, personal: frozenset[str]) -> int | None:
    """Return SeriesNumber, unless it is a long number that identifies a person."""
    number = whole_number(header.get("SeriesNumber"))
    hidden = len(str(number)) >= LONG_NUMBER and str(number) in personal
    return None if hidden else number


def _order(series: Series) -> tuple[bool, int, str]:
    return series.number is None, series.number or 0, series.key


def _agent(header: Dataset) -> str:
    if header.get("ContrastBolusAgentSequence"):
        return "agent"
    return text_of(header, "ContrastBolusAgent")


def _stack(instances: Iterable[Instance]) -> Stack:
    positions = [position for instance in instances for position in instance.positions]
    orientations = [orientation for instance in instances for orientation in instance.orientations]
    return stack_of(np.array(positions), np.array(orientations))


def _vector(frame: Dataset, header: Dataset, group: str, keyword: str) -> tuple[float, ...]:
    shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    for place in (frame, shared[0], header):
        for holder in (place.get(group) or [place])[:1]:
            if holder.get(keyword):
                return finite_numbers(listed(holder[keyword].value))
    return ()


def _groups(header: Dataset) -> list[Dataset]:
    """Return the header, and where it is multi-frame the functional groups of all and of the first frame."""
    return [
        header,
        *_inner(header, "SharedFunctionalGroupsSequence"),
        *_inner(header, "PerFrameFunctionalGroupsSequence"),
    ]


def _inner(header: Dataset, keyword: str) -> Iterator[Dataset]:
    for item in (header.get(keyword) or [])[:1]:
        for element in item:
            if element.VR == "SQ" and element.value:
                yield element.value[0]


def _number(groups: Iterable[Dataset], keywords: Iterable[str]) -> float | None:
    for group in groups:
        for keyword in keywords:
            if numbers := finite_numbers(listed(group.get(keyword))[:1]):
                return numbers[0]
    return None
