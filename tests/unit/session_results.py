"""The results of small sessions, as the workflow leaves them."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from gliaflow.images import write_image
from gliaflow.preprocess.transforms import write_transform
from gliaflow.report.session_files import SessionFiles
from gliaflow.sidecar import write_json
from gliaflow.tables import write_table

SHAPE = (40, 44, 30)
SPACING = (4.0, 4.0, 5.0)
TILT = 0.2
REGIONS = ["WT", "TC", "ET"]
VERSIONS = {"gliaflow": "0.1.0", "SimpleITK": "2.5.7", "antspyx": "0.6.1"}


def affine() -> np.ndarray:
    """An oblique grid."""
    turn = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.diag(SPACING)
    matrix[:3, 3] = -matrix[:3, :3] @ (np.array(SHAPE) / 2)
    return matrix


def radius(centre: tuple[float, ...], shape: tuple[int, ...] = SHAPE, spacing: tuple[float, ...] = SPACING):
    """Distance in mm of every voxel from one."""
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return np.linalg.norm((places - np.array(centre)) * spacing, axis=-1)


def scans(files: SessionFiles, sequences: tuple[str, ...] = ("t1c", "t2f")) -> None:
    """Converted and registered scans, their transforms, and the brain mask."""
    head = radius((20, 22, 15))
    rng = np.random.default_rng(5)
    for number, sequence in enumerate(sequences):
        values = np.where(head < 70, 400 + 100 * number, 0) + rng.normal(20, 5, SHAPE)
        for name in (sequence, f"space-ref_{sequence}", f"desc-n4_{sequence}"):
            image(files, "anat", name, values, Space=name, Parameters={"n4": "registration"})
        kind = "none" if sequence == sequences[0] else "rigid"
        said = {"Parameters": {"kind": kind}, "MutualInformationBefore": 0.2, "MutualInformationAfter": 0.9}
        write_json(files.path("anat", f"from-{sequence}_to-ref_mode-image_xfm.json"), said)
    write_transform(files.path("anat", "from-ref_to-MNI152_mode-image_xfm.tfm"), np.eye(4))
    write_json(
        files.path("anat", "from-ref_to-MNI152_mode-image_xfm.json"), {"Parameters": {"kind": "rigid"}}
    )
    facts = {"Parameters": {"method": "network"}, "Model": "brainnet", "SequenceAgreement": {"t1c": 0.98}}
    image(files, "anat", "space-ref_desc-brain_mask", head < 60, np.uint8, **facts, VolumeMl=904.8)


def image(
    files: SessionFiles, part: str, name: str, values: np.ndarray, kind=np.float32, **facts: object
) -> None:
    """An image with its sidecar."""
    path = files.path(part, f"{name}.nii.gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, values.astype(kind), facts.pop("affine", affine()), kind)
    write_json(files.path(part, f"{name}.json"), {"Software": VERSIONS, **facts})


def tumour() -> np.ndarray:
    """Shells of oedema, enhancing tumour and necrotic core."""
    place = radius((27, 25, 16))
    return np.select([place < 8, place < 14, place < 24], [1, 3, 2], 0)


def segmentation(files: SessionFiles, *, review: str = "", growing: float = 1.0) -> None:
    """Label map, uncertainty and tables."""
    labels = tumour()
    settings = {"tta": True, "mc_dropout": 0}
    facts = {"Regions": REGIONS, "Members": 8, "Model": "tumournet", "ModelSha256": "ab" * 32}
    facts |= {"ModelSettings": settings, "Sequences": ["t1c", "t2f"], "MissingSequences": ["t1n"]}
    facts |= {"Parameters": {"fuse": {"method": "mean"}, "postprocess": {"threshold": {"WT": 0.5}}}}
    image(files, "seg", "space-ref_dseg", labels, np.uint8, **facts)
    unsure = np.stack([np.where(labels == value, 30 * value, 0) for value in (2, 1, 3)], axis=-1)
    said = {"Regions": REGIONS, "Members": 8, "Parameters": {"map": "entropy"}}
    image(files, "seg", "space-ref_uncertainty", unsure, np.uint8, **said)
    table(files, "volumes", {f"{r.lower()}_volume_ml": growing * 10 * n for n, r in enumerate(REGIONS, 1)})
    numbers: dict[str, object] = {"members": 8, "review": int(bool(review)), "review_reasons": review}
    numbers |= {"review_score": 0.2}
    features: dict[str, object] = {"days": round(100 * growing), "necrotic_core_volume_ml": 2.1}
    for number, region in enumerate(REGIONS, start=1):
        key, volume = region.lower(), growing * 10 * number
        numbers |= {f"{key}_volume_low_ml": volume - 1, f"{key}_volume_high_ml": volume + 1}
        features |= {f"{key}_volume_ml": volume, f"{key}_volume_low_ml": volume - 1}
        features[f"{key}_volume_high_ml"] = volume + 1
    table(files, "uncertainty", numbers)
    table(files, "features", features)


def table(files: SessionFiles, name: str, values: dict[str, object]) -> None:
    """A table of one row."""
    row = {"cohort": files.cohort, "subject": files.subject, "session": files.session, **values}
    write_table(files.path("seg", f"{name}.tsv"), [row], dict.fromkeys(row, "what it means"))


def growth(files: SessionFiles) -> None:
    """Time to invasion, which never comes in one half, plans, and the fit."""
    shape, cube = (36, 38, 34), np.diag([4.0, 4, 4, 1])
    cube[:3, 3] = (-69.3, -71.1, -65.2)
    days = 12.5 * radius((25, 20, 18), shape, (4, 4, 4))
    days[:10] = np.inf
    image(files, "growth", "space-growth_desc-median_invasion", days, affine=cube, Meaning="days from it")
    for name, limit in (("margin15", 200), ("model", 150)):
        image(files, "growth", f"space-growth_desc-{name}_mask", days < limit, np.uint8, affine=cube)
    fit = {"best": {"rho_days": 8.2}, "ranges": {"rho_days": [7.9, 9.1]}, "residual": {"WT": 0.25}}
    record = {"model": "reaction_diffusion", "members": [{}] * 8, "fit": {**fit, "acceptable": 19}}
    write_json(files.path("growth", "fit.json"), record)


def pictures(files: SessionFiles, size: tuple[int, int] = (800, 500)) -> None:
    """A picture of each step."""
    files.path("qc", "x").parent.mkdir(parents=True, exist_ok=True)
    for name in ("registration", "brainmask", "segmentation", "uncertainty", "rano", "growth"):
        Image.new("RGB", size, "#101010").save(files.path("qc", f"{name}.png"))


def benchmark(files: SessionFiles, rule: str, seconds: float, part: str = "") -> None:
    """What a job took."""
    path = files.root / "benchmarks" / rule / files.cohort / f"{files.stem}{part}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t120.5\n")


def whole_session(root: Path, session: str = "1", **changes: object) -> SessionFiles:
    """A session with everything."""
    files = SessionFiles("one", "01", session, root)
    scans(files)
    segmentation(files, **changes)
    growth(files)
    pictures(files)
    benchmark(files, "convert", 12.3, "_t1c")
    benchmark(files, "fuse", 45.6)
    return files


def aged(path: Path) -> None:
    """Make a file older than all others."""
    os.utime(path, (1, 1))
