"""Who is left out when: folds by subject, repeated, and one site at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from gliaflow.errors import GliaflowError
from gliaflow.images import Array

LEAST_LEFT_OUT = 5
"""Fewer rows of a class, or with and without an event, say nothing of a site."""
CROSS_VALIDATION, LEAVE_ONE_SITE_OUT = "cross_validation", "leave_one_site_out"


@dataclass(frozen=True)
class Split:
    """Rows to fit to and rows to predict; the fold is a number, or the name of a site."""

    scheme: str
    repeat: int
    fold: str
    train: Array
    test: Array


def grouped_folds(strata: Array, groups: Array, folds: int, seed: int) -> list[tuple[Array, Array]]:
    """Return the rows to fit to and the rows left out, fold by fold, with all rows of a subject on one side.

    Parameters
    ----------
    strata
        Shape (n,): class or event, of which each fold holds about the same share.
    groups
        Shape (n,): subject of each row.
    folds
        How many.
    seed
        Of the shuffle.
    """
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(dealer.split(np.zeros((len(strata), 1)), strata, groups))


def repeated_splits(strata: Array, groups: Array, folds: int, repeats: int, seed: int) -> Iterator[Split]:
    """Give the splits of a repeated cross-validation; each repeat deals the subjects anew."""
    for repeat in range(repeats):
        found = grouped_folds(strata, groups, folds, (seed + repeat) % 2**32)
        check_apart(groups, found)
        for fold, (train, test) in enumerate(found):
            yield Split(CROSS_VALIDATION, repeat, str(fold), train, test)


def site_splits(strata: Array, groups: Array, sites: Array, least: int) -> Iterator[Split]:
    """Give a split for each site whose rows are left out.

    A site takes part if it has `LEAST_LEFT_OUT` rows of each stratum, and the others together ``least``.
    """
    for site in sorted(set(sites)) if len(set(sites)) > 1 else ():
        out = sites == site
        train, test = np.flatnonzero(~out), np.flatnonzero(out)
        check_apart(groups, [(train, test)])
        number = max(2, strata.max() + 1)
        fitted, left_out = (np.bincount(strata[rows].astype(int), minlength=number) for rows in (train, test))
        if min(fitted) >= least and min(left_out) >= LEAST_LEFT_OUT:
            yield Split(LEAVE_ONE_SITE_OUT, 0, site, train, test)


def check_apart(groups: Array, folds: list[tuple[Array, Array]]) -> None:
    """Check that no subject is on both sides of a split.

    Raises
    ------
    GliaflowError
        One is; it is named. A figure from such a split would be worth nothing.
    """
    for fold, (train, test) in enumerate(folds):
        shared = sorted(set(groups[train]) & set(groups[test]))
        if shared:
            raise GliaflowError(
                f"fold {fold}: {len(shared)} subjects are both fitted to and predicted, such as {shared[0]}; "
                "all sessions of a subject belong in one fold"
            )
