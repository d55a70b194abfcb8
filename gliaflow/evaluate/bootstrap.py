"""Intervals by the bootstrap: how much a figure would vary with other sessions from the same population."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gliaflow.config.mistakes import listing
from gliaflow.errors import ConfigError
from gliaflow.images import Array

METHODS = ("percentile", "bca")
LEAST = 2
BATCH_VALUES = 1_000_000
"""Values that are drawn at a time, which bounds the memory."""


@dataclass(frozen=True)
class Bootstrap:
    """How an interval is made.

    Attributes
    ----------
    confidence
        Share of repetitions that the interval would hold the true figure in.
    resamples
        How often as many values as there are are drawn with replacement.
    method
        ``percentile``, or ``bca``: corrected for bias and acceleration (Efron 1987), better for skewed values
        and dearer by a leave-one-out of all values. Where the correction does not exist, as when all draws
        are the same, it is left away.
    seed
        The same seed, values and order give the same interval.

    Raises
    ------
    ConfigError
        A value is not possible.
    """

    confidence: float = 0.95
    resamples: int = 2000
    method: str = "percentile"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        if self.method not in METHODS:
            raise ConfigError(f"bootstrap: method: {self.method!r}: write {listing(METHODS)}")
        if not 0 < self.confidence < 1:
            raise ConfigError(f"bootstrap: confidence: {self.confidence}: write a share such as 0.95")
        if self.resamples < 1:
            raise ConfigError(f"bootstrap: resamples: {self.resamples}: write a number such as 2000")


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its interval; NaN where too few values have none."""

    estimate: float
    low: float
    high: float


def bootstrap_interval(
    values: Sequence[float], statistic: str = "mean", settings: Bootstrap | None = None
) -> Interval:
    """Return the mean or the median of values with its interval; sessions are drawn as if independent.

    Parameters
    ----------
    values
        Finite numbers, one for each session.
    statistic
        ``mean`` or ``median``.
    settings
        See `Bootstrap`, whose defaults None takes.

    Returns
    -------
    Interval
        All NaN without values; the ends NaN for a single one.

    Raises
    ------
    ConfigError
        The statistic is not known.

    Examples
    --------
    >>> interval = bootstrap_interval([0.8, 0.9, 0.7, 0.95, 0.85])
    >>> round(interval.estimate, 2), round(interval.low, 2), round(interval.high, 2)
    (0.84, 0.76, 0.91)
    """
    if statistic not in STATISTICS:
        raise ConfigError(f"bootstrap: statistic: {statistic!r}: write {listing(STATISTICS)}")
    return _interval([np.asarray(values, dtype=float)], STATISTICS[statistic], settings or Bootstrap())


def bootstrap_correlation(
    first: Sequence[float], second: Sequence[float], settings: Bootstrap | None = None
) -> Interval:
    """Return Spearman's rank correlation with its interval; pairs are drawn.

    Draws in which one of the two is the same in all pairs have no correlation and are left out.

    Parameters
    ----------
    first, second
        Finite numbers, one of each for each session.
    settings
        See `Bootstrap`, whose defaults None takes.

    Returns
    -------
    Interval
        All NaN where a correlation does not exist: fewer than two pairs, or one of the two always the same.

    Raises
    ------
    ValueError
        They are not of the same number.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    pairs = [np.asarray(values, dtype=float) for values in (first, second)]
    return _interval(pairs, rank_correlation, settings or Bootstrap())


def rank_correlation(first: Array, second: Array, axis: int = -1) -> Array:
    """Return Spearman's correlation along an axis, equal values with their mean rank; NaN where undefined."""
    ranks = [stats.rankdata(values, axis=axis) for values in (first, second)]
    x, y = (rank - rank.mean(axis=axis, keepdims=True) for rank in ranks)
    scale = np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))
    return np.divide((x * y).sum(axis=axis), scale, out=np.full(scale.shape, np.nan), where=scale > 0)


STATISTICS: Mapping[str, Callable[..., Array]] = {"mean": np.mean, "median": np.median}


def _interval(samples: Sequence[Array], statistic: Callable[..., Array], settings: Bootstrap) -> Interval:
    if len(samples[0]) == 0:
        return Interval(*[float("nan")] * 3)
    estimate = float(statistic(*samples, axis=-1))
    if len(samples[0]) < LEAST or np.isnan(estimate):
        return Interval(estimate, float("nan"), float("nan"))
    drawn, ends = _draws(samples, statistic, settings)
    if np.isnan(ends).any():
        tail = (1 - settings.confidence) / 2
        ends = np.nanquantile(drawn, (tail, 1 - tail))
    return Interval(estimate, float(ends[0]), float(ends[1]))


def _draws(
    samples: Sequence[Array], statistic: Callable[..., Array], settings: Bootstrap
) -> tuple[Array, Array]:
    """Return the statistic of each draw, and scipy's interval: NaN where a draw has none or all are equal."""
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            samples,
            statistic,
            n_resamples=settings.resamples,
            batch=max(1, BATCH_VALUES // len(samples[0])),
            vectorized=True,
            paired=True,
            confidence_level=settings.confidence,
            method=settings.method,
            rng=settings.seed,
        )
    return result.bootstrap_distribution, np.array(result.confidence_interval)
