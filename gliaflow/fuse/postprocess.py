"""From region probabilities to the final label map: merging, cleaning, the enhancing-tumour rule."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage

from gliaflow.config.mistakes import check_key, listing, show
from gliaflow.errors import ConfigError
from gliaflow.fuse.enhancing import RULES, EnhancingRule, relabel_enhancing, rule_applies
from gliaflow.images import Array
from gliaflow.labels import REGIONS, encode, region_mask


@dataclass(frozen=True)
class PostSettings:
    """How region probabilities become a label map; made and checked by `post_settings`.

    Attributes
    ----------
    threshold
        Per region: a probability at or above is inside.
    merge
        ``nested`` (`gliaflow.labels.encode`) or ``table`` (`merge_by_table`).
    min_component_voxels
        Components of the whole tumour (26 neighbours) with fewer voxels are dropped; 0 keeps all.
    largest_component
        Whether only the largest component of the whole tumour is kept.
    fill_holes
        Whether holes are filled, see `fill_holes`.
    enhancing
        The rule for a small enhancing tumour.
    """

    threshold: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(REGIONS, 0.5))
    merge: str = "nested"
    min_component_voxels: int = 0
    largest_component: bool = False
    fill_holes: bool = False
    enhancing: EnhancingRule = field(default_factory=EnhancingRule)


@dataclass(frozen=True)
class PostResult:
    """A label map and how it came about.

    Attributes
    ----------
    labels
        uint8, shape (x, y, z), values of resources/labels.tsv.
    steps
        Each step that was switched on, in order, by its key of the settings, with the number of voxels whose
        label it changed.
    enhancing_removed
        Whether the rule for a small enhancing tumour applied.
    """

    labels: Array
    steps: tuple[tuple[str, int], ...]
    enhancing_removed: bool


def post_settings(*layers: Mapping[str, Any]) -> PostSettings:
    """Merge nested mappings with the keys of `PostSettings`; later ones win, None is "not set here".

    Raises
    ------
    ConfigError
        A key is unknown or its value is not possible; with both.

    Examples
    --------
    >>> settings = post_settings({"threshold": {"ET": 0.4}}, {"threshold": {"TC": 0.3, "ET": None}})
    >>> settings.threshold
    {'WT': 0.5, 'TC': 0.3, 'ET': 0.4}
    """
    record = settings_record(PostSettings())
    for layer in layers:
        record = _merged(record, layer)
    return PostSettings(**{**record, "enhancing": EnhancingRule(**record["enhancing"])})


def settings_record(settings: PostSettings) -> dict[str, Any]:
    """Return the settings as plain values for JSON; `post_settings` makes the same settings of them."""
    return asdict(settings)


def postprocess(
    probabilities: Array,
    regions: Sequence[str],
    settings: PostSettings,
    voxel_ml: float,
    *,
    enhancing_removed: bool | None = None,
) -> PostResult:
    """Turn region probabilities into the final label map.

    The order: merge, fill holes, drop small components, keep the largest, enhancing-tumour rule.

    Parameters
    ----------
    probabilities
        Shape (x, y, z, regions), floating point in [0, 1].
    regions
        What each channel stands for, ``WT`` among them. A region that is absent was not determined, and no
        voxel gets the label that would tell it apart.
    settings
        The steps.
    voxel_ml
        Volume of a voxel in ml.
    enhancing_removed
        Whether the rule for a small enhancing tumour applies, as decided on another grid; None decides here.

    Raises
    ------
    ConfigError
        ``merge`` is ``table`` but a region was not determined.
    """
    probability = {name: probabilities[..., k] for k, name in enumerate(regions)}
    masks = {name: values >= settings.threshold[name] for name, values in probability.items()}
    labels = MERGES[settings.merge](masks)
    steps = []
    for name, cleaned in _cleaned(labels, regions, settings):
        steps.append((name, _changed(labels, cleaned)))
        labels = cleaned
    rule = settings.enhancing
    if rule.rule == "none":
        return PostResult(labels, tuple(steps), False)
    applies = rule_applies(labels, rule, voxel_ml) if enhancing_removed is None else enhancing_removed
    removed = applies and "ET" in regions
    final = relabel_enhancing(labels, probability, settings.threshold, rule.rule) if removed else labels
    return PostResult(final, (*steps, ("enhancing", _changed(labels, final))), removed)


def merge_by_table(regions: Mapping[str, Array]) -> Array:
    """Make a label map from region masks by a truth table (BrainLes 2021, S35).

    Unlike `gliaflow.labels.encode`, it keeps a tumour core outside the whole tumour, with the enhancing
    tumour in it; an enhancing tumour alone is background.

    Parameters
    ----------
    regions
        Bool arrays of one shape for ``WT``, ``TC`` and ``ET``.

    Returns
    -------
    Array
        uint8.

    Raises
    ------
    ConfigError
        A region is missing.
    """
    missing = [name for name in REGIONS if name not in regions]
    if missing:
        raise ConfigError(
            f"merge: 'table': needs {listing(REGIONS, 'and')}, but the model does not determine "
            f"{listing(missing, 'and')}; write nested"
        )
    table = np.zeros((2, 2, 2), dtype=np.uint8)
    table[1, 0, 0] = 2
    table[:, 1, 0] = 1
    table[:, 1, 1] = table[1, 0, 1] = 3
    whole, core, enhancing = (regions[name].astype(np.uint8) for name in REGIONS)
    return table[whole, core, enhancing]


def fill_holes(labels: Array, regions: Sequence[str]) -> Array:
    """Fill holes: those of the whole tumour with oedema, then those of the tumour core with necrotic core.

    A hole has no way out through faces of voxels; what the edge of the image opens is no hole. The core is
    left alone where ``TC`` is not among the regions. A hole of the enhancing tumour is one of the core.
    """
    filled = labels.copy()
    filled[_holes(region_mask(labels, "WT"))] = 2
    if "TC" in regions:
        filled[_holes(region_mask(labels, "TC"))] = 1
    return filled


def drop_small(labels: Array, min_voxels: int) -> Array:
    """Set components of the whole tumour with fewer voxels (26 neighbours) to 0."""
    components, sizes = _components(labels)
    return np.where((sizes < min_voxels)[components] & (components > 0), 0, labels).astype(np.uint8)


def keep_largest(labels: Array) -> Array:
    """Set all components of the whole tumour but the largest to 0; of equals the first stays."""
    components, sizes = _components(labels)
    largest = sizes[1:].argmax() + 1 if len(sizes) > 1 else 0
    return np.where((components > 0) & (components != largest), 0, labels).astype(np.uint8)


MERGES: Mapping[str, Callable[[Mapping[str, Array]], Array]] = {"nested": encode, "table": merge_by_table}
CHOICES = {"merge": tuple(MERGES), "enhancing.rule": ("none", *RULES)}


def _cleaned(labels: Array, regions: Sequence[str], settings: PostSettings) -> Iterator[tuple[str, Array]]:
    if settings.fill_holes:
        labels = fill_holes(labels, regions)
        yield "fill_holes", labels
    if settings.min_component_voxels:
        labels = drop_small(labels, settings.min_component_voxels)
        yield "min_component_voxels", labels
    if settings.largest_component:
        yield "largest_component", keep_largest(labels)


def _components(labels: Array) -> tuple[Array, Array]:
    components, _ = ndimage.label(region_mask(labels, "WT"), structure=np.ones((3, 3, 3)))
    return components, np.bincount(components.ravel())


def _holes(mask: Array) -> Array:
    return ndimage.binary_fill_holes(mask) & ~mask


def _changed(before: Array, after: Array) -> int:
    return int(np.count_nonzero(before != after))


def _merged(record: Mapping[str, Any], layer: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    merged = dict(record)
    for name, value in layer.items():
        check_key(name, value, record, section)
        if value is None:
            continue
        possible, fix = _check(f"{section}{name}", value, record[name])
        if not possible:
            raise ConfigError(f"{section}{name}: {show(value)}: is not possible; write {fix}")
        nested = isinstance(value, Mapping)
        merged[name] = (
            _merged(record[name], value, f"{section}{name}.") if nested else type(record[name])(value)
        )
    return merged


def _check(key: str, value: Any, like: Any) -> tuple[bool, str]:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    match like:
        case dict():
            return isinstance(value, Mapping), f"a mapping with {listing(like, 'and')}"
        case bool():
            return isinstance(value, bool), "true or false"
        case str():
            return isinstance(value, str) and value in CHOICES[key], listing(CHOICES[key])
        case int():
            return number and value >= 0 and value == int(value), "a whole number, 0 or more"
    if key.startswith("threshold."):
        return number and 0 < value < 1, "a number between 0 and 1, such as 0.5"
    return number and value >= 0, "a volume in ml, 0 or more"
