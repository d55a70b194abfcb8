"""The figures that stand beside every prediction, and whether they say more than chance."""

from collections.abc import Mapping, Sequence
from typing import Any

from gliaflow.errors import GliaflowError
from gliaflow.predict.folds import CROSS_VALIDATION
from gliaflow.predict.metrics import HEADLINE

SIGNIFICANT = 0.05


def figures_of(name: str, kind: str, scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the cross-validated figure of a predictor, its interval, chance level and p-value.

    Parameters
    ----------
    name, kind
        Of the predictor.
    scores
        Of `gliaflow.predict.score.SCORE_COLUMNS`.

    Raises
    ------
    GliaflowError
        There is none; a prediction without is not given.
    """
    metric = HEADLINE[kind]
    for row in scores:
        if row["metric"] == metric and row.get("scheme") == CROSS_VALIDATION:
            return {
                "metric": metric,
                "cross_validated": row["estimate"],
                "cross_validated_low": row["low"],
                "cross_validated_high": row["high"],
                "chance": row["chance"],
                "p": row["p"],
            }
    raise GliaflowError(f"predictor {name}: states no cross-validated {metric}; make the package again")


def is_weak(figures: Mapping[str, Any]) -> bool:
    """Say whether the interval of a figure holds the chance level, or permuted outcomes do as well.

    >>> is_weak({"cross_validated_low": 0.61, "chance": 0.5, "p": 0.01})
    False
    >>> is_weak({"cross_validated_low": 0.48, "chance": 0.5, "p": None})
    True
    """
    low, p = figures["cross_validated_low"], figures["p"]
    return low is None or low <= figures["chance"] or (p is not None and p > SIGNIFICANT)
