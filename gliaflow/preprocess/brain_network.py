"""Brain extraction by a trained network that sees one whole-head image of any sequence at a time."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from gliaflow.errors import ImageError
from gliaflow.evaluate.overlap import dice
from gliaflow.images import Array, data_of, ml_per_voxel, new_image, spacing_of, to_sitk
from gliaflow.masks import largest_part
from gliaflow.nnunet.environment import prepare_nnunet
from gliaflow.nnunet.manifest import check_target
from gliaflow.nnunet.model import open_model
from gliaflow.nnunet.targets import BRAIN
from gliaflow.preprocess.head_grid import to_head_grid
from gliaflow.preprocess.head_registration import values_on_grid

logger = logging.getLogger(__name__)
ARRAY_X = 2
"""Left and right in nnU-Net's arrays, whose axes are z, y, x before the plans turn them."""
MOST_CERTAIN = 10.0
"""Logits are cut here, so that no sequence outvotes the others by far."""
STEP = 0.75
"""How far the network's window moves, in its width: half the time of 0.5 for 0.001 of Dice."""
LEAST_ML = 300.0
LEAST_AGREEMENT = 0.85


@dataclass(frozen=True)
class NetworkBrain:
    """What the network found in a session.

    Attributes
    ----------
    mask
        uint8, 0 and 1.
    agreement
        For each sequence the Dice coefficient of what it shows by itself with the mask, where it sees.
    """

    mask: nib.Nifti1Image
    agreement: Mapping[str, float]


class BrainNetwork:
    """A package for brain extraction in memory, ready for any number of sessions."""

    def __init__(
        self,
        model: Path,
        *,
        sha256: str | None = None,
        threads: int = 1,
        gpu: bool = False,
        mirror: bool = True,
    ) -> None:
        """Open, check and load a package.

        Parameters
        ----------
        model
            The package, zip or folder.
        sha256
            What the zip has to have.
        threads
            CPU cores that the network may use.
        gpu
            Whether a GPU is used where torch finds one.
        mirror
            Whether it also looks at each image with left and right exchanged, if it was trained for that.

        Raises
        ------
        ConfigError
            The package is damaged, is another one, or is none for brain extraction.
        """
        prepare_nnunet(threads=threads)
        from gliaflow.nnunet.predict import Ensemble, Inference

        files = open_model(model, sha256=sha256)
        check_target(files.manifest, BRAIN, model)
        assert files.manifest is not None
        self.spacing_mm = min(files.manifest.spacing_mm)
        self.ensemble = Ensemble(files, Inference(mirror=mirror, step=STEP, threads=threads, gpu=gpu))
        predictor = self.ensemble.predictor
        left_right = predictor.plans_manager.transpose_forward.index(ARRAY_X)
        predictor.allowed_mirroring_axes = {left_right} & set(predictor.allowed_mirroring_axes or ())
        self.facts: Mapping[str, Any] = {
            "Precision": self.ensemble.precision,
            "Folds": {fold: files.sha256(fold) for fold in self.ensemble.folds},
        }

    def find(self, images: Mapping[str, nib.Nifti1Image], grid: nib.Nifti1Image) -> NetworkBrain:
        """Find the brain in the whole-head images of one session.

        Parameters
        ----------
        images
            By sequence: shape (x, y, z), any grid and orientation, all in one world space (mm).
        grid
            The grid that the mask gets; its intensities are not used.

        Returns
        -------
        NetworkBrain
            The mask holds the voxels where the mean logit of the sequences that see them is above 0: the
            largest piece of them, its holes filled.

        Raises
        ------
        ImageError
            An image has one value everywhere, or next to no brain is found.
        """
        target = to_sitk(grid)
        total = np.zeros(grid.shape[:3], np.float32)
        votes = {}
        for sequence, image in images.items():
            logits = values_on_grid(to_sitk(self.logits(image, sequence)), target, sitk.Transform(), np.nan).T
            seen = np.isfinite(logits)
            total[seen] += logits[seen]
            votes[sequence] = (logits > 0, seen)
        brain = _whole_piece(total > 0)
        _check_volume(brain, grid)
        agreement = {s: _agreement(own, brain & seen, s) for s, (own, seen) in votes.items()}
        return NetworkBrain(new_image(brain, grid.affine, np.uint8), agreement)

    def logits(self, image: nib.Nifti1Image, sequence: str) -> nib.Nifti1Image:
        """Run the network on one image.

        Parameters
        ----------
        image
            Shape (x, y, z), any grid and orientation.
        sequence
            Its name, for the error.

        Returns
        -------
        nibabel.Nifti1Image
            float32, -10 to 10, above 0 in the brain; on the head grid, as far as the image is not 0.

        Raises
        ------
        ImageError
            The image has one value everywhere.
        """
        from gliaflow.nnunet.predict import voxels_of

        head = to_head_grid(image, self.spacing_mm)
        if np.ptp(data_of(head)) == 0:
            raise ImageError(f"{sequence}: the image has one value everywhere, no head can be found in it")
        heads, record = self.ensemble.mean_logits(*voxels_of([head]))
        brain = heads[-1] if len(heads) == 1 else heads[1] - heads[0]
        return self._in_world(np.clip(brain, -MOST_CERTAIN, MOST_CERTAIN), record, head.affine)

    def _in_world(self, values: Array, record: Mapping[str, Any], affine: Array) -> nib.Nifti1Image:
        """Give nnU-Net's crop of an image its place: axes as the plans turned them become x, y, z."""
        back = self.ensemble.predictor.plans_manager.transpose_backward
        shift = np.eye(4)
        shift[:3, 3] = [record["bbox_used_for_cropping"][axis][0] for axis in back][::-1]
        return new_image(values.transpose(back).T, affine @ shift)


def extract_with_network(
    images: Mapping[str, nib.Nifti1Image], grid: nib.Nifti1Image, model: Path, *, threads: int = 1
) -> nib.Nifti1Image:
    """Return the brain mask of one session by a package; see `BrainNetwork`."""
    return BrainNetwork(model, threads=threads).find(images, grid).mask


def _whole_piece(mask: Array) -> Array:
    """Keep the largest piece, if there is one, and fill its holes."""
    brain = largest_part(mask)
    for box in ndimage.find_objects(brain.astype(np.uint8)):
        brain[box] = _filled(brain[box])
    return brain


def _filled(piece: Array) -> Array:
    filled = sitk.BinaryFillhole(sitk.GetImageFromArray(piece.astype(np.uint8)), fullyConnected=False)
    return sitk.GetArrayFromImage(filled) > 0


def _check_volume(brain: Array, grid: nib.Nifti1Image) -> None:
    volume = brain.sum() * ml_per_voxel(spacing_of(grid))
    if volume < LEAST_ML:
        raise ImageError(
            f"no brain was found in this session ({volume:.0f} ml); look at the scans, "
            "and give a mask in the column brain_mask if they are right"
        )


def _agreement(own: Array, brain: Array, sequence: str) -> float:
    agreement = round(dice(own, brain), 3)
    if agreement < LEAST_AGREEMENT:
        logger.warning(
            "%s: by itself shows another brain than all sequences together (Dice %.2f); look at the picture",
            sequence,
            agreement,
        )
    return agreement
