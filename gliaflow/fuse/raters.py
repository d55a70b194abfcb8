"""The label maps that several raters made of one image: read, checked and made small."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.config.mistakes import listing, show
from gliaflow.errors import ConfigError, ImageError
from gliaflow.images import Array, data_of, same_grid, single_volume
from gliaflow.labels import REGIONS, label_table, region_labels, region_mask, whole_values

BY = ("label", "region")
TELLING = {"TC": 1, "ET": 3}
"""The label without which a region is not determined; the whole tumour always is."""


@dataclass(frozen=True)
class Raters:
    """What the raters say of an image; voxels that they label alike are held once, as one pattern.

    A rater is a person, an algorithm or a model. No method asks where a voxel lies, so that a few hundred
    patterns stand for millions of voxels.

    Attributes
    ----------
    names
        Sorted, so that nothing depends on the order in which the raters are given.
    labels
        The label values that are fused, without the background, 0.
    regions
        The regions that are fused; empty where it is the labels.
    votes
        uint8, shape (raters, patterns): the combinations of labels that occur, without that of all 0.
    counts
        int64, shape (patterns,): in how many voxels.
    marked
        Bool, shape (x, y, z): where a rater gives a label.
    pattern
        Integers, shape (voxels,): which pattern each marked voxel has.
    """

    names: tuple[str, ...]
    labels: tuple[int, ...]
    regions: tuple[str, ...]
    votes: Array
    counts: Array
    marked: Array
    pattern: Array

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of what is fused: the regions, or the label values as text."""
        return self.regions or tuple(map(str, self.labels))

    def mask(self, labels: Array, part: str) -> Array:
        """Return where labels (any shape) belong to a part, as bool."""
        return region_mask(labels, part) if part in self.regions else labels == int(part)

    def masks(self, part: str) -> Array:
        """Return which rater puts which pattern into a part: bool, shape (raters, patterns)."""
        return self.mask(self.votes, part)

    def spread(self, values: Array) -> Array:
        """Give each voxel its pattern's value: (patterns, …) to (x, y, z, …); 0 where nothing is marked."""
        volume = np.zeros((*self.marked.shape, *values.shape[1:]), dtype=values.dtype)
        volume[self.marked] = values[self.pattern]
        return volume

    def extent(self, patterns: Array) -> tuple[int, ...]:
        """Return the size of the box around some patterns (bool, one or more of them), in voxels."""
        (box,) = ndimage.find_objects(self.spread(patterns.astype(np.uint8)))
        return tuple(side.stop - side.start for side in box)


def read_raters(
    segmentations: Mapping[str, nib.Nifti1Image], labels: Sequence[int], by: str, allow_empty: bool
) -> Raters:
    """Read the raters' label maps and check that they can be fused.

    The arguments are those of `gliaflow.fuse.fusion.fuse`.

    Raises
    ------
    ConfigError
        ``labels`` or ``by`` is not possible.
    ImageError
        There is no label map, or one does not fit the others or the labels, or is empty.
    """
    _check_labels(labels, by)
    names = tuple(sorted(segmentations))
    _check_grids({name: segmentations[name] for name in names})
    maps = [_read(name, segmentations[name], labels) for name in names]
    empty = [f"'{name}'" for name, values in zip(names, maps, strict=True) if not values.any()]
    if empty and not allow_empty:
        raise ImageError(
            f"nothing is labelled by {listing(empty, 'and')}; leave out whoever failed, or set allow_empty "
            "if nothing was to be found"
        )
    marked = np.any(maps, axis=0)
    votes, pattern, counts = _patterns(np.stack([values[marked] for values in maps]))
    told = [region for region in REGIONS if region not in TELLING or TELLING[region] in labels]
    regions = tuple(told) if by == "region" else ()
    return Raters(names, tuple(map(int, labels)), regions, votes, counts, marked, pattern)


def _check_labels(labels: Sequence[int], by: str) -> None:
    if by not in BY:
        raise ConfigError(f"by: {show(by)}: is not possible; write {listing(BY)}")
    known = {label.value for label in label_table() if by == "label" or label.value in region_labels("WT")}
    wrong = [value for value in labels if value not in known]
    if wrong or len(labels) == 0 or len(set(labels)) < len(labels):
        raise ConfigError(
            f"labels: {show(list(labels))}: is not possible by {by}; write some of "
            f"{listing(sorted(known), 'and')}, each once"
        )


def _check_grids(images: Mapping[str, nib.Nifti1Image]) -> None:
    if not images:
        raise ImageError("there is no label map to fuse; give those of two raters or more")
    first, *others = images
    many = [f"'{name}'" for name, image in images.items() if len(single_volume(image).shape) != 3]
    if many:
        raise ImageError(f"{listing(many, 'and')}: not one volume; give one label map for each rater")
    off = [f"'{name}'" for name in others if not same_grid(images[first], images[name])]
    if off:
        raise ImageError(
            f"the label maps of {listing(off, 'and')} are not on the grid of '{first}'; resample them to it"
        )


def _read(name: str, image: nib.Nifti1Image, labels: Sequence[int]) -> Array:
    volume = single_volume(image)
    values = np.asanyarray(volume.dataobj)
    if values.dtype.kind not in "iub":
        values = data_of(volume)
        if not np.isfinite(values).all():
            raise ImageError(f"'{name}': holds values that are no numbers; write whole numbers")
        values = whole_values(values, f"'{name}'")
    unknown = sorted(set(np.unique(values[values != 0]).tolist()) - set(labels))
    if unknown:
        raise ImageError(
            f"'{name}': holds {listing(unknown, 'and')}, but the labels to fuse are "
            f"{listing(labels, 'and')}; convert it to the values of resources/labels.tsv, or name them "
            "among the labels"
        )
    return values.astype(np.uint8)


def _patterns(votes: Array) -> tuple[Array, Array, Array]:
    """Return the different columns, which of them each column is, and how often each occurs."""
    pattern = np.zeros(votes.shape[1], dtype=np.int64)
    for row in votes:
        _, first, pattern, counts = np.unique(
            pattern * 256 + row, return_index=True, return_inverse=True, return_counts=True
        )
    return votes[:, first], pattern, counts
