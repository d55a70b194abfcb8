"""Labels and regions: the one place that names, encodes and decodes them (resources/labels.tsv)."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from gliaflow.errors import ImageError
from gliaflow.images import Array

TABLE = Path(__file__).parent.parent / "resources" / "labels.tsv"
SEQUENCES = ("t1n", "t1c", "t2w", "t2f")
REGIONS = ("WT", "TC", "ET")
CONVENTIONS: Mapping[str, Mapping[int, int]] = {
    "gliaflow": {0: 0, 1: 1, 2: 2, 3: 3, 4: 4},
    "brats2021": {0: 0, 1: 1, 2: 2, 4: 3},
    "brats2023": {0: 0, 1: 1, 2: 2, 3: 3},
    "nnunet": {0: 0, 1: 2, 2: 1, 3: 3},
}


@dataclass(frozen=True)
class Label:
    """One row of the label table; ``code`` is the term of a vocabulary: its value, scheme and meaning."""

    value: int
    name: str
    regions: tuple[str, ...]
    colour: str
    code: tuple[str, str, str]


@cache
def label_table() -> tuple[Label, ...]:
    """Read resources/labels.tsv.

    >>> [label.name for label in label_table()]
    ['necrotic core', 'oedema', 'enhancing', 'resection cavity']
    """
    with TABLE.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return tuple(
        Label(
            value=int(r["value"]),
            name=r["name"],
            regions=tuple(filter(None, r["regions"].split(","))),
            colour=r["colour"],
            code=(r["code"], r["scheme"], r["meaning"]),
        )
        for r in rows
    )


def region_labels(region: str) -> tuple[int, ...]:
    """Return the label values that make up a region.

    >>> region_labels("TC")
    (1, 3)
    """
    return tuple(label.value for label in label_table() if region in label.regions)


def region_mask(labels: Array, region: str) -> Array:
    """Return where a label map (any shape, integers) belongs to a region, as bool."""
    return np.isin(labels, region_labels(region))


def encode(regions: Mapping[str, Array]) -> Array:
    """Make a label map from region masks.

    Parameters
    ----------
    regions
        Bool arrays of one shape, keyed by region, one at least. A region that is absent was not determined:
        its voxels keep the label of the region around it; without ``WT``, the others are all that is known.

    Returns
    -------
    Array
        uint8: oedema (2) in WT, necrotic core (1) in TC, enhancing (3) in ET; TC and ET inside WT only.
    """
    whole = np.asarray(regions.get("WT", np.any(list(regions.values()), axis=0)), dtype=bool)
    labels = np.where(whole, 2, 0).astype(np.uint8)
    enhancing = np.asarray(regions.get("ET", np.zeros_like(whole)), dtype=bool)
    core = np.asarray(regions.get("TC", enhancing), dtype=bool)
    labels[whole & (core | enhancing)] = 1
    labels[whole & enhancing] = 3
    return labels


def whole_values(values: Array, name: str) -> Array:
    """Return the values of a label map as integers; some files hold them scaled, so that 2 reads as 1.992.

    Raises
    ------
    ImageError
        A value is no whole number; says so of ``name``.
    """
    whole = np.rint(values)
    off = np.abs(values - whole) > 0.02
    if off.any():
        raise ImageError(
            f"{name}: holds {float(values[off].flat[0]):g}, which is no label; write whole numbers"
        )
    return whole.astype(np.int64)


def convert_labels(labels: Array, convention: str) -> Array:
    """Convert a label map from a named convention to the table's.

    Raises
    ------
    ImageError
        The map holds a value that the convention does not know.
    """
    table = CONVENTIONS[convention]
    unknown = set(np.unique(labels).tolist()) - set(table)
    if unknown:
        raise ImageError(f"label values {sorted(unknown)} are not of the convention {convention!r}")
    lookup = np.zeros(max(table) + 1, dtype=np.uint8)
    lookup[list(table)] = list(table.values())
    return lookup[np.asarray(labels).astype(np.intp)]


def given_labels(values: Array, convention: str, name: str) -> Array:
    """Return a label map that somebody gave in the table's values; see `whole_values`, `convert_labels`."""
    return convert_labels(whole_values(values, name), convention)


def meaning(regions: Iterable[str]) -> dict[str, str]:
    """Say what each value of a label map means when only some regions were determined.

    >>> meaning(["WT"])
    {'2': 'whole tumour (its parts were not determined)'}
    >>> meaning(["WT", "TC"])
    {'1': 'tumour core (its parts were not determined)', '2': 'oedema'}
    >>> meaning(["WT", "ET"])
    {'2': 'whole tumour without its enhancing part', '3': 'enhancing'}
    >>> meaning(["TC"]), meaning(["ET"])
    ({'1': 'tumour core (its parts were not determined)'}, {'3': 'enhancing'})
    """
    found = set(regions)
    if found == {"WT"}:
        return {"2": "whole tumour (its parts were not determined)"}
    names = {str(label.value): label.name for label in label_table() if found & set(label.regions)}
    if "WT" in found and "TC" not in found:
        return {"2": "whole tumour without its enhancing part", "3": names["3"]}
    if "TC" in found and "ET" not in found:
        core = {"1": "tumour core (its parts were not determined)"}
        return core | {"2": names["2"]} if "WT" in found else core
    return names
