"""What changed since the subject's earlier sessions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

CHANGE_MEANINGS = {
    "volume_change_ml": "Change of the volume of the {region} since the session before, in ml",
    "volume_change_percent": "The same in per cent of the volume before; empty where that was 0",
    "volume_doubling_time_days": "Days in which the {region} doubles at the exponential rate since the "
    "session before, negative where it shrinks; empty without days, and where a volume is 0 or the same",
}
RANO_CHANGE_MEANINGS = {
    "rano_from_first_percent": "Change of the {region}'s sum of products since the first session in per cent",
    "rano_from_smallest_percent": "Change of that sum since the smallest of the earlier sessions in per cent",
    "rano_category": "What the sums of products alone would be called: CR, PR, SD or PD; not a clinical "
    "reading, see docs/features.md for what it leaves out",
}
PARTIAL, PROGRESS = 0.5, 1.25
"""A sum of half the first one is a partial response, one of 1.25 times the smallest one progression."""


def change_features(
    region: str, row: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], days: float | None
) -> dict[str, float | None]:
    """Return the keys of `CHANGE_MEANINGS` for a region; all None without an earlier session.

    Parameters
    ----------
    region
        Prefix of its columns, such as ``wt``.
    row, earlier
        Tables of features: of the session, and of the earlier ones in their order.
    days
        From the session before to this one; None where the sheet does not say.

    Examples
    --------
    >>> found = change_features("wt", {"wt_volume_ml": 20.0}, [{"wt_volume_ml": 10.0}], 30)
    >>> found["volume_change_percent"], found["volume_doubling_time_days"]
    (100.0, 30.0)
    """
    now = row[f"{region}_volume_ml"]
    before = earlier[-1][f"{region}_volume_ml"] if earlier else None
    if now is None or before is None:
        return dict.fromkeys(CHANGE_MEANINGS)
    return {
        "volume_change_ml": now - before,
        "volume_change_percent": percent(before, now),
        "volume_doubling_time_days": doubling_time(before, now, days),
    }


def rano_change_features(
    region: str, row: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]
) -> dict[str, float | str | None]:
    """Return the keys of `RANO_CHANGE_MEANINGS` for a region; all None without an earlier session.

    Parameters
    ----------
    region, row, earlier
        As for `change_features`; earlier sessions in which the region was not determined are passed over.
    """
    column = f"{region}_rano_sum_mm2"
    now, sums = row[column], [one[column] for one in earlier if one[column] is not None]
    if now is None or not sums:
        return dict.fromkeys(RANO_CHANGE_MEANINGS)
    return {
        "rano_from_first_percent": percent(sums[0], now),
        "rano_from_smallest_percent": percent(min(sums), now),
        "rano_category": rano_category(sums, now, gone=not row[f"{region}_volume_ml"]),
    }


def rano_category(earlier: Sequence[float], now: float, *, gone: bool) -> str | None:
    """Return what sums of products alone would be called by RANO (Wen et al. 2010).

    Parameters
    ----------
    earlier
        Sums of the earlier sessions, the first one being the baseline.
    now
        The sum of this session.
    gone
        Whether nothing of the region is left, measurable or not.

    Returns
    -------
    str or None
        ``PD``: at least 25 % above the smallest earlier sum, or measurable again after there was nothing
        measurable. ``CR``: nothing is left of what was measurable at first. ``PR``: at least 50 % below the
        first sum. ``SD``: neither. None where nothing was measurable at first, and it is no progression.

    Examples
    --------
    >>> [rano_category([400.0, 100.0], now, gone=not now) for now in (125.0, 124.0, 0.0)]
    ['PD', 'PR', 'CR']
    >>> rano_category([400.0], 300.0, gone=False), rano_category([0.0], 0.0, gone=True)
    ('SD', None)
    """
    if now and now >= PROGRESS * min(earlier):
        return "PD"
    if not earlier[0]:
        return None
    if gone:
        return "CR"
    return "PR" if now <= PARTIAL * earlier[0] else "SD"


def percent(before: float, now: float) -> float | None:
    """Return a change in per cent; None where there was nothing before.

    >>> percent(4.0, 5.0), percent(0.0, 1.0)
    (25.0, None)
    """
    return 100 * (now - before) / before if before else None


def doubling_time(before: float, now: float, days: float | None) -> float | None:
    """Return the days of a doubling at the exponential rate between two volumes, negative where it shrinks.

    >>> doubling_time(1.0, 4.0, 60), doubling_time(4.0, 1.0, 60), doubling_time(1.0, 1.0, 60)
    (30.0, -30.0, None)
    """
    if not days or before <= 0 or now <= 0 or before == now:
        return None
    return days * math.log(2) / math.log(now / before)
