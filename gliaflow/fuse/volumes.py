"""The volumes of a label map."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.labels import REGIONS, region_mask
from gliaflow.tables import NAME_COLUMNS

CONNECTED = np.ones((3, 3, 3), dtype=bool)


def region_volumes(labels: Array, voxel_ml: float, regions: Sequence[str]) -> dict[str, float | None]:
    """Return by column, such as ``wt_volume_ml``, the volume of each region; None if it was not determined.

    >>> region_volumes(np.array([2, 2, 0]), 0.5, ["WT"])
    {'wt_volume_ml': 1.0, 'tc_volume_ml': None, 'et_volume_ml': None}
    """
    return {
        f"{region.lower()}_volume_ml": float(region_mask(labels, region).sum() * voxel_ml)
        if region in regions
        else None
        for region in REGIONS
    }


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
    volumes = {
        column: None if volume is None else round(volume, 3)
        for column, volume in region_volumes(labels, voxel_ml, regions).items()
    }
    _, count = ndimage.label(region_mask(labels, "WT"), structure=CONNECTED)
    return {**volumes, "wt_components": int(count)}


VOLUME_COLUMNS = {
    **NAME_COLUMNS,
    "model": "Model of config/models.yaml that segmented the session",
    "wt_volume_ml": "Volume of the whole tumour in ml",
    "tc_volume_ml": "Volume of the tumour core in ml; empty where the model does not determine it",
    "et_volume_ml": "Volume of the enhancing tumour in ml; empty where the model does not determine it",
    "wt_components": "Number of separate lesions (26 neighbours)",
}
