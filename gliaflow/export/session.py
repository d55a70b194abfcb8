"""What the rules of DICOM-SEG call: a session's label map or plan, carried to a series and written."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pydicom.sr.codedict import codes

from gliaflow import __version__
from gliaflow.export.dicom_seg import (
    Content,
    Owner,
    deidentified,
    label_segments,
    make_dicom_seg,
    on_source,
    plan_segments,
    write_dicom_seg,
)
from gliaflow.export.source import Source, read_source
from gliaflow.images import read_image
from gliaflow.preprocess.transforms import read_transform
from gliaflow.report.growth import BASELINE, MODEL
from gliaflow.sidecar import read_json, write_sidecar

EMPTY = "no voxel is marked: all segments are empty"


@dataclass(frozen=True)
class Place:
    """Where an export goes, and how it gets there.

    Attributes
    ----------
    source
        The series, as its headers have it.
    native, to_ref
        What the series was converted to, and the transform from it to the reference.
    identifiers
        ``linked``: under the UIDs of the series; ``deidentified``: under others.
    owner
        Whose it is.
    name
        What errors call the session.
    """

    source: Source
    native: str
    to_ref: str
    identifiers: str
    owner: Owner
    name: str


def read_series(
    scan: str, selection: str | None, sequence: str, settings: Mapping[str, Any], tmpdir: str
) -> Source:
    """Read the headers of the series that a sequence was converted from.

    Parameters
    ----------
    scan
        Folder or ``.zip``.
    selection
        Where ``scan`` is a study, the file that tells the key of the series of every sequence.
    sequence
        The sequence.
    settings, tmpdir
        See `gliaflow.export.source.read_source`.
    """
    key = json.loads(Path(selection).read_text())[sequence] if selection else None
    with TemporaryDirectory(dir=tmpdir) as work:
        return read_source(Path(scan), key=key, settings=settings, work=Path(work))


def content_of(said: str | None, plan: str | None) -> Content:
    """Say what is exported: a label map, of which its sidecar tells, or a plan.

    Parameters
    ----------
    said
        Path of the label map's sidecar: what was determined, by which model.
    plan
        ``model``, or ``margin`` and its millimetres.
    """
    if said:
        return labels_content(read_json(said))
    margin = f"tumour with a margin of {str(plan).removeprefix('margin')} mm"
    name, colour = ("plan of the growth model", MODEL) if plan == "model" else (margin, BASELINE)
    return Content(
        segments=plan_segments(name, colour),
        description=name,
        algorithm=f"growth {plan}",
        version=__version__,
        facts={"gliaflow": __version__},
        family=codes.DCM.ArtificialIntelligence if plan == "model" else codes.DCM.MorphologicalOperations,
    )


def labels_content(said: Mapping[str, Any]) -> Content:
    """Say of a label map's sidecar what DICOM-SEG wants to know; the model's checksum is its version."""
    checksum = str(said.get("ModelSha256") or "")
    return Content(
        segments=label_segments(said["Regions"]),
        description="tumour segmentation",
        algorithm=str(said["Model"]),
        version=checksum[:12] or __version__,
        facts={"gliaflow": __version__} | ({"sha256": checksum} if checksum else {}),
        edited="Review" in said,
    )


def export_dicom_seg(
    path: str | Path, image: str, place: Place, content: Content, *, sources: Sequence[str], space: str
) -> None:
    """Carry a label map or mask of the reference space to a series, write it as DICOM-SEG, and its sidecar.

    Parameters
    ----------
    path
        ``.dcm``.
    image
        Path of the label map or mask.
    place, content
        Where it goes, and what it is.
    sources, space
        See `gliaflow.sidecar.write_sidecar`.

    Raises
    ------
    ImageError, ConversionError
        The series is another one than was converted, or not one that voxels can stand for.
    """
    matrix = np.linalg.inv(read_transform(place.to_ref))
    native = read_image(place.native)
    slices = on_source(read_image(image), place.source, native, matrix, place.name)
    counts = {segment.name: int((slices == segment.value).sum()) for segment in content.segments}
    notes = [] if any(counts.values()) else [EMPTY]
    for note in notes:
        logging.info("%s: %s", place.name, note)
    written = place.source if place.identifiers == "linked" else deidentified(place.source)
    write_dicom_seg(path, make_dicom_seg(slices, written, content, place.owner))
    write_sidecar(
        path,
        sources=sources,
        space=space,
        parameters={"identifiers": place.identifiers},
        software=["SimpleITK", "highdicom", "pydicom"],
        Voxels=counts,
        Notes=notes,
    )
