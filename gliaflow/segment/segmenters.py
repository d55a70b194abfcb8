"""The one interface of all segmenters: a session's images in atlas space to member probability maps.

A new segmenter is a function here that yields members, and one line in ``SEGMENTERS``.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.images import Array, data_of, spacing_of
from gliaflow.segment.flair_baseline import FlairSettings, whole_tumour_probability

Images = Mapping[str, nib.Nifti1Image]
Segmenter = Callable[[Images, nib.Nifti1Image, Mapping[str, Any]], Iterator[Array]]


def segment(
    kind: str, images: Images, mask: nib.Nifti1Image, settings: Mapping[str, Any]
) -> Iterator[tuple[str, Array]]:
    """Run a segmenter member by member.

    Parameters
    ----------
    kind
        A key of ``SEGMENTERS``; the ``kind`` of an entry of config/models.yaml.
    images
        Brain images keyed by sequence, all on the atlas grid.
    mask
        Brain mask on the same grid.
    settings
        The config's section for this kind.

    Yields
    ------
    tuple[str, Array]
        The member's name (``1``, ``2``, ...) and its probabilities, float32 in [0, 1], shape
        (x, y, z, regions), regions in the order of the model's entry.

    Raises
    ------
    ConfigError
        There is no such segmenter.
    """
    if kind not in SEGMENTERS:
        raise ConfigError(f"no segmenter of kind {kind!r}; config/models.yaml may name {sorted(SEGMENTERS)}")
    for number, probabilities in enumerate(SEGMENTERS[kind](images, mask, settings), start=1):
        yield str(number), probabilities


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


def _flair_baseline(images: Images, mask: nib.Nifti1Image, settings: Mapping[str, Any]) -> Iterator[Array]:
    flair = images["t2f"]
    brain = data_of(mask) > 0
    whole = whole_tumour_probability(data_of(flair), brain, spacing_of(flair), FlairSettings(**settings))
    yield whole[..., np.newaxis]


SEGMENTERS: dict[str, Segmenter] = {"flair_baseline": _flair_baseline}
