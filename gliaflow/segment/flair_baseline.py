"""Training-free whole-tumour segmenter: a threshold on histogram-equalised FLAIR (BrainLes 2021, S5)."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.exposure import equalize_hist

from gliaflow.images import Array

HISTOGRAM_BINS = 256


@dataclass(frozen=True)
class FlairSettings:
    """Settings of the baseline; 0 for both lengths and the share, and no filling, make it the paper's method.

    Attributes
    ----------
    threshold
        On the equalised intensity in [0, 1]: the share of the brain that is darker.
    smoothing_mm
        Standard deviation of a Gaussian inside the brain, before equalisation.
    opening_mm
        Radius of a ball: what is thinner than twice this is no lesion.
    min_component_voxels
        Smaller components are dropped.
    min_component_share
        Components smaller than this share of the largest are dropped.
    fill_holes
        Whether what a lesion encloses, such as a dark necrotic core, belongs to it.
    """

    threshold: float = 0.96
    smoothing_mm: float = 1.5
    opening_mm: float = 2.0
    min_component_voxels: int = 20
    min_component_share: float = 0.35
    fill_holes: bool = True


def anomaly_map(flair: Array, mask: Array, spacing: tuple[float, float, float], smoothing_mm: float) -> Array:
    """Equalise the histogram of FLAIR inside the brain; the brighter, the more anomalous.

    Parameters
    ----------
    flair
        Shape (x, y, z), any scale, without bias correction (which flattens lesions).
    mask
        Brain, bool, the same shape.
    spacing
        Voxel size in mm.
    smoothing_mm
        Standard deviation of the Gaussian that is applied first, 0 for none.

    Returns
    -------
    Array
        float32 in [0, 1], 0 outside the brain: the share of brain voxels that are at most as bright.
    """
    smooth = _smooth_inside(flair, mask, [smoothing_mm / s for s in spacing]) if smoothing_mm > 0 else flair
    equalised = equalize_hist(smooth, HISTOGRAM_BINS, mask=mask)
    return np.where(mask, equalised, 0).astype(np.float32)


def whole_tumour_probability(
    flair: Array, mask: Array, spacing: tuple[float, float, float], settings: FlairSettings
) -> Array:
    """Segment the whole tumour on FLAIR.

    Parameters
    ----------
    flair, mask, spacing
        As for `anomaly_map`.
    settings
        See `FlairSettings`.

    Returns
    -------
    Array
        float32 in [0, 1]: the anomaly map, stretched so that the threshold lies at 0.5, and held below 0.5
        outside the lesions that are kept. It ranks voxels; it is not a calibrated probability.
    """
    anomaly = anomaly_map(flair, mask, spacing, settings.smoothing_mm)
    stretched = np.interp(anomaly, [0, settings.threshold, 1], [0, 0.5, 1]).astype(np.float32)
    lesion = keep_components(open_ball(anomaly > settings.threshold, spacing, settings.opening_mm), settings)
    lesion = ndimage.binary_fill_holes(lesion) if settings.fill_holes else lesion
    return np.where(lesion, np.maximum(stretched, 0.51), np.minimum(stretched, 0.49))


def open_ball(mask: Array, spacing: tuple[float, float, float], radius_mm: float) -> Array:
    """Open a bool array with a ball, by distances in mm, so that any spacing will do."""
    if radius_mm <= 0 or not mask.any():
        return mask
    core = ndimage.distance_transform_edt(mask, sampling=spacing) > radius_mm
    if not core.any():
        return core
    return mask & (ndimage.distance_transform_edt(~core, sampling=spacing) <= radius_mm)


def keep_components(mask: Array, settings: FlairSettings) -> Array:
    """Keep the 3-D components (faces touch) that are large enough, in voxels and against the largest."""
    components, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    least = max(settings.min_component_voxels, settings.min_component_share * sizes.max(), 1)
    return (sizes >= least)[components]


def _smooth_inside(image: Array, mask: Array, sigma: list[float]) -> Array:
    """Smooth with the brain as the only source, so that the edge is not darkened by what lies outside."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(mask, image, 0).astype(np.float32), sigma)
    return np.divide(smooth, weight, out=np.zeros_like(smooth), where=mask)
