"""What chance does: outcomes permuted between subjects of a fold, whose predictions stay.

A network is trained too long to be trained anew for hundreds of permutations. Given the networks, the
outcomes of the subjects that they have not seen are exchangeable where images say nothing, fold by fold.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliaflow.predict.metrics import as_columns, score_rows
from gliaflow.predict.risk_groups import sessions_once
from gliaflow.predict.score import CHANCE_COLUMNS, permute
from gliaflow.predict.steps import rounded
from gliaflow.predict.table import KEYS, Table, read_table
from gliaflow.tables import write_table


def permuted_predictions(out_of_fold: pd.DataFrame, permutations: int, seed: int) -> Iterator[dict[str, Any]]:
    """Give the scores of the first repeat with permuted outcomes.

    Parameters
    ----------
    out_of_fold
        Out-of-fold predictions of a classification, with the columns of
        `gliaflow.predict.nested.out_of_fold_columns`.
    permutations
        How many.
    seed
        Of the permutations.

    Yields
    ------
    dict
        Rows of `gliaflow.predict.score.CHANCE_COLUMNS`.
    """
    folds = [part.reset_index(drop=True) for _, part in sessions_once(out_of_fold).groupby("fold")]
    for number in range(permutations):
        random = np.random.default_rng([seed, number])
        rows = pd.concat([_permuted(fold, random) for fold in folds], ignore_index=True)
        for row in as_columns(score_rows(rows, np.ones((1, len(rows))))):
            yield {"permutation": number, **row}


def write_permuted(out_of_fold: Path, permutations: int, seed: int, path: Path) -> None:
    """Write the scores of permuted outcomes."""
    rows = permuted_predictions(read_table(out_of_fold, []), permutations, seed)
    write_table(path, rounded(list(rows)), CHANCE_COLUMNS)


def _permuted(fold: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    table = Table(
        features=pd.DataFrame(index=fold.index),
        keys=fold[KEYS],
        outcome=fold["outcome"].to_numpy(),
        sites=fold["site"].to_numpy(dtype=str),
        left_out={},
    )
    return fold.assign(outcome=permute(table, random).outcome)
