"""The JSON file beside every image: where it came from, by which settings and software."""

import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gliaflow import __version__
from gliaflow.images import write_bytes
from gliaflow.labels import SEQUENCES

ALWAYS = ("numpy", "nibabel")
"""What computes and writes every image, and so belongs into every sidecar."""
OF_SESSION = re.compile(r"(sub-[^/]+)/(ses-[^/]+)/[^/]+/[^/]+$")
OF_OTHERS = ("first", "baseline")
"""Spaces whose grid lies with another session."""


def sidecar_path(image: str | Path) -> Path:
    """Return the JSON path that belongs to an image: ``a.nii.gz`` to ``a.json``."""
    path = Path(image)
    return path.with_name(path.name.split(".")[0] + ".json")


def spatial_reference(image: str | Path, space: str) -> str | None:
    """Return the image that defines the grid of a session's image, as BIDS names a file of the dataset.

    BIDS wants it of every space that is not one of its own templates.

    Returns
    -------
    str or None
        None of the space of another session, and where the image is not a session's.

    >>> spatial_reference("results/c/sub-1/ses-2/seg/sub-1_ses-2_space-ref_dseg.nii.gz", "ref")
    'bids::sub-1/ses-2/anat/sub-1_ses-2_space-ref_desc-brain_mask.nii.gz'
    >>> spatial_reference("results/c/sub-1/ses-2/anat/sub-1_ses-2_space-t1c_desc-brain_mask.nii.gz", "t1c")
    'bids::sub-1/ses-2/anat/sub-1_ses-2_t1c.nii.gz'
    """
    found = OF_SESSION.search(Path(image).as_posix())
    if space in OF_OTHERS or found is None:
        return None
    subject, session = found.groups()
    folder = "growth" if space == "growth" else "anat"
    own = space if space in SEQUENCES else f"space-{space}_desc-brain_mask"
    return f"bids::{subject}/{session}/{folder}/{subject}_{session}_{own}.nii.gz"


def software_versions(*packages: str) -> dict[str, str]:
    """Return the installed version of gliaflow and of each named distribution."""
    return {"gliaflow": __version__} | {name: version(name) for name in packages}


def write_sidecar(
    image: str | Path,
    *,
    sources: Sequence[str],
    space: str,
    parameters: Mapping[str, Any],
    software: Sequence[str] = (),
    **facts: Any,
) -> None:
    """Write the sidecar of an image.

    Parameters
    ----------
    image
        Path of the image that the sidecar describes.
    sources
        Result files it was made from, or the cell of the sample sheet; never a path outside the results,
        whose folders may carry a person's name.
    space
        Name of the space that the image lies in.
    parameters
        Settings of the step.
    software
        Distributions whose versions matter here, besides those of ``ALWAYS``.
    facts
        Whatever else a reader should know (region meaning, checks, model, checksum).
    """
    reference = spatial_reference(image, space)
    content = {
        "Sources": list(sources),
        "Space": space,
        **({"SpatialReference": reference} if reference else {}),
        "Parameters": dict(parameters),
        "Software": software_versions(*dict.fromkeys((*ALWAYS, *software))),
        **facts,
    }
    write_json(sidecar_path(image), content)


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write JSON that is the same for the same content; a value that is not finite is an error."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
