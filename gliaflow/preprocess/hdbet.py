"""Brain extraction by HD-BET's network (Isensee 2019), from a folder of weights, without worker processes."""

from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.images import new_image
from gliaflow.nnunet.environment import prepare_nnunet
from gliaflow.nnunet.model import open_model
from gliaflow.preprocess.hdbet_weights import check_weights

BRAIN = 1
"""The network's output for brain; 0 is the one for background."""


def extract_with_hdbet(image: nib.Nifti1Image, weights: Path, *, threads: int = 1) -> nib.Nifti1Image:
    """Find the brain in one whole-head image.

    Parameters
    ----------
    image
        Shape (x, y, z), any contrast, RAS+.
    weights
        Folder with ``plans.json``, ``dataset.json`` and ``fold_all/checkpoint_final.pth``.
    threads
        On a CPU; a GPU is used where torch finds one (then with mirroring, as HD-BET does).

    Returns
    -------
    nibabel.Nifti1Image
        uint8 mask on the grid of ``image``.

    Raises
    ------
    ConfigError
        The weights are missing or are not what HD-BET publishes.
    """
    check_weights(weights)
    prepare_nnunet(threads=threads)
    import torch

    from gliaflow.nnunet.predict import Ensemble, Inference, voxels_of

    mirror = torch.cuda.is_available()
    ensemble = Ensemble(open_model(weights), Inference(mirror=mirror, threads=threads))
    voxels, spacing = voxels_of([image])
    logits, record = ensemble.mean_logits(voxels, spacing)
    brain = (logits.argmax(axis=0) == BRAIN).astype(np.float32)
    placed = ensemble.placed(brain[np.newaxis], record)[0]
    return new_image(placed.T > 0, image.affine, np.uint8)
