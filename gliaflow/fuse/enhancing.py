"""Rules for an enhancing tumour so small that it is probably none."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gliaflow.images import Array
from gliaflow.labels import region_mask


@dataclass(frozen=True)
class EnhancingRule:
    """When an enhancing tumour is too small to be believed, and what its voxels become.

    All rules apply where its volume is more than 0 and at most ``limit_ml``, an equal volume included.
    Where a paper says "fewer than n voxels" (of 1 mm³), ``limit_ml`` is (n - 1) / 1000.

    Attributes
    ----------
    rule
        ``none``; ``empty``: its mask is emptied, so that the voxels are what the other regions say
        (BrainLes 2021, S33: 0.599 ml); ``necrosis``: they become necrotic core (S39: 0.499 ml, for an
        ensemble 0.749 ml; S41: 0.199 ml); ``next_class``: each becomes the most probable other class, of
        equals the core, then oedema (S32: 0.1295 ml).
    limit_ml
        In ml; at 0 the rule never applies.
    core_ml
        The necrotic core (label 1) has to be larger than this, in ml (S32: 16.954); 0 is no such condition.
    """

    rule: str = "none"
    limit_ml: float = 0.0
    core_ml: float = 0.0


def rule_applies(labels: Array, rule: EnhancingRule, voxel_ml: float) -> bool:
    """Tell whether the enhancing tumour of a label map is so small that the rule applies.

    Volumes count as equal within a millionth of their size, so that rounding never decides.

    >>> rule_applies(np.array([3, 3, 3]), EnhancingRule("necrosis", limit_ml=0.3), voxel_ml=0.1)
    True
    """
    enhancing = float(np.count_nonzero(region_mask(labels, "ET")) * voxel_ml)
    core = float(np.count_nonzero(labels == 1) * voxel_ml)
    large_core = rule.core_ml == 0 or not _at_most(core, rule.core_ml)
    return rule.rule != "none" and enhancing > 0 and _at_most(enhancing, rule.limit_ml) and large_core


def relabel_enhancing(
    labels: Array, probability: Mapping[str, Array], threshold: Mapping[str, float], rule: str
) -> Array:
    """Give every voxel of the enhancing tumour another label.

    Parameters
    ----------
    labels
        uint8, shape (x, y, z).
    probability
        Per region that was determined, ``ET`` among them: shape (x, y, z), floating point in [0, 1]. Without
        ``TC`` there is no necrotic core, and what would become one becomes oedema.
    threshold
        Per region: at or above is inside.
    rule
        A name of `RULES`.

    Returns
    -------
    Array
        uint8, shape (x, y, z), without label 3.
    """
    enhancing = region_mask(labels, "ET")
    result = labels.copy()
    result[enhancing] = RULES[rule](
        {name: values[enhancing] for name, values in probability.items()}, threshold
    )
    return result


def _at_most(volume: float, limit: float) -> bool:
    return volume <= limit or math.isclose(volume, limit, rel_tol=1e-6)


def _empty(probability: Mapping[str, Array], threshold: Mapping[str, float]) -> Array:
    if "TC" not in probability:
        return np.full_like(probability["ET"], 2, dtype=np.uint8)
    return np.where(probability["TC"] >= threshold["TC"], 1, 2)


def _necrosis(probability: Mapping[str, Array], _: Mapping[str, float]) -> Array:
    return np.full_like(probability["ET"], 1 if "TC" in probability else 2, dtype=np.uint8)


def _next_class(probability: Mapping[str, Array], _: Mapping[str, float]) -> Array:
    whole, enhancing = probability["WT"], probability["ET"]
    core = probability.get("TC", enhancing)
    # The first of equals wins. A difference below 0 never does, as the background's is not below 0.
    classes = {1: core - enhancing, 2: whole - core, 0: 1 - whole}
    if "TC" not in probability:
        del classes[1]
    return np.array(list(classes))[np.stack(list(classes.values())).argmax(axis=0)]


RULES: Mapping[str, Callable[[Mapping[str, Array], Mapping[str, float]], Array]] = {
    "empty": _empty,
    "necrosis": _necrosis,
    "next_class": _next_class,
}
