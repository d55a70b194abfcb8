"""A trained nnU-Net ensemble as a segmenter."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import nibabel as nib
import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.images import Array
from gliaflow.nnunet.environment import prepare_nnunet
from gliaflow.nnunet.manifest import differences
from gliaflow.nnunet.model import ModelFiles, open_model
from gliaflow.nnunet.regions import RegionMap, region_map, to_levels, to_regions
from gliaflow.segment.segmenters import Entry, Images, Member, present
from gliaflow.sidecar import software_versions

logger = logging.getLogger(__name__)


class NnunetSegmenter:
    """Runs a model package, or a public model, member by member."""

    def __init__(self, entry: Entry, settings: Mapping[str, Any], threads: int = 1) -> None:
        """Open, check and load the model of an entry.

        Parameters
        ----------
        entry
            With a path.
        settings
            See `gliaflow.nnunet.predict.inference_from`.
        threads
            CPU cores that the network may use.

        Raises
        ------
        ConfigError
            The files are not those that the entry states, are damaged, or do not determine its regions.
        """
        if entry.path is None:
            raise ConfigError(f"model {entry.name}: has no file; write its path or url into the model table")
        prepare_nnunet(threads=threads)
        from gliaflow.nnunet.predict import Ensemble, inference_from

        files = open_model(entry.path, sha256=entry.sha256, configuration=entry.configuration)
        check_entry(entry, files)
        self.entry = entry
        self.regions = region_map(files.dataset, entry.regions, entry.labels)
        inference = inference_from(settings, threads, gpu=entry.gpu)
        self.ensemble = Ensemble(files, inference)
        self.facts: Mapping[str, Any] = {
            "Precision": self.ensemble.precision,
            "Folds": {fold: files.sha256(fold) for fold in self.ensemble.folds},
            "Postprocess": dict(files.manifest.postprocess) if files.manifest else {},
            "Temperature": dict(files.manifest.temperature) if files.manifest else {},
            "NetworkSoftware": software_versions("nnunetv2", "torch"),
        }

    def members(self, images: Images, mask: nib.Nifti1Image) -> Iterator[Member]:
        """Segment a session, fold by fold; see `member_maps` for what each gives."""
        from gliaflow.nnunet.predict import voxels_of

        turned = {name: turn(image, self.entry.orientation) for name, image in images.items()}
        voxels, spacing = voxels_of(present(turned, self.entry.sequences))
        for member, logits, record in self.ensemble.logits(voxels, spacing):
            for values, facts in member_maps(logits, self.regions):
                placed = self.ensemble.placed(values, record)
                yield Member(turn_back(placed.T, mask, self.entry.orientation), member.facts() | facts)


def member_maps(logits: Array, regions: RegionMap) -> Iterator[tuple[Array, dict[str, Any]]]:
    """Give the probability maps of one pass of a network, and what their sidecars say besides.

    A network that counts raters gives one map for each number c of them: the probability that at least c
    raters mark a voxel. Each is a segmentation of the region, from the most to the least inclusive rater;
    their mean is the expected agreement, and `gliaflow.raters.members.read_levels` puts them together again.

    Parameters
    ----------
    logits
        Floating point, shape (heads, x, y, z).
    regions
        From `gliaflow.nnunet.regions.region_map`.

    Yields
    ------
    tuple
        float32 in [0, 1], shape (regions, x, y, z); ``AtLeast`` and ``Raters`` where raters are counted.
    """
    if regions.activation != "agreement":
        yield to_regions(logits, regions), {}
        return
    levels = to_levels(logits)
    for level, values in enumerate(levels, start=1):
        yield values[np.newaxis], {"AtLeast": level, "Raters": len(levels)}


def check_entry(entry: Entry, files: ModelFiles) -> None:
    """Check that the model table says of a package what the package says of itself.

    Raises
    ------
    ConfigError
        Sequences, regions or atlas differ, or the number of channels is another.
    """
    channels = files.dataset.get("channel_names", files.dataset.get("modality", {}))
    if len(channels) != len(entry.sequences):
        raise ConfigError(
            f"model {entry.name}: the model table names {len(entry.sequences)} sequences, "
            f"{files.path} takes {len(channels)}"
        )
    for what, ours, theirs in differences(entry, files.manifest) if files.manifest else ():
        raise ConfigError(
            f"model {entry.name}: the model table says {what} {list(ours)}, "
            f"{files.path} says {list(theirs)}; correct the table"
        )


def turn(image: nib.Nifti1Image, orientation: str) -> nib.Nifti1Image:
    """Reorder the voxels of an image, as the model's training data had them."""
    return image.as_reoriented(_turning(image.affine, orientation))


def turn_back(values: Array, grid: nib.Nifti1Image, orientation: str) -> Array:
    """Bring an array of shape (x, y, z, regions) from a model's orientation to that of a grid."""
    back = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt(orientation), nib.orientations.io_orientation(grid.affine)
    )
    return np.ascontiguousarray(nib.orientations.apply_orientation(values, back))


def _turning(affine: Array, orientation: str) -> Array:
    here = nib.orientations.io_orientation(affine)
    return nib.orientations.ornt_transform(here, nib.orientations.axcodes2ornt(orientation))
