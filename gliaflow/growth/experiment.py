"""Whether a model that fits a tumour better also predicts its growth better (BrainLes 2021, S8)."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
from scipy import stats

from gliaflow.config.mistakes import listing
from gliaflow.errors import ConfigError
from gliaflow.evaluate.bootstrap import rank_correlation
from gliaflow.growth.parameters import Parameters

BIDIRECTIONAL, FORWARD = "bidirectional", "forward"
SCHEMES = (BIDIRECTIONAL, FORWARD)
RHO = 0.01
"""Per day; one point in time does not tell it apart from the diffusion (S8)."""
SETTINGS: Mapping[str, Parameters] = {
    "slow": Parameters(0.01, 0.01, RHO),
    "contrast10": Parameters(0.1, 0.01, RHO),
    "contrast5": Parameters(0.1, 0.02, RHO),
    "contrast2": Parameters(0.1, 0.05, RHO),
    "uniform": Parameters(0.1, 0.1, RHO),
    "tensor1": Parameters(0.1, 0.1, RHO, tau=1.0),
    "tensor10": Parameters(0.1, 0.1, RHO, tau=10.0),
}
"""Seven settings, as S8 has.

Its text gives ``contrast10``, ``contrast5``, ``tensor10`` and the 0.01 in white matter of ``slow``; the 0.01
in grey matter there and the other three are chosen here, to fill the range of contrast and of the tensor's
weight. All diffusivities are in mm^2/day.
"""
LEAST_SETTINGS = 3
"""Two points always have a correlation of 1 or -1."""
LEAST_PATIENTS = 2
CONFIDENCE = 0.95

PATIENT_COLUMNS: Mapping[str, str] = {
    "scheme": "bidirectional: grown from the fitted seed; forward: grown on from what surgery left",
    "subject": "Subject of the sample sheet",
    "settings": "Settings that have both a goodness of fit and a predictive performance",
    "spearman": "Spearman's rank correlation over the settings between the average precision on the first "
    "segmentation (fit) and on the last (prediction); empty where it does not exist",
    "reason": "Why there is no correlation",
}
EXPERIMENT_COLUMNS: Mapping[str, str] = {
    "scheme": "bidirectional or forward",
    "patients": "Patients with any setting",
    "undefined": "Of these, patients without a correlation, which are left out",
    "n": "Patients with a correlation",
    "mean_spearman": "Mean of their correlations",
    "mean_low": "Lower end of its interval by the t distribution, 95 %",
    "mean_high": "Upper end of it",
    "t": "Statistic of the one-sample t-test of the mean against zero; empty with fewer than two patients, "
    "or if all have the same correlation",
    "p": "Its two-sided p-value",
}

Row = Mapping[str, Any]


def settings_for(*, tensor: bool) -> dict[str, Parameters]:
    """Return `SETTINGS`; without a diffusion tensor those that need none.

    >>> len(settings_for(tensor=True)), len(settings_for(tensor=False))
    (7, 5)
    """
    return {name: values for name, values in SETTINGS.items() if tensor or not values.tau}


def patient_correlations(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return each patient's correlation between goodness of fit and predictive performance.

    Parameters
    ----------
    rows
        One for each patient, scheme and setting, with ``subject``, ``scheme``, ``setting``, ``fit`` and
        ``prediction``: average precision on the first and the last segmentation, None or NaN where there is
        none.

    Returns
    -------
    list of dict
        With the columns `PATIENT_COLUMNS`, patients in their order for each scheme.

    Raises
    ------
    ConfigError
        A row lacks a column, its scheme is not known, or a patient has a setting twice.
    """
    return [
        {"scheme": scheme, "subject": subject, **_correlation(points)}
        for scheme, patients in points_by_patient(rows).items()
        for subject, points in patients.items()
    ]


def experiment_table(patients: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the mean correlation of each scheme and its one-sample t-test against zero.

    Parameters
    ----------
    patients
        As `patient_correlations` makes them.

    Returns
    -------
    list of dict
        With the columns `EXPERIMENT_COLUMNS`; a scheme without patients has no row.

    Examples
    --------
    >>> rows = [{"scheme": "forward", "spearman": value} for value in (0.1, 0.3, float("nan"))]
    >>> [(row["n"], row["undefined"], round(row["p"], 3)) for row in experiment_table(rows)]
    [(2, 1, 0.295)]
    """
    table = []
    for scheme in SCHEMES:
        found = [row["spearman"] for row in patients if row["scheme"] == scheme]
        known = [float(value) for value in found if not _empty(value)]
        counts = {"patients": len(found), "undefined": len(found) - len(known), "n": len(known)}
        if found:
            table.append({"scheme": scheme, **counts, **_t_test(known)})
    return table


def points_by_patient(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, tuple[float, float]]]]:
    """Return fit and prediction by scheme, patient and setting, NaN where one of the two is empty.

    Raises
    ------
    ConfigError
        As `patient_correlations`.
    """
    schemes: dict[str, dict[str, dict[str, tuple[float, float]]]] = {scheme: {} for scheme in SCHEMES}
    for number, row in enumerate(rows, start=1):
        _check(row, number)
        points = schemes[row["scheme"]].setdefault(row["subject"], {})
        if row["setting"] in points:
            named = f"{row['subject']}, {row['scheme']}, {row['setting']}"
            raise ConfigError(
                f"growth experiment, row {number}: {named}: is there twice; keep one of the two"
            )
        fit, prediction = (
            float("nan") if _empty(row[name]) else float(row[name]) for name in ("fit", "prediction")
        )
        points[row["setting"]] = fit, prediction
    return {scheme: patients for scheme, patients in schemes.items() if patients}


def _correlation(points: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    pairs = np.array([pair for pair in points.values() if not np.isnan(pair).any()]).reshape(-1, 2)
    if len(pairs) < LEAST_SETTINGS:
        return {
            "settings": len(pairs),
            "spearman": float("nan"),
            "reason": f"fewer than {LEAST_SETTINGS} settings",
        }
    spearman = float(rank_correlation(pairs[:, 0], pairs[:, 1]))
    reason = "fit or prediction is the same for all settings" if isnan(spearman) else None
    return {"settings": len(pairs), "spearman": spearman, "reason": reason}


def _t_test(values: Sequence[float]) -> dict[str, float]:
    mean = float(np.mean(values)) if values else float("nan")
    if len(values) < LEAST_PATIENTS or np.ptp(values) == 0:
        return {"mean_spearman": mean, **dict.fromkeys(("mean_low", "mean_high", "t", "p"), float("nan"))}
    test = stats.ttest_1samp(values, 0.0)
    low, high = test.confidence_interval(CONFIDENCE)
    return {
        "mean_spearman": mean,
        "mean_low": float(low),
        "mean_high": float(high),
        "t": float(test.statistic),
        "p": float(test.pvalue),
    }


def _empty(value: float | None) -> bool:
    return value is None or isnan(value)


def _check(row: Row, number: int) -> None:
    missing = [name for name in ("subject", "scheme", "setting", "fit", "prediction") if name not in row]
    if missing:
        raise ConfigError(
            f"growth experiment, row {number}: lacks {listing(missing, 'and')}; add what is missing"
        )
    if row["scheme"] not in SCHEMES:
        raise ConfigError(
            f"growth experiment, row {number}: scheme: {row['scheme']!r}: write {listing(SCHEMES)}"
        )
