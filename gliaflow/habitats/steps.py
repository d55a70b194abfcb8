"""The steps of the rules: files in, files out."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliaflow.config.participants import patients_data
from gliaflow.errors import GliaflowError
from gliaflow.evaluate.session import rounded
from gliaflow.habitats.features import habitat_columns, habitat_features
from gliaflow.habitats.model import load_model, save_model
from gliaflow.habitats.search import (
    STABILITY_COLUMNS,
    TRIAL_COLUMNS,
    SearchSettings,
    Tumour,
    find_habitats,
)
from gliaflow.habitats.vectors import draw_voxels, read_tumour
from gliaflow.images import Array, ml_per_voxel, new_image, spacing_of, write_bytes
from gliaflow.results import keep_image
from gliaflow.sidecar import read_json
from gliaflow.tables import write_table


def write_sample(
    maps: Mapping[str, Path],
    labels: Path,
    path: Path,
    *,
    region: str,
    patch_voxels: int,
    voxels: int,
    seed: int,
) -> None:
    """Write at most so many voxels of a session's tumour, float32, shape (voxels, maps), as .npy."""
    vectors, _, _ = read_tumour(maps, labels, region, patch_voxels)
    stream = io.BytesIO()
    np.save(stream, draw_voxels(vectors, voxels, seed), allow_pickle=False)
    write_bytes(path, stream.getvalue())


def outcomes_of(participants: Path | None) -> dict[tuple[str, str], tuple[bool, float]]:
    """Return event and days from the first scan of each subject whose survival is known."""
    if participants is None:
        return {}
    return {
        (row["cohort"], row["subject"]): (bool(row["event"]), float(row["survival_days"]))
        for row in patients_data(participants)
        if {"event", "survival_days"} <= row.keys()
    }


def write_fit(
    samples: Sequence[Path],
    subjects: Sequence[Mapping[str, Any]],
    participants: Path | None,
    settings: SearchSettings,
    *,
    model: Path,
    trials: Path,
    stability: Path,
    **facts: Any,
) -> None:
    """Fit the model of habitats to the samples of all subjects, and write it with its two tables.

    Parameters
    ----------
    samples
        Of each subject, as `write_sample` writes them.
    subjects
        Of each sample ``cohort``, ``subject`` and ``days``.
    participants
        The table with ``survival_days`` and ``event``, where ``settings.alpha`` is below 1.
    facts
        ``maps``, ``region``, ``patch_voxels`` and ``least_voxels``, see `find_habitats`.
    """
    outcomes = outcomes_of(participants)
    tumours = [
        Tumour(
            f"{who['cohort']}/sub-{who['subject']}",
            np.load(path, allow_pickle=False),
            _after(outcomes.get((who["cohort"], who["subject"])), who["days"] or 0),
        )
        for path, who in zip(samples, subjects, strict=True)
    ]
    found = find_habitats(tumours, settings, **facts)
    save_model(found.model, model)
    write_table(trials, [rounded(row) for row in found.trials], TRIAL_COLUMNS)
    write_table(stability, [rounded(row) for row in found.stability], STABILITY_COLUMNS)


def _after(outcome: tuple[bool, float] | None, days: float) -> tuple[bool, float] | None:
    """Count survival from the session that is looked at; None where it ends before."""
    return (outcome[0], outcome[1] - days) if outcome and outcome[1] > days else None


def write_map(
    maps: Mapping[str, Path],
    labels: Path,
    model: Path,
    names: Mapping[str, Any],
    *,
    image: Path,
    table: Path,
    sources: Sequence[str],
    space: str,
) -> None:
    """Write the habitats of a session as a label map in the atlas, and its row of features.

    A tumour with fewer voxels than the model's ``least_voxels`` has an empty map and row; the sidecar says
    so.

    Parameters
    ----------
    names
        ``cohort``, ``subject`` and ``session``.
    """
    fitted = load_model(model, list(maps))
    vectors, mask, grid = read_tumour(maps, labels, fitted.region, fitted.patch_voxels)
    found = fitted.label(vectors) if len(vectors) >= fitted.least_voxels else None
    whole: Array = np.zeros(mask.shape, dtype=np.uint8)
    if found is not None:
        whole[mask] = found
    facts = {} if found is not None else {"Empty": too_small(len(vectors), fitted.least_voxels)}
    number = len(fitted.centres)
    keep_image(
        image,
        new_image(whole, grid.affine, np.uint8),
        like=grid,
        dtype=np.uint8,
        constant_ok=True,
        sources=sources,
        space=space,
        parameters={
            "maps": list(fitted.maps),
            "region": fitted.region,
            "patch_voxels": fitted.patch_voxels,
            "least_voxels": fitted.least_voxels,
        },
        software=["torch", "scikit-learn"],
        Labels={str(k): f"habitat {k}" for k in range(1, number + 1)},
        **facts,
    )
    voxel_ml = ml_per_voxel(spacing_of(grid))
    row = {**names, **habitat_features(vectors, found, number, fitted.maps, voxel_ml)}
    write_table(table, [rounded(row)], habitat_columns(number, fitted.maps))


def too_small(voxels: int, least: int) -> str:
    """Say why a tumour has no habitats.

    >>> too_small(12, 1000)
    'the tumour has 12 voxels in the atlas; 1000 are needed (habitats.least_voxels)'
    """
    return f"the tumour has {voxels} voxels in the atlas; {least} are needed (habitats.least_voxels)"


def write_joined(features: Path, habitats: Path, path: Path) -> None:
    """Write a cohort's features with its habitats beside them; empty for a session without any.

    Raises
    ------
    GliaflowError
        The table of habitats has a session twice.
    """
    keys = ["cohort", "subject", "session"]
    left, right = (pd.read_csv(p, sep="\t", dtype=str, keep_default_na=False) for p in (features, habitats))
    if right.duplicated(keys).any():
        raise GliaflowError(f"{habitats}: has a session twice; make it again (--force)")
    joined = left.merge(right, on=keys, how="left", validate="one_to_one").fillna("")
    meanings = {**read_json(features.with_suffix(".json")), **read_json(habitats.with_suffix(".json"))}
    rows = [{str(k): v for k, v in row.items()} for row in joined.to_dict("records")]
    write_table(path, rows, {str(name): meanings[name]["Description"] for name in joined})
