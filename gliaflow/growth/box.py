"""The part of a grid that a tumour can be in."""

from dataclasses import dataclass

import numpy as np

from gliaflow.growth.start import Seed, Start
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array
from gliaflow.masks import boxes_round


@dataclass(frozen=True)
class Box:
    """The part of a grid that a domain fills, with a border of one voxel outside the domain.

    Attributes
    ----------
    place
        In the grid, without the border.
    shape
        Of the grid.
    """

    place: tuple[slice, slice, slice]
    shape: tuple[int, ...]

    @classmethod
    def around(cls, mask: Array) -> "Box":
        """Return the smallest box round a mask that is not empty."""
        x, y, z = boxes_round(mask, 0)[0]
        return cls((x, y, z), mask.shape)

    def cut(self, image: Array) -> Array:
        """Return an image's part in the box, in C order; the border is 0."""
        part = image[self.place]
        return np.ascontiguousarray(np.pad(part, [(1, 1)] * 3 + [(0, 0)] * (part.ndim - 3)))

    def restore(self, part: Array, elsewhere: float) -> Array:
        """Return the part on the whole grid, with a value outside the box."""
        image = np.full(self.shape, elsewhere, dtype=part.dtype)
        image[self.place] = part[1:-1, 1:-1, 1:-1]
        return image

    def tissue(self, whole: Tissue) -> Tissue:
        """Return the tissue in the box."""
        images = {
            name: self.cut(image)
            for name in ("white", "grey", "csf", "brain", "anisotropy", "tensor")
            if (image := getattr(whole, name)) is not None
        }
        return Tissue(**images, spacing=whole.spacing)

    def start(self, start: Start, spacing: tuple[float, float, float]) -> Start:
        """Return a start on the grid of the box."""
        if not isinstance(start, Seed):
            return self.cut(start)
        x, y, z = (
            position - (part.start - 1) * size
            for position, part, size in zip(start.position, self.place, spacing, strict=True)
        )
        return Seed((x, y, z), start.sd_mm)
