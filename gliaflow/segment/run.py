"""Running a loaded segmenter on sessions, and keeping what it gives."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliaflow.errors import GliaflowError
from gliaflow.images import read_image, write_bytes
from gliaflow.segment.members import keep_members, keep_model_facts
from gliaflow.segment.names import FAILED
from gliaflow.segment.segmenters import Entry, Segmenter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """A session to segment: what to call it, its image for each sequence, and its brain mask."""

    name: str
    images: Mapping[str, str]
    mask: str


def segment_session(
    segmenter: Segmenter,
    task: Task,
    folder: Path,
    *,
    entry: Entry,
    space: str,
    settings: Mapping[str, Any],
) -> None:
    """Segment one session and write its members.

    Parameters
    ----------
    segmenter
        The model, loaded.
    task
        The session.
    folder
        Where the members go; made.
    entry, space, settings
        The model's entry, the atlas and the config's settings, for the sidecars.

    Raises
    ------
    GliaflowError
        An image cannot be read, or the model gives something else than probabilities.
    """
    mask = read_image(task.mask)
    images = {sequence: read_image(path) for sequence, path in task.images.items()}
    count = keep_members(
        folder,
        segmenter.members(images, mask),
        mask,
        regions=entry.regions,
        sources=list(task.images.values()),
        space=space,
        parameters={"model": entry.name, **settings},
    )
    keep_model_facts(folder, {**segmenter.facts, "Members": count})
    logger.info("%s: %d member(s)", task.name, count)


def segment_sessions(segmenter: Segmenter, tasks: Sequence[Task], folder: Path, **common: Any) -> None:
    """Segment several sessions, each into a folder of its name; one that fails leaves its reason there.

    Parameters
    ----------
    segmenter, common
        As for `segment_session`.
    tasks
        The sessions.
    folder
        Where their folders go.
    """
    for task in tasks:
        place = folder / task.name
        try:
            segment_session(segmenter, task, place, **common)
        except (GliaflowError, RuntimeError) as error:
            logger.error("%s: %s", task.name, error)
            place.mkdir(parents=True, exist_ok=True)
            write_bytes(place / FAILED, str(error).encode())
