"""Reading and writing images, and handing them to SimpleITK and ANTs.

Images are ``nibabel.Nifti1Image`` in memory, RAS+ on disk, millimetres, gzip without a time stamp.
"""

import gzip
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.spatialimages import HeaderDataError

from gliaflow.errors import ImageError

if TYPE_CHECKING:
    import ants
    import SimpleITK as sitk

Array = npt.NDArray[Any]
UNREADABLE = (ImageFileError, HeaderDataError, OverflowError, OSError, EOFError, ValueError, zlib.error)
GZIP_LEVEL = 4
MOST_PACKED = 1032
"""Deflate packs no more bytes into one."""
MOST_BYTES = 8 * 1024**3
SMALLEST = 1e-12
"""A smaller direction cosine is 0."""
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_image(path: str | Path) -> nib.Nifti1Image:
    """Read a NIfTI file whole into memory.

    Parameters
    ----------
    path
        A ``.nii`` or ``.nii.gz`` file.

    Returns
    -------
    nibabel.Nifti1Image
        With its data in memory as scaled values; orientation as in the file.

    Raises
    ------
    ImageError
        The file is missing, truncated or not NIfTI, announces more voxels than it can hold or more than
        8 GiB, or does not say where its voxels lie.
    """
    try:
        image = cast(nib.Nifti1Image, nib.load(path))
        _check_extent(image, Path(path))
        whole = nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine, image.header)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise ImageError(f"{path}: not a whole NIfTI file ({reason}); copy or convert it again") from error
    if not np.isfinite(whole.affine).all() or np.linalg.matrix_rank(whole.affine[:3, :3]) < 3:
        raise ImageError(f"{path}: its affine does not say where its voxels lie; convert it again")
    return whole


def count_voxels(path: str | Path) -> int:
    """Count the voxels that the header of a NIfTI file announces; none where no scan can be read from it.

    What is wrong with a file is told by `read_image`.
    """
    try:
        with LoggingOutputSuppressor():
            image = cast(nib.Nifti1Image, nib.load(path))
        _check_extent(image, Path(path))
    except UNREADABLE:
        return 0
    return math.prod(map(int, image.shape))


def _check_extent(image: nib.Nifti1Image, path: Path) -> None:
    """Hold what a header announces against the file, before memory is taken for it."""
    announced = math.prod(map(int, image.shape)) * image.get_data_dtype().itemsize
    most = path.stat().st_size * (MOST_PACKED if path.suffix == ".gz" else 1)
    if announced > most:
        raise ValueError(f"its header announces {announced} bytes of voxels, and at most {most} are there")
    if announced > MOST_BYTES:
        raise ValueError(
            f"its header announces {announced / 1e9:.1f} GB of voxels, which is more than a scan"
        )


def single_volume(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """Drop trailing axes of one entry: shape (x, y, z, 1) becomes (x, y, z)."""
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return (
        image
        if shape == image.shape
        else nib.Nifti1Image(np.asanyarray(image.dataobj).reshape(shape), image.affine)
    )


def to_ras(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """Reorder and flip voxel axes so that they point right, anterior, superior; no interpolation."""
    return cast(nib.Nifti1Image, nib.as_closest_canonical(image))


def new_image(data: Array, affine: Array, dtype: npt.DTypeLike = np.float32) -> nib.Nifti1Image:
    """Make an image with a clean header: the given type, no scaling, scanner-anatomical codes, mm."""
    image = nib.Nifti1Image(np.ascontiguousarray(data, dtype=dtype), affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    return image


def write_image(path: str | Path, data: Array, affine: Array, dtype: npt.DTypeLike = np.float32) -> None:
    """Write an array as RAS+ NIfTI; the same array gives the same bytes.

    Parameters
    ----------
    path
        ``.nii.gz``, written whole or not at all.
    data
        Shape (x, y, z) or (x, y, z, channels).
    affine
        Shape (4, 4), voxel to RAS+ millimetres.
    dtype
        float32 for intensities, uint8 for labels and quantised probabilities.
    """
    image = to_ras(new_image(data, affine, dtype))
    write_nifti(path, new_image(np.asanyarray(image.dataobj), image.affine, dtype))


def write_nifti(path: str | Path, image: nib.Nifti1Image) -> None:
    """Write an image as it is, header and all: gzip without a time stamp, whole or not at all."""
    write_bytes(path, gzip.compress(image.to_bytes(), compresslevel=GZIP_LEVEL, mtime=0))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with whole_file(path) as partial:
        partial.write_bytes(content)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a place beside a path to write to; what was written is moved there unless something fails."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def data_of(image: nib.Nifti1Image, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return the voxels as an array of the given type, shape (x, y, z[, channels])."""
    return np.asarray(image.dataobj, dtype=dtype)


def spacing_of(image: nib.Nifti1Image) -> tuple[float, float, float]:
    """Return the voxel size in mm along the three spatial axes."""
    x, y, z = nib.affines.voxel_sizes(image.affine)
    return float(x), float(y), float(z)


def ml_per_voxel(spacing: Iterable[float]) -> float:
    """Return the volume in ml of a voxel whose edges are given in mm.

    >>> ml_per_voxel((1.0, 1.0, 2.0))
    0.002
    """
    return math.prod(spacing) / 1000


def same_grid(first: nib.Nifti1Image, second: nib.Nifti1Image, tolerance: float = 1e-2) -> bool:
    """Tell whether two images have the same spatial shape and their corners agree within ``tolerance`` mm."""
    if first.shape[:3] != second.shape[:3]:
        return False
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    corners[:, :3] *= np.array(first.shape[:3]) - 1
    difference = corners @ (first.affine - second.affine).T
    return bool(np.abs(difference).max() <= tolerance)


def to_sitk(image: nib.Nifti1Image, dtype: npt.DTypeLike = np.float32) -> "sitk.Image":
    """Turn a 3-D image into SimpleITK's, in LPS world coordinates."""
    import SimpleITK as sitk

    result = sitk.GetImageFromArray(np.ascontiguousarray(data_of(image, dtype).T))
    affine = RAS_TO_LPS @ image.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    result.SetSpacing([float(s) for s in spacing])
    result.SetOrigin([float(o) for o in affine[:3, 3]])
    direction = affine[:3, :3] / spacing
    # ITK inverts the direction by a method that fails on numbers next to 0
    result.SetDirection([float(d) for d in np.where(np.abs(direction) < SMALLEST, 0, direction).ravel()])
    return result


def from_sitk(image: "sitk.Image") -> nib.Nifti1Image:
    """Turn SimpleITK's 3-D image into nibabel's."""
    import SimpleITK as sitk

    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    data = sitk.GetArrayFromImage(image).T
    return new_image(data, RAS_TO_LPS @ affine, data.dtype)


def to_ants(image: nib.Nifti1Image) -> "ants.ANTsImage":
    """Turn a 3-D image into ANTs' float32 image, in LPS world coordinates."""
    import ants

    affine = RAS_TO_LPS @ image.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return ants.from_numpy(
        data_of(image),
        origin=affine[:3, 3].tolist(),
        spacing=spacing.tolist(),
        direction=affine[:3, :3] / spacing,
    )
