"""The one interface of all segmenters: a session's images in atlas space to member probability maps.

A new segmenter is a class here or in a module of its own, and one line in ``SEGMENTERS``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import nibabel as nib
import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.images import Array, data_of, spacing_of
from gliaflow.nnunet.targets import TUMOUR
from gliaflow.segment.flair_baseline import FlairSettings, whole_tumour_probability

Images = Mapping[str, nib.Nifti1Image]


@dataclass(frozen=True)
class Entry:
    """What a segmenter needs to know of its entry in the model table; keys of config/models.yaml."""

    name: str
    sequences: tuple[str, ...]
    regions: tuple[str, ...]
    optional: tuple[str, ...] = ()
    path: Path | None = None
    sha256: str | None = None
    labels: str = "gliaflow"
    orientation: str = "RAS"
    configuration: str | None = None
    atlas: str = "any"
    target: str = TUMOUR
    gpu: bool = True


def entry_of(values: Mapping[str, Any], files: Sequence[str]) -> Entry:
    """Make an entry of plain values, ``kind`` left out, and of its file where it has one."""
    lists = {key: tuple(values[key]) for key in ("sequences", "optional", "regions")}
    plain = {key: value for key, value in values.items() if key != "kind"}
    return Entry(**{**plain, **lists}, path=Path(files[0]) if files else None)


@dataclass(frozen=True)
class Member:
    """One member of an ensemble.

    ``probabilities`` is float32 in [0, 1], shape (x, y, z, regions), regions in the order of the model's
    entry; ``facts`` go into its sidecar.
    """

    probabilities: Array
    facts: Mapping[str, Any] = field(default_factory=dict)


class Segmenter(Protocol):
    """A model in memory, which may be asked for any number of sessions."""

    facts: Mapping[str, Any]
    """What its outputs say of it; ``Postprocess`` and ``Temperature`` hold what it was tuned for."""

    def members(self, images: Images, mask: nib.Nifti1Image) -> Iterator[Member]:
        """Segment a session: its brain images by sequence, and its brain mask, all on the atlas grid."""
        ...


def load_segmenter(kind: str, entry: Entry, settings: Mapping[str, Any], threads: int = 1) -> Segmenter:
    """Load a model.

    Parameters
    ----------
    kind
        A key of ``SEGMENTERS``; the ``kind`` of an entry of config/models.yaml.
    entry
        The entry.
    settings
        The config's settings for this kind.
    threads
        CPU cores that it may use.

    Raises
    ------
    ConfigError
        There is no such segmenter, or its files cannot be used.
    """
    if kind not in SEGMENTERS:
        raise ConfigError(f"no segmenter of kind {kind!r}; config/models.yaml may name {sorted(SEGMENTERS)}")
    return SEGMENTERS[kind](entry, settings, threads)


def quantise(probabilities: Array) -> Array:
    """Turn probabilities in [0, 1] into uint8, 0 to 255; 0.5 and above come to 128 and above.

    >>> quantise(np.array([0.0, 0.4999, 0.5, 1.0])).tolist()
    [0, 127, 128, 255]
    """
    return np.minimum(np.floor(np.clip(probabilities, 0, 1) * 256), 255).astype(np.uint8)


def dequantise(values: Array) -> Array:
    """Turn uint8 back into probabilities: the middle of each step, float32.

    >>> dequantise(np.array([127, 128], dtype=np.uint8)).tolist()
    [0.498046875, 0.501953125]
    """
    return (values.astype(np.float32) + np.float32(0.5)) / np.float32(256)


class FlairBaseline:
    """The training-free whole-tumour segmenter, an ensemble of one."""

    facts: Mapping[str, Any] = {}

    def __init__(self, entry: Entry, settings: Mapping[str, Any], threads: int = 1) -> None:
        """Take the settings of `FlairSettings`; one thread is all it needs."""
        self.settings = FlairSettings(**settings)

    def members(self, images: Images, mask: nib.Nifti1Image) -> Iterator[Member]:
        """Segment FLAIR."""
        flair = images["t2f"]
        brain = data_of(mask) > 0
        whole = whole_tumour_probability(data_of(flair), brain, spacing_of(flair), self.settings)
        yield Member(whole[..., np.newaxis])


def _nnunet(entry: Entry, settings: Mapping[str, Any], threads: int) -> Segmenter:
    from gliaflow.segment.nnunet import NnunetSegmenter

    return NnunetSegmenter(entry, settings, threads)


SEGMENTERS: dict[str, Callable[[Entry, Mapping[str, Any], int], Segmenter]] = {
    "flair_baseline": FlairBaseline,
    "nnunet": _nnunet,
}


def present(images: Images, sequences: Sequence[str]) -> list[nib.Nifti1Image | None]:
    """Return the images of a model's channels in their order, None for one that the session lacks."""
    return [images.get(sequence) for sequence in sequences]
