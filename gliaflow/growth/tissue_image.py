"""Tissue from the patient's own image, by a mixture of Gaussians with neighbourhoods (Atropos)."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.growth.tissue_maps import TissueMaps, tissue_maps
from gliaflow.growth.warp import widened
from gliaflow.images import Array, data_of, ml_per_voxel, new_image, spacing_of, to_ants
from gliaflow.preprocess.bias import correct_bias

CLEARANCE_MM = 2.0
SPREAD_MM = 4.0
"""Standard deviation of the smoothing of what fills a tumour from its neighbourhood."""
EXTREMES_PERCENT = (0.5, 99.5)
LEAST_KNOWN_ML = 200.0
SHRUNK_TO_MM = 6.0


def image_tissue(
    images: Sequence[nib.Nifti1Image],
    brain: nib.Nifti1Image,
    lesion: nib.Nifti1Image,
    *,
    priors: TissueMaps | None = None,
    fill: TissueMaps | None = None,
    prior_weight: float = 0.4,
    smoothing: float = 0.1,
) -> TissueMaps:
    """Estimate healthy tissue from a patient's images, and what it was in the tumour from elsewhere.

    Parameters
    ----------
    images
        Brain images on the growth grid, the first T1-weighted; their bias is corrected here.
    brain, lesion
        Masks on the growth grid; in the lesion (whole tumour and cavity) intensities say nothing.
    priors
        Where the tissues may be, as from `gliaflow.growth.tissue_atlas.atlas_tissue`; without them the
        brightness of the first image tells the tissues apart, CSF being darkest and white matter brightest.
    fill
        What the lesion holds; None for the tissue next to it.
    prior_weight
        Of the priors against the intensities, 0 to 1.
    smoothing
        Weight of the neighbours (Markov random field).

    Raises
    ------
    ImageError
        There is no image, or hardly any brain outside the lesion.
    """
    if not images:
        raise ImageError("tissue: there is no image to tell tissues from; give t1n or t1c")
    inside = data_of(brain) > 0
    known = inside & (data_of(widened(lesion, CLEARANCE_MM)) == 0)
    if known.sum() * ml_per_voxel(spacing_of(brain)) < LEAST_KNOWN_ML:
        raise ImageError(
            "tissue: the lesion leaves hardly any brain to tell tissues from; take the tissue from the atlas"
        )
    found = _atropos([_flat(image, known) for image in images], known, brain, priors, prior_weight, smoothing)
    filled = from_neighbours(found, known, inside, spacing_of(brain)) if fill is None else fill
    return found.mixed(filled, inside & ~known)


def from_neighbours(
    maps: TissueMaps, known: Array, brain: Array, spacing: tuple[float, float, float]
) -> TissueMaps:
    """Give every voxel the tissue of the nearest one that is known, smoothed.

    Parameters
    ----------
    maps
        The estimate.
    known
        Bool: where it can be trusted.
    brain
        Bool.
    spacing
        Voxel size in mm.
    """
    nearest = ndimage.distance_transform_edt(
        ~known, sampling=spacing, return_distances=False, return_indices=True
    )
    widths = [SPREAD_MM / size for size in spacing]
    weight = np.maximum(ndimage.gaussian_filter(brain.astype(np.float32), widths), 1e-3)
    smooth = (ndimage.gaussian_filter(np.where(brain, m[tuple(nearest)], 0), widths) for m in maps.stack())
    white, grey, csf = (share / weight for share in smooth)
    return tissue_maps(white, grey, csf, brain)


def _flat(image: nib.Nifti1Image, known: Array) -> nib.Nifti1Image:
    """Return an image without bias and without extremes, 0 to 1."""
    shrink = max(round(SHRUNK_TO_MM / min(spacing_of(image))), 1)
    values = data_of(correct_bias(image, shrink=shrink))
    low, high = np.percentile(values[known], EXTREMES_PERCENT)
    if high <= low:
        raise ImageError("tissue: an image has one value everywhere; give one that shows the brain")
    return new_image(np.clip((values - low) / (high - low), 0, 1), image.affine)


def _atropos(  # noqa: PLR0917
    images: Sequence[nib.Nifti1Image],
    known: Array,
    brain: nib.Nifti1Image,
    priors: TissueMaps | None,
    prior_weight: float,
    smoothing: float,
) -> TissueMaps:
    """Return the probabilities where ``known``, 0 elsewhere."""
    import ants

    start: str | list[ants.ANTsImage] = "KMeans[3]"
    if priors is not None:
        start = [to_ants(new_image(m, brain.affine)) for m in (priors.csf, priors.grey, priors.white)]
    with _own_folder():
        found = ants.atropos(
            a=[to_ants(image) for image in images],
            x=to_ants(new_image(known, brain.affine)),
            i=start,
            m=f"[{smoothing},1x1x1]",
            c="[5,0]",
            priorweight=prior_weight,
            r=0,
        )
    csf, grey, white = (image.numpy() for image in found["probabilityimages"])
    return tissue_maps(white, grey, csf, known)


@contextmanager
def _own_folder() -> Iterator[None]:
    """Give ANTs, which leaves its files in the folder for temporary ones, such a folder of its own."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before
