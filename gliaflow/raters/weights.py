"""How much each of several raters counts: less where the raters' common estimate says otherwise."""

import numpy as np

from gliaflow.fuse.fusion import fuse
from gliaflow.images import Array, new_image
from gliaflow.labels import encode

METHODS = ("none", "staple", "simple")
CRITERION = {"staple": "dice", "simple": "weight"}
"""What of a rater's performance is the weight: Dice with the estimate, which is 0 for whom SIMPLE drops."""


def rater_weights(masks: Array, method: str) -> tuple[float, ...] | None:
    """Return the weight of each rater of a session.

    BrainLes 2021, S9 counts all raters alike, and suggests weights where one of them differs systematically.

    Parameters
    ----------
    masks
        Bool, shape (raters, x, y, z), two raters or more.
    method
        ``none``: all count alike. ``staple``: the Dice coefficient with STAPLE's estimate. ``simple``: that
        with SIMPLE's estimate; the raters whom it leaves out do not count. See `gliaflow.fuse.fusion.fuse`.

    Returns
    -------
    tuple of float or None
        0 to 1, in the order of the masks. None where all count alike: by the method, or because there is no
        common estimate, as of raters who agree nowhere.

    Examples
    --------
    >>> masks = np.zeros((3, 1, 1, 4), dtype=bool)
    >>> masks[0, ..., :2] = masks[1, ..., :2] = masks[2, ..., 1:] = True
    >>> rater_weights(masks, "simple")
    (1.0, 1.0, 0.4)
    """
    if method == "none":
        return None
    maps = {f"{k:03d}": new_image(encode({"WT": mask}), np.eye(4), np.uint8) for k, mask in enumerate(masks)}
    performance = fuse(maps, method, [2], by="region", allow_empty=True).performance
    weights = tuple(performance[name]["WT"][CRITERION[method]] for name in maps)
    return weights if any(weights) else None
