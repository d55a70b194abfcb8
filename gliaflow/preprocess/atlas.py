"""The atlas: a skull-stripped T1 on a regular grid, bundled or by path."""

from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.checks import check_image, check_mask
from gliaflow.errors import ImageError
from gliaflow.images import data_of, new_image, read_image, single_volume, to_ras

# at other sizes than 1 mm, nilearn's interpolation leaves traces of 1e-18 all over the background;
# the brain has 0.28 and more
BACKGROUND_BELOW = 0.01


def load_atlas(path: str | Path | None, resolution: int = 1) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """Load the atlas and its brain mask.

    Parameters
    ----------
    path
        A skull-stripped T1 as NIfTI, such as SRI24; None for the MNI152 brain that comes with nilearn.
    resolution
        Voxel size of the bundled one, mm.

    Returns
    -------
    tuple
        Brain (float32, 0 outside) and mask (uint8), RAS+, on one grid.

    Raises
    ------
    ImageError
        The file is no image, or what is above 0 in it is no brain (it may not be stripped).
    """
    image = single_volume(_bundled(resolution) if path is None else read_image(path))
    image = to_ras(image)
    name = "the bundled MNI152" if path is None else str(path)
    check_image(image, name)
    inside = ndimage.binary_fill_holes(data_of(image) > 0)
    mask = new_image(inside, image.affine, np.uint8)
    try:
        check_mask(mask, name, like=image)
    except ImageError as error:
        raise ImageError(f"{name}: is no skull-stripped brain ({error}); give a stripped atlas") from error
    return new_image(data_of(image), image.affine), mask


def _bundled(resolution: int) -> nib.Nifti1Image:
    from nilearn.datasets import load_mni152_template

    template = load_mni152_template(resolution=resolution)
    data = data_of(template)
    return new_image(np.where(data < BACKGROUND_BELOW, 0, data), template.affine)
