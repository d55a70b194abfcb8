"""N4 bias-field correction (Tustison 2010) on a shrunk image inside a head mask."""

from collections.abc import Sequence

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from gliaflow.images import from_sitk, spacing_of, to_ants, to_sitk

MIN_VOXELS = 8


def correct_bias(
    image: nib.Nifti1Image,
    *,
    method: str = "simpleitk",
    shrink: int = 4,
    iterations: Sequence[int] = (50, 50, 50, 50),
) -> nib.Nifti1Image:
    """Divide an image by its estimated bias field.

    Parameters
    ----------
    image
        Shape (x, y, z), whole head or brain; background near 0.
    method
        ``simpleitk`` (fastest seen) or ``antspyx``.
    shrink
        Factor by which the image is shrunk for the estimate; a thick-slice axis is shrunk less, so that
        the voxels it works on are about cubes.
    iterations
        At most so many at each of the levels, coarse to fine.

    Returns
    -------
    nibabel.Nifti1Image
        float32, the same grid; the field is applied at full resolution.
    """
    return BIAS_METHODS[method](image, shrink, iterations)


def head_mask(image: sitk.Image) -> sitk.Image:
    """Return the voxels that are not air (Otsu's threshold, holes filled), uint8."""
    return sitk.BinaryFillhole(sitk.OtsuThreshold(image, 0, 1))


def shrink_factors(image: nib.Nifti1Image, shrink: int) -> list[int]:
    """Return the shrink factor of each axis, so that all spacings become about alike.

    >>> shrink_factors(nib.Nifti1Image(np.zeros((64, 64, 26)), np.diag([0.9, 0.9, 5.5, 1])), 4)
    [4, 4, 1]
    """
    spacing = np.array(spacing_of(image))
    wanted = np.floor(shrink * spacing.min() / spacing + 0.5).astype(int)
    most = np.maximum(np.array(image.shape) // MIN_VOXELS, 1)
    return [int(f) for f in np.clip(wanted, 1, most)]


def _simpleitk(image: nib.Nifti1Image, shrink: int, iterations: Sequence[int]) -> nib.Nifti1Image:
    full = to_sitk(image)
    factors = shrink_factors(image, shrink)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(list(iterations))
    n4.Execute(sitk.Shrink(full, factors), sitk.Shrink(head_mask(full), factors))
    field = sitk.Cast(n4.GetLogBiasFieldAsImage(full), sitk.sitkFloat32)
    return from_sitk(full * sitk.Exp(-field))


def _antspyx(image: nib.Nifti1Image, shrink: int, iterations: Sequence[int]) -> nib.Nifti1Image:
    import ants

    mask = to_ants(from_sitk(head_mask(to_sitk(image))))
    corrected = ants.n4_bias_field_correction(
        to_ants(image), mask, shrink_factor=shrink, convergence={"iters": list(iterations), "tol": 1e-7}
    )
    return nib.Nifti1Image(corrected.numpy().astype(np.float32), image.affine)


BIAS_METHODS = {"simpleitk": _simpleitk, "antspyx": _antspyx}
