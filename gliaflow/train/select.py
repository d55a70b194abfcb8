"""The cross-validation table, and for each fold the better of the losses (BrainLes 2021, S36)."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

CV_COLUMNS = {
    "fold": "Fold that the sessions were left out of",
    "loss": "Loss that the network was trained with",
    "region": "Region: WT, TC or ET, or brain",
    "sessions": "Number of sessions; for brain extraction each sequence counts",
    "dice_mean": "Mean Dice over the sessions, at a threshold of 0.5; for several raters QUBIQ's",
    "dice_median": "Median Dice",
    "dice_min": "Smallest Dice",
    "selected": "Whether this loss was taken for this fold: yes or no",
}
MISSING_COLUMNS = {
    "missing": "Sequence that was taken away; empty for none",
    "region": "Region: WT, TC or ET, or brain",
    "sessions": "Number of sessions that have this sequence",
    "dice_mean": "Mean Dice over these sessions without the sequence, by the selected networks",
    "dice_lost": "How much lower that is than the mean of the same sessions with all their sequences",
}


def read_scores(paths: Sequence[str]) -> pd.DataFrame:
    """Read the scores of every fold and loss, in the order of the paths."""
    tables = [pd.read_csv(path, sep="\t", keep_default_na=False) for path in paths]
    return pd.concat(tables, ignore_index=True)


def select_losses(scores: pd.DataFrame) -> dict[int, str]:
    """Return for each fold the loss with the highest mean Dice over regions and sessions; the first on a tie.

    Parameters
    ----------
    scores
        Rows of `gliaflow.train.validate.SCORE_COLUMNS`, losses in the order of preference.
    """
    whole = scores[scores["missing"] == ""]
    means = whole.groupby(["fold", "loss"], sort=False)["dice"].mean()
    return {int(fold): str(means[fold].idxmax()) for fold in sorted(whole["fold"].unique())}


def cv_table(scores: pd.DataFrame, selected: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the rows of ``CV_COLUMNS``."""
    whole = scores[scores["missing"] == ""]
    rows = []
    for key, group in whole.groupby(["fold", "loss", "region"], sort=False):
        fold, loss, region = cast(tuple[int, str, str], key)
        rows.append(
            {
                "fold": fold,
                "loss": loss,
                "region": region,
                "sessions": len(group),
                "dice_mean": round(group["dice"].mean(), 4),
                "dice_median": round(group["dice"].median(), 4),
                "dice_min": round(group["dice"].min(), 4),
                "selected": "yes" if selected[fold] == loss else "no",
            }
        )
    return rows


def missing_table(scores: pd.DataFrame, selected: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the rows of ``MISSING_COLUMNS``: what each missing sequence costs."""
    chosen = scores[scores["loss"] == scores["fold"].map(dict(selected))]
    whole = chosen[chosen["missing"] == ""].set_index(["case", "region"])["dice"]
    rows = []
    for (missing, region), group in chosen.groupby(["missing", "region"], sort=False):
        before = whole.loc[list(zip(group["case"], group["region"], strict=True))].mean()
        after = group["dice"].mean()
        rows.append(
            {
                "missing": missing,
                "region": region,
                "sessions": len(group),
                "dice_mean": round(after, 4),
                "dice_lost": round(before - after, 4),
            }
        )
    return rows
