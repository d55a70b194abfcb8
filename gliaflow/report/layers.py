"""Images packed for the viewer of a page: cropped, in few bits, and with what that costs in precision."""

import base64
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.images import Array, new_image, spacing_of
from gliaflow.report.planes import Box, window

GZIP_LEVEL = 6
SAMPLED = 8
"""Every how many slices an image is packed to tell how large it will be."""
CAREFUL = 1.1
"""How far a guess may pass the budget before it is believed."""
NONE = 0
"""The code of a voxel without a value."""
HEADER_BYTES = 352
EXACT, FINE, COARSE = 65535, 4095, 255
"""How many values an image may have: 16, 12 and 8 bits, one code kept for voxels without a value."""


@dataclass(frozen=True)
class Detail:
    """How much of an image is kept.

    Attributes
    ----------
    levels
        Different values.
    masked
        Whether voxels away from the brain are left out.
    step
        Every how many voxels along each axis one is kept.
    """

    levels: int = EXACT
    masked: bool = False
    step: tuple[int, int, int] = (1, 1, 1)


@dataclass(frozen=True)
class Packed:
    """An image as codes, and what they mean: value = slope * code + intercept.

    Attributes
    ----------
    codes
        uint8 or uint16, shape (x, y, z).
    affine
        From their voxels to RAS+ mm, shape (4, 4).
    slope, intercept
        Of the codes.
    sparse
        Whether the code 0 stands for no value.
    clipped
        Whether the first and the last code stand for everything below and above.
    precision
        By how much a value may differ from the image's.
    """

    codes: Array
    affine: Array
    slope: float = 1.0
    intercept: float = 0.0
    sparse: bool = False
    clipped: bool = False
    precision: float = 0.0

    def nifti(self) -> bytes:
        """Return it as NIfTI, gzip without a time stamp."""
        header = new_image(self.codes, self.affine, self.codes.dtype).header
        header["vox_offset"], header["magic"] = HEADER_BYTES, b"n+1"
        header["scl_slope"], header["scl_inter"] = self.slope, self.intercept
        content = header.binaryblock.ljust(HEADER_BYTES, b"\0") + self.codes.tobytes(order="F")
        return gzip.compress(content, compresslevel=GZIP_LEVEL, mtime=0)


def crop(
    image: nib.Nifti1Image, data: Array, box: Box, step: Sequence[int] = (1, 1, 1)
) -> tuple[Array, Array]:
    """Return the voxels of a box, every so many of them, and their affine.

    Parameters
    ----------
    image
        RAS+, whose affine counts.
    data
        Its voxels, shape (x, y, z).
    box, step
        What is kept.
    """
    kept = data[tuple(slice(side.start, side.stop, n) for side, n in zip(box, step, strict=True))]
    affine = image.affine @ nib.affines.from_matvec(np.diag(step), [side.start for side in box])
    return kept, affine


def pack_whole(values: Array, affine: Array) -> Packed:
    """Pack whole numbers of 0 to 255 (a label map, a mask, an uncertainty) as they are."""
    return Packed(values.astype(np.uint8), affine)


def pack_map(values: Array, affine: Array, levels: int = FINE) -> Packed:
    """Pack a map of any values over its whole range; what is not finite becomes no value.

    Parameters
    ----------
    values
        float, shape (x, y, z).
    affine
        Shape (4, 4).
    levels
        Different values that are kept.

    Examples
    --------
    >>> packed = pack_map(np.array([[[0.0, 2.0, np.inf]]]), np.eye(4))
    >>> packed.codes.tolist(), packed.sparse
    ([[[1, 3, 0]]], True)
    """
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    return _coded(values, known, affine, (low, high), levels)


def pack_scan(values: Array, brain: Array, affine: Array, detail: Detail) -> Packed:
    """Pack a scan.

    Parameters
    ----------
    values
        float32, shape (x, y, z).
    brain
        bool, the same shape: what is kept where the detail says so, and what sets the window of 8 bits.
    affine
        Shape (4, 4).
    detail
        With 8 bits the range is that of the window, else that of the values.
    """
    kept = brain if detail.masked else np.ones_like(brain)
    clipped = detail.levels <= COARSE
    ends = window(values, brain) if clipped else (float(values.min()), float(values.max()))
    packed = _coded(values, kept, affine, ends, detail.levels)
    return replace(packed, sparse=detail.masked, clipped=clipped)


def _coded(values: Array, known: Array, affine: Array, ends: tuple[float, float], levels: int) -> Packed:
    """Spread codes from 1 on evenly from end to end; whole numbers that fit are kept exactly."""
    low, high = ends
    steps = levels - 1
    inside = values[known]
    whole = high - low <= steps and low == round(low) and bool((inside == np.rint(inside)).all())
    slope = 1.0 if whole else (high - low) / steps or 1.0
    codes = np.clip(np.rint((np.where(known, values, low) - low) / slope), 0, steps) + 1
    kind = np.uint8 if levels <= COARSE else np.uint16
    return Packed(
        np.where(known, codes, NONE).astype(kind),
        affine,
        slope,
        low - slope,
        sparse=not known.all(),
        precision=0.0 if whole else slope / 2,
    )


def details(spacing: tuple[float, float, float]) -> list[Detail]:
    """Return what may be kept of scans, from the most to the least.

    >>> [detail.step for detail in details((0.5, 0.5, 2.0))][-2:]
    [(2, 2, 1), (3, 3, 1)]
    """
    coarser = [Detail(COARSE, True, _step(spacing, factor)) for factor in (2, 3)]
    return [Detail(), Detail(FINE), Detail(FINE, True), Detail(COARSE, True), *coarser]


def _step(spacing: tuple[float, float, float], factor: int) -> tuple[int, int, int]:
    """Return how many voxels make one, so that none grows beyond the finest one's multiple."""
    most = factor * min(spacing)
    x, y, z = (max(1, int(most / side + 1e-3)) for side in spacing)
    return x, y, z


def pack_scans(
    images: Mapping[str, tuple[nib.Nifti1Image, Array]], brain: Array, box: Box, budget: int
) -> tuple[dict[str, bytes], dict[str, Packed], Detail]:
    """Pack the scans of a session in as much detail as fits.

    Parameters
    ----------
    images
        By sequence a RAS+ image and its voxels, shape (x, y, z), all on one grid.
    brain
        What matters, bool, the same shape.
    box
        What is kept of it.
    budget
        Bytes that the packed images may take together.

    Returns
    -------
    tuple
        By sequence the file and the image in it, and the detail. With the least detail the budget may be
        passed.
    """
    first, _ = next(iter(images.values()))
    choices = details(spacing_of(first))
    for detail in choices:
        last = detail == choices[-1]
        if not last and _guess(images, brain, box, detail) > CAREFUL * budget:
            continue
        packed = _scans(images, brain, box, detail, detail.step)
        made = {name: part.nifti() for name, part in packed.items()}
        if last or sum(map(len, made.values())) <= budget:
            break
    return made, packed, detail


def _scans(
    images: Mapping[str, tuple[nib.Nifti1Image, Array]],
    brain: Array,
    box: Box,
    detail: Detail,
    step: Sequence[int],
) -> dict[str, Packed]:
    packed = {}
    for name, (image, data) in images.items():
        values, affine = crop(image, data, box, step)
        inside, _ = crop(image, brain, box, step)
        packed[name] = pack_scan(values, inside, affine, detail)
    return packed


def _guess(
    images: Mapping[str, tuple[nib.Nifti1Image, Array]], brain: Array, box: Box, detail: Detail
) -> int:
    """Return about how many bytes packed images take, from some of their slices."""
    x, y, z = detail.step
    some = _scans(images, brain, box, detail, (x, y, z * SAMPLED))
    return SAMPLED * sum(
        len(gzip.compress(part.codes.tobytes(order="F"), compresslevel=1, mtime=0)) for part in some.values()
    )


def as_text(content: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(content).decode()


def grid_of(packed: Packed) -> dict[str, Any]:
    """Return what a page needs to know to look up a voxel: the shape, and the matrix from mm to voxels."""
    return {
        "shape": list(packed.codes.shape),
        "inverse": np.linalg.inv(packed.affine).round(9).tolist(),
        "bits": packed.codes.dtype.itemsize * 8,
        "slope": packed.slope,
        "intercept": packed.intercept,
        "sparse": packed.sparse,
        "clipped": packed.clipped,
        "precision": packed.precision,
    }
