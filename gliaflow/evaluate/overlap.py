"""How far two segmentations overlap."""

from gliaflow.errors import ImageError
from gliaflow.images import Array


def dice(first: Array, second: Array) -> float:
    """Return the Dice coefficient of two masks, 2 |A and B| / (|A| + |B|).

    Parameters
    ----------
    first, second
        Bool, of one shape.

    Returns
    -------
    float
        0 to 1. Two empty masks agree: 1, as BraTS scores a region that is neither there nor found. Where one
        of the two is empty it is 0.

    Raises
    ------
    ImageError
        The shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    if first.shape != second.shape:
        raise ImageError(
            f"masks of shapes {first.shape} and {second.shape} cannot overlap; bring both to one grid"
        )
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0
