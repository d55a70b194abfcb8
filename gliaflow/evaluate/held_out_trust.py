"""How far a tumour model's uncertainty can be trusted, on the cases of a held-out evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gliaflow.evaluate.bootstrap import Interval, bootstrap_interval
from gliaflow.evaluate.cohort_files import judge
from gliaflow.evaluate.held_out_figures import COLOURS, DPI, save_png
from gliaflow.evaluate.held_out_tables import markdown
from gliaflow.evaluate.held_out_tumour import Found, TumourCase
from gliaflow.evaluate.overlap import dice
from gliaflow.evaluate.plots import draw_qu_brats, draw_qubiq
from gliaflow.evaluate.qu_brats import UncertaintyCurves, uncertainty_curves
from gliaflow.evaluate.qubiq import PAPER_THRESHOLDS, dice_at_thresholds
from gliaflow.images import Array, data_of
from gliaflow.labels import region_mask
from gliaflow.raters.agreement import agreement_map, agreement_share
from gliaflow.segment.segmenters import dequantise
from gliaflow.simulate.raters import Raters
from gliaflow.tables import write_table
from gliaflow.uncertainty.calibration import calibration
from gliaflow.uncertainty.counts import counts_around_tumour, write_counts
from gliaflow.uncertainty.flags import FlagSettings, review
from gliaflow.uncertainty.maps import aggregate, uncertainty_map
from gliaflow.uncertainty.numbers import region_numbers
from gliaflow.uncertainty.plots import draw_reliability
from gliaflow.uncertainty.temperature import Recalibration, recalibrate

RATERS = 3
GROUPS = 5
"""Cases are dealt to so many groups; each one's temperature is fitted on the others."""
TRUST_COLUMNS = {
    "case": "Subject",
    "kind": "Kind of the case",
    "review_score": "How unsure the session is, 0 (sure) to 1; empty where nothing was segmented",
    "review": "1 where a person should look at the session, else 0",
    "review_reasons": "Why, separated by semicolons",
    "mean_dice": "Mean Dice of the regions that are there or were found; empty where neither is",
    "qubiq_challenge": "Dice of the whole tumour's probability with the agreement of generated raters, mean "
    "over the thresholds 0.1 to 0.9; empty for a healthy case",
    "qubiq_paper": "The same over 0.0 to 0.9",
}


@dataclass
class Trust:
    """What is gathered case by case; by region, of each case, where there are several."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    curves: dict[str, list[UncertaintyCurves]] = field(default_factory=dict)
    counts: dict[str, list[Array]] = field(default_factory=dict)
    qubiq: list[tuple[float, ...]] = field(default_factory=list)
    """Of each case with a tumour, the Dice at each of `PAPER_THRESHOLDS`."""

    def add(self, case: TumourCase, found: Found, regions: Sequence[str], seed: int) -> None:
        """Measure a case.

        Parameters
        ----------
        case
            With its truth.
        found
            What the model says.
        regions
            The channels of its probabilities.
        seed
            Of the generated raters.
        """
        brain = data_of(case.mask) > 0
        ensemble = aggregate(found.members, brain)
        unsure = uncertainty_map(ensemble)
        numbers = region_numbers(ensemble, found.labels, regions, case.spacing)
        decided = review(numbers, FlagSettings())
        pairs = {r: (region_mask(case.truth, r), region_mask(found.labels, r)) for r in regions}
        counts = counts_around_tumour(
            found.probability, regions, case.truth, found=pairs["WT"][1], brain=brain, spacing=case.spacing
        )
        for k, (region, (truth, labelled)) in enumerate(pairs.items()):
            self.curves.setdefault(region, []).append(
                uncertainty_curves(truth, labelled, unsure[..., k], brain)
            )
            self.counts.setdefault(region, []).append(counts[region])
        qubiq = _qubiq(case, found.probability[..., regions.index("WT")], seed)
        self.qubiq += [qubiq] if qubiq else []
        overlaps = [dice(*pair) for pair in pairs.values() if pair[0].any() or pair[1].any()]
        self.rows.append(
            {
                "case": case.name,
                "kind": case.kind,
                "review_score": decided.score,
                "review": int(decided.flagged),
                "review_reasons": "; ".join(decided.reasons),
                "mean_dice": float(np.mean(overlaps)) if overlaps else None,
                "qubiq_challenge": float(np.mean(qubiq[1:])) if qubiq else None,
                "qubiq_paper": float(np.mean(qubiq)) if qubiq else None,
            }
        )

    def judged(self) -> dict[str, Any]:
        """Tell what the review score is worth; see `gliaflow.evaluate.cohort_files.judge`."""
        known = [row for row in self.rows if row["mean_dice"] is not None]
        return judge([(row["review_score"], bool(row["review"]), row["mean_dice"]) for row in known])

    def correlation(self) -> Interval:
        """Return the rank correlation of the review score with the mean Dice."""
        found = self.judged()
        return Interval(found["correlation"], found["correlation_low"], found["correlation_high"])

    def recalibrated(self) -> dict[str, Recalibration]:
        """Fit a temperature for each region, each group of cases by the others."""
        return {
            region: recalibrate(
                {k: np.sum(counts[k::GROUPS], axis=0) for k in range(min(GROUPS, len(counts)))}
            )
            for region, counts in self.counts.items()
        }


def write_trust(folder: Path, trust: Trust) -> str:
    """Write trust.tsv, each case's counts and the pictures of uncertainty; return the tables in Markdown."""
    write_table(folder / "trust.tsv", trust.rows, TRUST_COLUMNS)
    (folder / "calibration").mkdir(exist_ok=True)
    for number, row in enumerate(trust.rows):
        counts = {region: of_region[number] for region, of_region in trust.counts.items()}
        write_counts(folder / "calibration" / f"{row['case'].replace('/', '_')}_calibration.tsv", counts)
    draw_qu_brats(folder / "uncertainty.png", trust.curves)
    scaled = trust.recalibrated()
    before = {region: np.sum(counts, axis=0) for region, counts in trust.counts.items()}
    after = {region: result.counts for region, result in scaled.items()}
    draw_reliability(folder / "calibration.png", before, after)
    draw_review(folder / "review.png", trust)
    if trust.qubiq:
        draw_qubiq(folder / "qubiq.png", trust.qubiq, PAPER_THRESHOLDS)
    parts = {
        "QU-BraTS": _qu_brats_table(trust.curves),
        "QUBIQ": _qubiq_table(trust.rows),
        "Calibration": _calibration_table(before, scaled),
        "Review": _review_table(trust),
    }
    return "\n".join(f"## Uncertainty: {title}\n\n{text}\n" for title, text in parts.items())


def draw_review(path: Path, trust: Trust) -> None:
    """Draw the mean Dice of each case over its review score, flagged cases in another colour."""
    figure = Figure(figsize=(5.0, 3.8), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for flag, name, colour, marker in ((0, "not flagged", COLOURS[0], "o"), (1, "flagged", COLOURS[1], "s")):
        chosen = [row for row in trust.rows if row["review"] == flag and None not in _pair(row)]
        x, y = zip(*map(_pair, chosen), strict=True) if chosen else ((), ())
        axes.plot(x, y, marker, color=colour, markersize=4, alpha=0.8, label=f"{name} ({len(chosen)})")
    axes.set_xlabel("review score: mean entropy in the segmentation, bit")
    axes.set_ylabel("mean Dice")
    axes.set_title(f"rank correlation {_told(trust.correlation())}", fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    save_png(figure, path)


def _pair(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    return row["review_score"], row["mean_dice"]


def _qubiq(case: TumourCase, levels: Array, seed: int) -> tuple[float, ...]:
    """Return the Dice at each of `PAPER_THRESHOLDS`; nothing for a healthy case."""
    if not region_mask(case.truth, "WT").any():
        return ()
    raters = Raters(RATERS, seed).rate(case.truth, case.spacing, case.name)
    agreed = agreement_map(np.stack([region_mask(labels, "WT") for labels in raters]))
    predicted = np.where(levels > 0, dequantise(levels), 0)
    return dice_at_thresholds(agreement_share(agreed, RATERS), predicted, PAPER_THRESHOLDS)


def _qu_brats_table(curves: Mapping[str, Sequence[UncertaintyCurves]]) -> str:
    names = ("dice", "ftp", "ftn")
    heads = ("region", "n", "AUC of Dice", "AUC of FTP", "AUC of FTN", "score (mean)", "interval")
    rows = []
    for region, cases in curves.items():
        areas = [f"{np.mean([curve.auc(name) for curve in cases]):.3f}" for name in names]
        score = bootstrap_interval([curve.score for curve in cases])
        interval = f"{score.low:.3f} to {score.high:.3f}"
        rows.append((region, str(len(cases)), *areas, f"{score.estimate:.3f}", interval))
    return markdown(heads, rows)


def _qubiq_table(rows: Sequence[Mapping[str, Any]]) -> str:
    body = []
    for key, name in (("qubiq_challenge", "0.1 to 0.9"), ("qubiq_paper", "0.0 to 0.9")):
        values = [row[key] for row in rows if row[key] is not None]
        body.append((name, str(len(values)), _told(bootstrap_interval(values))))
    return markdown(("thresholds", "n", "mean QUBIQ Dice of the whole tumour (interval)"), body)


def _calibration_table(before: Mapping[str, Array], scaled: Mapping[str, Recalibration]) -> str:
    heads = ("region", "temperature", "ECE", "after", "Brier", "after", "NLL", "after")
    rows = []
    for region, counts in before.items():
        result, raw = scaled[region], calibration(counts)
        figures = [
            f"{getattr(figures, name):.4f}"
            for name in ("ece", "brier", "nll")
            for figures in (raw, result.after)
        ]
        rows.append((region, f"{result.temperature:.2f}", *figures))
    return markdown(heads, rows)


def _review_table(trust: Trust) -> str:
    found = trust.judged()
    others = sum(row["mean_dice"] is not None for row in trust.rows) - found["flagged"]
    body = [("rank correlation of review score and mean Dice (interval)", _told(trust.correlation()))]
    groups = (("flagged", found["flagged"], "dice_flagged"), ("not flagged", others, "dice_other"))
    for name, number, key in groups:
        told = f"{number}, mean Dice {found[key]:.3f}" if number else "0"
        body.append((f"sessions {name}", told))
    return markdown(("", ""), body)


def _told(interval: Interval) -> str:
    return f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})"
