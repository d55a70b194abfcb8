"""What a tumour grows in: the healthy tissue of a brain on a growth grid."""

from dataclasses import dataclass, replace

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array, ml_per_voxel

LEAST_TISSUE = 0.5
"""A voxel belongs to the domain where white and grey matter together are at least so probable."""
TENSOR_PARTS = ("xx", "xy", "xz", "yy", "yz", "zz")
"""The order of the last axis of a tensor."""


@dataclass(frozen=True)
class Tissue:
    """The healthy tissue of a brain, on a grid whose axes are those of its tensors.

    Attributes
    ----------
    white, grey, csf
        Probabilities, float32, shape (x, y, z).
    brain
        Bool, shape (x, y, z).
    spacing
        Voxel size along the three axes in mm.
    anisotropy
        Fractional anisotropy in [0, 1], float32, shape (x, y, z); None without diffusion imaging.
    tensor
        Diffusion tensor of trace 1, float32, shape (x, y, z, 6), parts as in `TENSOR_PARTS` along the axes of
        the grid; None without diffusion imaging.

    Raises
    ------
    ImageError
        Shapes differ, a probability or anisotropy is not in [0, 1], the spacing is not positive, no voxel is
        in the domain, or only one of anisotropy and tensor is given.
    """

    white: Array
    grey: Array
    csf: Array
    brain: Array
    spacing: tuple[float, float, float]
    anisotropy: Array | None = None
    tensor: Array | None = None

    def __post_init__(self) -> None:
        """Check what is given."""
        shares = {"white matter": self.white, "grey matter": self.grey, "CSF": self.csf}
        if self.anisotropy is not None:
            shares["fractional anisotropy"] = self.anisotropy
        for name, values in shares.items():
            if values.shape != self.brain.shape:
                raise ImageError(f"{name}: has the shape {values.shape}, the brain {self.brain.shape}")
            if not ((values >= 0) & (values <= 1)).all():
                raise ImageError(f"{name}: holds values outside 0 to 1")
        if (self.anisotropy is None) != (self.tensor is None):
            raise ImageError("diffusion: give both the anisotropy and the tensor, or neither")
        if self.tensor is not None and self.tensor.shape != (*self.brain.shape, len(TENSOR_PARTS)):
            raise ImageError(f"tensor: has the shape {self.tensor.shape}; write 6 parts for each voxel")
        if not all(size > 0 and np.isfinite(size) for size in self.spacing):
            raise ImageError(f"spacing {self.spacing}: is not possible; give three sizes in mm")
        if not self.domain.any():
            raise ImageError("tissue: there is no white or grey matter in the brain")

    @property
    def domain(self) -> Array:
        """Where a tumour can be, bool: in the brain, white and grey matter `LEAST_TISSUE` or more."""
        return self.brain & (self.white + self.grey >= LEAST_TISSUE)

    def resected(self, cavity: Array) -> "Tissue":
        """Return the tissue with fluid in a cavity, a bool of shape (x, y, z)."""
        white, grey = (np.where(cavity, np.float32(0), share) for share in (self.white, self.grey))
        return replace(self, white=white, grey=grey, csf=np.where(cavity, np.float32(1), self.csf))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml."""
        return ml_per_voxel(self.spacing)
