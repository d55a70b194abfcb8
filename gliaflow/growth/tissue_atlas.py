"""Tissue from the atlas, carried to the patient by a registration that leaves out the tumour."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.checks import checked_volume
from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.space import carry_image
from gliaflow.growth.tissue_maps import TissueMaps, tissue_maps
from gliaflow.growth.warp import Warp, deform, widened
from gliaflow.images import data_of, new_image, read_image
from gliaflow.preprocess.atlas import load_atlas

CLEARANCE_MM = 3.0
PERCENT = 100.0


@dataclass(frozen=True)
class TissueAtlas:
    """An atlas with its tissue, in one space: brain image, probabilities; without CSF it is what is left."""

    brain: nib.Nifti1Image
    white: nib.Nifti1Image
    grey: nib.Nifti1Image
    csf: nib.Nifti1Image | None = None


def load_tissue_atlas(
    atlas: str | Path | None = None,
    white: str | Path | None = None,
    grey: str | Path | None = None,
    csf: str | Path | None = None,
) -> TissueAtlas:
    """Load an atlas and the probabilities of its tissues.

    Parameters
    ----------
    atlas
        See `gliaflow.preprocess.atlas.load_atlas`; None for the bundled MNI152.
    white, grey, csf
        Maps in the space of the atlas, 0 to 1, on any grid; None for the MNI152 maps that come with nilearn
        (ICBM 2009a), and for the CSF, what white and grey matter leave.

    Raises
    ------
    ConfigError
        Only one of white and grey matter is given, or none for an atlas of one's own.
    ImageError
        A file is no image, or a map holds values outside 0 to 1.
    """
    if (white is None) != (grey is None):
        raise ConfigError("tissue: give maps of both white and grey matter, or neither")
    if atlas is not None and white is None:
        raise ConfigError(
            f"tissue: the atlas {atlas} comes without tissue; give maps of its white and grey matter"
        )
    brain, _ = load_atlas(atlas)
    if white is None or grey is None:
        return TissueAtlas(brain, *_bundled(), None if csf is None else _map(csf))
    return TissueAtlas(brain, _map(white), _map(grey), None if csf is None else _map(csf))


def atlas_tissue(
    atlas: TissueAtlas,
    image: nib.Nifti1Image,
    brain: nib.Nifti1Image,
    lesion: nib.Nifti1Image,
    *,
    clearance_mm: float = CLEARANCE_MM,
    seed: int = 1,
) -> tuple[TissueMaps, Warp]:
    """Estimate a patient's healthy tissue from an atlas.

    Parameters
    ----------
    atlas
        The atlas and its tissue.
    image
        The patient's T1-weighted brain on the growth grid, 0 outside the brain.
    brain, lesion
        Masks on the growth grid. Nothing is compared in the lesion (whole tumour and cavity); around it the
        displaced anatomy is followed.
    clearance_mm
        How far beyond the lesion nothing is compared either.
    seed
        Of the registration's random sampling.

    Returns
    -------
    tuple
        The maps on the growth grid, in the lesion those of the atlas; and the atlas-to-patient map.

    Raises
    ------
    ImageError
        The registration failed.
    """
    none = new_image(np.zeros(atlas.brain.shape), atlas.brain.affine, np.uint8)
    around = widened(lesion, clearance_mm)
    warp = deform(image, atlas.brain, kind="affine", fixed_lesion=around, moving_lesion=none, seed=seed)
    return carry_tissue(atlas, brain, warp), warp


def carry_tissue(atlas: TissueAtlas, brain: nib.Nifti1Image, warp: Warp) -> TissueMaps:
    """Carry the tissue of an atlas to a brain on the growth grid by a known map."""
    white, grey = (data_of(carry_image(image, brain, warp)) for image in (atlas.white, atlas.grey))
    csf = None if atlas.csf is None else data_of(carry_image(atlas.csf, brain, warp))
    return tissue_maps(white, grey, csf, data_of(brain) > 0)


def _bundled() -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    from nilearn.datasets import load_mni152_gm_template, load_mni152_wm_template

    white, grey = (load(resolution=1) for load in (load_mni152_wm_template, load_mni152_gm_template))
    return new_image(data_of(white), white.affine), new_image(data_of(grey), grey.affine)


def _map(path: str | Path) -> nib.Nifti1Image:
    image = checked_volume(read_image(path), path)
    values = data_of(image)
    if values.min() < 0 or values.max() > 1:
        hint = "divide it by 100" if 1 < values.max() <= PERCENT else "give a map of probabilities"
        raise ImageError(
            f"{path}: holds values from {values.min():g} to {values.max():g}, no probabilities; {hint}"
        )
    return new_image(values, image.affine)
