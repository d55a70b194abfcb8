"""Brain extraction without trained weights: a registered head template and the sequences' own intensities.

1. A whole-head template is registered to every sequence, affinely, from several starts; the start whose brain
   fits best in all sequences wins.
2. Intensities in the brain's core and round the head, learned from the session itself, say of every voxel how
   much likelier it is brain than not.
3. Both, and each voxel's neighbours, decide in a mean-field Markov random field on a 2 mm grid.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, from_sitk, new_image, spacing_of, to_ras, to_sitk
from gliaflow.preprocess.head_template import HeadTemplate, make_head_template

WORK_MM, REGISTRATION_MM = 2.0, 4.0
OUTSIDE_MM = 99.0

TEMPLATE_CENTRE_LPS = np.array([0.0, 18.0, 10.0])
TOP_TO_CENTRE_MM, HEAD_TOP_MM = 80.0, 110.0
START_SHIFTS_MM = (-30.0, -15.0, 0.0, 15.0, 30.0)
START_PITCHES_DEG = (-20.0, 0.0, 20.0)
CANDIDATES = 4
NEAR_BRAIN_MM = 8.0
SAMPLING_SEED = 1
MIN_SLICES, MIN_EXTENT_MM = 4, 40.0

BIAS_SIGMA_MM = 12.0
LOG_INTENSITY_RANGE = (-2.5, 1.5)
BINS = 48
MAX_LOG_RATIO = 3.0
PRIOR_SCALE_MM, PRIOR_OFFSET_MM = 5.0, 0.0
NEIGHBOUR_WEIGHT, NEIGHBOUR_SIGMA = 2.0, 1.0
MEAN_FIELD_STEPS = 15
BAND_MM = (-14.0, 9.0)
OPENING_MM, CLOSING_MM = 5.0, 5.0


def extract_brain(
    images: Mapping[str, nib.Nifti1Image], grid: nib.Nifti1Image, *, threads: int = 1
) -> nib.Nifti1Image:
    """Find the brain in the whole-head images of one session.

    Parameters
    ----------
    images
        By sequence (``t1n t1c t2w t2f``, at least one): shape (x, y, z), any grid and orientation, all in
        one world space (mm); bias-corrected or raw.
    grid
        The grid that the mask gets; its intensities are not used.
    threads
        How many sequences to work on at a time; the result does not depend on it.

    Returns
    -------
    nibabel.Nifti1Image
        uint8, 1 in the brain with its ventricles and the fluid in its sulci, on ``grid``.

    Raises
    ------
    ImageError
        No sequence is given, or none shows a head that the template can be laid on.
    """
    if not images:
        raise ImageError("brain extraction needs at least one of t1n, t1c, t2w, t2f, but got none")
    sequences = list(images)
    template = make_head_template(sequences)
    with ThreadPoolExecutor(threads) as pool:
        heads = dict(zip(sequences, pool.map(registration_image, images.values(), sequences), strict=True))
        found = pool.map(lambda sequence: find_head(heads[sequence], template, sequence), sequences)
        start = agree_on_head(list(found), heads, template)
        fits = list(
            pool.map(lambda sequence: fit_affine(heads[sequence], template, sequence, start), sequences)
        )
    work = working_grid(grid, WORK_MM)
    distance = np.mean([_values(template.distance, work, fit, OUTSIDE_MM) for fit in fits], axis=0)
    ratios = [log_likelihood_ratio(*_seen(images[s], work), distance, s) for s in sequences]
    brain = clean_mask(label_brain(_mean_of_seen(ratios), distance))
    return mask_on_grid(from_sitk(_like(brain.astype(np.float32), work)), grid)


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
    values = _values(to_sitk(mask), to_sitk(grid), sitk.Transform(), 0.0)
    return new_image(values.T > 0.5, grid.affine, np.uint8)


def working_grid(grid: nib.Nifti1Image, spacing: float) -> sitk.Image:
    """Make an empty isotropic grid of the given voxel size (mm) that spans another one, axes near RAS+."""
    image = to_sitk(to_ras(grid))
    extent = (np.array(image.GetSize()) - 1) * np.array(image.GetSpacing())
    work = sitk.Image([int(np.ceil(e / spacing)) + 1 for e in extent], sitk.sitkFloat32)
    work.SetSpacing([spacing] * 3)
    work.SetOrigin(image.GetOrigin())
    work.SetDirection(image.GetDirection())
    return work


def registration_image(image: nib.Nifti1Image, sequence: str) -> sitk.Image:
    """Smooth and resample an image to 4 mm, and scale it so that the 98th percentile of the head is 1.

    Raises
    ------
    ImageError
        The image has too few slices, covers too little, or is the same everywhere.
    """
    extent = np.array(image.shape) * spacing_of(image)
    if min(image.shape) < MIN_SLICES or extent.min() < MIN_EXTENT_MM:
        raise ImageError(
            f"{sequence}: covers {extent.min():.0f} mm in {min(image.shape)} slices, but brain extraction needs "
            f"{MIN_EXTENT_MM:.0f} mm in {MIN_SLICES}; give a mask in the column brain_mask"
        )
    work = working_grid(image, REGISTRATION_MM)
    values, _ = _seen(image, work)
    if np.ptp(values) <= 1e-6 * np.abs(values).max():
        raise ImageError(f"{sequence}: the image has one value everywhere, no head can be found in it")
    brightest = np.percentile(values[values > values.mean()], 98)
    return _like(np.clip(values / brightest, 0, 1).astype(np.float32), work)


def head_start(head: sitk.Image) -> Array:
    """Guess the brain's centre, LPS mm: below the head's top, amid the width and length of its upper part."""
    values = sitk.GetArrayViewFromImage(head)
    index = np.argwhere(values > values.mean())[:, ::-1]
    turn = np.array(head.GetDirection()).reshape(3, 3) * np.array(head.GetSpacing())
    points = index @ turn.T + np.array(head.GetOrigin())
    top = np.percentile(points[:, 2], 99.9)
    upper = points[points[:, 2] > top - HEAD_TOP_MM]
    middle = np.percentile(upper[:, 1], [2, 98]).mean()
    return np.array([np.median(upper[:, 0]), middle, top - TOP_TO_CENTRE_MM])


def start_transforms(head: sitk.Image) -> list[sitk.AffineTransform]:
    """List first guesses of the transform from the head to the template: some heights, some pitches."""
    starts = []
    for pitch in START_PITCHES_DEG:
        turn = sitk.Euler3DTransform()
        turn.SetRotation(float(np.deg2rad(pitch)), 0.0, 0.0)
        for shift in START_SHIFTS_MM:
            centre = head_start(head) + np.array([0, 0, shift])
            start = sitk.AffineTransform(3)
            start.SetMatrix(turn.GetMatrix())
            start.SetCenter(centre.tolist())
            start.SetTranslation((TEMPLATE_CENTRE_LPS - centre).tolist())
            starts.append(start)
    return starts


def find_head(head: sitk.Image, template: HeadTemplate, sequence: str) -> sitk.AffineTransform:
    """Register the template to a head of unknown place and pitch.

    Parameters
    ----------
    head
        From :func:`registration_image`.
    template, sequence
        The template and which of its contrasts to use.

    Returns
    -------
    SimpleITK.AffineTransform
        From the head's points to the template's, LPS mm: of the best few starts, the one that ends best.

    Raises
    ------
    ImageError
        The template overlaps with the head from no start.
    """
    coarse = sitk.Shrink(sitk.SmoothingRecursiveGaussian(head, REGISTRATION_MM * 0.75), [2, 2, 2])
    starts = sorted(start_transforms(head), key=lambda start: _cost(coarse, template, sequence, start))
    ends = []
    for start in starts[:CANDIDATES]:
        rough = _optimise(_metric(template, share=0.5), coarse, template.heads[sequence], start, step=4.0)
        ends.append(fit_affine(head, template, sequence, fit_affine(head, template, sequence, rough)))
    best = min(ends, key=lambda end: brain_cost(head, template, sequence, end))
    if not np.isfinite(brain_cost(head, template, sequence, best)):
        raise ImageError(
            f"{sequence}: no head was found in this image; look at the scan, "
            "and give a mask in the column brain_mask if the scan is right"
        )
    return best


def agree_on_head(
    found: list[sitk.AffineTransform], heads: Mapping[str, sitk.Image], template: HeadTemplate
) -> sitk.AffineTransform:
    """Choose, of every sequence's own transform, the one that fits the brain best in all of them."""
    return min(found, key=lambda end: sum(brain_cost(head, template, s, end) for s, head in heads.items()))


def fit_affine(
    head: sitk.Image, template: HeadTemplate, sequence: str, start: sitk.AffineTransform
) -> sitk.AffineTransform:
    """Improve an affine transform by the voxels in and near the brain that it implies."""
    metric = _metric(template, share=0.5)
    metric.SetMetricFixedMask(_near_brain(head, template, start))
    return _optimise(metric, head, template.heads[sequence], start, step=2.0)


def brain_cost(
    head: sitk.Image, template: HeadTemplate, sequence: str, transform: sitk.AffineTransform
) -> float:
    """Measure how badly the template's brain fits: negative mutual information (nats) in and near it."""
    return _cost(head, template, sequence, transform, _near_brain(head, template, transform))


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
    core = seen & (distance < -6)
    typical = float(np.median(intensities[core])) if core.any() else 0.0
    if typical <= 0:
        raise ImageError(
            f"{sequence}: no brain was found in this image; look at the scan, "
            "and give a mask in the column brain_mask if the scan is right"
        )
    relative = _relative_to_core(intensities, core, typical)
    edges = np.linspace(*LOG_INTENSITY_RANGE, BINS + 1)
    inside = _density(relative[seen & (distance < -3) & (distance > -25)], edges)
    outside = _density(relative[seen & (distance > 3) & (distance < 14)], edges)
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
    pieces, _ = ndimage.label(core)
    core = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    reached = ndimage.distance_transform_edt(~core) * WORK_MM <= OPENING_MM + WORK_MM / 2
    brain = ndimage.binary_fill_holes(mask & reached)
    near = ndimage.distance_transform_edt(~brain) * WORK_MM <= CLOSING_MM
    return brain | (ndimage.distance_transform_edt(near) * WORK_MM > CLOSING_MM)


def _metric(template: HeadTemplate, share: float) -> sitk.ImageRegistrationMethod:
    """Set up mutual information on a regular share of the voxels; one thread keeps the order of sums."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(share, SAMPLING_SEED)
    method.SetMetricMovingMask(template.trusted)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _optimise(
    method: sitk.ImageRegistrationMethod,
    fixed: sitk.Image,
    moving: sitk.Image,
    start: sitk.AffineTransform,
    step: float,
) -> sitk.AffineTransform:
    """Descend from a start, by ``step`` mm at first; where overlap is lost, the start stands."""
    transform = sitk.AffineTransform(start)
    method.SetInitialTransform(transform, inPlace=True)
    method.SetOptimizerAsRegularStepGradientDescent(step, step / 100, 100, gradientMagnitudeTolerance=1e-5)
    method.SetOptimizerScalesFromPhysicalShift()
    try:
        method.Execute(fixed, moving)
    except RuntimeError:  # how ITK says that the images do not overlap enough; the start's cost will tell
        return start
    return transform


def _cost(
    head: sitk.Image,
    template: HeadTemplate,
    sequence: str,
    transform: sitk.AffineTransform,
    region: sitk.Image | None = None,
) -> float:
    """Evaluate the metric without moving; infinite where head and template do not overlap."""
    method = _metric(template, share=0.25 if region is None else 0.5)
    if region is not None:
        method.SetMetricFixedMask(region)
    method.SetMetricUseMovingImageGradientFilter(False)
    method.SetInitialTransform(transform)
    try:
        return float(method.MetricEvaluate(head, template.heads[sequence]))
    except RuntimeError:  # how ITK says that the images do not overlap enough
        return float("inf")


def _near_brain(head: sitk.Image, template: HeadTemplate, transform: sitk.AffineTransform) -> sitk.Image:
    """Mark on the head's grid the voxels within 10 mm of the brain that a transform implies."""
    distance = sitk.Resample(template.distance, head, transform, sitk.sitkLinear, OUTSIDE_MM)
    return sitk.Cast(distance < NEAR_BRAIN_MM, sitk.sitkUInt8)


def _values(image: sitk.Image, grid: sitk.Image, transform: sitk.Transform, outside: float) -> Array:
    """Resample linearly to a grid and return the array (z, y, x)."""
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, transform, sitk.sitkLinear, outside))


def _like(values: Array, grid: sitk.Image) -> sitk.Image:
    """Turn an array (z, y, x) into an image on a grid."""
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(grid)
    return image


def _seen(image: nib.Nifti1Image, work: sitk.Image) -> tuple[Array, Array]:
    """Return an image's intensities, smoothed to the voxel size of ``work``, not negative, and where it reaches."""
    values = data_of(image)
    source = to_sitk(new_image(values - min(values.min(), 0), image.affine))
    target = work.GetSpacing()[0]
    widths = [target / 2 if size < target else 1e-2 * size for size in source.GetSpacing()]
    smooth = sitk.SmoothingRecursiveGaussian(source, widths)
    everywhere = _like(np.ones(source.GetSize()[::-1], np.float32), source)
    seen = _values(everywhere, work, sitk.Transform(), 0.0) > 0.5
    return np.maximum(_values(smooth, work, sitk.Transform(), 0.0), 0), seen


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
