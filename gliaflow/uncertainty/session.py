"""The uncertainty of a session: all its sources' members in, maps and numbers out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.fuse.sources import Source, quantised, same_voters, voters_of
from gliaflow.images import Array, data_of, new_image, spacing_of
from gliaflow.preprocess.resample import resample
from gliaflow.segment.segmenters import quantise
from gliaflow.uncertainty.maps import SOURCES, aggregate, on_grid, to_hundred
from gliaflow.uncertainty.names import LARGEST
from gliaflow.uncertainty.numbers import MemberNumbers, member_numbers


@dataclass(frozen=True)
class SessionUncertainty:
    """What the members of a session tell: the maps of `LARGEST`, and the numbers of each region.

    Attributes
    ----------
    members
        How many there are of the region that most sources determine.
    maps
        By name, uint8, shape (x, y, z, regions), 0 outside the brain.
    numbers
        By region, in the order of the channels.
    """

    members: int
    maps: Mapping[str, Array]
    numbers: Mapping[str, MemberNumbers]


def measure_uncertainty(
    sources: Sequence[Source], regions: Sequence[str], mask: nib.Nifti1Image
) -> SessionUncertainty:
    """Bring together the members of a session's sources.

    Parameters
    ----------
    sources
        With one, its members differ; with several, the mean of each of them counts as one member, as in
        `gliaflow.fuse.sources.combine`.
    regions
        What was fused.
    mask
        The brain, on the members' grid.
    """
    brain, spacing = data_of(mask) > 0, spacing_of(mask)
    maps = {name: np.zeros((*brain.shape, len(regions)), np.uint8) for name in LARGEST}
    numbers: dict[str, MemberNumbers] = {}
    count = 0
    for group in same_voters(sources, regions):
        ensemble = aggregate(_members(sources, group), brain)
        channels = [regions.index(region) for region in group]
        for name, largest in LARGEST.items():
            scaled = np.rint(255 * np.clip(getattr(ensemble, name) / largest, 0, 1)).astype(np.uint8)
            maps[name][..., channels] = on_grid(scaled, brain)
        numbers |= member_numbers(ensemble, group, spacing)
        count = max(count, ensemble.count)
    return SessionUncertainty(count, maps, {region: numbers[region] for region in regions})


def combined_map(maps: Mapping[str, Array], source: str, members: int) -> Array:
    """Return how unsure each region is, 0 (certain) to 100; see `gliaflow.uncertainty.maps.uncertainty_map`.

    Parameters
    ----------
    maps
        As in `SessionUncertainty`.
    source
        A key of `SOURCES`. One member has nothing but the entropy of its probability.
    members
        How many there are.

    Returns
    -------
    Array
        uint8, shape (x, y, z, regions).
    """
    name, share = SOURCES[source if members > 1 else "entropy"]
    scaled = to_hundred(share(np.arange(256) / 255 * LARGEST[name]))
    # 0 stands for what lies outside the brain too
    scaled[0] = 0
    return np.asarray(scaled[maps[name]])


def numbers_record(found: SessionUncertainty) -> dict[str, Any]:
    """Return the numbers as plain values for JSON, which `read_numbers` reads."""
    return {"Members": found.members, "Regions": {r: asdict(n) for r, n in found.numbers.items()}}


def read_numbers(record: Mapping[str, Any]) -> tuple[int, dict[str, MemberNumbers]]:
    """Return the number of members and the numbers of each region."""
    regions = {}
    for region, values in record["Regions"].items():
        parts = None if values["parts"] is None else tuple((seen, ml) for seen, ml in values["parts"])
        regions[region] = MemberNumbers(**{**values, "parts": parts})
    return record["Members"], regions


def entropy_bits(stored: Array) -> Array:
    """Return the entropy in bit of a map as it is stored, float32."""
    return stored.astype(np.float32) / np.float32(255)


def on_other_grid(values: Array, affine: Array, mask: nib.Nifti1Image, matrix: Array) -> Array:
    """Carry a map to another grid linearly; uint8, shape (x, y, z, regions), 0 outside the brain there.

    Parameters
    ----------
    values, affine
        uint8, shape (x, y, z, regions), and where its voxels lie.
    mask
        Brain on the other grid.
    matrix
        (4, 4), from the one space to the other.
    """
    channels = [new_image(values[..., k], affine) for k in range(values.shape[-1])]
    moved = np.stack([data_of(resample(channel, mask, matrix)) for channel in channels], axis=-1)
    return np.rint(moved * (data_of(mask) > 0)[..., np.newaxis]).astype(np.uint8)


def _members(sources: Sequence[Source], regions: Sequence[str]) -> Iterator[Array]:
    if len(sources) == 1:
        return quantised(sources[0], regions)
    return map(quantise, voters_of(sources, regions).maps("mean"))
