"""Sequences before and after registration, in the same planes, to be flipped between."""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.images import Array, data_of, read_image, spacing_of
from gliaflow.preprocess.resample import resample
from gliaflow.report.canvas import BASE_DPI, Key, Page, Shape, draw_page
from gliaflow.report.pictures import EDGES, OUTLINE, SCALE, Scan, lesion_centre, mask_of
from gliaflow.report.planes import VIEWS, Cut, cuts, head_box, volume
from gliaflow.report.session_files import SessionFiles

FINEST_MM = 1.0
BEFORE, AFTER = "before", "after"


def draw_before_and_after(files: SessionFiles, folder: Path, *, dpi: int = BASE_DPI) -> dict[str, Path]:
    """Draw the sequences that were registered, as their headers place them and as registration does.

    The contours are those of the reference, so what moved shows when both pictures are exchanged.

    Parameters
    ----------
    files
        The session.
    folder
        Where the pictures go.
    dpi
        Pixels per inch.

    Returns
    -------
    dict
        ``before`` and ``after``, two pictures of the same size; empty where nothing was registered.
    """
    mask = files.there("anat", "space-ref_desc-brain_mask.nii.gz")
    moved = {
        name: path
        for name, path in files.sequences("space-ref_{sequence}.nii.gz").items()
        if _moved(files, name)
    }
    reference = files.there("anat", f"space-ref_{reference_of(files)}.nii.gz")
    if not (mask and reference and moved):
        return {}
    grid, brain = coarser(volume(read_image(reference))), mask_of(coarser(volume(read_image(mask))))
    native = {name: read_image(files.path("anat", f"{name}.nii.gz")) for name in moved}
    images = {
        BEFORE: {name: resample(image, grid, np.eye(4)) for name, image in native.items()},
        AFTER: {name: coarser(volume(read_image(path))) for name, path in moved.items()},
    }
    planes, shapes = _planes(grid, brain, dpi)
    made = {}
    for state, shown in images.items():
        made[state] = folder / f"{state}.png"
        _draw(files, state, grid, brain, planes, shapes, shown, made[state], dpi)
    return made


def coarser(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """Leave out voxels of an image that is finer than a picture shows.

    >>> coarser(nib.Nifti1Image(np.zeros((8, 8, 4), np.float32), np.diag([0.5, 0.5, 2.0, 1.0]))).shape
    (4, 4, 4)
    """
    x, y, z = (max(1, int(FINEST_MM / side + 1e-3)) for side in spacing_of(image))
    return image.slicer[::x, ::y, ::z]


def reference_of(files: SessionFiles) -> str:
    """Return the sequence whose grid is the reference: t1c, or the first one; empty where there is none."""
    sequences = files.sequences("space-ref_{sequence}.nii.gz")
    return "t1c" if "t1c" in sequences else next(iter(sequences), "")


def _moved(files: SessionFiles, sequence: str) -> bool:
    said = files.document("anat", f"from-{sequence}_to-ref_mode-image_xfm.json")
    return said.get("Parameters", {}).get("kind", "none") != "none" and bool(
        files.there("anat", f"{sequence}.nii.gz")
    )


def _planes(grid: nib.Nifti1Image, brain: Array, dpi: int) -> tuple[tuple[Cut, Cut, Cut], list[list[Shape]]]:
    """Return planes through the middle of the brain, and the reference's contours in them."""
    data = data_of(grid)
    centre = lesion_centre(np.zeros_like(brain), brain)
    planes = cuts(grid, centre, head_box(data, spacing_of(grid), brain), SCALE * dpi / BASE_DPI)
    contours = [
        [Shape(cut.edges(data, brain), EDGES, 0.8), Shape(cut.outline(brain), OUTLINE, 1.1)] for cut in planes
    ]
    return planes, contours


def _draw(  # noqa: PLR0917
    files: SessionFiles,
    state: str,
    grid: nib.Nifti1Image,
    brain: Array,
    planes: tuple[Cut, Cut, Cut],
    shapes: list[list[Shape]],
    images: Mapping[str, nib.Nifti1Image],
    path: Path,
    dpi: int,
) -> None:
    rows = [Scan(grid, data_of(image), brain, planes).panels(shapes) for image in images.values()]
    reference = reference_of(files)
    key: Key = [(OUTLINE, f"brain mask of {reference}"), (EDGES, f"edges within {reference}")]
    page = Page(
        files.name,
        f"{state.capitalize()} registration to {reference}",
        list(images),
        [v.name for v in VIEWS],
        key,
    )
    draw_page(page, rows, path, dpi)
