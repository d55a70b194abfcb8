"""Predictions held against a later scan, from the seed and from what surgery left (BrainLes 2021, S8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliaflow.growth.eikonal import eikonal_time
from gliaflow.growth.experiment import BIDIRECTIONAL, FORWARD
from gliaflow.growth.margins import CAVITY
from gliaflow.growth.names import EIKONAL, REACTION_DIFFUSION
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.ranking import RANKING_COLUMNS, region_of_interest, score_ranking
from gliaflow.growth.solver import simulate
from gliaflow.growth.start import Seed
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array
from gliaflow.labels import region_mask

JUDGED_COLUMNS: Mapping[str, str] = {
    "scheme": "bidirectional: grown from the fitted seed through the first session's tumour; forward: grown "
    "on from the segmentation of the session before, only new growth counts",
    **RANKING_COLUMNS,
}
EXPERIMENT_ROW_COLUMNS: Mapping[str, str] = {
    "setting": "Name of the parameters",
    "kappa_white": "Diffusivity in white matter, mm^2/day",
    "kappa_grey": "Diffusivity in grey matter, mm^2/day",
    "tau": "Weight of the diffusion tensor, mm^2/day",
    "rho": "Proliferation, 1/day",
    "seed_dice": "Dice at equal volume of the front from the fitted seed with the first segmentation",
    "scheme": "bidirectional: grown from the fitted seed; forward: grown on from the session before the last",
    "fit": "Average precision on the first segmentation, grown from the seed",
    "prediction": "Average precision on the last segmentation; empty where nothing of it is in the region of "
    "interest",
}


@dataclass(frozen=True)
class FollowedCourse:
    """A subject's segmentations, each a label map on the growth grid of the first, shape (x, y, z).

    Attributes
    ----------
    tissue
        Of the first session.
    first
        S0, which models are fitted to.
    restart
        S1, what the forward scheme grows on from.
    later
        S2, which predictions are judged by.
    """

    tissue: Tissue
    first: Array
    restart: Array
    later: Array

    @property
    def cavity(self) -> Array:
        """Where tissue was resected, in any of the later segmentations; bool."""
        return np.asarray((self.restart == CAVITY) | (self.later == CAVITY))

    def region(self, scheme: str) -> Array:
        """Return the region of interest of a scheme: the brain without the cavity, and forward without S1."""
        start = region_mask(self.restart, "WT") if scheme == FORWARD else None
        return region_of_interest(self.tissue.brain, self.cavity, start)


def prediction(
    course: FollowedCourse,
    scheme: str,
    seed: Seed,
    parameters: Parameters,
    *,
    model: str = REACTION_DIFFUSION,
) -> Array:
    """Return the time to invasion that a model foretells by a scheme.

    Parameters
    ----------
    course
        The subject.
    scheme
        ``bidirectional``: from the seed, through the healthy brain. ``forward``: from S1, round the cavity.
    seed
        Where the tumour began.
    parameters
        How it grows.
    model
        ``reaction_diffusion``, which stops when all of S2 that it can reach is invaded, or ``eikonal``.

    Returns
    -------
    Array
        Days, float32, shape (x, y, z); inf where never, or not before it stops.
    """
    if scheme == BIDIRECTIONAL:
        return grow(course.tissue, seed, parameters, region_mask(course.later, "WT"), model)
    left = region_mask(course.restart, "WT") & course.tissue.domain & ~course.cavity
    if not left.any():
        # all was resected: it can only come back from the border of the cavity
        left = border(course.cavity) & course.tissue.domain
    if not left.any():
        return np.full(left.shape, np.inf, dtype=np.float32)
    tissue = course.tissue.resected(course.cavity)
    return grow(tissue, left, parameters, region_mask(course.later, "WT"), model)


def grow(tissue: Tissue, start: Seed | Array, parameters: Parameters, until: Array, model: str) -> Array:
    """Return the time to invasion from a start, until a region is invaded; see `prediction`."""
    if model == EIKONAL:
        return eikonal_time(tissue, start, parameters)
    wanted = until & tissue.domain
    if not wanted.any():
        return np.full(wanted.shape, np.inf, dtype=np.float32)
    return simulate(tissue, start, parameters, within=wanted).time_to_invasion


def border(mask: Array) -> Array:
    """Return the voxels that touch a mask from outside by a face; bool."""
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask) & ~mask)


def fit_and_prediction(
    course: FollowedCourse, name: str, seed: Seed, dice: float, parameters: Parameters
) -> list[dict[str, Any]]:
    """Return how well parameters fit S0 and foretell S2: `EXPERIMENT_ROW_COLUMNS`, a row for each scheme."""
    first = region_mask(course.first, "WT")
    wanted = first | region_mask(course.later, "WT")
    grown = grow(course.tissue, seed, parameters, wanted, REACTION_DIFFUSION)
    fitted = score_ranking(grown, first, course.tissue.brain).average_precision
    rows = []
    for scheme in (BIDIRECTIONAL, FORWARD):
        found = grown if scheme == BIDIRECTIONAL else prediction(course, scheme, seed, parameters)
        judged = score_ranking(found, region_mask(course.later, "WT"), course.region(scheme))
        rows.append(
            {
                "setting": name,
                **{key: getattr(parameters, key) for key in ("kappa_white", "kappa_grey", "tau", "rho")},
                "seed_dice": dice,
                "scheme": scheme,
                "fit": fitted,
                "prediction": judged.average_precision,
            }
        )
    return rows
