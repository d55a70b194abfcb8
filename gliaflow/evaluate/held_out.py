"""How well a model finds brains or tumours on generated cases that it has not seen, and where it fails.

Writes scores.tsv, limits.tsv, summary.md, a picture of each curve and worst.png into a folder; the cases lie
in ``cohort*`` beside them. The same command gives the same files on the same machine.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from pathlib import Path

from gliaflow.errors import GliaflowError
from gliaflow.evaluate import held_out_brain as brain
from gliaflow.evaluate import held_out_tumour as tumour
from gliaflow.evaluate.held_out_figures import draw_categories, draw_curve, draw_sizes
from gliaflow.evaluate.held_out_tables import (
    CaseScore,
    Curve,
    LimitPoint,
    by_kind,
    by_method,
    by_size,
    compared,
    limits_table,
    mean_by_case,
    write_limits,
    write_scores,
)
from gliaflow.evaluate.held_out_trust import Trust, write_trust
from gliaflow.evaluate.worst_cases import BadCase, draw_worst
from gliaflow.fetch import sha256_of
from gliaflow.images import Array, write_bytes
from gliaflow.nnunet.manifest import check_target, read_manifest
from gliaflow.nnunet.targets import BRAIN, TARGETS, TUMOUR
from gliaflow.preprocess.brain import extract_brain
from gliaflow.simulate.cohort_plan import CohortPlan
from gliaflow.simulate.labelled import write_cohort
from gliaflow.simulate.whole_heads import HeadPlan, write_heads

COHORT = "heldout"
"""Cohorts of another name hold other subjects, also with the same seed."""
HEALTHY = 0.1
WORST = 10
STATED = """
Dice, HD95 (as in BraTS the larger of both directed 95th percentiles), sensitivity and precision are of the
cases that have the region; the last three are medians. *Missed*: nothing was found of a region that is there
(Dice 0, HD95 373.13 mm). *Absent*: cases without the region, which BraTS would give Dice 1 or 0; *of these
false*: those in which some was found. Q1 and Q3 are quartiles, SD is with n - 1.
"""


@dataclass(frozen=True)
class Options:
    """What is to be evaluated.

    Attributes
    ----------
    folder
        Where everything goes.
    model
        The package.
    subjects, limit_cases, baseline_cases
        How many for the tables, for the curves, and for the baseline that the brain model is compared with.
    severity
        Of the faults of the tables' scans and masks, 0 to 2: about 0.4 for the scans of an ordinary protocol
        and 1 for those of a bad day. The curves start from clean scans.
    seed
        Of the cases.
    threads, gpu
        What the model may use.
    quick
        Whether the curves have fewer points.
    """

    folder: Path
    model: Path
    subjects: int = 60
    limit_cases: int = 8
    baseline_cases: int = 4
    severity: float = 0.4
    seed: int = 20
    threads: int = 2
    gpu: bool = False
    quick: bool = False


@dataclass(frozen=True)
class Evaluation:
    """Scores of all cases, points of curves, the worst cases, the worst first, and of tumours the trust."""

    scores: Sequence[CaseScore]
    points: Sequence[LimitPoint]
    curves: Sequence[Curve]
    worst: Sequence[BadCase]
    trust: Trust | None = None


def evaluate_tumour(options: Options, progress: Callable[[str], None]) -> Evaluation:
    """Evaluate a tumour model on `Options.subjects` generated sessions of 2 mm, a tenth of them healthy.

    Parameters
    ----------
    options
        See `Options`.
    progress
        Is given a line for each case.

    Raises
    ------
    ConfigError
        The package cannot be used, or the folder holds another cohort.
    """
    chain = tumour.model_chain(options.model, threads=options.threads, gpu=options.gpu)
    plain = tumour.baseline_chain()
    plan = CohortPlan(
        subjects=options.subjects,
        healthy=HEALTHY,
        severity=options.severity,
        cohort=COHORT,
        seed=options.seed,
    )
    sheet = write_cohort(options.folder / "cohort", plan, progress, jobs=options.threads)
    scores: list[CaseScore] = []
    found: dict[str, Array] = {}
    trust = Trust()
    for case in tumour.read_cases(sheet, plan):
        segmented = chain.find(case.images, case.mask)
        trust.add(case, segmented, chain.regions, options.seed)
        found[case.name] = segmented.labels
        scores += tumour.score_case(case, found[case.name], chain.regions, tumour.MODEL)
        scores += tumour.score_case(case, plain.labels(case.images, case.mask), ("WT",), tumour.BASELINE)
        progress(f"{case.name} of {options.subjects}: {_told(scores, case.name, tumour.MODEL)}")
    names = list(mean_by_case(scores, tumour.MODEL))[:WORST]
    worst = {
        case.name: tumour.bad_case(case, found[case.name])
        for case in tumour.read_cases(sheet, plan)
        if case.name in names
    }
    wanted = tumour.curves(chain, quick=options.quick)
    points = list(_tumour_limits(options, wanted, progress))
    return Evaluation(scores, points, wanted, [worst[name] for name in names], trust)


def evaluate_brain(options: Options, progress: Callable[[str], None]) -> Evaluation:
    """Evaluate brain extraction on `Options.subjects` generated heads, half with contrasts of chance.

    Parameters
    ----------
    options, progress
        As for `evaluate_tumour`.

    Raises
    ------
    ConfigError
        The package cannot be used, or a folder holds another cohort.
    """
    check_target(read_manifest(options.model), BRAIN, options.model)
    sheets = _write_heads(options, progress)
    extract = brain.network(options.model, threads=options.threads, gpu=options.gpu)
    cases = (case for kind, sheet in sheets.items() for case in brain.read_cases(sheet, kind))
    scores: list[CaseScore] = []
    worst: list[tuple[float, BadCase]] = []
    for number, case in enumerate(cases):
        for row, mask in brain.score_scans(case, extract):
            scores.append(row)
            if len(worst) < WORST or row.score.dice < worst[-1][0]:
                picture = brain.bad_case(case, row.case.split()[-1], mask)
                worst = sorted([*worst, (row.score.dice, picture)], key=itemgetter(0))[:WORST]
        scores.append(brain.score_session(case, extract, brain.ALL))
        if number < options.baseline_cases:
            scores.append(brain.score_session(case, extract_brain, brain.BASELINE))
        progress(f"head {number + 1} of {options.subjects}: {_told(scores, case.name, brain.ALL)}")
    points = list(_brain_limits(options, progress))
    return Evaluation(scores, points, _brain_curves(options), [picture for _, picture in worst])


def write_evaluation(options: Options, target: str, result: Evaluation) -> None:
    """Write the tables and pictures of an evaluation into its folder."""
    folder = options.folder
    write_scores(folder / "scores.tsv", result.scores)
    write_limits(folder / "limits.tsv", result.points)
    for curve in result.curves:
        draw = draw_categories if isinstance(curve.values[0], str) else draw_curve
        draw(folder / f"{curve.name}.png", result.points, curve)
    if target == TUMOUR:
        draw_sizes(folder / "size.png", result.scores, tumour.MODEL)
    else:
        kinds, points = kind_points(result.scores, brain.ONE)
        draw_categories(folder / f"{kinds.name}.png", points, kinds)
    number = len({row.case for row in result.scores if row.method == METHODS[target][0]})
    heading = f"The {len(result.worst)} worst of {number} {'sessions' if target == TUMOUR else 'scans'}"
    draw_worst(folder / "worst.png", result.worst, heading)
    write_bytes(folder / "summary.md", summary(options, target, result).encode())


def summary(options: Options, target: str, result: Evaluation) -> str:
    """Return summary.md: tables in Markdown and what their columns mean."""
    method, baseline = METHODS[target]
    made = (
        f"{options.model.name} (sha256 `{sha256_of(options.model)}`)"
        if options.model.is_file()
        else options.model
    )
    tables = {
        "All cases": by_method(result.scores),
        f"Against the baseline ({baseline}), on the same cases": compared(result.scores, baseline),
        "By kind": by_kind(result.scores, method),
    }
    if target == TUMOUR:
        tables["By volume"] = by_size(result.scores, method)
    of = f"Median Dice (quartiles) of {options.limit_cases} clean cases, without mirroring.\n\n"
    limits = {f"Limits: {curve.name}": of + limits_table(result.points, curve) for curve in result.curves}
    parts = [f"## {title}\n\n{text}\n" for title, text in {**tables, **limits}.items()]
    parts += [write_trust(options.folder, result.trust)] if result.trust else []
    heading = (
        f"# Held-out scores: {target}\n\n{made}, on {options.subjects} generated subjects that it has "
        f"not seen (cohort `{COHORT}`, seed {options.seed}, severity {options.severity:g}).\n{STATED}"
    )
    return "\n".join([heading, *parts])


def kind_points(scores: Sequence[CaseScore], method: str) -> tuple[Curve, list[LimitPoint]]:
    """Return the Dice of a method by kind of scan, to be drawn as a curve is."""
    chosen = [row for row in scores if row.method == method]
    kinds = tuple(sorted({row.kind for row in chosen}))
    points = [LimitPoint("kind", row.kind, row.region, row.case, row.score.dice) for row in chosen]
    return Curve("kind", "kind of scan", kinds), points


def _write_heads(options: Options, progress: Callable[[str], None]) -> dict[str, Path]:
    """Write heads with the contrasts of the sequences, and with contrasts of chance; return their sheets."""
    half = options.subjects // 2
    sheets = {}
    for kind, number, share in (("realistic", options.subjects - half, 0.0), ("randomised", half, 1.0)):
        if number:
            name, folder = COHORT + kind, options.folder / f"cohort_{kind}"
            plan = HeadPlan(
                subjects=number,
                scans=4,
                randomised=share,
                severity=options.severity,
                cohort=name,
                seed=options.seed,
            )
            sheets[kind] = write_heads(folder, plan, progress, jobs=options.threads)
    return sheets


def _brain_curves(options: Options) -> tuple[Curve, ...]:
    every = 3 if options.quick else 1
    return tuple(
        Curve(c.name, c.label, c.values if len(c.values) < 3 else c.values[::every]) for c in brain.CURVES
    )


def _brain_limits(options: Options, progress: Callable[[str], None]) -> Iterator[LimitPoint]:
    extract = brain.network(options.model, mirror=False, threads=options.threads, gpu=options.gpu)
    for number in range(options.limit_cases):
        head = brain.clean_head(number, options.seed)
        yield from brain.limit_points(head, extract, _brain_curves(options), options.seed)
        progress(f"curves: {head.name} of {options.limit_cases}")


def _tumour_limits(
    options: Options, wanted: Sequence[Curve], progress: Callable[[str], None]
) -> Iterator[LimitPoint]:
    chain = tumour.model_chain(options.model, mirror=False, threads=options.threads, gpu=options.gpu)
    plan = CohortPlan(
        subjects=options.limit_cases, non_enhancing=0.0, severity=0.0, cohort="limits", seed=options.seed
    )
    sheet = write_cohort(options.folder / "cohort_limits", plan, progress, jobs=options.threads)
    for case in tumour.read_cases(sheet, plan):
        yield from tumour.limit_points(case, chain, wanted, options.seed)
        progress(f"curves: {case.name} of {options.limit_cases}")


def _told(scores: Sequence[CaseScore], case: str, method: str) -> str:
    return ", ".join(
        f"{row.region} {row.score.dice:.3f} ({row.score.state})"
        for row in scores
        if (row.case, row.method) == (case, method)
    )


METHODS = {TUMOUR: (tumour.MODEL, tumour.BASELINE), BRAIN: (brain.ONE, brain.BASELINE)}
EVALUATE = {TUMOUR: evaluate_tumour, BRAIN: evaluate_brain}
HELP: Mapping[str, str] = {
    "subjects": "number of subjects of the tables",
    "limit_cases": "number of subjects of the curves",
    "baseline_cases": "number of heads for which the embedded brain extraction is run too",
    "severity": "strength of the scanners' faults, 0 to 2: 0.4 is ordinary, 1 a bad day",
    "seed": "of the cases; the same seed gives the same ones",
    "threads": "CPU cores to use",
    "gpu": "use a GPU where there is one",
    "quick": "fewer points on the curves",
}


def main(arguments: list[str] | None = None) -> int:
    """Evaluate as the command line asks; status 1, with one sentence, where that is not possible."""
    parser = argparse.ArgumentParser(
        prog="python -m gliaflow.evaluate.held_out",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("target", choices=TARGETS, help="what the model finds")
    parser.add_argument("folder", type=Path, metavar="OUT", help="where the results go")
    parser.add_argument("--model", type=Path, required=True, metavar="ZIP", help="the package")
    for field in fields(Options)[2:]:
        option, default = f"--{field.name.replace('_', '-')}", field.default
        if isinstance(default, bool):
            parser.add_argument(option, action="store_true", help=HELP[field.name])
        else:
            kind = type(default)
            parser.add_argument(option, type=kind, default=default, metavar="N", help=HELP[field.name])
    given = vars(parser.parse_args(arguments))
    target, options = given.pop("target"), Options(**given)
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        result = EVALUATE[target](options, lambda line: print(line, flush=True))
        write_evaluation(options, target, result)
    except (GliaflowError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {options.folder / 'summary.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
