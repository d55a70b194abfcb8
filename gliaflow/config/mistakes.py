"""Mistakes of a config or a sheet, collected so that the user sees all of them at once."""

import difflib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gliaflow.errors import ConfigError

LONGEST_VALUE = 100


@dataclass
class Mistakes:
    """The mistakes found so far, one line each."""

    lines: list[str] = field(default_factory=list)

    def add(self, where: str, what: str, fix: str = "") -> None:
        """Add a line: where it is, what is wrong, what to write instead."""
        self.lines.append(printable(f"{where}: {what}; {fix}" if fix else f"{where}: {what}"))

    def stop_if_any(self) -> None:
        """Raise what was found.

        Raises
        ------
        ConfigError
            With one line for each mistake, and their number where there are several.
        """
        if len(self.lines) > 1:
            raise ConfigError("\n".join([f"{len(self.lines)} mistakes:", *self.lines]))
        if self.lines:
            raise ConfigError(self.lines[0])


def printable(text: str) -> str:
    """Return a text in one line, without what a terminal would obey, such as line breaks and escapes.

    >>> printable("a\\nb\\x1b[2J")
    'a?b?[2J'
    """
    return "".join(character if character.isprintable() else "?" for character in text)


def shortened(text: str) -> str:
    """Return a text that is not too long for a line of an error."""
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def show(value: object) -> str:
    """Write a value as a person would in YAML, in one line and not too long.

    >>> print(show(None), show([True, 1.5]), show("a\\nb"))
    null [true, 1.5] 'a\\nb'
    """
    return shortened(repr(value) if isinstance(value, str) else _as_json(value))


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except TypeError:  # of keys that JSON does not have, such as dates
        return str(value)


def listing(words: Iterable[object], last: str = "or") -> str:
    """Join words as in a sentence.

    >>> listing(["none", "ref", "atlas"])
    'none, ref or atlas'
    """
    *first, final = map(str, words)
    return f"{', '.join(first)} {last} {final}" if first else final


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """Say which known word was probably meant, or something else where there is none.

    >>> did_you_mean("eikonol", ["eikonal"], "write eikonal"), did_you_mean("x", ["eikonal"], "write eikonal")
    ('did you mean eikonal?', 'write eikonal')
    """
    guess = nearest(word, known)
    return f"did you mean {guess}?" if guess else otherwise


def meant_key(key: str, known: Collection[str]) -> str:
    """Say which key was probably meant, else which there are."""
    return did_you_mean(key, known, f"the keys here are {listing(known, 'and')}")


def check_key(key: str, value: object, known: Collection[str], section: str = "") -> None:
    """Check that a setting has a known name.

    Parameters
    ----------
    key, value
        As they were given.
    known
        The names that there are.
    section
        What stands before the key in the config, such as ``threshold.``

    Raises
    ------
    ConfigError
        It has not; with the name that was probably meant.
    """
    if key not in known:
        raise ConfigError(f"{section}{key}: {show(value)}: is not a known key; {meant_key(key, known)}")


def nearest(word: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str | None:
    """Return the known word that was probably meant, or None.

    >>> nearest("FLAIR", ["t1c", "t2f"], {"flair": "t2f"})
    't2f'
    """
    by_folded: dict[str, Any] = {name.casefold(): name for name in known}
    folded = word.casefold()
    if aliases and aliases.get(folded) in by_folded:
        return aliases[folded]
    match = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    return by_folded[match[0]] if match else None
