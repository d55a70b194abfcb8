"""Brain extraction without trained weights: a registered head template and the sequences' own intensities.

1. A whole-head template is registered to two sequences, affinely, from many starts; the transform whose
   brain fits best in all sequences wins, and is refined in each.
2. Intensities in the brain's core and round the brain, learned from the session itself, say of every voxel
   how much likelier it is brain than not.
3. Both, and each voxel's neighbours, decide in a mean-field Markov random field on a 2 mm grid.
"""

from collections.abc import Mapping

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.images import Array, from_sitk, new_image, to_sitk
from gliaflow.masks import largest_part
from gliaflow.preprocess.head_registration import (
    OUTSIDE_MM,
    POLISH_ROUNDS,
    agree_on_head,
    find_head,
    fit_affine,
    image_on_grid,
    intensities_on_grid,
    registration_image,
    values_on_grid,
    working_grid,
)
from gliaflow.preprocess.head_template import make_head_template

WORK_MM = 2.0
# All sequences share one space: the head is searched in two, and what is found is judged in all.
SEARCHED = 2
CORE_MM, DEEPEST_MM = -6.0, -25.0
INSIDE_MM, AROUND_MM = -3.0, (3.0, 14.0)
BIAS_SIGMA_MM = 12.0
LOG_INTENSITY_RANGE = (-2.5, 1.5)
BINS = 48
MAX_LOG_RATIO = 3.0
PRIOR_SCALE_MM, PRIOR_OFFSET_MM = 5.0, 0.0
NEIGHBOUR_WEIGHT, NEIGHBOUR_SIGMA = 2.0, 1.0
MEAN_FIELD_STEPS = 15
BAND_MM = (-14.0, 9.0)
OPENING_MM, CLOSING_MM = 5.0, 5.0


def extract_brain(images: Mapping[str, nib.Nifti1Image], grid: nib.Nifti1Image) -> nib.Nifti1Image:
    """Find the brain in the whole-head images of one session.

    Parameters
    ----------
    images
        By sequence (``t1n t1c t2w t2f``, at least one): shape (x, y, z), any grid and orientation, all in
        one world space (mm); bias-corrected or raw.
    grid
        The grid that the mask gets; its intensities are not used.

    Returns
    -------
    nibabel.Nifti1Image
        uint8, 1 in the brain with its ventricles and the fluid in its sulci, on ``grid``.

    Raises
    ------
    ImageError
        No sequence is given, or one shows no head that the template can be laid on.
    """
    if not images:
        raise ImageError("brain extraction needs at least one of t1n, t1c, t2w, t2f, but got none")
    sequences = sorted(images)
    template = make_head_template(sequences)
    heads = {s: registration_image(images[s], s) for s in sequences}
    starts = [find_head(heads[s], template, s) for s in sequences[:SEARCHED]]
    start = agree_on_head(starts, heads, template)
    fits = [fit_affine(heads[s], template, s, start, POLISH_ROUNDS) for s in sequences]
    work = working_grid(grid, WORK_MM)
    distance = np.mean([values_on_grid(template.distance, work, fit, OUTSIDE_MM) for fit in fits], axis=0)
    ratios = [log_likelihood_ratio(*intensities_on_grid(images[s], work), distance, s) for s in sequences]
    brain = clean_mask(label_brain(_mean_of_seen(ratios), distance))
    return mask_on_grid(from_sitk(image_on_grid(brain.astype(np.float32), work)), grid)


def mask_on_grid(mask: nib.Nifti1Image, grid: nib.Nifti1Image) -> nib.Nifti1Image:
    """Put a mask on another grid of the same world space: linear interpolation, cut at one half.

    Parameters
    ----------
    mask
        0 and 1, shape (x, y, z).
    grid
        The grid to put it on; voxels that the mask's grid does not reach get 0.

    Returns
    -------
    nibabel.Nifti1Image
        uint8 on the grid of ``grid``. Slices of several mm stay smooth, as nearest neighbours would not.
    """
    values = values_on_grid(to_sitk(mask), to_sitk(grid), sitk.Transform(), 0.0)
    return new_image(values.T > 0.5, grid.affine, np.uint8)


def log_likelihood_ratio(intensities: Array, seen: Array, distance: Array, sequence: str) -> Array:
    """Compute from intensity alone how much likelier than not a voxel is brain.

    The histograms of brain and not brain are those of this image: inside and round the registered template.

    Parameters
    ----------
    intensities
        float32, shape (x, y, z), 2 mm voxels.
    seen
        Boolean: the voxels within the image's field of view.
    distance
        Signed distance to the template's brain, mm.
    sequence
        Its name, for the error.

    Returns
    -------
    numpy.ndarray
        Natural logarithm of the likelihoods' ratio, within plus and minus 3; NaN where not seen.

    Raises
    ------
    ImageError
        The image is dark where the brain should be.
    """
    core = seen & (distance < CORE_MM)
    typical = float(np.median(intensities[core])) if core.any() else 0.0
    if typical <= 0:
        raise ImageError(
            f"{sequence}: no brain was found in this image; look at the scan, "
            "and give a mask in the column brain_mask if the scan is right"
        )
    relative = _relative_to_core(intensities, core, typical)
    edges = np.linspace(*LOG_INTENSITY_RANGE, BINS + 1)
    inside = _density(relative[seen & (distance < INSIDE_MM) & (distance > DEEPEST_MM)], edges)
    outside = _density(relative[seen & (distance > AROUND_MM[0]) & (distance < AROUND_MM[1])], edges)
    ratio = np.clip(np.log(inside / outside), -MAX_LOG_RATIO, MAX_LOG_RATIO)
    bins = np.clip(np.digitize(relative, edges) - 1, 0, BINS - 1)
    return np.where(seen, ratio[bins], np.nan)


def label_brain(log_ratio: Array, distance: Array) -> Array:
    """Decide brain or not: a Markov random field of intensity, template and neighbours, by mean field.

    Parameters
    ----------
    log_ratio
        From :func:`log_likelihood_ratio`.
    distance
        Signed distance to the template's brain, mm: the prior's log odds fall linearly with it.

    Returns
    -------
    numpy.ndarray
        Boolean, the shape of ``distance``.
    """
    evidence = log_ratio - (distance - PRIOR_OFFSET_MM) / PRIOR_SCALE_MM
    belief = np.tanh(evidence / 2)
    for _ in range(MEAN_FIELD_STEPS):
        neighbours = ndimage.gaussian_filter(belief, NEIGHBOUR_SIGMA, mode="nearest")
        belief = np.tanh((evidence + NEIGHBOUR_WEIGHT * neighbours) / 2)
    return (belief > 0) & (distance < BAND_MM[1]) | (distance < BAND_MM[0])


def clean_mask(mask: Array) -> Array:
    """Cut thin bridges (to eyes, dura), keep the largest piece, and close holes and sulci; 2 mm voxels."""
    core = ndimage.distance_transform_edt(mask) * WORK_MM > OPENING_MM
    if not core.any():
        raise ImageError(
            "no brain was found in this session; look at the scans, "
            "and give a mask in the column brain_mask if they are right"
        )
    reached = ndimage.distance_transform_edt(~largest_part(core)) * WORK_MM <= OPENING_MM + WORK_MM / 2
    brain = ndimage.binary_fill_holes(mask & reached)
    near = ndimage.distance_transform_edt(~brain) * WORK_MM <= CLOSING_MM
    return brain | (ndimage.distance_transform_edt(near) * WORK_MM > CLOSING_MM)


def _mean_of_seen(ratios: list[Array]) -> Array:
    """Average over the sequences that see a voxel; 0 (no evidence) where none does."""
    stack = np.stack(ratios)
    count = np.isfinite(stack).sum(axis=0)
    return np.nansum(stack, axis=0) / np.maximum(count, 1)


def _relative_to_core(intensities: Array, core: Array, typical: float) -> Array:
    """Divide by the brain's local mean, which also takes out the bias field, and take the logarithm."""
    usual = core & (intensities > 0.4 * typical) & (intensities < 1.8 * typical)
    sigma = BIAS_SIGMA_MM / WORK_MM
    weight = ndimage.gaussian_filter(usual.astype(np.float32), sigma) + 1e-3
    total = ndimage.gaussian_filter(np.where(usual, intensities, 0), sigma) + 1e-3 * typical
    relative = np.log(np.maximum(intensities, 1e-3 * typical) * weight / total)
    return np.clip(relative, *LOG_INTENSITY_RANGE)


def _density(values: Array, edges: Array) -> Array:
    """Estimate a probability per bin: a smoothed histogram that is nowhere zero."""
    counts = ndimage.gaussian_filter1d(np.histogram(values, edges)[0].astype(float), 1.5)
    counts += 0.002 * counts.sum() + 1e-9
    return counts / counts.sum()
