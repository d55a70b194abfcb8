"""The features of a session's habitats, and what each column means."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gliaflow.images import Array
from gliaflow.tables import NAME_COLUMNS


def habitat_shares(labels: Array, number: int) -> Array:
    """Return the share of each habitat among voxels labelled from 1, shape (number,).

    >>> habitat_shares(np.array([1, 1, 3, 1]), 3).tolist()
    [0.75, 0.0, 0.25]
    """
    return np.bincount(labels, minlength=number + 1)[1:] / max(len(labels), 1)


def habitat_columns(number: int, maps: Sequence[str]) -> dict[str, str]:
    """Return every column of a table of habitats in its order, with its meaning.

    >>> list(habitat_columns(1, ["a"]))[3:]
    ['habitat_tumour_voxels', 'habitat_entropy', 'habitat_1_share', 'habitat_1_volume_ml', 'habitat_1_a_mean']
    """
    found = {
        **NAME_COLUMNS,
        "habitat_tumour_voxels": "Voxels of the tumour in the atlas; below habitats.least_voxels all that "
        "follows is empty",
        "habitat_entropy": "Entropy of the shares in bits: 0 where one habitat is the whole tumour",
    }
    for k in range(1, number + 1):
        found[f"habitat_{k}_share"] = f"Share of habitat {k} in the tumour's volume, 0 to 1"
        found[f"habitat_{k}_volume_ml"] = f"Volume of habitat {k} in ml, in the atlas"
        for name in maps:
            found[f"habitat_{k}_{name}_mean"] = f"Mean of {name} in habitat {k}; empty where it is absent"
    return found


def habitat_features(
    vectors: Array, labels: Array | None, number: int, maps: Sequence[str], voxel_ml: float
) -> dict[str, Any]:
    """Measure the habitats of a session.

    Parameters
    ----------
    vectors
        Values of the maps, shape (voxels, maps).
    labels
        Habitat of each voxel from 1; None for a tumour that is too small.
    number, maps
        Of the model.
    voxel_ml
        Volume of a voxel in ml.

    Returns
    -------
    dict
        By column of `habitat_columns`, but for those that name the session.
    """
    names = [name for name in habitat_columns(number, maps) if name.startswith("habitat_")]
    row: dict[str, Any] = dict.fromkeys(names)
    row["habitat_tumour_voxels"] = len(vectors)
    if labels is None:
        return row
    shares = habitat_shares(labels, number)
    row["habitat_entropy"] = abs(float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum()))
    for k in range(1, number + 1):
        here = vectors[labels == k]
        row[f"habitat_{k}_share"] = float(shares[k - 1])
        row[f"habitat_{k}_volume_ml"] = len(here) * voxel_ml
        for column, name in enumerate(maps):
            row[f"habitat_{k}_{name}_mean"] = float(here[:, column].mean()) if len(here) else None
    return row
