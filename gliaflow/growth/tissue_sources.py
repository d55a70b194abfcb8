"""The sources of healthy tissue, by the names that the config has for them."""

from collections.abc import Sequence
from dataclasses import dataclass

import nibabel as nib

from gliaflow.config.mistakes import listing, show
from gliaflow.errors import ConfigError
from gliaflow.growth.mirror import check_one_sided, contralateral_tissue, find_mirror
from gliaflow.growth.tissue_atlas import TissueAtlas, atlas_tissue
from gliaflow.growth.tissue_image import image_tissue
from gliaflow.growth.tissue_maps import TissueMaps
from gliaflow.growth.warp import Warp

METHODS = ("atlas", "image", "contralateral")


@dataclass(frozen=True)
class Estimate:
    """Healthy tissue on the growth grid, the map from the atlas to it, and what was measured on the way."""

    maps: TissueMaps
    warp: Warp
    facts: dict[str, float]


def estimate_tissue(
    method: str,
    atlas: TissueAtlas,
    images: Sequence[nib.Nifti1Image],
    brain: nib.Nifti1Image,
    lesion: nib.Nifti1Image,
    *,
    seed: int = 1,
) -> Estimate:
    """Estimate the tissue that a patient's brain had without the tumour.

    Parameters
    ----------
    method
        ``atlas``: its maps, warped with the lesion left out. ``image``: Atropos outside the lesion, with the
        atlas for a prior, and the atlas in the lesion. ``contralateral``: the same, and the other side of
        the brain in the lesion (S8).
    atlas
        From `gliaflow.growth.tissue_atlas.load_tissue_atlas`.
    images
        Brain images on the growth grid, 0 outside the brain; the first T1-weighted.
    brain, lesion
        Masks on the growth grid; the lesion is the whole tumour and the cavity.
    seed
        Of the registrations' random sampling.

    Raises
    ------
    ConfigError
        There is no such method.
    ImageError
        An image is no brain's, or ``contralateral`` was asked for a lesion that is not one-sided.
    """
    if method not in METHODS:
        raise ConfigError(f"method: {show(method)}: is not possible; write {listing(METHODS)}")
    facts = {}
    if method == "contralateral":
        # without the deformable part, which takes long, an unsuitable lesion is refused in a moment
        rough = find_mirror(images[0], brain, lesion, deformable=False, seed=seed)
        facts["lesion_share_on_smaller_side"] = check_one_sided(lesion, rough).smaller_share
    maps, warp = atlas_tissue(atlas, images[0], brain, lesion, seed=seed)
    if method != "atlas":
        maps = image_tissue(images, brain, lesion, priors=maps, fill=maps)
    if method == "contralateral":
        mirror = find_mirror(images[0], brain, lesion, seed=seed)
        maps = contralateral_tissue(maps, brain, lesion, mirror)
    return Estimate(maps, warp, facts)
