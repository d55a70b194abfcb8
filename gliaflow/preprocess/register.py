"""Linear registration by ANTs, with its start and its result judged by mutual information."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from gliaflow.errors import ImageError
from gliaflow.images import Array, new_image, to_ants, to_sitk
from gliaflow.preprocess.transforms import centre_of_mass, matrix_to_sitk, read_transform, write_transform

HISTOGRAM_BINS = 32
SAMPLING_MM = 4.0
OUTSIDE = -1e9


@dataclass(frozen=True)
class Registration:
    """A linear registration.

    Attributes
    ----------
    matrix
        (4, 4), moving to fixed.
    before, after
        Mutual information (nats) over the field of view of the fixed image.
    shared
        The same after registration, where both images have voxels: what they really have in common.
    """

    matrix: Array
    before: float
    after: float
    shared: float


def register(
    fixed: nib.Nifti1Image, moving: nib.Nifti1Image, *, kind: str = "rigid", seed: int = 1
) -> Registration:
    """Register ``moving`` to ``fixed`` by mutual information (antspyx).

    Parameters
    ----------
    fixed, moving
        3-D images of the same head; contrast and grid may differ.
    kind
        ``rigid`` (6 parameters) or ``affine`` (12).
    seed
        Of ANTs' random sampling; with one thread the same images give the same matrix.

    Returns
    -------
    Registration
        ``matrix`` carries ``moving`` to ``fixed`` (see ``gliaflow.preprocess.transforms``). ``before`` is the
        mutual information (nats) as the headers place the images.
    """
    starts = [np.eye(4), translation(centre_of_mass(moving) - centre_of_mass(fixed))]
    likeness = [mutual_information(fixed, moving, start) for start in starts]
    start = starts[int(np.argmax(likeness))]
    matrix = _ants_linear(fixed, moving, start, kind, seed)
    return judged(fixed, moving, matrix, likeness[0])


def judged(fixed: nib.Nifti1Image, moving: nib.Nifti1Image, matrix: Array, before: float) -> Registration:
    """Return a matrix with the mutual information that it reaches."""
    after = mutual_information(fixed, moving, matrix)
    return Registration(matrix, before, after, mutual_information(fixed, moving, matrix, overlap=True))


def translation(shift: Array) -> Array:
    """Return the (4, 4) matrix of a shift in mm."""
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    return matrix


def mutual_information(
    fixed: nib.Nifti1Image, moving: nib.Nifti1Image, matrix: Array, *, overlap: bool = False
) -> float:
    """Return Mattes mutual information (nats, larger is more alike) under a moving-to-fixed matrix.

    Points outside ``moving`` count as its background, so that two images which hardly overlap do not
    look alike; with ``overlap`` they are left out. Evaluated on a grid of 4 mm over ``fixed``.
    """
    target = _coarse(to_sitk(fixed))
    moved = sitk.Resample(to_sitk(moving), target, matrix_to_sitk(matrix), sitk.sitkLinear, OUTSIDE)
    images = [sitk.GetArrayViewFromImage(i).ravel() for i in (target, moved)]
    counted = images[1] > OUTSIDE / 2 if overlap else np.full(images[1].shape, True)
    if not counted.any():
        return 0.0
    values = [np.clip(i[counted], 0, None) for i in images]
    limits = [(0.0, max(float(np.percentile(v, 99.8)), 1e-6)) for v in values]
    clipped = [np.clip(v, *limit) for v, limit in zip(values, limits, strict=True)]
    joint = np.histogramdd(clipped, bins=HISTOGRAM_BINS, range=limits)[0]
    joint /= joint.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / independent[filled])).sum())


def _coarse(image: sitk.Image) -> sitk.Image:
    """Resample an image on cubes of ``SAMPLING_MM`` over the same field of view, smoothed to match."""
    spacing, size = np.array(image.GetSpacing()), np.array(image.GetSize())
    smooth = sitk.SmoothingRecursiveGaussian(image, [max(s, SAMPLING_MM / 2) for s in spacing])
    counts = np.maximum(np.floor(size * spacing / SAMPLING_MM), 1).astype(int).tolist()
    return sitk.Resample(
        smooth,
        counts,
        sitk.AffineTransform(3),
        sitk.sitkLinear,
        image.GetOrigin(),
        [SAMPLING_MM] * 3,
        image.GetDirection(),
        0.0,
    )


def _ants_linear(
    fixed: nib.Nifti1Image, moving: nib.Nifti1Image, start: Array, kind: str, seed: int
) -> Array:
    import ants

    with TemporaryDirectory() as folder:
        first = Path(folder) / "start.tfm"
        write_transform(first, start)
        result = ants.registration(
            to_ants(fixed),
            to_ants(moving),
            type_of_transform=kind.capitalize(),
            initial_transform=str(first),
            outprefix=f"{folder}/",
            aff_random_sampling_rate=0.25,
            aff_iterations=(500, 250, 100),
            aff_shrink_factors=(6, 4, 2),
            aff_smoothing_sigmas=(3, 2, 1),
            random_seed=seed,
        )
        return read_transform(result["fwdtransforms"][0])


def register_syn(
    fixed: nib.Nifti1Image,
    moving: nib.Nifti1Image,
    start: Array,
    *,
    fixed_tumour: nib.Nifti1Image,
    moving_tumour: nib.Nifti1Image,
    seed: int = 1,
    iterations: Sequence[int] = (40, 20, 0),
) -> nib.Nifti1Image:
    """Register two brains by SyN, with both tumours masked out of the metric.

    Parameters
    ----------
    fixed, moving
        Brain images of one subject at two times.
    start
        (4, 4) moving-to-fixed matrix.
    fixed_tumour, moving_tumour
        Where the metric is not evaluated, each on the grid of its image.
    seed, iterations
        Of ANTs' random sampling, and per level.

    Returns
    -------
    nibabel.Nifti1Image
        Displacement field on ``fixed``, shape (x, y, z, 1, 3), mm, in ITK's LPS convention; ``start`` is
        applied after it.

    Raises
    ------
    ImageError
        A displacement is not finite.
    """
    import ants

    with TemporaryDirectory() as folder:
        first = Path(folder) / "start.tfm"
        write_transform(first, start)
        result = ants.registration(
            to_ants(fixed),
            to_ants(moving),
            type_of_transform="SyNOnly",
            initial_transform=str(first),
            outprefix=f"{folder}/",
            mask=to_ants(_outside(fixed_tumour)),
            moving_mask=to_ants(_outside(moving_tumour)),
            mask_all_stages=True,
            reg_iterations=tuple(iterations),
            random_seed=seed,
        )
        warp = next(p for p in result["fwdtransforms"] if p.endswith("Warp.nii.gz"))
        field = nib.Nifti1Image.from_filename(warp)
        values = np.asarray(field.dataobj, dtype=np.float32)
    if not np.isfinite(values).all():
        raise ImageError("the deformable registration gave displacements that are not finite")
    return nib.Nifti1Image(values, field.affine, field.header)


def _outside(tumour: nib.Nifti1Image) -> nib.Nifti1Image:
    return new_image(np.asarray(tumour.dataobj) == 0, tumour.affine)
