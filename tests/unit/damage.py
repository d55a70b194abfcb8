"""Damage to files, and what has to come of it: a result, or a sentence that names the file; never a hang."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gliaflow.errors import GliaflowError

HANGS_AFTER_S = 30
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def cases(number: int) -> settings:
    """So many cases in the normal tests, ten times as many with ``--hypothesis-profile nightly``."""
    return settings(max_examples=number * settings().max_examples // 100, suppress_health_check=SLOW)


@contextmanager
def no_hang() -> Iterator[None]:
    """Fail what takes too long, instead of waiting for it."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"hangs: not done after {HANGS_AFTER_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANGS_AFTER_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refusal(call: Callable[[], object], *named: object) -> str:
    """What is said against the input, which has to name some things in every line; empty where it is read.

    Any other error than one with a sentence for the user is an error of the test.
    """
    try:
        with no_hang():
            call()
    except GliaflowError as error:
        said = str(error)
    else:
        return ""
    lines = said.splitlines()
    mistakes = lines[1:] if lines[0].endswith(" mistakes:") else lines[:1]
    for line in mistakes:
        assert all(str(name) in line for name in named), line
    assert all(line.isprintable() for line in lines), said
    return said


def flipped(content: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    """Other bytes at some places."""
    changed = bytearray(content)
    for place, byte in places if content else ():
        changed[place % len(content)] = byte
    return bytes(changed)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Some bytes changed, some put in, cut short, or an end of something else."""
    flips = st.lists(st.tuples(st.integers(0, max(len(content) - 1, 0)), st.integers(0, 255)), max_size=8)
    cut = st.integers(0, len(content)).map(lambda end: content[:end])
    more = st.tuples(st.integers(0, len(content)), st.binary(max_size=20)).map(
        lambda put: content[: put[0]] + put[1] + content[put[0] :]
    )
    return st.one_of(flips.map(lambda places: flipped(content, places)), cut, more)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
