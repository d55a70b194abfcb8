"""Results of cohorts as they lie on disk after a run, made of nothing: small tables and pictures only."""

import io
import random
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from gliaflow.report.thumbnail import thumbnail_info
from gliaflow.status import STATUS_COLUMNS, write_status

REGIONS = ("wt", "tc", "et")
SIDE, DRAWINGS = 288, 20
FAILURE = ("segment", "image.nii.gz: cut off; copy it again")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }} Ärzte 脳腫瘍 \u202e ' \" &"


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    path.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines), encoding="utf-8")


def row(subject: str, stage: str, state: str = "done", **others: str) -> dict[str, str]:
    named = {"cohort": "one", "subject": subject, "session": "1" if subject else ""}
    return dict.fromkeys(STATUS_COLUMNS, "") | named | {"stage": stage, "state": state} | others


def picture(path: Path, seed: int = 0) -> None:
    """A PNG with a round head, a lesion somewhere in it, and its small picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawing(seed % DRAWINGS))


@cache
def drawing(seed: int, side: int = SIDE) -> bytes:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    noise = np.random.default_rng(seed).normal(0, 30, (side, side))
    grey = np.where(x**2 + y**2 < 0.8, 120 + 40 * np.cos(9 * x + seed) * np.cos(7 * y) + noise, 0)
    rgb = np.stack([grey] * 3, axis=-1).clip(0, 255).astype(np.uint8)
    rgb[(x - 0.3) ** 2 + (y - 0.2 * np.cos(seed)) ** 2 < 0.03] = (213, 94, 0)
    drawn = Image.fromarray(rgb)
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", pnginfo=thumbnail_info(drawn, (0, 0, side, side)))
    return buffer.getvalue()


def make_session(
    root: Path, subject: str, seed: int = 0, *, flagged: bool = False, features: int = 0
) -> None:
    """The tables, the picture and an empty page of a finished session."""
    chance = random.Random(seed)
    folder = root / "results" / "one" / f"sub-{subject}" / "ses-1"
    stem = f"sub-{subject}_ses-1"
    names = {"cohort": "one", "subject": subject, "session": "1"}
    whole = chance.lognormvariate(3.5, 0.8)
    volumes = dict(zip(REGIONS, (whole, whole * 0.4, whole * 0.25), strict=True))
    write_rows(
        folder / "seg" / f"{stem}_volumes.tsv",
        [names | {"model": "m"} | {f"{r}_volume_ml": round(v, 3) for r, v in volumes.items()}],
    )
    ends = {f"{r}_volume_low_ml": round(v * 0.95, 2) for r, v in volumes.items()}
    ends |= {f"{r}_volume_high_ml": round(v * 1.07, 2) for r, v in volumes.items()}
    unsure = {
        "wt_volume_cv": round(chance.lognormvariate(-4, 0.5), 4),
        "review_score": 0.8 if flagged else 0.1,
    }
    reasons = {"review": int(flagged), "review_reasons": "WT: members disagree" if flagged else ""}
    write_rows(folder / "seg" / f"{stem}_uncertainty.tsv", [names | ends | unsure | reasons])
    many = {f"feature_{number}": number / 7 for number in range(features)}
    write_rows(
        folder / "seg" / f"{stem}_features.tsv", [names | {"days": 0, "et_rano_sum_mm2": 900 + seed} | many]
    )
    scores = [{"region": r.upper(), "state": "present", "dice": 0.9 - seed % 7 / 100} for r in REGIONS]
    write_rows(folder / "seg" / f"{stem}_evaluation.tsv", [names | {"site": "a"} | s for s in scores])
    picture(folder / "qc" / f"{stem}_segmentation.png", seed)
    (folder / "qc" / "report.html").write_text("<!DOCTYPE html><title>page</title>")


def make_cohort(root: Path, sessions: int, *, features: int = 0) -> list[dict[str, str]]:
    """Write the results of a cohort; return its status, of which every tenth session failed."""
    status = []
    for number in range(sessions):
        subject = f"P{number:04d}"
        if number % 10 == 3:
            rule, message = FAILURE
            told = {
                "rule": rule,
                "message": message,
                "advice": "copy it again",
                "log": "logs/segment/one/x.log",
            }
            status += [row(subject, "segment", "failed", **told), row(subject, "features", "waiting")]
            continue
        make_session(root, subject, number, flagged=number % 10 == 5, features=features)
        status += [row(subject, stage) for stage in ("segment", "features")]
    status.append(row("", "features", "waiting"))
    folder = root / "results" / "one"
    write_status(folder / "status.tsv", status)
    summary = {"scope": "cohort", "site": "", "cases": "all", "n": sessions, "mean": 0.912345, "median": 0.92}
    ends = {"mean_low": 0.89, "mean_high": 0.93}
    write_rows(
        folder / "evaluation_summary.tsv",
        [
            summary | ends | {"region": r.upper(), "metric": m}
            for r in REGIONS
            for m in ("dice", "ece", "iou")
        ],
    )
    for name in ("evaluation_dice", "evaluation_calibration", "growth_coverage"):
        picture(folder / f"{name}.png")
    covered = {"n": 4, "mean": 0.87, "mean_low": 0.8, "mean_high": 0.93, "difference": 0.02}
    write_rows(folder / "growth_summary.tsv", [{"recurrence": "enhancing", "plan": "model"} | covered])
    figures = {
        "cross_validated": 0.61,
        "cross_validated_low": 0.52,
        "cross_validated_high": 0.7,
        "chance": 0.5,
    }
    write_rows(
        folder / "predictions.tsv",
        [
            {
                "cohort": "one",
                "subject": f"P{n:04d}",
                "session": "1",
                "task": "idh",
                "quantity": "idh is mutant",
            }
            | {
                "prediction": 0.314159,
                "group": "",
                "basis": "out_of_fold",
                "metric": "auc",
                "p": 0.04,
                "marks": "",
            }
            | figures
            for n in range(sessions)
        ],
    )
    picture(root / "results" / "predict" / "idh" / "reliability.png")
    return status
