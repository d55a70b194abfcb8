"""Deformable maps between two spaces, and how far they stretch and turn tissue."""

from dataclasses import dataclass
from dataclasses import field as entry
from typing import Literal

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from skimage.metrics import normalized_mutual_information

from gliaflow.images import RAS_TO_LPS, Array, data_of, new_image, spacing_of, to_sitk
from gliaflow.preprocess.register import register, register_syn
from gliaflow.preprocess.transforms import matrix_to_sitk

FINE_MM = 1.5
"""On voxels smaller than this the registration leaves out the finest level, which would double its time."""
ITERATIONS = {"fine": (40, 20, 0), "coarse": (40, 20, 10)}
HISTOGRAM_BINS = 32
BRIGHTEST_PERCENT = 99.8


@dataclass(frozen=True)
class Warp:
    """What carries images from one space ("moving") to another ("fixed").

    Attributes
    ----------
    matrix
        (4, 4), moving to fixed, see `gliaflow.preprocess.transforms`.
    displacement
        On a grid of the fixed space, shape (x, y, z, 1, 3), mm, LPS, applied to a point of the fixed space
        before ``matrix``; as `gliaflow.preprocess.register.register_syn` makes it. None for a linear map.
    """

    matrix: Array = entry(default_factory=lambda: np.eye(4))
    displacement: nib.Nifti1Image | None = None

    @property
    def linear(self) -> "Warp":
        """The map without its displacement."""
        return Warp(self.matrix)

    def transform(self) -> sitk.Transform:
        """Return the map from points of the fixed space to points of the moving one, LPS mm."""
        matrix = matrix_to_sitk(self.matrix)
        if self.displacement is None:
            return matrix
        return sitk.CompositeTransform([matrix, _field_transform(self.displacement)])

    def points(self, points: Array) -> Array:
        """Return where points of the fixed space lie in the moving one.

        Parameters
        ----------
        points
            RAS+ mm, shape (points, 3).

        Returns
        -------
        Array
            The same shape.
        """
        transform = self.transform()
        signs = np.diag(RAS_TO_LPS)[:3]
        return np.array([transform.TransformPoint(p) for p in (points * signs).tolist()]) * signs

    def local(self) -> Array:
        """Return the derivative of the map at each voxel of the displacement's grid.

        Returns
        -------
        Array
            float32, shape (x, y, z, 3, 3), RAS+: what a small step in the fixed space becomes in the moving
            one; (3, 3) where there is no displacement.
        """
        linear = self.matrix[:3, :3]
        if self.displacement is None:
            return linear
        shift = data_of(self.displacement)[..., 0, :] * np.diag(RAS_TO_LPS)[:3].astype(np.float32)
        by_index = np.stack(np.gradient(shift, axis=(0, 1, 2)), axis=-1)
        to_index = np.linalg.inv(self.displacement.affine[:3, :3])
        steps = np.eye(3) + by_index @ to_index.astype(np.float32)
        return np.asarray((linear @ steps).astype(np.float32))

    def jacobian(self) -> Array:
        """Return by how much the moving space is larger than the fixed one, at each voxel.

        Returns
        -------
        Array
            The determinant of `local`, float32, shape (x, y, z) or (): 1 where volumes are equal, 0 and
            less where the map folds.
        """
        return np.asarray(np.linalg.det(self.local()), dtype=np.float32)


def deform(
    fixed: nib.Nifti1Image,
    moving: nib.Nifti1Image,
    *,
    kind: Literal["rigid", "affine"],
    fixed_lesion: nib.Nifti1Image,
    moving_lesion: nib.Nifti1Image,
    seed: int = 1,
) -> Warp:
    """Register two brains, by a matrix and then by SyN with mutual information.

    Parameters
    ----------
    fixed, moving
        Brain images, 0 outside the brain; contrast and grid may differ.
    kind
        Of the matrix: ``rigid`` for one person, ``affine`` for two.
    fixed_lesion, moving_lesion
        Where nothing is compared, each on the grid of its image. What surrounds a lesion drives the map, so
        that a brain which the tumour has pushed aside is followed.
    seed
        Of the random sampling; with one thread the same images give the same map.

    Raises
    ------
    ImageError
        A displacement is not finite.
    """
    matrix = register(fixed, moving, kind=kind, seed=seed).matrix
    level = "fine" if min(spacing_of(fixed)) < FINE_MM else "coarse"
    displacement = register_syn(
        fixed,
        moving,
        matrix,
        fixed_tumour=fixed_lesion,
        moving_tumour=moving_lesion,
        seed=seed,
        iterations=ITERATIONS[level],
    )
    return Warp(matrix, displacement)


def widened(mask: nib.Nifti1Image, by_mm: float) -> nib.Nifti1Image:
    """Return a mask (uint8) with all that lies within a distance in mm of its voxels' centres."""
    inside = data_of(mask) > 0
    if by_mm > 0 and inside.any():
        inside = ndimage.distance_transform_edt(~inside, sampling=spacing_of(mask)) <= by_mm
    return new_image(inside, mask.affine, np.uint8)


def likeness(first: Array, second: Array, within: Array) -> float:
    """Return how much one image tells of another, whatever their contrasts.

    Parameters
    ----------
    first, second
        Shape (x, y, z), on one grid.
    within
        Bool, shape (x, y, z): where they are compared.

    Returns
    -------
    float
        Normalised mutual information (Studholme 1999): 1 for nothing in common, 2 for one image; 1 where
        there is nothing to compare.
    """
    if not within.any():
        return 1.0
    values = [image[within] for image in (first, second)]
    values = [np.clip(v, 0, max(float(np.percentile(v, BRIGHTEST_PERCENT)), 1e-6)) for v in values]
    if any(np.ptp(v) == 0 for v in values):
        return 1.0
    return float(normalized_mutual_information(*values, bins=HISTOGRAM_BINS))


def _field_transform(field: nib.Nifti1Image) -> sitk.DisplacementFieldTransform:
    grid = to_sitk(nib.Nifti1Image(np.zeros(field.shape[:3], dtype=np.uint8), field.affine), np.uint8)
    vectors = np.asarray(field.dataobj, dtype=np.float64)[..., 0, :]
    image = sitk.GetImageFromArray(vectors.transpose(2, 1, 0, 3), isVector=True)
    image.CopyInformation(grid)
    return sitk.DisplacementFieldTransform(image)
