"""Inference of an nnU-Net ensemble, member by member: every fold, mirroring and dropout pass by itself."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import nibabel as nib
import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from gliaflow.errors import ConfigError
from gliaflow.images import Array, data_of
from gliaflow.nnunet.plans import check_network

logger = logging.getLogger(__name__)
AXES = "zyx"
DROPOUT = (nn.Dropout, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass(frozen=True)
class Inference:
    """How an ensemble is run.

    Attributes
    ----------
    folds
        Which ones, or None for all.
    mirror
        Whether each fold also looks at the image mirrored along every combination of the axes that it was
        trained for.
    dropout_passes
        Passes with dropout left on for each fold and mirroring; 0 for one pass without.
    step
        How far the window moves, as a share of its edge.
    bfloat16
        Whether the network runs in 16 bits on a CPU, about twice as fast; on a GPU nnU-Net always does.
    threads
        For torch.
    gpu
        Whether a GPU is used where torch finds one.
    seed
        Of the dropout.
    """

    folds: tuple[str, ...] | None = None
    mirror: bool = True
    dropout_passes: int = 0
    step: float = 0.5
    bfloat16: bool = True
    threads: int = 1
    gpu: bool = True
    seed: int = 0


def inference_from(settings: Mapping[str, Any], threads: int, *, gpu: bool = True) -> Inference:
    """Return how an ensemble is run by the config's ``segment``.

    Parameters
    ----------
    settings
        ``tta``, ``step`` and ``cpu_precision``; where they matter also ``folds`` (numbers, or None for all),
        ``mc_dropout`` and ``seed``.
    threads, gpu
        See `Inference`.
    """
    return Inference(
        folds=tuple(map(str, settings.get("folds") or ())) or None,
        mirror=settings["tta"],
        dropout_passes=settings.get("mc_dropout", 0),
        step=settings["step"],
        bfloat16=settings["cpu_precision"] == "bfloat16",
        threads=threads,
        gpu=gpu,
        seed=settings.get("seed", 0),
    )


@dataclass(frozen=True)
class Pass:
    """One member of an ensemble: fold, mirrored axes of the array (z, y, x), number of its dropout pass."""

    fold: str
    mirrored: tuple[int, ...]
    dropout: int | None

    def facts(self) -> dict[str, Any]:
        """Return what the sidecar of the member says."""
        axes = "".join(AXES[axis] for axis in self.mirrored)
        return {"Fold": self.fold, "Mirrored": axes or "no", "DropoutPass": self.dropout}


class MemberPredictor(nnUNetPredictor):
    """nnU-Net's predictor, which runs one member at a time in the same windows."""

    now: Pass

    @torch.inference_mode()
    def _internal_maybe_mirror_and_predict(self, x: torch.Tensor) -> torch.Tensor:
        axes = [axis + 2 for axis in self.now.mirrored]
        if self.now.dropout is not None:
            for module in self.network.modules():
                if isinstance(module, DROPOUT):
                    module.train()
        return torch.flip(self.network(torch.flip(x, axes)), axes)


class Ensemble:
    """A model in memory, ready for any number of sessions."""

    def __init__(self, files: Any, inference: Inference) -> None:
        """Build the network of a model's files (`gliaflow.nnunet.package.ModelFiles`).

        Raises
        ------
        ConfigError
            A fold is not there, the weights do not fit the plans, or dropout is asked of a model without it.
        """
        torch.set_num_threads(inference.threads)
        self.files, self.inference = files, inference
        self.device = torch.device("cuda" if inference.gpu and torch.cuda.is_available() else "cpu")
        self.folds = _chosen_folds(files, inference.folds)
        self.checkpoints = {fold: files.checkpoint(fold) for fold in self.folds}
        self.predictor = self._predictor()

    @property
    def precision(self) -> str:
        """What the network computes in."""
        if self.device.type == "cuda":
            return "float16"
        return "bfloat16" if self.inference.bfloat16 else "float32"

    def logits(self, voxels: Array, spacing: Sequence[float]) -> Iterator[tuple[Pass, Array, dict[str, Any]]]:
        """Run every member on one session.

        Parameters
        ----------
        voxels
            float32, shape (channels, z, y, x); a channel of zeros is a missing sequence.
        spacing
            Voxel size in mm along z, y, x.

        Yields
        ------
        tuple
            The member; its logits, float32, shape (outputs, ...) on the grid of ``voxels``, cropped to what
            is not 0; and nnU-Net's record of that crop.
        """
        predictor = self.predictor
        preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
        data, _, record = preprocessor.run_case_npy(
            voxels,
            None,
            {"spacing": list(spacing)},
            predictor.plans_manager,
            predictor.configuration_manager,
            predictor.dataset_json,
        )
        logger.info(
            "%s on %s, %d thread(s); %s",
            self.precision,
            self.device.type,
            self.inference.threads,
            "x".join(map(str, data.shape)),
        )
        for fold in self.folds:
            self._load_weights(fold)
            for member in self._passes(fold):
                yield member, self._resampled(self._one(torch.from_numpy(data), member), record), record

    def mean_logits(self, voxels: Array, spacing: Sequence[float]) -> tuple[Array, dict[str, Any]]:
        """Average the logits of every member, as nnU-Net does; see `logits`."""
        members = self.logits(voxels, spacing)
        _, total, record = next(members)
        count = 1
        for _, logits, _ in members:
            total, count = total + logits, count + 1
        return total / count, record

    def _one(self, data: torch.Tensor, member: Pass) -> torch.Tensor:
        self.predictor.now = member
        if member.dropout is not None:
            torch.manual_seed(self.inference.seed + member.dropout)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self.predictor.predict_sliding_window_return_logits(data).cpu()

    def _resampled(self, logits: torch.Tensor, record: Mapping[str, Any]) -> Array:
        predictor = self.predictor
        spacing = [record["spacing"][axis] for axis in predictor.plans_manager.transpose_forward]
        resampled = predictor.configuration_manager.resampling_fn_probabilities(
            logits.float(),
            record["shape_after_cropping_and_before_resampling"],
            predictor.configuration_manager.spacing,
            spacing,
        )
        return np.asarray(resampled, dtype=np.float32)

    def placed(self, values: Array, record: Mapping[str, Any]) -> Array:
        """Put probabilities of a crop back into the whole grid; shape (regions, z, y, x), 0 elsewhere."""
        whole = np.zeros((values.shape[0], *record["shape_before_cropping"]), dtype=np.float32)
        box = tuple(slice(low, high) for low, high in record["bbox_used_for_cropping"])
        whole[(slice(None), *box)] = values
        back = self.predictor.plans_manager.transpose_backward
        return whole.transpose([0, *(axis + 1 for axis in back)])

    def _passes(self, fold: str) -> Iterator[Pass]:
        axes = tuple(self.predictor.allowed_mirroring_axes or ()) if self.inference.mirror else ()
        numbers = range(1, self.inference.dropout_passes + 1) if self.inference.dropout_passes else (None,)
        for count in range(len(axes) + 1):
            for mirrored in combinations(axes, count):
                yield from (Pass(fold, mirrored, number) for number in numbers)

    def _predictor(self) -> MemberPredictor:
        plans, dataset = PlansManager(self.files.plans), self.files.dataset
        configuration = plans.get_configuration(self.files.configuration)
        if configuration.previous_stage_name is not None:
            raise ConfigError(
                f"{self.files.path}: {self.files.configuration} is the second stage of a cascade, "
                "which is not run; choose another configuration"
            )
        described = configuration.configuration["architecture"]
        configuration.configuration["architecture"] = check_network(
            described, f"{self.files.path}, plans.json"
        )
        network = nnUNetTrainer.build_network_architecture(
            plans,
            configuration,
            determine_num_input_channels(plans, configuration, dataset),
            plans.get_label_manager(dataset).num_segmentation_heads,
            enable_deep_supervision=False,
        )
        if self.inference.dropout_passes and not any(isinstance(m, DROPOUT) for m in network.modules()):
            raise ConfigError(
                f"{self.files.path}: was trained without dropout; set segment.mc_dropout to 0, "
                "or train it with train.dropout"
            )
        predictor = MemberPredictor(
            tile_step_size=self.inference.step,
            perform_everything_on_device=self.device.type == "cuda",
            device=self.device,
            allow_tqdm=False,
        )
        mirroring = self.checkpoints[self.folds[0]].get("inference_allowed_mirroring_axes")
        predictor.manual_initialization(
            network, plans, configuration, None, dataset, "nnUNetTrainer", mirroring
        )
        return predictor

    def _load_weights(self, fold: str) -> None:
        weights = self.checkpoints[fold]["network_weights"]
        try:
            self.predictor.network.load_state_dict(weights)
        except RuntimeError as error:
            raise ConfigError(
                f"{self.files.path}, fold {fold}: the weights do not fit the network that plans.json "
                "describes; a model of a trainer with a network of its own cannot be used"
            ) from error


def _chosen_folds(files: Any, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    missing = sorted(set(wanted or ()) - set(files.folds))
    if missing:
        raise ConfigError(
            f"{files.path}: has no fold {', '.join(missing)}; segment.folds may name {', '.join(files.folds)}"
        )
    numbered = tuple(fold for fold in files.folds if fold != "all")
    return wanted or numbered or files.folds


def voxels_of(images: Sequence[nib.Nifti1Image | None]) -> tuple[Array, list[float]]:
    """Return images as nnU-Net wants them: float32, shape (channels, z, y, x), and the spacing along z, y, x.

    None stands for a missing sequence, which becomes zeros; all images share a grid.
    """
    grid = next(image for image in images if image is not None)
    arrays = [
        np.zeros(grid.shape[::-1], np.float32) if image is None else data_of(image).T for image in images
    ]
    return np.stack(arrays), [float(s) for s in nib.affines.voxel_sizes(grid.affine)[::-1]]
