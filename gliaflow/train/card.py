"""The model card: what a model is, what it was trained on, and how well it does."""

from collections.abc import Mapping, Sequence
from typing import Any

from gliaflow.nnunet.package import Manifest

CARD = """\
# {name}

{description}

| | |
| --- | --- |
| inputs, in this order | {sequences} |
| may be missing | {optional} |
| outputs | {regions}, each a probability of its own |
| grid | atlas {atlas}, {spacing} mm |
| input | the brain alone, intensities as scanned (N4: {n4}); the network's preprocessing normalises them |
| licence | {licence} |

## Training

{training}

## Cross-validation

Dice of sessions whose subjects the network had not seen, at a threshold of 0.5:

{cross_validation}

{tuning}{missing}
## Limits

The figures hold for scans like those it was trained on.
It was not tested for any clinical use and is no medical device.
"""


def model_card(
    manifest: Manifest,
    description: str,
    rows: Sequence[Mapping[str, Any]],
    missing: Sequence[Mapping[str, Any]],
) -> str:
    """Return the card of a package as Markdown.

    Parameters
    ----------
    manifest
        Of the package.
    description
        A sentence of its maker.
    rows
        Of `gliaflow.train.select.CV_COLUMNS`.
    missing
        Of `gliaflow.train.select.MISSING_COLUMNS`; empty where no sequence may be missing.
    """
    return CARD.format(
        name=manifest.name,
        description=description or "A brain-tumour segmentation model.",
        sequences=", ".join(manifest.sequences),
        optional=", ".join(manifest.optional) or "none",
        regions=", ".join(manifest.regions),
        atlas=manifest.atlas,
        spacing=" x ".join(f"{edge:g}" for edge in manifest.spacing_mm),
        n4=", ".join(f"{sequence} {word}" for sequence, word in manifest.n4.items()),
        licence=manifest.licence,
        training=table([{"setting": key, "value": value} for key, value in manifest.training.items()]),
        cross_validation=table(rows),
        tuning=tuning_text(manifest.cross_validation),
        missing=missing_text(missing),
    )


def tuning_text(figures: Mapping[str, Any]) -> str:
    """Say what the tuned post-processing brings; empty where nothing was tuned."""
    tuned = figures.get("tuning")
    if not tuned:
        return ""
    rows = [
        {
            "region": region,
            "threshold": tuned["threshold"][region],
            "Dice at 0.5": tuned["before"][region],
            "Dice tuned": tuned["after"][region],
            "Dice with values of the other folds": tuned["honest"].get(region, ""),
            "used": "yes" if tuned["used"][region] else "no, 0.5 instead",
        }
        for region in tuned["before"]
    ]
    rule = ", ".join(f"{key} {value}" for key, value in tuned["enhancing"].items())
    text = f"Tuned on the same out-of-fold predictions ({rule}):\n\n{table(rows)}\n"
    return f"{text}\nThe figures with the values of the other folds are what new sessions can expect.\n\n"


def missing_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say what missing sequences cost; empty where none may be missing."""
    return f"## Missing sequences\n\n{table(rows)}\n\n" if rows else ""


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table.

    >>> print(table([{"a": 1, "b": "x"}]))
    | a | b |
    | --- | --- |
    | 1 | x |
    """
    if not rows:
        return "none"
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([str(row[c]) for c in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
