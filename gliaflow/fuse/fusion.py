"""From the label maps of several raters to one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib

from gliaflow.config.mistakes import listing, nearest, show
from gliaflow.errors import ConfigError
from gliaflow.fuse.options import check_options
from gliaflow.fuse.raters import Raters, read_raters
from gliaflow.fuse.simple import agreement, simple
from gliaflow.fuse.staple import staple
from gliaflow.fuse.voting import Fused, Performance, majority, score_weighted, source, weighted
from gliaflow.images import Array

METHODS: Mapping[str, Callable[..., Fused]] = {
    "majority": majority,
    "weighted": weighted,
    "staple": staple,
    "simple": simple,
    "score_weighted": score_weighted,
    "source": source,
}
DIGITS = 6
"""What a performance is rounded to, so that it is the same on every machine."""


@dataclass(frozen=True)
class FusionResult:
    """A fused label map and how it came about; all but the arrays can be written as JSON.

    Attributes
    ----------
    labels
        uint8, shape (x, y, z), values of resources/labels.tsv.
    regions
        The regions that were fused; empty where it was labels.
    probability
        float32, shape (x, y, z, regions): the share of the votes, or STAPLE's posterior; one half or more is
        inside, and where no rater gives a label it is 0. None where labels were fused.
    performance
        By rater and part (a region, or a label as text): ``dice``, the Dice coefficient with the fused
        part, and what the method found besides.
    dropped
        By rater and part, why the rater was left out of it.
    ties
        In how many voxels what was best had an equal.
    rounds
        Rounds until nothing changed, of the part that took most; 0 where a method needs none.
    """

    labels: Array
    regions: tuple[str, ...]
    probability: Array | None
    performance: Performance
    dropped: Mapping[str, Mapping[str, str]]
    ties: int
    rounds: int


def fuse(
    segmentations: Mapping[str, nib.Nifti1Image],
    method: str,
    labels: Sequence[int],
    *,
    by: str = "label",
    allow_empty: bool = False,
    **options: Any,
) -> FusionResult:
    """Fuse label maps of one image by several raters: persons, algorithms or models.

    The order of the raters is of no effect. Ties: of regions, one half is inside, as a probability at its
    threshold is; of labels that are equally good, the one that stands first in ``labels`` wins, and the
    background only where it is best alone. A plain vote of two raters on regions is therefore their union.

    Parameters
    ----------
    segmentations
        Label maps by the rater's name, shape (x, y, z), values of resources/labels.tsv, on one grid.
    method
        A name of `METHODS`.
    labels
        The label values that the maps may hold, without the background, 0.
    by
        ``label``: every label against all others at once; ``region``: WT, TC (if 1 is among the labels)
        and ET (if 3 is) each by itself, put together by `gliaflow.labels.encode`.
    allow_empty
        Whether a rater may have labelled nothing, which counts as a vote for the background.
    **options
        Of the method; its function describes them.

    Returns
    -------
    FusionResult
        On the grid of the label maps.

    Raises
    ------
    ConfigError
        The method, an option, ``by`` or ``labels`` is not possible, or the method needs more raters.
    ImageError
        There is no label map, or one is on another grid, holds other labels or is empty.

    Examples
    --------
    >>> import numpy as np
    >>> maps = {name: np.array(votes).reshape(1, 1, 4) for name, votes in
    ...         {"a": [2, 2, 0, 1], "b": [2, 3, 2, 0], "c": [0, 3, 2, 2]}.items()}
    >>> images = {name: nib.Nifti1Image(votes.astype(np.uint8), np.eye(4)) for name, votes in maps.items()}
    >>> fuse(images, "majority", [1, 2, 3]).labels.ravel()
    array([2, 3, 2, 1], dtype=uint8)
    >>> fuse(images, "majority", [1, 2, 3], by="region").labels.ravel()
    array([2, 3, 2, 2], dtype=uint8)
    """
    if method not in METHODS:
        meant = nearest(method, METHODS)
        raise ConfigError(f"method: {show(method)}: is not possible; write {meant or listing(METHODS)}")
    check_options(method, METHODS[method], options)
    raters = read_raters(segmentations, labels, by, allow_empty)
    fused = METHODS[method](raters, **options)
    return FusionResult(
        labels=raters.spread(fused.labels),
        regions=raters.regions,
        probability=None if fused.probability is None else raters.spread(fused.probability),
        performance=_with_dice(raters, fused),
        dropped=fused.dropped,
        ties=int(raters.counts[fused.ties].sum()),
        rounds=fused.rounds,
    )


def _with_dice(raters: Raters, fused: Fused) -> Performance:
    performance: Performance = {name: dict(fused.performance.get(name, {})) for name in raters.names}
    for part in raters.parts:
        overlaps = agreement(raters.masks(part), raters.mask(fused.labels, part), raters.counts)
        for name, overlap in zip(raters.names, overlaps.tolist(), strict=True):
            performance[name][part] = {"dice": overlap, **performance[name].get(part, {})}
    return {
        name: {
            part: {key: round(value, DIGITS) for key, value in found.items()} for part, found in parts.items()
        }
        for name, parts in performance.items()
    }
