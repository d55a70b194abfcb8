"""The atlas' tissue, ventricles and lobes on the grid that sessions are segmented on."""

import csv
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.checks import checked_volume
from gliaflow.errors import ConfigError, ImageError
from gliaflow.features.location import AtlasMaps, lobe_columns
from gliaflow.growth.tissue_atlas import load_tissue_atlas
from gliaflow.images import Array, data_of, new_image, read_image, spacing_of
from gliaflow.labels import whole_values
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.preprocess.resample import resample, resample_labels, resample_mask

DEEP_MM = 20.0
"""The largest part of the fluid deeper than this in the MNI152 brain is the lateral ventricles."""
MOSTLY = 0.5


def atlas_tissue_maps(
    grid: nib.Nifti1Image, brain: nib.Nifti1Image, **files: str | Path | None
) -> dict[str, nib.Nifti1Image]:
    """Return the probabilities of tissue on the grid of the atlas.

    Parameters
    ----------
    grid
        The atlas.
    brain
        Its brain mask.
    files
        See `gliaflow.growth.tissue_atlas.load_tissue_atlas`; none for the MNI152 maps that come with nilearn.

    Returns
    -------
    dict
        ``WM``, ``GM`` and ``CSF``, float32, 0 outside the brain; CSF is what the others leave, if not given.
    """
    tissue = load_tissue_atlas(**files)
    inside = data_of(brain) > 0
    white, grey = (_inside(image, grid, inside) for image in (tissue.white, tissue.grey))
    csf = (
        np.clip(1 - white - grey, 0, 1) * inside if tissue.csf is None else _inside(tissue.csf, grid, inside)
    )
    return {name: new_image(v, grid.affine) for name, v in (("WM", white), ("GM", grey), ("CSF", csf))}


def atlas_ventricles(grid: nib.Nifti1Image, path: str | Path | None) -> nib.Nifti1Image:
    """Return the mask of the lateral ventricles on the grid of the atlas.

    Parameters
    ----------
    grid
        The atlas.
    path
        A mask in the space of the atlas; None for those of the bundled MNI152: the largest part (6
        neighbours) of what is most probably fluid and lies deeper than `DEEP_MM` in the brain.

    Raises
    ------
    ImageError
        The mask is empty on that grid.
    """
    mask = bundled_ventricles() if path is None else _given_mask(path)
    moved = resample_mask(mask, grid, np.eye(4))
    if not data_of(moved).any():
        raise ImageError(
            f"{path}: no voxel of the ventricles lies on the atlas; give a mask in the atlas' space"
        )
    return moved


def bundled_ventricles() -> nib.Nifti1Image:
    """Return the lateral ventricles of the bundled MNI152 at 1 mm, uint8."""
    _, brain = load_atlas(None)
    fluid = data_of(atlas_tissue_maps(brain, brain)["CSF"]) > MOSTLY
    depth = ndimage.distance_transform_edt(data_of(brain) > 0, sampling=spacing_of(brain))
    parts, _ = ndimage.label(fluid & (depth > DEEP_MM))
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return new_image(largest, brain.affine, np.uint8)


def read_lobes(labels: str | Path, names: str | Path, grid: nib.Nifti1Image) -> tuple[Array, dict[int, str]]:
    """Read a label map of parts of the brain, and what its values are called.

    Parameters
    ----------
    labels
        NIfTI in the space of the atlas, on any grid.
    names
        TSV with the columns ``index`` and ``name``, as BIDS has them.
    grid
        The grid of the result.

    Returns
    -------
    tuple
        Label map, uint8, shape (x, y, z); and a name for each value, as in a column name.

    Raises
    ------
    ConfigError
        The table lacks a column, or holds the same name twice, or an index other than 1 to 255.
    ImageError
        The label map is no image of whole numbers.
    """
    found = lobe_columns(read_lobe_names(names))
    if len(set(found.values())) < len(found):
        raise ConfigError(f"{names}: two names are the same in lower case without signs; make them differ")
    image = checked_volume(read_image(labels), labels)
    values = whole_values(data_of(image, np.float64), str(labels))
    known = np.where(np.isin(values, list(found)), values, 0)
    moved = resample_labels(new_image(known, image.affine, np.uint8), grid, np.eye(4))
    return data_of(moved, np.uint8), found


def read_lobe_names(path: str | Path) -> dict[int, str]:
    """Read the table of `read_lobes`."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    if not rows or not {"index", "name"} <= set(rows[0]):
        raise ConfigError(f"{path}: has no columns index and name with tabs between; write both")
    wrong = [
        row["index"] for row in rows if not (row["index"] or "").isdigit() or not 0 < int(row["index"]) < 256
    ]
    if wrong:
        raise ConfigError(f"{path}: index {wrong[0]!r} is no whole number from 1 to 255")
    return {int(row["index"]): row["name"] or "" for row in rows}


def read_atlas_maps(
    brain: str | Path,
    tissue: Sequence[str],
    ventricles: Sequence[str],
    lobes: Sequence[str | Path],
) -> AtlasMaps:
    """Read what the rule ``features_atlas`` wrote: the brain mask, and three, one and two files or none."""
    grid = read_image(brain)
    maps = dict(zip(("WM", "GM", "CSF"), (data_of(read_image(path)) for path in tissue), strict=False))
    labels, names = read_lobes(lobes[0], lobes[1], grid) if lobes else (None, {})
    return AtlasMaps(
        affine=grid.affine,
        brain=data_of(grid) > 0,
        tissue=maps,
        ventricles=data_of(read_image(ventricles[0])) > 0 if ventricles else None,
        lobes=labels,
        lobe_names=names,
    )


def _inside(image: nib.Nifti1Image, grid: nib.Nifti1Image, inside: Array) -> Array:
    return np.clip(data_of(resample(image, grid, np.eye(4))), 0, 1) * inside


def _given_mask(path: str | Path) -> nib.Nifti1Image:
    image = checked_volume(read_image(path), path, constant_ok=True)
    return new_image(data_of(image) > MOSTLY, image.affine, np.uint8)
