"""The tables of a session's page, as rows of text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import nibabel as nib
import numpy as np

from gliaflow.features.columns import MEASURED, label_column
from gliaflow.features.rano import measure_lesions
from gliaflow.images import data_of, read_image, spacing_of, to_ras
from gliaflow.labels import REGIONS, SEQUENCES, label_table, meaning
from gliaflow.provenance.private import without_paths
from gliaflow.report.session_files import SessionFiles
from gliaflow.tables import read_rows
from gliaflow.uncertainty.numbers import REGION_NAMES

MISSING = "–"
ACQUIRED = {
    "MagneticFieldStrength": "field (T)",
    "MRAcquisitionType": "type",
    "SliceThickness": "slice thickness (mm)",
    "EchoTime": "echo time (s)",
    "RepetitionTime": "repetition time (s)",
    "InversionTime": "inversion time (s)",
}
SERIES = (
    "number",
    "description",
    "files",
    "slices",
    "te_ms",
    "tr_ms",
    "ti_ms",
    "contrast",
    "fits",
    "sequence",
)
FITTED = {
    "kappa_white_per_rho_mm2": "diffusivity in white matter over proliferation rate (mm²)",
    "white_grey_ratio": "diffusivity in white over that in grey matter",
    "rho_days": "proliferation rate times age",
}
RANO_DEFAULTS: Mapping[str, Any] = {"neighbours": 26, "smallest_lesion_ml": 0.05, "measurable_mm": 10.0}
Said = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table: heading, the names of its columns, and rows of text; ``note`` stands below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def told(value: Any, digits: int = 4) -> str:
    """Write a value as people read it, a missing one as a dash.

    >>> told(12.34567), told(1384.2, 3), told(None), told("PD"), told(2.0)
    ('12.35', '1384', '–', 'PD', '2')
    """
    if value is None or value == "":
        return MISSING
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def millilitres(value: Any) -> str:
    """Write a volume in ml.

    >>> millilitres(106.3665), millilitres(0.0123), millilitres(None)
    ('106.4', '0.012', '–')
    """
    if value is None:
        return MISSING
    return f"{value:.1f}" if value >= 10 or value == 0 else f"{value:.2g}" if value < 1 else f"{value:.2f}"


def volumes(files: SessionFiles) -> list[Table]:
    """Return the volumes of regions with their intervals, and those of labels."""
    own, unsure, features = (
        files.row("seg", f"{name}.tsv") for name in ("volumes", "uncertainty", "features")
    )
    rows = []
    for region in files.regions:
        key = region.lower()
        ends = [unsure.get(f"{key}_volume_{end}_ml") for end in ("low", "high")]
        interval = MISSING if None in ends else f"{millilitres(ends[0])} to {millilitres(ends[1])}"
        agreement = [
            told(unsure.get(f"{key}_{name}")) for name in ("pairwise_dice", "volume_cv", "entropy_inside_bit")
        ]
        rows.append(
            (
                f"{REGION_NAMES[region]} ({region})",
                millilitres(own.get(f"{key}_volume_ml")),
                interval,
                *agreement,
            )
        )
    if not rows:
        return []
    note = f"Intervals are those of {unsure['members']} members." if unsure.get("members") else ""
    columns = (
        "region",
        "volume (ml)",
        "interval (ml)",
        "Dice between members",
        "variation of volume",
        "entropy inside (bit)",
    )
    tables = [Table("Regions", columns, tuple(rows), note)]
    names = meaning(files.regions)
    labels = [
        (names.get(str(label.value), label.name), millilitres(features.get(label_column(label.name))))
        for label in label_table()
        if features.get(label_column(label.name)) is not None
    ]
    return [*tables, Table("Labels", ("label", "volume (ml)"), tuple(labels))] if labels else tables


def diameters(files: SessionFiles, settings: Said) -> list[Table]:
    """Measure the lesions of a label map as the picture of diameters shows them."""
    path = files.there("seg", "space-ref_dseg.nii.gz")
    if not path:
        return []
    image = to_ras(read_image(path))
    values, spacing = data_of(image, np.uint8), spacing_of(image)
    rows = []
    for region in (region for region in MEASURED if region in files.regions):
        lesions = measure_lesions(
            values,
            region,
            spacing,
            files.regions,
            neighbours=settings["neighbours"],
            smallest_ml=settings["smallest_lesion_ml"],
        )
        for number, lesion in enumerate(lesions, start=1):
            found = lesion.diameters
            rows.append(
                (
                    f"{REGION_NAMES[region]} {number}",
                    str(lesion.slice),
                    f"{found.longest_mm:.1f}",
                    f"{found.perpendicular_mm:.1f}",
                    f"{found.product_mm2:.0f}",
                    millilitres(lesion.volume_ml),
                    "yes" if found.measurable(settings["measurable_mm"]) else "no",
                )
            )
    columns = (
        "lesion",
        "axial slice",
        "longest (mm)",
        "perpendicular (mm)",
        "product (mm²)",
        "volume (ml)",
        "measurable",
    )
    note = (
        f"Slices count from 0 at the feet. Measurable: both diameters reach {settings['measurable_mm']:g} mm."
    )
    return [Table("Lesions", columns, tuple(rows), note)] if rows else []


def changes(rows: Sequence[Said]) -> list[Table]:
    """Return volumes and diameters of a subject's sessions up to this one, and how they changed."""
    told_rows = []
    for row in rows:
        own = [f"{millilitres(row.get(f'{r.lower()}_volume_ml'))}" for r in REGIONS]
        change = [
            told(row.get(key), 3)
            for key in (
                "wt_volume_change_percent",
                "wt_volume_doubling_time_days",
                "et_rano_sum_mm2",
                "et_rano_from_smallest_percent",
                "et_rano_category",
                "wt_rano_category",
            )
        ]
        told_rows.append((told(row.get("session")), told(row.get("days")), *own, *change))
    columns = (
        *("session", "day", "WT (ml)", "TC (ml)", "ET (ml)", "WT since the session before (%)"),
        *(
            "WT doubling time (days)",
            "ET sum of products (mm²)",
            "since the smallest (%)",
            "ET category",
            "WT category",
        ),
    )
    note = "Categories (CR, PR, SD, PD) follow the diameters alone, not steroids or how the patient is."
    return [Table("Sessions", columns, tuple(told_rows), note)] if told_rows else []


def predicted(files: SessionFiles) -> list[Table]:
    """Return what is predicted for the session, with what the predictors were worth in cross-validation.

    Only where the cohort's predictions are there and not older than the session's features.
    """
    path = files.root / "results" / files.cohort / "predictions.tsv"
    features = files.there("seg", "features.tsv")
    if not (path.is_file() and features) or path.stat().st_mtime < features.stat().st_mtime:
        return []
    own = [
        row for row in read_rows([path]) if (row["subject"], row["session"]) == (files.subject, files.session)
    ]
    rows = tuple(
        (
            told(row["task"]),
            told(row["quantity"]),
            told(row["prediction"], 2),
            told(row["group"]),
            told(row["basis"]),
            _cross_validated(row),
            told(row["chance"], 3),
            told(row["p"], 2),
            told(row["marks"]),
        )
        for row in own
    )
    columns = (
        "task",
        "probability of",
        "prediction",
        "group",
        "basis",
        "cross-validated (95 % interval)",
        "chance",
        "p",
        "less trust because",
    )
    return [Table("Predictions", columns, rows)] if rows else []


def _cross_validated(row: Said) -> str:
    """Write a cross-validated figure with its interval: ``auc 0.71 (0.62 to 0.8)``."""
    low, high = (told(row[f"cross_validated_{end}"], 3) for end in ("low", "high"))
    return f"{told(row['metric'])} {told(row['cross_validated'], 3)} ({low} to {high})"


def converted(files: SessionFiles) -> list[Table]:
    """Return the series of the study with what each was taken for, and how the scans were acquired."""
    series = files.rows("anat", "desc-found_series.tsv")
    found = [tuple(told(row.get(column)) for column in SERIES) for row in series]
    said = {s: files.document("anat", f"{s}.json") for s in files.sequences()}
    scans = []
    for sequence, one in said.items():
        acquired = one.get("Acquisition", {})
        # the header is enough
        image = cast(nib.Nifti1Image, nib.load(files.path("anat", f"{sequence}.nii.gz")))
        size = " x ".join(map(str, image.shape[:3]))
        spacing = " x ".join(f"{side:.3g}" for side in spacing_of(image))
        notes = "; ".join(one.get("Notes", ())) or MISSING
        scans.append((sequence, size, spacing, *(told(acquired.get(key)) for key in ACQUIRED), notes))
    tables = []
    if found:
        tables.append(
            Table(
                "Series of the study",
                SERIES,
                tuple(found),
                "The last column says what a series was taken for.",
            )
        )
    if scans:
        columns = ("sequence", "voxels", "voxel size (mm)", *ACQUIRED.values(), "notes")
        tables.append(Table("Scans", columns, tuple(scans)))
    return tables


def registered(files: SessionFiles) -> list[Table]:
    """Return how alike the images were before and after each registration."""
    rows = []
    targets = [f"from-{s}_to-ref" for s in SEQUENCES] + ["from-ref_to-first", f"from-ref_to-{files.atlas}"]
    for target in targets:
        said = files.document("anat", f"{target}_mode-image_xfm.json")
        if said:
            source, goal = target.removeprefix("from-").split("_to-")
            alike = (told(said.get(f"MutualInformation{when}"), 3) for when in ("Before", "After"))
            rows.append((source, goal, told(said.get("Parameters", {}).get("kind")), *alike))
    columns = ("from", "to", "kind", "mutual information before", "after")
    return [Table("Registrations", columns, tuple(rows))] if rows else []


def brain(files: SessionFiles) -> list[Table]:
    """Return the volume of the brain, and how far the sequences agree on it."""
    said = files.document("anat", "space-ref_desc-brain_mask.json")
    if not said:
        return []
    agreement = said.get("SequenceAgreement", {})
    rows = [
        ("method", told(said.get("Parameters", {}).get("method"))),
        ("volume (ml)", told(said.get("VolumeMl"))),
    ]
    rows += [(f"agreement of {sequence} (Dice)", told(value)) for sequence, value in agreement.items()]
    return [Table("Brain", ("", ""), tuple(rows))]


def grown(files: SessionFiles) -> list[Table]:
    """Return the parameters that growth was fitted with, and the ranges of fits as good."""
    if not files.since_segmentation(files.path("growth", "fit.json")):
        return []
    said = files.document("growth", "fit.json")
    fit = said.get("fit") or {}
    best, ranges = fit.get("best", {}), fit.get("ranges", {})
    rows = [("model", told(said.get("model")), MISSING)]
    for key in ranges:
        low, high = ranges[key]
        rows.append(
            (
                key.replace("_", " "),
                told(best.get(key), 3),
                f"{told(float(low), 3)} to {told(float(high), 3)}",
            )
        )
    rows += [
        (f"Dice of {region}", told(1 - value, 3), MISSING)
        for region, value in fit.get("residual", {}).items()
    ]
    return [Table("Fit", ("", "best fit", "range of acceptable fits"), tuple(rows))]


def documents(files: SessionFiles) -> Iterator[tuple[str, Said]]:
    """Give the sidecars that say how a session's results came about, by what they describe."""
    for part in ("anat", "seg", "growth"):
        for name, path in files.found(part, "*.json").items():
            said = files.document(part, path.name.removeprefix(f"{files.stem}_"))
            if isinstance(said, dict) and "Software" in said:
                yield f"{part}/{name}", said


def parameters(files: SessionFiles) -> list[Table]:
    """Return the settings that each result was made with; those of several results stand together."""
    grouped: dict[str, list[str]] = {}
    for name, said in documents(files):
        facts = {
            key: said[key]
            for key in ("Parameters", "Model", "ModelSettings", "Precision", "Members")
            if said.get(key)
        }
        if facts:
            grouped.setdefault(json.dumps(without_paths(facts), ensure_ascii=False), []).append(name)
    rows = tuple((", ".join(names), text) for text, names in grouped.items())
    return [Table("Settings", ("results", "made with"), rows)] if rows else []


def software(files: SessionFiles) -> list[Table]:
    """Return every package that a sidecar names, with the versions that were used."""
    versions: dict[str, set[str]] = {}
    for _, said in documents(files):
        for name, version in {**said.get("Software", {}), **said.get("NetworkSoftware", {})}.items():
            versions.setdefault(name, set()).add(str(version))
    rows = tuple((name, ", ".join(sorted(versions[name]))) for name in sorted(versions, key=str.lower))
    return [Table("Software", ("package", "version"), rows)] if rows else []


def run_times(files: SessionFiles) -> list[Table]:
    """Return seconds and memory of each job of the session, as its benchmark tells."""
    rows = []
    for path in sorted((files.root / "benchmarks").glob(f"*/{files.cohort}/{files.stem}*.tsv")):
        extra = path.stem.removeprefix(files.stem)
        if extra and not extra.startswith("_"):
            continue
        for row in read_rows([path]):
            known = [
                value if isinstance(value, int | float) else None
                for value in (row.get("s"), row.get("max_rss"))
            ]
            seconds, memory = (MISSING if value is None else f"{value:.0f}" for value in known)
            rows.append((path.parts[-3], extra.removeprefix("_") or MISSING, seconds, memory))
    return [Table("Jobs", ("rule", "part", "seconds", "memory (MB)"), tuple(rows))] if rows else []
