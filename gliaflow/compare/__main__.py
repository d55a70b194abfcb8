"""``python -m gliaflow.compare A B``."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gliaflow.compare.folders import Compared, compare_folders, results_in
from gliaflow.compare.reasons import origins, reasons
from gliaflow.errors import GliaflowError

ABOUT = """Compare two folders of results file by file, and say what differs and why.

Images are compared voxel by voxel (label maps and masks also by the Dice coefficient of each label), tables
cell by cell, JSON value by value, transforms by their matrices, other files by their bytes. Files of the same
content count as the same, however they are packed. For a file with sidecars it is told which software,
settings, models and sources differ; the files in which the differences begin are named at the end."""
STATUS = """exit status: 0 the results are the same, 1 they differ, 2 they cannot be compared.
provenance.json is passed over: it says when each job ran."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as a command line asks; return the exit status."""
    options = _parser().parse_args(arguments)
    first, second = results_in(options.first), results_in(options.second)
    try:
        found = compare_folders(first, second, tolerance=options.tolerance, ignored=options.ignore)
        told = reasons(first, second, found)
    except (GliaflowError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    lines = summary(found, told) if options.summary else report(found, told)
    print("\n".join(lines))
    return 0 if found.alike else 1


def report(found: Compared, told: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Give the lines on every file that differs, then the summary."""
    for side, paths in (("A", found.only_first), ("B", found.only_second)):
        yield from (f"only in {side}: {path}" for path in paths)
    for path, lines in found.differing.items():
        yield f"differs: {path}"
        yield from (f"    {line}" for line in lines)
        yield from (f"    why: {line}" for line in told.get(path, ()))
    yield from summary(found, told)


def summary(found: Compared, told: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Give how many files are the same, differ or are in one folder only, and where differences begin."""
    began = origins(told)
    if began:
        yield "The differences begin at:"
        yield from (f"    {path}" for path in began)
    counts = {
        "the same": len(found.same),
        "differ": len(found.differing),
        "only in A": len(found.only_first),
        "only in B": len(found.only_second),
        "not compared": len(found.passed_over),
    }
    text = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    packed = f" ({len(found.repacked)} of the same are packed otherwise)" if found.repacked else ""
    yield f"Files: {text}{packed}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gliaflow.compare",
        description=ABOUT,
        epilog=STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "first",
        type=Path,
        metavar="A",
        help="folder of results, such as results/demo, or one that the workflow ran in",
    )
    parser.add_argument("second", type=Path, metavar="B", help="the folder to compare it with")
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        default=0.0,
        metavar="X",
        help="largest difference of voxels, cells and other numbers that does not count (default: 0)",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="PATTERN",
        help="pass over files whose path in the folder fits, such as '*.png'; may be repeated",
    )
    parser.add_argument("--summary", action="store_true", help="only counts, and where differences begin")
    return parser


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} does not fit; write a number from 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
