"""The model card: what a model is, what it was trained on, and how well it does."""

from collections.abc import Mapping, Sequence
from typing import Any

from gliaflow.nnunet.package import Manifest
from gliaflow.nnunet.targets import BRAIN, RATERS

BRAIN_ALONE = (
    "the brain alone, intensities as scanned (N4: {n4}); the network's preprocessing normalises them"
)
HEAD = (
    "a whole head, any one sequence, clipped to its percentiles and resampled to cubic voxels; the network's "
    "preprocessing normalises it"
)
AGREEMENT = "how many of {raters} raters mark {regions} (a softmax); the expected share is its probability"
AT_HALF = ", at a threshold of 0.5"
QUBIQ = """. This Dice is QUBIQ's: that of the expected share
of the raters with the share who marked a voxel, the mean over thresholds of 0.1 to 0.9 for both"""
HONEST = "The figures with the values of the other folds are what new sessions can expect."
CALIBRATED = """Calibration in and around the tumours of the same predictions, as they are and with a
temperature for each region (expected calibration error, Brier score, negative log likelihood;
`cross_fitted` 1: each fold with the temperature of the others):"""
FLATTERED = "One fold alone was held out: the values were tuned on the sessions that they are scored on here."

CARD = """\
# {name}

{description}

| | |
| --- | --- |
| inputs, in this order | {sequences} |
| may be missing | {optional} |
| outputs | {outputs} |
| grid | {grid} |
| input | {input} |
| licence | {licence} |

## Trained on

{data}{training}

## Cross-validation

{basis}, whose subjects the network had not seen{measure}:

{cross_validation}

{tuning}{calibration}{missing}
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
    heads, training = manifest.target == BRAIN, dict(manifest.training)
    data = training.pop("data", "")
    return CARD.format(
        name=manifest.name,
        description=description or f"A {'brain-extraction' if heads else 'brain-tumour segmentation'} model.",
        sequences=", ".join(manifest.sequences),
        optional=", ".join(manifest.optional) or "none",
        outputs=outputs_text(manifest),
        grid=grid_text(manifest),
        input=HEAD if heads else BRAIN_ALONE.format(n4=n4_text(manifest)),
        licence=manifest.licence,
        data=f"{data}\n\n" if data else "",
        training=table([{"setting": key, "value": value} for key, value in training.items()]),
        basis=basis_text(training, rows, heads=heads),
        measure=QUBIQ if manifest.target == RATERS else AT_HALF,
        cross_validation=table(rows),
        tuning=tuning_text(manifest.cross_validation),
        calibration=calibration_text(manifest.cross_validation),
        missing=missing_text(missing),
    )


def outputs_text(manifest: Manifest) -> str:
    """Say what the network gives."""
    regions = ", ".join(manifest.regions)
    if manifest.target == RATERS:
        return AGREEMENT.format(raters=len(manifest.labels), regions=regions)
    return f"{regions}, each a probability of its own"


def grid_text(manifest: Manifest) -> str:
    """Say what voxels the network works at, and in which space."""
    spacing = " x ".join(f"{edge:g}" for edge in manifest.spacing_mm)
    space = "the scan's own space" if manifest.target == BRAIN else f"atlas {manifest.atlas}"
    return f"{space}, {spacing} mm"


def n4_text(manifest: Manifest) -> str:
    """Say for each sequence what N4 was for."""
    return ", ".join(f"{sequence} {word}" for sequence, word in manifest.n4.items())


def basis_text(training: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, heads: bool) -> str:
    """Say on how many sessions, and for brain extraction on how many images, the table stands."""
    count, folds = training.get("sessions_held_out"), {row["fold"] for row in rows}
    if count is None:
        return "Dice of sessions"
    images = {(row["fold"], row["sessions"]) for row in rows}
    scans = f" ({sum(number for _, number in images)} scans, each by itself)" if heads else ""
    rest = f", of fold {', '.join(map(str, sorted(folds)))}" if len(folds) < training.get("folds", 0) else ""
    return f"Dice of {count} of the {training['sessions']} sessions{scans}{rest}"


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
    return f"{text}\n{HONEST if tuned['honest'] else FLATTERED}\n\n"


def calibration_text(figures: Mapping[str, Any]) -> str:
    """Say what the temperatures bring; empty where none was fitted."""
    fitted = figures.get("calibration")
    if not fitted:
        return ""
    rows = [{"region": region, **values} for region, values in fitted.items()]
    return f"{CALIBRATED}\n\n{table(rows)}\n\n"


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
