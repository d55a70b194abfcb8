"""How fast a tumour spreads and grows."""

import math
from dataclasses import dataclass

import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array


@dataclass(frozen=True)
class Parameters:
    """Parameters of dc/dt = div(D grad c) + rho c (1 - c), D = kappa I + tau FA T (BrainLes 2021, S8).

    Attributes
    ----------
    kappa_white, kappa_grey
        Isotropic diffusivity in white and grey matter, mm^2/day.
    rho
        Proliferation, 1/day.
    tau
        Weight of the diffusion tensor (of trace 1), mm^2/day; needs a tissue with one unless it is 0.

    Raises
    ------
    ConfigError
        One of them is negative or no number.
    """

    kappa_white: float
    kappa_grey: float
    rho: float
    tau: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name}: {value}: is not possible; write a number of 0 or more")

    def kappa(self, tissue: Tissue) -> Array:
        """Return the isotropic diffusivity in mm^2/day, float32, shape (x, y, z), 0 outside the domain.

        Where white and grey matter mix it is the mean of both, weighted by their probabilities.
        """
        both = tissue.white + tissue.grey
        mixed = tissue.white * self.kappa_white + tissue.grey * self.kappa_grey
        return np.where(tissue.domain, mixed / np.maximum(both, 1e-6), 0).astype(np.float32)
