"""Tuning of the post-processing on the out-of-fold predictions of the selected networks."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gliaflow.images import Array, data_of, ml_per_voxel, read_image, spacing_of
from gliaflow.sidecar import read_json
from gliaflow.train.counts import CaseCounts, count_case
from gliaflow.train.dataset import Case
from gliaflow.train.tune import Tuned, tune
from gliaflow.uncertainty.counts import WHOLE, counts_around_tumour
from gliaflow.uncertainty.temperature import can_recalibrate, recalibrate, recalibration_rows

HALF = 128
"""The first value of a quantised map that stands for 0.5 and more."""
logger = logging.getLogger(__name__)


def tuning_record(
    cases: Sequence[Case],
    selection: str | Path,
    out_of_fold: str,
    *,
    regions: Sequence[str],
    rule: str,
    trials: int,
    seed: int,
) -> dict[str, Any]:
    """Tune thresholds and the enhancing-tumour rule.

    Parameters
    ----------
    cases
        The sessions of the folds that networks were trained for.
    selection
        JSON: the loss that was taken for each fold.
    out_of_fold
        Pattern of the folders of predictions, with ``{loss}`` and ``{fold}``.
    regions, rule, trials, seed
        See `gliaflow.train.tune.tune`; without trials nothing is tuned.

    Returns
    -------
    dict
        ``postprocess``: settings for `gliaflow.fuse.postprocess.post_settings`; ``tuning``: everything that
        the search found; ``temperature`` and ``calibration`` by `calibrate`.
    """
    chosen = read_json(Path(selection))
    folders = {int(fold): Path(out_of_fold.format(loss=loss, fold=fold)) for fold, loss in chosen.items()}
    calibrated = calibrate(cases, folders, regions)
    if trials == 0:
        return {"postprocess": {}, "tuning": {}, **calibrated}
    counts = [counts_of(case, folders[case.fold], regions) for case in cases]
    tuned = tune(counts, regions, rule=rule, trials=trials, seed=seed, progress=logger.info)
    used = borne_out(tuned)
    return {"postprocess": settings_of(tuned, used), "tuning": {**asdict(tuned), "used": used}, **calibrated}


def calibrate(
    cases: Sequence[Case], folders: Mapping[int, Path], regions: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Fit a temperature for each region, on what was predicted in and around the tumours of the cases.

    Parameters
    ----------
    cases
        The sessions of the folds that networks were trained for; brains and agreements of raters, which have
        no such regions, are left alone.
    folders
        Of the predictions of each fold.
    regions
        The channels of the predictions, ``WT`` among them.

    Returns
    -------
    dict
        ``temperature``: a number by region; ``calibration``: by region the figures before and after. A region
        that is missing in too many cases has neither.
    """
    folds: dict[str, dict[Any, Array]] = {}
    for case in cases if WHOLE in regions else ():
        if case.mask is None or case.raters:
            continue
        for region, counts in level_counts_of(case, folders[case.fold], regions).items():
            by_fold = folds.setdefault(region, {})
            by_fold[case.fold] = by_fold.get(case.fold, 0) + counts
    fitted = {region: recalibrate(by_fold) for region, by_fold in folds.items() if can_recalibrate(by_fold)}
    rows = recalibration_rows(fitted)
    return {
        "temperature": {str(row["region"]): row["temperature"] for row in rows},
        "calibration": {str(row.pop("region")): row for row in rows},
    }


def level_counts_of(case: Case, folder: Path, regions: Sequence[str]) -> dict[str, Array]:
    """Count the voxels in and around a session's tumour by probability and truth, region by region."""
    label = read_image(case.label)
    truth = data_of(label, np.uint8)
    levels = data_of(read_image(folder / f"{case.name}_probseg.nii.gz"), np.uint8)
    brain = np.ones(truth.shape, dtype=bool) if case.mask is None else data_of(read_image(case.mask)) > 0
    found = levels[..., list(regions).index(WHOLE)] >= HALF
    return counts_around_tumour(levels, regions, truth, found=found, brain=brain, spacing=spacing_of(label))


def borne_out(tuned: Tuned) -> dict[str, bool]:
    """Tell for each region whether values tuned on other folds beat the default (with one fold, its own)."""
    judged = tuned.honest or tuned.after
    return {region: judged[region] > tuned.before[region] for region in tuned.before}


def settings_of(tuned: Tuned, used: Mapping[str, bool]) -> dict[str, Any]:
    """Return the post-processing of the regions whose tuning is used; 0.5 and no rule for the others."""
    threshold = {region: value if used[region] else 0.5 for region, value in tuned.threshold.items()}
    limited = used.get("ET", False) and float(tuned.enhancing["limit_ml"]) > 0
    return {"threshold": threshold, "enhancing": tuned.enhancing if limited else {"rule": "none"}}


def counts_of(case: Case, folder: Path, regions: Sequence[str]) -> CaseCounts:
    """Reduce a session's prediction and reference to counts."""
    label = read_image(case.label)
    probability = data_of(read_image(folder / f"{case.name}_probseg.nii.gz"), np.uint8)
    voxel_ml = ml_per_voxel(spacing_of(label))
    return count_case(case.name, case.fold, probability, data_of(label, np.uint8), regions, voxel_ml=voxel_ml)
