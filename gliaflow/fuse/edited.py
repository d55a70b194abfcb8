"""A label map that a reviewer edited, in place of the automatic one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.fetch import sha256_of
from gliaflow.images import (
    Array,
    data_of,
    ml_per_voxel,
    new_image,
    read_image,
    same_grid,
    single_volume,
    spacing_of,
    to_ras,
)
from gliaflow.labels import label_table, meaning, whole_values
from gliaflow.preprocess.resample import resample_nearest
from gliaflow.results import keep_image

SAME_MM = 0.1
"""Grids whose corners are this near are the same: editors round what a header says."""
FIELD_MM = 2.0
"""Grids of other voxels are of the same session where the corners of their fields of view are this near."""
OF_THE_AUTOMATIC = ("Sources", "Space", "Parameters", "Software", "VoxelsChanged", "EnhancingRemoved")
"""What the sidecar of the automatic label map says of it alone."""


def edited_labels(
    path: str | Path, automatic: nib.Nifti1Image, regions: Sequence[str], name: str
) -> tuple[nib.Nifti1Image, bool]:
    """Read an edited label map, and bring it to the grid of the automatic one.

    Parameters
    ----------
    path
        NIfTI, shape (x, y, z), any orientation. It lies on the grid of the automatic label map, on a part of
        it as editors cut it out, or on other voxels of the same field of view; the last two are resampled by
        nearest neighbour.
    automatic
        Label map on the reference grid, RAS+.
    regions
        What the segmentation determines, which decides what labels there can be.
    name
        What errors call the edited one.

    Returns
    -------
    tuple of nibabel.Nifti1Image and bool
        uint8 on the grid of the automatic one, and whether it was resampled.

    Raises
    ------
    ImageError
        It is damaged, lies on a grid that is not of this session, or holds a value that is no label.
    """
    given = to_ras(single_volume(read_image(path)))
    if len(given.shape) != 3:
        raise ImageError(f"{name}: has the shape {given.shape}; a label map has three axes")
    values = _known_values(data_of(given, np.float64), regions, name)
    if same_grid(given, automatic, SAME_MM):
        return new_image(values, automatic.affine, np.uint8), False
    edited = new_image(values, given.affine, np.uint8)
    nearest = resample_nearest(edited, automatic, np.eye(4))
    moved = new_image(data_of(nearest, np.uint8), automatic.affine, np.uint8)
    own, made = (data_of(image, np.uint8) > 0 for image in (automatic, moved))
    apart = own.any() and made.any() and not (own & made).any()
    if apart or not (_same_field(edited, automatic) or _part_of(edited, automatic)):
        raise ImageError(
            f"{name}: has the shape {given.shape} and lies on another grid than the session's label map in "
            f"space-ref ({automatic.shape}); save it on that grid, or at least over the same field of view "
            f"({FIELD_MM:g} mm at most apart)"
        )
    return moved, True


def _known_values(stored: Array, regions: Sequence[str], name: str) -> Array:
    if not np.isfinite(stored).all():
        raise ImageError(f"{name}: holds values that are no numbers; save it again as whole numbers")
    values = whole_values(stored, name)
    names = meaning(regions)
    known = {int(value) for value in names} | {label.value for label in label_table() if not label.regions}
    if unknown := set(np.unique(values).tolist()) - {0} - known:
        fix = ", ".join(f"{value} {what}" for value, what in names.items())
        raise ImageError(
            f"{name}: holds {sorted(unknown)}, which are no labels of this session's segmentation; "
            f"write {fix}"
        )
    return values


def _corners(image: nib.Nifti1Image) -> Array:
    """Return the corners of a field of view in mm, shape (8, 3): outer faces of the outermost voxels."""
    ends = [(-0.5, size - 0.5) for size in image.shape[:3]]
    voxels = np.array([[x, y, z] for x in ends[0] for y in ends[1] for z in ends[2]])
    return np.asarray(nib.affines.apply_affine(image.affine, voxels))


def _same_field(first: nib.Nifti1Image, second: nib.Nifti1Image) -> bool:
    apart = np.linalg.norm(_corners(first) - _corners(second), axis=1)
    return bool(apart.max() <= FIELD_MM)


def _part_of(part: nib.Nifti1Image, whole: nib.Nifti1Image) -> bool:
    """Tell whether all voxels of a grid are voxels of another, within a tenth of a voxel."""
    last = np.array(part.shape[:3]) - 1
    ends = np.array([np.zeros(3), *np.diag(last), last])
    places = nib.affines.apply_affine(np.linalg.inv(whole.affine) @ part.affine, ends)
    on_voxels = np.abs(places - np.rint(places)).max() <= 0.1
    steps = np.abs(places[1:4] - places[0] - np.diag(last)).max() <= 0.1
    inside = (places > -0.5).all() and (places < np.array(whole.shape[:3]) - 0.5).all()
    return bool(on_voxels and steps and inside)


def keep_edited(
    path: str | Path,
    labels: nib.Nifti1Image,
    mask: nib.Nifti1Image,
    automatic: Mapping[str, Any],
    *,
    sources: Sequence[str],
    space: str,
    resampling: str,
    review: Mapping[str, Any],
) -> None:
    """Check and write an edited label map, with what its sidecar says of the automatic one and of the edit.

    Parameters
    ----------
    path
        ``.nii.gz``.
    labels, mask
        The labels, and the brain on the same grid.
    automatic
        The sidecar of the automatic label map, whose facts and settings of the model go on.
    sources, space
        See `gliaflow.sidecar.write_sidecar`.
    resampling
        How the labels came to this grid.
    review
        Who decided and when, and what was changed.
    """
    facts = {key: value for key, value in automatic.items() if key not in OF_THE_AUTOMATIC}
    keep_image(
        path,
        labels,
        like=mask,
        dtype=np.uint8,
        constant_ok=True,
        sources=sources,
        space=space,
        parameters={**automatic.get("Parameters", {}), "resampling": resampling},
        software=["SimpleITK"],
        **facts,
        Review=dict(review),
    )


def edit_record(path: str | Path, edited: nib.Nifti1Image, automatic: nib.Nifti1Image) -> dict[str, Any]:
    """Return what is said of an edit: the file's checksum, and how much it changes on the reference grid."""
    before, after = data_of(automatic, np.uint8), data_of(edited, np.uint8)
    changed = int((before != after).sum())
    voxel_ml = ml_per_voxel(spacing_of(automatic))
    return {
        "LabelSha256": sha256_of(Path(path)),
        "VoxelsChanged": changed,
        "ChangedMl": round(changed * voxel_ml, 3),
    }
