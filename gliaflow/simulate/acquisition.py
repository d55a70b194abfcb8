"""How a scanner sees a head: a plane, a slice thickness, and a patient who moved."""

from collections.abc import Mapping
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from gliaflow.images import RAS_TO_LPS, Array, new_image, to_sitk

PLANES: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "axial": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "coronal": ((-1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "sagittal": ((0, -1, 0), (0, 0, -1), (1, 0, 0)),
}
"""RAS directions of columns, rows and slices, as scanners lay them out."""


@dataclass(frozen=True)
class Geometry:
    """The grid of an acquisition: plane, voxel size in mm and shape, both as (column, row, slice).

    ``tilt_deg`` turns the slices about the patient's left-right axis; the header knows of it.
    """

    plane: str
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    tilt_deg: float = 0.0

    def affine(self, centre: tuple[float, float, float]) -> Array:
        """Return the voxel-to-world affine, shape (4, 4), of a grid whose middle lies at ``centre`` (mm)."""
        tilt = Rotation.from_euler("x", self.tilt_deg, degrees=True).as_matrix()
        affine = np.eye(4)
        affine[:3, :3] = tilt @ np.array(PLANES[self.plane]).T * self.spacing
        affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(self.shape) - 1) / 2)
        return affine


def random_motion(
    rng: np.random.Generator, rotation_deg: tuple[float, float], shift_mm: tuple[float, float]
) -> Array:
    """Draw a rigid motion about the world's origin.

    Parameters
    ----------
    rng
        Where it comes from.
    rotation_deg, shift_mm
        Least and largest angle and length; axis and direction are uniform on the sphere.

    Returns
    -------
    Array
        Shape (4, 4), from world to world, mm.
    """
    axis, direction = rng.standard_normal((2, 3))
    angle = np.deg2rad(rng.uniform(*rotation_deg))
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
    motion[:3, 3] = rng.uniform(*shift_mm) * direction / np.linalg.norm(direction)
    return motion


def acquire(
    anatomy: nib.Nifti1Image,
    geometry: Geometry,
    centre: tuple[float, float, float],
    to_anatomy: Array,
) -> nib.Nifti1Image:
    """Sample a head on a scanner's grid; a thick slice is the mean over its thickness.

    Parameters
    ----------
    anatomy
        The signal in the anatomy's world, shape (x, y, z).
    geometry, centre
        The grid and where its middle lies in the scanner's world, mm.
    to_anatomy
        Shape (4, 4): maps a point of the scanner's world to the anatomy's (RAS+, mm).

    Returns
    -------
    nibabel.Nifti1Image
        float32, shape ``geometry.shape``; its affine does not know of ``to_anatomy``.
    """
    affine = geometry.affine(centre)
    step = float(np.linalg.norm(anatomy.affine[:3, 0]))
    layers = max(1, round(geometry.spacing[2] / step))
    fine = affine @ np.diag([1, 1, 1 / layers, 1])
    fine[:3, 3] -= affine[:3, 2] * (layers - 1) / (2 * layers)
    columns, rows, slices = geometry.shape
    sampled = resample(anatomy, fine, (columns, rows, slices * layers), to_anatomy)
    return new_image(sampled.reshape(columns, rows, slices, layers).mean(axis=3), affine)


def resample(image: nib.Nifti1Image, affine: Array, shape: tuple[int, int, int], to_image: Array) -> Array:
    """Return an image's values on another grid by linear interpolation, 0 outside; float32."""
    lps = RAS_TO_LPS @ to_image @ RAS_TO_LPS
    transform = sitk.AffineTransform(lps[:3, :3].ravel().tolist(), lps[:3, 3].tolist())
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    resampled = sitk.Resample(
        to_sitk(image),
        [int(n) for n in shape],
        transform,
        sitk.sitkLinear,
        (RAS_TO_LPS @ affine)[:3, 3].tolist(),
        spacing.tolist(),
        (RAS_TO_LPS[:3, :3] @ affine[:3, :3] / spacing).ravel().tolist(),
        0.0,
    )
    return sitk.GetArrayFromImage(resampled).T
