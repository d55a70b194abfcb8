"""All scores of one region of one session, and the columns of their table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.evaluate.scores import Score
from gliaflow.evaluate.surface import WORST_MM, surface_score
from gliaflow.images import Array, ml_per_voxel
from gliaflow.labels import REGIONS, region_mask

STATES = ("present", "missed", "absent", "false")
REGION_COLUMNS = {
    "region": "Region",
    "state": "present; missed: nothing found of it; absent; false: absent, yet found",
    "dice": "Dice coefficient; 1 where the region is absent and not found, 0 where it is missed or false",
    "iou": "Intersection over union (Jaccard index); 1 and 0 in these cases",
    "sensitivity": "Share of the truth that was found; empty where the region is absent",
    "specificity": "Share of the brain without the region where none was found; empty without brain mask",
    "precision": "Share of what was found that is true; empty where nothing was found",
    "hd95_mm": f"95 % Hausdorff distance in mm; 0 where the region is absent and not found, {WORST_MM} where "
    "it is missed or false",
    "assd_mm": "Average symmetric surface distance in mm; 0 and the same in these cases",
    "truth_ml": "Volume of the truth in ml",
    "found_ml": "Volume of what was found in ml",
    "volume_error": "Volume found less true volume, as a share of the true volume; empty where the region is "
    "absent",
}


@dataclass(frozen=True)
class RegionScore(Score):
    """All that is measured of how well a region was found; the columns of `REGION_COLUMNS`.

    Attributes
    ----------
    iou
        1 where the region is absent and not found, 0 where it is missed or false.
    specificity
        Share of the brain outside the truth in which nothing was found; None without a brain mask or where
        the truth fills it.
    assd_mm
        0 where the region is absent and not found, 373.13 where it is missed or false.
    volume_error
        (found - truth) / truth: -1 where the region is missed; None where it is not in the truth.
    """

    iou: float
    specificity: float | None
    assd_mm: float
    volume_error: float | None


def score_regions(
    truth: Array,
    found: Array,
    spacing: Sequence[float],
    brain: Array | None = None,
    regions: Sequence[str] = REGIONS,
) -> dict[str, RegionScore]:
    """Score regions of a label map.

    Parameters
    ----------
    truth, found
        Label maps with the values of resources/labels.tsv, integers of one shape (x, y, z).
    spacing
        Voxel size along the three axes in mm.
    brain
        Bool, of the same shape; None leaves the specificity out.
    regions
        Those that were determined.

    Returns
    -------
    dict
        By region.

    Raises
    ------
    ImageError
        The shapes differ.
    """
    return {
        region: score_region(region_mask(truth, region), region_mask(found, region), spacing, brain)
        for region in regions
    }


def score_region(
    truth: Array, found: Array, spacing: Sequence[float], brain: Array | None = None
) -> RegionScore:
    """Score a mask.

    Parameters
    ----------
    truth, found
        Bool, of one shape (x, y, z).
    spacing
        Voxel size along the three axes in mm.
    brain
        Bool, of the same shape, for the specificity alone; None leaves it out.

    Raises
    ------
    ImageError
        The shapes differ.

    Examples
    --------
    >>> truth, found = np.zeros((2, 4, 4, 4), dtype=bool)
    >>> truth[:2], found[:1] = True, True
    >>> score = score_region(truth, found, (1.0, 1.0, 2.0), np.ones_like(truth))
    >>> score.iou, score.sensitivity, score.specificity, score.truth_ml, score.volume_error
    (0.5, 0.5, 1.0, 0.064, -0.5)
    """
    _check_shapes(truth, found, brain)
    n_truth, n_found, both = (int(np.count_nonzero(mask)) for mask in (truth, found, truth & found))
    distances = surface_score(truth, found, spacing)
    either, voxel_ml = n_truth + n_found - both, ml_per_voxel(spacing)
    return RegionScore(
        dice=2 * both / (n_truth + n_found) if either else 1.0,
        iou=both / either if either else 1.0,
        sensitivity=_share(both, n_truth),
        specificity=None if brain is None else _specificity(truth, found, brain),
        precision=_share(both, n_found),
        hd95_mm=distances.hd95_mm,
        assd_mm=distances.assd_mm,
        truth_ml=n_truth * voxel_ml,
        found_ml=n_found * voxel_ml,
        volume_error=_share(n_found - n_truth, n_truth),
    )


def region_rows(scores: Mapping[str, RegionScore]) -> list[dict[str, Any]]:
    """Return a row with the columns `REGION_COLUMNS` for each region."""
    measures = tuple(REGION_COLUMNS)[1:]
    return [
        {"region": region, **{name: getattr(score, name) for name in measures}}
        for region, score in scores.items()
    ]


def _check_shapes(truth: Array, found: Array, brain: Array | None) -> None:
    shapes = [mask.shape for mask in (truth, found, brain) if mask is not None]
    if len(set(shapes)) > 1:
        named = ", ".join(
            f"{name} {shape}" for name, shape in zip(("truth", "found", "brain mask"), shapes, strict=False)
        )
        raise ImageError(f"masks of different shapes ({named}) cannot be compared; bring all to one grid")


def _specificity(truth: Array, found: Array, brain: Array) -> float | None:
    without = brain & ~truth
    negative = int(np.count_nonzero(without))
    return _share(negative - int(np.count_nonzero(without & found)), negative)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
