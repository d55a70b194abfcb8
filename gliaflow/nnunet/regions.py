"""Which outputs (heads) of a network make which region, by the labels of its ``dataset.json``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.images import Array
from gliaflow.labels import CONVENTIONS, label_table
from gliaflow.nnunet.targets import region_values
from gliaflow.raters.decode import at_least, expected_agreement

AGREEMENT = "agreement"
"""Key of ``dataset.json`` where the labels count raters: ``region``, and ``raters``, how many there are."""


@dataclass(frozen=True)
class RegionMap:
    """How a network's heads become regions.

    Attributes
    ----------
    activation
        ``sigmoid`` (each head is a region), ``softmax`` (each head is a label, the first is background) or
        ``agreement`` (a softmax whose head k is that k raters mark the one region).
    heads
        For each region the heads whose probabilities are summed; one for sigmoid; for agreement those of one
        rater and more, which count by their share of the raters.
    """

    activation: str
    heads: tuple[tuple[int, ...], ...]


def region_map(dataset: Mapping[str, Any], regions: Sequence[str], convention: str) -> RegionMap:
    """Find the heads of each region as nnU-Net orders them.

    Parameters
    ----------
    dataset
        Content of ``dataset.json``: ``labels`` maps names to a value or, for regions, a list of values;
        with `AGREEMENT` the values are numbers of raters.
    regions
        Which are wanted, in this order: those of a tumour, or ``brain``.
    convention
        What the values mean, a key of `gliaflow.labels.CONVENTIONS`; not looked at for numbers of raters.

    Returns
    -------
    RegionMap
        In the order of ``regions``. The resection cavity is part of none, whatever the model counts it to.

    Raises
    ------
    ConfigError
        The labels are not nnU-Net's, hold a value that the convention does not know, or do not yield a
        region.

    Examples
    --------
    >>> labels = {"background": 0, "oedema": 2, "enhancing": 3, "necrosis": 1}
    >>> region_map({"labels": labels}, ["WT", "ET"], "gliaflow")
    RegionMap(activation='softmax', heads=((1, 2, 3), (3,)))
    """
    if AGREEMENT in dataset:
        return RegionMap("agreement", (_agreement_heads(dataset, regions),))
    entries = [_values(name, entry) for name, entry in _labels(dataset) if name != "ignore"]
    if any(len(values) > 1 for values in entries):
        heads = [_converted(values, convention) for values in entries if set(values) != {0}]
        return RegionMap("sigmoid", tuple((_head_of(region, heads),) for region in regions))
    labels = sorted({value for values in entries for value in values})
    heads = [_converted([label], convention) for label in labels]
    return RegionMap("softmax", tuple(_heads_within(region, heads) for region in regions))


def to_regions(logits: Array, region_map: RegionMap) -> Array:
    """Turn a network's output into region probabilities.

    Parameters
    ----------
    logits
        Floating point, shape (heads, x, y, z).
    region_map
        From :func:`region_map`.

    Returns
    -------
    Array
        float32 in [0, 1], shape (regions, x, y, z); for agreement the expected share of the raters.
    """
    from scipy.special import expit, softmax

    if region_map.activation == "agreement":
        return expected_agreement(to_levels(logits))[np.newaxis]
    values = np.asarray(logits, dtype=np.float32)
    if region_map.activation == "sigmoid":
        return expit(values[[head for (head,) in region_map.heads]])
    probabilities = softmax(values, axis=0)
    summed = np.stack([probabilities[list(heads)].sum(axis=0) for heads in region_map.heads])
    # a sum of rounded shares may pass 1 by the last digit
    return np.clip(summed, 0, 1)


def to_levels(logits: Array) -> Array:
    """Turn the output of a network that counts raters into P(at least c raters), c = 1 and on.

    Parameters
    ----------
    logits
        Floating point, shape (raters + 1, x, y, z).

    Returns
    -------
    Array
        float32 in [0, 1], shape (raters, x, y, z).
    """
    from scipy.special import softmax

    return at_least(softmax(np.asarray(logits, dtype=np.float32), axis=0))


def agreement_labels(region: str, raters: int) -> dict[str, Any]:
    """Return what ``dataset.json`` says of label maps that count raters.

    >>> agreement_labels("WT", 2)
    {'labels': {'background': 0, '1': 1, '2': 2}, 'agreement': {'region': 'WT', 'raters': 2}}
    """
    levels = {str(level): level for level in range(1, raters + 1)}
    return {"labels": {"background": 0, **levels}, AGREEMENT: {"region": region, "raters": raters}}


def _agreement_heads(dataset: Mapping[str, Any], regions: Sequence[str]) -> tuple[int, ...]:
    """Return the heads of one rater and more, after checking that the labels are those of the agreement."""
    stated = dataset[AGREEMENT] if isinstance(dataset[AGREEMENT], Mapping) else {}
    region, raters = stated.get("region"), stated.get("raters", 0)
    counted = isinstance(raters, int) and raters > 0
    if not counted or dataset.get("labels") != agreement_labels(str(region), raters)["labels"]:
        raise ConfigError(
            f"dataset.json: labels is {dataset.get('labels')!r}, which does not count the raters of "
            f"{AGREEMENT}: {dataset[AGREEMENT]!r}; export the model again"
        )
    if list(regions) != [region]:
        raise ConfigError(
            f"wrong regions: {', '.join(regions)} is asked of a model that counts the raters who mark "
            f"{region}; write regions: [{region}]"
        )
    return tuple(range(1, raters + 1))


def _labels(dataset: Mapping[str, Any]) -> list[tuple[str, Any]]:
    labels = dataset.get("labels")
    if not isinstance(labels, Mapping) or labels.get("background") != 0:
        raise ConfigError(f"dataset.json: labels is {labels!r}, not a mapping with 'background': 0")
    return list(labels.items())


def _values(name: str, entry: Any) -> list[int]:
    values = entry if isinstance(entry, list | tuple) else [entry]
    if not values or not all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in values):
        raise ConfigError(
            f"dataset.json, labels.{name}: {entry!r} is neither a label value nor a list of them"
        )
    return list(values)


def _converted(values: Sequence[int], convention: str) -> frozenset[int]:
    if convention not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        raise ConfigError(f"{convention!r}: is no label convention; write one of {known}")
    table = CONVENTIONS[convention]
    unknown = sorted(set(values) - set(table))
    if unknown:
        raise ConfigError(
            f"wrong label table: dataset.json has the label values {unknown}, which the convention "
            f"{convention!r} does not know; name the convention that the model was trained with"
        )
    return frozenset(table[value] for value in values)


def _head_of(region: str, heads: Sequence[frozenset[int]]) -> int:
    wanted = frozenset(region_values(region))
    for candidates in (heads, [head - _in_no_region() for head in heads]):
        if wanted in candidates:
            return candidates.index(wanted)
    raise _not_there(region, heads)


def _heads_within(region: str, heads: Sequence[frozenset[int]]) -> tuple[int, ...]:
    wanted = frozenset(region_values(region))
    if not wanted <= frozenset().union(*heads):
        raise _not_there(region, heads)
    return tuple(index for index, head in enumerate(heads) if head <= wanted)


def _in_no_region() -> frozenset[int]:
    return frozenset(label.value for label in label_table() if not label.regions)


def _not_there(region: str, heads: Sequence[frozenset[int]]) -> ConfigError:
    found = ", ".join(str(sorted(head)) for head in heads)
    return ConfigError(
        f"wrong label table: {region} is made of the labels {sorted(region_values(region))}, and the model "
        f"has the label sets {found} (values of resources/labels.tsv); take {region} out of the model's "
        "regions, or name the convention that it was trained with"
    )
