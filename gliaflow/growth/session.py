"""A session's growth files: reading its tissue, and writing maps on the growth grid."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array, data_of, read_image, spacing_of, write_image
from gliaflow.sidecar import write_sidecar

SPACE = "growth"


def read_tissue(maps: Sequence[str | Path], diffusion: Sequence[str | Path], mask: nib.Nifti1Image) -> Tissue:
    """Read the tissue of a session.

    Parameters
    ----------
    maps
        White matter, grey matter and CSF, float32 in [0, 1].
    diffusion
        Tensor (shape (x, y, z, 6)) and fractional anisotropy; none without diffusion imaging.
    mask
        Of the brain, on the same grid.
    """
    white, grey, csf = (np.clip(data_of(read_image(path)), 0, 1) for path in maps)
    tensor, anisotropy = (data_of(read_image(path)) for path in diffusion) if diffusion else (None, None)
    return Tissue(white, grey, csf, data_of(mask) > 0, spacing_of(mask), anisotropy, tensor)


def write_map(
    path: str | Path,
    values: Array,
    grid: nib.Nifti1Image,
    *,
    sources: Sequence[str],
    parameters: Mapping[str, Any],
    dtype: npt.DTypeLike = np.float32,
    space: str = SPACE,
    **facts: Any,
) -> None:
    """Write a map (infinite values allowed) and its sidecar; see `gliaflow.sidecar.write_sidecar`."""
    write_image(path, values, grid.affine, dtype)
    write_sidecar(path, sources=sources, space=space, parameters=parameters, **facts)
