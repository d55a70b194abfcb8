"""The probabilities of white matter, grey matter and CSF, however they were found."""

from dataclasses import dataclass

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array

PLAUSIBLE = {"white": (0.15, 0.6), "grey": (0.2, 0.75), "csf": (0.01, 0.5)}
"""The share of a brain that each tissue may have, from a child's brain to a shrunken one."""
NAMES = {"white": "white matter", "grey": "grey matter", "csf": "CSF"}
ROUNDING = 1e-4


@dataclass(frozen=True)
class TissueMaps:
    """The probabilities of tissues on a growth grid, float32, shape (x, y, z), with a sum of 1 at most."""

    white: Array
    grey: Array
    csf: Array

    def stack(self) -> Array:
        """Return the three maps, shape (3, x, y, z)."""
        return np.stack([self.white, self.grey, self.csf])

    def mixed(self, other: "TissueMaps", weight: Array) -> "TissueMaps":
        """Return the maps with another estimate mixed in.

        Parameters
        ----------
        other
            On the same grid.
        weight
            Of the other, shape (x, y, z), 0 to 1.
        """
        share = weight.astype(np.float32)
        return TissueMaps(*(self.stack() * (1 - share) + other.stack() * share))


def tissue_maps(white: Array, grey: Array, csf: Array | None, brain: Array) -> TissueMaps:
    """Make probabilities of maps that may overshoot: 0 to 1, at most 1 together, 0 outside the brain.

    Parameters
    ----------
    white, grey
        Shape (x, y, z).
    csf
        The same; None for what white and grey matter leave of the brain.
    brain
        Bool, shape (x, y, z).

    Examples
    --------
    >>> brain = np.array([[[True, True, False]]])
    >>> white, grey = (np.array([[[a, b, 1.0]]]) for a, b in ((1.0, 0.5), (0.25, 0.25)))
    >>> maps = tissue_maps(white, grey, None, brain)
    >>> maps.white.tolist(), maps.csf.tolist()
    ([[[0.800000011920929, 0.5, 0.0]]], [[[0.0, 0.25, 0.0]]])
    """
    given = [np.where(brain, np.clip(share, 0, 1), 0) for share in (white, grey)]
    left = np.where(brain, 1 - given[0] - given[1], 0) if csf is None else np.where(brain, csf, 0)
    shares = np.stack([*given, np.clip(left, 0, 1)]).astype(np.float32)
    return TissueMaps(*(shares / np.maximum(shares.sum(axis=0), 1)))


def check_tissue(maps: TissueMaps, brain: Array) -> dict[str, float]:
    """Check that an estimate can be a brain's.

    Parameters
    ----------
    maps
        The estimate.
    brain
        Bool, shape (x, y, z).

    Returns
    -------
    dict
        The share of the brain that is ``white``, ``grey`` and ``csf``.

    Raises
    ------
    ImageError
        A probability is outside 0 to 1, their sum exceeds 1, or a tissue has a share of the brain that no
        brain has.
    """
    values = maps.stack()
    # a NaN fails the comparison
    if not ((values >= 0) & (values <= 1)).all():
        raise ImageError("tissue: holds values that are no probabilities in 0 to 1; give other maps")
    total = float(values.sum(axis=0).max())
    if total > 1 + ROUNDING:
        raise ImageError(f"tissue: white matter, grey matter and CSF add up to {total:.3f}; 1 is the most")
    shares = {name: float(getattr(maps, name)[brain].mean()) for name in PLAUSIBLE}
    for name, (low, high) in PLAUSIBLE.items():
        if not low <= shares[name] <= high:
            raise ImageError(
                f"tissue: {NAMES[name]} makes up {shares[name]:.0%} of the brain, but {low:.0%} to "
                f"{high:.0%} is plausible; look at the pictures, and choose another source of tissue"
            )
    return shares
