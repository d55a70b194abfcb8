"""The grid on which tumours grow, and how images, masks and label maps come onto it."""

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.warp import Warp
from gliaflow.images import Array, data_of, from_sitk, new_image, spacing_of, to_ras, to_sitk
from gliaflow.masks import boxes_round

RESOLUTION_MM = (0.5, 4.0)
FWHM = 2.3548
"""Full width at half maximum of a Gaussian of standard deviation 1."""
OUTSIDE_IN = ((1, 2, 3, 4), (1, 3, 4), (1, 4), (4,))
"""A tumour's labels as sets, each inside the one before: oedema, enhancing, necrotic core, cavity."""
INNERMOST = np.array([0, 2, 3, 1, 4], dtype=np.uint8)
"""The label of a voxel that so many of the sets hold."""
FAR_MM = 1e3
CROP_VOXELS = 3
SAME_SPACE = Warp()


def growth_grid(mask: nib.Nifti1Image, resolution_mm: float = 1.0, margin_mm: float = 5.0) -> nib.Nifti1Image:
    """Make the grid on which a tumour grows in a patient's own millimetres.

    Parameters
    ----------
    mask
        Brain, shape (x, y, z), on any grid, oblique and with thick slices too.
    resolution_mm
        Edge of the new voxels, which are cubes along the world's axes, 0.5 to 4.
    margin_mm
        How far the grid reaches beyond the brain.

    Returns
    -------
    nibabel.Nifti1Image
        The brain mask on the grid, uint8, RAS+. Its voxels lie on those of ``mask`` where that has the same
        axes and resolution, so that nothing is interpolated then.

    Raises
    ------
    ConfigError
        The resolution or margin is not possible.
    ImageError
        The mask is empty.

    Examples
    --------
    >>> brain = np.zeros((20, 20, 20))
    >>> brain[5:15, 5:15, 5:15] = 1
    >>> growth_grid(new_image(brain, np.eye(4)), 2.0, margin_mm=4.0).shape
    (10, 10, 10)
    """
    low, high = RESOLUTION_MM
    if not low <= resolution_mm <= high:
        raise ConfigError(f"resolution_mm: {resolution_mm}: is not possible; write {low:g} to {high:g}")
    if not 0 <= margin_mm <= 100:
        raise ConfigError(f"margin_mm: {margin_mm}: is not possible; write 0 to 100")
    brain = to_ras(mask)
    voxels = np.argwhere(data_of(brain) > 0)
    if not len(voxels):
        raise ImageError("the brain mask is empty; look at the pictures of the brain masks")
    points = nib.affines.apply_affine(brain.affine, voxels)
    half = np.abs(brain.affine[:3, :3]).sum(axis=1) / 2
    anchor = brain.affine[:3, 3]
    first = np.floor((points.min(axis=0) - half - margin_mm - anchor) / resolution_mm + 0.5)
    last = np.ceil((points.max(axis=0) + half + margin_mm - anchor) / resolution_mm - 0.5)
    affine = np.diag([resolution_mm] * 3 + [1.0])
    affine[:3, 3] = anchor + first * resolution_mm
    empty = new_image(np.zeros((last - first).astype(int) + 1), affine, np.uint8)
    return carry_mask(brain, empty)


def carry_image(image: nib.Nifti1Image, grid: nib.Nifti1Image, warp: Warp = SAME_SPACE) -> nib.Nifti1Image:
    """Carry an image to a grid by linear interpolation.

    Parameters
    ----------
    image
        Shape (x, y, z). Along axes on which its voxels are finer than the grid's it is smoothed first, to
        what a voxel of the grid covers.
    grid
        Image whose grid the result has.
    warp
        From the image's space to the grid's.

    Returns
    -------
    nibabel.Nifti1Image
        float32, 0 outside the image's field of view.
    """
    fine, coarse = np.array(spacing_of(image)), min(spacing_of(grid))
    widths = np.sqrt(np.clip(coarse**2 - fine**2, 0, None)) / FWHM / fine
    smooth = new_image(ndimage.gaussian_filter(data_of(image), widths), image.affine)
    return _resample(smooth, grid, warp, outside=0.0)


def carry_mask(mask: nib.Nifti1Image, grid: nib.Nifti1Image, warp: Warp = SAME_SPACE) -> nib.Nifti1Image:
    """Carry a mask to a grid through its signed distance, which stays smooth between thick slices; uint8."""
    distance = _distance(mask, data_of(mask) > 0, grid, warp)
    return new_image(distance <= 0, grid.affine, np.uint8)


def carry_labels(
    labels: nib.Nifti1Image, grid: nib.Nifti1Image, warp: Warp = SAME_SPACE, within: Array | None = None
) -> nib.Nifti1Image:
    """Carry a tumour's label map to a grid without steps between thick slices.

    The tumour with all it holds, its core, and what lies in the enhancing rim are carried one after the other
    by their signed distance; a rim, interpolated for itself, would tear between two slices.

    Parameters
    ----------
    labels
        Values of the label table, shape (x, y, z).
    grid
        Image whose grid the result has.
    warp
        From the label map's space to the grid's.
    within
        Bool on the grid: the brain, outside of which there is no label.

    Returns
    -------
    nibabel.Nifti1Image
        uint8; the same labels where the voxels are the same.

    Raises
    ------
    ImageError
        A value is not in the label table.
    """
    values = np.asarray(labels.dataobj)
    unknown = set(np.unique(values).tolist()) - set(INNERMOST.tolist())
    if unknown:
        raise ImageError(
            f"label values {sorted(unknown)} are not in the label table; correct labels in the config"
        )
    held = [_distance(labels, np.isin(values, inside), grid, warp) <= 0 for inside in OUTSIDE_IN]
    carried = INNERMOST[np.sum(held, axis=0)]
    if within is not None:
        carried[~np.asarray(within, dtype=bool)] = 0
    return new_image(carried, grid.affine, np.uint8)


def _distance(image: nib.Nifti1Image, inside: Array, grid: nib.Nifti1Image, warp: Warp) -> Array:
    """Return the distance on the grid to the border of a mask on the image's grid, mm, negative inside."""
    if not inside.any():
        return np.full(grid.shape[:3], FAR_MM, dtype=np.float32)
    (box,) = boxes_round(inside, CROP_VOXELS)
    # a rim of background lets the distance end well where the mask reaches the border of its image
    mask = np.pad(inside[box], 1)
    corner = np.array([s.start for s in box]) - 1
    affine = image.affine.copy()
    affine[:3, 3] = nib.affines.apply_affine(image.affine, corner)
    out, within = (ndimage.distance_transform_edt(m, sampling=spacing_of(image)) for m in (~mask, mask))
    return data_of(_resample(new_image(out - within, affine), grid, warp, outside=FAR_MM))


def _resample(image: nib.Nifti1Image, grid: nib.Nifti1Image, warp: Warp, outside: float) -> nib.Nifti1Image:
    onto = to_sitk(new_image(np.zeros(grid.shape[:3]), grid.affine))
    return from_sitk(sitk.Resample(to_sitk(image), onto, warp.transform(), sitk.sitkLinear, outside))
