"""What every script of a rule does around its one call: a log, and errors that a person can read."""

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from gliaflow.errors import GliaflowError

BEGUN, FAILED, DONE = "BEGIN ", "ERROR ", "DONE "
"""What the first and the last line of a log begin with. Without a last one, the job runs, or was killed."""


def harmless(message: str) -> str:
    """Return a message without what a terminal would obey, such as escapes in the name of a folder.

    >>> harmless("a\\x1b[2J\\nb")
    'a?[2J\\nb'
    """
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in message)


@contextmanager
def job(log: str, name: str) -> Iterator[None]:
    """Send all output of a job, compiled libraries included, to its log, and end it well.

    Parameters
    ----------
    log
        Path of the log; its folder exists.
    name
        What to call the job in an error, such as ``demo/sub-01/ses-1 t1c``.

    Raises
    ------
    SystemExit
        With status 1 after any error. An error of the data (`GliaflowError`) ends the log with its one
        sentence, any other with its traceback; the last line goes to the console too.

    The log begins with a line that says so, and ends with one if the job ends well.
    """
    console = os.fdopen(os.dup(sys.stderr.fileno()), "w")
    with open(log, "w", encoding="utf-8") as stream:  # noqa: PTH123
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(stream.fileno(), sys.stdout.fileno())
        os.dup2(stream.fileno(), sys.stderr.fileno())
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
        print(f"{BEGUN}{name}", file=sys.stderr, flush=True)
        try:
            yield
        except Exception as error:  # noqa: BLE001
            sys.stdout.flush()
            if not isinstance(error, GliaflowError):
                traceback.print_exc()
            message = harmless(f"{name}: {error}" if str(error) else f"{name}: {type(error).__name__}")
            print(f"{FAILED}{message}", file=sys.stderr, flush=True)
            print(f"gliaflow: {message}", file=console, flush=True)
            raise SystemExit(1) from None
        sys.stdout.flush()
        print(f"{DONE}{name}", file=sys.stderr, flush=True)
