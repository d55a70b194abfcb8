"""Converting one DICOM series to NIfTI by dcm2niix."""

import importlib.util
import json
import math
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from pydicom.dataset import FileDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import ExplicitVRLittleEndian

from gliaflow.checks import check_image
from gliaflow.convert.geometry import check_stack
from gliaflow.convert.privacy import quiet_pydicom, scrub
from gliaflow.convert.scan import LONGEST_TEXT, NOT_READABLE, Instance, Series
from gliaflow.errors import ConversionError, ImageError
from gliaflow.images import MOST_BYTES, data_of, new_image, read_image, to_ras

SIDECAR_KEYS = (
    "Modality",
    "MagneticFieldStrength",
    "ImagingFrequency",
    "Manufacturer",
    "ManufacturersModelName",
    "MRAcquisitionType",
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "PulseSequenceType",
    "NonlinearGradientCorrection",
    "SliceThickness",
    "SpacingBetweenSlices",
    "NumberOfAverages",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "FlipAngle",
    "EchoTrainLength",
    "PixelBandwidth",
    "PercentPhaseFOV",
    "PercentSampling",
    "PhaseEncodingSteps",
    "AcquisitionMatrixPE",
    "ReconMatrixPE",
    "ParallelReductionFactorInPlane",
    "ParallelReductionOutOfPlane",
    "InPlanePhaseEncodingDirectionDICOM",
    "ImageOrientationPatientDICOM",
)
SOFTWARE_KEYS = ("ConversionSoftware", "ConversionSoftwareVersion")


@dataclass(frozen=True)
class Converted:
    """An image in RAS+, the physics tags of its header, and what the user should know about it."""

    image: nib.Nifti1Image
    sidecar: Mapping[str, Any]
    notes: tuple[str, ...] = field(default=())


def convert_series(series: Series, name: str, work: Path, *, max_slice_gap: float) -> Converted:
    """Convert one series.

    Parameters
    ----------
    series
        From :func:`gliaflow.convert.scan.scan_folder`, its files still in place.
    name
        What errors call it: the cell of the sample sheet.
    work
        Where a folder for the while is made.
    max_slice_gap
        See :func:`gliaflow.convert.geometry.check_stack`.

    Returns
    -------
    Converted
        float32, RAS+, millimetres; tags as dcm2niix names them (times in seconds), those of
        ``SIDECAR_KEYS`` only.

    Raises
    ------
    ConversionError
        The series is not one whole, plain MR volume.
    """
    check_series(series, name, max_slice_gap)
    with tempfile.TemporaryDirectory(dir=work, prefix="dicom-") as folder:
        stage = Path(folder)
        (stage / "in").mkdir()
        (stage / "out").mkdir()
        place_files(series.instances, stage / "in", name)
        run_dcm2niix(stage, name)
        image = read_one_volume(stage / "out", series, name)
        sidecar = read_sidecar(stage / "out", series)
    return Converted(image, sidecar, series_notes(series))


def series_notes(series: Series) -> tuple[str, ...]:
    """Say what a user should know of a series that could be converted."""
    notes = []
    if series.n_copies:
        notes.append(f"files left out because they repeat others: {series.n_copies}")
    if series.n_announced > series.n_images:
        notes.append(f"images: {series.n_images}, but the header says {series.n_announced} were acquired")
    return tuple(notes)


def check_series(series: Series, name: str, max_slice_gap: float) -> None:
    """Check by the headers alone that a series is one whole MR volume; raises ConversionError."""
    if series.modality != "MR":
        raise ConversionError(f"{name}: its modality is {series.modality}, but MR is needed")
    if series.colour:
        raise ConversionError(
            f"{name}: holds colour pictures, not a scan; name the series they were made from"
        )
    shapes = sorted({instance.shape for instance in series.instances})
    if len(shapes) > 1:
        sizes = " and ".join(f"{columns}x{rows}" for rows, columns in shapes)
        raise ConversionError(f"{name}: its slices have several sizes ({sizes}); keep those of one scan only")
    if any(len(instance.positions) != instance.n_frames for instance in series.instances):
        raise ConversionError(
            f"{name}: some of its images do not say where they lie; export the original series"
        )
    check_stack(series.stack, name, max_slice_gap)


def place_files(instances: Iterable[Instance], folder: Path, name: str) -> None:
    """Put the files of a series into a folder under neutral names, compressed pixels decompressed.

    Raises
    ------
    ConversionError
        Pixels are missing, cut short or cannot be decompressed.
    """
    for index, instance in enumerate(instances):
        target = folder / f"{index:06d}.dcm"
        with quiet_pydicom():
            dataset = _read_whole(instance.path, name)
            syntax = dataset.file_meta.get("TransferSyntaxUID", ExplicitVRLittleEndian)
            if syntax.is_encapsulated and get_decoder(syntax).is_available:
                _decompress(dataset, target, name)
            elif syntax.is_deflated:
                dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                _save_plain(dataset, target, name)
            else:
                target.symlink_to(instance.path.resolve())


def _read_whole(path: Path, name: str) -> FileDataset:
    try:
        dataset = pydicom.dcmread(path)
        pixels = len(dataset.PixelData)
        frames = int(dataset.get("NumberOfFrames") or 1)
        expected = dataset.Rows * dataset.Columns * frames * dataset.BitsAllocated // 8
        packed = dataset.file_meta.get("TransferSyntaxUID", ExplicitVRLittleEndian).is_encapsulated
    except NOT_READABLE:
        pixels, expected, packed = 0, 1, False
    if expected > MOST_BYTES:
        raise ConversionError(
            f"{name}: the header of at least one of its files announces {expected / 1e9:.1f} GB of pixels, "
            "which is more than a scan; export the series again"
        )
    if pixels == 0 or (pixels < expected and not packed):
        raise ConversionError(
            f"{name}: the pixels of at least one of its files are cut short or missing; copy the series again"
        )
    return dataset


def _save_plain(dataset: FileDataset, target: Path, name: str) -> None:
    try:
        dataset.save_as(target, implicit_vr=False, little_endian=True)
    except NOT_READABLE:
        raise ConversionError(
            f"{name}: at least one of its files is damaged; copy the series again"
        ) from None


def _decompress(dataset: FileDataset, target: Path, name: str) -> None:
    try:
        dataset.decompress(generate_instance_uid=False)
        dataset.save_as(target)
    except (*NOT_READABLE, RuntimeError, MemoryError) as error:
        kind = dataset.file_meta.TransferSyntaxUID.name
        raise ConversionError(f"{name}: its pixels ({kind}) cannot be decompressed; copy it again") from error


def dcm2niix_binary() -> str:
    """Return the dcm2niix of this Python environment, else the name to look for on PATH."""
    if importlib.util.find_spec("dcm2niix") is not None:
        import dcm2niix

        return str(dcm2niix.bin)
    return shutil.which("dcm2niix") or "dcm2niix"


def run_dcm2niix(stage: Path, name: str) -> None:
    """Run dcm2niix from ``stage/in`` to ``stage/out``; its output, which quotes headers, is dropped.

    Raises
    ------
    ConversionError
        dcm2niix is not installed, or failed.
    """
    os.environ.setdefault("NIPYPE_NO_ET", "1")  # nipype asks its home server for news otherwise
    from nipype.interfaces.dcm2nii import Dcm2niix

    converter = Dcm2niix(command=shlex.quote(dcm2niix_binary()), terminal_output="allatonce")
    try:
        # Relative to the stage: nipype does not quote a path that holds a blank.
        result = converter.run(
            cwd=str(stage),
            source_dir="in",
            output_dir="out",
            out_filename="image",
            bids_format=True,
            compress="n",
            merge_imgs=2,
        )
    except OSError:
        raise ConversionError(
            "dcm2niix is not installed; set up the environment of the workflow again"
        ) from None
    code = result.runtime.returncode
    if code != 0:
        raise ConversionError(
            f"{name}: dcm2niix cannot convert this series (exit code {code}); export it again"
        )


def read_one_volume(folder: Path, series: Series, name: str) -> nib.Nifti1Image:
    """Read what dcm2niix made of a series, RAS+ and float32.

    Raises
    ------
    ConversionError
        Not one 3-D image, or not with all voxels of the series.
    """
    # dcm2niix adds a resampled *_Eq image where slices are slightly uneven; check_stack bounds how much.
    paths = sorted(path for path in folder.glob("*.nii") if "_Eq" not in path.stem)
    if len(paths) != 1:
        raise ConversionError(f"{name}: dcm2niix made {len(paths)} images of this series, but one is needed")
    try:
        image = to_ras(read_image(paths[0]))
    except ImageError as error:
        reason = str(error).removeprefix(f"{paths[0]}: ").partition(";")[0]
        raise ConversionError(
            f"{name}: what dcm2niix made of it is of no use ({reason}); export the series again"
        ) from error
    expected = series.rows * series.columns * series.stack.n_slices
    if len(image.shape) != 3 or np.prod(image.shape) != expected:
        raise ConversionError(
            f"{name}: dcm2niix made an image of shape {image.shape} of {series.stack.n_slices} slices of "
            f"{series.columns}x{series.rows}; export the series again"
        )
    return checked(new_image(data_of(image), image.affine), name)


def checked(image: nib.Nifti1Image, name: str) -> nib.Nifti1Image:
    """Return an image that passes :func:`gliaflow.checks.check_image`; else raise ConversionError."""
    try:
        check_image(image, name)
    except ImageError as error:
        raise ConversionError(str(error)) from error
    return image


def read_sidecar(folder: Path, series: Series) -> dict[str, Any]:
    """Keep the physics tags of dcm2niix's JSON, texts without personal values; none where it is no JSON."""
    paths = sorted(folder.glob("*.json"))
    try:
        tags = json.loads(paths[0].read_text(encoding="utf-8", errors="replace")) if len(paths) == 1 else {}
    except ValueError:
        tags = {}
    physics = {key: _clean(tags[key], series.personal) for key in SIDECAR_KEYS if key in tags}
    software = {key: tags[key] for key in SOFTWARE_KEYS if key in tags}
    return {key: value for key, value in physics.items() if value is not None} | software


def _clean(value: Any, personal: frozenset[str]) -> Any:
    """Return a tag as it may be written: texts without personal values, numbers that JSON has; else None."""
    if isinstance(value, str):
        return scrub(value, personal)[:LONGEST_TEXT]
    if isinstance(value, list):
        clean = [_clean(item, personal) for item in value]
        return None if None in clean else clean
    return value if isinstance(value, int | float) and math.isfinite(value) else None
