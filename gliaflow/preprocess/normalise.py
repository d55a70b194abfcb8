"""Intensity normalisation inside the brain; outside stays 0."""

from collections.abc import Callable

import numpy as np
from skimage.exposure import match_histograms

from gliaflow.errors import ImageError
from gliaflow.images import Array

MIN_VOXELS = 100


def normalise(
    image: Array,
    mask: Array,
    *,
    method: str = "zscore",
    percentiles: tuple[float, float] = (1.0, 99.0),
    reference: Array | None = None,
) -> Array:
    """Normalise the intensities of a brain.

    Parameters
    ----------
    image
        Shape (x, y, z), any scale.
    mask
        Bool, the same shape.
    method
        ``zscore`` (mean 0, SD 1 in the mask; BrainLes 2021, S14, S22, S26 and most others), ``percentile``
        (the percentiles become 0 and 1, values beyond are cut; S21) or ``histogram`` (matched to
        ``reference``; S27 does so against one case).
    percentiles
        Of the values in the mask, for ``percentile``.
    reference
        Any shape; its values above 0 are the histogram to match.

    Returns
    -------
    Array
        float32, 0 outside the mask.

    Raises
    ------
    ImageError
        The mask has fewer than 100 voxels, or the values in it are all the same.
    """
    inside = np.asarray(image, dtype=np.float64)[mask]
    if inside.size < MIN_VOXELS:
        raise ImageError(f"nothing to normalise: only {inside.size} voxels in the mask")
    if np.ptp(inside) == 0:
        raise ImageError(f"nothing to normalise: every voxel in the mask has the value {inside[0]:g}")
    if method == "histogram":
        values = _match(inside, reference)
    else:
        values = METHODS[method](inside, percentiles)
    result = np.zeros(image.shape, dtype=np.float32)
    result[mask] = values
    return result


def _zscore(values: Array, _: tuple[float, float]) -> Array:
    return (values - values.mean()) / values.std()


def _percentile(values: Array, percentiles: tuple[float, float]) -> Array:
    low, high = np.percentile(values, percentiles)
    if low == high:
        raise ImageError(f"percentiles {percentiles} of the brain are both {low:g}; widen them")
    return np.clip((values - low) / (high - low), 0, 1)


def _match(values: Array, reference: Array | None) -> Array:
    if reference is None:
        raise ImageError(
            "normalisation by histogram needs preprocess.normalisation.reference, a stripped image"
        )
    return match_histograms(values, reference[reference > 0].astype(np.float64))


METHODS: dict[str, Callable[[Array, tuple[float, float]], Array]] = {
    "zscore": _zscore,
    "percentile": _percentile,
}
