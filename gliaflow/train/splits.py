"""Cross-validation folds: by subject, balanced by site, the same for the same seed."""

from collections.abc import Hashable, Mapping

import numpy as np

from gliaflow.errors import ConfigError


def make_folds(sites: Mapping[Hashable, str], folds: int, seed: int) -> dict[Hashable, int]:
    """Deal the subjects to folds.

    The subjects of each site are shuffled and dealt like cards, each site going on where the one before it
    stopped: at every site and over all sites, the sizes of the folds differ by one at most. All sessions of
    a subject belong to its fold, so no subject is on both sides of a split.

    Parameters
    ----------
    sites
        The site of each subject; the order does not matter. A subject is any key with a ``repr`` of its own,
        such as ``(cohort, subject)``.
    folds
        How many, 2 at least.
    seed
        Of the shuffle.

    Returns
    -------
    dict[Hashable, int]
        The fold of each subject, counted from 0, in the order of ``sites``.

    Raises
    ------
    ConfigError
        There are fewer than two folds, or fewer subjects than folds.

    Examples
    --------
    >>> folds = make_folds({"P1": "A", "P2": "A", "P3": "B", "P4": "B"}, folds=2, seed=0)
    >>> folds["P1"] + folds["P2"], folds["P3"] + folds["P4"]
    (1, 1)
    """
    if folds < 2:
        raise ConfigError(f"config, train.folds: {folds}: is too few for cross-validation; write 2 or more")
    if len(sites) < folds:
        raise ConfigError(
            f"config, train.folds: {folds}: is more than the {len(sites)} labelled subjects; "
            "write fewer folds or add labelled subjects to the sample sheet"
        )
    generator = np.random.default_rng(seed)
    dealt: list[Hashable] = []
    for site in sorted(set(sites.values())):
        subjects = sorted((subject for subject in sites if sites[subject] == site), key=repr)
        dealt += [subjects[k] for k in generator.permutation(len(subjects))]
    place = {subject: position for position, subject in enumerate(dealt)}
    return {subject: place[subject] % folds for subject in sites}
