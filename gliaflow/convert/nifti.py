"""Checking a NIfTI file that the user gives as a scan."""

from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.convert.dicom import Converted, checked
from gliaflow.errors import ConversionError, ImageError
from gliaflow.images import data_of, new_image, read_image, single_volume, to_ras

AGREEMENT_MM = 1.0


def convert_nifti(source: Path) -> Converted:
    """Read a NIfTI file as a scan.

    Parameters
    ----------
    source
        ``.nii`` or ``.nii.gz``, one 3-D volume; trailing axes of one voxel are dropped.

    Returns
    -------
    Converted
        float32, RAS+; no physics tags.

    Raises
    ------
    ConversionError
        Not a whole file, not one volume of real numbers, no orientation, or
        :func:`gliaflow.checks.check_image` refuses it.
    """
    try:
        image = read_image(source)
    except ImageError as error:
        raise ConversionError(str(error)) from error
    if image.get_data_dtype().kind not in "iuf":
        raise ConversionError(f"{source}: holds colour or complex voxels; give the magnitude image")
    if image.header["sform_code"] == 0 and image.header["qform_code"] == 0:
        raise ConversionError(
            f"{source}: its header does not say which side is left (sform_code and qform_code are 0); "
            "convert it from DICOM again, or set the codes with a tool such as fslorient if you are sure"
        )
    volume = _one_volume(image, source)
    ras = to_ras(nib.Nifti1Image(volume, image.affine))
    return Converted(checked(new_image(data_of(ras), ras.affine), str(source)), {}, _notes(image))


def _one_volume(image: nib.Nifti1Image, source: Path) -> np.ndarray:
    volume = single_volume(image)
    shape = volume.shape
    if len(shape) != 3:
        kind = f"{np.prod(shape[3:])} volumes" if len(shape) > 3 else "a picture"
        raise ConversionError(f"{source}: has shape {image.shape}, {kind}; one 3-D volume is needed")
    return np.asanyarray(volume.dataobj)


def _notes(image: nib.Nifti1Image) -> tuple[str, ...]:
    if not image.header["sform_code"] or not image.header["qform_code"]:
        return ()
    try:
        sform, qform = image.get_sform(), image.get_qform()
    except ValueError:
        return ("qform is damaged; sform was used",)
    corner = np.array([*image.shape[:3], 1.0])
    apart = max(np.abs((sform - qform)[:3, 3]).max(), np.abs((sform - qform) @ corner).max())
    if apart <= AGREEMENT_MM:
        return ()
    return (f"sform and qform lie up to {apart:.1f} mm apart; sform was used",)
