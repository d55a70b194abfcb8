"""Tissue from the other side of the brain: an image registered to its mirror image (BrainLes 2021, S8)."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.growth.space import carry_image, carry_mask
from gliaflow.growth.tissue_maps import TissueMaps, tissue_maps
from gliaflow.growth.warp import Warp, deform, widened
from gliaflow.images import Array, data_of, ml_per_voxel, new_image, spacing_of, to_ras
from gliaflow.preprocess.register import register

CLEARANCE_MM = 3.0
BLEND_MM = 3.0
"""Over this distance outside the lesion the other side's tissue gives way to that of the image."""
MOST_ON_OTHER_SIDE = 0.05
"""A one-sided lesion that touches the middle crosses a plane a millimetre or two off by less than this."""
REFLECTION = np.diag([-1.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Mirror:
    """How the two sides of a brain correspond.

    Attributes
    ----------
    reflection
        (4, 4): from a point in RAS+ mm to the one of the mirrored image, a sagittal plane apart.
    warp
        Carries the mirrored image to the image.
    normal, offset
        The midplane: points x with ``normal @ x == offset``, RAS+ mm; ``normal`` points right.
    """

    reflection: Array
    warp: Warp
    normal: Array
    offset: float

    def signed_distance(self, points: Array) -> Array:
        """Return how far to the right of the midplane points lie, shape (points, 3), in mm."""
        return np.asarray(points @ self.normal - self.offset)

    def partner(self, points: Array) -> Array:
        """Return where the counterparts of points of the image lie on the other side, shape (points, 3)."""
        return nib.affines.apply_affine(self.reflection, self.warp.points(points))


@dataclass(frozen=True)
class Sides:
    """How a lesion is spread over the two sides: ml in each, and the share that is on the smaller side."""

    left_ml: float
    right_ml: float

    @property
    def smaller_share(self) -> float:
        """The share of the lesion on the side that has less of it; 0 where there is no lesion."""
        total = self.left_ml + self.right_ml
        return min(self.left_ml, self.right_ml) / total if total else 0.0


def mirrored(image: nib.Nifti1Image, reflection: Array) -> nib.Nifti1Image:
    """Return the mirror image, without interpolation; RAS+."""
    data = np.asanyarray(image.dataobj)
    return to_ras(nib.Nifti1Image(data, reflection @ image.affine))


def find_mirror(
    image: nib.Nifti1Image,
    brain: nib.Nifti1Image,
    lesion: nib.Nifti1Image,
    *,
    deformable: bool = True,
    clearance_mm: float = CLEARANCE_MM,
    seed: int = 1,
) -> Mirror:
    """Register an image to its own mirror image.

    Parameters
    ----------
    image
        The brain on the growth grid, 0 outside the brain.
    brain, lesion
        Masks on the growth grid; nothing is compared in the lesion nor in its mirror image.
    deformable
        Whether the two sides are matched by SyN after the rigid registration; the midplane needs none.
    clearance_mm
        How far beyond the lesion nothing is compared either.
    seed
        Of the random sampling.

    Raises
    ------
    ImageError
        The brain mask is empty.
    """
    voxels = np.argwhere(data_of(brain) > 0)
    if not len(voxels):
        raise ImageError("the brain mask is empty; look at the pictures of the brain masks")
    middle = nib.affines.apply_affine(brain.affine, voxels.mean(axis=0))
    reflection = REFLECTION.copy()
    reflection[0, 3] = 2 * middle[0]
    other = mirrored(image, reflection)
    if deformable:
        around = widened(lesion, clearance_mm)
        masks = {"fixed_lesion": around, "moving_lesion": mirrored(around, reflection)}
        warp = deform(image, other, kind="rigid", seed=seed, **masks)
    else:
        warp = Warp(register(image, other, kind="rigid", seed=seed).matrix)
    return Mirror(reflection, warp, *midplane(reflection @ warp.matrix, middle))


def midplane(partner: Array, centre: Array) -> tuple[Array, float]:
    """Return the plane that a rigid map from one side to the other mirrors at.

    Parameters
    ----------
    partner
        (4, 4): from a point to its counterpart, a reflection and a rigid motion.
    centre
        A point amid the brain, RAS+ mm.

    Returns
    -------
    tuple
        Unit normal that points right, and the offset along it in mm.

    Examples
    --------
    >>> partner = np.diag([-1.0, 1, 1, 1])
    >>> partner[0, 3] = 8
    >>> normal, offset = midplane(partner, np.zeros(3))
    >>> normal.tolist(), offset
    ([1.0, 0.0, 0.0], 4.0)
    """
    # an improper rotation turns exactly one direction round
    *_, rows = np.linalg.svd(partner[:3, :3] + np.eye(3))
    normal = rows[-1] * np.sign(rows[-1][0] or 1.0)
    halfway = (centre + nib.affines.apply_affine(partner, centre)) / 2
    return normal + 0.0, float(normal @ halfway)


def sides(lesion: nib.Nifti1Image, mirror: Mirror) -> Sides:
    """Return how much of a lesion lies on each side of the midplane."""
    points = nib.affines.apply_affine(lesion.affine, np.argwhere(data_of(lesion) > 0))
    right = mirror.signed_distance(points) > 0
    voxel_ml = ml_per_voxel(spacing_of(lesion))
    return Sides(float((~right).sum() * voxel_ml), float(right.sum() * voxel_ml))


def check_one_sided(lesion: nib.Nifti1Image, mirror: Mirror, most: float = MOST_ON_OTHER_SIDE) -> Sides:
    """Check that a lesion has healthy tissue opposite to it.

    Parameters
    ----------
    lesion
        Mask on the growth grid.
    mirror
        From `find_mirror`.
    most
        The largest share of the lesion that may lie on the other side.

    Raises
    ------
    ImageError
        The lesion crosses the midline or is on both sides; says how much of it is where.
    """
    found = sides(lesion, mirror)
    if found.smaller_share > most:
        left, right = found.left_ml, found.right_ml
        raise ImageError(
            f"tissue: the lesion is not one-sided: {left / (left + right):.0%} of it ({left:.1f} ml) lies "
            f"left and {right / (left + right):.0%} ({right:.1f} ml) right of the midplane, where {most:.0%} "
            "at most may lie on the smaller side; take the tissue from the atlas or the image instead"
        )
    return found


def contralateral_tissue(
    maps: TissueMaps,
    brain: nib.Nifti1Image,
    lesion: nib.Nifti1Image,
    mirror: Mirror,
    *,
    most: float = MOST_ON_OTHER_SIDE,
    clearance_mm: float = CLEARANCE_MM,
) -> TissueMaps:
    """Put the tissue of the other side where the lesion is (S8).

    Parameters
    ----------
    maps
        An estimate for the rest of the brain, such as `gliaflow.growth.tissue_image.image_tissue`; it stays
        where the counterpart is a part of the lesion itself.
    brain, lesion
        Masks on the growth grid.
    mirror
        From `find_mirror`.
    most
        See `check_one_sided`.
    clearance_mm
        How far beyond the lesion the other side is taken whole.

    Raises
    ------
    ImageError
        The lesion is not one-sided.
    """
    check_one_sided(lesion, mirror, most)
    inside = data_of(brain) > 0
    white, grey, csf = (
        data_of(carry_image(mirrored(new_image(m, brain.affine), mirror.reflection), brain, mirror.warp))
        for m in maps.stack()
    )
    other = tissue_maps(white, grey, csf, inside)
    healthy = data_of(carry_mask(mirrored(lesion, mirror.reflection), brain, mirror.warp)) == 0
    found = other.stack().sum(axis=0) > 0.5
    weight = lesion_weight(lesion, clearance_mm) * (healthy & found)
    return maps.mixed(other, weight)


def lesion_weight(lesion: nib.Nifti1Image, clearance_mm: float) -> Array:
    """Return 1 in a lesion and up to a distance from it, falling to 0 over `BLEND_MM`; float32."""
    inside = data_of(lesion) > 0
    if not inside.any():
        return np.zeros(inside.shape, dtype=np.float32)
    distance = ndimage.distance_transform_edt(~inside, sampling=spacing_of(lesion))
    return np.clip(1 - (distance - clearance_mm) / BLEND_MM, 0, 1).astype(np.float32)
