"""Diffusion tensors of a patient's own diffusion-weighted scan (dipy)."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.checks import check_affine, check_similarity
from gliaflow.errors import ImageError
from gliaflow.growth.space import carry_mask
from gliaflow.growth.tensors import Diffusion, carry_tensor, normalised, parts_of
from gliaflow.growth.warp import Warp, widened
from gliaflow.images import Array, data_of, new_image, read_image, spacing_of
from gliaflow.preprocess.register import Registration, register

UNWEIGHTED_BELOW = 50.0
"""A volume with a smaller b-value, s/mm^2, counts as not weighted."""
UNKNOWNS = 6
"""Of a tensor: as many directions are needed at least."""
UNIT_WITHIN = 0.05
WIDER_VOXELS = 2.0
SINGULAR_BELOW = 0.01
"""Singular values below this part of the largest: the directions leave a part of the tensor open."""


@dataclass(frozen=True)
class Dwi:
    """A diffusion-weighted scan.

    Attributes
    ----------
    image
        Shape (x, y, z, volumes), as in its file.
    b_values
        s/mm^2, shape (volumes,).
    directions
        Unit vectors of the gradients in the world (RAS), shape (volumes, 3); 0 where not weighted.
    name
        Of the file, for errors.
    """

    image: nib.Nifti1Image
    b_values: Array
    directions: Array
    name: str

    @property
    def unweighted(self) -> nib.Nifti1Image:
        """The mean of the volumes that are not weighted, float32, shape (x, y, z)."""
        chosen = self.b_values < UNWEIGHTED_BELOW
        return new_image(data_of(self.image)[..., chosen].mean(axis=-1), self.image.affine)


def read_dwi(path: str | Path, bval: str | Path | None = None, bvec: str | Path | None = None) -> Dwi:
    """Read a diffusion-weighted scan with its gradients.

    Parameters
    ----------
    path
        NIfTI, shape (x, y, z, volumes), in the orientation that the gradients were written for.
    bval, bvec
        b-values in s/mm^2, and directions in 3 rows (or 3 columns) by FSL's convention: along the image's
        axes, the first one flipped where the affine has a positive determinant. None for the files beside
        the image.

    Raises
    ------
    ImageError
        A file is missing or no table of numbers, counts differ, no volume is unweighted, or there are not six
        directions apart from each other, or they are no unit vectors.
    """
    path = Path(path)
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    files = [Path(f or path.with_name(stem + end)) for f, end in ((bval, ".bval"), (bvec, ".bvec"))]
    image = read_image(path)
    if len(image.shape) != 4:
        raise ImageError(f"{path}: has shape {image.shape}; a diffusion-weighted scan has several volumes")
    check_affine(image.affine, path)
    values = _numbers(files[0], path).ravel()
    rows = _numbers(files[1], path)
    columns = rows.T if rows.shape[0] == 3 else rows
    _check_counts(image, values, columns, files)
    return Dwi(image, values, world_directions(_checked(values, columns, files), image.affine), str(path))


def world_directions(columns: Array, affine: Array) -> Array:
    """Turn directions in FSL's convention into those of the world.

    Parameters
    ----------
    columns
        Shape (volumes, 3), along the image's axes, the first flipped where the determinant is positive.
    affine
        Of the image, (4, 4).

    Examples
    --------
    >>> world_directions(np.array([[1.0, 0, 0]]), np.diag([2.0, 2, 2, 1])).tolist()
    [[-1.0, 0.0, 0.0]]
    >>> world_directions(np.array([[1.0, 0, 0]]), np.diag([-2.0, 2, 2, 1])).tolist()
    [[-1.0, 0.0, 0.0]]
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    signs = np.array([-1.0 if np.linalg.det(axes) > 0 else 1.0, 1, 1])
    return np.asarray((columns * signs) @ axes.T + 0.0)


def register_dwi(dwi: Dwi, reference: nib.Nifti1Image, *, seed: int = 1) -> Registration:
    """Register the unweighted volume to an image in the reference space, rigidly.

    Parameters
    ----------
    dwi
        The scan.
    reference
        Of the same head; a T2-weighted one is most like it. Both with the head, or both brains only.
    seed
        Of the random sampling.

    Raises
    ------
    ImageError
        It made the two less alike, or they have nothing in common.
    """
    result = register(reference, dwi.unweighted, kind="rigid", seed=seed)
    check_similarity(result.before, result.after, dwi.name, shared=result.shared)
    return result


def patient_diffusion(dwi: Dwi, matrix: Array, brain: nib.Nifti1Image) -> Diffusion:
    """Fit a tensor to each voxel of a scan and bring them to the growth grid.

    Parameters
    ----------
    dwi
        The scan. Motion and eddy currents have to be corrected before; no step here does.
    matrix
        (4, 4), the scan to the reference, as from `register_dwi`.
    brain
        Mask on the growth grid.

    Returns
    -------
    Diffusion
        Turned with the scan; the tensors are interpolated before they are normalised.

    Raises
    ------
    ImageError
        The scan shows nothing of the brain.
    """
    near = carry_mask(brain, dwi.unweighted, Warp(np.linalg.inv(matrix)))
    near = widened(near, WIDER_VOXELS * max(spacing_of(near)))
    tensor = new_image(fit_tensor(dwi, data_of(near) > 0), dwi.image.affine)
    inside = data_of(brain) > 0
    return normalised(carry_tensor(tensor, brain, Warp(matrix), inside), inside)


def fit_tensor(dwi: Dwi, within: Array) -> Array:
    """Fit tensors by weighted least squares (dipy).

    Parameters
    ----------
    dwi
        The scan.
    within
        Bool, shape (x, y, z): where to fit.

    Returns
    -------
    Array
        float32, shape (x, y, z, 6), mm^2/s, parts along the world's axes (RAS); 0 elsewhere and where the
        scan has no signal.

    Raises
    ------
    ImageError
        No voxel has a signal.
    """
    from dipy.core.gradients import gradient_table
    from dipy.reconst.dti import TensorModel

    signal = within & (data_of(dwi.unweighted) > 0)
    if not signal.any():
        raise ImageError(f"{dwi.name}: has no signal where the brain is; look at the scan")
    table = gradient_table(dwi.b_values, bvecs=dwi.directions, b0_threshold=UNWEIGHTED_BELOW - 1e-6)
    fitted = TensorModel(table, fit_method="WLS").fit(data_of(dwi.image)[signal])
    tensor = np.zeros((*within.shape, UNKNOWNS), dtype=np.float32)
    tensor[signal] = parts_of(fitted.quadratic_form)
    return tensor


def _numbers(path: Path, image: Path) -> Array:
    if not path.is_file():
        raise ImageError(f"{path}: no such file; {image.name} needs its .bval and .bvec beside it")
    try:
        return np.atleast_2d(np.loadtxt(path, dtype=np.float64))
    except ValueError as error:
        raise ImageError(f"{path}: is no table of numbers ({error}); convert the scan again") from error


def _check_counts(image: nib.Nifti1Image, values: Array, columns: Array, files: list[Path]) -> None:
    if columns.shape[1] != 3:
        raise ImageError(f"{files[1]}: has the shape {columns.shape}; write three rows, x, y and z")
    counts = image.shape[3], len(values), len(columns)
    if len(set(counts)) > 1:
        raise ImageError(
            f"{files[0]}: holds {counts[1]} b-values and {files[1].name} {counts[2]} directions, but the "
            f"image has {counts[0]} volumes; give the files that were converted together"
        )
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ImageError(f"{files[0]}: holds b-values that are not possible; write numbers of 0 or more")


def _checked(values: Array, columns: Array, files: list[Path]) -> Array:
    """Return the directions, 0 where not weighted and of length 1 elsewhere."""
    weighted = values >= UNWEIGHTED_BELOW
    if weighted.all():
        raise ImageError(
            f"{files[0]}: no volume is unweighted (b below {UNWEIGHTED_BELOW:g}); a tensor needs one"
        )
    lengths = np.linalg.norm(columns, axis=1)
    # a NaN fails the comparison
    wrong = np.flatnonzero(weighted & ~(np.abs(lengths - 1) <= UNIT_WITHIN))
    if wrong.size:
        raise ImageError(
            f"{files[1]}: the direction of volume {wrong[0] + 1} has the length {lengths[wrong[0]]:.3g}, "
            "not 1; convert the scan again"
        )
    found = np.zeros_like(columns)
    found[weighted] = columns[weighted] / lengths[weighted, np.newaxis]
    if _apart(found[weighted]) < UNKNOWNS:
        raise ImageError(
            f"{files[1]}: its {int(weighted.sum())} weighted volumes have fewer than 6 directions that "
            "differ enough for a tensor; leave dwi empty, and growth is isotropic"
        )
    return found


def _apart(directions: Array) -> int:
    """Return how many of the six parts of a tensor some directions determine."""
    x, y, z = directions.T
    design = np.stack([x * x, 2 * x * y, 2 * x * z, y * y, 2 * y * z, z * z], axis=1)
    sizes = np.linalg.svd(design, compute_uv=False)
    return int((sizes > SINGULAR_BELOW * sizes.max(initial=1e-12)).sum())
