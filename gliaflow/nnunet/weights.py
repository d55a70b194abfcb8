"""Reading nnU-Net's checkpoints without running what may be in them, and keeping what inference needs."""

import pickle
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from gliaflow.errors import ConfigError

NUMBERS = (
    "Bool",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float16",
    "Float32",
    "Float64",
)
NOT_READABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
)


def read_checkpoint(source: Path | bytes, where: str) -> dict[str, Any]:
    """Read a whole checkpoint to the CPU: tensors, plain values, and the numpy numbers of nnU-Net's log.

    Parameters
    ----------
    source
        A file that ``torch.save`` wrote, or its content.
    where
        The file, for errors.

    Raises
    ------
    ConfigError
        It is damaged, holds code (which is not run), or has no ``network_weights``.
    """
    import torch

    stream = BytesIO(source) if isinstance(source, bytes) else source
    try:
        with torch.serialization.safe_globals(_numpy_numbers()):
            checkpoint = torch.load(stream, map_location="cpu", weights_only=True)
    except NOT_READABLE as error:
        raise ConfigError(f"{where}: {_reason(error)}") from error
    weights = checkpoint.get("network_weights") if isinstance(checkpoint, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in weights.items()
    ):
        raise ConfigError(f"{where}: has no network_weights; it is no checkpoint of nnU-Net v2")
    return checkpoint


def for_inference(checkpoint: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Keep what inference needs of a checkpoint.

    Parameters
    ----------
    checkpoint
        As from :func:`read_checkpoint`.
    where
        The file, for errors.

    Returns
    -------
    dict
        ``network_weights``, ``trainer_name``, ``init_args`` with only its ``configuration``, and
        ``inference_allowed_mirroring_axes``, a tuple or None.

    Raises
    ------
    ConfigError
        One of them is missing or is something else.
    """
    trainer, settings = checkpoint.get("trainer_name"), checkpoint.get("init_args")
    configuration = settings.get("configuration") if isinstance(settings, dict) else None
    if not isinstance(configuration, str) or not isinstance(trainer, str) or not trainer.isidentifier():
        raise ConfigError(
            f"{where}: lacks trainer_name or init_args.configuration; it is no checkpoint of nnU-Net v2"
        )
    axes = checkpoint.get("inference_allowed_mirroring_axes")
    if axes is not None and not (isinstance(axes, list | tuple) and all(map(_is_axis, axes))):
        raise ConfigError(f"{where}: inference_allowed_mirroring_axes is {axes!r}, not axes from 0 to 2")
    return {
        "network_weights": checkpoint["network_weights"],
        "trainer_name": trainer,
        "init_args": {"configuration": configuration},
        "inference_allowed_mirroring_axes": None if axes is None else tuple(axes),
    }


def checkpoint_bytes(checkpoint: Mapping[str, Any]) -> bytes:
    """Return a checkpoint as a file, the same for the same content."""
    import torch

    stream = BytesIO()
    torch.save(dict(checkpoint), stream)
    return stream.getvalue()


def _is_axis(axis: Any) -> bool:
    return isinstance(axis, int) and axis in (0, 1, 2)


def _numpy_numbers() -> list[Any]:
    """Return what makes numpy's numbers and arrays of numbers, by its names before and since version 2."""
    import numpy as np
    from numpy._core import multiarray

    makers = [
        (getattr(multiarray, name), f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ]
    return [*makers, np.dtype, np.ndarray, *(getattr(np.dtypes, f"{name}DType") for name in NUMBERS)]


def _reason(error: BaseException) -> str:
    """Say why a file cannot be read; torch's own message advises to run the code in it."""
    named = re.search(r"GLOBAL (\S+)", str(error))
    if named:
        return (
            f"holds code ({named[1]}), which is not run; ask its publisher for a checkpoint of weights alone"
        )
    return (
        f"is damaged, or holds more than tensors, numbers and text ({type(error).__name__}); fetch it again"
    )
