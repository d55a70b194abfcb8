"""Registration of the whole-head template to a head of unknown place, pitch and size."""

from collections.abc import Mapping

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, new_image, spacing_of, to_ras, to_sitk
from gliaflow.preprocess.head_template import HeadTemplate

REGISTRATION_MM = 4.0
OUTSIDE_MM = 99.0
MIN_SLICES, MIN_EXTENT_MM = 4, 40.0
TEMPLATE_CENTRE_LPS = np.array([0.0, 18.0, 10.0])
TOP_TO_CENTRE_MM, HEAD_TOP_MM = 80.0, 110.0
START_SHIFTS_MM = (-30.0, -15.0, 0.0, 15.0, 30.0)
START_PITCHES_DEG = (-20.0, 0.0, 20.0)
CANDIDATES = 4
FIT_WITHIN_MM, JUDGE_WITHIN_MM = 20.0, 8.0
FIT_ROUNDS, POLISH_ROUNDS = 2, 4
SAMPLING_SEED = 1


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
            f"{sequence}: covers {extent.min():.0f} mm in {min(image.shape)} slices, but brain extraction "
            f"needs {MIN_EXTENT_MM:.0f} mm in {MIN_SLICES}; give a mask in the column brain_mask"
        )
    if np.ptp(data_of(image)) == 0:
        raise ImageError(f"{sequence}: the image has one value everywhere, no head can be found in it")
    work = working_grid(image, REGISTRATION_MM)
    values, _ = intensities_on_grid(image, work)
    brightest = np.percentile(values[values > values.mean()], 98)
    return image_on_grid(np.clip(values / brightest, 0, 1).astype(np.float32), work)


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
        ends.append(fit_affine(head, template, sequence, rough, FIT_ROUNDS))
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
    head: sitk.Image, template: HeadTemplate, sequence: str, start: sitk.AffineTransform, rounds: int
) -> sitk.AffineTransform:
    """Improve an affine transform by the voxels of brain, skull and scalp that it implies, some rounds long.

    The air round the scalp has to be among them: by the brain alone, a template that shrinks looks better.
    """
    for _ in range(rounds):
        metric = _metric(template, share=0.5)
        metric.SetMetricFixedMask(_near_brain(head, template, start, FIT_WITHIN_MM))
        start = _optimise(metric, head, template.heads[sequence], start, step=2.0)
    return start


def brain_cost(
    head: sitk.Image, template: HeadTemplate, sequence: str, transform: sitk.AffineTransform
) -> float:
    """Measure how badly the template's brain fits: negative mutual information (nats) in and near it."""
    return _cost(head, template, sequence, transform, _near_brain(head, template, transform, JUDGE_WITHIN_MM))


def values_on_grid(image: sitk.Image, grid: sitk.Image, transform: sitk.Transform, outside: float) -> Array:
    """Resample linearly to a grid and return the array (z, y, x)."""
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, transform, sitk.sitkLinear, outside))


def image_on_grid(values: Array, grid: sitk.Image) -> sitk.Image:
    """Turn an array (z, y, x) into an image on a grid."""
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(grid)
    return image


def intensities_on_grid(image: nib.Nifti1Image, work: sitk.Image) -> tuple[Array, Array]:
    """Return an image's intensities on ``work``, smoothed to its voxels and >= 0, and where it reaches."""
    values = data_of(image)
    source = to_sitk(new_image(values - min(values.min(), 0), image.affine))
    target = work.GetSpacing()[0]
    widths = [target / 2 if size < target else 1e-2 * size for size in source.GetSpacing()]
    smooth = sitk.SmoothingRecursiveGaussian(source, widths)
    everywhere = image_on_grid(np.ones(source.GetSize()[::-1], np.float32), source)
    seen = values_on_grid(everywhere, work, sitk.Transform(), 0.0) > 0.5
    return np.maximum(values_on_grid(smooth, work, sitk.Transform(), 0.0), 0), seen


def _metric(template: HeadTemplate, share: float) -> sitk.ImageRegistrationMethod:
    """Set up mutual information on a regular share of the voxels; one work unit keeps the order of sums."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfWorkUnits(1)
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


def _near_brain(
    head: sitk.Image, template: HeadTemplate, transform: sitk.AffineTransform, within: float
) -> sitk.Image:
    """Mark on the head's grid the voxels within so many mm of the brain that a transform implies."""
    distance = sitk.Resample(template.distance, head, transform, sitk.sitkLinear, OUTSIDE_MM)
    return sitk.Cast(distance < within, sitk.sitkUInt8)
