"""A whole-head template made from the brain-only MNI152 template that nilearn ships.

Registration of a brain alone to a whole head goes astray at the scalp. Shells of cerebrospinal fluid, skull
and scalp round the brain, with the contrast of the sequence at hand, give it the edges that it needs.
"""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from nilearn import datasets
from scipy import ndimage

from gliaflow.images import Array, data_of, new_image, to_sitk

RESOLUTION_MM = 2
MARGIN_MM = 20
CLOSING_MM = 12.0
CSF_MM, SKULL_MM, SCALP_MM = 1.5, 7.0, 14.0
SKULL_BASE_Z_MM, SKULL_BASE_Y_MM, SKULL_BASE_SLOPE = -30.0, -30.0, 0.38
TRUSTED_BELOW_MM, TRUSTED_ABOVE_MM = 7.0, 23.0


@dataclass(frozen=True)
class Contrast:
    """Intensities of the shells and, unless it is the T1-weighted template itself, of the brain's tissues."""

    csf: float
    skull: float
    scalp: float
    grey: float | None = None
    white: float | None = None


T1 = Contrast(csf=0.25, skull=0.12, scalp=1.0)
CONTRASTS = {
    "t1n": T1,
    "t1c": T1,
    "t2w": Contrast(csf=1.0, skull=0.12, scalp=0.5, grey=0.65, white=0.5),
    "t2f": Contrast(csf=0.15, skull=0.1, scalp=0.8, grey=0.7, white=0.6),
}


@dataclass(frozen=True)
class HeadTemplate:
    """The template's images on one 2 mm grid in MNI space.

    Attributes
    ----------
    heads
        By sequence, float32: intensities between 0 and 1.
    distance
        Float32, mm: signed distance to the brain's smooth hull, negative inside.
    trusted
        Uint8: 1 where the shells look like a head: everywhere but in the face and the neck.
    """

    heads: dict[str, sitk.Image]
    distance: sitk.Image
    trusted: sitk.Image


def make_head_template(sequences: list[str]) -> HeadTemplate:
    """Build the template for the given sequences (``t1n t1c t2w t2f``) from nilearn's MNI152, offline."""
    brain, affine = _padded(datasets.load_mni152_brain_mask(resolution=RESOLUTION_MM))
    t1, _ = _padded(datasets.load_mni152_template(resolution=RESOLUTION_MM))
    grey, _ = _padded(datasets.load_mni152_gm_template(resolution=RESOLUTION_MM))
    white, _ = _padded(datasets.load_mni152_wm_template(resolution=RESOLUTION_MM))
    distance = hull_distance(brain > 0.5, RESOLUTION_MM)

    def on_template(data: Array) -> sitk.Image:
        return to_sitk(new_image(data, affine, data.dtype), data.dtype)

    heads = {}
    for sequence in sequences:
        tissue = paint_brain(CONTRASTS[sequence], t1, grey, white)
        head = np.where(brain > 0.5, tissue, paint_shells(CONTRASTS[sequence], distance))
        heads[sequence] = on_template(ndimage.gaussian_filter(head, 0.5).astype(np.float32))
    return HeadTemplate(heads, on_template(distance), on_template(trusted_region(distance, affine)))


def hull_distance(brain: Array, spacing: float) -> Array:
    """Compute the signed distance in mm (negative inside) to the brain after closing its sulci and fissures.

    Parameters
    ----------
    brain
        Boolean, shape (x, y, z), isotropic voxels with a margin of background.
    spacing
        Voxel size in mm.

    Returns
    -------
    numpy.ndarray
        float32, the shape of ``brain``; a voxel at the hull has plus or minus half a voxel.
    """
    near = ndimage.distance_transform_edt(~brain) * spacing < CLOSING_MM
    closed = brain | (ndimage.distance_transform_edt(near) * spacing >= CLOSING_MM)
    outside = ndimage.distance_transform_edt(~closed) - 0.5 * ~closed
    inside = ndimage.distance_transform_edt(closed) - 0.5 * closed
    return ((outside - inside) * spacing).astype(np.float32)


def paint_shells(contrast: Contrast, distance: Array) -> Array:
    """Give every voxel outside the brain the intensity of its shell: fluid, skull, scalp or air."""
    shells = [distance <= CSF_MM, distance <= SKULL_MM, distance <= SCALP_MM]
    return np.select(shells, [contrast.csf, contrast.skull, contrast.scalp], default=0.0)


def paint_brain(contrast: Contrast, t1: Array, grey: Array, white: Array) -> Array:
    """Give the brain the sequence's contrast: the T1 template's own, or tissue intensities by probability."""
    if contrast.grey is None or contrast.white is None:
        return t1
    fluid = np.clip(1 - grey - white, 0, 1)
    return contrast.csf * fluid + contrast.grey * grey + contrast.white * white


def trusted_region(distance: Array, affine: Array) -> Array:
    """Mark where the template resembles a head: near the brain, and farther out above the skull base."""
    y, z = (
        np.tensordot(affine[axis, :3], np.indices(distance.shape), axes=1) + affine[axis, 3]
        for axis in (1, 2)
    )
    above = z > SKULL_BASE_Z_MM + SKULL_BASE_SLOPE * (y - SKULL_BASE_Y_MM)
    trusted = (distance <= TRUSTED_BELOW_MM) | (above & (distance < TRUSTED_ABOVE_MM))
    return trusted.astype(np.uint8)


def _padded(image: nib.Nifti1Image) -> tuple[Array, Array]:
    """Return the voxels with a margin of zeros on every side, and the affine of the larger grid."""
    width = MARGIN_MM // RESOLUTION_MM
    affine = image.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, width)
    return np.pad(np.nan_to_num(data_of(image)), width), affine
