"""The command line of the generated cohorts, and their subjects made side by side."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gliaflow.errors import ConfigError, GliaflowError

Allowed = tuple[Callable[[Any], object], str]
"""A test that a value has to pass, and what it is to be, for the error."""
COUNT: Allowed = (lambda number: number >= 1, "a number from 1")
SHARE: Allowed = (lambda share: 0 <= share <= 1, "a share from 0 to 1")
SEVERITY: Allowed = (lambda factor: 0 <= factor <= 2, "a number from 0 to 2")
NAME: Allowed = (lambda name: name.isalnum() and name.isascii(), "letters and digits")
SEED: Allowed = (lambda seed: 0 <= seed < 2**32, "a number from 0 to 4294967295")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Write(Protocol):
    """Writes a cohort into a folder, gives a line on each subject, and returns the path of its sheet."""

    def __call__(  # noqa: D102
        self, folder: Path, plan: Any, progress: Callable[[str], None], *, jobs: int
    ) -> Path: ...


@dataclass(frozen=True)
class Command:
    """A module that writes cohorts: its name, what it says of itself, its plan's class, and what it runs.

    ``helps`` says of each field of the plan what it is.
    """

    module: str
    about: str
    plan: Any
    helps: Mapping[str, str]
    write: Write


def check_plan(plan: Any, allowed: Mapping[str, Allowed]) -> None:
    """Check the values of a plan, by the names of its fields; one that does not fit is a ConfigError."""
    for name, (fits, wanted) in allowed.items():
        value = getattr(plan, name)
        if not fits(value):
            raise ConfigError(f"{name}: {value!r} does not fit; write {wanted}")


def run(command: Command, arguments: list[str] | None) -> int:
    """Write a cohort as a command line asks; status 1, with one sentence, where that is not possible."""
    options = vars(_parser(command).parse_args(arguments))
    folder, jobs = options.pop("folder"), options.pop("jobs")
    try:
        plan = command.plan(**options)
        sheet = command.write(folder, plan, lambda line: print(line, flush=True), jobs=jobs)
    except (GliaflowError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {sheet}")
    return 0


def _parser(command: Command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {command.module}",
        description=command.about,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="OUT", help="a new or an empty folder")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that write subjects")
    for field in fields(command.plan):
        option, kind = f"--{field.name.replace('_', '-')}", type(field.default)
        about = command.helps[field.name]
        parser.add_argument(option, type=kind, default=field.default, metavar="X", help=about)
    return parser


def side_by_side(make: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> Iterator[Result]:
    """Return what is made of each item, in their order, by so many processes; made when asked for.

    Raises
    ------
    ConfigError
        ``jobs`` is less than 1.
    """
    if jobs < 1:
        raise ConfigError(f"jobs: {jobs} does not fit; write a number from 1")
    return map(make, items) if jobs == 1 else _by_processes(make, items, jobs)


def _by_processes(make: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> Iterator[Result]:
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(make, items)
