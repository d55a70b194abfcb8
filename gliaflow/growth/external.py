"""A growth model from elsewhere: tissue and segmentation in a folder, a command, one NIfTI out.

The contract is PREDICT-GBM's (arXiv 2509.13360), so that its models run unchanged: the input folder holds
``<id>-gm``, ``-wm``, ``-csf`` and ``-tumorseg.nii.gz`` on one grid, and the output folder one image after the
run.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.checks import check_image
from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array, data_of, new_image, read_image, single_volume, to_ras, write_image

KINDS = ("density", "time")
PLACEHOLDERS = ("{input}", "{output}")
ROUNDING = 1e-3
"""How far a density may lie outside 0 to 1."""


@dataclass(frozen=True)
class ExternalModel:
    """A model that runs as a command.

    Attributes
    ----------
    name
        What errors call it.
    command
        Program and arguments; each ``{input}`` and ``{output}`` in them becomes the path of a folder. No
        shell reads it.
    gives
        What its image holds: ``density``, 0 to 1, or ``time``, days until a voxel is invaded (infinite:
        never).
    timeout_minutes
        After so long it is stopped.

    Raises
    ------
    ConfigError
        The command is empty or lacks a placeholder, or another value does not fit.
    """

    name: str
    command: tuple[str, ...]
    gives: str = "density"
    timeout_minutes: float = 60.0

    def __post_init__(self) -> None:
        """Check the values."""
        lacking = [p for p in PLACEHOLDERS if not any(p in argument for argument in self.command)]
        if lacking:
            raise ConfigError(
                f"{self.name}: the command lacks {' and '.join(lacking)}; write where it belongs"
            )
        if self.gives not in KINDS:
            raise ConfigError(f"{self.name}: gives: {self.gives!r} does not fit; write {' or '.join(KINDS)}")
        if not self.timeout_minutes > 0:
            raise ConfigError(f"{self.name}: timeout_minutes: {self.timeout_minutes}: write a number above 0")

    def arguments(self, inputs: Path, outputs: Path) -> list[str]:
        """Return the command with the folders in it."""
        filled = [argument.replace("{input}", str(inputs)) for argument in self.command]
        return [argument.replace("{output}", str(outputs)) for argument in filled]


def run_external(
    model: ExternalModel, tissue: Tissue, labels: Array, affine: Array, *, folder: Path, log: Path, name: str
) -> Array:
    """Let a model predict the growth of a tumour.

    Parameters
    ----------
    model
        What to run.
    tissue
        The healthy brain, shape (x, y, z).
    labels
        Label map of the tumour (resources/labels.tsv), uint8, shape (x, y, z).
    affine
        Shape (4, 4), voxel to RAS+ millimetres, axes in the order of RAS.
    folder
        Gets the folders ``input`` and ``output``, which may not be there yet.
    log
        Gets what the command prints.
    name
        Begins the names of the input's files; letters and digits say nothing about a person.

    Returns
    -------
    numpy.ndarray
        float32, shape (x, y, z). A density in [0, 1] that is 0 outside the brain, or days, infinite outside
        the brain and where the tumour never comes.

    Raises
    ------
    ConfigError
        The program is not there, or a folder is.
    ImageError
        The command fails or takes too long, or leaves no image, more than one, or one of another grid, with
        voxels that are not finite or out of range, or the same everywhere.
    """
    inputs, outputs = (make_folder(folder / part) for part in ("input", "output"))
    write_input(inputs, tissue, labels, affine, name)
    run_command(model, model.arguments(inputs, outputs), log)
    path = only_image(model, outputs, log)
    return read_output(model, path, tissue.brain, affine)


def make_folder(path: Path) -> Path:
    """Make a folder that is not there, so that nothing of an earlier run is taken for an answer."""
    try:
        path.mkdir(parents=True)
    except FileExistsError as error:
        raise ConfigError(f"{path}: is there already; remove it or give another folder") from error
    return path


def write_input(folder: Path, tissue: Tissue, labels: Array, affine: Array, name: str) -> None:
    """Write tissue (float32) and segmentation (uint8) as the contract names them."""
    shares = {"gm": tissue.grey, "wm": tissue.white, "csf": tissue.csf}
    for part, values in shares.items():
        write_image(folder / f"{name}-{part}.nii.gz", values, affine)
    write_image(folder / f"{name}-tumorseg.nii.gz", labels, affine, np.uint8)


def run_command(model: ExternalModel, arguments: Sequence[str], log: Path) -> None:
    """Run a command to its end and keep what it prints; stop it with all that it started when time is up."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        try:
            # a session of its own, so that a container's processes can be stopped with it
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigError(
                f"{model.name}: {arguments[0]!r} cannot be run ({error.strerror}); correct the command"
            ) from error
        status = _wait(model, process, log)
    if status != 0:
        raise ImageError(
            f"{model.name}: the command ended with status {status} ({last_line(log)}); read {log}"
        )


def _wait(model: ExternalModel, process: "subprocess.Popen[bytes]", log: Path) -> int:
    try:
        return process.wait(60 * model.timeout_minutes)
    except subprocess.TimeoutExpired as error:
        raise ImageError(
            f"{model.name}: took more than {model.timeout_minutes:g} minutes; raise timeout_minutes, or read "
            f"{log}"
        ) from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "it printed nothing")


def only_image(model: ExternalModel, folder: Path, log: Path) -> Path:
    """Return the one NIfTI file in a folder or below it."""
    found = sorted(path for path in folder.rglob("*") if path.name.endswith((".nii", ".nii.gz")))
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        raise ImageError(
            f"{model.name}: left {len(found)} NIfTI files in {folder} ({names}); it has to leave one; read "
            f"{log}"
        )
    return found[0]


def read_output(model: ExternalModel, path: Path, brain: Array, affine: Array) -> Array:
    """Read what a model left, and check it; see `run_external`."""
    image = to_ras(single_volume(read_image(path)))
    values = data_of(image)
    if model.gives == "time":
        check_image(_without_infinity(image), path, like=_grid(brain, affine))
        least, most = 0.0, np.inf
    else:
        check_image(image, path, like=_grid(brain, affine))
        least, most = -ROUNDING, 1 + ROUNDING
    inside = values[brain]
    if inside.min() < least or inside.max() > most:
        raise ImageError(
            f"{path}: holds {model.gives} from {inside.min():g} to {inside.max():g} in the brain; "
            f"{'days count from 0' if model.gives == 'time' else 'a density lies from 0 to 1'}"
        )
    if model.gives == "time":
        return np.where(brain, values, np.float32(np.inf))
    return np.where(brain, np.clip(values, 0, 1), np.float32(0))


def _without_infinity(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """Return a time map that says never by a day after all others, as a check of finiteness needs."""
    values = data_of(image)
    never = np.isposinf(values)
    latest = values[np.isfinite(values)].max(initial=0)
    return new_image(np.where(never, latest + 1, values), image.affine)


def _grid(brain: Array, affine: Array) -> nib.Nifti1Image:
    return new_image(brain, affine, np.uint8)
