"""How sure an ensemble is, voxel by voxel: sums over its members, streamed, and the maps that follow."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from gliaflow.config.mistakes import listing, show
from gliaflow.errors import ConfigError, ImageError
from gliaflow.images import Array
from gliaflow.segment.segmenters import dequantise

FINEST = 2.0**-40
"""Entropies are multiples of it, so that sums over quantised members are exact and their order is nothing."""
THRESHOLD = 0.5


def binary_entropy(probability: Array) -> Array:
    """Return the entropy of yes-or-no probabilities in bits, float64: 0 where certain, 1 at 0.5.

    >>> binary_entropy(np.array([0.0, 0.25, 0.5])).round(4).tolist()
    [0.0, 0.8113, 1.0]
    """
    values = np.asarray(probability, dtype=np.float64)
    bits = (entr(values) + entr(1 - values)) / np.log(2)
    return np.asarray(np.rint(bits / FINEST) * FINEST)


LEVELS = dequantise(np.arange(256)).astype(np.float64)
"""The probability that each value of a quantised map stands for."""
TERMS = (LEVELS, LEVELS**2, binary_entropy(LEVELS))
LEAST_ENTROPY = float(TERMS[2].min())
"""Of a quantised map, 0.02 bit: its lowest value stands for a probability of 1/512, not of 0."""


@dataclass(frozen=True)
class Ensemble:
    """What the members of an ensemble say of each voxel of the brain.

    Attributes
    ----------
    brain
        Bool, shape (x, y, z).
    count
        Number of members.
    mean, variance, share_inside
        Of the members' probabilities: mean and population variance; the share of members whose probability
        is 0.5 or more. All float32, shape (regions, voxels of the brain); `on_grid` makes images of them.
    entropy, expected_entropy, mutual_information
        In bits, of the same shape: the entropy of the mean (predictive entropy), the mean of the members'
        entropies, and what the first exceeds the second by: how much members differ rather than doubt.
    masks
        The members at 0.5 or more, packed by ``numpy.packbits``: uint8, shape (regions, members, bytes).
    """

    brain: Array
    count: int
    mean: Array
    variance: Array
    share_inside: Array
    entropy: Array
    expected_entropy: Array
    mutual_information: Array
    masks: Array

    @property
    def agreement(self) -> Array:
        """The share of members on the side of the majority, 0.5 to 1."""
        return np.maximum(self.share_inside, 1 - self.share_inside)

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.mean)


def aggregate(members: Iterable[Array], brain: Array) -> Ensemble:
    """Bring together probability maps that come one by one (S40: dropout, mirroring and folds alike).

    Memory does not grow with their number but for one bit for each voxel of the brain, region and member.

    Parameters
    ----------
    members
        Shape (x, y, z, regions): uint8 as `gliaflow.segment.segmenters.quantise` makes it, which is looked
        up in tables, or floating point in [0, 1].
    brain
        Bool, shape (x, y, z); what members say outside it is left out.

    Returns
    -------
    Ensemble
        The same for any order of quantised members, to the last bit.

    Raises
    ------
    ImageError
        There is no member, one has another shape or holds no probabilities, or the brain mask is empty.

    Examples
    --------
    >>> sure, unsure = (np.full((1, 1, 1, 1), p) for p in (1.0, 0.5))
    >>> both = aggregate([sure, unsure], np.ones((1, 1, 1), dtype=bool))
    >>> both.mean.item(), both.variance.item(), both.expected_entropy.item()
    (0.75, 0.0625, 0.5)
    """
    brain = np.asarray(brain, dtype=bool)
    index = np.flatnonzero(brain.ravel(order="F"))
    if not index.size:
        raise ImageError("the brain mask is empty; look at the pictures of the brain masks")
    sums, masks = np.zeros((0, 4, index.size)), []
    for number, member in enumerate(members, start=1):
        _check(member, brain.shape, len(sums), number)
        if number == 1:
            sums = np.zeros((member.shape[3], 4, index.size))
        masks.append([_add(member[..., k], index, region) for k, region in enumerate(sums)])
    if not masks:
        raise ImageError("there is no ensemble member to tell uncertainty from; run the rule segment again")
    sums /= len(masks)
    return _ensemble(brain, sums, np.array(masks).swapaxes(0, 1))


def uncertainty_map(ensemble: Ensemble, source: str = "entropy") -> Array:
    """Return how unsure each region is at each voxel, as QU-BraTS wants it: 0 certain, 100 least certain.

    Parameters
    ----------
    ensemble
        The members.
    source
        A name of `SOURCES`: ``entropy`` of the mean probability, the only one that one member has (1 bit is
        100, the 0.02 bit of a quantised map's first and last value is 0); ``variance`` of the members (0.25,
        the largest that there is, is 100); ``mutual_information`` (1 bit is 100); ``disagreement``, the share
        of members against the majority (half of them is 100).

    Returns
    -------
    Array
        uint8, shape (x, y, z, regions); 0 outside the brain.

    Raises
    ------
    ConfigError
        There is no such source, or it needs more members than there are.
    """
    if source not in SOURCES:
        raise ConfigError(f"source: {show(source)}: is not possible; write {listing(SOURCES)}")
    if ensemble.count == 1 and source != "entropy":
        raise ConfigError(
            f"source: {show(source)}: needs two members or more, but there is one; write entropy"
        )
    quantity, share = SOURCES[source]
    return on_grid(to_hundred(share(getattr(ensemble, quantity))), ensemble.brain)


def to_hundred(shares: Array) -> Array:
    """Return shares of the largest uncertainty that there is as whole numbers from 0 to 100, uint8."""
    return np.rint(100 * np.clip(shares, 0, 1)).astype(np.uint8)


def on_grid(values: Array, brain: Array) -> Array:
    """Put values of the brain's voxels, such as those of an `Ensemble`, on the grid; 0 outside the brain.

    Parameters
    ----------
    values
        Shape (regions, voxels of the brain) or (voxels of the brain,); x varies fastest.
    brain
        Bool, shape (x, y, z).

    Returns
    -------
    Array
        Of the same type, shape (x, y, z, regions) or (x, y, z).
    """
    image = np.zeros((*brain.shape, *values.shape[:-1]), dtype=values.dtype, order="F")
    image.T[..., brain.T] = values
    return image


def in_brain(image: Array, brain: Array) -> Array:
    """Return the values of an image (x, y, z) at the brain's voxels, in the order of an `Ensemble`.

    >>> brain = np.array([[[True], [False]], [[True], [True]]])
    >>> in_brain(on_grid(np.array([1, 2, 3]), brain), brain).tolist()
    [1, 2, 3]
    """
    return np.asarray(image.T[brain.T])


def _check(member: Array, shape: tuple[int, ...], regions: int, number: int) -> None:
    if member.ndim != 4 or member.shape[:3] != shape or (number > 1 and member.shape[3] != regions):
        wanted = (*shape, regions) if number > 1 else (*shape, "regions")
        raise ImageError(
            f"member {number} has shape {member.shape}, not {wanted}; run the rule segment again"
        )
    if member.dtype == np.uint8:
        return
    # a NaN fails both comparisons
    if not (np.issubdtype(member.dtype, np.floating) and member.min() >= 0 and member.max() <= 1):
        raise ImageError(f"member {number} holds values that are no probabilities in [0, 1]")


def _add(member: Array, index: Array, sums: Array) -> Array:
    """Add a member's region to its sums; return where it is inside, packed."""
    terms = _terms(member.ravel(order="F")[index])
    for total, term in zip(sums, terms, strict=True):
        np.add(total, term, out=total)
    return np.packbits(terms[-1])


def _terms(values: Array) -> tuple[Array, ...]:
    """Return probability, its square and its entropy, and whether it is inside."""
    if values.dtype == np.uint8:
        return (*(table[values] for table in TERMS), values >= 256 * THRESHOLD)
    exact = values.astype(np.float64)
    return exact, exact**2, binary_entropy(exact), exact >= THRESHOLD


def _ensemble(brain: Array, means: Array, masks: Array) -> Ensemble:
    mean, square, expected, share = means.swapaxes(0, 1)
    entropy = binary_entropy(mean)
    values = {
        "mean": mean,
        "variance": np.maximum(square - mean**2, 0),
        "share_inside": share,
        "entropy": entropy,
        "expected_entropy": expected,
        "mutual_information": np.maximum(entropy - expected, 0),
    }
    return Ensemble(
        brain, masks.shape[1], masks=masks, **{name: v.astype(np.float32) for name, v in values.items()}
    )


SOURCES: Mapping[str, tuple[str, Callable[[Array], Array]]] = {
    "entropy": ("entropy", lambda bits: (bits - LEAST_ENTROPY) / (1 - LEAST_ENTROPY)),
    "variance": ("variance", lambda variance: 4 * variance),
    "mutual_information": ("mutual_information", lambda bits: bits),
    "disagreement": ("agreement", lambda share: 2 * (1 - share)),
}
"""The quantity of an `Ensemble` that each source is made from, and its share of the largest uncertainty."""
