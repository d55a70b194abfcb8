"""Where a region lies in the atlas: its centre, side, tissue, lobes and distance to the ventricles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.images import Array

BOTH_SIDES = 0.1
"""A lesion with at least this share on its smaller side lies on both."""
TISSUES = {"WM": "white matter", "GM": "grey matter", "CSF": "cerebrospinal fluid"}
LOCATION_MEANINGS = {
    "centre_x_mm": "Centre of mass of the {region} in the atlas, mm to the right of its origin",
    "centre_y_mm": "The same of the {region}, mm to the front",
    "centre_z_mm": "The same of the {region}, mm upwards",
    "left_share": "Share of the {region} in the left half of the atlas' brain",
    "ventricle_distance_mm": "Shortest distance of the {region} to the atlas' lateral ventricles in mm, 0 "
    "where it reaches them",
    **{
        f"{short.lower()}_share": f"Mean probability of {name} in the atlas where the {{region}} lies"
        for short, name in TISSUES.items()
    },
}
HEMISPHERE = (
    f"left, right, or both where the smaller side holds {BOTH_SIDES:.0%} and more; of the whole tumour"
)
LOBE = "Part of features.lobes that holds most of the whole tumour; empty where most of it lies in none"


@dataclass(frozen=True)
class AtlasMaps:
    """What is known of the atlas, on the grid of a session's label map.

    Attributes
    ----------
    affine
        Voxel to RAS+ mm, shape (4, 4).
    brain
        Bool, shape (x, y, z).
    tissue
        Probabilities in [0, 1] by the names of `TISSUES`; those that are known.
    ventricles
        Bool, None where they are not known.
    lobes
        Label map, None where there is none.
    lobe_names
        The column name of each of its values, from `lobe_columns`.
    """

    affine: Array
    brain: Array
    tissue: Mapping[str, Array] = field(default_factory=dict)
    ventricles: Array | None = None
    lobes: Array | None = None
    lobe_names: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def midline_mm(self) -> float:
        """The brain's centre of mass from left to right: an atlas' origin need not lie in the middle."""
        return float(nib.affines.apply_affine(self.affine, ndimage.center_of_mass(self.brain))[0])

    @cached_property
    def ventricle_distance_mm(self) -> Array | None:
        """Distance of each voxel to the ventricles in mm, shape (x, y, z)."""
        if self.ventricles is None or not self.ventricles.any():
            return None
        spacing = nib.affines.voxel_sizes(self.affine)
        return np.asarray(ndimage.distance_transform_edt(~self.ventricles, sampling=spacing))


def lobe_columns(names: Mapping[int, str]) -> dict[int, str]:
    """Return the names of an atlas' parts as they stand in column names.

    >>> lobe_columns({1: "Frontal lobe (L)"})
    {1: 'frontal_lobe_l'}
    """
    return {value: re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for value, name in names.items()}


def location_features(mask: Array, atlas: AtlasMaps) -> dict[str, float | None]:
    """Say where a region lies.

    Parameters
    ----------
    mask
        Bool, on the grid of the atlas, shape (x, y, z).
    atlas
        What is known of it.

    Returns
    -------
    dict
        With the keys of `LOCATION_MEANINGS`, and ``lobe_<name>_share`` for each of the lobes; None for an
        empty mask, and for what is not known of the atlas.
    """
    lobes = {f"lobe_{name}_share": value for value, name in atlas.lobe_names.items()}
    if not mask.any():
        return dict.fromkeys([*LOCATION_MEANINGS, *lobes])
    voxels = np.argwhere(mask)
    places = nib.affines.apply_affine(atlas.affine, voxels)
    x, y, z = (float(v) for v in places.mean(axis=0))
    side = places[:, 0] - atlas.midline_mm
    where, far = tuple(voxels.T), atlas.ventricle_distance_mm
    found = {
        "centre_x_mm": x,
        "centre_y_mm": y,
        "centre_z_mm": z,
        "left_share": float(np.mean(np.where(np.abs(side) < 1e-3, 0.5, side < 0))),
        "ventricle_distance_mm": None if far is None else float(far[where].min()),
    }
    for name in TISSUES:
        known = name in atlas.tissue
        found[f"{name.lower()}_share"] = float(atlas.tissue[name][where].mean()) if known else None
    inside = atlas.lobes[where] if atlas.lobes is not None else None
    shares = {
        name: None if inside is None else float((inside == value).mean()) for name, value in lobes.items()
    }
    return found | shares


def hemisphere(left_share: float | None) -> str | None:
    """Name the side of a lesion; see `HEMISPHERE`.

    >>> hemisphere(0.95), hemisphere(0.05), hemisphere(0.6), hemisphere(None)
    ('left', 'right', 'both', None)
    """
    if left_share is None:
        return None
    if min(left_share, 1 - left_share) >= BOTH_SIDES:
        return "both"
    return "left" if left_share > 0.5 else "right"


def main_lobe(mask: Array, atlas: AtlasMaps) -> str | None:
    """Name the part of the atlas that holds most of a region; see `LOBE`."""
    if atlas.lobes is None or not mask.any():
        return None
    values, counts = np.unique(atlas.lobes[mask], return_counts=True)
    return atlas.lobe_names.get(int(values[np.argmax(counts)]))
