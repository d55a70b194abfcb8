"""Which sessions a person should look at first, and why."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from gliaflow.config.mistakes import check_key, show
from gliaflow.errors import ConfigError
from gliaflow.uncertainty.numbers import RegionNumbers

WHOLE = "WT"
SAYINGS = {
    "pairwise_dice_below": ("pairwise_dice", "members disagree (pairwise Dice {value}, below {limit})"),
    "volume_cv_above": (
        "volume_cv",
        "members' volumes vary (coefficient of variation {value}, above {limit})",
    ),
    "entropy_above": ("entropy_inside_bit", "unsure inside (mean entropy {value} bit, above {limit} bit)"),
    "uncertain_components_ml_above": (
        "uncertain_components_ml",
        "few members found parts of it ({value} ml, above {limit} ml)",
    ),
    "volume_above_ml": ("volume_ml", "too large to be believed ({value} ml, above {limit} ml)"),
}
"""For each threshold the number of a region that it is compared with, and the reason."""
WHOLE_ONLY = ("volume_above_ml",)
EMPTY = "nothing was segmented"


@dataclass(frozen=True)
class FlagSettings:
    """When a session is to be reviewed; made and checked by `flag_settings`, None is never.

    The values are starting points, to be set by what a cohort's reviewers find.

    Attributes
    ----------
    pairwise_dice_below
        Mean Dice between members, of any region.
    volume_cv_above
        Coefficient of variation of the members' volumes, of any region.
    entropy_above
        Mean entropy inside the segmentation in bit, of any region.
    uncertain_components_ml_above
        Volume of parts that few members found, in ml, of any region.
    volume_above_ml
        Volume of the whole tumour in ml.
    empty
        Whether a session without any tumour is to be reviewed.
    """

    pairwise_dice_below: float | None = 0.8
    volume_cv_above: float | None = 0.2
    entropy_above: float | None = 0.3
    uncertain_components_ml_above: float | None = 1.0
    volume_above_ml: float | None = 300.0
    empty: bool = True


@dataclass(frozen=True)
class Review:
    """Whether a session should be looked at.

    Attributes
    ----------
    score
        0 (sure) to 1; None where nothing was segmented.
    reasons
        In words, one for each threshold that is passed; none where the session needs no review.
    """

    score: float | None
    reasons: tuple[str, ...]

    @property
    def flagged(self) -> bool:
        """Whether there is a reason."""
        return bool(self.reasons)


REVIEW_COLUMNS = {
    "review_score": "How unsure the session is, 0 (sure) to 1: mean entropy in bit inside the segmentation, "
    "over the voxels of all regions; empty where nothing was segmented",
    "review": "1 where a person should look at the session, else 0",
    "review_reasons": "Why, separated by semicolons",
}


def flag_settings(values: Mapping[str, Any]) -> FlagSettings:
    """Check and take settings by the names of `FlagSettings`; what is absent keeps its default.

    Raises
    ------
    ConfigError
        A key is unknown or its value is not possible; with both.

    Examples
    --------
    >>> flag_settings({"volume_cv_above": 0.3, "volume_above_ml": None}).volume_cv_above
    0.3
    """
    known = [field.name for field in fields(FlagSettings)]
    for key, value in values.items():
        check_key(key, value, known)
        _check(key, value)
    return FlagSettings(**values)


def review(numbers: Mapping[str, RegionNumbers], settings: FlagSettings) -> Review:
    """Decide whether a session should be looked at.

    Parameters
    ----------
    numbers
        By region. Where the whole tumour was not determined, its volume has no part in the decision.
    settings
        The thresholds.

    Raises
    ------
    ConfigError
        There is no region.
    """
    if not numbers:
        raise ConfigError("flags: there is no region to decide by; segment one at least")
    empty = settings.empty and not any(values.volume_ml for values in numbers.values())
    reasons = tuple(
        f"{region}: {reason}"
        for region, values in numbers.items()
        for reason in _reasons(values, settings, whole=region == WHOLE)
    )
    return Review(review_score(numbers), (EMPTY, *reasons) if empty else reasons)


def review_score(numbers: Mapping[str, RegionNumbers]) -> float | None:
    """Return how unsure a session is, 0 to 1: the mean entropy inside its regions, weighted by their volumes.

    It needs one member only. None where nothing was segmented.
    """
    found = [n for n in numbers.values() if n.entropy_inside_bit is not None]
    total = math.fsum(n.volume_ml for n in found)
    if not total:
        return None
    return math.fsum(n.volume_ml * (n.entropy_inside_bit or 0.0) for n in found) / total


def review_row(decided: Review) -> dict[str, float | int | str | None]:
    """Return a decision as a row with `REVIEW_COLUMNS`."""
    return {
        "review_score": None if decided.score is None else round(decided.score, 4),
        "review": int(decided.flagged),
        "review_reasons": "; ".join(decided.reasons) or None,
    }


def _reasons(values: RegionNumbers, settings: FlagSettings, *, whole: bool) -> Iterator[str]:
    for key, (name, saying) in SAYINGS.items():
        value, limit = getattr(values, name), getattr(settings, key)
        if value is None or limit is None or (key in WHOLE_ONLY and not whole):
            continue
        if value < limit if key.endswith("_below") else value > limit:
            yield saying.format(value=_told_apart(value, limit), limit=f"{limit:.2f}")


def _told_apart(value: float, limit: float) -> str:
    """Write a number with two decimals, or with as many as tell it apart from a limit."""
    digits = next((n for n in range(2, 10) if f"{value:.{n}f}" != f"{limit:.{n}f}"), 10)
    return f"{value:.{digits}f}"


def _check(key: str, value: Any) -> None:
    if key == "empty":
        possible, fix = isinstance(value, bool), "true or false"
    else:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        most = 1.0 if key in ("pairwise_dice_below", "entropy_above") else math.inf
        possible = value is None or (number and 0 <= value <= most and math.isfinite(value))
        fix = f"null or a number from 0{' to 1' if most == 1 else ''}"
    if not possible:
        raise ConfigError(f"{key}: {show(value)}: is not possible; write {fix}")
