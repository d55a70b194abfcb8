"""What the members of one session come to, region by region."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations

import numpy as np
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.evaluate.surface import surface
from gliaflow.fuse.volumes import CONNECTED
from gliaflow.images import Array, ml_per_voxel
from gliaflow.labels import REGIONS, region_mask
from gliaflow.masks import boxes_round
from gliaflow.uncertainty.maps import Ensemble, in_brain, on_grid

ENOUGH_MEMBERS = 40
"""With fewer, no member lies outside the percentiles 2.5 and 97.5, and the interval is the range."""


@dataclass(frozen=True)
class RegionNumbers:
    """How sure one region of one session is; None where there is nothing to tell it from.

    Attributes
    ----------
    volume_ml
        Of the fused segmentation; cleaning and other thresholds than 0.5 may take it out of the interval.
    volume_low_ml, volume_high_ml
        The interval of the members' volumes: percentiles 2.5 and 97.5 of 40 members or more, the smallest
        and largest of fewer; None for one member.
    volume_cv
        Coefficient of variation of the members' volumes (standard deviation with n - 1); None for one
        member, or where none found anything.
    pairwise_dice
        Mean Dice between members, two empty ones agreeing; None for one member.
    entropy_inside_bit, entropy_border_bit
        Mean entropy of the mean probability, inside the fused segmentation and near its surface; None where
        that is empty.
    uncertain_components, uncertain_components_ml
        Separate parts of what any member found (26 neighbours) that too few members found something of:
        their number and volume; None for one member.
    """

    volume_ml: float
    volume_low_ml: float | None
    volume_high_ml: float | None
    volume_cv: float | None
    pairwise_dice: float | None
    entropy_inside_bit: float | None
    entropy_border_bit: float | None
    uncertain_components: int | None
    uncertain_components_ml: float | None


MEANINGS = {
    "volume_ml": "Volume of the {region} in ml",
    "volume_low_ml": "Lower end of the members' volumes of the {region} in ml: percentile 2.5 of 40 members "
    "or more, the smallest of fewer; empty for one member",
    "volume_high_ml": "Upper end of the members' volumes of the {region} in ml, likewise",
    "volume_cv": "Coefficient of variation of the members' volumes of the {region}",
    "pairwise_dice": "Mean Dice coefficient between members of the {region}; 1 where all are empty, empty "
    "for one member",
    "entropy_inside_bit": "Mean entropy in bit inside the {region}, 0 (sure) to 1",
    "entropy_border_bit": "Mean entropy in bit near the surface of the {region}",
    "uncertain_components": "Number of separate parts of the {region} that few members found something of",
    "uncertain_components_ml": "Volume of these parts in ml, all that any member found of them",
}
REGION_NAMES = {"WT": "whole tumour", "TC": "tumour core", "ET": "enhancing tumour"}
NUMBER_COLUMNS = {
    "members": "Number of ensemble members",
    **{
        f"{region.lower()}_{name}": meaning.format(region=REGION_NAMES[region])
        for region in REGIONS
        for name, meaning in MEANINGS.items()
    },
}


@dataclass(frozen=True)
class MemberNumbers:
    """What the members alone tell of one region, before there is a label map; see `RegionNumbers`.

    ``parts`` are the separate parts of what any member found (26 neighbours): the share of the members that
    found something of each, and its volume in ml; None for one member.
    """

    volume_low_ml: float | None
    volume_high_ml: float | None
    volume_cv: float | None
    pairwise_dice: float | None
    parts: tuple[tuple[float, float], ...] | None


def member_numbers(
    ensemble: Ensemble, regions: Sequence[str], spacing: Sequence[float]
) -> dict[str, MemberNumbers]:
    """Measure how the members of a session differ.

    Parameters
    ----------
    ensemble
        The members.
    regions
        What each of their channels stands for.
    spacing
        Voxel size along the three axes in mm.

    Raises
    ------
    ImageError
        The members have other regions.
    """
    if len(regions) != len(ensemble):
        raise ImageError(f"members of {len(ensemble)} regions, but {len(regions)} are named; name each once")
    voxel_ml = ml_per_voxel(spacing)
    return {region: _of_members(ensemble, k, voxel_ml) for k, region in enumerate(regions)}


def labelled_numbers(
    members: Mapping[str, MemberNumbers],
    entropy: Array,
    labels: Array,
    brain: Array,
    spacing: Sequence[float],
    *,
    shell_mm: float = 2.0,
    share: float = 0.5,
) -> dict[str, RegionNumbers]:
    """Measure how sure each region of a label map is.

    Parameters
    ----------
    members
        What the members tell, by region.
    entropy
        Of their mean, in bit, shape (x, y, z, regions), in the order of ``members``.
    labels
        The fused label map on their grid, integers, shape (x, y, z).
    brain
        Bool, of the same shape.
    spacing
        Voxel size along the three axes in mm.
    shell_mm
        What is near the surface: voxels inside and outside whose centre is at most this far from one with a
        face towards the background.
    share
        A part that fewer than this share of the members found something of is uncertain.

    Raises
    ------
    ImageError
        The label map has another shape.
    """
    if labels.shape != brain.shape:
        raise ImageError(
            f"a label map of shape {labels.shape} and members of {brain.shape}; bring both to one grid"
        )
    return {
        region: _numbers(
            of_members, entropy[..., k], region_mask(labels, region), brain, spacing, shell_mm, share
        )
        for k, (region, of_members) in enumerate(members.items())
    }


def region_numbers(
    ensemble: Ensemble,
    labels: Array,
    regions: Sequence[str],
    spacing: Sequence[float],
    *,
    shell_mm: float = 2.0,
    share: float = 0.5,
) -> dict[str, RegionNumbers]:
    """Measure how sure each region of a session is: `member_numbers` and `labelled_numbers` in one.

    Raises
    ------
    ImageError
        The label map has another shape, or the members other regions.
    """
    members = member_numbers(ensemble, regions, spacing)
    entropy = on_grid(ensemble.entropy, ensemble.brain)
    return labelled_numbers(members, entropy, labels, ensemble.brain, spacing, shell_mm=shell_mm, share=share)


def number_row(members: int, numbers: Mapping[str, RegionNumbers]) -> dict[str, float | int | None]:
    """Return the numbers as a row with `NUMBER_COLUMNS`; None for a region that was not determined."""
    names = [field.name for field in fields(RegionNumbers)]
    row: dict[str, float | int | None] = {"members": members}
    for region in REGIONS:
        values = asdict(numbers[region]) if region in numbers else dict.fromkeys(names)
        row |= {f"{region.lower()}_{name}": _rounded(values[name]) for name in names}
    return row


def pairwise_dice(masks: Array) -> float | None:
    """Return the mean Dice coefficient over all pairs of members, two empty ones agreeing (1).

    Parameters
    ----------
    masks
        Packed by ``numpy.packbits``, shape (members, bytes).

    Returns
    -------
    float or None
        None for one member.

    Examples
    --------
    >>> pairwise_dice(np.packbits([[1, 1, 0], [1, 1, 1], [1, 1, 1]], axis=1))
    0.8666666666666667
    """
    found = masks[:, masks.any(axis=0)]
    sizes = _sizes(found)
    scores = [
        2 * int(_sizes(found[i] & found[j])) / total if (total := int(sizes[i] + sizes[j])) else 1.0
        for i, j in combinations(range(len(found)), 2)
    ]
    return math.fsum(scores) / len(scores) if scores else None


def seen_parts(masks: Array, brain: Array) -> tuple[tuple[float, int], ...]:
    """Find the separate parts of what any member found, and how many members found something of each.

    Parameters
    ----------
    masks
        Packed by ``numpy.packbits``, shape (members, bytes), as in an `Ensemble`.
    brain
        Bool, shape (x, y, z).

    Returns
    -------
    tuple
        For each part (26 neighbours) the share of the members, and its number of voxels.
    """
    size = int(np.count_nonzero(brain))
    union = _unpacked(np.bitwise_or.reduce(masks), size)
    parts, number = ndimage.label(on_grid(union, brain), structure=CONNECTED)
    part = in_brain(parts, brain)
    seen = np.zeros(number + 1, dtype=np.int64)
    for mask in masks:
        seen += np.bincount(part[_unpacked(mask, size)], minlength=number + 1) > 0
    voxels = np.bincount(part, minlength=number + 1)
    return tuple((int(n) / len(masks), int(v)) for n, v in zip(seen[1:], voxels[1:], strict=True))


def uncertain_parts(parts: Sequence[tuple[float, float]], share: float = 0.5) -> tuple[int, float]:
    """Count the parts that fewer than a share of the members found, and add up their sizes.

    >>> uncertain_parts([(1.0, 40), (0.25, 3), (0.5, 2)])
    (1, 3.0)
    """
    few = [size for seen, size in parts if seen < share]
    return len(few), math.fsum(few)


def border(mask: Array, spacing: Sequence[float], shell_mm: float) -> Array:
    """Return the voxels within a distance of a mask's surface voxels (bool), these included.

    >>> mask = np.zeros((9, 1, 1), dtype=bool)
    >>> mask[3:6] = True
    >>> border(mask, (1.0, 9.0, 9.0), 1.0).ravel().astype(int).tolist()
    [0, 0, 1, 1, 1, 1, 1, 0, 0]
    """
    shell = np.zeros(mask.shape, dtype=bool)
    for box in boxes_round(mask, math.ceil(shell_mm / min(spacing)) + 1):
        distance = ndimage.distance_transform_edt(~surface(mask[box]), sampling=spacing)
        shell[box] = distance <= shell_mm
    return shell


def _of_members(ensemble: Ensemble, k: int, voxel_ml: float) -> MemberNumbers:
    masks = ensemble.masks[k]
    volumes = _sizes(masks) * voxel_ml
    if len(masks) == 1:
        return MemberNumbers(None, None, None, None, None)
    low, high = _interval(volumes)
    return MemberNumbers(
        volume_low_ml=low,
        volume_high_ml=high,
        volume_cv=float(volumes.std(ddof=1) / volumes.mean()) if volumes.any() else None,
        pairwise_dice=pairwise_dice(masks),
        parts=tuple((seen, voxels * voxel_ml) for seen, voxels in seen_parts(masks, ensemble.brain)),
    )


def _numbers(  # noqa: PLR0917
    members: MemberNumbers,
    entropy: Array,
    fused: Array,
    brain: Array,
    spacing: Sequence[float],
    shell_mm: float,
    share: float,
) -> RegionNumbers:
    few, few_ml = (None, None) if members.parts is None else uncertain_parts(members.parts, share)
    return RegionNumbers(
        volume_ml=int(fused.sum()) * ml_per_voxel(spacing),
        volume_low_ml=members.volume_low_ml,
        volume_high_ml=members.volume_high_ml,
        volume_cv=members.volume_cv,
        pairwise_dice=members.pairwise_dice,
        entropy_inside_bit=_mean(entropy[fused & brain]),
        entropy_border_bit=_mean(entropy[border(fused, spacing, shell_mm) & brain]),
        uncertain_components=few,
        uncertain_components_ml=few_ml,
    )


def _interval(volumes: Array) -> tuple[float, float]:
    ends = (2.5, 97.5) if len(volumes) >= ENOUGH_MEMBERS else (0, 100)
    low, high = np.percentile(volumes, ends)
    return float(low), float(high)


def _mean(values: Array) -> float | None:
    return float(values.mean(dtype=np.float64)) if values.size else None


def _sizes(masks: Array) -> Array:
    return np.asarray(np.bitwise_count(masks).sum(axis=-1, dtype=np.int64))


def _unpacked(mask: Array, size: int) -> Array:
    return np.unpackbits(mask, count=size).astype(bool)


def _rounded(value: float | int | None) -> float | int | None:
    return round(value, 4) if isinstance(value, float) else value
