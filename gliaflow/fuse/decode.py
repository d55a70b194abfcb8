"""From region probabilities to a label map and its volumes."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.labels import REGIONS, encode, region_mask

CONNECTED = np.ones((3, 3, 3), dtype=bool)


def decode(
    probabilities: Array,
    regions: Sequence[str],
    threshold: Mapping[str, float],
    min_component_voxels: int = 0,
) -> Array:
    """Turn region probabilities into a label map.

    Parameters
    ----------
    probabilities
        Shape (x, y, z, regions), floating point in [0, 1].
    regions
        What each channel stands for; ``WT`` is among them.
    threshold
        Per region: at or above is inside.
    min_component_voxels
        Lesions with fewer voxels are dropped.

    Returns
    -------
    Array
        uint8, shape (x, y, z), values of resources/labels.tsv.
    """
    labels = encode({name: probabilities[..., k] >= threshold[name] for k, name in enumerate(regions)})
    return drop_small(labels, min_component_voxels)


def drop_small(labels: Array, min_voxels: int) -> Array:
    """Set components of the whole tumour with fewer voxels (26 neighbours) to 0."""
    components, _ = ndimage.label(region_mask(labels, "WT"), structure=CONNECTED)
    sizes = np.bincount(components.ravel())
    small = sizes < min_voxels
    small[0] = False
    return np.where(small[components], 0, labels).astype(np.uint8)


def measure(labels: Array, voxel_ml: float, regions: Sequence[str]) -> dict[str, float | int | None]:
    """Measure the regions of a label map.

    Parameters
    ----------
    labels
        Integers, shape (x, y, z).
    voxel_ml
        Volume of a voxel in ml.
    regions
        The regions that were determined.

    Returns
    -------
    dict
        ``wt_volume_ml``, ``tc_volume_ml``, ``et_volume_ml`` (None where not determined, never 0 instead) and
        ``wt_components``, the number of separate lesions (26 neighbours).
    """
    volumes: dict[str, float | int | None] = {
        f"{region.lower()}_volume_ml": round(float(region_mask(labels, region).sum() * voxel_ml), 3)
        if region in regions
        else None
        for region in REGIONS
    }
    _, count = ndimage.label(region_mask(labels, "WT"), structure=CONNECTED)
    return {**volumes, "wt_components": int(count)}


VOLUME_COLUMNS = {
    "cohort": "Cohort of the sample sheet",
    "subject": "Subject of the sample sheet",
    "session": "Session of the sample sheet",
    "model": "Model of config/models.yaml that segmented the session",
    "wt_volume_ml": "Volume of the whole tumour in ml",
    "tc_volume_ml": "Volume of the tumour core in ml; empty where the model does not determine it",
    "et_volume_ml": "Volume of the enhancing tumour in ml; empty where the model does not determine it",
    "wt_components": "Number of separate lesions (26 neighbours)",
}
