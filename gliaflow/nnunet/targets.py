"""What a network is trained to find: the regions of a tumour, the brain, or how many raters mark a region."""

from collections.abc import Sequence

import numpy as np

from gliaflow.images import Array
from gliaflow.labels import region_labels

TUMOUR, BRAIN = "tumour", "brain"
TARGETS = (TUMOUR, BRAIN)
RATERS = "raters"
"""How many of several raters mark one region of a tumour (BrainLes 2021, S9)."""
ANY_SEQUENCE = "any"
"""The one channel of a network that takes any sequence."""
BRAIN_VALUES = (1, 2)
"""nnU-Net gives a sigmoid only to a class of several values; the second of these never occurs."""


def target_of(regions: Sequence[str]) -> str:
    """Return what a network with these regions finds.

    >>> target_of(["WT", "ET"]), target_of(["brain"])
    ('tumour', 'brain')
    """
    return BRAIN if tuple(regions) == (BRAIN,) else TUMOUR


def region_values(region: str) -> tuple[int, ...]:
    """Return the label values of a region of a tumour or of ``brain`` in nnU-Net's ``dataset.json``.

    >>> region_values("TC"), region_values("brain")
    ((1, 3), (1, 2))
    """
    return BRAIN_VALUES if region == BRAIN else region_labels(region)


def inside_region(labels: Array, region: str) -> Array:
    """Return where a label map (any shape, integers) belongs to a region, as bool."""
    return np.isin(labels, region_values(region))
