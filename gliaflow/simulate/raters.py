"""Several raters of one brain: label maps that differ from the truth as persons' do from each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliaflow.images import Array
from gliaflow.labels import REGIONS, encode, region_mask
from gliaflow.simulate.fields import named_rng, smooth_noise

WAVE_MM = 12.0


@dataclass(frozen=True)
class Raters:
    """Persons who draw the same brains.

    Attributes
    ----------
    number
        How many.
    seed
        Of everything random: a rater's habit is the same in all sessions, his borders are not.
    habit_mm
        Standard deviation, from rater to rater, of how far outside the true border one draws all of his own.
    border_mm
        Standard deviation of how far a border strays from there, in waves of about 12 mm.
    """

    number: int = 3
    seed: int = 1
    habit_mm: float = 0.7
    border_mm: float = 1.2

    def rate(self, truth: Array, spacing: Sequence[float], name: str) -> list[Array]:
        """Draw a session.

        Parameters
        ----------
        truth
            Label map, values of resources/labels.tsv, integers, shape (x, y, z).
        spacing
            Voxel size along the three axes in mm.
        name
            Of the session.

        Returns
        -------
        list of numpy.ndarray
            uint8, shape (x, y, z); no rater has a region that the truth does not have.
        """
        distances = {region: _distance(region_mask(truth, region), spacing) for region in REGIONS}
        return [self._rated(distances, spacing, str(k), name) for k in range(self.number)]

    def _rated(
        self, distances: Mapping[str, Array], spacing: Sequence[float], rater: str, name: str
    ) -> Array:
        habit = self.habit_mm * named_rng(self.seed, "rater", rater).standard_normal()
        rng = named_rng(self.seed, "rater", rater, name)
        masks = {}
        for region, distance in distances.items():
            border = self.border_mm * smooth_noise(distance.shape, tuple(spacing), WAVE_MM, rng)
            masks[region] = distance < habit + border
        return encode(masks)


def _distance(mask: Array, spacing: Sequence[float]) -> Array:
    """Return how far outside a mask's border voxels lie, in mm, negative inside; endless if it is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    outside, inside = (ndimage.distance_transform_edt(side, sampling=spacing) for side in (~mask, mask))
    # the border runs half a voxel from the centres on both sides of it
    distance = np.where(mask, min(spacing) / 2 - inside, outside - min(spacing) / 2)
    return distance.astype(np.float32)
