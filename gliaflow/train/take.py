"""Sessions that the training takes from the sheet: what other rules would make of them, in one go."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nibabel as nib
import numpy as np

from gliaflow.checks import checked_volume
from gliaflow.errors import ImageError
from gliaflow.images import Array, data_of, read_image, same_grid, write_image
from gliaflow.labels import convert_labels, whole_values
from gliaflow.masks import stripped_brain
from gliaflow.raters.atlas import rater_masks, weighed_agreement

logger = logging.getLogger(__name__)
Task = TypeVar("Task")
EVERY = 50


@dataclass(frozen=True)
class ReadySession:
    """A stripped session on the atlas grid.

    Attributes
    ----------
    name
        Of its case.
    images
        For each sequence the file that the sheet names.
    label
        Its reference segmentation.
    convention
        What the values of the label mean, a key of ``gliaflow.labels.CONVENTIONS``.
    raters
        The label maps of several raters, which then stand for the label.
    region
        What they are asked for.
    weights
        How much each counts, see `gliaflow.raters.weights.rater_weights`.
    """

    name: str
    images: Mapping[str, Path]
    label: Path | None
    convention: str
    raters: tuple[Path, ...] = ()
    region: str = "WT"
    weights: str = "none"


def ready_session(values: Mapping[str, Any]) -> ReadySession:
    """Make a session of plain values: ``name``, ``images``, ``convention``, and ``label`` or ``raters``.

    With ``raters`` also ``region`` and ``weights``.
    """
    images = {sequence: Path(path) for sequence, path in values["images"].items()}
    common = values["name"], images
    if "raters" not in values:
        return ReadySession(*common, Path(values["label"]), values["convention"])
    raters = tuple(map(Path, values["raters"]))
    return ReadySession(*common, None, values["convention"], raters, values["region"], values["weights"])


def take_sessions(
    sessions: Sequence[ReadySession], folder: Path, atlas: nib.Nifti1Image, *, threads: int = 1
) -> None:
    """Write what the training needs besides the scans of sessions that lie on the atlas grid.

    Parameters
    ----------
    sessions
        The sheet says of them that they are stripped and registered to the atlas.
    folder
        Gets for each session a folder of its case's name with ``label.nii.gz`` (uint8, values of
        resources/labels.tsv, or numbers of raters), ``mask.nii.gz`` (uint8, 1 where the session's reference
        is not 0 and in the holes there), and ``<sequence>.nii.gz`` (float32, 0 outside the mask) for each
        scan that cannot be used where it lies.
    atlas
        RAS+, shape (x, y, z).
    threads
        Sessions that are read side by side.

    Raises
    ------
    ImageError
        A scan or label lies on another grid than the atlas, is no whole 3-D image, or is not stripped.
    """
    in_turn(lambda session: take_session(session, folder / session.name, atlas), sessions, threads)


def in_turn(work: Callable[[Task], None], tasks: Sequence[Task], threads: int) -> None:
    """Call a function with each of the tasks, some side by side, and log how far it is."""
    with ThreadPoolExecutor(threads) as pool:
        for count, _ in enumerate(pool.map(work, tasks), 1):
            if count % EVERY == 0 or count == len(tasks):
                logger.info("%d of %d taken", count, len(tasks))


def take_session(session: ReadySession, folder: Path, atlas: nib.Nifti1Image) -> None:
    """Write the files of one session; see `take_sessions`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {sequence: read_image(path) for sequence, path in session.images.items()}
    images = {name: on_atlas(file, session.images[name], atlas) for name, file in files.items()}
    reference = "t1c" if "t1c" in images else next(iter(images))
    inside = stripped_brain(data_of(images[reference]), str(session.images[reference]))
    write_image(folder / "mask.nii.gz", inside, atlas.affine, np.uint8)
    for sequence, image in images.items():
        values = data_of(image)
        if files[sequence] is not image or values[~inside].any():
            write_image(folder / f"{sequence}.nii.gz", np.where(inside, values, 0), atlas.affine)
    label = (
        labels_of(session.label, session.convention, atlas) if session.label else agreement_of(session, atlas)
    )
    write_image(folder / "label.nii.gz", label, atlas.affine, np.uint8)


def agreement_of(session: ReadySession, atlas: nib.Nifti1Image) -> Array:
    """Return how many of a session's raters mark each voxel, uint8, on the atlas grid.

    Raises
    ------
    ImageError
        A label map lies elsewhere, or holds a value that its convention does not know; names the file.
    """
    masks = rater_masks(
        session.raters, atlas, atlas, None, convention=session.convention, region=session.region
    )
    return weighed_agreement(masks, session.weights)[0]


def labels_of(path: Path, convention: str, atlas: nib.Nifti1Image) -> Array:
    """Return a label map, uint8 values of resources/labels.tsv, on the atlas grid.

    Raises
    ------
    ImageError
        It lies elsewhere, or holds a value that its convention does not know; names the file.
    """
    label = on_atlas(read_image(path), path, atlas, constant_ok=True)
    given = np.asanyarray(label.dataobj)
    if not np.issubdtype(given.dtype, np.integer):
        given = whole_values(given, str(path))
    try:
        return convert_labels(given, convention)
    except ImageError as error:
        raise ImageError(f"{path}: {error}; correct labels in the config") from error


def on_atlas(
    file: nib.Nifti1Image, path: Path, atlas: nib.Nifti1Image, *, constant_ok: bool = False
) -> nib.Nifti1Image:
    """Return an image in RAS+ (the same object where it is so) after checking that it lies on the atlas.

    Raises
    ------
    ImageError
        It does not, or is no whole image; names the file.
    """
    image = checked_volume(file, path, constant_ok=constant_ok)
    if not same_grid(image, atlas):
        raise ImageError(
            f"{path}: has shape {image.shape} and lies on another grid than the atlas ({atlas.shape}), "
            "although the sheet says registered = atlas; write ref (the session's scans share a grid) or "
            "none there, or set atlas.resolution"
        )
    return image
