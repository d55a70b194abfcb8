"""Where the planes of the pictures go."""

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.images import Array, data_of


def view_centre(mask: nib.Nifti1Image, labels: nib.Nifti1Image | None) -> Array:
    """Return the voxel centre, in mm, of the largest lesion, or of the brain where there is none.

    Parameters
    ----------
    mask
        Brain mask.
    labels
        Label map, or None where the session was not segmented.

    Returns
    -------
    Array
        Shape (3,), RAS+ mm.
    """
    image = labels if labels is not None and data_of(labels).any() else mask
    components, _ = ndimage.label(data_of(image) > 0)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    centre = ndimage.center_of_mass(components == sizes.argmax())
    return nib.affines.apply_affine(image.affine, centre)
