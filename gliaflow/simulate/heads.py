"""The anatomy of a subject: a deformed MNI152 brain in a generated head, or the deformed Colin27 head."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from nilearn.datasets import load_mni152_template
from scipy import ndimage

from gliaflow.images import Array, data_of, read_image
from gliaflow.masks import largest_part
from gliaflow.simulate.fields import blob, signed_distance, smooth_noise, world_points

FIRST_CORNER_MM = (-93.0, -123.0, -117.0)
LAST_CORNER_MM = (93.0, 114.0, 93.0)
TISSUE_BRIGHTNESS = (0.27, 0.62, 0.84)
"""Where CSF, grey and white matter lie on the T1 template, whose brightest voxel is 1."""
BRAIN, LEVELS = 32, 64
"""In the stored Colin27 head a value of 32 and more is brain, of brightness (value - 32) / 64."""
HULL_MM = 14.0
VENTRICLES_MM = np.array([0.0, -15.0, 12.0], dtype=np.float32)
VENTRICLES_REACH_MM = 28.0
SIZE, SPREAD_SIZE = (0.89, 0.95), (0.86, 1.0)
COLIN27 = Path(__file__).parent.parent.parent / "resources" / "anatomy" / "colin27.nii.gz"
LOWEST_MM = -69.0
"""Below this height of the template there is no Colin27; a generated neck goes on from there."""
Anatomy = Literal["mni152", "colin27"]


class Material(IntEnum):
    """What fills a voxel outside the brain."""

    AIR = 0
    CSF = 1
    BONE = 2
    MARROW = 3
    FAT = 4
    SKIN = 5
    MUSCLE = 6
    VESSEL = 7
    CORD = 8
    MUCOSA = 9


@dataclass(frozen=True)
class Head:
    """A subject's anatomy on one grid, every array of shape (x, y, z).

    ``affine`` maps voxels to the anatomy's world (RAS+, mm). ``brightness`` is the deformed T1 template, 0
    outside the brain; ``brain`` (bool) includes ventricles and sulci; ``materials`` (uint8, ``Material``)
    holds outside the brain; ``texture`` is a fine random field of mean 0 and standard deviation 1.
    """

    affine: Array
    brightness: Array
    brain: Array
    materials: Array
    texture: Array

    @property
    def resolution_mm(self) -> float:
        """Edge of a voxel."""
        return float(self.affine[0, 0])

    def tissue_fractions(self) -> Array:
        """Return the shares of CSF, grey and white matter in each voxel, float32, shape (3, x, y, z).

        They sum to 1 in the brain and are 0 outside: brightness between two tissues is a mixture of both.
        """
        shares = [np.interp(self.brightness, TISSUE_BRIGHTNESS, unit) for unit in np.eye(3)]
        return (np.stack(shares) * self.brain).astype(np.float32)

    def tissue(self) -> Array:
        """Return the main tissue of each voxel, uint8: 0 outside the brain, 1 CSF, 2 grey, 3 white matter."""
        return ((self.tissue_fractions().argmax(axis=0) + 1) * self.brain).astype(np.uint8)


@cache
def template() -> tuple[Array, Array]:
    """Return nilearn's bundled MNI152 T1 brain at 1 mm (float32, 0 outside the brain) and its affine."""
    image = load_mni152_template(resolution=1)
    return data_of(image), image.affine


@cache
def colin27() -> tuple[Array, Array, Array, Array]:
    """Return the bundled Colin27 head at 1 mm.

    Returns
    -------
    tuple
        Brightness (float32, fluid's outside the brain), brain (float32, 1 inside) and materials (uint8) of
        shape (x, y, z), and the affine. `gliaflow.simulate.colin27` says what the file holds.
    """
    image = read_image(COLIN27)
    stored = np.asarray(image.dataobj)
    inside = stored >= BRAIN
    fluid = TISSUE_BRIGHTNESS[0]
    brightness = np.where(inside, (stored.astype(np.float32) - BRAIN) / LEVELS, fluid).astype(np.float32)
    return brightness, inside.astype(np.float32), np.where(inside, Material.CSF, stored), image.affine


def make_head(
    rng: np.random.Generator, resolution_mm: float = 1.5, anatomy: Anatomy = "mni152", spread: float = 1.0
) -> Head:
    """Make the head of one subject.

    Parameters
    ----------
    rng
        Decides size, shape and texture.
    resolution_mm
        Voxel edge of the anatomy grid.
    anatomy
        Which template: MNI152 has a brain only, and the head round it is generated; Colin27 is a whole head.
    spread
        Factor of how far subjects differ from the template.

    Returns
    -------
    Head
        Upright, its brain near the origin of the world, as the template's.
    """
    affine, shape = head_grid(resolution_mm)
    points = template_points(affine, shape, rng, spread)
    brightness, brain = make_brain(points, resolution_mm, anatomy)
    materials = outside_brain(points, brain, affine, rng)
    if anatomy == "colin27":
        materials = np.where(points[2] < LOWEST_MM, materials, sample_materials(points))
    texture = smooth_noise(shape, (resolution_mm,) * 3, 1.5 * resolution_mm, rng)
    return Head(affine, brightness, brain, materials, texture)


def make_brain(points: Array, resolution_mm: float, anatomy: Anatomy = "mni152") -> tuple[Array, Array]:
    """Return the brightness of a brain, float32, 0 outside, and where it is, bool.

    Parameters
    ----------
    points
        From `template_points`, shape (3, x, y, z).
    resolution_mm
        Voxel edge of their grid.
    anatomy
        Which template.
    """
    if anatomy == "colin27":
        values, inside, _, affine = colin27()
        brain = largest_part(sample(inside, affine, points) > 0.5)
        return sample(values, affine, points) * brain, brain
    brightness = sample_template(points)
    brain = largest_part(ndimage.binary_fill_holes(brightness > 0.1))
    return sharpen(brightness, brain, 3.0 / resolution_mm), brain


def head_grid(resolution_mm: float) -> tuple[Array, tuple[int, int, int]]:
    """Return the affine and shape of a grid that holds head and neck."""
    affine = np.diag([resolution_mm, resolution_mm, resolution_mm, 1.0])
    affine[:3, 3] = FIRST_CORNER_MM
    x, y, z = np.ceil(np.subtract(LAST_CORNER_MM, FIRST_CORNER_MM) / resolution_mm).astype(int) + 1
    return affine, (int(x), int(y), int(z))


def template_points(
    affine: Array, shape: tuple[int, int, int], rng: np.random.Generator, spread: float = 1.0
) -> Array:
    """Return for every voxel of a grid the point of the template that lies there, shape (3, x, y, z), mm.

    A subject differs from the template by size (4 to 13 % smaller, MNI152 being large), proportions, the
    width of the ventricles, and a smooth displacement. A ``spread`` above 1 lets all of it vary more.
    """
    size = rng.uniform(*(SIZE if spread <= 1 else SPREAD_SIZE)) * rng.uniform(0.98, 1.02, size=3) ** spread
    widening = rng.uniform(0.0, 0.3)
    points = world_points(affine, shape) / size.astype(np.float32)[:, None, None, None]
    spacing = (affine[0, 0],) * 3
    for axis in range(3):
        points[axis] += 2.0 * spread * smooth_noise(shape, spacing, 50.0, rng)
        points[axis] += 0.8 * spread * smooth_noise(shape, spacing, 16.0, rng)
    from_ventricles = points - VENTRICLES_MM[:, None, None, None]
    reach = np.exp(-(from_ventricles**2).sum(axis=0) / (2 * VENTRICLES_REACH_MM**2))
    return points - np.float32(widening) * reach * from_ventricles


def sample_template(points: Array) -> Array:
    """Return the MNI152 brain's brightness at template points, float32, by linear interpolation."""
    return sample(*template(), points)


def sample(data: Array, affine: Array, points: Array, order: int = 1) -> Array:
    """Return what a template holds (1 mm, RAS+) at template points, shape (x, y, z); 0 outside of it."""
    voxels = points - affine[:3, 3].astype(np.float32)[:, None, None, None]
    return ndimage.map_coordinates(data, voxels, order=order, output=data.dtype)


def sample_materials(points: Array) -> Array:
    """Return what fills Colin27's head at template points, uint8, `Material`."""
    _, _, materials, affine = colin27()
    return sample(materials, affine, points, order=0)


def sharpen(brightness: Array, brain: Array, sigma: float) -> Array:
    """Undo some of the blur that averaging 152 brains left, within the brain; ``sigma`` in voxels."""
    weight = ndimage.gaussian_filter(brain.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(brightness * brain, sigma) / np.maximum(weight, 1e-3)
    return np.clip((brightness + 0.8 * (brightness - mean)) * brain, 0.0, 1.0).astype(np.float32)


def outside_brain(points: Array, brain: Array, affine: Array, rng: np.random.Generator) -> Array:
    """Fill the head around the brain.

    Parameters
    ----------
    points
        Template coordinates of every voxel, shape (3, x, y, z), mm.
    brain
        Bool, shape (x, y, z).
    affine
        Of the grid.
    rng
        Decides thicknesses, the pattern of muscle and fat, and air cells.

    Returns
    -------
    Array
        uint8, ``Material``; what it says inside the brain has no meaning.
    """
    spacing = (affine[0, 0],) * 3
    shape = brain.shape
    from_brain = signed_distance(brain, affine)
    from_hull = signed_distance(from_brain < HULL_MM, affine) + HULL_MM
    thickness = 1 + 0.08 * smooth_noise(shape, spacing, 40.0, rng)
    from_skull = from_hull - (8.5 * thickness).astype(np.float32)
    skin_depth = -surface(points, from_skull - 5.5 * thickness)
    pattern = smooth_noise(shape, spacing, 4.5, rng)

    materials = np.where(pattern > 1.0, Material.FAT, Material.MUSCLE).astype(np.uint8)
    add_face_and_neck(materials, points, pattern)
    materials[skin_depth < 5.5 + pattern] = Material.FAT
    materials[skin_depth < 2.2] = Material.SKIN
    materials[skin_depth < 0] = Material.AIR
    add_skull(materials, points, from_brain, from_hull, from_skull)
    add_spine(materials, points)
    return materials


def surface(points: Array, from_scalp: Array) -> Array:
    """Return about how far points lie outside the skin, mm: the scalp joined with face, nose and neck."""
    face = blob(points, (0, 38, -62), (58, 54, 66))
    nose = blob(points, (0, 95, -52), (11, 13, 16))
    neck = blob(points, (0, -28, 0), (54, 58, np.inf))
    neck = np.maximum(neck, points[2] + 45)
    distance = from_scalp
    for other in (face, nose, neck):
        gap = np.clip(0.5 + (distance - other) / 16, 0, 1)
        distance = distance * (1 - gap) + other * gap - 8 * gap * (1 - gap)
    return distance


def add_face_and_neck(materials: Array, points: Array, pattern: Array) -> None:
    """Add orbits with eyes, air sinuses, facial bone and the airway."""
    mirrored = np.stack([np.abs(points[0]), points[1], points[2]])
    facial = (blob(points, (0, 48, -52), (46, 34, 34)) < 0) & (pattern < -0.3)
    materials[facial] = Material.BONE
    materials[blob(mirrored, (32, 50, -36), (18, 26, 17)) < 0] = Material.FAT
    materials[blob(mirrored, (32, 40, -36), (3, 22, 3)) < 0] = Material.MUSCLE
    materials[blob(mirrored, (33, 63, -36), (12, 12, 12)) < 0] = Material.CSF
    materials[blob(mirrored, (27, 52, -66), (13, 17, 16)) < 0] = Material.AIR
    cavity = blob(points, (0, 58, -58), (11, 32, 17)) < 0
    materials[cavity & (np.abs(pattern) < 0.7)] = Material.AIR
    materials[blob(points, (0, 4, -85), (9, 8, 50)) < 0] = Material.AIR
    materials[blob(mirrored, (54, -22, -42), (7, 12, 11)) < 2 * pattern] = Material.AIR
    materials[blob(points, (0, 30, -105), (34, 38, 10)) < 0] = Material.MUSCLE


def add_skull(
    materials: Array, points: Array, from_brain: Array, from_hull: Array, from_skull: Array
) -> None:
    """Add the skull with its marrow, the fluid around the brain, and the sagittal sinus."""
    bone = from_skull < 0
    materials[bone] = Material.BONE
    vault = points[2] > -35
    materials[bone & vault & (from_hull > 4.2) & (from_skull < -1.8)] = Material.MARROW
    materials[from_hull < 2.2] = Material.CSF
    midline = (np.abs(points[0]) < 4.0) & (points[2] > -10) & ((points[2] > 45) | (points[1] < -70))
    materials[midline & (from_brain > 0) & (from_hull < 4.5)] = Material.VESSEL


def add_spine(materials: Array, points: Array) -> None:
    """Add vertebrae, the spinal canal and the cord below the brainstem."""
    below = points[2] < -70
    materials[below & (blob(points, (0, -47, 0), (17, 16, np.inf)) < 0)] = Material.BONE
    materials[below & (blob(points, (0, -24, 0), (14, 11, np.inf)) < 0)] = Material.MARROW
    canal = below & (blob(points, (0, -46, 0), (10, 9, np.inf)) < 0)
    materials[canal] = Material.CSF
    materials[canal & (blob(points, (0, -46, 0), (6.5, 5.5, np.inf)) < 0)] = Material.CORD
