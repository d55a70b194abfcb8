"""The label maps of several raters: where they lie, and how many there are."""

import glob
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gliaflow.config.mistakes import listing
from gliaflow.config.session import Session
from gliaflow.errors import ConfigError
from gliaflow.files import is_nifti
from gliaflow.raters.agreement import LEAST_RATERS, MOST_RATERS


def rater_files(source: str) -> tuple[Path, ...]:
    """Return the label maps of a session's raters, by name.

    Parameters
    ----------
    source
        A folder or a pattern, as `Session` has it; what is no .nii or .nii.gz file is passed over.

    Returns
    -------
    tuple of Path
        Sorted; empty where there is none.
    """
    folder = Path(source)
    # glob, like the check of the sheet, reads patterns that Path.glob refuses
    found = folder.iterdir() if folder.is_dir() else map(Path, glob.iglob(source))  # noqa: PTH207
    return tuple(sorted(path for path in found if is_nifti(path) and path.is_file()))


def number_of_raters(sessions: Iterable[Session]) -> int:
    """Return how many raters every one of some sessions has.

    Parameters
    ----------
    sessions
        One or more, with ``raters``.

    Raises
    ------
    ConfigError
        It is not the same number everywhere; names the sessions in which it is not the most frequent one. Or
        there are fewer than 2 or more than 100.
    """
    counts = {entry.key: len(rater_files(entry.raters or "")) for entry in sessions}
    ((usual, times),) = Counter(counts.values()).most_common(1)
    others = [f"{'/'.join(key)} has {count}" for key, count in counts.items() if count != usual]
    if others:
        raise ConfigError(
            f"column raters: all sessions need the same number of raters; {times} of {len(counts)} have "
            f"{usual}, but {listing(others, 'and')}; correct these rows, or leave the cell raters empty there"
        )
    if not LEAST_RATERS <= usual <= MOST_RATERS:
        raise ConfigError(
            f"column raters: the sessions have {usual} label map(s) (.nii or .nii.gz) each, such as "
            f"{'/'.join(next(iter(counts)))}; give those of {LEAST_RATERS} to {MOST_RATERS} raters"
        )
    return usual
