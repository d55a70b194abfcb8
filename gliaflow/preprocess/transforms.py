"""Linear transforms between spaces: one matrix in memory, an ITK text file on disk.

A matrix named ``from-A_to-B`` carries images from A to B; as in ITK it maps a point of B (RAS+ mm) to the
point of A whose value belongs there. So ``compose(a_to_b, b_to_c)`` is the product ``a_to_b @ b_to_c``.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from gliaflow.errors import ImageError
from gliaflow.images import RAS_TO_LPS, Array, data_of, write_bytes

DECIMALS = 9


def read_transform(path: str | Path) -> Array:
    """Read an ITK text file that holds one linear transform, as a (4, 4) matrix in RAS+ mm.

    Raises
    ------
    ImageError
        The file is missing or holds another kind of transform.
    """
    try:
        transform = sitk.AffineTransform(sitk.ReadTransform(str(path)))
    except RuntimeError as error:
        raise ImageError(f"{path}: not a linear ITK transform; delete it to have it made again") from error
    return sitk_to_matrix(transform)


def write_transform(path: str | Path, matrix: Array) -> None:
    """Write a (4, 4) RAS+ matrix as an ITK text file (``.tfm``), the same bytes for the same matrix."""
    lps = np.round(RAS_TO_LPS @ matrix @ RAS_TO_LPS, DECIMALS) + 0.0
    parameters = " ".join(repr(float(v)) for v in [*lps[:3, :3].ravel(), *lps[:3, 3]])
    text = (
        "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
        f"Parameters: {parameters}\nFixedParameters: 0 0 0\n"
    )
    write_bytes(path, text.encode())


def sitk_to_matrix(transform: sitk.AffineTransform) -> Array:
    """Turn SimpleITK's affine transform (LPS, any centre) into a (4, 4) matrix in RAS+ mm."""
    linear = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = np.array(transform.GetCenter())
    lps = np.eye(4)
    lps[:3, :3] = linear
    lps[:3, 3] = np.array(transform.GetTranslation()) + centre - linear @ centre
    return RAS_TO_LPS @ lps @ RAS_TO_LPS


def matrix_to_sitk(matrix: Array) -> sitk.AffineTransform:
    """Turn a (4, 4) RAS+ matrix into SimpleITK's affine transform."""
    lps = RAS_TO_LPS @ matrix @ RAS_TO_LPS
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    return transform


def in_space_of(image: nib.Nifti1Image, matrix: Array) -> nib.Nifti1Image:
    """Place an image in the space that a ``from-image_to-space`` matrix leads to, by its affine alone."""
    return nib.Nifti1Image(image.dataobj, np.linalg.inv(matrix) @ image.affine)


def centre_of_mass(image: nib.Nifti1Image) -> Array:
    """Return the intensity-weighted centre of an image, shape (3,), RAS+ mm."""
    weights = np.clip(data_of(image), 0, None)
    sums = [weights.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    axes = [np.arange(len(s)) @ s / s.sum() for s in sums]
    voxel = np.array(axes)
    return nib.affines.apply_affine(image.affine, voxel)
