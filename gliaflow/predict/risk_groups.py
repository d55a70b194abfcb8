"""Risk groups that were formed out of fold: their survival, and whether they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sksurv.compare import compare_survival
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from gliaflow.images import Array
from gliaflow.predict.folds import CROSS_VALIDATION
from gliaflow.predict.metrics import p_value, permuted

NAMES = ("low risk", "high risk")
LOG_RANK = "logrank_chi2"
GROUP_COLUMNS = {
    "group": "low risk or high risk: below or above the median risk of those fitted to",
    "subjects": "Subjects in the group, each with its first session",
    "events": "How many of them have the event",
    "median_days": "Time by which half have the event (Kaplan-Meier); empty where fewer do",
    "logrank_chi2": "Log-rank statistic of the two groups, one degree of freedom",
    "logrank_p": "Share of permuted outcomes with which it is as large, (k + 1) / (n + 1). The chi-squared "
    "distribution would flatter: groups that are formed out of fold depend on each other",
}


@dataclass(frozen=True)
class SurvivalCurve:
    """A Kaplan-Meier curve with its 95 % band (log-log), and the rows it is made of."""

    time: Array
    alive: Array
    low: Array
    high: Array
    followed: Array

    def at_risk(self, times: Sequence[float]) -> list[int]:
        """Return how many are still followed at each of some times."""
        return [int((self.followed >= time).sum()) for time in times]


def first_repeat(out_of_fold: pd.DataFrame) -> pd.DataFrame:
    """Return the first repeat of the cross-validation, of each subject the first session that is in it.

    Sessions of one subject are no independent patients: they would make intervals and p-values too small.
    """
    return sessions_once(out_of_fold).drop_duplicates(["cohort", "subject"]).reset_index(drop=True)


def sessions_once(out_of_fold: pd.DataFrame) -> pd.DataFrame:
    """Return the first repeat of the cross-validation, in which each session is once."""
    return out_of_fold[(out_of_fold["scheme"] == CROSS_VALIDATION) & (out_of_fold["repeat"] == 0)]


def survival_curve(rows: pd.DataFrame) -> SurvivalCurve:
    """Return the curve of rows with ``time_days`` and ``event``."""
    event, time = rows["event"].to_numpy() > 0, rows["time_days"].to_numpy(dtype=float)
    x, alive, band = kaplan_meier_estimator(event, time, conf_type="log-log")
    return SurvivalCurve(x, alive, band[0], band[1], time)


def risk_curves(rows: pd.DataFrame) -> dict[str, SurvivalCurve]:
    """Return the curve of each risk group that anybody is in."""
    parts = {name: rows[rows["high_risk"] == number] for number, name in enumerate(NAMES)}
    return {name: survival_curve(part) for name, part in parts.items() if len(part)}


def log_rank(rows: pd.DataFrame) -> float:
    """Return the statistic of the log-rank test between the groups; NaN where there is one group."""
    groups = rows["high_risk"].to_numpy()
    if len(set(groups)) < 2:
        return float("nan")
    outcome = Surv.from_arrays(rows["event"].to_numpy() > 0, rows["time_days"].to_numpy())
    return float(compare_survival(outcome, groups)[0])


def group_table(rows: pd.DataFrame, chance: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row for each risk group, with the columns of `GROUP_COLUMNS`."""
    statistic = log_rank(rows)
    p = p_value(LOG_RANK, statistic, permuted(chance, LOG_RANK))
    return [
        {
            "group": name,
            "subjects": len(curve.followed),
            "events": int(rows.loc[rows["high_risk"] == NAMES.index(name), "event"].sum()),
            "median_days": median_survival(curve),
            "logrank_chi2": statistic,
            "logrank_p": p,
        }
        for name, curve in risk_curves(rows).items()
    ]


def median_survival(curve: SurvivalCurve) -> float:
    """Return the time by which half have the event, NaN where fewer do."""
    below = np.flatnonzero(curve.alive <= 0.5)
    return float(curve.time[below[0]]) if len(below) else float("nan")
