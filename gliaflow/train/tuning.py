"""Tuning of the post-processing on the out-of-fold predictions of the selected networks."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gliaflow.images import data_of, read_image, spacing_of
from gliaflow.train.counts import CaseCounts, count_case
from gliaflow.train.dataset import Case
from gliaflow.train.fold import read_json
from gliaflow.train.tune import Tuned, tune

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
        the search found.
    """
    if trials == 0:
        return {"postprocess": {}, "tuning": {}}
    chosen = read_json(Path(selection))
    folders = {int(fold): Path(out_of_fold.format(loss=loss, fold=fold)) for fold, loss in chosen.items()}
    counts = [counts_of(case, folders[case.fold], regions) for case in cases]
    tuned = tune(counts, regions, rule=rule, trials=trials, seed=seed, progress=logger.info)
    used = borne_out(tuned)
    return {"postprocess": settings_of(tuned, used), "tuning": {**asdict(tuned), "used": used}}


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
    voxel_ml = float(np.prod(spacing_of(label))) / 1000
    return count_case(case.name, case.fold, probability, data_of(label, np.uint8), regions, voxel_ml=voxel_ml)
