"""All features of one session: its label map on its own grid and in the atlas, and its images there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.features.change import change_features, rano_change_features
from gliaflow.features.columns import GROWTH_COLUMNS, MEASURED, UNCERTAINTY_COLUMNS, label_column
from gliaflow.features.intensity import (
    HISTOGRAM_MEANINGS,
    INTENSITY_MEANINGS,
    discretise,
    histogram_features,
    intensity_features,
)
from gliaflow.features.lesions import find_lesions, lesion_features
from gliaflow.features.location import AtlasMaps, hemisphere, location_features, main_lobe
from gliaflow.features.rano import measure_lesions, rano_features
from gliaflow.features.shape import shape_features
from gliaflow.features.texture import TEXTURE_MEANINGS, cooccurrence, texture_features
from gliaflow.fuse.volumes import region_volumes
from gliaflow.images import Array, ml_per_voxel
from gliaflow.labels import REGIONS, SEQUENCES, label_table, meaning, region_mask
from gliaflow.masks import boxes_round

Row = dict[str, Any]


@dataclass(frozen=True)
class FeatureSettings:
    """The keys of the config's section ``features`` that numbers depend on."""

    neighbours: int = 26
    smallest_lesion_ml: float = 0.05
    measurable_mm: float = 10.0
    bins: int = 32


@dataclass(frozen=True)
class Segmented:
    """A label map in RAS order (integers, shape (x, y, z)), its voxel size in mm, the regions determined."""

    labels: Array
    spacing: tuple[float, float, float]
    regions: Sequence[str]


def session_features(
    own: Segmented,
    in_atlas: Array,
    images: Mapping[str, Array],
    atlas: AtlasMaps,
    settings: FeatureSettings,
) -> Row:
    """Measure volumes, lesions, shapes, diameters, location, intensities and texture of a session.

    Parameters
    ----------
    own
        The label map on the patient's own grid, where volumes, lesions, shapes and diameters are measured.
    in_atlas
        The label map in the atlas, where location, intensities and texture are, integers, shape (x, y, z).
    images
        Normalised images there, by sequence, float32; one that is missing gives empty columns.
    atlas
        What is known of the atlas, on the same grid.
    settings
        See `FeatureSettings`.

    Returns
    -------
    dict
        By column. A region that is absent has 0 ml and no lesion, and nothing else; one that was not
        determined has nothing at all.

    Raises
    ------
    ImageError
        An image, or what is known of the atlas, has another shape than the label map there.
    """
    for name, array in {"brain mask of the atlas": atlas.brain, **images}.items():
        if array.shape != in_atlas.shape:
            raise ImageError(
                f"{name}: has shape {array.shape}, but the label map {in_atlas.shape}; make both again"
            )
    row = volumes(own)
    for region in REGIONS:
        there = region in own.regions
        row |= _prefixed(region, _or_none(there, _geometry, own, region, settings))
        row |= _prefixed(region, location_features(_masked(in_atlas, region, there), atlas))
        for sequence in SEQUENCES:
            image = images.get(sequence)
            mask = _masked(in_atlas, region, there and image is not None)
            found = image_features(in_atlas if image is None else image, mask, settings.bins)
            row |= _prefixed(f"{region}_{sequence}", found)
    for region in MEASURED:
        row |= _prefixed(region, _or_none(region in own.regions, _diameters, own, region, settings))
    row["hemisphere"] = hemisphere(row["wt_left_share"])
    row["lobe"] = main_lobe(_masked(in_atlas, "WT", "WT" in own.regions), atlas)
    return row


def volumes(own: Segmented) -> Row:
    """Measure the volumes of regions and labels in ml; None for what was not determined.

    >>> found = volumes(Segmented(np.array([[[0, 2, 2]]]), (10.0, 10.0, 10.0), ["WT"]))
    >>> found["wt_volume_ml"], found["tc_volume_ml"], found["oedema_volume_ml"]
    (2.0, None, None)
    """
    voxel_ml = ml_per_voxel(own.spacing)
    row: Row = dict(region_volumes(own.labels, voxel_ml, own.regions))
    known = meaning(own.regions)
    for label in label_table():
        count = int((own.labels == label.value).sum())
        determined = known.get(str(label.value)) == label.name or (count > 0 and not label.regions)
        row[label_column(label.name)] = count * voxel_ml if determined else None
    return row


def image_features(image: Array, mask: Array, bins: int) -> dict[str, float | None]:
    """Return first-order features and texture of a region in an image; None where the mask is empty.

    Parameters
    ----------
    image
        Intensities, shape (x, y, z).
    mask
        Bool, of the same shape.
    bins
        Levels for histogram and texture: IBSI's fixed bin number, over the region's own range.
    """
    boxes = boxes_round(mask, 0)
    if not boxes:
        return dict.fromkeys([*INTENSITY_MEANINGS, *HISTOGRAM_MEANINGS, *TEXTURE_MEANINGS])
    inside = mask[boxes[0]]
    values = image[boxes[0]][inside]
    levels = np.zeros(inside.shape, dtype=np.int64)
    levels[inside] = discretise(values, bins)
    return {
        **intensity_features(values),
        **histogram_features(levels[inside]),
        **texture_features(cooccurrence(levels, bins)),
    }


def changes(row: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> Row:
    """Return what changed since the earlier sessions, by column.

    Parameters
    ----------
    row
        Features of a session with its ``days``.
    earlier
        Those of the subject's earlier sessions, in their order.
    """
    before = earlier[-1]["days"] if earlier else None
    days = None if before is None or row["days"] is None else row["days"] - before
    found: Row = {"days_since_previous": days}
    for region in REGIONS:
        found |= _prefixed(region, change_features(region.lower(), row, earlier, days))
    for region in MEASURED:
        found |= _prefixed(region, rano_change_features(region.lower(), row, earlier))
    return found


def uncertainty_features(row: Mapping[str, Any]) -> Row:
    """Return what a session's table of uncertainty says, but for the volumes, which are the atlas' there."""
    return {name: row[name] for name in UNCERTAINTY_COLUMNS}


def growth_features(fit: Mapping[str, Any] | None) -> Row:
    """Return what fit.json says of the growth, by column; None for what its model does not have.

    >>> growth_features({"model": "eikonal", "seed": {"spread_mm": 2.0}})["growth_seed_spread_mm"]
    2.0
    """
    best = (fit or {}).get("fit", {}).get("best", {})
    values = (
        best.get("kappa_white_per_rho_mm2"),
        best.get("white_grey_ratio"),
        best.get("rho_days"),
        (fit or {}).get("seed", {}).get("spread_mm"),
    )
    return dict(zip(GROWTH_COLUMNS, values, strict=True))


def _geometry(own: Segmented, region: str, settings: FeatureSettings) -> Row:
    mask = region_mask(own.labels, region)
    _, sizes = find_lesions(
        mask,
        ml_per_voxel(own.spacing),
        neighbours=settings.neighbours,
        smallest_ml=settings.smallest_lesion_ml,
    )
    return lesion_features(sizes) | shape_features(mask, own.spacing)


def _diameters(own: Segmented, region: str, settings: FeatureSettings) -> Row:
    lesions = measure_lesions(
        own.labels,
        region,
        own.spacing,
        own.regions,
        neighbours=settings.neighbours,
        smallest_ml=settings.smallest_lesion_ml,
    )
    return rano_features(lesions, settings.measurable_mm)


def _or_none(
    there: bool,
    measure: Callable[[Segmented, str, FeatureSettings], Row],
    own: Segmented,
    region: str,
    settings: FeatureSettings,
) -> Row:
    """Measure a region, or give the same columns without values where it was not determined."""
    if there:
        return measure(own, region, settings)
    empty = Segmented(np.zeros((1, 1, 1), dtype=np.uint8), own.spacing, own.regions)
    return dict.fromkeys(measure(empty, region, settings))


def _masked(labels: Array, region: str, there: bool) -> Array:
    return region_mask(labels, region) if there else np.zeros(labels.shape, dtype=bool)


def _prefixed(prefix: str, values: Mapping[str, Any]) -> Row:
    return {f"{prefix.lower()}_{name}": value for name, value in values.items()}
