"""The lesion-wise scores of BraTS since 2023: each lesion counts the same, whatever its size."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
from scipy import ndimage

from gliaflow.config.mistakes import listing
from gliaflow.errors import ConfigError
from gliaflow.evaluate.overlap import dice
from gliaflow.evaluate.surface import check_shapes, surface_score
from gliaflow.images import Array, ml_per_voxel

NEIGHBOURS = {6: 1, 18: 2, 26: 3}
"""Number of neighbours of a voxel to the rank that `scipy.ndimage.generate_binary_structure` knows it by."""
LESION_COLUMNS = {
    "lesion": "Number of the lesion of the truth; empty where a component was found outside all of them",
    "state": "found: a found component touches the dilated lesion; missed; false: found outside all of them",
    "counted": "Whether it is part of the mean; a lesion of the truth that is too small is not",
    "truth_ml": "Volume of the lesion in ml",
    "found_ml": "Volume of all components that touch it, in ml",
    "components": "Number of these components",
    "dice": "Dice coefficient of the lesion and these components",
    "hd95_mm": "95 % Hausdorff distance of the lesion and these components in mm; the penalty where it is "
    "missed or false",
}


@dataclass(frozen=True)
class LesionSettings:
    """What a lesion is, and what a missed one costs.

    Attributes
    ----------
    dilation
        Iterations by which the truth is dilated before it is taken apart, so that parts that lie near each
        other are one lesion. They count voxels, as in BraTS, whose voxels are of 1 mm: on a grid of 2 mm, 3
        iterations bridge twice the distance. Choose fewer there, or resample first.
    min_mm3
        A lesion of the truth with at most this volume is left out. A found component is never too small.
    penalty_mm
        HD95 of a missed lesion and of a false component.
    connectivity
        6, 18 or 26: neighbours that belong to the same lesion or component.
    dilation_connectivity
        6, 18 or 26: neighbours that one iteration adds.

    Raises
    ------
    ConfigError
        A value is not possible.
    """

    dilation: int = 3
    min_mm3: float = 50.0
    penalty_mm: float = 374.0
    connectivity: int = 26
    dilation_connectivity: int = 18

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("connectivity", "dilation_connectivity"):
            if getattr(self, name) not in NEIGHBOURS:
                raise ConfigError(f"{name}: {getattr(self, name)}: write {listing(NEIGHBOURS)}")
        for name in ("dilation", "min_mm3", "penalty_mm"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}: {getattr(self, name)}: write a number that is 0 or more")


PRESETS: Mapping[str, LesionSettings] = {
    "gli": LesionSettings(),
    "ssa": LesionSettings(),
    "ped": LesionSettings(),
    "men": LesionSettings(dilation=1),
    "met": LesionSettings(dilation=1, min_mm3=2.0),
}
"""Of the challenges of 2023: adult glioma, Sub-Saharan Africa, paediatric, meningioma, metastases."""


@dataclass(frozen=True)
class Lesion:
    """One lesion of the truth, or one component that was found outside all of them; see `LESION_COLUMNS`."""

    lesion: int | None
    state: str
    counted: bool
    truth_ml: float
    found_ml: float
    components: int
    dice: float
    hd95_mm: float


@dataclass(frozen=True)
class LesionScore:
    """Means over the lesions that count, and the lesions.

    Attributes
    ----------
    dice, hd95_mm
        1 and 0 where nothing counts.
    lesions
        Those of the truth by number, then what was found outside them.
    """

    dice: float
    hd95_mm: float
    lesions: tuple[Lesion, ...]

    def count(self, state: str) -> int:
        """Return how many of the lesions that count are ``found``, ``missed`` or ``false``."""
        return sum(lesion.counted and lesion.state == state for lesion in self.lesions)


@dataclass(frozen=True)
class _Parts:
    """Lesions of the truth with what lies around them, and components of the found, each with their boxes."""

    truth: Array
    around: Array
    found: Array
    around_boxes: Sequence[tuple[slice, ...]]
    found_boxes: Sequence[tuple[slice, ...]]


def lesion_preset(name: str) -> LesionSettings:
    """Return the settings of a challenge.

    Raises
    ------
    ConfigError
        The name is not known.

    Examples
    --------
    >>> lesion_preset("met").min_mm3
    2.0
    """
    if name not in PRESETS:
        raise ConfigError(f"lesions: {name!r} is not known; write {listing(PRESETS)}")
    return PRESETS[name]


def score_lesions(
    truth: Array, found: Array, spacing: Sequence[float], settings: LesionSettings = PRESETS["gli"]
) -> LesionScore:
    """Score each lesion of a mask, as BraTS does since 2023 (arXiv 2305.17033; its published code).

    The truth is dilated; what is connected then is one lesion. To a lesion belong all components of the found
    that touch it dilated; they may belong to others too. A component that touches none is false: Dice 0 and
    the penalty, as for a missed lesion. Both masks of a lesion are compared undilated and whole.

    The HD95 is that of `gliaflow.evaluate.surface.hausdorff95`, which counts surface voxels alike, where the
    code of BraTS weighs them by their area.

    Parameters
    ----------
    truth, found
        Bool, of one shape (x, y, z).
    spacing
        Voxel size along the three axes in mm; the dilation does not depend on it.
    settings
        See `LesionSettings`.

    Raises
    ------
    ImageError
        The shapes differ.

    Examples
    --------
    >>> truth, found = np.zeros((2, 30, 8, 8), dtype=bool)
    >>> truth[1:9, 2:6, 2:6] = found[1:9, 2:6, 2:6] = truth[20:28, 2:6, 2:6] = True
    >>> score = score_lesions(truth, found, (1.0, 1.0, 1.0))
    >>> score.dice, score.hd95_mm, [lesion.state for lesion in score.lesions]
    (0.5, 187.0, ['found', 'missed'])
    """
    check_shapes(truth, found)
    if not (truth.any() or found.any()):
        return LesionScore(1.0, 0.0, ())
    parts = _take_apart(truth, found, settings)
    touched = [_touching(parts, number) for number in range(1, len(parts.around_boxes) + 1)]
    lesions = [
        _score(parts, number, components, spacing, settings)
        for number, components in enumerate(touched, start=1)
    ]
    lesions += _outside(parts, touched, spacing, settings)
    counted = [lesion for lesion in lesions if lesion.counted]
    if not counted:
        return LesionScore(1.0, 0.0, tuple(lesions))
    return LesionScore(
        dice=float(np.mean([lesion.dice for lesion in counted])),
        hd95_mm=float(np.mean([lesion.hd95_mm for lesion in counted])),
        lesions=tuple(lesions),
    )


def lesion_rows(score: LesionScore) -> list[dict[str, Any]]:
    """Return a row with the columns `LESION_COLUMNS` for each lesion and each false component."""
    return [asdict(lesion) for lesion in score.lesions]


def _take_apart(truth: Array, found: Array, settings: LesionSettings) -> _Parts:
    (box,) = ndimage.find_objects((truth | found).astype(np.uint8))
    # what dilations join outside the box of both masks they also join inside
    truth, found = truth[box], found[box]
    near = ndimage.generate_binary_structure(3, NEIGHBOURS[settings.dilation_connectivity])
    # 0 iterations mean without end to scipy
    dilated = ndimage.binary_dilation(truth, near, settings.dilation) if settings.dilation else truth
    joined = ndimage.generate_binary_structure(3, NEIGHBOURS[settings.connectivity])
    around, components = (ndimage.label(mask, joined)[0] for mask in (dilated, found))
    boxes = (ndimage.find_objects(labelled) for labelled in (around, components))
    return _Parts(truth, around, components, *boxes)


def _touching(parts: _Parts, number: int) -> tuple[int, ...]:
    """Return the components of the found that touch a dilated lesion."""
    box = parts.around_boxes[number - 1]
    touching = np.unique(parts.found[box][parts.around[box] == number])
    return tuple(int(component) for component in touching if component)


def _score(
    parts: _Parts,
    number: int,
    components: Sequence[int],
    spacing: Sequence[float],
    settings: LesionSettings,
) -> Lesion:
    boxes = [parts.around_boxes[number - 1], *(parts.found_boxes[component - 1] for component in components)]
    box = tuple(
        slice(min(s.start for s in along), max(s.stop for s in along)) for along in zip(*boxes, strict=True)
    )
    truth = parts.truth[box] & (parts.around[box] == number)
    found = np.isin(parts.found[box], components)
    truth_mm3, found_mm3 = (int(np.count_nonzero(mask)) * prod(spacing) for mask in (truth, found))
    return Lesion(
        lesion=number,
        state="found" if components else "missed",
        counted=truth_mm3 > settings.min_mm3,
        truth_ml=truth_mm3 / 1000,
        found_ml=found_mm3 / 1000,
        components=len(components),
        dice=dice(truth, found),
        hd95_mm=surface_score(truth, found, spacing, worst_mm=settings.penalty_mm).hd95_mm,
    )


def _outside(
    parts: _Parts, touched: Sequence[Sequence[int]], spacing: Sequence[float], settings: LesionSettings
) -> list[Lesion]:
    """Return the components of the found that touch no dilated lesion."""
    volumes = np.bincount(parts.found.ravel()) * ml_per_voxel(spacing)
    false = sorted(set(range(1, len(volumes))).difference(*touched))
    return [
        Lesion(None, "false", True, 0.0, float(volumes[component]), 1, 0.0, settings.penalty_mm)
        for component in false
    ]
