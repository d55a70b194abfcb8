"""From the segmentations of a session, by one model or several and by others' label maps, to one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.config.mistakes import listing
from gliaflow.errors import ImageError
from gliaflow.fuse.fusion import fuse
from gliaflow.fuse.mean import mean_probability
from gliaflow.images import Array, new_image
from gliaflow.labels import encode
from gliaflow.segment.members import read_model_facts, read_quantised
from gliaflow.segment.segmenters import dequantise

LABELS = (1, 2, 3)
MEANS = ("mean", "logit_mean", "weighted_mean", "source")
AMONG_SOURCES = ("weighted_mean", "weighted", "score_weighted", "source")
"""Methods that tell sources apart; where there is one, its members are averaged."""
OPTION: Mapping[str, str] = {"weighted": "weights", "score_weighted": "scores"}


@dataclass(frozen=True)
class Source:
    """A model or an external label map.

    Attributes
    ----------
    name
        As in the model table or in ``segment.external``.
    regions
        What it determines, the channels of its members.
    members
        Gives its members one by one as they are stored: uint8, shape (x, y, z, regions).
    facts
        What its segmenter said of it.
    """

    name: str
    regions: tuple[str, ...]
    members: Callable[[], Iterator[Array]]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FuseSettings:
    """How sources become one segmentation: the keys of the config's section ``fuse``."""

    method: str = "mean"
    weights: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Combined:
    """Region probabilities, float32, shape (x, y, z, regions), and what is known of how they came about."""

    probability: Array
    record: Mapping[str, Any]


def open_sources(
    folders: Sequence[str], entries: Sequence[Mapping[str, Any]], grid: nib.Nifti1Image
) -> list[Source]:
    """Open the members that the rules `segment` and `external` wrote.

    Parameters
    ----------
    folders
        One for each source.
    entries
        ``name``, ``regions`` and ``within`` (where in the folder the session's members lie) of each.
    grid
        An image on the grid that the members should have.

    Raises
    ------
    ImageError
        A source could not segment the session; with its reason.
    """
    places = [Path(folder, entry["within"]) for folder, entry in zip(folders, entries, strict=True)]
    return [
        Source(
            entry["name"],
            tuple(entry["regions"]),
            partial(read_quantised, [place], grid),
            read_model_facts(place),
        )
        for place, entry in zip(places, entries, strict=True)
    ]


def sources_record(sources: Sequence[Source]) -> dict[str, Any]:
    """Return what a sidecar says of the sources: of a single one its facts, of several each one's by name."""
    if len(sources) == 1:
        return dict(sources[0].facts)
    return {"Fused": {source.name: dict(source.facts) for source in sources}}


def temperatures(sources: Sequence[Source], regions: Sequence[str]) -> dict[str, float]:
    """Return what each region's probabilities are scaled by: what a single source was fitted with, else 1."""
    fitted = sources[0].facts.get("Temperature", {}) if len(sources) == 1 else {}
    return {region: float(fitted.get(region, 1.0)) for region in regions}


def combine(
    sources: Sequence[Source], regions: Sequence[str], settings: FuseSettings, mask: nib.Nifti1Image
) -> Combined:
    """Fuse the sources of a session, each region by those that determine it.

    Parameters
    ----------
    sources
        One or more. The members of a single one are fused; of several, each one's mean.
    regions
        The regions of the result.
    settings
        The method, and what it needs.
    mask
        The brain, on the grid of all members.

    Returns
    -------
    Combined
        A vote's probability is the share of the votes, STAPLE's the posterior.

    Raises
    ------
    ImageError
        A source has no member, members differ in shape, or no source determines a region.
    """
    groups = [voters_of(sources, chosen) for chosen in same_voters(sources, regions)]
    method = "mean" if len(sources) == 1 and settings.method in AMONG_SOURCES else settings.method
    parts: dict[str, Array] = {}
    records: dict[str, Any] = {}
    for group in groups:
        if method in MEANS:
            fused = weigh(group, method, settings)
        else:
            fused, records["/".join(group.regions)] = vote(group, method, settings, mask)
        parts |= {region: fused[..., k] for k, region in enumerate(group.regions)}
    record = {"Votes": records} if records else {}
    return Combined(np.stack([parts[region] for region in regions], axis=-1), record)


@dataclass(frozen=True)
class Voters:
    """What is fused into some regions: names, and maps one by one, float32, shape (x, y, z, regions)."""

    regions: tuple[str, ...]
    names: tuple[str, ...] | None
    maps: Callable[[str], Iterator[Array]]
    """By method, which decides how a source's members become one map."""


def same_voters(sources: Sequence[Source], regions: Sequence[str]) -> list[tuple[str, ...]]:
    """Group regions that the same sources determine.

    Raises
    ------
    ImageError
        No source determines a region.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for region in regions:
        names = tuple(source.name for source in sources if region in source.regions)
        if not names:
            raise ImageError(f"nothing determines the region {region}; add a model that does")
        groups.setdefault(names, []).append(region)
    return [tuple(group) for group in groups.values()]


def voters_of(sources: Sequence[Source], regions: Sequence[str]) -> Voters:
    """Return what is fused into regions: the members of a single source, or the mean of each of several."""
    able = [source for source in sources if set(regions) <= set(source.regions)]
    if len(sources) == 1:
        return Voters(tuple(regions), None, lambda _: map(dequantise, quantised(sources[0], regions)))

    def means(method: str) -> Iterator[Array]:
        inner = method if method == "logit_mean" else "mean"
        return (mean_probability(map(dequantise, quantised(source, regions)), inner) for source in able)

    return Voters(tuple(regions), tuple(source.name for source in able), means)


def weigh(voters: Voters, method: str, settings: FuseSettings) -> Array:
    """Average probabilities by one of `MEANS`: with weights, or with those of one source for each region.

    Raises
    ------
    ImageError
        All weights of a region are 0, or its source does not determine it.
    """
    if method in ("mean", "logit_mean") or voters.names is None:
        return mean_probability(voters.maps(method), method)
    if method == "source":
        given = np.array([[settings.source[r] == name for r in voters.regions] for name in voters.names])
    else:
        given = np.array([[_of(settings.weights[name], r) for r in voters.regions] for name in voters.names])
    for region, column in zip(voters.regions, given.T, strict=True):
        if not column.any():
            key = "source" if method == "source" else "weights"
            able = listing(voters.names)
            raise ImageError(
                f"fuse.{key}: nothing of {able}, which determine {region}, counts; name one of them"
            )
    shares = given / given.sum(axis=0)
    total = sum(share * values for share, values in zip(shares, voters.maps("mean"), strict=True))
    return np.asarray(total, dtype=np.float32)


def vote(
    voters: Voters, method: str, settings: FuseSettings, mask: nib.Nifti1Image
) -> tuple[Array, dict[str, Any]]:
    """Fuse label maps region by region; a voter may have found nothing, and a single one is the result.

    Returns
    -------
    tuple
        Float32, shape (x, y, z, regions), at or above 0.5 where the fused region is; and the voters'
        estimated performance, those that were left out, ties and rounds.
    """
    maps = {}
    inside: Array = np.zeros(0)
    for number, probability in enumerate(voters.maps("mean"), start=1):
        name = voters.names[number - 1] if voters.names else f"member {number}"
        inside = probability >= 0.5
        masks = {region: inside[..., k] for k, region in enumerate(voters.regions)}
        maps[name] = new_image(encode(masks), mask.affine)
    if len(maps) == 1:
        return inside.astype(np.float32), {"Single": next(iter(maps))}
    options = {}
    if method in OPTION:
        given = getattr(settings, OPTION[method])
        options = {OPTION[method]: {name: given[name] for name in maps}}
    result = fuse(maps, method, LABELS, by="region", allow_empty=True, **options)
    record = {"Performance": result.performance, "Dropped": result.dropped, "Ties": result.ties}
    channels = [result.regions.index(region) for region in voters.regions]
    return np.asarray(result.probability)[..., channels], record


def quantised(source: Source, regions: Sequence[str]) -> Iterator[Array]:
    """Return the members of a source one by one, some of their regions only; uint8, (x, y, z, regions)."""
    chosen = [source.regions.index(region) for region in regions]
    whole = chosen == list(range(len(source.regions)))
    return (member if whole else member[..., chosen] for member in source.members())


def _of(weight: float | Mapping[str, float], region: str) -> float:
    return float(weight.get(region, 0.0) if isinstance(weight, Mapping) else weight)
