"""What the rules do: one split trained, all splits predicted, the package, and a cohort."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from gliaflow.images import write_bytes
from gliaflow.marker.classifier import read_checkpoint, write_checkpoint
from gliaflow.marker.fit import fit_classifier
from gliaflow.marker.names import WHOLE, split_name
from gliaflow.marker.settings import Networks
from gliaflow.marker.table import PATCHES, image_sessions, image_table, only_numbers, summary
from gliaflow.predict.apply import PREDICTION_COLUMNS, predictions
from gliaflow.predict.card import predictor_card
from gliaflow.predict.folds import LEAVE_ONE_SITE_OUT, Split, repeated_splits, site_splits
from gliaflow.predict.nested import out_of_fold_columns, predicted_rows, rows_of
from gliaflow.predict.package import manifest_of, open_predictor, write_predictor
from gliaflow.predict.steps import as_records, rounded
from gliaflow.predict.table import KEYS, Table, read_table
from gliaflow.predict.tasks import Settings, Task
from gliaflow.tables import read_rows, write_table

NO_TIMES = np.array([])
NO_PATHOLOGY = "pathology is missing"


@dataclass(frozen=True)
class Given:
    """What a task looks at: sessions, the file of images of each, and the patients' data."""

    sessions: Sequence[Mapping[str, Any]]
    images: Sequence[Path]
    participants: Path | None

    def read(self) -> pd.DataFrame:
        """Read a row for each session."""
        return image_sessions(self.sessions, self.images, self.participants)

    def table(self, task: Task, settings: Settings, networks: Networks) -> Table:
        """Read the rows of a task whose outcome is known; refuses what no honest figure comes of."""
        return image_table(self.read(), task, settings, networks.sequences)


def splits_of(table: Table, settings: Settings) -> Iterator[tuple[str, Split]]:
    """Give every split of a task by its name, the same as for a table of features."""
    by_subject = repeated_splits(table.strata, table.groups, settings.folds, settings.repeats, settings.seed)
    by_site = site_splits(table.strata, table.groups, table.sites, settings.least_per_class)
    for split in chain(by_subject, by_site):
        site = split.fold if split.scheme == LEAVE_ONE_SITE_OUT else None
        yield split_name(split.repeat, split.fold, site), split


def write_fitted(
    given: Given,
    task: Task,
    settings: Settings,
    networks: Networks,
    *,
    split: str,
    path: Path,
    threads: int,
) -> None:
    """Train the network of a split, or of all rows for `WHOLE`, and write its checkpoint.

    A site whose rows cannot be left out (see `gliaflow.predict.folds.site_splits`) gets an empty file.
    """
    torch.set_num_threads(threads)
    table = given.table(task, settings, networks)
    if split != WHOLE:
        found = dict(splits_of(table, settings)).get(split)
        if found is None:
            logging.info("this site has not both classes, or the others have too few; nothing is trained")
            write_bytes(path, b"")
            return
        settings = replace(settings, seed=(settings.seed + 1000 * found.repeat) % 2**32)
        table = rows_of(table, found.train)
    write_checkpoint(path, fit_classifier(table, task.model, settings, networks))


def write_out_of_fold(
    given: Given,
    task: Task,
    settings: Settings,
    networks: Networks,
    *,
    checkpoints: Mapping[str, Path],
    path: Path,
) -> None:
    """Predict the rows that each split left out by its network, and write the table."""
    table = given.table(task, settings, networks)
    parts = [
        predicted_rows(rows_of(table, split.test), split, read_checkpoint(checkpoints[name]), NO_TIMES)
        for name, split in splits_of(table, settings)
    ]
    rows = pd.concat(parts, ignore_index=True)
    write_table(path, as_records(rows), out_of_fold_columns(task.kind, rows.columns))


def write_package(
    given: Given,
    task: Task,
    settings: Settings,
    networks: Networks,
    *,
    checkpoint: Path,
    scores: Path,
    package: Path,
    card: Path,
) -> None:
    """Write the package of a network that was trained on all rows, which states the scores, and its card."""
    predictor = read_checkpoint(checkpoint)
    table = only_numbers(given.table(task, settings, networks))
    manifest = manifest_of(table, task, settings, predictor, read_rows([scores]))
    seen = {key: getattr(networks, key) for key in ("voxels", "spacing_mm")}
    learned = ("batch_size", "learning_rate", "sequence_dropout")
    classifier: Any = predictor.pipeline
    pathology = classifier.design.patch_features
    manifest["images"] = {"sequences": list(networks.sequences), **seen, "pathology_features": pathology}
    manifest["training"]["networks"] = {key: getattr(networks, key) for key in learned}
    text = predictor_card(manifest)
    write_predictor(package, manifest, predictor, text)
    write_bytes(card, text.encode())


def write_applied(given: Given, task: Task, package: Path, out_of_fold: Path | None, path: Path) -> None:
    """Write the predictions of a package for the sessions of a cohort, those in training out of fold."""
    opened = open_predictor(package)
    sessions = given.read()
    if "images" in opened.manifest:
        wanted = [summary(name) for name in opened.manifest["images"]["sequences"]]
        sessions = sessions[sessions[wanted].notna().any(axis=1)].reset_index(drop=True)
    known = read_table(out_of_fold, []) if out_of_fold else None
    rows = rounded(predictions(sessions, task, opened, known))
    if opened.manifest.get("images", {}).get("pathology_features"):
        without = {tuple(key) for key in sessions.loc[sessions[PATCHES] == 0, KEYS].to_numpy()}
        for row in rows:
            if tuple(row[key] for key in KEYS) in without:
                row["marks"] = "; ".join(filter(None, [row["marks"], NO_PATHOLOGY]))
    write_table(path, rows, PREDICTION_COLUMNS)
