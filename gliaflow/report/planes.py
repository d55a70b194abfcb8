"""Planes through a head as radiologists look at them, cut from an image of any orientation.

A plane is an array whose first row is the top of the picture and whose first column is its left: the
patient's right is left on axial and coronal planes, the nose is left on sagittal ones.
"""

from dataclasses import dataclass
from typing import cast

import nibabel as nib
import numpy as np
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold, threshold_otsu
from skimage.measure import find_contours
from skimage.transform import resize

from gliaflow.errors import ImageError
from gliaflow.images import Array, spacing_of, to_ras

WINDOW_PERCENTILES = (1.0, 99.5)
BELOW_BRAIN_MM = 45.0
EDGE_SIGMA_MM = 1.3
EDGE_QUANTILES = (0.70, 0.90)
EDGE_LENGTH_MM = 12.0

Box = tuple[slice, slice, slice]
Lines = list[Array]


@dataclass(frozen=True)
class View:
    """A direction to look from: the RAS axis perpendicular to the plane, and the letters of its edges."""

    name: str
    axis: int
    left: str
    right: str
    top: str
    bottom: str


VIEWS = (
    View("axial", 2, "R", "L", "A", "P"),
    View("coronal", 1, "R", "L", "S", "I"),
    View("sagittal", 0, "A", "P", "S", "I"),
)


@dataclass(frozen=True)
class Cut:
    """One plane of a RAS image: where it lies, and how many picture pixels a millimetre gets."""

    view: View
    index: int
    box: Box
    spacing: tuple[float, float, float]
    pixels_per_mm: float

    def extract(self, data: Array) -> Array:
        """Return the plane's voxels, cropped to the box: top row first, left column first."""
        inside = data[tuple(self.index if a == self.view.axis else self.box[a] for a in range(3))]
        return np.asarray(inside).T[::-1, ::-1]

    @property
    def voxel(self) -> tuple[float, float]:
        """Height and width of a voxel in picture pixels."""
        width, height = (s for a, s in enumerate(self.spacing) if a != self.view.axis)
        return height * self.pixels_per_mm, width * self.pixels_per_mm

    def picture(self, data: Array) -> Array:
        """Return the plane at picture resolution, float32: voxels become square by cubic interpolation."""
        plane = self.extract(data).astype(np.float32)
        shape = [max(1, round(n * v)) for n, v in zip(plane.shape, self.voxel, strict=True)]
        return cast(Array, resize(plane, shape, order=3, mode="edge", anti_aliasing=True))

    def outline(self, mask: Array) -> Lines:
        """Return closed outlines of a mask in picture pixels (x, y), midway from inner to outer voxels.

        The zero line of the signed distance, which runs straight from slice to slice where slices are thick
        (Raya and Udupa 1990); every voxel centre stays on its side, so that the smallest lesion is drawn.
        """
        plane = np.pad(self.extract(mask).astype(bool), 1)
        if not plane.any():
            return []
        inside, outside = (ndimage.distance_transform_edt(p, sampling=self.voxel) for p in (plane, ~plane))
        lines = [(line - 0.5) * self.voxel - 0.5 for line in find_contours(inside - outside, 0)]
        return [line[:, ::-1] for line in lines]

    def place(self, voxels: Array) -> Array:
        """Return where places in the plane lie on the picture.

        Parameters
        ----------
        voxels
            Shape (n, 2): indices, fractions too, along the two axes of the plane, in the image's order.

        Returns
        -------
        Array
            Picture pixels (x, y), shape (n, 2).
        """
        last = np.array([side.stop - 1 for axis, side in enumerate(self.box) if axis != self.view.axis])
        return (last - voxels + 0.5) * self.voxel[::-1] - 0.5

    def edges(self, data: Array, inside: Array) -> Lines:
        """Return the strong edges of an image within a mask, in picture pixels (x, y).

        Zero crossings of the Laplacian of a Gaussian, kept where the gradient is strong or continues a strong
        edge (Marr and Hildreth 1980, with Canny's hysteresis), to a fraction of a pixel.
        """
        plane, mask = self.picture(data), self.picture(inside) > 0.5
        if not mask.any():
            return []
        sigma = EDGE_SIGMA_MM * self.pixels_per_mm
        mask = ndimage.binary_erosion(mask, iterations=max(1, round(2 * sigma)))
        gradient = ndimage.gaussian_gradient_magnitude(plane, sigma)
        low, high = np.quantile(gradient[mask], EDGE_QUANTILES) if mask.any() else (np.inf, np.inf)
        strong = mask & apply_hysteresis_threshold(gradient, low, high)
        lines = find_contours(ndimage.gaussian_laplace(plane, sigma), 0, mask=strong)
        return [line[:, ::-1] for line in lines if _length(line) >= EDGE_LENGTH_MM * self.pixels_per_mm]


def _length(line: Array) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def volume(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """Return a 3-D image in RAS voxel order; a fourth axis of length one is dropped."""
    squeezed = cast(nib.Nifti1Image, nib.squeeze_image(image))
    if len(squeezed.shape) != 3:
        raise ImageError(f"an image of shape {image.shape} cannot be drawn; one 3-D volume is needed")
    return to_ras(squeezed)


def nearest_voxel(image: nib.Nifti1Image, centre: Array) -> tuple[tuple[int, int, int], bool]:
    """Return the voxel nearest to a point, and whether the point lies inside the image.

    Parameters
    ----------
    image
        Any orientation; the voxel counts along its own axes.
    centre
        Shape (3,), world coordinates in mm (RAS+).
    """
    wanted = np.rint(nib.affines.apply_affine(np.linalg.inv(image.affine), np.asarray(centre, dtype=float)))
    last = np.array(image.shape[:3]) - 1
    i, j, k = np.clip(wanted, 0, last).astype(int)
    return (int(i), int(j), int(k)), bool(((wanted >= 0) & (wanted <= last)).all())


def cuts(
    image: nib.Nifti1Image, voxel: tuple[int, int, int], box: Box, pixels_per_mm: float
) -> tuple[Cut, Cut, Cut]:
    """Return the axial, coronal and sagittal cut of a RAS image through a voxel."""
    axial, coronal, sagittal = (
        Cut(view, voxel[view.axis], box, spacing_of(image), pixels_per_mm) for view in VIEWS
    )
    return axial, coronal, sagittal


def position(image: nib.Nifti1Image, cut: Cut) -> str:
    """Return where a plane lies, at the middle of its box: ``S 34 mm``.

    >>> image = nib.Nifti1Image(np.zeros((4, 4, 4), dtype=np.uint8), np.eye(4))
    >>> position(image, Cut(VIEWS[0], 2, (slice(4),) * 3, (1, 1, 1), 1))
    'S 2 mm'
    """
    voxel = [(s.start or 0) + (s.stop - (s.start or 0) - 1) / 2 for s in cut.box]
    voxel[cut.view.axis] = cut.index
    where = round(float(nib.affines.apply_affine(image.affine, voxel)[cut.view.axis]))
    return f"{('RL', 'AP', 'SI')[cut.view.axis][where < 0]} {abs(where)} mm"


def tilt(image: nib.Nifti1Image) -> float:
    """Return the largest angle in degrees between an image's axes and those of the scanner."""
    cosines = image.affine[:3, :3] / spacing_of(image)
    return float(np.degrees(np.arccos(np.clip(np.abs(cosines).max(axis=0), 0, 1))).max())


def bounding_box(mask: Array, spacing: tuple[float, float, float], margin: float) -> Box:
    """Return the box of a mask, wider by ``margin`` mm on each side; the whole grid where it is empty."""
    bounds = []
    for axis in range(3):
        filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        first, last = (filled[0], filled[-1]) if filled.size else (0, mask.shape[axis] - 1)
        extra = int(np.ceil(margin / spacing[axis]))
        bounds.append(slice(max(0, int(first) - extra), min(mask.shape[axis], int(last) + 1 + extra)))
    return bounds[0], bounds[1], bounds[2]


def head(data: Array, spacing: tuple[float, float, float]) -> Array:
    """Return the voxels of the head (or of a brain without its skull), bool: the largest thing above air."""
    smooth = ndimage.gaussian_filter(data, [1.0 / s for s in spacing], truncate=2.0)
    if smooth.min() == smooth.max():
        return np.ones(data.shape, dtype=bool)
    sample = smooth[::2, ::2, ::2]
    usual = np.clip(sample, *np.percentile(sample, (0, 99.5)))
    above = smooth > (threshold_otsu(usual) + usual.min()) / 2
    parts, count = ndimage.label(above)
    return cast(Array, parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])) if count else above


def head_box(
    data: Array, spacing: tuple[float, float, float], brain: Array | None = None, margin: float = 6.0
) -> Box:
    """Return the box to crop a RAS image to: the head, without the neck where a brain mask is given.

    Parameters
    ----------
    data
        Shape (x, y, z), RAS voxel order.
    spacing
        Voxel size in mm.
    brain
        Mask of the same shape: what lies further than 45 mm below it is left out.
    margin
        Air around the head in mm.
    """
    steps = [max(1, round(2.0 / s)) for s in spacing]
    coarse = data[:: steps[0], :: steps[1], :: steps[2]]
    x, y, z = spacing[0] * steps[0], spacing[1] * steps[1], spacing[2] * steps[2]
    found = bounding_box(head(coarse, (x, y, z)), (x, y, z), margin)
    box = [
        slice(s.start * step, min(n, s.stop * step))
        for s, step, n in zip(found, steps, data.shape, strict=True)
    ]
    if brain is not None and brain.any():
        lowest = bounding_box(brain, spacing, BELOW_BRAIN_MM)[2].start
        box[2] = slice(max(box[2].start, lowest), max(box[2].stop, lowest + 1))
    return box[0], box[1], box[2]


def window(data: Array, inside: Array) -> tuple[float, float]:
    """Return the intensities to show as black and white: percentiles 1 and 99.5 within a mask."""
    values = data[inside] if inside.any() else data.ravel()
    low, high = (float(v) for v in np.percentile(values, WINDOW_PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)
