"""The card of a predictor: what it is for, what it was fitted to, and how good it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from gliaflow.config.mistakes import listing
from gliaflow.predict.figures import figures_of, is_weak
from gliaflow.predict.metrics import MEANINGS
from gliaflow.predict.names import ATLAS_GRAPH, CLASSIFICATION, NETWORKS, SUBTYPE
from gliaflow.train.card import table

CARD = """\
# {name}

Predicts {what} from {source} ({model}).

{intended}

## How good it is

Every figure is of subjects that the predictor had not seen, with all preparation, selection and search inside
the folds; intervals by a bootstrap of subjects and the spread over repeats; p against {permutations}
permutations of the outcomes.

{scores}

{verdict}

{meanings}

## Fitted to

{training}

## Features

A prediction for a subject outside these ranges is marked.

{features}
"""
GOOD = "It does better than chance; whether well enough is for the reader to say."
BAD = "**It does no better than chance.** Its predictions mean nothing."
TRAINING = (
    "cohorts",
    "sites",
    "subjects",
    "sessions",
    "sessions_taken",
    "positives",
    "classes",
    "events",
    "left_out",
    "chosen",
)


def predictor_card(manifest: Mapping[str, Any]) -> str:
    """Return the card of a package as Markdown.

    Parameters
    ----------
    manifest
        From `gliaflow.predict.package.manifest_of`.
    """
    scores, training = manifest["scores"], manifest["training"]
    figures = figures_of(manifest["name"], manifest["kind"], scores)
    metrics = dict.fromkeys(row["metric"] for row in scores)
    return CARD.format(
        name=manifest["name"],
        what=_what(manifest),
        source=source_of(manifest),
        model=manifest["model"],
        intended=manifest["intended_use"],
        permutations=max(row["permutations"] for row in scores),
        scores=table([_score(row) for row in scores]),
        verdict=BAD if is_weak(figures) else GOOD,
        meanings="\n".join(f"- {name}: {MEANINGS[name]}" for name in metrics),
        training=table([{"": key, "value": _plain(training[key])} for key in TRAINING if key in training]),
        features=table([_feature(feature) for feature in manifest["features"]]),
    )


def source_of(manifest: Mapping[str, Any]) -> str:
    """Return what a predictor looks at.

    >>> source_of({"model": "cox", "features": [1, 2]})
    '2 features'
    """
    if manifest["model"] not in NETWORKS:
        return f"{len(manifest['features'])} features"
    seen = manifest["images"]
    images = f"images ({', '.join(seen['sequences'])})"
    if manifest["model"] == ATLAS_GRAPH:
        return f"{images} of the regions of the atlas"
    pathology = (
        f" and {seen['pathology_features']} features of pathology" if seen["pathology_features"] else ""
    )
    return f"{images} of the tumour, {seen['voxels']} voxels of {seen['spacing_mm']:g} mm an edge{pathology}"


def _what(manifest: Mapping[str, Any]) -> str:
    endpoint = manifest["endpoint"]
    if manifest["kind"] == CLASSIFICATION:
        return f"whether {endpoint['column']} is {endpoint['positive']}"
    if manifest["kind"] == SUBTYPE:
        return f"which {endpoint['column']} a tumour is: {listing(endpoint['classes'])}"
    return f"{endpoint['time']} to {endpoint['event']}"


def _score(row: Mapping[str, Any]) -> dict[str, Any]:
    at = f" at {row['time_days']:g} days" if row["time_days"] is not None else ""
    numbers = {
        key: "" if row[key] is None else f"{row[key]:.3f}"
        for key in ("estimate", "low", "high", "chance", "p")
    }
    return {
        "left out": row["scheme"],
        "score": f"{row['metric']}{at}",
        **numbers,
        "subjects": row["subjects"],
    }


def _feature(feature: Mapping[str, Any]) -> dict[str, Any]:
    number = feature["type"] == "number"
    seen = f"{feature['low']:g} to {feature['high']:g}" if number else ", ".join(feature["words"])
    return {"feature": feature["name"], "in training": seen, "missing": f"{100 * feature['missing']:.0f} %"}


def _plain(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {one}" for key, one in value.items()) or "none"
    return str(value)
